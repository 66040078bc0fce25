//! Who had to do with operations that went wrong or took long.

use std::collections::HashMap;

use polars::prelude::{DataType, Expr, LazyFrame, PolarsResult, SortMultipleOptions, col, len, lit};
use tg_model::table::{PEERS, QUERIES, QUERY_EVENTS};

use super::percentile::Percentile;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Unit};
use crate::run::Instance;

/// Peers and instances that are listed.
const MOST: u32 = 5;

fn descending(column: &str) -> ([Expr; 2], SortMultipleOptions) {
    let tie = if column == "lookups" { "peer_idx" } else { "instance" };
    ([col(column), col(tie)], SortMultipleOptions::default().with_order_descending_multi([true, false]))
}

/// The peers that failed most lookups: that could not be dialled, or did not answer.
pub(super) fn hurtful_peers(dataset: &Dataset, instances: &[Instance]) -> Result<Option<Table>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERY_EVENTS)? else { return Ok(None) };
    let failed = || col("kind").eq(lit("error")).or(col("kind").eq(lit("dial_error")));
    let (by, order) = descending("lookups");
    let worst = scan
        .filter(failed().and(col("peer_idx").is_not_null()))
        .group_by([col("peer_idx")])
        .agg([
            col("query_id").n_unique().alias("lookups"),
            col("kind").eq(lit("dial_error")).sum().alias("dials"),
            col("kind").eq(lit("error")).sum().alias("requests"),
        ])
        .sort_by_exprs(by, order)
        .limit(MOST);
    let rows = dataset.collect(&QUERY_EVENTS, worst)?;
    let read = || -> PolarsResult<_> {
        let count = |name: &str| frame::counts(&rows, name);
        Ok((frame::indices(&rows, "peer_idx")?, count("lookups")?, count("dials")?, count("requests")?))
    };
    let (peers, lookups, dials, requests) = read().map_err(|source| dataset.unreadable(&QUERY_EVENTS, source))?;
    if peers.is_empty() {
        return Ok(None);
    }
    let names = peer_names(dataset, &peers)?;
    let owners: HashMap<u32, &Instance> =
        instances.iter().filter_map(|instance| Some((instance.peer_idx?, instance))).collect();
    let columns = vec![
        Column::new("peer", "peer"),
        Column::new("instance", "instance"),
        Column::new("outcome", "outcome"),
        Column::new("lookups", "lookups hurt"),
        Column::new("dial_errors", "failed dials"),
        Column::new("request_errors", "failed requests"),
    ];
    let mut table = Table::new("hurtful_peers", "Peers that hurt most lookups", columns);
    for (at, peer) in peers.iter().enumerate() {
        let owner = peer.and_then(|peer| owners.get(&peer));
        table.rows.push(vec![
            peer.and_then(|peer| names.get(&peer).cloned()).into(),
            owner.map_or_else(|| "none of this run".to_owned(), |owner| owner.name()).into(),
            owner.map(|owner| owner.outcome.clone()).into(),
            lookups[at].into(),
            dials[at].into(),
            requests[at].into(),
        ]);
    }
    Ok(Some(table))
}

fn peer_names(dataset: &Dataset, wanted: &[Option<u32>]) -> Result<HashMap<u32, String>, AnalyzeError> {
    let Some(scan) = dataset.scan(&PEERS)? else { return Ok(HashMap::new()) };
    let is_wanted = wanted.iter().flatten().map(|&peer| col("peer_idx").eq(lit(peer))).reduce(Expr::or);
    let Some(is_wanted) = is_wanted else { return Ok(HashMap::new()) };
    let rows = dataset.collect(&PEERS, scan.filter(is_wanted).select([col("peer_idx"), col("peer_id")]))?;
    let read = || PolarsResult::Ok((frame::indices(&rows, "peer_idx")?, frame::text(&rows, "peer_id")?));
    let (numbers, names) = read().map_err(|source| dataset.unreadable(&PEERS, source))?;
    Ok(numbers.into_iter().zip(names).filter_map(|(number, name)| Some((number?, name?))).collect())
}

/// The instances whose operations took longest, by the median; those that ended are meant.
pub(super) fn slow_instances(
    dataset: &Dataset,
    instances: &[Instance],
    rule: Percentile,
) -> Result<Option<Table>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(None) };
    let took = || col("duration_ns").filter(col("duration_ns").gt_eq(lit(0))).cast(DataType::Float64);
    let (by, order) = descending("p50");
    let slowest: LazyFrame = scan
        .group_by([col("instance")])
        .agg([
            len().alias("n"),
            col("status").eq(lit("done")).sum().alias("done"),
            rule.of(took(), 0.5, "p50"),
            rule.of(took(), 0.95, "p95"),
        ])
        .filter(col("p50").is_not_null())
        .sort_by_exprs(by, order)
        .limit(MOST);
    let rows = dataset.collect(&QUERIES, slowest)?;
    let read = || -> PolarsResult<_> {
        let (numbers, n, done) =
            (frame::indices(&rows, "instance")?, frame::counts(&rows, "n")?, frame::counts(&rows, "done")?);
        Ok((numbers, n, done, frame::floats(&rows, "p50")?, frame::floats(&rows, "p95")?))
    };
    let (numbers, n, done, p50, p95) = read().map_err(|source| dataset.unreadable(&QUERIES, source))?;
    let columns = vec![
        Column::new("instance", "instance"),
        Column::new("n", "operations"),
        Column::new("done", "done"),
        Column::new("p50_ns", "p50"),
        Column::new("p95_ns", "p95"),
    ];
    let mut table = Table::new("slow_instances", "Slowest instances, by the median of their operations", columns);
    let known: HashMap<u32, &Instance> = instances.iter().map(|instance| (instance.number, instance)).collect();
    let nanos = |value: Option<f64>| value.map(|value| Cell::Number(value, Unit::Nanos));
    for (at, number) in numbers.iter().enumerate() {
        let name = number.and_then(|number| known.get(&number)).map(|instance| instance.name());
        table.rows.push(vec![
            name.into(),
            n[at].into(),
            Cell::Of(done[at].unwrap_or(0), n[at].unwrap_or(0)),
            nanos(p50[at]).into(),
            nanos(p95[at]).into(),
        ]);
    }
    // Of a handful of instances all would be among the slowest.
    Ok(Some(table).filter(|table| !table.rows.is_empty() && instances.len() > MOST as usize))
}
