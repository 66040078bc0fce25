//! What the DHT plan wrote: graphs, routing tables, queries, lookups in both shapes, and its nodes.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::facts::Facts;
use super::json::{Ns, Text};
use super::{At, Fate, peer};
use crate::dataset::lookups::StepRow;
use crate::dataset::segment::{Segment, T};

/// A line as a record of this shape, or why it is none.
fn parse<'a, L: Deserialize<'a>>(line: &'a str) -> Result<L, Fate> {
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

#[derive(Deserialize)]
struct Edge<'a> {
    ts: Ns,
    #[serde(borrow)]
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

#[derive(Deserialize)]
struct AddrInfo<'a> {
    #[serde(borrow, rename = "ID")]
    id: Text<'a>,
}

#[derive(Deserialize)]
struct Query<'a> {
    ts: Ns,
    #[serde(borrow)]
    msg: Text<'a>,
    #[serde(borrow, default)]
    tag: Option<Text<'a>>,
    #[serde(borrow)]
    node: Text<'a>,
    #[serde(borrow)]
    target: Text<'a>,
    #[serde(borrow)]
    peer: Text<'a>,
    #[serde(borrow, default)]
    closer: Option<Vec<AddrInfo<'a>>>,
    #[serde(borrow, default)]
    value: Option<Text<'a>>,
}

/// Reads a line of `dht_queries.out`. It has no id of its lookup: node, target, tag and time tell.
pub(crate) fn query(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let query: Query<'_> = parsed!(line);
    let value = query.value.as_ref().map(Text::as_str).filter(|value| !value.is_empty());
    let kind = match query.msg.as_str() {
        "dialing" => "dial",
        "send" => "send",
        "receive" => "receive",
        "result" => "result",
        "adding" => "adding",
        "" => "final",
        "error" if value.is_some_and(|text| text.starts_with("failed to dial")) => "dial_error",
        "error" => "error",
        _ => return Fate::Noted("unknown-event"),
    };
    facts.is_probably(&peer::normal(query.node.as_str()));
    let target = query.target.as_str();
    let bytes = peer::unbase58(target).unwrap_or_else(|| target.as_bytes().to_vec());
    let target_kad: [u8; 32] = Sha256::digest(bytes).into();
    let tag = query.tag.as_ref().map(Text::as_str);
    let closer: Vec<u32> =
        query.closer.iter().flatten().map(|info| segment.peer(&peer::normal(info.id.as_str()))).collect();
    let error = matches!(kind, "error" | "dial_error");
    let row = StepRow {
        key: &key(&target_kad, tag),
        ts: query.ts.0,
        kind,
        peer: Some(segment.peer(&peer::normal(query.peer.as_str()))),
        n_closer: query.closer.is_some().then(|| u16::try_from(closer.len()).unwrap_or(u16::MAX)),
        closer: &closer,
        error: value.filter(|_| error),
        value: value.filter(|_| !error),
        op: tag.and_then(op),
        tag,
        target: Some(target),
        target_kad: Some(target_kad),
        quality: "dht",
        ..StepRow::default()
    };
    row.put(segment, at);
    Fate::Mapped
}

/// What brings the lines of one target and purpose together.
fn key(target: &[u8; 32], tag: Option<&str>) -> String {
    format!("{} {}", super::lines::hex(target), tag.unwrap_or_default())
}

/// What the plan's word for an operation means. Its words for records mean two operations each: which of them is
/// decided when all files of the instance were read.
fn op(tag: &str) -> Option<&str> {
    match tag {
        "peer-records" => Some("find_peer"),
        "get-closest-peers" => Some("get_closest_peers"),
        "bootstrap-network" => Some("bootstrap"),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Peer<'a> {
    #[serde(borrow, rename = "Peer")]
    peer: Text<'a>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow, default, rename = "Cause")]
    cause: Option<Peer<'a>>,
    #[serde(borrow, default, rename = "Source")]
    source: Option<Peer<'a>>,
    #[serde(borrow, default, rename = "Heard")]
    heard: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Waiting")]
    waiting: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Queried")]
    queried: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Unreachable")]
    unreachable: Option<Vec<Peer<'a>>>,
}

#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow, default, rename = "Key")]
    key: Option<Text<'a>>,
    #[serde(borrow, rename = "Kad")]
    kad: Text<'a>,
}

