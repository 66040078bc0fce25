//! Every measure of a graph, under the names that the values of networkx have.

use tg_analyze::graph::assortativity::{End, by_class, by_degree as assortativity, by_directed_degree};
use tg_analyze::graph::betweenness::betweenness;
use tg_analyze::graph::clustering::clustering;
use tg_analyze::graph::components::{bow_tie, reciprocity, weak};
use tg_analyze::graph::connectivity::{edge_connectivity, vertex_connectivity};
use tg_analyze::graph::cores::core_numbers;
use tg_analyze::graph::cut::cuts;
use tg_analyze::graph::degree::degrees;
use tg_analyze::graph::distance::{Distances, distances};
use tg_analyze::graph::modularity::modularity;
use tg_analyze::graph::pagerank::pagerank;
use tg_analyze::graph::reach::reach;
use tg_analyze::graph::robustness::{by_degree, by_degree_adaptive, remove};
use tg_analyze::graph::spectral::{algebraic_connectivity, spectral_gap, spectral_radius};
use tg_analyze::graph::strong::strong;
use tg_analyze::graph::{Csr, Graph};

/// A value: one that may be absent, or one for each node, part or distance.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    One(Option<f64>),
    Many(Vec<f64>),
}

impl Value {
    /// Whether it is the same but for rounding.
    pub(super) fn is_near(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-8 * (1.0 + b.abs());
        match (self, other) {
            (Self::One(Some(a)), Self::One(Some(b))) => near(*a, *b),
            (Self::Many(a), Self::Many(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(*a, *b)),
            (a, b) => a == b,
        }
    }
}

/// All measures by name.
pub(super) struct Measured {
    pub(super) all: Vec<(&'static str, Value)>,
}

fn count(n: usize) -> Value {
    Value::One(Some(n as f64))
}

fn whole(n: Option<u32>) -> Value {
    Value::One(n.map(f64::from))
}

fn many<T: Copy + Into<f64>>(values: &[T]) -> Value {
    Value::Many(values.iter().map(|&value| value.into()).collect())
}

fn pairs(found: &Distances) -> Value {
    Value::Many(found.pairs.iter().map(|&n| n as f64).collect())
}

impl Measured {
    pub(super) fn of(graph: &Graph, groups: &[u32]) -> Self {
        let mut all = Vec::new();
        for part in [shape(graph, groups), paths(graph), knit(graph)] {
            all.extend(part);
        }
        Self { all }
    }

    pub(super) fn get(&self, key: &str) -> &Value {
        let found = self.all.iter().find(|(name, _)| *name == key);
        &found.unwrap_or_else(|| panic!("no measure {key}")).1
    }
}

fn shape(graph: &Graph, groups: &[u32]) -> Vec<(&'static str, Value)> {
    let (both, out, into) = (graph.undirected(), graph.outbound(), graph.inbound());
    let (triangles, cut, tie) = (clustering(both), cuts(both), bow_tie(graph));
    let bridges: Vec<u32> = cut.bridges.iter().flat_map(|&(a, b)| [a, b]).collect();
    let directed = |tail, head| Value::One(by_directed_degree(graph, tail, head));
    vec![
        ("edges", count(graph.edges())),
        ("arcs", count(out.arcs())),
        ("weak", many(&weak(graph).sizes)),
        ("strong", many(&strong(graph).sizes)),
        ("core", many(&core_numbers(both))),
        ("articulations", many(&cut.articulations)),
        ("bridges", many(&bridges)),
        ("gini", Value::One(degrees(both).gini())),
        ("gini_in", Value::One(degrees(into).gini())),
        ("clustering", Value::One(triangles.mean())),
        ("transitivity", Value::One(triangles.transitivity())),
        ("triangles", Value::One(Some(triangles.triangles as f64))),
        ("reciprocity", Value::One(reciprocity(graph))),
        ("bow_tie", Value::Many([tie.core, tie.inward, tie.outward, tie.other].map(|n| n as f64).to_vec())),
        ("assortativity", Value::One(assortativity(both))),
        ("assortativity_group", Value::One(by_class(both, groups))),
        ("assortativity_out_in", directed(End::Out, End::In)),
        ("assortativity_out_out", directed(End::Out, End::Out)),
        ("assortativity_in_in", directed(End::In, End::In)),
        ("assortativity_in_out", directed(End::In, End::Out)),
        ("modularity", Value::One(modularity(both, groups))),
    ]
}

fn paths(graph: &Graph) -> Vec<(&'static str, Value)> {
    let (both, out, into) = (graph.undirected(), graph.outbound(), graph.inbound());
    let nodes: Vec<u32> = both.ids().collect();
    let (anywhere, along) = (distances(both, both, &nodes), distances(out, into, &nodes));
    let largest = distances(both, both, &weak(graph).members(0));
    let n = nodes.len() as f64;
    vec![
        ("distances", pairs(&anywhere)),
        ("distances_directed", pairs(&along)),
        ("efficiency", Value::One((nodes.len() > 1).then(|| anywhere.harmonic() / (n * (n - 1.0))))),
        ("reachable", Value::One(reach(graph).pair_ratio())),
        ("diameter", whole(largest.diameter())),
        ("radius", whole(largest.radius())),
        ("mean_path", Value::One(largest.mean())),
        ("effective_diameter", Value::One(largest.effective(0.9))),
        ("betweenness", Value::Many(betweenness(both, &nodes))),
        ("pagerank", Value::Many(pagerank(graph))),
        ("r_static", Value::One(remove(both, &by_degree(both)).r())),
        ("r_adaptive", Value::One(remove(both, &by_degree_adaptive(both)).r())),
    ]
}

fn knit(graph: &Graph) -> Vec<(&'static str, Value)> {
    let both = graph.undirected();
    let largest = largest(graph);
    vec![
        ("vertex_connectivity", whole(vertex_connectivity(both))),
        ("edge_connectivity", whole(edge_connectivity(both))),
        ("spectral_radius", Value::One(spectral_radius(both))),
        ("algebraic_connectivity", Value::One(algebraic_connectivity(&largest))),
        ("spectral_gap", Value::One(spectral_gap(&largest))),
    ]
}

/// The undirected projection of the largest component alone.
fn largest(graph: &Graph) -> Csr {
    let nodes = weak(graph).members(0);
    let both = graph.undirected();
    let place = |node: &u32| nodes.binary_search(node).ok().and_then(|at| u32::try_from(at).ok());
    let edges: Vec<(u32, u32)> = nodes
        .iter()
        .flat_map(|node| both.of(*node).iter().map(move |other| (node, other)))
        .filter_map(|(node, other)| Some((place(node)?, place(other)?)))
        .collect();
    Graph::from_arcs(nodes.len(), &edges).undirected().clone()
}
