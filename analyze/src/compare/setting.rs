//! How the runs of two sides differ in what was asked of them.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{PolarsResult, col};
use tg_model::table::{INSTANCES, RUNS};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::run::{Instance, Run, group_sizes};

/// What a run was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Setting {
    /// Its id, or the dataset's folder if it has none.
    pub name: String,
    /// When it began, in nanoseconds since the epoch.
    pub start_ns: Option<i64>,
    /// Its verdict.
    pub verdict: Option<String>,
    /// Everything that was asked for, by a name of one's own: `plan`, `params clients.k`.
    pub asked: BTreeMap<String, String>,
    /// The lines of the composition.
    pub composition: Vec<String>,
}

/// A difference between the sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub what: String,
    /// What the base has; several values where its runs differ; nothing where it has none.
    pub base: Vec<String>,
    /// What the new side has.
    pub new: Vec<String>,
}

impl Setting {
    /// Of the run that a dataset tells of.
    pub fn read(dataset: &Dataset) -> Result<Self, AnalyzeError> {
        let mut setting = Self { name: dataset.dir().display().to_string(), ..Self::default() };
        let instances = Instance::read_all(dataset)?;
        for (group, size) in group_sizes(&instances) {
            setting.asked.insert(format!("instances of {group}"), size.to_string());
        }
        if let Some(run) = Run::read(dataset)? {
            let asked = [("plan", run.plan), ("case", run.case), ("backend", run.backend)];
            for (key, value) in asked.into_iter().chain([("seed", run.seed.map(|seed| seed.to_string()))]) {
                if let Some(value) = value {
                    setting.asked.insert(key.to_owned(), value);
                }
            }
            setting.asked.insert("instances".to_owned(), run.instances.to_string());
            setting.name = run.id;
            setting.start_ns = run.start_ns;
            setting.verdict = Some(run.verdict);
        }
        if let Some(version) = dataset.tg_version() {
            setting.asked.insert("tg that collected".to_owned(), version.to_owned());
        }
        if let Some(scan) = dataset.scan(&RUNS)? {
            let rows = dataset.collect(&RUNS, scan.select([col("composition"), col("config")]))?;
            let read = |setting: &mut Self| -> PolarsResult<()> {
                let text = frame::text(&rows, "composition")?.into_iter().next().flatten();
                setting.composition = text.unwrap_or_default().lines().map(|line| line.trim_end().to_owned()).collect();
                for (key, value) in frame::maps(&rows, "config")?.into_iter().next().unwrap_or_default() {
                    setting.asked.insert(format!("config {key}"), value);
                }
                Ok(())
            };
            read(&mut setting).map_err(|source| dataset.unreadable(&RUNS, source))?;
        }
        if let Some(scan) = dataset.scan(&INSTANCES)? {
            let rows = dataset.collect(&INSTANCES, scan.select([col("group"), col("params")]))?;
            let read = |setting: &mut Self| -> PolarsResult<()> {
                let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
                for (group, params) in frame::text(&rows, "group")?.into_iter().zip(frame::maps(&rows, "params")?) {
                    for (key, value) in params {
                        let name = format!("params {}.{key}", group.as_deref().unwrap_or_default());
                        values.entry(name).or_default().insert(value);
                    }
                }
                for (name, values) in values {
                    setting.asked.insert(name, values.into_iter().collect::<Vec<_>>().join(", "));
                }
                Ok(())
            };
            read(&mut setting).map_err(|source| dataset.unreadable(&INSTANCES, source))?;
        }
        Ok(setting)
    }

    /// What a key of the configuration or a parameter of any group says: for putting runs in an order.
    pub fn value(&self, key: &str) -> Option<&str> {
        let named = |name: &str| {
            name == key
                || name.strip_prefix("config ") == Some(key)
                || name.strip_prefix("params ").and_then(|name| name.split_once('.')).is_some_and(|(_, k)| k == key)
        };
        self.asked.iter().find(|(name, _)| named(name)).map(|(_, value)| value.as_str())
    }
}

/// What differs between the sides, in the order of names; then the lines that only one side's composition has.
pub(super) fn differences(base: &[Setting], new: &[Setting]) -> Vec<Difference> {
    let values = |side: &[Setting], key: &str| -> Vec<String> {
        let found: BTreeSet<&String> = side.iter().filter_map(|one| one.asked.get(key)).collect();
        found.into_iter().cloned().collect()
    };
    let names: BTreeSet<&String> = base.iter().chain(new).flat_map(|one| one.asked.keys()).collect();
    let mut found: Vec<Difference> = names
        .into_iter()
        .map(|key| Difference { what: key.clone(), base: values(base, key), new: values(new, key) })
        .filter(|one| one.base != one.new)
        .collect();
    let lines = |side: &[Setting]| -> BTreeSet<String> {
        side.iter().flat_map(|one| &one.composition).filter(|line| !line.trim().is_empty()).cloned().collect()
    };
    let (ours, theirs) = (lines(base), lines(new));
    let only = |of: &BTreeSet<String>, other: &BTreeSet<String>| of.difference(other).cloned().collect::<Vec<_>>();
    let (base, new) = (only(&ours, &theirs), only(&theirs, &ours));
    if !base.is_empty() || !new.is_empty() {
        found.push(Difference { what: "composition".to_owned(), base, new });
    }
    found
}

/// Where the runs of one side are no repeats of one another: the names of what differs, seeds and places in a series
/// apart.
pub(crate) fn inner_differences(side: &[Setting]) -> Vec<String> {
    let names: BTreeSet<&String> = side.iter().flat_map(|one| one.asked.keys()).collect();
    names
        .into_iter()
        .filter(|name| *name != "seed")
        .filter(|name| side.iter().map(|one| one.asked.get(*name)).collect::<BTreeSet<_>>().len() > 1)
        .cloned()
        .collect()
}
