//! What there is to compare: one series of values for each operation or metric, by group.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{AnyValue, DataFrame, DataType, Expr, PolarsError, PolarsResult, SortMultipleOptions, col, lit};
use tg_model::table::{METRICS, QUERIES};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::glob;
use crate::report::{Direction, Unit};
use crate::run::Instance;

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

/// Reads the series of a run.
pub fn read(dataset: &Dataset, wanted: &Wanted) -> Result<RunValues, AnalyzeError> {
    let instances = Instance::read_all(dataset)?;
    let groups: BTreeMap<u32, String> = instances.into_iter().map(|one| (one.number, one.group)).collect();
    let mut found = RunValues::new();
    operations(dataset, wanted, &groups, &mut found)?;
    metrics(dataset, wanted, &groups, &mut found)?;
    Ok(found)
}

fn group_of(groups: &BTreeMap<u32, String>, instance: u32) -> String {
    groups.get(&instance).map_or("(unknown)", String::as_str).to_owned()
}

fn operations(
    dataset: &Dataset,
    wanted: &Wanted,
    groups: &BTreeMap<u32, String>,
    found: &mut RunValues,
) -> Result<(), AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(()) };
    let names = ["op", "key_group", "instance", "status"].into_iter().chain(COLUMNS.iter().map(|one| one.0));
    let rows = dataset.collect(&QUERIES, scan.select(names.map(col).collect::<Vec<Expr>>()))?;
    let mut read = || -> PolarsResult<()> {
        let (ops, keys) = (frame::text(&rows, "op")?, frame::text(&rows, "key_group")?);
        let (numbers, statuses) = (frame::indices(&rows, "instance")?, frame::text(&rows, "status")?);
        let done = |at: usize| statuses[at].as_deref() == Some("done");
        type Rows<'a> = BTreeMap<(&'a str, Option<&'a str>, u32), Vec<f64>>;
        let mut add = |column: &str, is_share, unit: &Unit, better, rows: Rows<'_>| {
            for ((op, key_group, instance), values) in rows {
                let key = Key {
                    origin: Origin::Operation,
                    name: format!("{op}.{column}"),
                    group: group_of(groups, instance),
                    key_group: key_group.map(str::to_owned),
                    source: None,
                    is_share,
                    unit: unit.clone(),
                    better: Some(better),
                };
                found.entry(key).or_default().insert(instance, values);
            }
        };
        // By operation, kind of target and instance; only what is wanted.
        let gather = |column: &str, is_main: bool, value: &dyn Fn(usize) -> Option<f64>| {
            let mut gathered = Rows::new();
            let mut known: BTreeMap<&str, bool> = BTreeMap::new();
            for at in 0..rows.height() {
                let op = ops[at].as_deref().unwrap_or_default();
                let takes = *known.entry(op).or_insert_with(|| wanted.takes(&format!("{op}.{column}"), is_main));
                if let Some(value) = value(at).filter(|_| takes) {
                    let key = (op, keys[at].as_deref(), numbers[at].unwrap_or_default());
                    gathered.entry(key).or_default().push(value);
                }
            }
            gathered
        };
        let success = gather("success", true, &|at| Some(f64::from(u8::from(done(at)))));
        add("success", true, &Unit::Ratio, Direction::Higher, success);
        for (column, unit, is_main, only_done) in &COLUMNS {
            let values = frame::floats(&rows, column)?;
            let gathered = gather(column, *is_main, &|at| values[at].filter(|_| !only_done || done(at)));
            add(column, false, unit, Direction::Lower, gathered);
        }
        Ok(())
    };
    read().map_err(|source| dataset.unreadable(&QUERIES, source))
}

fn metrics(
    dataset: &Dataset,
    wanted: &Wanted,
    groups: &BTreeMap<u32, String>,
    found: &mut RunValues,
) -> Result<(), AnalyzeError> {
    let Some(scan) = dataset.scan(&METRICS)? else { return Ok(()) };
    let keys = || ["source", "name", "type", "measure", "unit", "dir"].map(col).to_vec();
    let is_point = || col("type").eq(lit("point"));
    let points = scan.clone().filter(is_point()).group_by_stable(keys()).agg([col("instance"), col("value")]);
    let moment = [col("ts").cast(DataType::Int64), col("file_id"), col("line")];
    // An aggregate is written again and again; its last record counts.
    let last = scan
        .filter(is_point().not())
        .group_by_stable(keys().into_iter().chain(["raw_name", "instance"].map(col)).collect::<Vec<_>>())
        .agg([col("value").sort_by(moment, SortMultipleOptions::default()).last()])
        .group_by_stable(keys())
        .agg([col("instance"), col("value")]);
    for plan in [points, last] {
        let rows = dataset.collect(&METRICS, plan)?;
        add_metrics(&rows, wanted, groups, found).map_err(|source| dataset.unreadable(&METRICS, source))?;
    }
    Ok(())
}

fn add_metrics(
    rows: &DataFrame,
    wanted: &Wanted,
    groups: &BTreeMap<u32, String>,
    found: &mut RunValues,
) -> PolarsResult<()> {
    let (sources, names) = (frame::text(rows, "source")?, frame::text(rows, "name")?);
    let (kinds, measures) = (frame::text(rows, "type")?, frame::text(rows, "measure")?);
    let (units, dirs) = (frame::text(rows, "unit")?, frame::ints(rows, "dir")?);
    for at in 0..rows.height() {
        let word = |column: &[Option<String>]| column[at].clone().unwrap_or_default();
        let (source, measure) = (word(&sources), word(&measures));
        let name = if word(&kinds) == "point" { word(&names) } else { format!("{}.{measure}", word(&names)) };
        let unit = Unit::parse(units[at].as_deref().unwrap_or_default());
        let better = dirs[at].and_then(|dir| match dir {
            ..0 => Some(Direction::Lower),
            0 => None,
            1.. => Some(Direction::Higher),
        });
        let is_main = source != "diagnostics"
            && MEASURES.contains(&measure.as_str())
            && (better.is_some() || wanted.detail == Detail::All);
        if !wanted.takes(&name, is_main) {
            continue;
        }
        let instances = list(rows, "instance", at)?.cast(&DataType::UInt32)?;
        let values = list(rows, "value", at)?.cast(&DataType::Float64)?;
        let mut by_instance: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (instance, value) in instances.u32()?.iter().zip(values.f64()?.iter()) {
            if let (Some(instance), Some(value)) = (instance, value.filter(|value| value.is_finite())) {
                by_instance.entry(instance).or_default().push(value);
            }
        }
        for (instance, values) in by_instance {
            let key = Key {
                origin: Origin::Metric,
                name: name.clone(),
                group: group_of(groups, instance),
                key_group: None,
                source: Some(source.clone()),
                is_share: false,
                unit: unit.clone(),
                better,
            };
            found.entry(key).or_default().entry(instance).or_default().extend(values);
        }
    }
    Ok(())
}

fn list(rows: &DataFrame, name: &str, at: usize) -> PolarsResult<polars::prelude::Series> {
    match rows.column(name)?.get(at)? {
        AnyValue::List(series) => Ok(series),
        other => Err(PolarsError::SchemaMismatch(format!("`{name}` holds {other} where a list belongs").into())),
    }
}
