//! Which case, backend and builders a run uses, checked against the manifest and against what tg has.

use std::collections::BTreeMap;

use super::{BACKENDS, BUILDERS, Resolver};
use crate::composition::Group;
use crate::manifest::Case;
use crate::problem::{list, nearest, shown, suggestion};

impl<'a> Resolver<'a> {
    pub(super) fn find_case(&mut self) -> Option<&'a Case> {
        let wanted = self.composition.global.case.as_ref()?;
        let found = self.manifest.case(&wanted.value);
        if found.is_none() {
            let known: Vec<&str> = self.manifest.cases.iter().map(|case| case.name.as_str()).collect();
            let text = format!("plan `{}` has no case `{}`", shown(&self.manifest.name), shown(&wanted.value));
            self.problem(wanted.line, text, suggestion(&wanted.value, "case", &known));
            // Nothing will run; what was probably meant lets problems of parameters be told in the same round.
            return nearest(&wanted.value, known).and_then(|name| self.manifest.case(name));
        }
        found
    }

    /// The backend's name, checked: we have it, and the manifest lists it.
    pub(super) fn backend(&mut self) -> Option<String> {
        let (name, flag, line) = match (&self.wish.backend, &self.composition.global.backend) {
            (Some(name), _) => (name.clone(), Some("--backend"), None),
            (None, Some(at)) => (at.value.clone(), None, at.line),
            (None, None) if self.composition.text.is_none() => (self.default_backend(), None, None),
            // That there is no `[global]` at all has been said.
            (None, None) if self.composition.global.line.is_none() => return None,
            (None, None) => {
                let line = self.composition.global.line;
                let hint = "add `runner = \"local:exec\"`, or use `--backend local:exec`".to_owned();
                self.problem(line, "`[global]` has no `runner`".to_owned(), hint);
                return None;
            }
        };
        let (text, hint) = if !BACKENDS.contains(&name.as_str()) {
            let hint = if name == "local:docker" {
                "to run plain processes use `--backend local:exec` and an `exec:` builder".to_owned()
            } else {
                suggestion(&name, "backend", &BACKENDS)
            };
            (format!("tg has no backend `{}`", shown(&name)), hint)
        } else if !self.manifest.backends.contains_key(&name) {
            let hint = format!("add `[runners.\"{name}\"]` to {}", self.manifest.file);
            (format!("the manifest does not list runner `{name}`; it lists {}", listed(&self.manifest.backends)), hint)
        } else {
            return Some(name);
        };
        match flag {
            Some(flag) => self.flag_problem(flag, text, hint),
            None => self.problem(line, text, hint),
        }
        // A backend that we have is good for the checks that follow.
        BACKENDS.contains(&name.as_str()).then_some(name)
    }

    fn default_backend(&self) -> String {
        let ours = |name: &&String| BACKENDS.contains(&name.as_str());
        self.manifest.default_backend.as_ref().filter(ours).map_or_else(|| BACKENDS[0].to_owned(), Clone::clone)
    }

    /// The builder of each group of the composition, checked; absent where there is none to use.
    pub(super) fn builders(&mut self, backend: Option<&str>) -> Vec<Option<String>> {
        let composition = self.composition;
        if let Some(name) = &self.wish.builder {
            let good = match self.builder_problem(name, backend) {
                Some((text, hint)) => {
                    self.flag_problem("--builder", text, hint);
                    None
                }
                None => Some(name.clone()),
            };
            return vec![good; composition.groups.len()];
        }
        let mut out = Vec::new();
        for group in &composition.groups {
            let Some(at) = group.builder.as_ref().or(composition.global.builder.as_ref()) else {
                let found = if composition.text.is_none() { self.default_builder(backend) } else { None };
                if found.is_none() {
                    let (text, hint) = self.no_builder(group, backend);
                    self.problem(group.id.line, text, hint);
                }
                out.push(found);
                continue;
            };
            out.push(match self.builder_problem(&at.value, backend) {
                Some((text, hint)) => {
                    self.problem(at.line, text, hint);
                    None
                }
                None => Some(at.value.clone()),
            });
        }
        out
    }

    fn no_builder(&self, group: &Group, backend: Option<&str>) -> (String, String) {
        if self.composition.text.is_none() {
            let text =
                format!("the manifest lists no builder that tg can use with `{}`", backend.unwrap_or("local:exec"));
            return (text, format!("add one of {} to {}", list(&BUILDERS), self.manifest.file));
        }
        let text = format!("group `{}` has no builder", shown(&group.id.value));
        (text, "add `builder = \"exec:cargo\"` to it or to `[global]`".to_owned())
    }

    fn default_builder(&self, backend: Option<&str>) -> Option<String> {
        let usable = |name: &&str| {
            self.manifest.builders.contains_key(*name) && backend.is_none_or(|backend| compatible(name, backend))
        };
        let preferred = self.manifest.default_builder.as_deref().filter(|name| BUILDERS.contains(name)).filter(usable);
        preferred.or_else(|| BUILDERS.into_iter().find(usable)).map(str::to_owned)
    }

    fn builder_problem(&self, name: &str, backend: Option<&str>) -> Option<(String, String)> {
        if !BUILDERS.contains(&name) {
            let hint = suggestion(name, "builder", &BUILDERS);
            return Some((format!("tg has no builder `{}`", shown(name)), hint));
        }
        if !self.manifest.builders.contains_key(name) {
            let hint = format!("add `[builders.\"{name}\"]` to {}", self.manifest.file);
            let text =
                format!("the manifest does not list builder `{name}`; it lists {}", listed(&self.manifest.builders));
            return Some((text, hint));
        }
        let backend = backend.filter(|backend| !compatible(name, backend))?;
        let kind = if backend == "local:exec" { "exec:" } else { "docker:" };
        Some((format!("backend `{backend}` cannot run what builder `{name}` makes"), format!("use a `{kind}` builder")))
    }
}

fn compatible(builder: &str, backend: &str) -> bool {
    let wanted = if backend == "local:exec" { "exec:" } else { "docker:" };
    builder.starts_with(wanted)
}

fn listed(of: &BTreeMap<String, toml::Table>) -> String {
    if of.is_empty() {
        return "none".to_owned();
    }
    list(&of.keys().map(String::as_str).collect::<Vec<_>>())
}