#[derive(Deserialize)]
struct Terminate<'a> {
    #[serde(borrow, rename = "Reason")]
    reason: Text<'a>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, rename = "Node")]
    node: Peer<'a>,
    #[serde(borrow, rename = "ID")]
    id: Text<'a>,
    #[serde(borrow, rename = "Key")]
    key: Key<'a>,
    #[serde(borrow, default, rename = "Request")]
    request: Option<Update<'a>>,
    #[serde(borrow, default, rename = "Response")]
    response: Option<Update<'a>>,
    #[serde(borrow, default, rename = "Terminate")]
    terminate: Option<Terminate<'a>>,
}

/// A line in either shape: with `info`, or flat as before April 2020.
#[derive(Deserialize)]
struct Lookup<'a> {
    ts: Ns,
    #[serde(borrow, default)]
    tag: Option<Text<'a>>,
    #[serde(borrow, default)]
    info: Option<Info<'a>>,
    #[serde(borrow, default, rename = "lookupID")]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    node: Option<Text<'a>>,
    #[serde(borrow, default)]
    target: Option<Text<'a>>,
    #[serde(borrow, default, rename = "targetKad")]
    target_kad: Option<Text<'a>>,
    #[serde(borrow, default)]
    cause: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default)]
    heard: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    waiting: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    queried: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    unreachable: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
}

/// An event of a lookup, whatever its shape.
struct Event {
    request: bool,
    cause: Option<u32>,
    source: Option<u32>,
    heard: Vec<u32>,
    waiting: Vec<u32>,
    queried: Vec<u32>,
    unreachable: Vec<u32>,
}

/// Reads a line of `dht_lookups.out`.
pub(crate) fn lookup(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let lookup: Lookup<'_> = parsed!(line);
    let tag = lookup.tag.as_ref().map(Text::as_str);
    let mut peer_of = |id: &Text<'_>| segment.peer(&peer::normal(id.as_str()));
    let (id, node, target, kad, reason, event);
    if let Some(info) = &lookup.info {
        let one =
            |peer: &Option<Peer<'_>>, of: &mut dyn FnMut(&Text<'_>) -> u32| peer.as_ref().map(|peer| of(&peer.peer));
        let all = |peers: &Option<Vec<Peer<'_>>>, of: &mut dyn FnMut(&Text<'_>) -> u32| -> Vec<u32> {
            peers.iter().flatten().map(|peer| of(&peer.peer)).collect()
        };
        (id, node) = (info.id.as_str(), Some(info.node.peer.as_str()));
        (target, kad) = (info.key.key.as_ref(), Some(info.key.kad.as_str()));
        reason = info.terminate.as_ref().map(|end| end.reason.as_str());
        event = info.request.as_ref().or(info.response.as_ref()).map(|update| Event {
            request: info.request.is_some(),
            cause: one(&update.cause, &mut peer_of),
            source: one(&update.source, &mut peer_of),
            heard: all(&update.heard, &mut peer_of),
            waiting: all(&update.waiting, &mut peer_of),
            queried: all(&update.queried, &mut peer_of),
            unreachable: all(&update.unreachable, &mut peer_of),
        });
    } else if let Some(flat) = &lookup.id {
        (id, node) = (flat.as_str(), lookup.node.as_ref().map(Text::as_str));
        (target, kad) = (lookup.target.as_ref(), lookup.target_kad.as_ref().map(Text::as_str));
        reason = lookup.reason.as_ref().map(Text::as_str);
        let mut all =
            |peers: &Option<Vec<Text<'_>>>| -> Vec<u32> { peers.iter().flatten().map(&mut peer_of).collect() };
        let (heard, waiting) = (all(&lookup.heard), all(&lookup.waiting));
        let (queried, unreachable) = (all(&lookup.queried), all(&lookup.unreachable));
        event = (reason.is_none()).then(|| Event {
            request: !waiting.is_empty(),
            cause: lookup.cause.as_ref().map(&mut peer_of),
            source: lookup.source.as_ref().map(&mut peer_of),
            heard,
            waiting,
            queried,
            unreachable,
        });
    } else {
        return Fate::Noted("bad-record");
    }
    if event.is_none() && reason.is_none() {
        return Fate::Noted("unknown-event");
    }
    if let Some(node) = node {
        facts.is_probably(&peer::normal(node));
    }
    let target = target.map(Text::as_str);
    let target_kad = kad.and_then(|kad| place(kad).or_else(|| peer::kad_from_hex(kad)));
    let Some(target_kad) = target_kad.or_else(|| peer::kad(target?)) else { return Fate::Noted("bad-record") };
    let key = key(&target_kad, tag);
    let row = StepRow {
        key: &key,
        lookup: Some(id),
        ts: lookup.ts.0,
        op: tag.and_then(op),
        tag,
        target,
        target_kad: Some(target_kad),
        quality: "dht",
        ..StepRow::default()
    };
    steps(segment, at, row, event.as_ref(), reason);
    Fate::Mapped
}

