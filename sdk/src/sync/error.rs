//! What can go wrong between a plan and the sync service.

use std::sync::Arc;
use std::time::Duration;

/// Why a call to the sync service came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SyncError {
    /// No connection could be made.
    #[error("cannot reach the sync service at `{addr}` within {limit:?}")]
    Connect {
        /// Where it should be.
        addr: String,
        /// For how long it was tried.
        limit: Duration,
        /// What the last attempt met.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// There was a connection and it is gone; nothing can be asked any more.
    #[error("the connection to the sync service at `{addr}` is gone: {reason}")]
    Lost {
        /// Where the service was.
        addr: String,
        /// How it went.
        reason: String,
    },
    /// The time that [`crate::sync::SyncClient::within`] set is over.
    #[error("{what}: not done within {limit:?}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
    },
    /// The service answered with an error.
    #[error("{what}: the sync service says: {text}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its words.
        text: String,
    },
    /// The service answered something else than was asked.
    #[error("{what}: the answer of the sync service lacks what was asked for")]
    Answer {
        /// What was asked.
        what: String,
    },
    /// A payload does not become JSON.
    #[error("{what}: the payload cannot be written as JSON")]
    Encode {
        /// What was asked.
        what: String,
        /// Why not.
        source: Arc<serde_json::Error>,
    },
    /// An item of a topic is not what the plan expects. The subscription goes on with the next item.
    #[error("item {seq} of topic `{topic}` is not of the expected type")]
    Decode {
        /// The topic.
        topic: String,
        /// The item's place in it, from 1.
        seq: u64,
        /// Why not.
        source: Arc<serde_json::Error>,
    },
}
