//! How much of everything the service takes.

use std::time::Duration;

/// Limits of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest message that a client may send, in bytes. The error that a larger one gets names it.
    pub max_message_bytes: usize,
    /// The most bytes that may wait for one connection that reads nothing; more for longer than `stall`, and it is
    /// cut off and told why.
    pub max_backlog_bytes: usize,
    /// After this long without any answer a harmless one is sent, so that clients with a read timeout stay.
    pub keep_alive: Duration,
    /// For how long a connection with too large a backlog may take not a single byte before it is cut off.
    pub stall: Duration,
    /// How long a client may take for the websocket handshake.
    pub handshake: Duration,
    /// The longest key of a topic or state, in bytes.
    pub max_key_bytes: usize,
    /// The most topics and states, counted together.
    pub max_keys: usize,
    /// The most subscriptions and barriers that one connection may have open at a time.
    pub max_open_requests: usize,
    /// The most bytes that the items of all topics may take.
    pub max_stored_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_backlog_bytes: 16 << 20,
            keep_alive: Duration::from_mins(20),
            stall: Duration::from_mins(1),
            handshake: Duration::from_secs(10),
            max_key_bytes: 4096,
            max_keys: 1 << 20,
            max_open_requests: 1 << 14,
            max_stored_bytes: 1 << 30,
        }
    }
}
