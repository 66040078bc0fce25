//! Parameters and profiles: the layers merged, every value checked.

use std::collections::BTreeMap;

use super::{Configuration, Resolver};
use crate::composition::{Group, Run, RunGroup};
use crate::matrix::Target;
use crate::node::At;
use crate::param::{PACKED_LIMIT, name_error, packing_error, type_error};
use crate::problem::{Problem, list, shown};

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Manifest(Option<u32>),
    Composition(Option<u32>),
    Flag,
}

impl Resolver<'_> {
    /// Parameters of one group of one run: the layers from the lowest to the highest, an empty text giving way to a
    /// lower layer as in Testground, except from the matrix and the command line.
    pub(super) fn params(
        &mut self,
        run: &Run,
        member: &RunGroup,
        group: &Group,
        chosen: &Configuration<'_>,
        builder: &str,
    ) -> BTreeMap<String, String> {
        // Every value that is given, from the lowest layer to the highest.
        let mut given: Vec<(&str, &str, Source)> = Vec::new();
        if let Some(case) = self.case {
            for (name, param) in &case.params {
                if let Some(default) = &param.default {
                    given.push((name, &default.value, Source::Manifest(default.line)));
                }
            }
        }
        for layer in [&self.composition.global.run.params, &group.run.params, &run.params, &member.params] {
            for (name, at) in layer {
                if !at.value.is_empty() || !given.iter().any(|(other, ..)| other == name) {
                    given.push((name, &at.value, Source::Composition(at.line)));
                }
            }
        }
        // The matrix over all groups first, so that one over a single group holds against it.
        for single in [false, true] {
            for (axis, at) in chosen {
                let name = match &axis.target {
                    Target::Param(name) if !single => name,
                    Target::GroupParam(id, name) if single && *id == member.id.value => name,
                    _ => continue,
                };
                given.push((name, &at.value.text, Source::Composition(at.line)));
            }
        }
        for (name, value) in &self.wish.params {
            given.push((name, value, Source::Flag));
        }
        let mut problems = Vec::new();
        // A value that a higher layer hides is checked all the same: the next edit may bring it up.
        for (name, value, source) in &given {
            if let Some((text, hint)) = self.param_problem(name, value, *source, builder) {
                problems.push(self.located(*source, text, hint));
            }
        }
        let merged: BTreeMap<&str, &str> = given.into_iter().map(|(name, value, _)| (name, value)).collect();
        let packed: usize = merged.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if packed > PACKED_LIMIT {
            let text = format!(
                "the parameters of group `{}` take {packed} bytes, but Linux hands over at most {PACKED_LIMIT}",
                shown(&member.id.value)
            );
            let hint = Some("put large values into a file of the plan".to_owned());
            problems.push(self.located(Source::Composition(member.id.line), text, hint));
        }
        self.problems.extend(problems);
        merged.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn located(&self, source: Source, text: String, hint: Option<String>) -> Problem {
        let (file, line) = match source {
            Source::Manifest(line) => (self.manifest.file.clone(), line),
            Source::Composition(line) => (self.composition.file.clone(), line),
            Source::Flag => ("--param".to_owned(), None),
        };
        Problem { file, line, text, hint }
    }

    fn param_problem(
        &self,
        name: &str,
        value: &str,
        source: Source,
        builder: &str,
    ) -> Option<(String, Option<String>)> {
        let of = format!("parameter `{}`", shown(name));
        if let Some(why) = name_error(name) {
            let hint = "rename it in the plan: letters, digits, `_`, `-` and `.` serve".to_owned();
            return Some((format!("{of} has a name that cannot be: {why}"), Some(hint)));
        }
        if let Some((text, hint)) = packing_error(value, builder) {
            return Some((format!("{of}: {text}"), Some(hint.to_owned())));
        }
        let case = self.case?;
        let declared = case.params.get(name);
        // A case that declares no parameters at all takes any.
        if declared.is_none() && !case.params.is_empty() {
            let known: Vec<&str> = case.params.keys().map(String::as_str).collect();
            let hint = match crate::problem::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it in {}; parameters: {}", self.manifest.file, list(&known)),
            };
            return Some((format!("case `{}` has no {of}", shown(&case.name)), Some(hint)));
        }
        // An empty default is no value yet.
        if value.is_empty() && matches!(source, Source::Manifest(_)) {
            return None;
        }
        let param = declared?;
        let text = type_error(param, value)?;
        let about = [
            ("it is", &param.description),
            ("its unit is", &param.unit),
            ("its default is", &param.default.as_ref().map(|at| at.value.clone())),
        ];
        let about: Vec<String> =
            about.iter().filter_map(|(what, text)| Some(format!("{what} `{}`", shown(text.as_ref()?)))).collect();
        let hint =
            if about.is_empty() { format!("it is declared in {}", self.manifest.file) } else { about.join("; ") };
        Some((format!("{of}: {text}"), Some(hint)))
    }

    pub(super) fn profiles(&mut self, member: &RunGroup, group: &Group) -> BTreeMap<String, String> {
        let mut merged: BTreeMap<&str, &At<String>> = BTreeMap::new();
        for layer in [&self.composition.global.run.profiles, &group.run.profiles, &member.profiles] {
            for (name, at) in layer {
                if !at.value.is_empty() || !merged.contains_key(name.as_str()) {
                    merged.insert(name, at);
                }
            }
        }
        let mut out = BTreeMap::new();
        for (name, at) in merged {
            if name_error(name).is_some() || at.value.contains(['|', '=', '\0']) {
                let text = format!("profile `{}` holds `|`, `=` or NUL", shown(name));
                self.problem(at.line, text, "write `cpu = \"true\"` or `heap = \"5s\"`".to_owned());
            }
            out.insert(name.to_owned(), at.value.clone());
        }
        out
    }
}
