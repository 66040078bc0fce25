//! A trace in the format of go-libp2p-pubsub, as JSON: one event to a line.

use std::fs::File;
use std::io::{self, Write as _};

use libp2p::PeerId;
use serde_json::{Map, Value, json};
use tg_sdk::{Env, Result, now_ns};

use crate::ids::coded;

/// What a node's tracer has seen, added up as go's tracer does in its aggregate file.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub duplicates: u64,
    pub rejected: u64,
    pub peers_added: u64,
    pub peers_removed: u64,
    pub topics_joined: u64,
    pub dropped: u64,
    pub received: Received,
}

/// Of RPCs that came.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub rpcs: u64,
    pub messages: u64,
    pub grafts: u64,
    pub prunes: u64,
    pub ihaves: u64,
    pub iwants: u64,
    /// Control messages that the format has no place for.
    pub others: u64,
    /// Control messages that could not be read.
    pub unread: u64,
}

/// The trace of a node.
#[derive(Debug)]
pub struct Trace {
    file: File,
    me: String,
    pub counts: Counts,
    /// Why it ends early.
    pub failed: Option<io::Error>,
}

impl Trace {
    /// Begins a trace.
    pub fn new(env: &Env, me: &PeerId, seq: usize) -> Result<Self> {
        let file = env.asset(&format!("tracer-output-honest-{seq}.json"))?;
        Ok(Self { file, me: coded(&me.to_bytes()), counts: Counts::default(), failed: None })
    }

    /// Writes an event of now.
    pub fn now(&mut self, kind: &str, key: &str, body: Value) {
        self.at(now_ns(), kind, key, body);
    }

    /// Writes an event: its kind, and the key of its body.
    pub fn at(&mut self, ts: u64, kind: &str, key: &str, body: Value) {
        let mut event = Map::new();
        event.insert("type".to_owned(), kind.into());
        event.insert("peerID".to_owned(), self.me.as_str().into());
        event.insert("timestamp".to_owned(), ts.into());
        event.insert(key.to_owned(), body);
        let line = format!("{}\n", Value::Object(event));
        if self.failed.is_none()
            && let Err(error) = self.file.write_all(line.as_bytes())
        {
            self.failed = Some(error);
        }
    }
}

/// The aggregate file of a node: what its tracer counted, and what the plan itself published and got.
pub fn write_aggregate(env: &Env, me: &PeerId, seq: usize, counts: &Counts, published: u64, delivered: u64) -> Result {
    let received = &counts.received;
    let totals = json!({
        "LocalPeer": coded(&me.to_bytes()),
        "Published": published,
        "Delivered": delivered,
        "Duplicates": counts.duplicates,
        "Rejected": counts.rejected,
        "DroppedRPC": counts.dropped,
        "PeersAdded": counts.peers_added,
        "PeersRemoved": counts.peers_removed,
        "TopicsJoined": counts.topics_joined,
        "ReceivedRPC": {
            "RPCs": received.rpcs,
            "Messages": received.messages,
            "Grafts": received.grafts,
            "Prunes": received.prunes,
            "IWants": received.iwants,
            "IHaves": received.ihaves,
        },
    });
    let mut file = env.asset(&format!("tracer-output-honest-{seq}-aggregate.json"))?;
    file.write_all(totals.to_string().as_bytes())?;
    Ok(())
}

/// The file that says whom this node is to be connected to.
pub fn write_topology(env: &Env, name: &str, latency: std::time::Duration, connections: &[&str]) -> Result {
    let latency = u64::try_from(latency.as_nanos())?;
    let text = json!({ "Latency": latency, "Connections": connections }).to_string();
    env.asset(&format!("connections-{name}.json"))?.write_all(text.as_bytes())?;
    Ok(())
}
