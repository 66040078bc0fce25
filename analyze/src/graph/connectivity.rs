//! How many nodes or edges must go before the network falls apart.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::components::parts_of;
use super::csr::Csr;
use super::cut::cuts;
use super::flow::Flow;
use crate::work::{Stopped, Work};

/// Vertex connectivity: the least number of nodes whose removal leaves the rest disconnected, or a single node.
///
/// Definition: R. Diestel, *Graph Theory*, 1.4; computed by flows as A. Esfahanian and S. Hakimi, "On computing the
/// connectivities of graphs and digraphs", 1984. On the undirected projection *U*.
/// A disconnected graph has 0, a complete one n − 1; fewer than two nodes have none.
/// Cost: at most |V| + δ² flows of at most δ paths, O(|E|) for each round of paths, where δ is the least degree; on all
/// cores. A graph with an articulation point costs O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, connectivity::vertex_connectivity};
/// // Two triangles that share a node.
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2)]);
/// assert_eq!(vertex_connectivity(graph.undirected()), Some(1));
/// ```
pub fn vertex_connectivity(both: &Csr) -> Option<u32> {
    vertex_connectivity_within(both, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
pub(super) fn vertex_connectivity_within(both: &Csr, work: &Work<'_>) -> Result<Option<u32>, Stopped> {
    work.step()?;
    let Some((pivot, least)) = least_degree(both) else { return Ok(None) };
    if parts_of(both).sizes.len() > 1 {
        return Ok(Some(0));
    }
    if least as usize == both.nodes() - 1 {
        return Ok(Some(least));
    }
    if !cuts(both).articulations.is_empty() {
        return Ok(Some(1));
    }
    // A least cut without the pivot parts it from somebody; one with it parts two of its neighbours.
    let near = both.of(pivot);
    let apart = |a: u32, b: u32| both.of(a).binary_search(&b).is_err();
    let mut pairs: Vec<(u32, u32)> =
        both.ids().filter(|&other| other != pivot && apart(pivot, other)).map(|other| (pivot, other)).collect();
    for (at, &a) in near.iter().enumerate() {
        pairs.extend(near[at + 1..].iter().filter(|&&b| apart(a, b)).map(|&b| (a, b)));
    }
    let flow = Flow::by_nodes(both);
    // Paths leave through the node's second half and arrive at the first.
    least_flow(&flow, least, &pairs, |(a, b)| (2 * a + 1, 2 * b), work).map(Some)
}

/// Edge connectivity: the least number of edges whose removal leaves the rest disconnected.
///
/// Definition: R. Diestel, *Graph Theory*, 1.4; computed by flows from one node of a dominating set to the others, as
/// D. Matula, "Determining edge connectivity in O(nm)", 1987. On the undirected projection *U*.
/// A disconnected graph has 0; fewer than two nodes have none. It is at least the vertex connectivity and at most the
/// least degree.
/// Cost: O(|V|·|E|) at most, on all cores; a graph with a bridge costs O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, connectivity::edge_connectivity};
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2)]);
/// assert_eq!(edge_connectivity(graph.undirected()), Some(2));
/// ```
pub fn edge_connectivity(both: &Csr) -> Option<u32> {
    edge_connectivity_within(both, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
pub(super) fn edge_connectivity_within(both: &Csr, work: &Work<'_>) -> Result<Option<u32>, Stopped> {
    work.step()?;
    let Some((_, least)) = least_degree(both) else { return Ok(None) };
    if parts_of(both).sizes.len() > 1 {
        return Ok(Some(0));
    }
    if !cuts(both).bridges.is_empty() {
        return Ok(Some(1));
    }
    // On each side of a cut with fewer edges than the least degree lies a node whose neighbours all lie there too, and
    // so a member of any dominating set.
    let mut dominated = vec![false; both.nodes()];
    let mut chosen = Vec::new();
    for node in both.ids() {
        if !dominated[node as usize] {
            chosen.push(node);
            both.of(node).iter().for_each(|&other| dominated[other as usize] = true);
        }
    }
    let pairs: Vec<(u32, u32)> = chosen[1..].iter().map(|&other| (chosen[0], other)).collect();
    least_flow(&Flow::by_edges(both), least, &pairs, |pair| pair, work).map(Some)
}

/// A node of the least degree, and that; nothing for fewer than two nodes.
fn least_degree(both: &Csr) -> Option<(u32, u32)> {
    let least = both.ids().map(|node| (both.degree(node), node)).min();
    least.filter(|_| both.nodes() > 1).map(|(degree, node)| (node, degree))
}

/// The least of `most` and the flows between the pairs.
fn least_flow(
    flow: &Flow,
    most: u32,
    pairs: &[(u32, u32)],
    ends: impl Fn((u32, u32)) -> (u32, u32) + Sync,
    work: &Work<'_>,
) -> Result<u32, Stopped> {
    let bound = AtomicU32::new(most);
    pairs.par_iter().try_for_each_init(
        || flow.clone(),
        |flow, &pair| {
            work.step()?;
            let (from, to) = ends(pair);
            // A flow that reaches what another one has found may stop: whatever the order, the least is the same.
            bound.fetch_min(flow.most(from, to, bound.load(Ordering::Relaxed)), Ordering::Relaxed);
            Ok(())
        },
    )?;
    Ok(bound.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::graph::random::Random;

    fn both(n: usize, arcs: &[(u32, u32)]) -> Csr {
        Graph::from_arcs(n, arcs).undirected().clone()
    }

    #[test]
    fn the_smallest_graphs() {
        for (n, arcs, wanted) in [
            (0, &[][..], None),
            (1, &[], None),
            (2, &[], Some(0)),
            (2, &[(0, 1)], Some(1)),
            (3, &[(0, 1)], Some(0)),
            (3, &[(0, 1), (1, 2), (2, 0)], Some(2)),
        ] {
            let graph = both(n, arcs);
            assert_eq!((vertex_connectivity(&graph), edge_connectivity(&graph)), (wanted, wanted), "{n} {arcs:?}");
        }
    }

    #[test]
    fn nodes_and_edges_differ() {
        // Two K5 that share two nodes: removing those parts it, while every node has at least four edges.
        let full = |nodes: [u32; 5]| {
            let pairs = move |a: u32| nodes.into_iter().filter(move |&b| a < b).map(move |b| (a, b));
            nodes.into_iter().flat_map(pairs).collect::<Vec<_>>()
        };
        let graph = both(8, &[full([0, 1, 2, 3, 4]), full([3, 4, 5, 6, 7])].concat());
        assert_eq!((vertex_connectivity(&graph), edge_connectivity(&graph)), (Some(2), Some(4)));
    }

    /// Every set of nodes removed, every side of a cut counted.
    fn by_trying(both: &Csr) -> (u32, u32) {
        let n = both.nodes();
        let (mut nodes, mut edges) = (u32::try_from(n - 1).unwrap(), u32::MAX);
        for gone in 0_u32..1 << n {
            let kept: Vec<u32> = both.ids().filter(|&v| gone >> v & 1 == 0).collect();
            if kept.len() > 1 && parts_of(&both.induced(&kept)).sizes.len() > 1 {
                nodes = nodes.min(gone.count_ones());
            }
            if gone != 0 && !kept.is_empty() {
                let across = |a: u32| both.of(a).iter().filter(|&&b| gone >> b & 1 == 1).count();
                edges = edges.min(u32::try_from(kept.iter().map(|&a| across(a)).sum::<usize>()).unwrap());
            }
        }
        (nodes, edges)
    }

    #[test]
    fn it_agrees_with_trying_every_set() {
        let mut random = Random::new(5);
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..120 {
            let n = 2 + round % 8;
            let m = random.below(n * n / 2 + n);
            let arcs: Vec<_> = (0..m).map(|_| (random.below(n), random.below(n))).collect();
            let graph = both(n as usize, &arcs);
            let found = (vertex_connectivity(&graph), edge_connectivity(&graph));
            let (nodes, edges) = by_trying(&graph);
            assert_eq!(found, (Some(nodes), Some(edges)), "{n} {arcs:?}");
            seen.insert((nodes, edges));
        }
        assert!(seen.iter().any(|(nodes, edges)| nodes < edges && *nodes > 0) && seen.len() > 6, "{seen:?}");
    }
}
