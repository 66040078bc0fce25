//! Metrics by name and group.
//!
//! A `point` is one sample. Every other type is an aggregate that the instance writes again and again; only its last
//! record counts, so that each instance (and each set of tags in it) gives one value. Percentiles that instances
//! computed are never averaged: what is shown is how the instances' values are distributed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataFrame, DataType, Expr, LazyFrame, PolarsResult, SortMultipleOptions, col, len, lit};
use tg_model::table::METRICS;

use super::columns::{Rows, physical};
use super::key::{Key, Named, keys, with_keys};
use super::overview::{Detail, StatsOptions};
use super::percentile::Percentile;
use super::screen::Screen;
use crate::error::AnalyzeError;
use crate::frame;
use crate::glob;
use crate::report::{Cell, Column, Direction, Report, Table, Tone, Unit};

/// The measures in the order in which they are shown, and whether they are shown without being asked for.
const MEASURES: [(&str, Detail); 19] = [
    ("value", Detail::Main),
    ("count", Detail::Main),
    ("rate", Detail::Main),
    ("mean", Detail::Main),
    ("stddev", Detail::All),
    ("variance", Detail::All),
    ("min", Detail::All),
    ("p50", Detail::Main),
    ("p75", Detail::All),
    ("p95", Detail::Main),
    ("p99", Detail::Main),
    ("p999", Detail::All),
    ("p9999", Detail::All),
    ("max", Detail::Main),
    ("meanrate", Detail::All),
    ("m1", Detail::Main),
    ("m5", Detail::All),
    ("m15", Detail::All),
    ("sum", Detail::All),
];

/// Columns before those of the keys: source, metric, name, measure, better and type.
const BEFORE_KEYS: usize = 6;

/// What the metrics table holds, in brief.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The instances that wrote any metric, meant or not.
    pub(super) writers: BTreeSet<u64>,
    /// How many instances of those that are meant have the same keys, of those that instances have.
    sizes: BTreeMap<Vec<Key>, u64>,
    series: Vec<Series>,
}

