//! Who had to do with operations that went wrong or took long.

use std::collections::HashMap;

use polars::prelude::{
    DataType, Expr, JoinArgs, JoinType, LazyFrame, PolarsResult, SortMultipleOptions, col, len, lit,
};
use tg_model::table::{PEERS, QUERIES, QUERY_EVENTS};

use super::operations;
use super::screen::{Member, Screen};
use crate::datasets::Datasets;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Unit};

/// Peers and instances that are listed.
const MOST: u32 = 5;

fn descending(column: &str) -> ([Expr; 2], SortMultipleOptions) {
    let tie = if column == "lookups" { "peer_idx" } else { "instance" };
    ([col(column), col(tie)], SortMultipleOptions::default().with_order_descending_multi([true, false]))
}

/// The peers that failed most of the lookups that are meant: that could not be dialled, or did not answer.
pub(super) fn hurtful_peers(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    let datasets = &screen.datasets;
    let Some(mut scan) = datasets.scan(&QUERY_EVENTS, &["query_id", "kind", "peer_idx"])? else { return Ok(None) };
    if screen.is_filtered() {
        let Some(lookups) = operations::rows(screen, &[])? else { return Ok(None) };
        let key = [col("query_id")];
        scan = scan.join(lookups.select(key.clone()), key.clone(), key, JoinArgs::new(JoinType::Semi));
    }
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
    let rows = datasets.collect(&QUERY_EVENTS, worst)?;
    let read = || -> PolarsResult<_> {
        let count = |name: &str| frame::counts(&rows, name);
        Ok((count("peer_idx")?, count("lookups")?, count("dials")?, count("requests")?))
    };
    let (peers, lookups, dials, requests) = read().map_err(|source| datasets.unreadable(&QUERY_EVENTS, source))?;
    if peers.is_empty() {
        return Ok(None);
    }
    let names = peer_names(screen, &peers)?;
    let owner = |member: &'_ Member| Some(Datasets::number(member.run, member.instance.peer_idx?.into()));
    let owners: HashMap<u64, &Member> =
        screen.everyone.iter().filter_map(|member| Some((owner(member)?, member))).collect();
    let columns = vec![
        screen.run_column(),
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
            peer.map(|peer| datasets.name(Datasets::place(peer).0)).into(),
            peer.and_then(|peer| names.get(&peer).cloned()).into(),
            owner.map_or_else(|| "none of this run".to_owned(), |owner| owner.instance.name()).into(),
            owner.map(|owner| owner.instance.outcome.clone()).into(),
            lookups[at].into(),
            dials[at].into(),
            requests[at].into(),
        ]);
    }
    Ok(Some(table))
}

fn peer_names(screen: &Screen<'_>, wanted: &[Option<u64>]) -> Result<HashMap<u64, String>, AnalyzeError> {
    let Some(scan) = screen.datasets.scan(&PEERS, &["peer_idx", "peer_id"])? else { return Ok(HashMap::new()) };
    let is_wanted = wanted.iter().flatten().map(|&peer| col("peer_idx").eq(lit(peer))).reduce(Expr::or);
    let Some(is_wanted) = is_wanted else { return Ok(HashMap::new()) };
    let rows = screen.datasets.collect(&PEERS, scan.filter(is_wanted))?;
    let read = || PolarsResult::Ok((frame::counts(&rows, "peer_idx")?, frame::text(&rows, "peer_id")?));
    let (numbers, names) = read().map_err(|source| screen.datasets.unreadable(&PEERS, source))?;
    Ok(numbers.into_iter().zip(names).filter_map(|(number, name)| Some((number?, name?))).collect())
}

/// The instances whose operations took longest, by the median; those that are meant and ended.
pub(super) fn slow_instances(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    // Of a handful of instances all would be among the slowest.
    if screen.members().count() <= MOST as usize {
        return Ok(None);
    }
    let Some(rows) = operations::rows(screen, &["status", "duration_ns"])? else { return Ok(None) };
    let rule = screen.percentile;
    let took = || col("duration_ns").filter(col("duration_ns").gt_eq(lit(0))).cast(DataType::Float64);
    let (by, order) = descending("p50");
    let slowest: LazyFrame = rows
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
    let rows = screen.datasets.collect(&QUERIES, slowest)?;
    let read = || -> PolarsResult<_> {
        let count = |name: &str| frame::counts(&rows, name);
        let (numbers, n, done) = (count("instance")?, count("n")?, count("done")?);
        Ok((numbers, n, done, frame::floats(&rows, "p50")?, frame::floats(&rows, "p95")?))
    };
    let (numbers, n, done, p50, p95) = read().map_err(|source| screen.datasets.unreadable(&QUERIES, source))?;
    let columns = vec![
        screen.run_column(),
        Column::new("instance", "instance"),
        Column::new("n", "operations"),
        Column::new("done", "done"),
        Column::new("p50_ns", "p50"),
        Column::new("p95_ns", "p95"),
    ];
    let mut table = Table::new("slow_instances", "Slowest instances, by the median of their operations", columns);
    let known: HashMap<u64, &Member> = screen.everyone.iter().map(|member| (member.number, member)).collect();
    let nanos = |value: Option<f64>| value.map(|value| Cell::Number(value, Unit::Nanos));
    for (at, number) in numbers.iter().enumerate() {
        let name = number.and_then(|number| known.get(&number)).map(|member| member.instance.name());
        table.rows.push(vec![
            number.map(|number| screen.datasets.name(Datasets::place(number).0)).into(),
            name.into(),
            n[at].into(),
            Cell::Of(done[at].unwrap_or(0), n[at].unwrap_or(0)),
            nanos(p50[at]).into(),
            nanos(p95[at]).into(),
        ]);
    }
    Ok(Some(table).filter(|table| !table.rows.is_empty()))
}
