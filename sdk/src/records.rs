//! Typed recorders: what happened between peers, in files that the analyzer knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tg_model::record::{
    CONNECTIONS_FILE, Connection, ConnectionKind, Direction, LOOKUPS_FILE, Lookup, LookupKind, LookupStatus,
    OWN_TABLE_SUFFIX, PEERS_FILE, Peer, ROUTING_FILE, Routing, RoutingEntry, Step, VERSION, is_own_table_name,
};

use crate::clock::now_ns;
use crate::env::Env;
use crate::lines::{LazyLines, Losses};

/// The recorders of an instance: one file each, made when its first line comes.
#[derive(Debug)]
pub(crate) struct Records {
    lookups: LazyLines,
    connections: LazyLines,
    routing: LazyLines,
    peers: LazyLines,
    next: AtomicU64,
}

impl Records {
    pub(crate) fn new(outputs: &std::path::Path, losses: &Arc<Losses>) -> Self {
        let file = |name| LazyLines::new(outputs.join(name), Arc::clone(losses));
        Self {
            lookups: file(LOOKUPS_FILE),
            connections: file(CONNECTIONS_FILE),
            routing: file(ROUTING_FILE),
            peers: file(PEERS_FILE),
            next: AtomicU64::new(1),
        }
    }

    fn take_id(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

/// How a lookup begins: see [`Env::lookup`].
#[derive(Debug, Clone, Default)]
pub struct LookupStart<'a> {
    /// `find_peer`, `get_closest_peers`, `provide`, `find_providers`, `put`, `get`, `bootstrap`, or a word of yours.
    pub op: &'a str,
    /// What is looked for, as text.
    pub target: &'a str,
    /// Its place in the keyspace, 64 hexadecimal digits, if it does not follow from a peer id.
    pub target_kad: Option<&'a str>,
    /// A word to tell apart kinds of targets.
    pub key_group: Option<&'a str>,
    /// The number of the round.
    pub round: Option<i32>,
}

impl Env {
    /// Records that a lookup begins. What happens in it is recorded with what this returns.
    pub fn lookup(&self, start: &LookupStart<'_>) -> LookupRecorder {
        let lookup = LookupRecorder { env: self.clone(), lookup: self.inner.records.take_id() };
        lookup.record(LookupKind::Start {
            op: start.op.to_owned(),
            target: start.target.to_owned(),
            target_kad: start.target_kad.map(str::to_owned),
            key_group: start.key_group.map(str::to_owned),
            round: start.round,
        });
        lookup
    }

    /// Records that a connection is open. Its end is recorded with what this returns.
    pub fn connection(&self, link: &Link<'_>) -> ConnectionRecorder {
        let line = Connection {
            v: VERSION,
            ts: now_ns(),
            kind: ConnectionKind::Open,
            conn: self.inner.records.take_id(),
            local: link.local.to_owned(),
            remote: link.remote.to_owned(),
            dir: link.dir,
            transport: link.transport.map(str::to_owned),
            addr: link.addr.map(str::to_owned),
            relayed: link.relayed,
            reason: None,
        };
        self.inner.records.connections.own(&line);
        ConnectionRecorder { env: self.clone(), line }
    }

    /// Records one whole routing table. The label of the snapshot is the same in all instances.
    pub fn routing_table(&self, snapshot: &str, owner: &str, entries: Vec<RoutingEntry>) {
        let (snapshot, owner) = (snapshot.to_owned(), owner.to_owned());
        self.inner.records.routing.own(&Routing { v: VERSION, ts: now_ns(), snapshot, owner, entries });
    }

    /// Records who this instance is.
    pub fn me(&self, peer: &PeerFacts<'_>) {
        self.peer_line(peer, true);
    }

    /// Records facts about another peer.
    pub fn peer(&self, peer: &PeerFacts<'_>) {
        self.peer_line(peer, false);
    }

