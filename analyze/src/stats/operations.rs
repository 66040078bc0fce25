//! Operations: how often each kind succeeded, how long it took, and what it spent.
//!
//! Success is counted over every operation, and times over those that have one: an operation that never ended has no
//! time, and is counted as such, so that survivors do not stand for all.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::{
    Expr, IntoLazy, JoinArgs, JoinType, LazyFrame, PolarsResult, SortMultipleOptions, col, len, lit,
};
use tg_model::table::QUERIES;

use super::percentile::Percentile;
use crate::compare::student::wilson;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Tone, Unit};
use crate::run::Instance;
use crate::score::Scored;

const KEYS: [&str; 3] = ["op", "group", "key_group"];
const TIMES: [&str; 3] = ["duration_ns", "first_result_ns", "last_result_ns"];
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
const EFFORTS: [&str; 4] = ["total_hops", "hops_for_closest", "requests", "dials"];

/// The rows of `queries` with the group of the instance that asked. An instance that the dataset does not know has
/// the group `(unknown)`.
pub(super) fn with_groups(dataset: &Dataset, instances: &[Instance]) -> Result<Option<LazyFrame>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(None) };
    let frame = polars::df!(
        "instance" => instances.iter().map(|one| one.number).collect::<Vec<_>>(),
        "group" => instances.iter().map(|one| one.group.as_str()).collect::<Vec<_>>(),
    )
    .map_err(|source| dataset.unreadable(&QUERIES, source))?;
    let joined = scan.join(frame.lazy(), [col("instance")], [col("instance")], JoinArgs::new(JoinType::Left));
    Ok(Some(joined.with_column(col("group").fill_null(lit("(unknown)")))))
}

/// One row for each operation, group that asked, and group of keys; nothing if the run recorded no operations.
///
/// Percentiles are exact, by the rule given, over the operations that have a time which is not negative. With `k`, lookups are
/// scored against the true state of the run, and the means of recall and displacement are theirs.
pub(super) fn table(
    dataset: &Dataset,
    instances: &[Instance],
    k: Option<u32>,
    rule: Percentile,
) -> Result<Option<Table>, AnalyzeError> {
    let Some(rows) = with_groups(dataset, instances)? else { return Ok(None) };
    let rows = rows.group_by(KEYS.map(col)).agg(aggregates(rule)).sort(KEYS, SortMultipleOptions::default());
    let rows = dataset.collect(&QUERIES, rows)?;
    let scores = match k {
        Some(k) => scores(dataset, k)?,
        None => BTreeMap::new(),
    };
    let mut table = Table::new("operations", "Operations", columns());
    "the table of operations is empty".clone_into(&mut table.empty);
    let fill = || -> PolarsResult<Vec<Vec<Cell>>> {
        let keys = [frame::text(&rows, "op")?, frame::text(&rows, "group")?, frame::text(&rows, "key_group")?];
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
        let number = |value: Option<f64>, unit: Unit| value.map_or(Cell::Absent, |value| Cell::Number(value, unit));
        let row = |at: usize| {
            let (n, done) = (ns[at].unwrap_or(0), done[at].unwrap_or(0));
            let within = wilson(done as f64, n as f64);
            let interval = format!("{:.1}–{:.1} %", within.low * 100.0, within.high * 100.0);
            let mut row: Vec<Cell> = keys.iter().map(|key| Cell::from(key[at].clone())).collect();
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
            let key = |at: usize, of: usize| keys[of][at].clone().unwrap_or_default();
            let score = scores.get(&(key(at, 0), key(at, 1), key(at, 2))).copied().unwrap_or_default();
            row.extend([
                Cell::Count(score.scored),
                number(score.recall_alive.value(), Unit::Ratio),
                number(score.recall_all.value(), Unit::Ratio),
                number(score.displacement.value(), Unit::None),
            ]);
            row
        };
        Ok((0..rows.height()).map(row).collect())
    };
    table.rows = fill().map_err(|source| dataset.unreadable(&QUERIES, source))?;
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

fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column::new("op", "operation"),
        Column::new("group", "by"),
        Column::when_used("key_group", "keys of"),
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
        Column::when_used("recall_alive_ratio", "recall"),
        Column::hidden("recall_all_ratio"),
        Column::when_used("displacement_alive", "rank off"),
    ]);
    columns
}

