//! From a manifest and a composition to runs with everything filled in, or to a list of every problem.

mod choose;
mod faults;
mod groups;
mod network;
mod params;
mod sizes;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::composition::{Composition, Run, RunGroup};
use crate::env::mix;
use crate::manifest::{Case, Manifest};
use crate::matrix::{Axis, Setting, Target, combinations};
use crate::node::At;
use crate::problem::{Problem, in_order, shown, suggestion};
use crate::spec::RunSpec;

/// The builders of this tg, in the order in which a run without a composition tries them.
pub const BUILDERS: [&str; 8] = [
    "exec:cargo",
    "exec:go",
    "exec:node",
    "exec:generic",
    "docker:cargo",
    "docker:go",
    "docker:node",
    "docker:generic",
];

/// The backends of this tg.
pub const BACKENDS: [&str; 2] = ["local:exec", "cluster:k8s"];

/// The most instances of one run.
pub const MOST_INSTANCES: u32 = 10_000_000;

/// The most runs that one command makes: runs of the composition, times the matrix, times the repeats.
pub const MOST_RUNS: usize = 10_000;

/// Past this many problems nobody reads on, and a matrix could make thousands.
const ENOUGH_PROBLEMS: usize = 100;

/// What the command line asks for, beside the composition.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The base seed: the user's, else that of the composition, else one that the caller drew.
    pub seed: u64,
    /// How many repeats of each configuration.
    pub repeats: u32,
    /// Which runs of the composition; none means all.
    pub run_ids: Vec<String>,
    /// Parameters above those of every layer.
    pub params: BTreeMap<String, String>,
    /// The backend, instead of the composition's.
    pub backend: Option<String>,
    /// The builder of all groups, instead of the composition's.
    pub builder: Option<String>,
    /// How long a run may take, instead of the composition's.
    pub deadline: Option<Duration>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            seed: 0,
            repeats: 1,
            run_ids: Vec::new(),
            params: BTreeMap::new(),
            backend: None,
            builder: None,
            deadline: None,
        }
    }
}

/// The seed of a repeat: the base seed itself for repeat 0, so that a run can be made again from its recorded seed,
/// and `mix(mix(base) ^ repeat)` for the others. All configurations of one repeat share it.
pub fn repeat_seed(base: u64, repeat: u32) -> u64 {
    if repeat == 0 { base } else { mix(mix(base) ^ u64::from(repeat)) }
}

/// Resolves a composition: every run, every configuration of its matrix, every repeat.
///
/// The order is repeat by repeat; in a repeat, run by run as in the composition; in a run, configuration by
/// configuration, the last axis of the matrix turning fastest. So a machine that drifts hurts all configurations alike.
///
/// Nothing is started, and every problem of the composition is reported at once, in the order of its lines.
pub fn resolve(
    manifest: &Manifest,
    plan_dir: &Path,
    composition: &Composition,
    wish: &Wish,
) -> Result<Vec<RunSpec>, Vec<Problem>> {
    let mut resolver = Resolver { manifest, composition, wish, case: None, problems: composition.problems().to_vec() };
    let specs = resolver.specs(plan_dir);
    if !resolver.problems.is_empty() {
        return Err(in_order(resolver.problems));
    }
    let mut out = Vec::with_capacity(specs.len() * wish.repeats as usize);
    for repeat in 0..wish.repeats {
        out.extend(specs.iter().map(|spec| {
            let seed = repeat_seed(wish.seed, repeat);
            RunSpec { seed, repeat, repeats: wish.repeats, ..spec.clone() }
        }));
    }
    Ok(out)
}

struct Resolver<'a> {
    manifest: &'a Manifest,
    composition: &'a Composition,
    wish: &'a Wish,
    case: Option<&'a Case>,
    problems: Vec<Problem>,
}

/// One configuration: the chosen value of each axis.
type Configuration<'a> = Vec<(&'a Axis, &'a At<Setting>)>;

impl<'a> Resolver<'a> {
    fn problem(&mut self, line: Option<u32>, text: String, hint: impl Into<Option<String>>) {
        let file = self.composition.file.clone();
        self.problems.push(Problem { file, line, text, hint: hint.into() });
    }

    fn flag_problem(&mut self, flag: &str, text: String, hint: impl Into<Option<String>>) {
        self.problems.push(Problem { file: flag.to_owned(), line: None, text, hint: hint.into() });
    }

