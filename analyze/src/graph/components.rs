//! Parts of a graph that hang together.

use super::csr::{Csr, Graph};
use super::strong::{reached, strong};

/// The parts of a graph: which one each node is in, and how large each is. Parts are numbered by size, the largest
/// first; of equal ones the one with the lowest node first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// The part of each node.
    pub of: Vec<u32>,
    /// The size of each part.
    pub sizes: Vec<u32>,
}

impl Parts {
    /// From any numbering of the parts.
    pub(super) fn number(labels: &[u32], count: usize) -> Self {
        const NONE: u32 = u32::MAX;
        let mut sizes = vec![0_u32; count];
        for &label in labels {
            sizes[label as usize] += 1;
        }
        // By size, the largest first: `next` is where the next part of each size belongs. Parts are met by their first nodes.
        let most = sizes.iter().copied().max().unwrap_or(0) as usize;
        let mut next = vec![0_u32; most + 1];
        for &size in &sizes {
            next[size as usize] += 1;
        }
        let mut begin = 0;
        for place in next.iter_mut().rev() {
            begin += std::mem::replace(place, begin);
        }
        let mut new = vec![NONE; count];
        let mut sorted = vec![0; count];
        let of = labels.iter().map(|&label| {
            let (at, size) = (&mut new[label as usize], sizes[label as usize]);
            if *at == NONE {
                let place = &mut next[size as usize];
                *at = *place;
                sorted[*place as usize] = size;
                *place += 1;
            }
            *at
        });
        Self { of: of.collect(), sizes: sorted }
    }

    /// The nodes of a part, ascending.
    pub fn members(&self, part: u32) -> Vec<u32> {
        (0_u32..).zip(&self.of).filter(|&(_, &of)| of == part).map(|(node, _)| node).collect()
    }
}

/// Weakly connected components: sets of nodes joined by paths whose arcs may be walked either way.
///
/// Definition: R. Diestel, *Graph Theory*, 1.4, on the undirected projection *U*.
/// An empty graph has none; an isolated node is a component of its own.
/// Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, components::weak};
/// let graph = Graph::from_arcs(5, &[(0, 1), (2, 1), (3, 4)]);
/// let parts = weak(&graph);
/// assert_eq!((parts.sizes, parts.of), (vec![3, 2], vec![0, 0, 0, 1, 1]));
/// ```
pub fn weak(graph: &Graph) -> Parts {
    parts_of(graph.undirected())
}

/// The same of a bare undirected projection.
///
/// M. Sutton et al., "Optimizing parallel graph connectivity computation via subgraph sampling", 2018: two edges of each
/// node join most of them, and the other edges within what is the largest part by then need not be looked at.
pub(super) fn parts_of(both: &Csr) -> Parts {
    const FEW: usize = 2;
    let mut above: Vec<u32> = both.ids().collect();
    for node in both.ids() {
        both.of(node).iter().take(FEW).for_each(|&other| join(&mut above, node, other));
    }
    let mut sizes = vec![0_u32; both.nodes()];
    for node in both.ids() {
        let at = root(&mut above, node);
        above[node as usize] = at;
        sizes[at as usize] += 1;
    }
    let largest = (0_u32..).zip(&sizes).max_by_key(|(_, size)| **size).map(|(node, _)| node);
    for node in both.ids() {
        if Some(above[node as usize]) != largest {
            both.of(node).iter().skip(FEW).for_each(|&other| join(&mut above, node, other));
        }
    }
    // A root is the lowest node of its part, and so the first of it.
    let mut count = 0;
    for node in both.ids() {
        let at = root(&mut above, node);
        above[node as usize] = at;
    }
    for node in both.ids() {
        let at = node as usize;
        if above[at] == node {
            sizes[at] = count;
            count += 1;
        }
        above[at] = sizes[above[at] as usize];
    }
    Parts::number(&above, count as usize)
}

fn root(above: &mut [u32], mut node: u32) -> u32 {
    while above[node as usize] != node {
        let next = above[above[node as usize] as usize];
        above[node as usize] = next;
        node = next;
    }
    node
}

