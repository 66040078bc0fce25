//! Graph measures against those that networkx and numpy found, and against one another where a graph is changed.

mod laws;
mod measured;

use std::collections::BTreeMap;

use measured::{Measured, Value};
use serde::Deserialize;
use tg_analyze::graph::Graph;

/// A line of `networkx/values.jsonl`, which `networkx/values.py` wrote.
#[derive(Deserialize)]
struct Known {
    name: String,
    nodes: u32,
    arcs: Vec<(u32, u32)>,
    measures: BTreeMap<String, serde_json::Value>,
}

/// A value as JSON has it: a number, null, or a list.
fn known(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Array(list) => Value::Many(list.iter().flat_map(flat).collect()),
        other => Value::One(other.as_f64()),
    }
}

/// Pairs become two numbers one after the other.
fn flat(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Array(pair) => pair.iter().flat_map(flat).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

#[test]
fn networkx_finds_the_same() {
    let lines = include_str!("networkx/values.jsonl");
    let (mut graphs, mut checked) = (0, 0);
    for line in lines.lines() {
        let Known { name, nodes, arcs, measures } = serde_json::from_str(line).unwrap();
        let groups: Vec<u32> = (0..nodes).map(|node| node % 3).collect();
        let ours = Measured::of(&Graph::from_arcs(nodes as usize, &arcs), &groups);
        let ours: BTreeMap<&str, Value> = ours.all.into_iter().collect();
        assert_eq!(measures.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{name}");
        for (key, value) in &measures {
            let (ours, theirs) = (&ours[key.as_str()], known(value));
            assert!(ours.is_near(&theirs), "{key} of {name}: {ours:?}, by networkx {theirs:?}");
            checked += 1;
        }
        graphs += 1;
    }
    assert!(graphs >= 19 && checked > 700, "{checked} values of {graphs} graphs");
}