/// One row of the screen.
#[derive(Debug)]
struct Series {
    source: String,
    name: String,
    kind: String,
    measure: String,
    unit: Option<String>,
    better: Option<Direction>,
    /// The keys that its table is grouped by.
    keys: Vec<Key>,
    /// Those of them that instances have.
    of_instances: Vec<Key>,
    instances: u64,
    not_finite: u64,
    n: u64,
    mean: Option<f64>,
    sd: Option<f64>,
    min: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

const KEYS: [&str; 6] = ["source", "name", "type", "measure", "unit", "dir"];

/// The keys of groups: places among the named columns.
pub(super) fn by(screen: &Screen<'_>) -> Vec<usize> {
    screen.by(Rows::Metrics, &KEYS)
}

/// The instances that wrote any metric, by their numbers among those of all runs.
fn writers(screen: &Screen<'_>) -> Result<BTreeSet<u64>, AnalyzeError> {
    let Some(scan) = screen.datasets.scan(&METRICS, &["instance"])? else { return Ok(BTreeSet::new()) };
    let rows = screen.datasets.collect(&METRICS, scan.select([col("instance").unique()]))?;
    let numbers = frame::counts(&rows, "instance").map_err(|source| screen.datasets.unreadable(&METRICS, source))?;
    Ok(numbers.into_iter().flatten().collect())
}

/// Summarises the metrics that are meant. Which record of an aggregate is the last does not depend on the condition.
pub(super) fn read(screen: &Screen<'_>) -> Result<Found, AnalyzeError> {
    let by = by(screen);
    let of_instances = screen.of_instances(&by);
    let mut found = Found { writers: writers(screen)?, ..Found::default() };
    for member in screen.members() {
        *found.sizes.entry(member.keys(&of_instances)).or_insert(0) += 1;
    }
    let always = ["instance", "value", "ts", "file_id", "line", "raw_name"];
    let columns: BTreeSet<&str> = KEYS.into_iter().chain(always).chain(screen.stored(Rows::Metrics)).collect();
    let Some(scan) = screen.datasets.scan(&METRICS, &columns.into_iter().collect::<Vec<_>>())? else {
        return Ok(found);
    };
    let scan = scan.with_columns(screen.own(Rows::Metrics));
    let is_point = || col("type").eq(lit("point"));
    let points = scan.clone().filter(is_point());
    let last = |name: String| {
        let moment = [col("ts").cast(DataType::Int64), col("file_id"), col("line")];
        col(name).sort_by(moment, SortMultipleOptions::default()).last()
    };
    let kept = std::iter::once("value".to_owned()).chain(screen.own_names(Rows::Metrics));
    let aggregates = scan
        .filter(is_point().not())
        .group_by(KEYS.iter().chain(["raw_name", "instance"].iter()).map(|&name| col(name)).collect::<Vec<_>>())
        .agg(kept.map(last).collect::<Vec<_>>());
    let positions: Vec<usize> = of_instances.iter().filter_map(|at| by.iter().position(|one| one == at)).collect();
    let by = screen.named(&by);
    let gather = || -> PolarsResult<Vec<Series>> {
        let mut all = Vec::new();
        for values in [points, aggregates] {
            let chosen = screen.choose(Rows::Metrics, values);
            all.extend(summarise(chosen, &by, &positions, screen.percentile)?);
        }
        all.sort_by(order);
        Ok(all)
    };
    found.series = gather().map_err(|source| screen.datasets.unreadable(&METRICS, source))?;
    Ok(found)
}

fn summarise(values: LazyFrame, by: &[&Named], of_instances: &[usize], rule: Percentile) -> PolarsResult<Vec<Series>> {
    let finite = || col("value").filter(col("value").is_finite());
    let percentile = |share: f64, name: &str| rule.of(finite(), share, name);
    let groups = by.iter().map(|named| col(physical(&named.name)));
    let rows = values
        .group_by(KEYS.iter().map(|&name| col(name)).chain(groups).collect::<Vec<Expr>>())
        .agg([
            len().alias("records"),
            col("instance").n_unique().alias("instances"),
            finite().len().alias("n"),
            finite().mean().alias("mean"),
            finite().std(1).alias("sd"),
            finite().min().alias("min"),
            percentile(0.5, "p50"),
            percentile(0.95, "p95"),
            percentile(0.99, "p99"),
            finite().max().alias("max"),
        ])
        .collect()?;
    series(&rows, keys(&rows, by)?, of_instances)
}

fn series(rows: &DataFrame, keys: Vec<Vec<Key>>, of_instances: &[usize]) -> PolarsResult<Vec<Series>> {
    let texts = |name| frame::text(rows, name);
    let floats = |name| frame::floats(rows, name);
    let counts = |name| frame::counts(rows, name);
    let (sources, names, kinds, measures) = (texts("source")?, texts("name")?, texts("type")?, texts("measure")?);
    let (units, dirs) = (texts("unit")?, frame::ints(rows, "dir")?);
    let (records, instances, ns) = (counts("records")?, counts("instances")?, counts("n")?);
    let (means, sds, mins, maxs) = (floats("mean")?, floats("sd")?, floats("min")?, floats("max")?);
    let (p50s, p95s, p99s) = (floats("p50")?, floats("p95")?, floats("p99")?);
    let word = |column: &[Option<String>], at: usize| column[at].clone().unwrap_or_default();
    let all = keys.into_iter().enumerate().map(|(at, keys)| {
        let n = ns[at].unwrap_or(0);
        Series {
            source: word(&sources, at),
            name: word(&names, at),
            kind: word(&kinds, at),
            measure: word(&measures, at),
            unit: units[at].clone(),
            better: dirs[at].and_then(|dir| match dir.cmp(&0) {
                Ordering::Less => Some(Direction::Lower),
                Ordering::Greater => Some(Direction::Higher),
                Ordering::Equal => None,
            }),
            of_instances: of_instances.iter().map(|&of| keys[of].clone()).collect(),
            keys,
            instances: instances[at].unwrap_or(0),
            not_finite: records[at].unwrap_or(0).saturating_sub(n),
            n,
            mean: means[at],
            sd: sds[at],
            min: mins[at],
            p50: p50s[at],
            p95: p95s[at],
            p99: p99s[at],
            max: maxs[at],
        }
    });
    Ok(all.collect())
}

fn measure_rank(measure: &str) -> usize {
    MEASURES.iter().position(|(known, _)| *known == measure).unwrap_or(MEASURES.len())
}

fn source_rank(source: &str) -> usize {
    ["results", "run", "diagnostics"].iter().position(|known| *known == source).unwrap_or(3)
}

fn order(a: &Series, b: &Series) -> Ordering {
    let key = |s: &Series| (source_rank(&s.source), measure_rank(&s.measure));
    let ((source_a, measure_a), (source_b, measure_b)) = (key(a), key(b));
    source_a
        .cmp(&source_b)
        .then_with(|| a.source.cmp(&b.source))
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| a.kind.cmp(&b.kind))
        .then_with(|| measure_a.cmp(&measure_b))
        .then_with(|| a.measure.cmp(&b.measure))
        .then_with(|| a.unit.cmp(&b.unit))
        .then_with(|| a.better.cmp(&b.better))
        .then_with(|| a.keys.cmp(&b.keys))
}

/// Whether a series is shown without being asked for.
fn is_main(series: &Series) -> bool {
    let measure = MEASURES.get(measure_rank(&series.measure)).is_none_or(|(_, detail)| *detail == Detail::Main);
    series.source != "diagnostics" && measure
}

