//! Operations: how often each kind succeeded, how long it took, and what it spent.
//!
//! Success is counted over every operation, and times over those that have one: an operation that never ended has no
//! time, and is counted as such, so that survivors do not stand for all.

use std::collections::BTreeSet;

use polars::prelude::{ChunkCompareEq as _, DataFrame, Expr, IntoLazy as _, NULL, PolarsResult, col, lit, when};
use tg_model::table::QUERIES;

use super::columns::{Rows, physical};
use super::grouped::{Group, Measures, grouped};
use super::key::{Key, Named, with_keys};
use super::screen::Screen;
use crate::compare::student::wilson;
use crate::error::AnalyzeError;
use crate::report::{Cell, Column, Table, Tone, Unit};
use crate::score::{SCORES, Scorer};

const TIMES: [&str; 3] = ["duration_ns", "first_result_ns", "last_result_ns"];
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
const EFFORTS: [&str; 4] = ["total_hops", "hops_for_closest", "requests", "dials"];

/// The columns that such a question reads: these, and those that names and scores need.
fn stored<'a>(screen: &Screen<'_>, columns: &[&'a str], is_scored: bool) -> Vec<&'a str> {
    let plain = columns.iter().copied().filter(|column| !SCORES.contains(column));
    let mut all: BTreeSet<&str> = plain.chain(["instance", "query_id"]).collect();
    all.extend(screen.stored(Rows::Operations));
    all.extend(Scorer::COLUMNS.into_iter().filter(|_| is_scored));
    all.into_iter().collect()
}

/// Tells of the operations that are meant, piece by piece: these columns of them, scores among them, and the columns
/// that are named; `made` are made of these.
pub(super) fn each<T: Send>(
    screen: &Screen<'_>,
    columns: &[&str],
    made: &[Expr],
    work: &(dyn Fn(&DataFrame) -> PolarsResult<T> + Sync),
    told: &mut dyn FnMut(T) -> PolarsResult<()>,
) -> Result<(), AnalyzeError> {
    let is_scored = screen.names_scores() || columns.iter().any(|column| SCORES.contains(column));
    let work = |frame: DataFrame| {
        let own = frame.lazy().with_columns(screen.own(Rows::Operations)).collect()?;
        let own = if is_scored { screen.with_scores(own)? } else { own };
        let rows = screen.choose(Rows::Operations, own.lazy());
        work(&rows.with_columns(made).collect()?)
    };
    screen.datasets.each_chunk(&QUERIES, &stored(screen, columns, is_scored), &work, told)
}

/// Adds up the operations that are meant, as [`each`] tells of them.
pub(super) fn sums(
    screen: &Screen<'_>,
    measures: &Measures,
    columns: &[&str],
    made: &[Expr],
) -> Result<Vec<Group>, AnalyzeError> {
    grouped(measures, screen.room, &mut |work, told| {
        each(screen, columns, made, work, &mut |part| {
            told(part);
            Ok(())
        })
    })
}

/// One row for each operation, group that asked, and group of keys, or by what was asked for; nothing if no run
/// recorded operations.
///
/// Percentiles are exact, by the rule given, over the operations that have a time which is not negative; those of
/// several runs are pooled. Lookups are scored against the true state of their run where that is known, and the means of
/// recall and displacement are of those that have a score.
pub(super) fn table(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    if !screen.datasets.has(&QUERIES)? {
        return Ok(None);
    }
    let mut columns: Vec<&str> = ["op", "status", "dial_failures"].into_iter().chain(TIMES).chain(EFFORTS).collect();
    let ks = screen.ks();
    if !ks.is_empty() {
        columns.extend(SCORES);
    }
    let by = screen.by(Rows::Operations, &["op"]);
    let by = screen.named(&by);
    let measures = measures(screen, &by);
    let groups = sums(screen, &measures, &columns, &made())?;
    let ks: Vec<u32> = ks.into_iter().filter(|_| groups.iter().any(|group| scored(group) > 0)).collect();
    let mut table = Table::new("operations", "Operations", self::columns(&by, &ks));
    let empty = if screen.is_filtered() { "no operation is as was asked" } else { "the table of operations is empty" };
    empty.clone_into(&mut table.empty);
    let mut groups: Vec<Group> = groups;
    groups.sort_by(|a, b| a.keys.cmp(&b.keys));
    table.rows = groups.iter().map(|group| row(group, &by)).collect();
    Ok(Some(table))
}

fn row(group: &Group, by: &[&Named]) -> Vec<Cell> {
    let number = |value: Option<f64>, unit: Unit| value.map_or(Cell::Absent, |value| Cell::Number(value, unit));
    let (n, [done, no_time, negative]) = (group.n, [group.flags[0], group.flags[1], group.flags[2]]);
    let within = wilson(done as f64, n as f64);
    let interval = format!("{:.1}–{:.1} %", within.low * 100.0, within.high * 100.0);
    let mut row = vec![group.keys[0].cell()];
    row.extend(by.iter().zip(&group.keys[1..]).map(|(named, key)| named.cell(key)));
    row.extend([
        Cell::Count(n),
        Cell::Count(done),
        Cell::ratio(done as f64 / n as f64),
        Cell::from(interval),
        Cell::ratio(within.low),
        Cell::ratio(within.high),
        Cell::Count(no_time),
        Cell::Count(negative),
    ]);
    let (times, rest) = group.values.split_at(TIMES.len());
    let (efforts, scores) = rest.split_at(EFFORTS.len());
    row.extend(times.iter().flat_map(|time| &time.shares).map(|&time| number(time, Unit::Nanos)));
    row.extend(efforts.iter().map(|effort| Cell::Count(effort.n)));
    for effort in efforts {
        row.extend([effort.mean, effort.shares[0]].map(|value| number(value, Unit::None)));
    }
    let (dials, failed) = (group.totals[0], group.totals[1]);
    let share = match (dials, failed) {
        (Some(dials), Some(failed)) if dials > 0 => Some(failed as f64 / dials as f64),
        _ => None,
    };
    row.push(failed.into());
    row.push(number(share, Unit::Ratio));
    row.push(Cell::Count(scored(group)));
    let score = |of: usize| scores.get(of).and_then(|score| score.mean);
    row.extend([number(score(0), Unit::Ratio), number(score(1), Unit::Ratio), number(score(2), Unit::None)]);
    row
}

/// How many lookups of a group have a score.
fn scored(group: &Group) -> u64 {
    group.flags.get(3).copied().unwrap_or(0)
}

/// Columns that are made for what is added up: times that can be, and what an operation counts as.
fn made() -> Vec<Expr> {
    let total = || col("duration_ns");
    let mut all = vec![
        col("status").eq(lit("done")).alias("is done"),
        total().is_null().alias("has no time"),
        total().lt(lit(0)).alias("is negative"),
    ];
    all.extend(TIMES.map(|time| real(time).alias(format!("real {time}"))));
    all
}

/// A time that is not negative.
pub(super) fn real(time: &str) -> Expr {
    when(col(time).gt_eq(lit(0))).then(col(time)).otherwise(lit(NULL))
}

fn measures(screen: &Screen<'_>, by: &[&Named]) -> Measures {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut measures = Measures {
        by: std::iter::once("op".to_owned()).chain(by.iter().map(|named| physical(&named.name))).collect(),
        flags: names(&["is done", "has no time", "is negative"]),
        totals: names(&["dials", "dial_failures"]),
        distinct: None,
        values: TIMES.map(|time| (format!("real {time}"), SHARES.map(|share| share.1).to_vec())).to_vec(),
        rule: screen.percentile,
    };
    measures.values.extend(EFFORTS.map(|effort| (effort.to_owned(), vec![0.95])));
    if !screen.ks().is_empty() {
        measures.flags.push("scored".to_owned());
        measures.values.extend(SCORES.map(|score| (score.to_owned(), Vec::new())));
    }
    measures
}