    fn specs(&mut self, plan_dir: &Path) -> Vec<RunSpec> {
        self.case = self.find_case();
        let backend = self.backend();
        let builders = self.builders(backend.as_deref());
        let runs = self.runs();
        let axes = self.axes(&runs);
        if self.wish.repeats == 0 {
            self.flag_problem(
                "--repeat",
                "0 repeats are none".to_owned(),
                "leave the flag out, or use 1 or more".to_owned(),
            );
        }
        let most = MOST_RUNS / runs.len().max(1) / (self.wish.repeats as usize).max(1);
        let Some(choices) = combinations(&axes, most) else {
            let sizes: Vec<String> = axes.iter().map(|axis| axis.values.len().to_string()).collect();
            let text = format!(
                "too many runs: {} of the composition, a matrix of {}, {} repeats; the most is {MOST_RUNS}",
                runs.len(),
                sizes.join(" × "),
                self.wish.repeats,
            );
            let line = axes.first().and_then(|axis| axis.line);
            self.problem(line, text, "list fewer values, or split the composition".to_owned());
            return Vec::new();
        };
        if most == 0 {
            let text = format!("{} runs with {} repeats each are more than {MOST_RUNS}", runs.len(), self.wish.repeats);
            self.flag_problem("--repeat", text, "repeat less often, or choose runs with `--run-ids`".to_owned());
            return Vec::new();
        }
        let global = &self.composition.global;
        let mut run_config = global.run_config.clone();
        if let Some(settings) = backend.as_deref().and_then(|name| self.manifest.backends.get(name)) {
            fill_unset(&mut run_config, settings);
        }
        let mut out = Vec::new();
        for run in &runs {
            for choice in &choices {
                if self.problems.len() > ENOUGH_PROBLEMS {
                    self.problems = in_order(std::mem::take(&mut self.problems));
                    if self.problems.len() > ENOUGH_PROBLEMS {
                        return Vec::new();
                    }
                }
                let chosen: Configuration<'_> =
                    axes.iter().zip(choice).map(|(axis, i)| (*axis, &axis.values[*i])).collect();
                let mut config: BTreeMap<String, String> =
                    chosen.iter().map(|(axis, at)| (axis.key.clone(), at.value.text.clone())).collect();
                if self.composition.runs.len() > 1 {
                    config.insert("run".to_owned(), run.id.value.clone());
                }
                let groups = self.groups(run, &chosen, &builders);
                let faults = self.faults(&groups);
                let network = self.network(run, &groups, backend.as_deref());
                out.push(RunSpec {
                    plan: self.manifest.name.clone(),
                    plan_dir: plan_dir.to_owned(),
                    case: self.case.map(|case| case.name.clone()).unwrap_or_default(),
                    backend: backend.clone().unwrap_or_default(),
                    run_config: run_config.clone(),
                    seed: self.wish.seed,
                    groups,
                    faults,
                    network,
                    disable_metrics: global.disable_metrics,
                    concurrent_builds: global.concurrent_builds,
                    deadline: self.wish.deadline.or(global.deadline),
                    composition: self.composition.text.clone(),
                    config,
                    repeat: 0,
                    repeats: self.wish.repeats,
                });
            }
        }
        self.unused_groups(&builders);
        out
    }

    /// Checks the parameters of groups that are in no run: what is wrong there would be news on the day they are used.
    fn unused_groups(&mut self, builders: &[Option<String>]) {
        let composition = self.composition;
        if composition.runs.is_empty() {
            return;
        }
        let members: Vec<&str> =
            composition.runs.iter().flat_map(|run| &run.groups).map(|member| member.group_id.value.as_str()).collect();
        for (group, builder) in composition.groups.iter().zip(builders) {
            if !members.contains(&group.id.value.as_str()) {
                let member = RunGroup { id: group.id.clone(), group_id: group.id.clone(), ..RunGroup::default() };
                let builder = builder.as_deref().unwrap_or_default();
                self.params(&Run::default(), &member, group, &Vec::new(), builder);
                self.profiles(&member, group);
            }
        }
    }

    /// The runs that are wanted; without `[[runs]]` there is one, `default`, made from the groups.
    fn runs(&mut self) -> Vec<Run> {
        let composition = self.composition;
        let all = if composition.runs.is_empty() {
            let groups = composition.groups.iter().map(|group| RunGroup {
                id: group.id.clone(),
                group_id: group.id.clone(),
                ..RunGroup::default()
            });
            let total_instances = composition.global.total_instances.clone();
            let id = At { value: "default".to_owned(), line: composition.global.line };
            vec![Run { id, total_instances, params: BTreeMap::new(), groups: groups.collect() }]
        } else {
            composition.runs.clone()
        };
        let known: Vec<&str> = all.iter().map(|run| run.id.value.as_str()).collect();
        for wanted in &self.wish.run_ids {
            if !known.contains(&wanted.as_str()) {
                let text = format!("the composition has no run `{}`", shown(wanted));
                self.flag_problem("--run-ids", text, suggestion(wanted, "run", &known));
            }
        }
        let ids = &self.wish.run_ids;
        all.iter().filter(|run| ids.is_empty() || ids.contains(&run.id.value)).cloned().collect()
    }

    /// The axes of the matrix without those that `--param` pins.
    fn axes(&mut self, runs: &[Run]) -> Vec<&'a Axis> {
        let mut out = Vec::new();
        for axis in &self.composition.matrix {
            let group = match &axis.target {
                Target::Param(name) | Target::GroupParam(_, name) if self.wish.params.contains_key(name) => continue,
                Target::Param(_) | Target::Total => None,
                Target::GroupParam(group, _) | Target::GroupSize(group) => Some(group),
            };
            if axis.key == "run" && self.composition.runs.len() > 1 {
                let text = "a matrix over a parameter `run` and several runs would have the same name".to_owned();
                self.problem(axis.line, text, "set the parameter in `[[runs]]`".to_owned());
            }
            for run in runs {
                let Some(group) = group else { break };
                if run.groups.iter().any(|g| g.id.value == *group) {
                    continue;
                }
                let known: Vec<&str> = run.groups.iter().map(|g| g.id.value.as_str()).collect();
                let place = if self.composition.runs.is_empty() {
                    String::new()
                } else {
                    format!(" in run `{}`", shown(&run.id.value))
                };
                let text = format!("`{}` varies group `{}`, which is not{place}", shown(&axis.key), shown(group));
                self.problem(axis.line, text, suggestion(group, "group", &known));
            }
            out.push(axis);
        }
        out
    }
}

/// Only whole settings are merged, as in Testground: a table in the composition hides one of the same name.
fn fill_unset(into: &mut toml::Table, from: &toml::Table) {
    for (key, value) in from {
        if !into.contains_key(key) {
            into.insert(key.clone(), value.clone());
        }
    }
}