/// Hangs the higher root below the lower one.
fn join(above: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(above, a), root(above, b));
    above[a.max(b) as usize] = a.min(b);
}

/// Where nodes stand towards the largest strong component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BowTie {
    /// Nodes in it.
    pub core: usize,
    /// Nodes outside that reach it.
    pub inward: usize,
    /// Nodes outside that it reaches.
    pub outward: usize,
    /// All others.
    pub other: usize,
}

/// The bow tie around the largest strong component.
///
/// Definition: A. Broder et al., "Graph structure in the web", 2000, on the directed projection *D*; tendrils, tubes
/// and what is disconnected are one class here, `other`. Of strong components of equal size that with the lowest node
/// is taken.
/// All zero for an empty graph. Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, components::{BowTie, bow_tie}};
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 0), (2, 0), (1, 3)]);
/// assert_eq!(bow_tie(&graph), BowTie { core: 2, inward: 1, outward: 1, other: 1 });
/// ```
pub fn bow_tie(graph: &Graph) -> BowTie {
    bow_tie_around(graph, &strong(graph))
}

/// The same, of the strong components that were found.
pub(super) fn bow_tie_around(graph: &Graph, parts: &Parts) -> BowTie {
    let core = parts.members(0);
    // No node outside is in both sets: it would be in the component.
    let beyond =
        |out: &Csr, into: &Csr| reached(out, into, &core, |_| true).into_iter().filter(|&one| one).count() - core.len();
    let (out, into) = (graph.outbound(), graph.inbound());
    let (inward, outward) = (beyond(into, out), beyond(out, into));
    BowTie { core: core.len(), inward, outward, other: graph.nodes() - core.len() - inward - outward }
}

/// The share of arcs whose reverse is an arc too.
///
/// Definition: M. Newman, *Networks*, 7.10, on the directed projection *D*.
/// Nothing for a graph without arcs. Cost: O(|E| log deg).
///
/// ```
/// use tg_analyze::graph::{Graph, components::reciprocity};
/// assert_eq!(reciprocity(&Graph::from_arcs(3, &[(0, 1), (1, 0), (1, 2), (2, 0)])), Some(0.5));
/// assert_eq!(reciprocity(&Graph::from_arcs(3, &[])), None);
/// ```
pub fn reciprocity(graph: &Graph) -> Option<f64> {
    let out = graph.outbound();
    let back = |from: u32| out.of(from).iter().filter(|&&to| out.of(to).binary_search(&from).is_ok()).count();
    let mutual: usize = out.ids().map(back).sum();
    (out.arcs() > 0).then(|| mutual as f64 / out.arcs() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_parts_and_loners_are_parts() {
        assert_eq!(weak(&Graph::from_arcs(0, &[])), Parts::default());
        let parts = weak(&Graph::from_arcs(3, &[(1, 1)]));
        assert_eq!((parts.sizes.as_slice(), parts.members(2)), (&[1, 1, 1][..], vec![2]));
    }

    #[test]
    fn the_directed_test_graph() {
        let arcs = [(1, 2), (2, 3), (3, 1), (3, 4), (5, 1), (4, 6), (7, 8)].map(|(a, b)| (a - 1, b - 1));
        let parts = weak(&Graph::from_arcs(8, &arcs));
        assert_eq!((parts.sizes.clone(), parts.members(1)), (vec![6, 2], vec![6, 7]));
    }

    #[test]
    fn the_directed_test_graph_has_its_bow_tie() {
        let arcs = [(1, 2), (2, 3), (3, 1), (3, 4), (5, 1), (4, 6), (7, 8)].map(|(a, b)| (a - 1, b - 1));
        let graph = Graph::from_arcs(8, &arcs);
        assert_eq!(bow_tie(&graph), BowTie { core: 3, inward: 1, outward: 2, other: 2 });
        assert_eq!(reciprocity(&graph), Some(0.0));
    }
}
