//! The manifest: what a plan is called, which cases it has, and what can build and run it.

use std::collections::BTreeMap;

use crate::node::{self, At, Fields, Reader, Table, Value};
use crate::problem::{Problem, in_order, shown, suggestion};

/// A plan's `manifest.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file as the user named it.
    pub file: String,
    /// The plan's name.
    pub name: String,
    /// Settings by builder; a builder that is not here does not build this plan.
    pub builders: BTreeMap<String, toml::Table>,
    /// Settings by backend; a backend that is not here does not run this plan.
    pub backends: BTreeMap<String, toml::Table>,
    /// `[defaults] builder`: used only for a run without a composition file.
    pub default_builder: Option<String>,
    /// `[defaults] runner`.
    pub default_backend: Option<String>,
    /// `[defaults] case`: what a run without a composition runs if it names no case.
    pub default_case: Option<String>,
    /// More folders that a builder needs, by builder.
    pub extra_sources: BTreeMap<String, Vec<String>>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The line of its beginning.
    pub line: Option<u32>,
    /// The fewest instances, if the manifest says so.
    pub min: Option<u32>,
    /// The most instances, if the manifest says so.
    pub max: Option<u32>,
    /// How many instances when nobody says.
    pub default: Option<u32>,
    /// Its parameters.
    pub params: BTreeMap<String, Param>,
}

/// A parameter of a case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Param {
    /// The type as written; see [`crate::param`] for those that are checked.
    pub type_name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its unit.
    pub unit: Option<String>,
    /// The value when nobody gives one, as the text that a plan receives.
    pub default: Option<At<String>>,
    /// The only values allowed, if the manifest lists them.
    pub values: Vec<String>,
}

const TOP: &[&str] = &[
    "name",
    "defaults",
    "builders",
    "runners",
    "testcases",
    "extra_sources",
    // Not read, but found in manifests of published plans.
    "build_strategies",
    "run_strategies",
    "source_path",
    "global",
];

impl Manifest {
    /// Reads a manifest; every problem in it is reported at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let root = node::parse(file, text, None)?;
        let mut reader = Reader { file, problems: Vec::new() };
        let manifest = read(&mut reader, &root);
        if reader.problems.is_empty() { Ok(manifest) } else { Err(in_order(reader.problems)) }
    }

    /// What stands for a manifest that cannot be had, so that the rest of a composition is checked all the same: every
    /// builder, every backend, and a case of this name that takes any parameters.
    pub fn anything(case: Option<&str>) -> Self {
        let all = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), toml::Table::new())).collect();
        let case = case.map(|name| Case {
            name: name.to_owned(),
            line: None,
            min: None,
            max: None,
            default: None,
            params: BTreeMap::new(),
        });
        Self {
            file: "manifest.toml".to_owned(),
            name: String::new(),
            builders: all(&crate::resolve::BUILDERS),
            backends: all(&crate::resolve::BACKENDS),
            default_builder: None,
            default_backend: None,
            default_case: None,
            extra_sources: BTreeMap::new(),
            cases: case.into_iter().collect(),
        }
    }

    /// The case of this name.
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

