//! What the DHT plan wrote: graphs, routing tables, its nodes and connections here; lookups and changes of the table below.

mod lookups;
mod rt_events;

use serde::Deserialize;

use super::facts::Facts;
use super::json::{Ns, Text};
use super::{At, Fate, peer};
use crate::dataset::segment::{Segment, T};

/// A line as a record of this shape, or why it is none.
pub(super) fn parse<'a, L: Deserialize<'a>>(line: &'a str) -> Result<L, Fate> {
    if line.trim().is_empty() {
        return Err(Fate::Noted("blank-line"));
    }
    serde_json::from_str(line).map_err(|error| Fate::Noted(if error.is_data() { "bad-record" } else { "not-json" }))
}

/// `Fate::Noted` ends the reading of a line early.
macro_rules! parsed {
    ($line:expr) => {
        match parse($line) {
            Ok(record) => record,
            Err(fate) => return fate,
        }
    };
}
pub(super) use parsed;

pub(crate) use lookups::{lookup, query};
pub(crate) use rt_events::rt_event;

/// A peer as the records of lookups and of the routing table name it.
#[derive(Deserialize)]
struct Peer<'a> {
    #[serde(borrow, rename = "Peer")]
    peer: Text<'a>,
}

#[derive(Deserialize)]
struct Edge<'a> {
    #[serde(alias = "T")]
    ts: Ns,
    #[serde(borrow, alias = "M")]
    msg: Text<'a>,
    #[serde(borrow, alias = "From", alias = "Node")]
    from: Text<'a>,
    #[serde(borrow, alias = "To", alias = "Peer")]
    to: Text<'a>,
}

/// Reads a line of `dht_graphs.out`: a connection in a snapshot, dialler to listener.
pub(crate) fn graph(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let edge: Edge<'_> = parsed!(line);
    let from = peer::normal(edge.from.as_str());
    facts.is_probably(&from);
    let (from, to) = (segment.peer(&from), segment.peer(&peer::normal(edge.to.as_str())));
    segment
        .row(T::ConnSnapshots, at.file_id, at.line)
        .put(at.instance)
        .put(edge.msg.as_str())
        .put(edge.ts.0)
        .put(from)
        .put(to)
        .end();
    Fate::Mapped
}

/// Reads a line of `dht_rt.out`: an entry of a routing table in a snapshot.
pub(crate) fn table(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let edge: Edge<'_> = parsed!(line);
    let owner = peer::normal(edge.from.as_str());
    facts.is_probably(&owner);
    let (owner, entry) = (segment.peer(&owner), segment.peer(&peer::normal(edge.to.as_str())));
    segment
        .row(T::RoutingTable, at.file_id, at.line)
        .put(at.instance)
        .put(edge.msg.as_str())
        .put(edge.ts.0)
        .put(owner)
        .put(entry)
        .put(None::<u16>)
        .put(None::<u16>)
        .put(None::<i64>)
        .put(None::<i64>)
        .end();
    Fate::Mapped
}

#[derive(Deserialize)]
struct Node<'a> {
    ts: Ns,
    #[serde(borrow)]
    msg: Text<'a>,
    #[serde(borrow, default, rename = "peerID")]
    peer: Option<Text<'a>>,
    #[serde(default)]
    dialable: Option<bool>,
    #[serde(default)]
    addrs: Option<Vec<String>>,
    #[serde(borrow, default)]
    me: Option<Text<'a>>,
    #[serde(borrow, default)]
    target: Option<Text<'a>>,
    #[serde(borrow, default, rename = "KadTarget")]
    target_kad: Option<Text<'a>>,
    #[serde(borrow, default)]
    peers: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    actual: Option<Vec<Text<'a>>>,
    #[serde(default, rename = "Scores")]
    scores: Option<Vec<i64>>,
}

/// Reads a line of `node.out`: who the node is, or how near the peers that it found are to those nearest.
pub(crate) fn node(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let node: Node<'_> = parsed!(line);
    facts.saw(Some(node.ts));
    match (node.msg.as_str(), &node.peer) {
        ("nodeparams", Some(id)) => {
            let id = peer::normal(id.as_str());
            if facts.me.is_none() {
                facts.me = Some(id.clone().into_owned());
                facts.me_at = (at.file_id, at.line);
            }
            facts.dialable = node.dialable.or(facts.dialable);
            let idx = segment.peer(&id);
            segment
                .row(T::PeerFacts, at.file_id, at.line)
                .put(at.instance)
                .put(node.ts.0)
                .put(idx)
                .put(true)
                .put(None::<&str>)
                .put(node.dialable)
                .put(None::<&str>)
                .put(node.addrs.unwrap_or_default().join(" ").as_str())
                .end();
            Fate::Mapped
        }
        ("gcp-results", _) => {
            if let Some(me) = &node.me {
                facts.is_probably(&peer::normal(me.as_str()));
            }
            let mut all = |peers: Option<Vec<Text<'_>>>| -> Vec<u32> {
                peers.unwrap_or_default().iter().map(|id| segment.peer(&peer::normal(id.as_str()))).collect()
            };
            let (found, actual) = (all(node.peers), all(node.actual));
            let scores = serde_json::to_string(&node.scores.unwrap_or_default()).unwrap_or_default();
            let place = node.target_kad.as_ref().and_then(|kad| place(kad.as_str()));
            segment
                .row(T::GcpResults, at.file_id, at.line)
                .put(at.instance)
                .put(node.ts.0)
                .put(node.target.as_ref().map(Text::as_str))
                .put(place.as_ref())
                .put(found.as_slice())
                .put(actual.as_slice())
                .put(scores.as_str())
                .end();
            Fate::Mapped
        }
        _ => Fate::Noted("unknown-event"),
    }
}

/// 32 bytes in base64.
fn place(text: &str) -> Option<[u8; 32]> {
    peer::base64(text)?.try_into().ok()
}

#[derive(Deserialize)]
struct Trace<'a> {
    ts: Ns,
    #[serde(borrow)]
    msg: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    peer: Text<'a>,
    #[serde(default)]
    dir: serde_json::Value,
}

/// Reads a line of `conn_trace.out`. A connection has no id there: that of the other end stands for it.
pub(crate) fn trace(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let trace: Trace<'_> = parsed!(line);
    let kind = match trace.msg.as_str() {
        "connect" => "open",
        "disconnect" => "close",
        _ => return Fate::Noted("unknown-event"),
    };
    let direction = match (trace.dir.as_u64(), trace.dir.as_str().map(str::to_ascii_lowercase).as_deref()) {
        (Some(1), _) | (_, Some("inbound" | "in")) => 1_u8,
        (Some(2), _) | (_, Some("outbound" | "out")) => 2,
        _ => 0,
    };
    let (own, other) = (peer::normal(trace.id.as_str()), peer::normal(trace.peer.as_str()));
    facts.is_probably(&own);
    let (own, remote) = (segment.peer(&own), segment.peer(&other));
    segment
        .row(T::ConnEvents, at.file_id, at.line)
        .put(at.instance)
        .put(trace.ts.0)
        .put(kind)
        .put(other.as_ref())
        .put(own)
        .put(remote)
        .put(direction)
        .put(None::<&str>)
        .put(None::<&str>)
        .put(None::<bool>)
        .put(None::<&str>)
        .end();
    Fate::Mapped
}
