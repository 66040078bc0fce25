//! Takes a composition out of TOML and notes what is wrong with it.

use std::time::Duration;

use super::{Build, Composition, Global, Group, Instances, Run, RunGroup, RunParams, Size};
use super::{faults, network};
use crate::matrix;
use crate::node::{At, Fields, Reader, Table, Value};
use crate::outcome::Expect;
use crate::param::parse_duration;
use crate::problem::shown;
use crate::spec::{Dependency, Resources};

const GLOBAL: &[&str] = &[
    "plan",
    "case",
    "runner",
    "builder",
    "total_instances",
    "concurrent_builds",
    "build_config",
    "run_config",
    "disable_metrics",
    "build",
    "run",
    "seed",
    "deadline",
];
const TOP: &[&str] = &["metadata", "global", "groups", "runs", "matrix", "network", "faults"];
const GROUP: &[&str] = &["id", "builder", "build_config", "build", "resources", "instances", "run", "expect", "region"];
const RUN: &[&str] = &["id", "total_instances", "test_params", "groups"];
const RUN_GROUP: &[&str] = &["id", "group_id", "instances", "resources", "test_params", "profiles", "expect", "region"];

pub(super) fn read(r: &mut Reader<'_>, root: &Table) -> Composition {
    let top = r.fields(root, None, "the composition", TOP);
    let (mut name, mut author) = (None, None);
    if let Some((table, line)) = r.table(&top, "metadata") {
        let fields = r.fields(table, line, "`[metadata]`", &["name", "author"]);
        name = r.some_text(&fields, "name").map(|at| at.value);
        author = r.some_text(&fields, "author").map(|at| at.value);
    }
    let global = if let Some((table, line)) = r.table(&top, "global") {
        global(r, table, line)
    } else {
        if top.get("global").is_none() {
            let hint = "begin with `[global]`, `plan`, `case`, `builder` and `runner`".to_owned();
            r.problem(None, "the composition has no `[global]`", Some(hint));
        }
        Global::default()
    };
    let mut groups: Vec<Group> = Vec::new();
    for (table, line) in r.tables(&top, "groups") {
        let group = group(r, table, line);
        once(r, &group.id, groups.iter().map(|g| &g.id), "group");
        groups.push(group);
    }
    if top.get("groups").is_none() {
        r.problem(None, "the composition has no groups", Some("add `[[groups]]` with `id` and `instances`".to_owned()));
    }
    let mut runs: Vec<Run> = Vec::new();
    for (table, line) in r.tables(&top, "runs") {
        let run = run(r, table, line);
        once(r, &run.id, runs.iter().map(|run| &run.id), "run");
        runs.push(run);
    }
    let matrix = r.table(&top, "matrix").map(|(table, _)| matrix::read(r, table)).unwrap_or_default();
    let faults =
        r.tables(&top, "faults").into_iter().filter_map(|(table, line)| faults::fault(r, table, line)).collect();
    let network = r.table(&top, "network").map(|(table, line)| network::network(r, table, line));
    let file = r.file.to_owned();
    Composition { file, text: None, name, author, global, groups, runs, matrix, faults, network, problems: Vec::new() }
}

/// Notes an id that is not the first of its kind.
fn once<'a>(r: &mut Reader<'_>, id: &At<String>, mut earlier: impl Iterator<Item = &'a At<String>>, what: &str) {
    if id.value.is_empty() {
        return;
    }
    if let Some(first) = earlier.find(|other| other.value == id.value) {
        let place = first.line.map(|line| format!(", first in line {line}")).unwrap_or_default();
        let text = format!("{what} `{}` is there twice{place}", shown(&id.value));
        r.problem(id.line, text, Some(format!("give every {what} an id of its own")));
    }
}

