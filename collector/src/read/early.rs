//! What instances wrote in January and February 2020: `stdout.json` and `stderr.json`, before there was `run.out`.

use serde_json::{Map, Value};

use super::facts::Facts;
use super::json::Ns;
use super::{At, Fate, dht, peer, run_out};
use crate::dataset::segment::{Segment, T};

/// Reads a line of `stderr.json`: a named logger's record of a graph, a routing table or a lookup, or any log line.
pub(crate) fn logged(segment: &mut Segment, facts: &mut Facts, at: At, file: &str, line: &str) -> Fate {
    let Ok(record) = serde_json::from_str::<Map<String, Value>>(line) else {
        return run_out::log(segment, at, file, line);
    };
    let name = record.get("N").and_then(Value::as_str).unwrap_or_default();
    let fate = match name.rsplit('.').next().unwrap_or(name) {
        "Graph" => dht::graph(segment, facts, at, line),
        "RT" => table(segment, facts, at, &record),
        "query" => dht::query(segment, facts, at, line),
        _ => return run_out::log(segment, at, file, line),
    };
    // A logger of these names may say other things as well.
    if fate == Fate::Mapped { fate } else { run_out::log(segment, at, file, line) }
}

/// A whole routing table: its owner, and the entries under numbers as keys.
fn table(segment: &mut Segment, facts: &mut Facts, at: At, record: &Map<String, Value>) -> Fate {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let ts = record.get("T").or_else(|| record.get("ts"));
    let ts = ts.and_then(|ts| serde_json::from_value::<Ns>(ts.clone()).ok());
    let (Some(snapshot), Some(owner), Some(Ns(ts))) = (text("M").or_else(|| text("msg")), text("Node"), ts) else {
        return Fate::Noted("bad-record");
    };
    let mut entries: Vec<(u32, &str)> =
        record.iter().filter_map(|(key, id)| Some((key.parse().ok()?, id.as_str()?))).collect();
    entries.sort_unstable();
    let owner = peer::normal(owner);
    facts.is_probably(&owner);
    let owner = segment.peer(&owner);
    segment
        .row(T::RtDumps, at.file_id, at.line)
        .put(at.instance)
        .put(ts)
        .put(snapshot)
        .put(owner)
        .put(u32::try_from(entries.len()).unwrap_or(u32::MAX))
        .end();
    for (_, id) in entries {
        let idx = segment.peer(&peer::normal(id));
        segment
            .row(T::RoutingTable, at.file_id, at.line)
            .put(at.instance)
            .put(snapshot)
            .put(ts)
            .put(owner)
            .put(idx)
            .put(None::<u16>)
            .put(None::<u16>)
            .put(None::<i64>)
            .put(None::<i64>)
            .end();
    }
    Fate::Mapped
}
