//! The sync service: signals, barriers and topics over websockets, wire-compatible with the published SDKs.
//!
//! One in-memory [`Hub`] holds the state of several runs; a [`Server`] lets websocket clients at it, on as many
//! addresses as wanted. An address can belong to one instance (its label): that is how the runner knows who says
//! what without asking the plan.

use std::net::SocketAddr;
use std::time::Duration;

/// Who a connection belongs to: the number of the instance in the run, if its address tells.
pub type Label = Option<u32>;

/// Limits of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest message that a client may send, in bytes. The error that a larger one gets names it.
    pub max_message_bytes: usize,
    /// The most bytes that may wait for one connection that reads too slowly; more, and it is cut off and told why.
    pub max_backlog_bytes: usize,
    /// After this long without any answer a harmless one is sent, so that clients with a read timeout stay.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message_bytes: 4 << 20, max_backlog_bytes: 16 << 20, keep_alive: Duration::from_secs(20 * 60) }
    }
}

/// What a [`Hub`] tells whoever watches a run. Keys are as on the wire, with the run's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An item was published on a topic that is watched (see [`Hub::watch`]).
    Published {
        /// Who did.
        from: Label,
        /// The topic's key.
        topic: String,
        /// The item's place in the topic, from 1.
        seq: u64,
        /// The JSON text.
        payload: String,
    },
    /// The first waiter of a barrier arrived before the count was reached.
    BarrierOpened {
        /// The state's key.
        state: String,
        /// The count that it waits for.
        target: u64,
        /// The count now.
        count: u64,
    },
    /// A barrier with waiters was reached.
    BarrierReached {
        /// The state's key.
        state: String,
        /// The count.
        target: u64,
        /// From the first waiter to now.
        waited: Duration,
    },
    /// A connection closed or broke.
    Gone {
        /// Whose.
        from: Label,
    },
    /// Something odd about one connection that its user should look at.
    Odd {
        /// Whose.
        from: Label,
        /// A short fixed word: `large-answer`, `slow-reader`, `bad-request`, `too-large`.
        reason: &'static str,
        /// The details: topic, size, limit.
        text: String,
    },
}

/// A barrier that someone waits at now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The state's key.
    pub state: String,
    /// The count that it waits for.
    pub target: u64,
    /// The count now.
    pub count: u64,
    /// The instances that have signalled, ascending, each once; connections without a label are not in it.
    pub signalled: Vec<u32>,
    /// The instances that wait, ascending, each once.
    pub waiters: Vec<u32>,
    /// For how long the first has waited.
    pub since: Duration,
}

/// Where a server listens and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 takes any.
    pub addr: SocketAddr,
    /// The instance that alone uses this address.
    pub label: Label,
}

/*
The shape that the engine relies on:

#[derive(Clone)]
pub struct Hub { /* Arc inside */ }
impl Hub {
    pub fn new(limits: Limits) -> Self;
    /// Adds one to a state, as if a client had; returns the count.
    pub fn signal(&self, state: &str) -> u64;
    /// Appends to a topic, as if a client had; returns the place.
    pub fn publish(&self, topic: &str, payload: &serde_json::value::RawValue) -> u64;
    /// Follows what happens below a key prefix (`run:<id>:`): barriers, oddities, connections that go, and items
    /// published on topics whose key ends in one of `topic_suffixes` or holds one of `topic_parts`.
    pub fn watch(&self, prefix: &str, topics: TopicFilter) -> tokio::sync::mpsc::Receiver<Seen>;
    /// Who waits for what below a prefix.
    pub fn waiting(&self, prefix: &str) -> Vec<Waiting>;
    /// Forgets everything below a prefix and releases nobody; returns how many keys went.
    pub fn drop_run(&self, prefix: &str) -> usize;
}
pub struct Server { .. }
impl Server {
    pub async fn bind(hub: Hub, listen: &[Listen]) -> Result<Self, BindError>;  // BindError names the address
    pub fn addrs(&self) -> &[SocketAddr];
    /// Stops accepting, closes connections (code 1001), waits for its tasks.
    pub async fn shutdown(self);
}
*/
