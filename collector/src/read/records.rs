//! The records of our own SDK.

use serde::de::DeserializeOwned;
use tg_model::record::{
    Connection, ConnectionKind, Direction, Lookup, LookupKind, LookupStatus, Peer, Routing, Step, VERSION,
};

use super::facts::Facts;
use super::{At, Fate, peer};
use crate::dataset::lookups::StepRow;
use crate::dataset::segment::{Segment, T};

#[derive(serde::Deserialize)]
struct Version {
    v: u32,
}

/// A line as a record, or why it is none.
fn parse<L: DeserializeOwned>(line: &str) -> Result<L, Fate> {
    if line.trim().is_empty() {
        return Err(Fate::Noted("blank-line"));
    }
    match serde_json::from_str::<L>(line) {
        Ok(record) => Ok(record),
        Err(error) if !error.is_data() => Err(Fate::Noted("not-json")),
        Err(_) => Err(match serde_json::from_str::<Version>(line) {
            Ok(Version { v }) if v != VERSION => Fate::Noted("other-version"),
            _ => Fate::Noted("bad-record"),
        }),
    }
}

fn time(ns: u64) -> Option<i64> {
    i64::try_from(ns).ok()
}

/// Reads a line of `tg.connections.ndjson`.
pub(crate) fn connection(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let record: Connection = match parse(line) {
        Ok(record) => record,
        Err(fate) => return fate,
    };
    let Some(ts) = time(record.ts) else { return Fate::Noted("bad-time") };
    if record.v != VERSION {
        return Fate::Noted("other-version");
    }
    let local = peer::normal(&record.local);
    facts.is_probably(&local);
    let local = segment.peer(&local);
    let remote = segment.peer(&peer::normal(&record.remote));
    segment
        .row(T::ConnEvents, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(match record.kind {
            ConnectionKind::Open => "open",
            ConnectionKind::Close => "close",
        })
        .put(record.conn.as_str())
        .put(local)
        .put(remote)
        .put(match record.dir {
            Direction::Unknown => 0_u8,
            Direction::In => 1,
            Direction::Out => 2,
        })
        .put(record.transport.as_deref())
        .put(record.addr.as_deref())
        .put(record.relayed)
        .put(record.reason.as_deref())
        .end();
    Fate::Mapped
}

/// Reads a line of `tg.peers.ndjson`.
pub(crate) fn peer_fact(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let record: Peer = match parse(line) {
        Ok(record) => record,
        Err(fate) => return fate,
    };
    let Some(ts) = time(record.ts) else { return Fate::Noted("bad-time") };
    if record.v != VERSION {
        return Fate::Noted("other-version");
    }
    let id = peer::normal(&record.peer);
    if record.me {
        if facts.me.is_none() {
            facts.me = Some(id.clone().into_owned());
            facts.me_at = (at.file_id, at.line);
        }
        facts.kad = facts.kad.or_else(|| record.kad.as_deref().and_then(peer::kad_from_hex));
        facts.role = record.role.clone().or(facts.role.take());
        facts.dialable = record.dialable.or(facts.dialable);
    }
    let idx = segment.peer(&id);
    segment
        .row(T::PeerFacts, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(idx)
        .put(record.me)
        .put(record.role.as_deref())
        .put(record.dialable)
        .put(record.kad.as_deref())
        .put(record.addrs.join(" ").as_str())
        .end();
    Fate::Mapped
}

/// Reads a line of `tg.routing.ndjson`.
pub(crate) fn routing(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Fate {
    let record: Routing = match parse(line) {
        Ok(record) => record,
        Err(fate) => return fate,
    };
    let Some(ts) = time(record.ts) else { return Fate::Noted("bad-time") };
    if record.v != VERSION {
        return Fate::Noted("other-version");
    }
    let owner = peer::normal(&record.owner);
    facts.is_probably(&owner);
    let owner = segment.peer(&owner);
    segment
        .row(T::RtDumps, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(record.snapshot.as_str())
        .put(owner)
        .put(u32::try_from(record.entries.len()).unwrap_or(u32::MAX))
        .end();
    for entry in &record.entries {
        let idx = segment.peer(&peer::normal(&entry.peer));
        segment
            .row(T::RoutingTable, at.file_id, at.line)
            .put(at.instance)
            .put(record.snapshot.as_str())
            .put(ts)
            .put(owner)
            .put(idx)
            .put(None::<u16>)
            .put(entry.bucket)
            .put(entry.added_ts.and_then(time))
            .put(entry.last_useful_ts.and_then(time))
            .end();
    }
    Fate::Mapped
}

/// Reads a line of `tg.lookups.ndjson`.
pub(crate) fn lookup(segment: &mut Segment, at: At, line: &str) -> Fate {
    let record: Lookup = match parse(line) {
        Ok(record) => record,
        Err(fate) => return fate,
    };
    let Some(ts) = time(record.ts) else { return Fate::Noted("bad-time") };
    if record.v != VERSION {
        return Fate::Noted("other-version");
    }
    let mut row =
        StepRow { quality: "own", key: &record.lookup, lookup: Some(&record.lookup), ts, ..StepRow::default() };
    let mut peer_of = |id: &String| segment.peer(&peer::normal(id));
    let closer: Vec<u32>;
    match &record.kind {
        LookupKind::Start { op, target, target_kad, key_group, round } => {
            row.kind = "start";
            row.op = Some(op);
            row.target = Some(target);
            row.target_kad = target_kad.as_deref().and_then(peer::kad_from_hex).or_else(|| peer::kad(target));
            row.key_group = key_group.as_deref();
            row.round = *round;
        }
        LookupKind::Step { step, peer, source, cause, closer: heard, rtt_ns, error } => {
            row.kind = match step {
                Step::Dial => "dial",
                Step::DialError => "dial_error",
                Step::Send => "send",
                Step::Receive => "receive",
                Step::Error => "error",
                Step::Adding => "adding",
            };
            row.peer = Some(peer_of(peer));
            row.source = source.as_ref().map(&mut peer_of);
            row.cause = cause.as_ref().map(&mut peer_of);
            closer = heard.iter().map(peer_of).collect();
            row.closer = &closer;
            row.n_closer = (*step == Step::Receive).then(|| u16::try_from(closer.len()).unwrap_or(u16::MAX));
            row.rtt_ns = rtt_ns.and_then(time);
            row.error = error.as_deref();
        }
        LookupKind::Result { peer, value } => {
            row.kind = "result";
            row.peer = peer.as_ref().map(peer_of);
            row.value = value.as_deref();
        }
        LookupKind::End { status, reason, closest, results_expected, error } => {
            row.kind = "terminate";
            row.status = Some(match status {
                LookupStatus::Done => "done",
                LookupStatus::Fail => "fail",
                LookupStatus::Incomplete => "incomplete",
                LookupStatus::Error => "error",
            });
            row.reason = reason.as_deref();
            closer = closest.iter().map(peer_of).collect();
            row.closer = &closer;
            row.results_expected = *results_expected;
            row.error = error.as_deref();
        }
    }
    row.put(segment, at);
    Fate::Mapped
}
