//! Whether nodes of a group keep to one another.

use std::collections::BTreeMap;

use super::csr::Csr;

/// Modularity of a grouping: the share of edges within groups, less the share expected of edges placed at random between
/// nodes of the same degrees.
///
/// Definition: M. Newman and M. Girvan, "Finding and evaluating community structure in networks", 2004: Q = Σ over groups
/// of (edges within)/m − (sum of degrees)²/(2m)². On the undirected projection *U*.
/// A graph without edges has none; a single group has 0. Components need no care.
/// Cost: O(|V| log G + |E|) for G groups.
///
/// ```
/// use tg_analyze::graph::{Graph, modularity::modularity};
/// // Two triangles joined by an edge.
/// let graph = Graph::from_arcs(6, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3)]);
/// let q = modularity(graph.undirected(), &["a", "a", "a", "b", "b", "b"]).unwrap();
/// assert!((q - (6.0 / 7.0 - 0.5)).abs() < 1e-12);
/// ```
pub fn modularity<G: Ord>(both: &Csr, groups: &[G]) -> Option<f64> {
    // Ends of edges within each group, and ends of edges in all.
    let mut ends: BTreeMap<&G, (u64, u64)> = BTreeMap::new();
    for (node, group) in both.ids().zip(groups) {
        let within = both.of(node).iter().filter(|&&other| groups[other as usize] == *group).count();
        let (inner, all) = ends.entry(group).or_default();
        *inner += within as u64;
        *all += u64::from(both.degree(node));
    }
    let whole = both.arcs() as f64;
    let of = |&(inner, all): &(u64, u64)| inner as f64 / whole - (all as f64 / whole).powi(2);
    (both.arcs() > 0).then(|| ends.values().map(of).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn one_group_has_none_to_keep_to() {
        let ring = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
        assert_eq!(modularity(ring.undirected(), &[0; 4]), Some(0.0));
        // Groups that only ever reach across.
        assert_eq!(modularity(ring.undirected(), &[0, 1, 0, 1]), Some(-0.5));
        assert_eq!(modularity(Graph::from_arcs(3, &[]).undirected(), &[0; 3]), None);
    }
}