fn global(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Global {
    let fields = r.fields(table, line, "`[global]`", GLOBAL);
    Global {
        line,
        plan: r.required(&fields, "plan", "name the plan's folder: `plan = \"pings\"`"),
        case: r.required(&fields, "case", "name a case of the plan; `tg plan describe` lists them"),
        backend: r.some_text(&fields, "runner"),
        builder: r.some_text(&fields, "builder"),
        total_instances: total(r, &fields),
        concurrent_builds: r.count(&fields, "concurrent_builds").map_or(0, |at| at.value),
        build_config: r.settings(&fields, "build_config"),
        run_config: r.settings(&fields, "run_config"),
        disable_metrics: r.bool(&fields, "disable_metrics").is_some_and(|at| at.value),
        build: build(r, &fields),
        run: run_params(r, &fields),
        seed: seed(r, &fields),
        deadline: deadline(r, &fields),
    }
}

/// A total of 0 is none: Testground's writer puts it there.
fn total(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<At<u32>> {
    r.count(fields, "total_instances").filter(|at| at.value > 0)
}

fn seed(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<u64> {
    let found = fields.get("seed")?;
    let seed = match &found.value {
        Value::Int(n) => u64::try_from(*n).ok(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    if seed.is_none() {
        let hint = Some("write `seed = 42`".to_owned());
        r.problem(found.line, format!("`seed` in {} must be a whole number from 0 to 2^64-1", fields.place), hint);
    }
    seed
}

fn deadline(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Duration> {
    let found = fields.get("deadline")?;
    let parsed = if let Value::Text(text) = &found.value { parse_duration(text) } else { None };
    let deadline = parsed.filter(|deadline| !deadline.is_zero());
    if deadline.is_none() {
        let hint = Some("write a duration with units: `deadline = \"5m\"`".to_owned());
        r.problem(found.line, format!("`deadline` in {} is no duration above zero", fields.place), hint);
    }
    deadline
}

fn build(r: &mut Reader<'_>, parent: &Fields<'_>) -> Build {
    let Some((table, line)) = r.table(parent, "build") else { return Build::default() };
    let fields = r.fields(table, line, format!("`build` of {}", parent.place), &["selectors", "dependencies"]);
    let selectors = r.texts(&fields, "selectors");
    let mut dependencies = Vec::new();
    for (table, line) in r.tables(&fields, "dependencies") {
        let fields = r.fields(table, line, "`dependencies`", &["module", "target", "version"]);
        let module = r.required(&fields, "module", "name the module to replace");
        let target = r.some_text(&fields, "target").map(|at| at.value);
        let version = r.some_text(&fields, "version").map(|at| at.value);
        if let Some(module) = module {
            dependencies.push(Dependency { module: module.value, target, version });
        }
    }
    Build { selectors, dependencies }
}

fn run_params(r: &mut Reader<'_>, parent: &Fields<'_>) -> RunParams {
    let Some((table, line)) = r.table(parent, "run") else { return RunParams::default() };
    let place = format!("`run` of {}", parent.place);
    let fields = r.fields(table, line, place, &["artifact", "test_params", "profiles"]);
    RunParams {
        artifact: r.some_text(&fields, "artifact").map(|at| at.value),
        params: r.params(&fields, "test_params"),
        profiles: r.params(&fields, "profiles"),
    }
}

fn resources(r: &mut Reader<'_>, parent: &Fields<'_>) -> Resources {
    let Some((table, line)) = r.table(parent, "resources") else { return Resources::default() };
    let fields = r.fields(table, line, format!("`resources` of {}", parent.place), &["memory", "cpu"]);
    let mut quantity = |key: &str, example: &str| {
        let text = match fields.get(key).map(|at| &at.value) {
            // `cpu = 2` means the same as `cpu = "2"`.
            Some(value @ (Value::Int(_) | Value::Float(_))) => value.as_param(),
            _ => r.some_text(&fields, key)?.value,
        };
        if !is_quantity(&text) {
            let line = fields.get(key).and_then(|at| at.line);
            let hint = Some(format!("write it as Kubernetes does: `{key} = \"{example}\"`"));
            r.problem(line, format!("`{key}` in {} is no quantity: `{}`", fields.place, shown(&text)), hint);
        }
        Some(text)
    };
    Resources { memory: quantity("memory", "512Mi"), cpu: quantity("cpu", "500m") }
}

/// A quantity of Kubernetes: a number above zero, and a unit that is decimal, binary or thousandths.
fn is_quantity(text: &str) -> bool {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let known = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    text[..digits].parse::<f64>().is_ok_and(|number| number > 0.0) && known.contains(&&text[digits..])
}

fn instances(r: &mut Reader<'_>, parent: &Fields<'_>) -> Option<Instances> {
    let hint = || Some("write `instances = { count = 10 }` or `instances = { percentage = 0.5 }`".to_owned());
    if let Some(At { value: Value::Int(n), line }) = parent.get("instances") {
        let text = format!("`instances` of {} must be a table", parent.place);
        r.problem(*line, text, Some(format!("write `instances = {{ count = {n} }}`")));
        return Some(Instances { line: *line, size: None });
    }
    let line = parent.get("instances")?.line;
    let Some((table, line)) = r.table(parent, "instances") else { return Some(Instances { line, size: None }) };
    let place = format!("`instances` of {}", parent.place);
    let before = r.problems.len();
    let fields = r.fields(table, line, place.as_str(), &["count", "percentage"]);
    let count = r.count(&fields, "count").filter(|at| at.value > 0);
    let share = r.number(&fields, "percentage").filter(|at| at.value != 0.0);
    let size = match (count, share) {
        (Some(count), None) => Some(Size::Count(count.value)),
        (None, Some(share)) if share.value > 0.0 && share.value <= 1.0 => Some(Size::Share(share.value)),
        (None, Some(share)) => {
            let hint = if share.value > 1.0 && share.value <= 100.0 {
                format!("a percentage is a part of 1: write `percentage = {}`", share.value / 100.0)
            } else {
                "write a part of 1, such as `percentage = 0.3`".to_owned()
            };
            r.problem(share.line, format!("`percentage` in {place} is not between 0 and 1"), Some(hint));
            None
        }
        (Some(_), Some(_)) => {
            r.problem(line, format!("{place} give both `count` and `percentage`"), Some("keep one of them".to_owned()));
            None
        }
        (None, None) => {
            // What is misspelt or of the wrong type has been said already.
            if r.problems.len() == before {
                r.problem(line, format!("{place} give neither `count` nor `percentage` above 0"), hint());
            }
            None
        }
    };
    Some(Instances { line, size })
}

fn expect(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Expect> {
    let text = r.text(fields, "expect")?;
    match text.value.parse() {
        Ok(expect) => Some(expect),
        Err(error) => {
            let hint = "write \"ok\", \"exit:3\" with a code from 0 to 255, \"killed\" or \"anything\"".to_owned();
            let error: crate::outcome::BadExpect = error;
            r.problem(
                text.line,
                format!("`expect = \"{}\"` in {} means nothing", shown(&error.0), fields.place),
                Some(hint),
            );
            None
        }
    }
}

/// The id of a group or run, checked as a name, and how the table is called in messages.
fn identified<'n>(
    r: &mut Reader<'_>,
    table: &'n Table,
    line: Option<u32>,
    header: &str,
    known: &'static [&'static str],
) -> (At<String>, Fields<'n>) {
    let named = match table.get("id").map(|at| &at.value) {
        Some(Value::Text(id)) if !id.is_empty() => format!("{header} `{}`", shown(id)),
        _ => header.to_owned(),
    };
    let fields = r.fields(table, line, named, known);
    let id =
        r.required(&fields, "id", "give it a name: `id = \"servers\"`").unwrap_or(At { value: String::new(), line });
    if !id.value.is_empty()
        && let Err(error) = id.value.parse::<crate::ids::GroupName>()
    {
        let text = format!("`id = \"{}\"` is no good name: {}", shown(&id.value), error.why);
        r.problem(id.line, text, Some("ids become names of folders".to_owned()));
    }
    (id, fields)
}

fn group(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Group {
    let (id, fields) = identified(r, table, line, "`[[groups]]`", GROUP);
    Group {
        id,
        builder: r.some_text(&fields, "builder"),
        build_config: r.settings(&fields, "build_config"),
        build: build(r, &fields),
        resources: resources(r, &fields),
        instances: instances(r, &fields),
        run: run_params(r, &fields),
        expect: expect(r, &fields),
        region: r.some_text(&fields, "region"),
    }
}

fn run(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Run {
    let (id, fields) = identified(r, table, line, "`[[runs]]`", RUN);
    let total_instances = total(r, &fields);
    let params = r.params(&fields, "test_params");
    let mut groups: Vec<RunGroup> = Vec::new();
    for (table, line) in r.tables(&fields, "groups") {
        let group = run_group(r, table, line);
        once(r, &group.id, groups.iter().map(|g| &g.id), "group of a run");
        groups.push(group);
    }
    if fields.get("groups").is_none() {
        let text = format!("{} has no groups", fields.place);
        r.problem(id.line, text, Some("add `[[runs.groups]]` with the `id` of a group".to_owned()));
    }
    Run { id, total_instances, params, groups }
}

fn run_group(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> RunGroup {
    let (id, fields) = identified(r, table, line, "`[[runs.groups]]`", RUN_GROUP);
    let group_id = r.some_text(&fields, "group_id").unwrap_or_else(|| id.clone());
    RunGroup {
        group_id,
        instances: instances(r, &fields),
        resources: resources(r, &fields),
        params: r.params(&fields, "test_params"),
        profiles: r.params(&fields, "profiles"),
        expect: expect(r, &fields),
        region: r.some_text(&fields, "region"),
        id,
    }
}
