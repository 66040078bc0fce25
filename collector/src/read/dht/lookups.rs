//! The DHT plan's lookups: `dht_queries.out`, and `dht_lookups.out` in both shapes.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::facts::Facts;
use super::super::json::{Ns, Text};
use super::super::{At, Fate, peer};
use super::{Peer, parse, parsed, place};
use crate::dataset::lookups::StepRow;
use crate::dataset::segment::Segment;

#[derive(Deserialize)]
struct AddrInfo<'a> {
    #[serde(borrow, rename = "ID")]
    id: Text<'a>,
}

#[derive(Deserialize)]
struct Query<'a> {
    #[serde(alias = "T")]
    ts: Ns,
    #[serde(borrow, alias = "M")]
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
    format!("{} {}", super::super::lines::hex(target), tag.unwrap_or_default())
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
    steps(segment, at, &row, event.as_ref(), reason);
    Fate::Mapped
}

/// Makes the steps of one event: one for each peer that it asked, heard from or could not reach.
fn steps(segment: &mut Segment, at: At, row: &StepRow<'_>, event: Option<&Event>, reason: Option<&str>) {
    let Some(event) = event else {
        let status = reason.map(|reason| match reason {
            // Nobody was left to ask: the library takes what it found for the answer.
            "completed" | "stopped" | "starvation" => "done",
            _ => "incomplete",
        });
        StepRow { kind: "terminate", reason, status, ..*row }.put(segment, at);
        return;
    };
    let row = StepRow { cause: event.cause, source: event.source, ..*row };
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
