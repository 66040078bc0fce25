//! Parts of a graph that hang together.

use super::csr::{Csr, Graph};

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
        let mut found = vec![(0_u32, u32::MAX); count];
        for (node, &label) in (0_u32..).zip(labels) {
            let (size, first) = &mut found[label as usize];
            *size += 1;
            *first = (*first).min(node);
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&label| (std::cmp::Reverse(found[label].0), found[label].1));
        let mut new = vec![0_u32; count];
        for (at, &label) in (0_u32..).zip(&order) {
            new[label] = at;
        }
        Self {
            of: labels.iter().map(|&label| new[label as usize]).collect(),
            sizes: order.into_iter().map(|label| found[label].0).collect(),
        }
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
    weak_of(graph.undirected())
}

fn weak_of(both: &Csr) -> Parts {
    const NONE: u32 = u32::MAX;
    let mut labels = vec![NONE; both.nodes()];
    let mut count = 0_u32;
    let mut queue = Vec::new();
    for start in both.ids() {
        if labels[start as usize] != NONE {
            continue;
        }
        labels[start as usize] = count;
        queue.push(start);
        while let Some(node) = queue.pop() {
            for &next in both.of(node) {
                if labels[next as usize] == NONE {
                    labels[next as usize] = count;
                    queue.push(next);
                }
            }
        }
        count += 1;
    }
    Parts::number(&labels, count as usize)
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
}