/// A mean in the making.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    n: u64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.n += 1;
        }
    }

    fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// What the lookups of one row scored.
#[derive(Debug, Clone, Copy, Default)]
struct Scores {
    scored: u64,
    recall_alive: Mean,
    recall_all: Mean,
    displacement: Mean,
}

type Key = (String, String, String);

fn scores(dataset: &Dataset, k: u32) -> Result<BTreeMap<Key, Scores>, AnalyzeError> {
    let scored = Scored::read(dataset, k)?;
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(BTreeMap::new()) };
    let rows = dataset.collect(&QUERIES, scan.select([col("query_id"), col("key_group")]))?;
    let read = || PolarsResult::Ok((frame::counts(&rows, "query_id")?, frame::text(&rows, "key_group")?));
    let (queries, keys) = read().map_err(|source| dataset.unreadable(&QUERIES, source))?;
    let key_groups: HashMap<u64, String> =
        queries.into_iter().zip(keys).filter_map(|(query, key)| Some((query?, key?))).collect();
    let mut all: BTreeMap<Key, Scores> = BTreeMap::new();
    for lookup in &scored.lookups {
        let Some(score) = lookup.score else { continue };
        let keys = key_groups.get(&lookup.query).cloned().unwrap_or_default();
        let sums = all.entry((lookup.op.clone(), lookup.group.clone(), keys)).or_default();
        sums.scored += 1;
        sums.recall_alive.add(score.recall_alive);
        sums.recall_all.add(score.recall_all);
        sums.displacement.add(score.displacement_alive);
    }
    Ok(all)
}

/// Why operations did not succeed: by operation, status and the reason that was written, the most frequent first.
pub(super) fn failures(dataset: &Dataset) -> Result<Option<Table>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(None) };
    let keys = ["op", "status", "term_reason"];
    let rows = scan.filter(col("status").neq(lit("done"))).group_by(keys.map(col)).agg([
        len().alias("n"),
        col("instance").n_unique().alias("instances"),
        col("duration_ns").is_null().sum().alias("no_time"),
    ]);
    let rows = dataset.collect(&QUERIES, rows)?;
    let columns = vec![
        Column::new("op", "operation"),
        Column::new("status", "status"),
        Column::new("reason", "lookup ended"),
        Column::new("n", "n"),
        Column::when_used("no_time", "no time"),
        Column::new("instances", "of instances"),
    ];
    let mut table = Table::new("failed_operations", "Operations that did not succeed", columns);
    type Row = (u64, [String; 3], Vec<Cell>);
    let fill = || -> PolarsResult<Vec<Row>> {
        let texts = [frame::text(&rows, "op")?, frame::text(&rows, "status")?, frame::text(&rows, "term_reason")?];
        let counts = ["n", "no_time", "instances"].map(|name| frame::counts(&rows, name));
        let [ns, no_time, instances] = counts;
        let (ns, no_time, instances) = (ns?, no_time?, instances?);
        let row = |at: usize| {
            let [op, status, reason] = [0, 1, 2].map(|of: usize| texts[of][at].clone());
            let cells = vec![
                op.clone().into(),
                Cell::Word(status.clone().unwrap_or_default(), Tone::Bad),
                reason.clone().into(),
                ns[at].into(),
                no_time[at].into(),
                instances[at].into(),
            ];
            (ns[at].unwrap_or(0), [op, status, reason].map(Option::unwrap_or_default), cells)
        };
        Ok((0..rows.height()).map(row).collect())
    };
    let mut rows = fill().map_err(|source| dataset.unreadable(&QUERIES, source))?;
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    table.rows = rows.into_iter().map(|(_, _, cells)| cells).collect();
    Ok((!table.rows.is_empty()).then_some(table))
}
