//! Networks as they were at a time of the run.

use std::collections::BTreeSet;
use std::time::Duration;

use polars::prelude::{DataType, Expr, LazyFrame, PolarsResult, col, len, lit};
use tg_model::table::{CONNECTIONS, PUBSUB_TRACE};

use super::networks::Kind;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::graph::{Connectivity, Network, Sighting};
use crate::run::{Instance, Run};

/// The network of a kind at a time after the run's begin.
///
/// A connection is there from its opening until before its closing; one whose opening was not seen counts from the
/// begin, and one that nobody closed until the end. Routing tables are known at their snapshots alone.
pub(super) fn at(
    dataset: &Dataset,
    instances: &[Instance],
    kind: Kind,
    time: Duration,
) -> Result<Network, AnalyzeError> {
    match kind {
        Kind::RoutingTables => Err(AnalyzeError::Question(
            "routing tables are known at their snapshots and at no other time: name one of those".to_owned(),
        )),
        Kind::Mesh => mesh(dataset, instances, Some(time)),
        Kind::Connections => {
            let Some(scan) = dataset.scan(&CONNECTIONS)? else {
                return Err(AnalyzeError::NoData(format!(
                    "`{}` has no table `connections`: nobody knows what was open at a time",
                    dataset.dir().display()
                )));
            };
            let moment = moment(dataset, time)?;
            let ns = |name: &str| col(name).cast(DataType::Int64);
            let opened = ns("open_ts").is_null().or(ns("open_ts").lt_eq(lit(moment)));
            let still = ns("close_ts").is_null().or(ns("close_ts").gt(lit(moment)));
            let sightings = open_then(dataset, scan.filter(opened.and(still)))?;
            Network::build(dataset, instances, &sightings, Connectivity::At(time))
        }
    }
}

/// The time as nanoseconds since the epoch; it must lie within the run.
fn moment(dataset: &Dataset, time: Duration) -> Result<i64, AnalyzeError> {
    let run = Run::read(dataset)?;
    let Some(start) = run.as_ref().and_then(|run| run.start_ns) else {
        return Err(AnalyzeError::NoData("the dataset does not say when the run began".to_owned()));
    };
    if let Some(whole) = run.and_then(|run| run.duration_ns())
        && time.as_nanos() > u128::from(whole.unsigned_abs())
    {
        let whole = Duration::from_nanos(whole.unsigned_abs());
        return Err(AnalyzeError::Question(format!("the run ended after {whole:?}, which is before {time:?}")));
    }
    let late = || AnalyzeError::Question(format!("{time:?} is too late for any run"));
    start.checked_add(i64::try_from(time.as_nanos()).ok().ok_or_else(late)?).ok_or_else(late)
}

fn open_then(dataset: &Dataset, scan: LazyFrame) -> Result<Vec<Sighting>, AnalyzeError> {
    let keys = ["local_idx", "remote_idx", "direction"].map(col);
    let rows = dataset.collect(&CONNECTIONS, scan.group_by(keys).agg([len().alias("times")]))?;
    let read = || -> PolarsResult<Vec<Sighting>> {
        let (locals, remotes) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "remote_idx")?);
        let (directions, times) = (frame::counts(&rows, "direction")?, frame::counts(&rows, "times")?);
        let all = (0..rows.height()).filter_map(|at| {
            let direction = u8::try_from(directions[at].unwrap_or(0)).unwrap_or(0);
            Some(Sighting { local: locals[at]?, remote: remotes[at]?, direction, times: times[at].unwrap_or(1) })
        });
        Ok(all.collect())
    };
    read().map_err(|source| dataset.unreadable(&CONNECTIONS, source))
}

/// Who has whom in its mesh, of any topic: at a time, or ever.
///
/// Grafts put a peer in, prunes take it out, as does the peer's going; leaving a topic takes out all of that topic.
pub(super) fn mesh(dataset: &Dataset, instances: &[Instance], time: Option<Duration>) -> Result<Network, AnalyzeError> {
    let table = &PUBSUB_TRACE;
    let Some(scan) = dataset.scan(table)? else {
        return Err(AnalyzeError::NoData(format!(
            "`{}` has no table `pubsub_trace`: the run recorded no mesh",
            dataset.dir().display()
        )));
    };
    let moment = time.map(|time| moment(dataset, time)).transpose()?;
    let ns = col("ts").cast(DataType::Int64);
    let mut of_mesh =
        ["graft", "prune", "leave", "remove_peer"].map(|name| col("name").eq(lit(name))).into_iter().reduce(Expr::or);
    if let (Some(moment), Some(names)) = (moment, of_mesh.take()) {
        of_mesh = Some(names.and(ns.clone().lt_eq(lit(moment))));
    } else {
        of_mesh = Some(col("name").eq(lit("graft")));
    }
    let scan = of_mesh.into_iter().fold(scan, LazyFrame::filter);
    let columns = ["instance", "name", "local_idx", "peer_idx", "topic", "line"].map(col);
    let rows = dataset.collect(table, scan.select([&columns[..], &[ns.alias("ns")]].concat()))?;
    let own: std::collections::BTreeMap<u32, u32> =
        instances.iter().filter_map(|one| Some((one.number, one.peer_idx?))).collect();
    let read = || -> PolarsResult<BTreeSet<(u32, u32)>> {
        let (who, names) = (frame::indices(&rows, "instance")?, frame::text(&rows, "name")?);
        let (locals, peers) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "peer_idx")?);
        let (topics, lines) = (frame::text(&rows, "topic")?, frame::counts(&rows, "line")?);
        let times = frame::ints(&rows, "ns")?;
        let mut order: Vec<usize> = (0..rows.height()).collect();
        order.sort_by_key(|&at| (times[at], who[at], lines[at], at));
        let mut there: BTreeSet<(u32, u32, &str)> = BTreeSet::new();
        for at in order {
            let local = locals[at].or_else(|| own.get(&who[at]?).copied());
            let Some(local) = local else { continue };
            let topic = topics[at].as_deref().unwrap_or("");
            match (names[at].as_deref(), peers[at]) {
                (Some("graft"), Some(peer)) => _ = there.insert((local, peer, topic)),
                (Some("prune"), Some(peer)) => _ = there.remove(&(local, peer, topic)),
                (Some("remove_peer"), Some(peer)) => there.retain(|&(a, b, _)| (a, b) != (local, peer)),
                (Some("leave"), _) => there.retain(|&(a, _, of)| (a, of) != (local, topic)),
                _ => {}
            }
        }
        Ok(there.into_iter().map(|(local, peer, _)| (local, peer)).collect())
    };
    let pairs = read().map_err(|source| dataset.unreadable(table, source))?;
    let sightings: Vec<Sighting> =
        pairs.into_iter().map(|(local, remote)| Sighting { local, remote, direction: 2, times: 1 }).collect();
    let source = time.map_or(Connectivity::EverOpen, Connectivity::At);
    Network::build(dataset, instances, &sightings, source)
}
