//! The lines that a plan may write into its outputs folder, in any language: one JSON object each, UTF-8, ended by
//! a line feed. Version 1.
//!
//! `run.out` and `results.out` keep the shapes of Testground's SDKs. The files named here are ours. A reader ignores
//! keys that it does not know; a line with another `v` is noted and not read.

use serde::{Deserialize, Serialize};

/// The version of every line in the files below.
pub const VERSION: u32 = 1;

/// Lookups, step by step: lines of [`Lookup`].
pub const LOOKUPS_FILE: &str = "tg.lookups.ndjson";
/// Connections as they open and close: lines of [`Connection`].
pub const CONNECTIONS_FILE: &str = "tg.connections.ndjson";
/// Routing tables: lines of [`Routing`].
pub const ROUTING_FILE: &str = "tg.routing.ndjson";
/// Who this instance is: lines of [`Peer`].
pub const PEERS_FILE: &str = "tg.peers.ndjson";
/// What follows the name of a table of the author's own: `<name>.ndjson` becomes the table `x_<name>`.
pub const OWN_TABLE_SUFFIX: &str = ".ndjson";
/// Events of the instance, as on stdout.
pub const RUN_OUT: &str = "run.out";
/// Metrics that are results.
pub const RESULTS_OUT: &str = "results.out";
/// Metrics that help to understand a run.
pub const DIAGNOSTICS_OUT: &str = "diagnostics.out";

/// A line of `tg.lookups.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The version, [`VERSION`].
    pub v: u32,
    /// When, in nanoseconds since the epoch.
    pub ts: u64,
    /// The lookup: any text that is unique in this instance.
    pub lookup: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: LookupKind,
}

/// What happened in a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LookupKind {
    /// It began.
    Start {
        /// `find_peer`, `get_closest_peers`, `provide`, `find_providers`, `put`, `get`, `bootstrap`, or a word of the author's.
        op: String,
        /// The key that is looked for, as text (a peer id, a CID, …).
        target: String,
        /// The place of the target in the keyspace, 64 hexadecimal digits; computed from a peer id if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target_kad: Option<String>,
        /// A word to tell apart kinds of targets, such as the group that provides them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_group: Option<String>,
        /// The number of the round.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<i32>,
    },
    /// One step towards a peer.
    Step {
        /// What was done.
        step: Step,
        /// The peer.
        peer: String,
        /// Who told us of this peer; absent for peers of our own table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Whose answer led to this step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// The peers in the answer (`receive`).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        closer: Vec<String>,
        /// From the request to the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rtt_ns: Option<u64>,
        /// The error's text (`dial_error`, `error`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A result: a provider, a value, the wanted peer.
    Result {
        /// The peer that it is, or came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        /// The value, if it is short text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// It ended.
    End {
        /// How.
        status: LookupStatus,
        /// Why, in a word of the library's: `completed`, `starvation`, `stopped`, …
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The closest peers it settled on, nearest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        closest: Vec<String>,
        /// How many results there should have been.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        results_expected: Option<u32>,
        /// The error's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What was done towards a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A connection is being made.
    Dial,
    /// It could not be made.
    DialError,
    /// A request was sent.
    Send,
    /// An answer came.
    Receive,
    /// No answer came, or a bad one.
    Error,
    /// The peer was added to those to ask.
    Adding,
}

/// How a lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupStatus {
    /// With what was asked for.
    Done,
    /// Without it.
    Fail,
    /// It was given up before it ended.
    Incomplete,
    /// With an error.
    Error,
}

/// A line of `tg.connections.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The version, [`VERSION`].
    pub v: u32,
    /// When, in nanoseconds since the epoch.
    pub ts: u64,
    /// `open` or `close`.
    pub kind: ConnectionKind,
    /// The connection: any text that is unique in this instance.
    pub conn: String,
    /// Our end: a peer id, or the name of the instance.
    pub local: String,
    /// The other end.
    pub remote: String,
    /// Who dialled.
    #[serde(default)]
    pub dir: Direction,
    /// `tcp`, `quic`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The remote address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// Whether it goes through a relay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed: Option<bool>,
    /// Why it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a connection opened or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// It opened.
    Open,
    /// It closed.
    Close,
}

/// Who dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// They did.
    In,
    /// We did.
    Out,
}

/// A line of `tg.routing.ndjson`: one whole routing table at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The version, [`VERSION`].
    pub v: u32,
    /// When, in nanoseconds since the epoch.
    pub ts: u64,
    /// The label of the snapshot, the same in all instances: `after_refresh`, `end`, …
    pub snapshot: String,
    /// Whose table it is.
    pub owner: String,
    /// Its entries.
    pub entries: Vec<RoutingEntry>,
}

/// An entry of a routing table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingEntry {
    /// The peer.
    pub peer: String,
    /// The bucket as the implementation numbers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u16>,
    /// When it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_ts: Option<u64>,
    /// When it was last of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_useful_ts: Option<u64>,
}

/// A line of `tg.peers.ndjson`: who this instance is, or another peer that it knows facts about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The version, [`VERSION`].
    pub v: u32,
    /// When, in nanoseconds since the epoch.
    pub ts: u64,
    /// The peer's id.
    pub peer: String,
    /// Whether it is this instance itself.
    #[serde(default)]
    pub me: bool,
    /// `server`, `client`, `bootstrapper`, `honest`, `attacker`, or a word of the author's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether others can dial it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialable: Option<bool>,
    /// Its place in the keyspace, 64 hexadecimal digits; SHA-256 of the id's multihash if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kad: Option<String>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addrs: Vec<String>,
}

/// Whether `name` may be the name of a table of the author's own.
pub fn is_own_table_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 40
        && name.as_bytes()[0].is_ascii_lowercase()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_flat_and_small() {
        let line = Lookup {
            v: VERSION,
            ts: 9,
            lookup: "1".to_owned(),
            kind: LookupKind::Step {
                step: Step::DialError,
                peer: "p".to_owned(),
                source: None,
                cause: None,
                closer: Vec::new(),
                rtt_ns: None,
                error: Some("refused".to_owned()),
            },
        };
        let text = serde_json::to_string(&line).expect("it serialises");
        assert_eq!(
            text,
            r#"{"v":1,"ts":9,"lookup":"1","kind":"step","step":"dial_error","peer":"p","error":"refused"}"#
        );
        assert_eq!(serde_json::from_str::<Lookup>(&text).expect("it parses"), line);
    }
}
