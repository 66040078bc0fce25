//! Networks as they were at a time of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use polars::prelude::{DataType, Expr, LazyFrame, PolarsResult, col, len, lit};
use tg_model::table::{CONNECTIONS, PUBSUB_TRACE};

use super::networks::Kind;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::graph::lifetime::Span;
use crate::graph::{Connectivity, Network, arcs_of, sightings};
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
            let keys = ["local_idx", "remote_idx", "direction"].map(col);
            let plan = scan.filter(opened.and(still)).group_by(keys).agg([len().alias("times")]);
            let seen = sightings(dataset, &CONNECTIONS, plan, ["local_idx", "remote_idx"])?;
            Network::build(dataset, instances, seen, Connectivity::At(time))
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

/// Who has whom in its mesh, of any topic: at a time, or ever.
pub(super) fn mesh(dataset: &Dataset, instances: &[Instance], time: Option<Duration>) -> Result<Network, AnalyzeError> {
    let places = places(dataset, instances)?;
    let moment = time.map(|time| moment(dataset, time)).transpose()?;
    let is_there = |span: &Span| match (moment, span.open) {
        (Some(moment), Some(open)) => open <= moment && span.close.is_none_or(|close| moment < close),
        (_, _) => true,
    };
    let there = places.into_iter().filter(|(_, spans)| spans.iter().any(is_there));
    let source = time.map_or(Connectivity::EverOpen, Connectivity::At);
    Network::build(dataset, instances, arcs_of(there.map(|(pair, _)| pair).collect()), source)
}

/// From when until before when owners had members in their meshes: owner, member, and the times of all topics.
pub(crate) type Places = BTreeMap<(u32, u32), Vec<Span>>;

/// The places in meshes over the whole run.
///
/// Grafts put a peer in, prunes take it out, as does the peer's going; leaving a topic takes out all of that topic. What
/// nothing took out was there at the end.
pub(crate) fn places(dataset: &Dataset, instances: &[Instance]) -> Result<Places, AnalyzeError> {
    let table = &PUBSUB_TRACE;
    let Some(scan) = dataset.scan(table)? else {
        return Err(AnalyzeError::NoData(format!(
            "`{}` has no table `pubsub_trace`: the run recorded no mesh",
            dataset.dir().display()
        )));
    };
    let names = ["graft", "prune", "leave", "remove_peer"].map(|name| col("name").eq(lit(name)));
    let scan = names.into_iter().reduce(Expr::or).into_iter().fold(scan, LazyFrame::filter);
    let ns = col("ts").cast(DataType::Int64).alias("ns");
    let columns = ["instance", "name", "local_idx", "peer_idx", "topic", "line"].map(col);
    let rows = dataset.collect(table, scan.select([&columns[..], &[ns]].concat()))?;
    let own: BTreeMap<u32, u32> = instances.iter().filter_map(|one| Some((one.number, one.peer_idx?))).collect();
    let read = || -> PolarsResult<Places> {
        let (who, names) = (frame::indices(&rows, "instance")?, frame::text(&rows, "name")?);
        let (locals, peers) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "peer_idx")?);
        let (topics, topic_words) = frame::interned_text(&rows, "topic")?;
        let (lines, times) = (frame::counts(&rows, "line")?, frame::ints(&rows, "ns")?);
        let none = u32::try_from(topic_words.len()).unwrap_or(u32::MAX);
        let mut order: Vec<usize> = (0..rows.height()).collect();
        order.sort_by_key(|&at| (times[at], who[at], lines[at], at));
        let mut replay = Replay::default();
        for at in order {
            let local = locals[at].or_else(|| own.get(&who[at]?).copied());
            let (Some(local), Some(time)) = (local, times[at]) else { continue };
            let topic = topics[at].unwrap_or(none);
            match (names[at].as_deref(), peers[at]) {
                (Some("graft"), Some(peer)) => _ = replay.open.entry((local, topic, peer)).or_insert(time),
                (Some("prune"), Some(peer)) => replay.close(time, local, |of, member| (of, member) == (topic, peer)),
                (Some("remove_peer"), Some(peer)) => replay.close(time, local, |_, member| member == peer),
                (Some("leave"), _) => replay.close(time, local, |of, _| of == topic),
                _ => {}
            }
        }
        for ((owner, _, member), open) in replay.open {
            replay.done.entry((owner, member)).or_default().push(Span { open: Some(open), close: None });
        }
        Ok(replay.done)
    };
    read().map_err(|source| dataset.unreadable(table, source))
}

/// Meshes as their events tell of them one after another.
#[derive(Default)]
struct Replay {
    /// Since when an owner has had a member in its mesh of a topic: owner, topic, member.
    open: BTreeMap<(u32, u32, u32), i64>,
    done: Places,
}

impl Replay {
    /// Takes members out of an owner's meshes, by topic and member.
    fn close(&mut self, time: i64, owner: u32, is_meant: impl Fn(u32, u32) -> bool) {
        let of_owner = self.open.range((owner, 0, 0)..=(owner, u32::MAX, u32::MAX));
        let meant: Vec<_> =
            of_owner.map(|(&key, _)| key).filter(|&(_, topic, member)| is_meant(topic, member)).collect();
        for key in meant {
            let span = Span { open: self.open.remove(&key), close: Some(time) };
            self.done.entry((owner, key.2)).or_default().push(span);
        }
    }
}