/// The table of metrics; what it leaves out is said in the report's notes.
pub(super) fn table(found: &Found, screen: &Screen<'_>, options: &StatsOptions, report: &mut Report) -> Table {
    let by = by(screen);
    let by = screen.named(&by);
    let columns = vec![
        Column::hidden("source"),
        Column::new("metric", "metric"),
        Column::hidden("name"),
        Column::hidden("measure"),
        Column::when_used("better", ""),
        Column::new("type", "type"),
        Column::new("instances", "instances"),
        Column::hidden("unit"),
        Column::new("n", "n"),
        Column::when_used("not_finite", "NaN, ∞"),
        Column::new("mean", "mean"),
        Column::new("sd", "sd"),
        Column::new("min", "min"),
        Column::new("p50", "p50"),
        Column::new("p95", "p95"),
        Column::new("p99", "p99"),
        Column::new("max", "max"),
    ];
    // The keys stand behind what the series is.
    let mut columns = with_keys(&by, &columns);
    columns[..by.len() + BEFORE_KEYS].rotate_left(by.len());
    let mut table = Table::new("metrics", "Metrics", columns);
    let wanted = |series: &&Series| {
        let label = label(series);
        options.metrics.is_empty()
            || options
                .metrics
                .iter()
                .any(|pattern| glob::matches(pattern, &series.name) || glob::matches(pattern, &label))
    };
    // Whoever names a metric wants it, diagnostics or not.
    let detail = if options.metrics.is_empty() { options.detail } else { Detail::All };
    let matching: Vec<&Series> = found.series.iter().filter(wanted).collect();
    let shown: Vec<&Series> =
        matching.iter().copied().filter(|series| detail == Detail::All || is_main(series)).collect();
    let left_out: BTreeSet<(&str, &str)> = matching
        .iter()
        .filter(|series| detail == Detail::Main && !is_main(series))
        .map(|series| (series.name.as_str(), series.measure.as_str()))
        .collect();
    table.empty = if found.series.is_empty() && screen.is_filtered() && !found.writers.is_empty() {
        "no metric is as was asked".to_owned()
    } else if found.series.is_empty() {
        "no instance wrote a metric".to_owned()
    } else if matching.is_empty() {
        "no metric of this name; without --metric all are shown".to_owned()
    } else {
        "only diagnostics were written; --all shows them".to_owned()
    };
    table.rows = shown.iter().map(|series| row(series, &by, &found.sizes)).collect();
    if shown.iter().any(|series| series.kind != "point") {
        report.note(
            Tone::Dim,
            "n counts samples where the type is point, and the last values of instances where it is any other",
        );
    }
    if !left_out.is_empty() {
        let things = if left_out.len() == 1 { "measure" } else { "measures" };
        report.note(Tone::Dim, format!("--all shows {} more {things} (diagnostics and the like)", left_out.len()));
    }
    table
}

/// The name for people: with the measure where the type has more than one.
fn label(series: &Series) -> String {
    match series.kind.as_str() {
        "point" | "counter" | "gauge" | "ewma" => series.name.clone(),
        _ => format!("{}.{}", series.name, series.measure),
    }
}

/// The unit as written, else the one that the name ends in.
fn unit(series: &Series) -> Unit {
    // Counts and rates are not in the unit of the values that they count.
    let aggregate = series.kind != "point";
    let other = ["count", "rate", "m1", "m5", "m15", "meanrate", "variance"].contains(&series.measure.as_str());
    if aggregate && (other || series.kind == "meter") {
        return Unit::None;
    }
    match &series.unit {
        Some(word) => Unit::parse(word),
        None => match series.name.rsplit('_').next() {
            Some("ns") => Unit::Nanos,
            Some("bytes") => Unit::Bytes,
            Some("ratio") => Unit::Ratio,
            _ => Unit::None,
        },
    }
}

fn row(series: &Series, by: &[&Named], sizes: &BTreeMap<Vec<Key>, u64>) -> Vec<Cell> {
    let unit = unit(series);
    let number = |value: Option<f64>| value.map_or(Cell::Absent, |value| Cell::Number(value, unit.clone()));
    let size = sizes.get(&series.of_instances).filter(|&&size| size >= series.instances);
    let mut row = vec![
        series.source.clone().into(),
        label(series).into(),
        series.name.clone().into(),
        series.measure.clone().into(),
        series.better.map_or(Cell::Absent, Cell::Better),
        series.kind.clone().into(),
    ];
    row.extend(by.iter().zip(&series.keys).map(|(named, key)| named.cell(key)));
    row.extend([
        size.map_or(Cell::Count(series.instances), |&size| Cell::Of(series.instances, size)),
        unit.as_str().map_or(Cell::Absent, Cell::from),
        Cell::Count(series.n),
        Cell::Count(series.not_finite),
        number(series.mean),
        number(series.sd),
        number(series.min),
        number(series.p50),
        number(series.p95),
        number(series.p99),
        number(series.max),
    ]);
    row
}
