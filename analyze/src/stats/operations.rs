//! Operations: how often each kind succeeded, how long it took, and what it spent.
//!
//! Success is counted over every operation, and times over those that have one: an operation that never ended has no
//! time, and is counted as such, so that survivors do not stand for all.

use std::collections::{BTreeSet, HashSet};

use polars::prelude::{DataFrame, Expr, LazyFrame, PolarsResult, col, len, lit};
use tg_model::table::QUERIES;

use super::asked::Wanted;
use super::columns::{Rows, SCORES, physical};
use super::key::{Key, Named, keys, with_keys};
use super::percentile::Percentile;
use super::screen::Screen;
use crate::compare::student::wilson;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Tone, Unit};

const TIMES: [&str; 3] = ["duration_ns", "first_result_ns", "last_result_ns"];
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
const EFFORTS: [&str; 4] = ["total_hops", "hops_for_closest", "requests", "dials"];

/// These columns of the operations that are meant, with the columns that are named and the scores where there are any.
pub(super) fn rows(screen: &Screen<'_>, columns: &[&'static str]) -> Result<Option<LazyFrame>, AnalyzeError> {
    let mut all: BTreeSet<&str> = columns.iter().copied().chain(["instance", "query_id"]).collect();
    all.extend(screen.stored(Rows::Operations));
    let Some(scan) = screen.datasets.scan(&QUERIES, &all.into_iter().collect::<Vec<_>>())? else { return Ok(None) };
    let scored = screen.with_scores(scan.with_columns(screen.own(Rows::Operations)));
    Ok(Some(screen.choose(Rows::Operations, scored)))
}

/// One row for each operation, group that asked, and group of keys, or by what was asked for; nothing if no run
/// recorded operations.
///
/// Percentiles are exact, by the rule given, over the operations that have a time which is not negative; those of
/// several runs are pooled. With `k`, lookups are scored against the true state of their run, and the means of recall
/// and displacement are theirs.
pub(super) fn table(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    let columns: Vec<&str> = ["op", "status", "dial_failures"].into_iter().chain(TIMES).chain(EFFORTS).collect();
    let Some(rows) = rows(screen, &columns)? else { return Ok(None) };
    let by = screen.by(Rows::Operations, &["op"]);
    let by = screen.named(&by);
    let groups = std::iter::once(col("op")).chain(by.iter().map(|named| col(physical(&named.name))));
    let mut wanted = aggregates(screen.percentile);
    if screen.scores.is_some() {
        wanted.push(col("scored").sum());
        wanted.extend(SCORES.map(|score| col(score).mean()));
    }
    let rows = screen.datasets.collect(&QUERIES, rows.group_by(groups.collect::<Vec<_>>()).agg(wanted))?;
    let mut table = Table::new("operations", "Operations", self::columns(&by, screen.scores.is_some()));
    let empty = if screen.is_filtered() { "no operation is as was asked" } else { "the table of operations is empty" };
    empty.clone_into(&mut table.empty);
    type Row = (Option<String>, Vec<Key>, Vec<Cell>);
    let fill = || -> PolarsResult<Vec<Row>> {
        let (ops, keys) = (frame::text(&rows, "op")?, keys(&rows, &by)?);
        let count = |name: &str| frame::counts(&rows, name);
        let (ns, done, no_time) = (count("n")?, count("done")?, count("no_time")?);
        let (negative, dials, failed) = (count("negative")?, count("dials_sum")?, count("dial_failures")?);
        let mut times = Vec::new();
        for time in TIMES {
            for (name, _) in SHARES {
                times.push(frame::floats(&rows, &format!("{time}_{name}"))?);
            }
        }
        let (mut efforts, mut measured) = (Vec::new(), Vec::new());
        for effort in EFFORTS {
            measured.push(count(&format!("{effort}_n"))?);
            efforts.push(frame::floats(&rows, &format!("{effort}_mean"))?);
            efforts.push(frame::floats(&rows, &format!("{effort}_p95"))?);
        }
        let (mut scored, mut scores) = (None, Vec::new());
        if screen.scores.is_some() {
            scored = Some(count("scored")?);
            for score in SCORES {
                scores.push(frame::floats(&rows, score)?);
            }
        }
        let number = |value: Option<f64>, unit: Unit| value.map_or(Cell::Absent, |value| Cell::Number(value, unit));
        let row = |(at, keys): (usize, Vec<Key>)| {
            let (n, done) = (ns[at].unwrap_or(0), done[at].unwrap_or(0));
            let within = wilson(done as f64, n as f64);
            let interval = format!("{:.1}–{:.1} %", within.low * 100.0, within.high * 100.0);
            let mut row = vec![Cell::from(ops[at].clone())];
            row.extend(by.iter().zip(&keys).map(|(named, key)| named.cell(key)));
            row.extend([
                Cell::Count(n),
                Cell::Count(done),
                Cell::ratio(done as f64 / n as f64),
                Cell::from(interval),
                Cell::ratio(within.low),
                Cell::ratio(within.high),
                Cell::Count(no_time[at].unwrap_or(0)),
                Cell::Count(negative[at].unwrap_or(0)),
            ]);
            row.extend(times.iter().map(|time| number(time[at], Unit::Nanos)));
            row.extend(measured.iter().map(|n| Cell::from(n[at])));
            row.extend(efforts.iter().map(|effort| number(effort[at], Unit::None)));
            let share = match (dials[at], failed[at]) {
                (Some(dials), Some(failed)) if dials > 0 => Some(failed as f64 / dials as f64),
                _ => None,
            };
            row.push(failed[at].into());
            row.push(number(share, Unit::Ratio));
            row.push(Cell::Count(scored.as_ref().and_then(|scored| scored[at]).unwrap_or(0)));
            let score = |of: usize| scores.get(of).and_then(|values| values[at]);
            row.extend([number(score(0), Unit::Ratio), number(score(1), Unit::Ratio), number(score(2), Unit::None)]);
            (ops[at].clone(), keys, row)
        };
        Ok(keys.into_iter().enumerate().map(row).collect())
    };
    let mut filled = fill().map_err(|source| screen.datasets.unreadable(&QUERIES, source))?;
    filled.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    table.rows = filled.into_iter().map(|(_, _, cells)| cells).collect();
    Ok(Some(table))
}