    fn peer_line(&self, facts: &PeerFacts<'_>, me: bool) {
        self.inner.records.peers.own(&Peer {
            v: VERSION,
            ts: now_ns(),
            peer: facts.peer.to_owned(),
            me,
            role: facts.role.map(str::to_owned),
            dialable: facts.dialable,
            kad: facts.kad.map(str::to_owned),
            addrs: facts.addrs.iter().map(|&addr| addr.to_owned()).collect(),
        });
    }

    /// A table of your own: `<name>.ndjson` in the outputs, `x_<name>` in the dataset.
    ///
    /// The name is up to 40 lower-case letters, digits and `_`, and begins with a letter.
    pub fn table(&self, name: &str) -> Result<Table, RecordError> {
        if !is_own_table_name(name) {
            return Err(RecordError::TableName { name: name.to_owned() });
        }
        let path = self.outputs_path().join(format!("{name}{OWN_TABLE_SUFFIX}"));
        Ok(Table { name: name.to_owned(), lines: LazyLines::new(path, Arc::clone(&self.inner.losses)) })
    }
}

/// What happens in one lookup. A lookup that is dropped without [`LookupRecorder::end`] stays open in the record.
#[derive(Debug)]
#[must_use = "a lookup that is dropped without `end` stays open in the record"]
pub struct LookupRecorder {
    env: Env,
    lookup: String,
}

impl LookupRecorder {
    /// The id of the lookup in the record.
    pub fn id(&self) -> &str {
        &self.lookup
    }

    /// Any line of a lookup: for facts that the short forms leave out.
    pub fn record(&self, kind: LookupKind) {
        let line = Lookup { v: VERSION, ts: now_ns(), lookup: self.lookup.clone(), kind };
        self.env.inner.records.lookups.own(&line);
    }

    fn step(&self, step: Step, peer: &str, rtt: Option<Duration>, closer: &[&str], error: Option<String>) {
        self.record(LookupKind::Step {
            step,
            peer: peer.to_owned(),
            source: None,
            cause: None,
            closer: closer.iter().map(|&peer| peer.to_owned()).collect(),
            rtt_ns: rtt.map(nanos),
            error,
        });
    }

    /// A connection to a peer is being made.
    pub fn dial(&self, peer: &str) {
        self.step(Step::Dial, peer, None, &[], None);
    }

    /// It could not be made.
    pub fn dial_error(&self, peer: &str, error: impl std::fmt::Display) {
        self.step(Step::DialError, peer, None, &[], Some(error.to_string()));
    }

    /// A request was sent to a peer.
    pub fn send(&self, peer: &str) {
        self.step(Step::Send, peer, None, &[], None);
    }

    /// A peer answered, and named peers that are closer.
    pub fn receive(&self, peer: &str, rtt: Duration, closer: &[&str]) {
        self.step(Step::Receive, peer, Some(rtt), closer, None);
    }

    /// A peer answered badly or not at all.
    pub fn error(&self, peer: &str, error: impl std::fmt::Display) {
        self.step(Step::Error, peer, None, &[], Some(error.to_string()));
    }

    /// A peer was added to those to ask; `source` told of it, if it was not our own table.
    pub fn adding(&self, peer: &str, source: Option<&str>) {
        self.record(LookupKind::Step {
            step: Step::Adding,
            peer: peer.to_owned(),
            source: source.map(str::to_owned),
            cause: source.map(str::to_owned),
            closer: Vec::new(),
            rtt_ns: None,
            error: None,
        });
    }

    /// A result: the peer that it is or came from, and a short value.
    pub fn result(&self, peer: Option<&str>, value: Option<&str>) {
        self.record(LookupKind::Result { peer: peer.map(str::to_owned), value: value.map(str::to_owned) });
    }

    /// The lookup ended; `closest` are the peers it settled on, nearest first.
    pub fn end(self, status: LookupStatus, closest: &[&str]) {
        let closest = closest.iter().map(|&peer| peer.to_owned()).collect();
        self.record(LookupKind::End { status, reason: None, closest, results_expected: None, error: None });
    }