/// With the sizes of results that lookups were held against, where any was.
fn columns(by: &[&Named], ks: &[u32]) -> Vec<Column> {
    let is_scored = !ks.is_empty();
    let at = match ks {
        [k] => k.to_string(),
        [] | [_, ..] => "k".to_owned(),
    };
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
        score("recall_alive_ratio", &format!("recall@{at} alive")),
        score("recall_all_ratio", &format!("recall@{at} all")),
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
    if !screen.datasets.has(&QUERIES)? {
        return Ok(None);
    }
    // Unless they are asked for, groups would take the kinds of failure apart.
    let by = if screen.is_grouped() { screen.by(Rows::Operations, &KEYS) } else { Vec::new() };
    let by = screen.named(&by);
    let measures = Measures {
        by: KEYS.map(str::to_owned).into_iter().chain(by.iter().map(|named| physical(&named.name))).collect(),
        flags: vec!["has no time".to_owned()],
        distinct: Some("instance".to_owned()),
        ..Measures::default()
    };
    let columns: Vec<&str> = KEYS.into_iter().chain(["duration_ns"]).collect();
    let made = [col("duration_ns").is_null().alias("has no time")];
    let mut groups = grouped(&measures, screen.room, &mut |work, told| {
        let failed =
            |frame: &DataFrame| work(&frame.filter(frame.column("status")?.str()?.not_equal("done").as_ref())?);
        each(screen, &columns, &made, &failed, &mut |part| {
            told(part);
            Ok(())
        })
    })?;
    // The most frequent first, then by what they are.
    groups.sort_by(|a, b| {
        let key = |group: &Group| (group.keys[..KEYS.len()].to_vec(), group.keys[KEYS.len()..].to_vec());
        b.n.cmp(&a.n).then_with(|| key(a).cmp(&key(b)))
    });
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
    for group in &groups {
        let (fixed, keys) = group.keys.split_at(KEYS.len());
        let status = match &fixed[1] {
            Key::Text(status) => status.clone(),
            Key::Absent | Key::Number(_) => String::new(),
        };
        let mut row = vec![fixed[0].cell()];
        row.extend(by.iter().zip(keys).map(|(named, key)| named.cell(key)));
        row.extend([
            Cell::Word(status, Tone::Bad),
            fixed[2].cell(),
            Cell::Count(group.n),
            Cell::Count(group.flags[0]),
            Cell::Count(group.distinct),
        ]);
        table.rows.push(row);
    }
    Ok((!table.rows.is_empty()).then_some(table))
}

/// The numbers of the operations that are meant, ascending.
pub(super) fn numbers(screen: &Screen<'_>) -> Result<Vec<u64>, AnalyzeError> {
    let mut numbers = Vec::new();
    let work = |frame: &DataFrame| Ok(frame.column("query_id")?.u64()?.iter().flatten().collect::<Vec<_>>());
    each(screen, &[], &[], &work, &mut |some| {
        numbers.extend(some);
        Ok(())
    })?;
    numbers.sort_unstable();
    Ok(numbers)
}
