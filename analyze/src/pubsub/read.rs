//! The trace of a dataset, in order of time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use polars::prelude::{DataType, Expr, LazyFrame, PolarsResult, col, len, lit};
use tg_model::table::{PUBSUB_COUNTS, PUBSUB_TRACE};

use super::control::{Held, Sums};
use super::routers::{Router, Routers};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;

/// What happened at a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Publish,
    Reject,
    Duplicate,
    Deliver,
    RemovePeer,
    Join,
    Leave,
    Graft,
    Prune,
}

impl Act {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "publish" => Self::Publish,
            "reject" => Self::Reject,
            "duplicate" => Self::Duplicate,
            "deliver" => Self::Deliver,
            "remove_peer" => Self::RemovePeer,
            "join" => Self::Join,
            "leave" => Self::Leave,
            "graft" => Self::Graft,
            "prune" => Self::Prune,
            _ => return None,
        })
    }
}

/// Acts that a filtered trace has; whoever tells of another one writes all.
const FILTERED: [&str; 4] = ["publish", "deliver", "graft", "prune"];

/// Acts that are read one by one; RPCs and peers that come are counted only.
const SINGLE: [&str; 9] =
    ["publish", "reject", "duplicate", "deliver", "remove_peer", "join", "leave", "graft", "prune"];

/// A row of the trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) ts: i64,
    pub(super) router: u32,
    pub(super) act: Act,
    pub(super) peer: Option<u32>,
    pub(super) topic: Option<u32>,
    pub(super) message: Option<u32>,
}

/// All that tracers wrote.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) routers: Vec<Router>,
    pub(super) topics: Vec<String>,
    /// The ids of the messages, by number.
    pub(super) ids: Vec<Vec<u8>>,
    /// The topic of each message, by its publisher or else by whoever named one.
    pub(super) topic_of: Vec<Option<u32>>,
    /// In order of time; what one router wrote, in the order of its lines.
    pub(super) events: Vec<Event>,
    pub(super) sums: Vec<Sums>,
    pub(super) rejected: Vec<(String, u64)>,
    /// Rows by the words for what they tell.
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) silent: u64,
    /// First and last moment of any row, RPCs too.
    span: Option<(i64, i64)>,
}

impl Trace {
    /// First and last moment of the trace.
    pub(super) fn span_ns(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// The routers by their peers. A peer that two instances claim is nobody's.
    pub(super) fn by_peer(&self) -> HashMap<u32, u32> {
        let (mut by, mut twice) = (HashMap::new(), Vec::new());
        for (number, router) in (0_u32..).zip(&self.routers) {
            let Some(peer) = router.peer else { continue };
            if by.insert(peer, number).is_some() {
                twice.push(peer);
            }
        }
        for peer in twice {
            by.remove(&peer);
        }
        by
    }
}

/// The trace of a run, or what of it is about one topic; nothing if the run has none.
pub(super) fn trace(dataset: &Dataset, only: Option<&str>) -> Result<Option<Trace>, AnalyzeError> {
    let table = &PUBSUB_TRACE;
    let Some(scan) = dataset.scan(table)? else { return Ok(None) };
    let mut routers = Routers::read(dataset)?;
    let mut trace = Trace::default();
    count(dataset, &scan, &mut routers, &mut trace)?;
    let single = SINGLE.map(|name| col("name").eq(lit(name))).into_iter().reduce(Expr::or);
    let scan = single.into_iter().fold(scan, LazyFrame::filter);
    let columns = ["instance", "name", "local_idx", "peer_idx", "topic", "msg_id", "reason", "file_id", "line"];
    let ns = col("ts").cast(DataType::Int64).alias("ns");
    let rows = dataset.collect(table, scan.select([&columns.map(col)[..], &[ns]].concat()))?;
    let mut rejected: Vec<(Event, Option<u32>)> = Vec::new();
    let mut reasons = Vec::new();
    let mut read = || -> PolarsResult<()> {
        let (names, words) = frame::interned_text(&rows, "name")?;
        let acts: Vec<Option<Act>> = words.iter().map(|word| Act::parse(word)).collect();
        let (whys, why_words) = frame::interned_text(&rows, "reason")?;
        let (topics, topic_words) = frame::interned_text(&rows, "topic")?;
        let (messages, ids) = frame::interned_bytes(&rows, "msg_id")?;
        let (times, instances) = (frame::ints(&rows, "ns")?, frame::indices(&rows, "instance")?);
        let (locals, peers) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "peer_idx")?);
        let (files, lines) = (frame::indices(&rows, "file_id")?, frame::indices(&rows, "line")?);
        let mut order: Vec<usize> = (0..rows.height()).collect();
        order.sort_unstable_by_key(|&at| (times[at], instances[at], files[at], lines[at], at));
        for at in order {
            let act = names[at].and_then(|name| acts[name as usize]);
            let (Some(act), Some(ts), Some(instance)) = (act, times[at], instances[at]) else { continue };
            let router = routers.number(instance, locals[at]);
            let (peer, topic, message) = (peers[at], topics[at], messages[at]);
            let event = Event { ts, router, act, peer, topic, message };
            trace.events.push(event);
            if act == Act::Reject {
                rejected.push((event, whys[at]));
            }
        }
        (trace.topics, trace.ids, reasons) = (topic_words, ids, why_words);
        Ok(())
    };
    read().map_err(|source| dataset.unreadable(table, source))?;
    trace.topic_of = topics_of_messages(&trace.events, trace.ids.len());
    if let Some(only) = only {
        let about = About::topic(&trace, only)?;
        trace.events.retain(|event| about.takes(event));
        rejected.retain(|(event, _)| about.takes(event));
    }
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, why) in &rejected {
        *by.entry(why.map_or("(no reason)", |why| reasons[why as usize].as_str())).or_default() += 1;
    }
    trace.rejected = by.into_iter().map(|(why, n)| (why.to_owned(), n)).collect();
    routers.name(dataset)?;
    trace.silent = routers.silent();
    trace.routers = routers.all;
    let last = trace.span.map_or(i64::MAX, |(_, last)| last.saturating_add(1));
    for router in &mut trace.routers {
        router.until = router.until.min(last);
    }
    Ok(Some(trace))
}

