//! Messages of the sync service, as the published SDKs put them on a websocket: one JSON object each.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a client asks.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request<'a> {
    /// The client's number for this request, as text; every answer repeats it.
    pub id: String,
    /// Ends the request of the same id.
    #[serde(default)]
    pub is_cancel: bool,
    /// Appends to a topic.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish<'a>>,
    /// Follows a topic from its first item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Subscribe>,
    /// Adds one to a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_entry: Option<SignalEntry>,
    /// Waits until a state has reached a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Barrier>,
}

/// Appends to a topic.
#[derive(Debug, Deserialize, Serialize)]
pub struct Publish<'a> {
    /// The topic's full key.
    pub topic: String,
    /// Any JSON.
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

/// Follows a topic from its first item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subscribe {
    /// The topic's full key.
    pub topic: String,
}

/// Adds one to a state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SignalEntry {
    /// The state's full key.
    pub state: String,
}

/// Waits until a state has reached a count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Barrier {
    /// The state's full key.
    pub state: String,
    /// The count.
    pub target: u64,
}

/// What the service answers. All five keys are always there: some SDKs insist on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Response {
    /// The id of the request.
    pub id: String,
    /// Empty, or a text that is itself a JSON string literal: the published Rust SDK decodes it and panics otherwise.
    #[serde(default)]
    pub error: String,
    /// The item's place in its topic, from 1.
    pub publish: Option<Seq>,
    /// An item of a topic as JSON text; empty in all other answers.
    #[serde(default)]
    pub subscribe: String,
    /// The state's count after the signal, from 1.
    pub signal_entry: Option<Seq>,
}

/// A place or a count, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct Seq {
    /// The number.
    pub seq: u64,
}

/// The prefix of every key of a run's case, as the SDKs make it.
pub fn key_prefix(run: &str, plan: &str, case: &str) -> String {
    format!("run:{run}:plan:{plan}:case:{case}")
}

/// The full key of a state.
pub fn state_key(run: &str, plan: &str, case: &str, state: &str) -> String {
    format!("{}:states:{state}", key_prefix(run, plan, case))
}

/// The full key of a topic.
pub fn topic_key(run: &str, plan: &str, case: &str, topic: &str) -> String {
    format!("{}:topics:{topic}", key_prefix(run, plan, case))
}

/// The full key of the topic on which instances tell how they do.
pub fn events_key(run: &str, plan: &str, case: &str) -> String {
    format!("{}:run_events", key_prefix(run, plan, case))
}
