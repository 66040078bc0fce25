//! Cores: how deep in the dense part of the graph each node lies.

use super::csr::Csr;

/// The core number of each node: the greatest k such that the node is in a subgraph where all degrees are at least k.
///
/// Definition: S. Seidman, "Network structure and minimum degree", 1983; computed as V. Batagelj and M. Zaveršnik, "An
/// O(m) algorithm for cores decomposition of networks", 2003. On the undirected projection *U*.
/// An empty graph has none; an isolated node has core number 0.
/// Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, cores::core_numbers};
/// // A triangle with a tail.
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
/// assert_eq!(core_numbers(graph.undirected()), vec![2, 2, 2, 1, 0]);
/// ```
pub fn core_numbers(both: &Csr) -> Vec<u32> {
    let n = both.nodes();
    let mut degree: Vec<u32> = both.ids().map(|node| both.degree(node)).collect();
    let most = degree.iter().copied().max().unwrap_or(0) as usize;
    // `order` holds the nodes by degree; `starts[d]` is where those of degree d begin, `place` is the inverse.
    let mut starts = vec![0_usize; most + 2];
    for &d in &degree {
        starts[d as usize + 1] += 1;
    }
    for d in 0..=most {
        starts[d + 1] += starts[d];
    }
    let mut next = starts.clone();
    let mut order = vec![0_u32; n];
    let mut place = vec![0_usize; n];
    for node in both.ids() {
        let d = degree[node as usize] as usize;
        place[node as usize] = next[d];
        order[next[d]] = node;
        next[d] += 1;
    }
    for at in 0..n {
        let node = order[at];
        for &other in both.of(node) {
            let d = degree[other as usize];
            if d > degree[node as usize] {
                // The neighbour loses a degree: it changes places with the first of its degree.
                let (here, first) = (place[other as usize], starts[d as usize].max(at + 1));
                let moved = order[first];
                order.swap(here, first);
                place[other as usize] = first;
                place[moved as usize] = here;
                starts[d as usize] = first + 1;
                degree[other as usize] = d - 1;
            }
        }
    }
    degree
}