/// Makes the steps of one event: one for each peer that it asked, heard from or could not reach.
fn steps(segment: &mut Segment, at: At, row: StepRow<'_>, event: Option<&Event>, reason: Option<&str>) {
    let Some(event) = event else {
        let status = reason.map(|reason| match reason {
            "completed" | "stopped" => "done",
            "starvation" => "fail",
            _ => "incomplete",
        });
        StepRow { kind: "terminate", reason, status, ..row }.put(segment, at);
        return;
    };
    let row = StepRow { cause: event.cause, source: event.source, ..row };
    if event.request {
        for &peer in &event.waiting {
            StepRow { kind: "send", peer: Some(peer), ..row }.put(segment, at);
        }
        if event.waiting.is_empty() {
            StepRow { kind: "request", ..row }.put(segment, at);
        }
        return;
    }
    for &peer in &event.unreachable {
        StepRow { kind: "error", peer: Some(peer), ..row }.put(segment, at);
    }
    let answer = StepRow {
        kind: "receive",
        closer: &event.heard,
        n_closer: Some(u16::try_from(event.heard.len()).unwrap_or(u16::MAX)),
        ..row
    };
    for &peer in &event.queried {
        StepRow { peer: Some(peer), ..answer }.put(segment, at);
    }
    // What the node's own table held: nobody was asked for it.
    if event.queried.is_empty() && event.unreachable.is_empty() {
        answer.put(segment, at);
    }
}

#[derive(Deserialize)]
struct RtEvent<'a> {
    ts: Ns,
    #[serde(borrow)]
    info: RtInfo<'a>,
}

#[derive(Deserialize)]
struct RtInfo<'a> {
    #[serde(borrow, default, rename = "PeerUpdated")]
    updated: Option<RtUpdate<'a>>,
    #[serde(default, rename = "BucketRefreshLaunched")]
    refresh: Option<Refresh>,
}

#[derive(Deserialize)]
struct RtUpdate<'a> {
    #[serde(borrow, default, rename = "Added")]
    added: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Removed")]
    removed: Option<Vec<Peer<'a>>>,
    #[serde(borrow, default, rename = "Updated")]
    updated: Option<Vec<Scored<'a>>>,
}

#[derive(Deserialize)]
struct Scored<'a> {
    #[serde(borrow, rename = "Peer")]
    peer: Peer<'a>,
    #[serde(default, rename = "Score")]
    score: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Refresh {
    #[serde(default, rename = "CPL")]
    cpl: Option<u16>,
    #[serde(default, rename = "Skipped")]
    skipped: Option<bool>,
}

/// Reads a line of `rt_evts.out`.
pub(crate) fn rt_event(segment: &mut Segment, at: At, line: &str) -> Fate {
    let event: RtEvent<'_> = parsed!(line);
    let ts = event.ts.0;
    let put =
        |segment: &mut Segment, kind: &str, peer: Option<&Text<'_>>, refresh: Option<Refresh>, score: Option<f64>| {
            let idx = peer.map(|id| segment.peer(&peer::normal(id.as_str())));
            let refresh = refresh.unwrap_or_default();
            segment
                .row(T::RtEvents, at.file_id, at.line)
                .put(at.instance)
                .put(ts)
                .put(kind)
                .put(idx)
                .put(refresh.cpl)
                .put(refresh.skipped)
                .put(score)
                .end();
        };
    match (event.info.updated, event.info.refresh) {
        (Some(update), _) => {
            let (added, removed) = (update.added.unwrap_or_default(), update.removed.unwrap_or_default());
            let updated = update.updated.unwrap_or_default();
            for peer in &added {
                put(segment, "added", Some(&peer.peer), None, None);
            }
            for peer in &removed {
                put(segment, "removed", Some(&peer.peer), None, None);
            }
            for one in &updated {
                put(segment, "updated", Some(&one.peer.peer), None, one.score);
            }
            if added.is_empty() && removed.is_empty() && updated.is_empty() {
                put(segment, "nothing", None, None, None);
            }
            Fate::Mapped
        }
        (None, Some(refresh)) => {
            put(segment, "refresh", None, Some(refresh), None);
            Fate::Mapped
        }
        (None, None) => Fate::Noted("unknown-event"),
    }
}
