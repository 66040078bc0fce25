//! Files that are one JSON document: what a tracer added up, and whom a plan told an instance to connect to.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::facts::Facts;
use super::super::file::FileAt;
use super::super::{Fate, peer};
use crate::dataset::segment::{Segment, T};

/// Reads `*-aggregate.json`: totals by name, those of RPCs one level below.
pub(crate) fn aggregate(segment: &mut Segment, facts: &mut Facts, file: FileAt<'_>, text: &str) -> Fate {
    let Ok(totals) = serde_json::from_str::<Map<String, Value>>(text) else { return Fate::Noted("not-json") };
    let local = totals.get("LocalPeer").and_then(Value::as_str).map(peer::from_base64);
    if let Some(local) = &local {
        facts.is_probably(local);
    }
    let local = local.map(|local| segment.peer(&local));
    let mut any = false;
    let mut put = |name: &str, value: &Value| {
        let Some(count) = value.as_u64() else { return };
        any = true;
        segment.row(T::PubsubCounts, file.file_id, 0).put(file.instance).put(local).put(name).put(count).end();
    };
    for (name, value) in &totals {
        match value {
            Value::Object(of) => {
                for (part, value) in of {
                    put(&format!("{name}.{part}"), value);
                }
            }
            value => put(name, value),
        }
    }
    if any { Fate::Mapped } else { Fate::Noted("bad-record") }
}

#[derive(Deserialize)]
struct Topology {
    #[serde(default, rename = "Latency")]
    latency_ns: Option<i64>,
    #[serde(rename = "Connections")]
    connections: Option<Vec<String>>,
}

/// Reads `connections-<node>.json`.
pub(crate) fn topology(segment: &mut Segment, file: FileAt<'_>, text: &str) -> Fate {
    let topology: Topology = match serde_json::from_str(text) {
        Ok(topology) => topology,
        Err(error) => return Fate::Noted(if error.is_data() { "bad-record" } else { "not-json" }),
    };
    let name = file.name.rsplit('/').next().unwrap_or(file.name);
    let node = name.strip_prefix("connections-").and_then(|name| name.strip_suffix(".json")).unwrap_or(name);
    for remote in topology.connections.unwrap_or_default() {
        segment
            .row(T::PubsubTopology, file.file_id, 0)
            .put(file.instance)
            .put(node)
            .put(remote.as_str())
            .put(topology.latency_ns)
            .end();
    }
    Fate::Mapped
}
