//! What there is to compare: one series of values for each operation or metric, by group.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::ChunkCompareEq as _;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::glob;
use crate::report::{Direction, Unit};
use crate::run::Instance;
use crate::stats::{self, Codes, KEYS, Of, Taken};

/// Where a series comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Table `queries`.
    Operation,
    /// Table `metrics`.
    Metric,
}

/// What a series is, the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where it comes from.
    pub origin: Origin,
    /// Its name: `find_providers.duration_ns`, `rtt`, `sent.count`.
    pub name: String,
    /// The group of the instances that measured it.
    pub group: String,
    /// The kind of target, for operations.
    pub key_group: Option<String>,
    /// The kind of file that a metric came from.
    pub source: Option<String>,
    /// Whether its values are 0 or 1, and their share is what counts.
    pub is_share: bool,
    /// The unit of its values.
    pub unit: Unit,
    /// Which way it gets better, if anything says so.
    pub better: Option<Direction>,
}

impl Key {
    /// `name @ group → key group`, as far as there are any.
    pub fn label(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(" @ {}", self.group) };
        let target = self.key_group.as_ref().map_or(String::new(), |key| format!(" → {key}"));
        format!("{}{group}{target}", self.name)
    }
}

/// The values of one run by series and instance.
pub type RunValues = BTreeMap<Key, BTreeMap<u32, Vec<f64>>>;

/// How much is compared without being asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Operations, and metrics that say which way is better.
    #[default]
    Directed,
    /// Every metric but diagnostics.
    All,
}

/// Which series are read.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How much where no pattern is given.
    pub detail: Detail,
    /// Patterns of names with `*` and `?`; none for the main ones.
    pub names: Vec<String>,
    /// Whole names, which may hold an asterisk; where there are any, nothing else is read.
    pub exact: BTreeSet<String>,
    /// A condition, as [`Filter`](crate::filter::Filter) reads it: only rows for which it holds.
    pub filter: Option<String>,
}

impl Wanted {
    fn takes(&self, name: &str, is_main: bool) -> bool {
        match (self.exact.is_empty(), self.names.is_empty()) {
            (false, _) => self.exact.contains(name),
            (true, true) => is_main,
            (true, false) => self.names.iter().any(|one| glob::matches(one, name)),
        }
    }
}

/// Columns of an operation that are compared, with their unit, whether they are without being asked for, and whether
/// only operations that were done have a say: what gave up early was not fast.
const COLUMNS: [(&str, Unit, bool, bool); 9] = [
    ("duration_ns", Unit::Nanos, true, true),
    ("first_result_ns", Unit::Nanos, true, true),
    ("last_result_ns", Unit::Nanos, false, true),
    ("requests", Unit::None, true, false),
    ("dials", Unit::None, false, false),
    ("dial_failures", Unit::None, false, false),
    ("rpc_failures", Unit::None, false, false),
    ("total_hops", Unit::None, true, true),
    ("hops_for_closest", Unit::None, false, true),
];

/// Measures of metrics that are compared without being asked for.
const MEASURES: [&str; 6] = ["value", "count", "rate", "mean", "p50", "p95"];

/// Reads the series of a run. With a condition, those of the rows that it takes; a table without one of its columns is
/// left out, which the sentence beside the values says.
pub fn read(dataset: &Dataset, wanted: &Wanted) -> Result<(RunValues, Option<String>), AnalyzeError> {
    let instances = Instance::read_all(dataset)?;
    let groups: BTreeMap<u32, String> = instances.into_iter().map(|one| (one.number, one.group)).collect();
    let asked = stats::Wanted { filter: wanted.filter.clone(), ..stats::Wanted::default() };
    let taken = Taken::read(dataset, &asked, Of::Both)?;
    let mut found = RunValues::new();
    if taken.has_operations() {
        operations(&taken, wanted, &groups, &mut found)?;
    }
    if taken.has_metrics() {
        metrics(&taken, wanted, &groups, &mut found)?;
    }
    Ok((found, taken.left_out()))
}

fn group_of(groups: &BTreeMap<u32, String>, instance: u32) -> String {
    groups.get(&instance).map_or("(unknown)", String::as_str).to_owned()
}

/// The number of an instance and the other values that a row was known by.
fn parted(mut keys: Vec<stats::Key>) -> (u32, Vec<Option<String>>) {
    let instance = match keys.pop() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was such a number")]
        Some(stats::Key::Number(number)) => number as u32,
        Some(stats::Key::Absent | stats::Key::Text(_)) | None => 0,
    };
    let text = |key| match key {
        stats::Key::Text(text) => Some(text),
        stats::Key::Number(number) => Some(number.to_string()),
        stats::Key::Absent => None,
    };
    (instance, keys.into_iter().map(text).collect())
}

/// Of each column and of success: the values by the number of a row's keys.
type Gathered = Vec<Vec<f64>>;

