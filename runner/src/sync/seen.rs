//! What the service tells whoever watches a run.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// Who a connection belongs to: the number of the instance in the run, if its address tells. At a server for other
/// machines it is the IPv4 address of the peer.
pub type Label = Option<u32>;

/// What a [`Hub`](super::Hub) tells whoever watches a run. Keys are as on the wire, with the run's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        #[serde(deserialize_with = "known")]
        reason: Word,
        /// The details: topic, size, limit.
        text: String,
    },
}

/// A fixed word. Serde takes a reference that it sees for one into its input.
type Word = &'static str;

/// The words that one service says of another's clients.
const REASONS: [&str; 7] =
    ["large-answer", "slow-reader", "bad-request", "too-large", "protocol-error", "accept-failed", "watch-lagged"];

fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Word, D::Error> {
    let word = String::deserialize(from)?;
    // One of a newer version.
    Ok(REASONS.into_iter().find(|known| *known == word).unwrap_or("sync-service"))
}
