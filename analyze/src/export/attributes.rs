//! What files say of each node and edge.

use crate::graph::Network;
use crate::graph::betweenness::{betweenness, estimate};
use crate::graph::components::weak;
use crate::graph::cores::core_numbers;
use crate::graph::degree::degrees;

/// Beyond so many nodes betweenness is that of so many sources, drawn by chance and scaled up.
const MOST_SOURCES: usize = 2048;

/// Attributes of all nodes of a network, by node.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributes {
    /// Neighbours, whoever dialled.
    pub degree: Vec<u32>,
    /// Whom it dialled, or has in its table.
    pub out_degree: Vec<u32>,
    /// Who dialled it, or has it in a table.
    pub in_degree: Vec<u32>,
    /// The largest k whose k-core it is in.
    pub core: Vec<u32>,
    /// Shortest paths through it, unordered pairs; undirected.
    pub betweenness: Vec<f64>,
    /// The standard error of that where it is from a sample of nodes.
    pub betweenness_error: Option<Vec<f64>>,
    /// The number of its component, from 1, the largest first.
    pub component: Vec<u32>,
}

impl Attributes {
    /// Of a network. Betweenness is exact up to 2,048 nodes, and estimated from as many sources beyond.
    pub fn of(network: &Network) -> Self {
        let graph = &network.graph;
        let both = graph.undirected();
        let (through, error) = match estimate(both, MOST_SOURCES, 0) {
            Some(found) => (found.scores, Some(found.errors)),
            None => (betweenness(both, &both.ids().collect::<Vec<u32>>()), None),
        };
        Self {
            degree: degrees(both).of,
            out_degree: degrees(graph.outbound()).of,
            in_degree: degrees(graph.inbound()).of,
            core: core_numbers(both),
            betweenness: through,
            betweenness_error: error,
            component: weak(graph).of.into_iter().map(|part| part + 1).collect(),
        }
    }
}

/// An edge: from, to, and whether it is known who dialled.
pub(super) type Edge = (u32, u32, bool);

/// Every arc, and every edge without a known direction once, from the lower node to the higher.
pub(super) fn edges(network: &Network) -> Vec<Edge> {
    let graph = &network.graph;
    let (out, both) = (graph.outbound(), graph.undirected());
    let mut edges: Vec<Edge> = Vec::with_capacity(out.arcs());
    for from in out.ids() {
        edges.extend(out.of(from).iter().map(|&to| (from, to, true)));
        let unknown =
            |to: u32| from < to && out.of(from).binary_search(&to).is_err() && out.of(to).binary_search(&from).is_err();
        edges.extend(both.of(from).iter().filter(|&&to| unknown(to)).map(|&to| (from, to, false)));
    }
    edges
}

/// How files name a direction.
pub(super) fn direction(known: bool) -> &'static str {
    if known { "known" } else { "unknown" }
}