fn read(r: &mut Reader<'_>, root: &Table) -> Manifest {
    let top = r.fields(root, None, "the manifest", TOP);
    let name = r.required(&top, "name", "name the plan: `name = \"pings\"`");
    let (mut default_builder, mut default_backend, mut wanted_case) = (None, None, None);
    if let Some((table, line)) = r.table(&top, "defaults") {
        let fields = r.fields(table, line, "`[defaults]`", &["builder", "runner", "case"]);
        default_builder = r.some_text(&fields, "builder").map(|at| at.value);
        default_backend = r.some_text(&fields, "runner").map(|at| at.value);
        wanted_case = r.some_text(&fields, "case");
    }
    // February 2020 called them strategies.
    let builders = strategies(r, &top, "build_strategies", "builders");
    let backends = strategies(r, &top, "run_strategies", "runners");
    let mut extra_sources = BTreeMap::new();
    if let Some((table, _)) = r.table(&top, "extra_sources") {
        for (key, value) in table {
            let Some(paths) = texts(&value.value) else {
                let hint = Some(format!("write `{} = [\"../common\"]`", shown(key)));
                r.problem(value.line, format!("`extra_sources.{}` must be a list of texts", shown(key)), hint);
                continue;
            };
            // The key is the builder with `_` for `:`.
            extra_sources.insert(key.replacen('_', ":", 1), paths);
        }
    }
    let mut cases: Vec<Case> = Vec::new();
    for (table, line) in r.tables(&top, "testcases") {
        let Some(case) = case(r, table, line) else { continue };
        if let Some(first) = cases.iter().find(|other| other.name == case.name) {
            let text =
                format!("case `{}` is there twice, first in line {}", shown(&case.name), first.line.unwrap_or(0));
            r.problem(line, text, Some("give every case a name of its own".to_owned()));
        } else {
            cases.push(case);
        }
    }
    if top.get("testcases").is_none() {
        let hint = "add `[[testcases]]` with a `name`".to_owned();
        r.problem(None, "the manifest has no cases", Some(hint));
    }
    let default_case = wanted_case.and_then(|wanted| {
        if cases.iter().any(|case| case.name == wanted.value) {
            return Some(wanted.value);
        }
        let known: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let hint = Some(suggestion(&wanted.value, "case", &known));
        r.problem(wanted.line, format!("`defaults.case` names `{}`, which is no case", shown(&wanted.value)), hint);
        None
    });
    let name = name.map(|at| at.value).unwrap_or_default();
    Manifest {
        file: r.file.to_owned(),
        name,
        builders,
        backends,
        default_builder,
        default_backend,
        default_case,
        extra_sources,
        cases,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let Value::List(items) = value else { return None };
    items.iter().map(|item| if let Value::Text(text) = &item.value { Some(text.clone()) } else { None }).collect()
}

fn strategies(r: &mut Reader<'_>, top: &Fields<'_>, old: &str, new: &str) -> BTreeMap<String, toml::Table> {
    let mut out = BTreeMap::new();
    for key in [old, new] {
        for (name, value) in r.settings(top, key) {
            let toml::Value::Table(mut settings) = value else {
                let line = top.get(key).and_then(|at| at.line);
                let hint = format!("write `[{key}.\"{name}\"]`, or `\"{name}\" = {{ enabled = true }}`");
                r.problem(line, format!("`{key}.\"{}\"` must be a table", shown(&name)), Some(hint));
                continue;
            };
            // Customary, and without a meaning: to be listed is to be supported.
            settings.remove("enabled");
            out.insert(name, settings);
        }
    }
    out
}

fn case(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Option<Case> {
    let fields = r.fields(table, line, "`[[testcases]]`", &["name", "instances", "params", "roles"]);
    let name = r.required(&fields, "name", "name the case: `name = \"rtt\"`");
    let (mut min, mut max, mut default) = (None, None, None);
    if let Some((table, line)) = r.table(&fields, "instances") {
        let bounds = r.fields(table, line, "`instances`", &["min", "max", "default"]);
        min = r.count(&bounds, "min").map(|at| at.value);
        max = r.count(&bounds, "max").map(|at| at.value);
        default = r.count(&bounds, "default").map(|at| at.value);
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let hint = Some(format!("write `min = {max}, max = {min}`, or leave one out"));
            r.problem(line, format!("`min = {min}` is above `max = {max}`"), hint);
        }
    }
    let mut params = BTreeMap::new();
    if let Some((table, _)) = r.table(&fields, "params") {
        for (key, value) in table {
            let Value::Table(entry) = &value.value else {
                let hint = format!("write `{key} = {{ type = \"int\", desc = \"…\", default = 1 }}`");
                r.problem(value.line, format!("parameter `{}` must be a table", shown(key)), Some(hint));
                continue;
            };
            let place = format!("parameter `{}`", shown(key));
            let fields = r.fields(entry, value.line, place, &["type", "desc", "unit", "default", "values"]);
            params.insert(key.clone(), param(r, &fields));
        }
    }
    Some(Case { name: name?.value, line, min, max, default, params })
}

fn param(r: &mut Reader<'_>, fields: &Fields<'_>) -> Param {
    let values = match fields.get("values").map(|at| &at.value) {
        Some(Value::List(items)) => items.iter().map(|item| item.value.as_param()).collect(),
        Some(_) => r.texts(fields, "values"),
        None => Vec::new(),
    };
    Param {
        type_name: r.some_text(fields, "type").map(|at| at.value),
        description: r.some_text(fields, "desc").map(|at| at.value),
        unit: r.some_text(fields, "unit").map(|at| at.value),
        default: fields.get("default").map(|at| At { value: at.value.as_param(), line: at.line }),
        values,
    }
}
