//! What the service tells whoever watches a run.

use std::time::Duration;

/// Who a connection belongs to: the number of the instance in the run, if its address tells.
pub type Label = Option<u32>;

/// What a [`Hub`](super::Hub) tells whoever watches a run. Keys are as on the wire, with the run's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An item was published on a topic that is watched (see [`Hub::watch`](super::Hub::watch)).
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
    /// A barrier was reached: its waiters were released, or its first waiter found that it was reached before.
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
        /// A short fixed word: `large-answer`, `slow-reader`, `bad-request`, `too-large`,
        /// `protocol-error`, `accept-failed`, `watch-lagged` or `watch-broken`.
        reason: &'static str,
        /// The details: topic, size, limit.
        text: String,
    },
}