    /// The lookup ended with an error.
    pub fn fail(self, error: impl std::fmt::Display) {
        let (status, error) = (LookupStatus::Error, Some(error.to_string()));
        self.record(LookupKind::End { status, reason: None, closest: Vec::new(), results_expected: None, error });
    }
}

/// A connection as it opens: see [`Env::connection`].
#[derive(Debug, Clone, Default)]
pub struct Link<'a> {
    /// Our end: a peer id, or the name of the instance.
    pub local: &'a str,
    /// The other end.
    pub remote: &'a str,
    /// Who dialled.
    pub dir: Direction,
    /// `tcp`, `quic`, …
    pub transport: Option<&'a str>,
    /// The remote address.
    pub addr: Option<&'a str>,
    /// Whether it goes through a relay.
    pub relayed: Option<bool>,
}

/// An open connection in the record. One that is dropped without [`ConnectionRecorder::close`] stays open there.
#[derive(Debug)]
#[must_use = "a connection that is dropped without `close` stays open in the record"]
pub struct ConnectionRecorder {
    env: Env,
    line: Connection,
}

impl ConnectionRecorder {
    /// Records that it is closed, and why, if anyone knows.
    pub fn close(mut self, reason: Option<&str>) {
        self.line.ts = now_ns();
        self.line.kind = ConnectionKind::Close;
        self.line.reason = reason.map(str::to_owned);
        self.env.inner.records.connections.own(&self.line);
    }
}

/// What is known of a peer: see [`Env::me`].
#[derive(Debug, Clone, Default)]
pub struct PeerFacts<'a> {
    /// Its id.
    pub peer: &'a str,
    /// `server`, `client`, `bootstrapper`, `honest`, `attacker`, or a word of yours.
    pub role: Option<&'a str>,
    /// Whether others can dial it.
    pub dialable: Option<bool>,
    /// Its place in the keyspace, 64 hexadecimal digits, if it does not follow from the id.
    pub kad: Option<&'a str>,
    /// Its addresses.
    pub addrs: &'a [&'a str],
}

/// A table of the author's own.
#[derive(Debug)]
pub struct Table {
    name: String,
    lines: LazyLines,
}

impl Table {
    /// Writes a row, which must become a JSON object.
    pub fn row<T: Serialize + ?Sized>(&self, row: &T) -> Result<(), RecordError> {
        let object = self.object(row)?;
        self.lines.own(&object);
        Ok(())
    }

    /// Writes a row with the time of now as its first column, `ts`.
    pub fn row_now<T: Serialize + ?Sized>(&self, row: &T) -> Result<(), RecordError> {
        let mut stamped = serde_json::Map::new();
        stamped.insert("ts".to_owned(), now_ns().into());
        for (key, value) in self.object(row)? {
            if key == "ts" {
                return Err(RecordError::OwnTime { table: self.name.clone() });
            }
            stamped.insert(key, value);
        }
        self.lines.own(&stamped);
        Ok(())
    }

    fn object<T: Serialize + ?Sized>(&self, row: &T) -> Result<serde_json::Map<String, Value>, RecordError> {
        match serde_json::to_value(row) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(RecordError::NoObject { table: self.name.clone() }),
            Err(source) => Err(RecordError::Row { table: self.name.clone(), source }),
        }
    }
}

/// Why something cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A table's name is not as it must be.
    #[error("`{name}` is no name for a table: use up to 40 of a-z, 0-9 and `_`, a letter first")]
    TableName {
        /// The name.
        name: String,
    },
    /// A row is not an object.
    #[error("a row of table `{table}` must become a JSON object, such as a struct does")]
    NoObject {
        /// The table.
        table: String,
    },
    /// A row has a column `ts` already.
    #[error("a row of table `{table}` has a column `ts` of its own: use `row` instead of `row_now`")]
    OwnTime {
        /// The table.
        table: String,
    },
    /// A row does not become JSON.
    #[error("a row of table `{table}` cannot be written as JSON")]
    Row {
        /// The table.
        table: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// An asset's name is not as it must be.
    #[error("`{name}` is no name for an asset: {why}")]
    AssetName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// An asset cannot be made.
    #[error("cannot make the asset `{name}`")]
    Asset {
        /// The name.
        name: String,
        /// Why not.
        source: std::io::Error,
    },
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