fn operations(
    taken: &Taken<'_>,
    wanted: &Wanted,
    groups: &BTreeMap<u32, String>,
    found: &mut RunValues,
) -> Result<(), AnalyzeError> {
    let mut codes = Codes::new(["op", "key_group", "instance"].map(str::to_owned));
    let mut success = Gathered::new();
    let mut columns: [Gathered; COLUMNS.len()] = Default::default();
    let names: Vec<&str> = ["op", "key_group", "status"].into_iter().chain(COLUMNS.iter().map(|one| one.0)).collect();
    taken.operations(&names, &mut |frame| {
        let numbers = codes.of(frame)?;
        let done = frame.column("status")?.str()?.equal("done");
        success.resize(codes.len(), Vec::new());
        for (&number, done) in numbers.iter().zip(done.iter()) {
            success[number as usize].push(f64::from(u8::from(done == Some(true))));
        }
        for (gathered, (column, _, _, only_done)) in columns.iter_mut().zip(&COLUMNS) {
            gathered.resize(codes.len(), Vec::new());
            for ((&number, value), done) in numbers.iter().zip(frame::floats(frame, column)?).zip(done.iter()) {
                gathered[number as usize].extend(value.filter(|_| !only_done || done == Some(true)));
            }
        }
        Ok(())
    })?;
    let series = COLUMNS
        .iter()
        .zip(columns)
        .map(|((column, unit, is_main, _), values)| (*column, unit.clone(), *is_main, Direction::Lower, false, values));
    let success = ("success", Unit::Ratio, true, Direction::Higher, true, success);
    for (column, unit, is_main, better, is_share, gathered) in std::iter::once(success).chain(series) {
        for (number, values) in (0_u32..).zip(gathered).filter(|(_, values)| !values.is_empty()) {
            let (instance, mut keys) = parted(codes.keys(number));
            let key_group = keys.pop().flatten();
            let name = format!("{}.{column}", keys.pop().flatten().unwrap_or_default());
            if !wanted.takes(&name, is_main) {
                continue;
            }
            let key = Key {
                origin: Origin::Operation,
                name,
                group: group_of(groups, instance),
                key_group,
                source: None,
                is_share,
                unit: unit.clone(),
                better: Some(better),
            };
            found.entry(key).or_default().entry(instance).or_default().extend(values);
        }
    }
    Ok(())
}

fn metrics(
    taken: &Taken<'_>,
    wanted: &Wanted,
    groups: &BTreeMap<u32, String>,
    found: &mut RunValues,
) -> Result<(), AnalyzeError> {
    let mut codes = Codes::new(KEYS.into_iter().chain(["instance"]).map(str::to_owned));
    // The series of each number, if it is wanted, and its values.
    let mut all: Vec<(Option<Key>, u32, Vec<f64>)> = Vec::new();
    taken.metrics(&mut |frame| {
        let numbers = codes.of(frame)?;
        for number in all.len()..codes.len() {
            let (instance, keys) = parted(codes.keys(u32::try_from(number).unwrap_or(u32::MAX)));
            all.push((metric(keys, group_of(groups, instance), wanted), instance, Vec::new()));
        }
        for (number, value) in numbers.into_iter().zip(frame::floats(frame, "value")?) {
            let (key, _, values) = &mut all[number as usize];
            values.extend(value.filter(|value| key.is_some() && value.is_finite()));
        }
        Ok(())
    })?;
    for (key, instance, values) in all {
        if let Some(key) = key.filter(|_| !values.is_empty()) {
            found.entry(key).or_default().entry(instance).or_default().extend(values);
        }
    }
    Ok(())
}

/// The series that such records belong to, if it is wanted: by the columns of [`KEYS`].
fn metric(keys: Vec<Option<String>>, group: String, wanted: &Wanted) -> Option<Key> {
    let [source, name, kind, measure, unit, dir] = <[_; KEYS.len()]>::try_from(keys).ok()?;
    let word = Option::unwrap_or_default;
    let (source, name, measure) = (word(source), word(name), word(measure));
    let name = if kind.as_deref() == Some("point") { name } else { format!("{name}.{measure}") };
    let better = match dir.as_deref().and_then(|dir| dir.parse::<f64>().ok()) {
        Some(dir) if dir < 0.0 => Some(Direction::Lower),
        Some(dir) if dir > 0.0 => Some(Direction::Higher),
        Some(_) | None => None,
    };
    let is_main = source != "diagnostics"
        && MEASURES.contains(&measure.as_str())
        && (better.is_some() || wanted.detail == Detail::All);
    wanted.takes(&name, is_main).then(|| Key {
        origin: Origin::Metric,
        name,
        group,
        key_group: None,
        source: Some(source),
        is_share: false,
        unit: Unit::parse(unit.as_deref().unwrap_or_default()),
        better,
    })
}