fn aggregates(rule: Percentile) -> Vec<Expr> {
    let total = || col("duration_ns");
    let mut all = vec![
        len().alias("n"),
        col("status").eq(lit("done")).sum().alias("done"),
        total().is_null().sum().alias("no_time"),
        total().lt(lit(0)).sum().alias("negative"),
        total_or_null("dials").alias("dials_sum"),
        total_or_null("dial_failures").alias("dial_failures"),
    ];
    for time in TIMES {
        let real = || col(time).filter(col(time).gt_eq(lit(0)));
        let share = |(name, share): (&str, f64)| rule.of(real(), share, &format!("{time}_{name}"));
        all.extend(SHARES.map(share));
    }
    for effort in EFFORTS {
        all.push(col(effort).count().alias(format!("{effort}_n")));
        all.push(col(effort).mean().alias(format!("{effort}_mean")));
        all.push(rule.of(col(effort), 0.95, &format!("{effort}_p95")));
    }
    all
}

/// The sum, and null where no operation has the number: what was not recorded is not zero.
fn total_or_null(name: &str) -> Expr {
    let sum = col(name).cast(polars::prelude::DataType::UInt64).sum();
    polars::prelude::when(col(name).count().gt(lit(0))).then(sum).otherwise(lit(polars::prelude::NULL))
}

fn columns(by: &[&Named], is_scored: bool) -> Vec<Column> {
    // A recall of 0 is worth seeing.
    let score = if is_scored { Column::new } else { Column::when_used };
    let mut columns = vec![
        Column::new("n", "n"),
        Column::hidden("done"),
        Column::new("success_ratio", "success"),
        Column::new("success_interval", "95 % interval"),
        Column::hidden("success_low_ratio"),
        Column::hidden("success_high_ratio"),
        Column::when_used("no_time", "no time"),
        Column::when_used("negative_time", "time < 0"),
    ];
    for (time, title) in TIMES.into_iter().zip(["total", "first", "last"]) {
        for (name, _) in SHARES {
            // The first and the last result's tails are for programs: the screen has an end.
            let key = format!("{}_{name}_ns", time.trim_end_matches("_ns"));
            let heading = if title == "total" && name != "p50" { name.to_owned() } else { format!("{title} {name}") };
            let visible = title == "total" || name != "p99";
            columns.push(if visible { Column::when_used(&key, &heading) } else { Column::hidden(&key) });
        }
    }
    columns.extend(EFFORTS.map(|effort| Column::hidden(&format!("{effort}_n"))));
    for (effort, title) in EFFORTS.into_iter().zip(["hops", "to closest", "requests", "dials"]) {
        columns.push(Column::when_used(&format!("{effort}_mean"), title));
        let p95 = format!("{effort}_p95");
        columns.push(if title == "hops" { Column::when_used(&p95, "p95") } else { Column::hidden(&p95) });
    }
    columns.extend([
        Column::hidden("dial_failures"),
        Column::when_used("dial_failures_ratio", "failed dials"),
        Column::hidden("scored"),
        score("recall_alive_ratio", "recall"),
        Column::hidden("recall_all_ratio"),
        score("displacement_alive", "rank off"),
    ]);
    let mut columns = with_keys(by, &columns);
    for column in &mut columns[..by.len()] {
        match column.key.as_str() {
            "group" => "by".clone_into(&mut column.title),
            "key_group" => *column = Column::when_used("key_group", "keys of"),
            _ => {}
        }
    }
    columns.insert(0, Column::new("op", "operation"));
    columns
}

