//! Traces and scores as JSON, one record per line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::dht::{parse, parsed};
use super::super::facts::Facts;
use super::super::json::{Ns, Text};
use super::super::{At, Fate, peer};
use super::events::{self, Held, KINDS, Seen};
use crate::dataset::segment::{Segment, T};

/// The part of an event that its kind names, with the union of all kinds' keys.
#[derive(Deserialize, Default)]
struct Body {
    #[serde(default, rename = "messageID")]
    id: Option<String>,
    #[serde(default, alias = "sendTo", alias = "peerID", rename = "receivedFrom")]
    other: Option<String>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    topics: Option<Vec<String>>,
    #[serde(default, alias = "proto")]
    reason: Option<String>,
    #[serde(default)]
    meta: Option<Value>,
}

#[derive(Deserialize)]
struct Traced {
    #[serde(rename = "type")]
    kind: Value,
    #[serde(default, rename = "peerID")]
    peer: Option<String>,
    /// A number, or one in quotes as protobuf's own JSON has it.
    timestamp: Value,
    #[serde(
        default,
        alias = "rejectMessage",
        alias = "duplicateMessage",
        alias = "deliverMessage",
        alias = "addPeer",
        alias = "removePeer",
        alias = "recvRPC",
        alias = "sendRPC",
        alias = "dropRPC",
        alias = "join",
        alias = "leave",
        alias = "graft",
        alias = "prune",
        rename = "publishMessage"
    )]
    body: Option<Body>,
}

/// Reads a line of a trace as JSON.
pub(crate) fn traced(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let traced: Traced = parsed!(line);
    let body = traced.body.unwrap_or_default();
    let kind = match &traced.kind {
        Value::String(word) => KINDS.iter().position(|(_, name)| name == word).and_then(|at| i64::try_from(at).ok()),
        other => other.as_i64(),
    };
    let ts = traced.timestamp.as_i64().or_else(|| traced.timestamp.as_str()?.parse().ok());
    let id = |text: Option<String>| text.map(|text| peer::from_base64(&text));
    let seen = Seen {
        kind: kind.unwrap_or(-1),
        ts,
        local: id(traced.peer),
        other: id(body.other),
        topic: body.topic.or_else(|| body.topics?.into_iter().next()),
        // A message id in another writer's form is kept as its text.
        id: body.id.map(|id| peer::base64(&id).unwrap_or_else(|| id.into_bytes())),
        reason: body.reason,
        held: body.meta.as_ref().map(held),
    };
    events::put(segment, facts, at, &seen)
}

fn held(meta: &Value) -> Held {
    let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let control = meta.get("control").cloned().unwrap_or_default();
    let ids = |key: &str| list(&control, key).iter().map(|one| list(one, "messageIDs").len()).sum();
    Held {
        msgs: list(meta, "messages").len(),
        ihave: ids("ihave"),
        iwant: ids("iwant"),
        graft: list(&control, "graft").len(),
        prune: list(&control, "prune").len(),
        idontwant: ids("idontwant"),
    }
}

#[derive(Deserialize)]
struct Scores<'a> {
    #[serde(rename = "Timestamp")]
    ts: Ns,
    #[serde(borrow, rename = "PeerID")]
    observer: Text<'a>,
    #[serde(default, rename = "Scores")]
    rated: Option<BTreeMap<String, Option<f64>>>,
}

/// Reads a line of `peer-scores-*.json`.
pub(crate) fn scores(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let record: Scores<'_> = parsed!(line);
    let observer = peer::from_base64(record.observer.as_str());
    facts.saw(Some(record.ts));
    facts.is_probably(&observer);
    let observer = segment.peer(&observer);
    let rated = record.rated.unwrap_or_default();
    let mut put = |peer: Option<&str>, score: Option<f64>| {
        let idx = peer.map(|peer| segment.peer(&peer::from_base64(peer)));
        segment
            .row(T::PeerScores, at.file_id, at.line)
            .put(at.instance)
            .put(record.ts.0)
            .put(observer)
            .put(idx)
            .put(score)
            .end();
    };
    for (peer, score) in &rated {
        put(Some(peer), *score);
    }
    if rated.is_empty() {
        put(None, None);
    }
    Fate::Mapped
}
