//! Metrics by name and group.
//!
//! A `point` is one sample. Every other type is an aggregate that the instance writes again and again; only its last
//! record counts, so that each instance (and each set of tags in it) gives one value. Percentiles that instances
//! computed are never averaged: what is shown is how the instances' values are distributed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{ChunkCompareEq as _, DataFrame, IntoLazy as _, PolarsResult};
use tg_model::table::METRICS;

use super::columns::{Rows, physical};
use super::grouped::{Group, Measures, grouped};
use super::key::{Key, Named, with_keys};
use super::last::{self, Last};
use super::overview::{Detail, StatsOptions};
use super::screen::Screen;
use crate::error::AnalyzeError;
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

pub(crate) const KEYS: [&str; 6] = ["source", "name", "type", "measure", "unit", "dir"];

/// The keys of groups: places among the named columns.
pub(super) fn by(screen: &Screen<'_>) -> Vec<usize> {
    screen.by(Rows::Metrics, &KEYS)
}

/// What tells which record of an aggregate is the last, and nothing else.
const MOMENT: [&str; 4] = ["ts", "file_id", "line", "raw_name"];

/// What is taken of a piece of the table.
struct Piece<T> {
    /// The instances that wrote something.
    writers: Vec<u64>,
    /// Of each series of an aggregate the last record in this piece.
    last: Option<DataFrame>,
    /// What was made of the points that are meant.
    points: T,
}

/// Tells of all records, piece by piece, and of what `work` made of the points that are meant.
fn each<T: Send>(
    screen: &Screen<'_>,
    work: &(dyn Fn(&DataFrame) -> PolarsResult<T> + Sync),
    told: &mut dyn FnMut(Piece<T>) -> PolarsResult<()>,
) -> Result<(), AnalyzeError> {
    let always = ["instance", "value"].into_iter().chain(MOMENT);
    let columns: BTreeSet<&str> = KEYS.into_iter().chain(always).chain(screen.stored(Rows::Metrics)).collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    let work = |frame: DataFrame| {
        let mut writers: Vec<u64> = Vec::new();
        for instance in frame.column("instance")?.u64()?.iter().flatten() {
            if writers.last() != Some(&instance) {
                writers.push(instance);
            }
        }
        let own = screen.own(Rows::Metrics);
        let frame = if own.is_empty() { frame } else { frame.lazy().with_columns(own).collect()? };
        let kind = frame.column("type")?.str()?;
        let (is_point, is_other) = (kind.equal_missing("point"), kind.not_equal_missing("point"));
        let last = if is_other.any() { Some(last::in_piece(&frame.filter(&is_other)?)?) } else { None };
        let points = frame.drop_many(MOMENT);
        let points = if last.is_none() { points } else { points.filter(&is_point)? };
        let points = work(&screen.choose(Rows::Metrics, points.lazy()).collect()?)?;
        Ok(Piece { writers, last, points })
    };
    screen.datasets.each_chunk(&METRICS, &columns, &work, told)
}

/// Tells of the records that are meant and count: every point, and of an aggregate the last of each series.
pub(super) fn each_that_counts(
    screen: &Screen<'_>,
    told: &mut dyn FnMut(&DataFrame) -> PolarsResult<()>,
) -> Result<(), AnalyzeError> {
    let mut last = Last::new();
    each(screen, &|points| Ok(points.clone()), &mut |piece| {
        piece.last.iter().try_for_each(|some| last.add(some))?;
        told(&piece.points)
    })?;
    let rest = || match last.finish()? {
        Some(last) => told(&screen.choose(Rows::Metrics, last.lazy()).collect()?),
        None => Ok(()),
    };
    rest().map_err(|source| screen.datasets.unreadable(&METRICS, source))
}

/// Summarises the metrics that are meant. Which record of an aggregate is the last does not depend on the condition.
pub(super) fn read(screen: &Screen<'_>) -> Result<Found, AnalyzeError> {
    let by = by(screen);
    let of_instances = screen.of_instances(&by);
    let mut found = Found::default();
    for member in screen.members() {
        *found.sizes.entry(member.keys(&of_instances)).or_insert(0) += 1;
    }
    if !screen.datasets.has(&METRICS)? {
        return Ok(found);
    }
    let positions: Vec<usize> = of_instances.iter().filter_map(|at| by.iter().position(|one| one == at)).collect();
    let by = screen.named(&by);
    let measures = Measures {
        by: KEYS.map(str::to_owned).into_iter().chain(by.iter().map(|named| physical(&named.name))).collect(),
        distinct: Some("instance".to_owned()),
        values: vec![("value".to_owned(), vec![0.5, 0.95, 0.99])],
        rule: screen.percentile,
        ..Measures::default()
    };
    let (mut last, mut is_first) = (Last::new(), true);
    let mut groups = grouped(&measures, screen.room, &mut |work, told| {
        each(screen, work, &mut |piece| {
            if is_first {
                found.writers.extend(piece.writers);
                piece.last.iter().try_for_each(|some| last.add(some))?;
            }
            told(piece.points);
            Ok(())
        })?;
        is_first = false;
        Ok(())
    })?;
    let unreadable = |source| screen.datasets.unreadable(&METRICS, source);
    if let Some(last) = last.finish().map_err(unreadable)? {
        let chosen = screen.choose(Rows::Metrics, last.lazy()).collect().map_err(unreadable)?;
        groups.extend(grouped(&measures, screen.room, &mut |work, told| work(&chosen).map(told).map_err(unreadable))?);
    }
    found.series = groups.into_iter().map(|group| series(group, &positions)).collect();
    found.series.sort_by(order);
    Ok(found)
}

fn series(group: Group, of_instances: &[usize]) -> Series {
    let Group { keys, n, distinct, values, .. } = group;
    let value = values.into_iter().next().unwrap_or_default();
    let text = |at: usize| match &keys[at] {
        Key::Text(text) => Some(text.clone()),
        Key::Absent | Key::Number(_) => None,
    };
    let word = |at: usize| text(at).unwrap_or_default();
    let by = keys[KEYS.len()..].to_vec();
    let share = |at: usize| value.shares.get(at).copied().flatten();
    Series {
        source: word(0),
        name: word(1),
        kind: word(2),
        measure: word(3),
        unit: text(4),
        better: match keys[5] {
            Key::Number(dir) if dir < 0.0 => Some(Direction::Lower),
            Key::Number(dir) if dir > 0.0 => Some(Direction::Higher),
            Key::Absent | Key::Number(_) | Key::Text(_) => None,
        },
        of_instances: of_instances.iter().map(|&of| by[of].clone()).collect(),
        keys: by,
        instances: distinct,
        not_finite: n - value.n,
        n: value.n,
        mean: value.mean,
        sd: value.sd,
        min: value.min,
        p50: share(0),
        p95: share(1),
        p99: share(2),
        max: value.max,
    }
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
        "only diagnostics were written; --all-metrics shows them".to_owned()
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
        report.note(
            Tone::Dim,
            format!("--all-metrics shows {} more {things} (diagnostics and the like)", left_out.len()),
        );
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
