//! What known messages of plans tell besides their text: numbers, who the instance is, when its phases began.

use serde::Deserialize;

use super::facts::Facts;
use super::json::Ns;
use super::{At, peer};
use crate::dataset::segment::{Segment, T};

/// Looks at a message. It is a row of `events` in any case; what it tells besides becomes rows of the same line.
pub(crate) fn heard(segment: &mut Segment, facts: &mut Facts, at: At, ts: Option<Ns>, text: &str) {
    // Most messages are none of these: their first byte says so.
    match text.as_bytes().first() {
        Some(b't') => {
            if let Some(json) = text.strip_prefix("table health: ") {
                table_health(segment, at, ts, json);
            }
        }
        Some(b'b') => {
            if let Some((connections, entries)) = text
                .strip_prefix("bootstrap: finished with ")
                .and_then(|rest| rest.split_once(" connections, "))
                .and_then(|(n, rest)| Some((n, rest.strip_suffix(" in the routing table")?)))
            {
                reading(segment, at, ts, "bootstrap_connections", connections, None, None);
                reading(segment, at, ts, "bootstrap_table_entries", entries, None, None);
            }
        }
        Some(b'c') => {
            if let Some((high, low)) =
                text.strip_prefix("connmgr parameters: hi=").and_then(|rest| rest.split_once(", lo="))
            {
                reading(segment, at, ts, "connmgr_high", high, None, None);
                reading(segment, at, ts, "connmgr_low", low, None, None);
            }
            if text.starts_with("connecting to peers") {
                phase(facts, ts, "connect");
            }
        }
        Some(b'd') => {
            if let Some((id, attempt)) = text.strip_prefix("dialling peer ").and_then(attempt) {
                reading(segment, at, ts, "dial_attempt", attempt, Some(id), None);
            }
        }
        Some(b'f') => {
            if let Some((head, error)) =
                text.strip_prefix("failed to dial peer ").and_then(|rest| rest.split_once(", err: "))
                && let Some((id, attempt)) = attempt(head)
            {
                reading(segment, at, ts, "dial_failed_attempt", attempt, Some(id), Some(error));
            }
        }
        Some(b'H') => identity(segment, facts, at, ts, text),
        Some(b'W') if text.starts_with("Wait for ") && text.ends_with("warmup time") => phase(facts, ts, "warm"),
        Some(b'W') if text.starts_with("Wait for ") && text.ends_with("run time") => phase(facts, ts, "run"),
        Some(b'R') if text.starts_with("Run time complete, cooling down") => phase(facts, ts, "cool"),
        Some(b'C') if text.starts_with("Cool down complete") => phase(facts, ts, "complete"),
        _ => {}
    }
}

/// `PEER (attempt N)`.
fn attempt(text: &str) -> Option<(&str, &str)> {
    let (id, rest) = text.split_once(" (attempt ")?;
    Some((id, rest.strip_suffix(')')?))
}

/// A phase begins where it is told of first.
fn phase(facts: &mut Facts, ts: Option<Ns>, name: &str) {
    let Some(Ns(ts)) = ts else { return };
    if facts.phases.iter().all(|(known, _)| known != name) {
        facts.phases.push((name.to_owned(), ts));
    }
}

fn reading(
    segment: &mut Segment,
    at: At,
    ts: Option<Ns>,
    name: &str,
    value: &str,
    id: Option<&str>,
    error: Option<&str>,
) {
    // Text that only looks like the message has no number there.
    let Ok(value) = value.trim().parse::<i64>() else { return };
    let idx = id.map(|id| segment.peer(&peer::normal(id)));
    segment
        .row(T::Readings, at.file_id, at.line)
        .put(at.instance)
        .put(ts.map(|ts| ts.0))
        .put(None::<i64>)
        .put(name)
        .put(value as f64)
        .put(idx)
        .put(error)
        .end();
}

/// `Host peer ID: P, seq N, node type: T, node type seq: N, node index: A / B`.
fn identity(segment: &mut Segment, facts: &mut Facts, at: At, ts: Option<Ns>, text: &str) {
    let Some(rest) = text.strip_prefix("Host peer ID: ") else { return };
    let mut parts = rest.split(", ");
    let Some(id) = parts.next().map(peer::normal) else { return };
    let role = parts.find_map(|part| part.strip_prefix("node type: "));
    if facts.me.is_none() {
        facts.me = Some(id.clone().into_owned());
        facts.me_at = (at.file_id, at.line);
    }
    facts.role = facts.role.take().or_else(|| role.map(str::to_owned));
    // A fact needs its moment; who the instance is does not.
    let Some(Ns(ts)) = ts else { return };
    let idx = segment.peer(&id);
    segment
        .row(T::PeerFacts, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(idx)
        .put(true)
        .put(role)
        .put(None::<bool>)
        .put(None::<&str>)
        .put("")
        .end();
}

#[derive(Deserialize)]
struct Health {
    #[serde(default, rename = "IdealDepth")]
    ideal: Option<i64>,
    #[serde(default, rename = "ActualDepth")]
    actual: Option<i64>,
    #[serde(default, rename = "Bucket")]
    buckets: Option<Vec<Bucket>>,
}

#[derive(Deserialize, Default)]
struct Bucket {
    #[serde(default, rename = "Depth")]
    depth: Option<i64>,
    #[serde(default, rename = "MaxKnownContacts")]
    most: Option<i64>,
    #[serde(default, rename = "ActualKnownContacts")]
    known: Option<i64>,
    #[serde(default, rename = "ActualUnknownContacts")]
    unknown: Option<i64>,
}

fn table_health(segment: &mut Segment, at: At, ts: Option<Ns>, json: &str) {
    let Ok(health) = serde_json::from_str::<Health>(json) else { return };
    let mut buckets = health.buckets.unwrap_or_default();
    if buckets.is_empty() {
        buckets.push(Bucket::default());
    }
    for bucket in buckets {
        segment
            .row(T::TableHealth, at.file_id, at.line)
            .put(at.instance)
            .put(ts.map(|ts| ts.0))
            .put(health.ideal)
            .put(health.actual)
            .put(bucket.depth)
            .put(bucket.most)
            .put(bucket.known)
            .put(bucket.unknown)
            .end();
    }
}
