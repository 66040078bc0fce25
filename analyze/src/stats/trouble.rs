//! Who had to do with operations that went wrong or took long.

use std::cmp::Reverse;
use std::collections::HashMap;

use polars::prelude::{ChunkCompareEq as _, DataFrame, Expr, PolarsResult, col, lit};
use tg_model::table::{PEERS, QUERIES, QUERY_EVENTS};

use super::grouped::{Group, Measures};
use super::key::Key;
use super::operations;
use super::screen::{Member, Screen};
use crate::datasets::Datasets;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Unit};

/// Peers and instances that are listed.
const MOST: usize = 5;

/// How a peer failed lookups.
#[derive(Debug, Clone, Copy, Default)]
struct Hurt {
    lookups: u64,
    /// The lookup that it failed last.
    last: u64,
    dials: u64,
    requests: u64,
}

/// The peers that failed most of the lookups that are meant: that could not be dialled, or did not answer.
pub(super) fn hurtful_peers(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    let datasets = &screen.datasets;
    let chosen = if screen.is_filtered() { Some(operations::numbers(screen)?) } else { None };
    let mut hurt: HashMap<u64, Hurt> = HashMap::new();
    let failed = |frame: DataFrame| {
        let kind = frame.column("kind")?.str()?;
        frame.filter(&(kind.equal("error") | kind.equal("dial_error")))
    };
    datasets.each_chunk(&QUERY_EVENTS, &["query_id", "kind", "peer_idx"], &failed, &mut |frame| {
        let (queries, peers) = (frame.column("query_id")?.u64()?, frame.column("peer_idx")?.u64()?);
        for ((query, kind), peer) in queries.iter().zip(frame.column("kind")?.str()?.iter()).zip(peers.iter()) {
            let (Some(query), Some(peer), Some(kind @ ("error" | "dial_error"))) = (query, peer, kind) else {
                continue;
            };
            if chosen.as_ref().is_some_and(|chosen| chosen.binary_search(&query).is_err()) {
                continue;
            }
            let hurt = hurt.entry(peer).or_default();
            // The steps of one lookup stand together.
            if hurt.lookups == 0 || hurt.last != query {
                (hurt.lookups, hurt.last) = (hurt.lookups + 1, query);
            }
            *(if kind == "error" { &mut hurt.requests } else { &mut hurt.dials }) += 1;
        }
        Ok(())
    })?;
    let mut worst: Vec<(u64, Hurt)> = hurt.into_iter().collect();
    worst.sort_by_key(|(peer, hurt)| (Reverse(hurt.lookups), *peer));
    worst.truncate(MOST);
    let peers: Vec<Option<u64>> = worst.iter().map(|(peer, _)| Some(*peer)).collect();
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
    for (peer, hurt) in worst {
        let owner = owners.get(&peer);
        table.rows.push(vec![
            datasets.name(Datasets::place(peer).0).into(),
            names.get(&peer).cloned().into(),
            owner.map_or_else(|| "none of this run".to_owned(), |owner| owner.instance.name()).into(),
            owner.map(|owner| owner.instance.outcome.clone()).into(),
            hurt.lookups.into(),
            hurt.dials.into(),
            hurt.requests.into(),
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
    if screen.members().count() <= MOST {
        return Ok(None);
    }
    if !screen.datasets.has(&QUERIES)? {
        return Ok(None);
    }
    let measures = Measures {
        by: vec!["instance".to_owned()],
        flags: vec!["is done".to_owned()],
        values: vec![("real".to_owned(), vec![0.5, 0.95])],
        rule: screen.percentile,
        ..Measures::default()
    };
    let made = [col("status").eq(lit("done")).alias("is done"), operations::real("duration_ns").alias("real")];
    let mut slowest = operations::sums(screen, &measures, &["status", "duration_ns"], &made)?;
    let p50 = |group: &Group| group.values[0].shares[0];
    slowest.retain(|group| p50(group).is_some());
    slowest.sort_by(|a, b| {
        let key = |group: &Group| p50(group).unwrap_or_default();
        key(b).total_cmp(&key(a)).then_with(|| a.keys.cmp(&b.keys))
    });
    slowest.truncate(MOST);
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
    for group in &slowest {
        let number = match group.keys[0] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a number")]
            Key::Number(number) => number as u64,
            Key::Absent | Key::Text(_) => continue,
        };
        table.rows.push(vec![
            screen.datasets.name(Datasets::place(number).0).into(),
            known.get(&number).map(|member| member.instance.name()).into(),
            group.n.into(),
            Cell::Of(group.flags[0], group.n),
            nanos(group.values[0].shares[0]).into(),
            nanos(group.values[0].shares[1]).into(),
        ]);
    }
    Ok(Some(table).filter(|table| !table.rows.is_empty()))
}
