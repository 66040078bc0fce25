//! From a manifest and a composition to runs with everything filled in, or to a list of every problem.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::composition::{Build, Composition, Group, Instances, Run, RunGroup, Size};
use crate::env::mix;
use crate::manifest::{Case, Manifest};
use crate::matrix::{Axis, Setting, Target, combinations};
use crate::node::At;
use crate::outcome::Expect;
use crate::param::{PACKED_LIMIT, name_error, packing_error, type_error};
use crate::problem::{Problem, in_order, list, shown, suggestion};
use crate::spec::{BuildSpec, Dependency, GroupSpec, Resources, RunSpec};

/// The builders of this tg, in the order in which a run without a composition tries them.
pub const BUILDERS: [&str; 6] =
    ["exec:cargo", "exec:go", "exec:node", "exec:generic", "docker:cargo", "docker:generic"];

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
            self.flag_problem("--repeat", text, None);
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
                out.push(RunSpec {
                    plan: self.manifest.name.clone(),
                    plan_dir: plan_dir.to_owned(),
                    case: self.case.map(|case| case.name.clone()).unwrap_or_default(),
                    backend: backend.clone().unwrap_or_default(),
                    run_config: run_config.clone(),
                    seed: self.wish.seed,
                    groups,
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
        out
    }

    fn find_case(&mut self) -> Option<&'a Case> {
        let wanted = self.composition.global.case.as_ref()?;
        let found = self.manifest.case(&wanted.value);
        if found.is_none() {
            let known: Vec<&str> = self.manifest.cases.iter().map(|case| case.name.as_str()).collect();
            let text = format!("plan `{}` has no case `{}`", shown(&self.manifest.name), shown(&wanted.value));
            self.problem(wanted.line, text, suggestion(&wanted.value, "case", &known));
        }
        found
    }

    /// The backend's name, checked: we have it, and the manifest lists it.
    fn backend(&mut self) -> Option<String> {
        let (name, flag, line) = match (&self.wish.backend, &self.composition.global.backend) {
            (Some(name), _) => (name.clone(), Some("--backend"), None),
            (None, Some(at)) => (at.value.clone(), None, at.line),
            (None, None) if self.composition.text.is_none() => (self.default_backend(), None, None),
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
    fn builders(&mut self, backend: Option<&str>) -> Vec<Option<String>> {
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
            let hint = match name {
                "docker:go" | "docker:node" => {
                    format!("use `--builder {}` with `--backend local:exec`", name.replace("docker", "exec"))
                }
                _ => suggestion(name, "builder", &BUILDERS),
            };
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

    fn groups(&mut self, run: &Run, chosen: &Configuration<'_>, builders: &[Option<String>]) -> Vec<GroupSpec> {
        let composition = self.composition;
        let counts = self.counts(run, chosen);
        let mut out = Vec::new();
        for (member, count) in run.groups.iter().zip(counts) {
            let found = composition.groups.iter().position(|group| group.id.value == member.group_id.value);
            let Some(index) = found else {
                if !member.group_id.value.is_empty() {
                    let known: Vec<&str> = composition.groups.iter().map(|group| group.id.value.as_str()).collect();
                    let text = format!("there is no group `{}`", shown(&member.group_id.value));
                    self.problem(member.group_id.line, text, suggestion(&member.group_id.value, "group", &known));
                }
                continue;
            };
            let group = &composition.groups[index];
            let builder = builders[index].clone().unwrap_or_default();
            let params = self.params(run, member, group, chosen, &builder);
            let profiles = self.profiles(member, group);
            // Bad names were noted when the file was read.
            let Ok(name) = member.id.value.parse() else { continue };
            // A group without instances takes no part, and need not be built.
            if count == 0 {
                continue;
            }
            out.push(GroupSpec {
                name,
                count,
                params,
                build: self.build(group, builder),
                artifact: group.run.artifact.clone().or_else(|| composition.global.run.artifact.clone()),
                profiles,
                resources: Resources {
                    memory: member.resources.memory.clone().or_else(|| group.resources.memory.clone()),
                    cpu: member.resources.cpu.clone().or_else(|| group.resources.cpu.clone()),
                },
                expect: member.expect.or(group.expect).unwrap_or(Expect::Ok),
            });
        }
        out
    }

    /// The instances of each group of a run, checked against the totals.
    fn counts(&mut self, run: &Run, chosen: &Configuration<'_>) -> Vec<u32> {
        let varied = |wanted: &Target| {
            chosen.iter().find(|(axis, _)| axis.target == *wanted).and_then(|(_, at)| Some((at.value.size?, at.line)))
        };
        let total = match varied(&Target::Total) {
            Some((Size::Count(n), line)) => Some(At { value: n, line }),
            _ => run.total_instances.clone(),
        };
        let mut counts = Vec::new();
        let mut complete = !run.groups.is_empty();
        for member in &run.groups {
            let group = self.composition.groups.iter().find(|group| group.id.value == member.group_id.value);
            let instances = match varied(&Target::GroupSize(member.id.value.clone())) {
                Some((size, line)) => Some(Instances { line, size: Some(size) }),
                None => member.instances.or_else(|| group.and_then(|group| group.instances)),
            };
            let size = instances.and_then(|instances| instances.size);
            let count = match (size, &total) {
                (Some(Size::Share(_)), None) => {
                    let line = instances.and_then(|instances| instances.line);
                    let place = if self.composition.runs.is_empty() { "`[global]`" } else { "`[[runs]]`" };
                    let text = format!("group `{}` has a `percentage`, but there is no total", shown(&member.id.value));
                    self.problem(line, text, format!("add `total_instances` to {place}"));
                    None
                }
                (Some(size), total) => Some(size.of(total.as_ref().map_or(0, |at| at.value))),
                (None, _) if instances.is_none() && (group.is_some() || member.instances.is_some()) => {
                    let text = format!("group `{}` has no `instances`", shown(&member.id.value));
                    self.problem(member.id.line, text, "write `instances = { count = 10 }`".to_owned());
                    None
                }
                (None, _) => None,
            };
            complete &= count.is_some();
            counts.push(count.unwrap_or(0));
        }
        if complete {
            self.check_total(run, total, &counts, chosen);
        }
        counts
    }

    fn check_total(&mut self, run: &Run, total: Option<At<u32>>, counts: &[u32], chosen: &Configuration<'_>) {
        let sum: u64 = counts.iter().map(|n| u64::from(*n)).sum();
        let whose = if self.composition.runs.is_empty() {
            "the groups".to_owned()
        } else {
            format!("the groups of run `{}`", shown(&run.id.value))
        };
        let sizes: Vec<String> = chosen
            .iter()
            .filter(|(axis, _)| !matches!(axis.target, Target::Param(_) | Target::GroupParam(..)))
            .map(|(axis, at)| format!("{} = {}", shown(&axis.key), shown(&at.value.text)))
            .collect();
        let with = if sizes.is_empty() { String::new() } else { format!(" with {}", sizes.join(", ")) };
        let line = total.as_ref().map_or(run.id.line, |at| at.line);
        if let Some(total) = total
            && u64::from(total.value) != sum
        {
            let text = format!("{whose} have {sum} instances together{with}, but `total_instances` is {}", total.value);
            let hint = "shares are rounded, half up; change a share, give a `count`, or leave the total out";
            self.problem(line, text, hint.to_owned());
            return;
        }
        if sum == 0 {
            self.problem(line, format!("{whose} have no instances{with}"), None);
        } else if sum > u64::from(MOST_INSTANCES) {
            self.problem(line, format!("{whose} have {sum} instances{with}; the most is {MOST_INSTANCES}"), None);
        } else if let Some(case) = self.case {
            let (min, max) = (case.min.unwrap_or(0), case.max.unwrap_or(u32::MAX));
            if !(u64::from(min)..=u64::from(max)).contains(&sum) {
                let range = match (case.min, case.max) {
                    (Some(min), Some(max)) => format!("{min} to {max}"),
                    (Some(min), None) => format!("at least {min}"),
                    _ => format!("at most {max}"),
                };
                let text =
                    format!("{whose} have {sum} instances{with}, but case `{}` takes {range}", shown(&case.name));
                let hint = format!("see `instances` of the case in {}", self.manifest.file);
                self.problem(line, text, hint);
            }
        }
    }

    /// Parameters of one group of one run: the layers from the lowest to the highest, an empty text giving way to a
    /// lower layer as in Testground, except from the matrix and the command line.
    fn params(
        &mut self,
        run: &Run,
        member: &RunGroup,
        group: &Group,
        chosen: &Configuration<'_>,
        builder: &str,
    ) -> BTreeMap<String, String> {
        let mut merged: BTreeMap<&str, (&str, Source)> = BTreeMap::new();
        if let Some(case) = self.case {
            for (name, param) in &case.params {
                if let Some(default) = &param.default {
                    merged.insert(name, (&default.value, Source::Manifest(default.line)));
                }
            }
        }
        for layer in [&self.composition.global.run.params, &group.run.params, &run.params, &member.params] {
            for (name, at) in layer {
                if !at.value.is_empty() || !merged.contains_key(name.as_str()) {
                    merged.insert(name, (&at.value, Source::Composition(at.line)));
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
                merged.insert(name, (&at.value.text, Source::Composition(at.line)));
            }
        }
        for (name, value) in &self.wish.params {
            merged.insert(name, (value, Source::Flag));
        }
        let mut problems = Vec::new();
        for (name, (value, source)) in &merged {
            if let Some((text, hint)) = self.param_problem(name, value, *source, builder) {
                problems.push(self.located(*source, text, hint));
            }
        }
        let packed: usize = merged.iter().map(|(name, (value, _))| name.len() + value.len() + 2).sum();
        if packed > PACKED_LIMIT {
            let text = format!(
                "the parameters of group `{}` take {packed} bytes, but Linux hands over at most {PACKED_LIMIT}",
                shown(&member.id.value)
            );
            let hint = Some("put large values into a file of the plan".to_owned());
            problems.push(self.located(Source::Composition(member.id.line), text, hint));
        }
        self.problems.extend(problems);
        merged.into_iter().map(|(name, (value, _))| (name.to_owned(), value.to_owned())).collect()
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
            return Some((format!("{of} has a name that cannot be: {why}"), None));
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
        if let Some((text, hint)) = packing_error(value, builder) {
            return Some((format!("{of}: {text}"), Some(hint.to_owned())));
        }
        // An empty default is no value yet.
        if value.is_empty() && matches!(source, Source::Manifest(_)) {
            return None;
        }
        let text = type_error(declared?, value)?;
        let unit = declared.and_then(|param| param.unit.as_ref()).map(|unit| format!("its unit is {}", shown(unit)));
        Some((format!("{of}: {text}"), unit))
    }

    fn profiles(&mut self, member: &RunGroup, group: &Group) -> BTreeMap<String, String> {
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

    fn build(&self, group: &Group, builder: String) -> BuildSpec {
        let global = &self.composition.global;
        let mut config = group.build_config.clone();
        fill_unset(&mut config, &global.build_config);
        if let Some(settings) = self.manifest.builders.get(&builder) {
            fill_unset(&mut config, settings);
        }
        let selectors =
            if group.build.selectors.is_empty() { &global.build.selectors } else { &group.build.selectors }.clone();
        BuildSpec { builder, config, selectors, dependencies: dependencies(&group.build, &global.build) }
    }
}

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Manifest(Option<u32>),
    Composition(Option<u32>),
    Flag,
}

/// Those of the group, and of the others those for modules that the group leaves alone.
fn dependencies(own: &Build, others: &Build) -> Vec<Dependency> {
    let mut out = own.dependencies.clone();
    for other in &others.dependencies {
        if !own.dependencies.iter().any(|dependency| dependency.module == other.module) {
            out.push(other.clone());
        }
    }
    out
}

/// Only whole settings are merged, as in Testground: a table in the composition hides one of the same name.
fn fill_unset(into: &mut toml::Table, from: &toml::Table) {
    for (key, value) in from {
        if !into.contains_key(key) {
            into.insert(key.clone(), value.clone());
        }
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