/// Why operations did not succeed: by operation, what was asked for, status and the reason that was written, the most
/// frequent first.
pub(super) fn failures(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    const KEYS: [&str; 3] = ["op", "status", "term_reason"];
    let columns: Vec<&str> = KEYS.into_iter().chain(["duration_ns"]).collect();
    let Some(rows) = rows(screen, &columns)? else { return Ok(None) };
    // Unless they are asked for, groups would take the kinds of failure apart.
    let by = if screen.is_grouped() { screen.by(Rows::Operations, &KEYS) } else { Vec::new() };
    let by = screen.named(&by);
    let groups = KEYS.iter().map(|&name| col(name)).chain(by.iter().map(|named| col(physical(&named.name))));
    let rows = rows.filter(col("status").neq(lit("done"))).group_by(groups.collect::<Vec<_>>()).agg([
        len().alias("n"),
        col("instance").n_unique().alias("instances"),
        col("duration_ns").is_null().sum().alias("no_time"),
    ]);
    let rows = screen.datasets.collect(&QUERIES, rows)?;
    let columns = vec![
        Column::new("status", "status"),
        Column::new("reason", "lookup ended"),
        Column::new("n", "n"),
        Column::when_used("no_time", "no time"),
        Column::new("instances", "of instances"),
    ];
    let mut columns = with_keys(&by, &columns);
    columns.insert(0, Column::new("op", "operation"));
    let mut table = Table::new("failed_operations", "Operations that did not succeed", columns);
    type Row = (u64, Vec<Key>, [String; 3], Vec<Cell>);
    let fill = || -> PolarsResult<Vec<Row>> {
        let texts = [frame::text(&rows, "op")?, frame::text(&rows, "status")?, frame::text(&rows, "term_reason")?];
        let counts = ["n", "no_time", "instances"].map(|name| frame::counts(&rows, name));
        let [ns, no_time, instances] = counts;
        let (ns, no_time, instances) = (ns?, no_time?, instances?);
        let row = |(at, keys): (usize, Vec<Key>)| {
            let [op, status, reason] = [0, 1, 2].map(|of: usize| texts[of][at].clone());
            let mut cells: Vec<Cell> = vec![op.clone().into()];
            cells.extend(by.iter().zip(&keys).map(|(named, key)| named.cell(key)));
            cells.extend([
                Cell::Word(status.clone().unwrap_or_default(), Tone::Bad),
                reason.clone().into(),
                ns[at].into(),
                no_time[at].into(),
                instances[at].into(),
            ]);
            (ns[at].unwrap_or(0), keys, [op, status, reason].map(Option::unwrap_or_default), cells)
        };
        Ok(keys(&rows, &by)?.into_iter().enumerate().map(row).collect())
    };
    let mut rows = fill().map_err(|source| screen.datasets.unreadable(&QUERIES, source))?;
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (&a.2, &a.1).cmp(&(&b.2, &b.1))));
    table.rows = rows.into_iter().map(|(_, _, _, cells)| cells).collect();
    Ok((!table.rows.is_empty()).then_some(table))
}

/// The operations of a run that are meant, and the scores of its lookups where these are asked for or named.
pub(crate) struct Chosen {
    /// The numbers of the operations.
    pub(crate) numbers: HashSet<u64>,
    /// Of each lookup that has a score: `query_id`, and the columns of [`SCORES`].
    pub(crate) scores: Option<DataFrame>,
}

impl Chosen {
    /// Chooses the operations that the condition takes; all without one.
    pub(crate) fn read(dataset: &Dataset, wanted: &Wanted) -> Result<Self, AnalyzeError> {
        let mut screen = Screen::new(std::slice::from_ref(dataset), wanted, &[Rows::Operations])?;
        let Some(rows) = rows(&screen, &[])? else { return Ok(Self { numbers: HashSet::new(), scores: None }) };
        let rows = dataset.collect(&QUERIES, rows.select([col("query_id")]))?;
        let numbers = frame::counts(&rows, "query_id").map_err(|source| dataset.unreadable(&QUERIES, source))?;
        Ok(Self { numbers: numbers.into_iter().flatten().collect(), scores: screen.scores.take() })
    }
}