/// Adds up what RPCs held, and learns who writes whole traces.
fn count(dataset: &Dataset, scan: &LazyFrame, routers: &mut Routers, trace: &mut Trace) -> Result<(), AnalyzeError> {
    let table = &PUBSUB_TRACE;
    let held = ["n_msgs", "n_ihave", "n_iwant", "n_graft", "n_prune", "n_idontwant"];
    let mut sums = held.map(|name| col(name).cast(DataType::UInt64).sum()).to_vec();
    let ns = || col("ts").cast(DataType::Int64);
    sums.extend([len().alias("rows"), col("n_msgs").count().alias("told")]);
    sums.extend([ns().min().alias("first"), ns().max().alias("last")]);
    let keys = ["instance", "local_idx", "name"].map(col);
    let rows = dataset.collect(table, scan.clone().group_by(keys).agg(sums))?;
    let mut read = || -> PolarsResult<()> {
        let (instances, locals) = (frame::indices(&rows, "instance")?, frame::indices(&rows, "local_idx")?);
        let names = frame::text(&rows, "name")?;
        let (first, last) = (frame::ints(&rows, "first")?, frame::ints(&rows, "last")?);
        let mut counts = Vec::with_capacity(held.len());
        for name in held {
            counts.push(frame::counts(&rows, name)?);
        }
        let (all, told) = (frame::counts(&rows, "rows")?, frame::counts(&rows, "told")?);
        let mut order: Vec<usize> = (0..rows.height()).collect();
        // Groups come in any order; numbers must not.
        order.sort_unstable_by_key(|&at| (instances[at], locals[at], &names[at]));
        for at in order {
            let (Some(instance), Some(name)) = (instances[at], names[at].as_deref()) else { continue };
            let number = routers.number(instance, locals[at]);
            trace.sums.resize(routers.all.len(), Sums::default());
            let (router, sums) = (&mut routers.all[number as usize], &mut trace.sums[number as usize]);
            router.whole |= !FILTERED.contains(&name);
            *trace.rows.entry(name.to_owned()).or_default() += all[at].unwrap_or(0);
            if let Some(held) = sums.of(name) {
                let n = |which: usize| counts[which][at].unwrap_or(0);
                let (rpcs, told) = (all[at].unwrap_or(0), told[at].unwrap_or(0));
                let of_rpc = Held {
                    rpcs,
                    told,
                    msgs: n(0),
                    ihave: n(1),
                    iwant: n(2),
                    graft: n(3),
                    prune: n(4),
                    idontwant: n(5),
                };
                held.add(&of_rpc);
            }
            if let (Some(first), Some(last)) = (first[at], last[at]) {
                let known = trace.span.unwrap_or((first, last));
                trace.span = Some((known.0.min(first), known.1.max(last)));
            }
        }
        Ok(())
    };
    read().map_err(|source| dataset.unreadable(table, source))
}

/// What the publisher says goes first, then whoever names a topic.
fn topics_of_messages(events: &[Event], messages: usize) -> Vec<Option<u32>> {
    let mut topics = vec![None; messages];
    for published in [true, false] {
        for event in events.iter().filter(|event| (event.act == Act::Publish) == published) {
            if let (Some(message), Some(topic)) = (event.message, event.topic) {
                topics[message as usize].get_or_insert(topic);
            }
        }
    }
    topics
}

/// What is about one topic. A peer that goes is about all.
struct About {
    topic: Option<u32>,
    topic_of: Vec<Option<u32>>,
}

impl About {
    fn topic(trace: &Trace, only: &str) -> Result<Self, AnalyzeError> {
        let Some(at) = trace.topics.iter().position(|topic| topic == only) else {
            let known: BTreeSet<&str> = trace.topics.iter().map(String::as_str).collect();
            let known = known.into_iter().take(20).collect::<Vec<_>>().join(", ");
            return Err(AnalyzeError::Question(format!("there is no topic `{only}`: the run has {known}")));
        };
        Ok(Self { topic: u32::try_from(at).ok(), topic_of: trace.topic_of.clone() })
    }

    fn takes(&self, event: &Event) -> bool {
        let topic = event.message.map_or(event.topic, |message| self.topic_of[message as usize]);
        topic == self.topic || event.act == Act::RemovePeer
    }
}

/// What tracers added up: the total's name, how many routers added it up, and the sum.
pub(super) fn counted(dataset: &Dataset) -> Result<Vec<(String, u64, u64)>, AnalyzeError> {
    let table = &PUBSUB_COUNTS;
    let Some(scan) = dataset.scan(table)? else { return Ok(Vec::new()) };
    let sums = [len().cast(DataType::UInt64).alias("files"), col("count").sum().alias("total")];
    let rows = dataset.collect(table, scan.group_by([col("name")]).agg(sums))?;
    let read = || {
        let (files, totals) = (frame::counts(&rows, "files")?, frame::counts(&rows, "total")?);
        Ok((frame::text(&rows, "name")?, files, totals))
    };
    let (names, files, totals) = read().map_err(|source| dataset.unreadable(table, source))?;
    let rest = files.into_iter().zip(totals);
    let all = names.into_iter().zip(rest).filter_map(|(name, (files, total))| Some((name?, files?, total?)));
    let mut all: Vec<_> = all.collect();
    all.sort();
    Ok(all)
}
