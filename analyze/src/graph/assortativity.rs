//! Whether like is joined to like.

use std::collections::BTreeMap;

use super::csr::{Csr, Graph};

/// Which degree of an arc's end is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The out-degree.
    Out,
    /// The in-degree.
    In,
}

/// The correlation of the degrees at both ends of an edge.
///
/// Definition: M. Newman, "Mixing patterns in networks", 2003, equation 21 with degrees, on the undirected projection
/// *U*, each edge in both directions.
/// Nothing for a graph without edges or one whose edges all join equal degrees: the correlation is undefined there.
/// Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, assortativity::by_degree};
/// let star = Graph::from_arcs(4, &[(0, 1), (0, 2), (0, 3)]);
/// assert_eq!(by_degree(star.undirected()), Some(-1.0));
/// let triangle = Graph::from_arcs(3, &[(0, 1), (1, 2), (2, 0)]);
/// assert_eq!(by_degree(triangle.undirected()), None);
/// ```
pub fn by_degree(both: &Csr) -> Option<f64> {
    let degree = |node: u32| u64::from(both.degree(node));
    correlation(both, degree, degree)
}

/// The correlation of a degree of the arcs' tails with a degree of their heads.
///
/// Definition: J. Foster et al., "Edge direction and the structure of networks", 2010, on the directed projection *D*.
/// Nothing where the correlation is undefined. Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, assortativity::{End, by_directed_degree}};
/// let graph = Graph::from_arcs(4, &[(0, 1), (0, 2), (3, 2)]);
/// assert_eq!(by_directed_degree(&graph, End::Out, End::In), Some(-0.5));
/// ```
pub fn by_directed_degree(graph: &Graph, tail: End, head: End) -> Option<f64> {
    let degree = |end: End| {
        move |node: u32| match end {
            End::Out => u64::from(graph.outbound().degree(node)),
            End::In => u64::from(graph.inbound().degree(node)),
        }
    };
    correlation(graph.outbound(), degree(tail), degree(head))
}

/// Pearson's correlation over all arcs, from sums of whole numbers.
fn correlation(csr: &Csr, tail: impl Fn(u32) -> u64, head: impl Fn(u32) -> u64) -> Option<f64> {
    let (mut count, mut x, mut y, mut xx, mut yy, mut xy) = (0_i128, 0_i128, 0_i128, 0_i128, 0_i128, 0_i128);
    for from in csr.ids() {
        let dx = i128::from(tail(from));
        for &to in csr.of(from) {
            let dy = i128::from(head(to));
            count += 1;
            x += dx;
            y += dy;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
    }
    // Whole numbers, so that "all equal" is recognised exactly and not by a tolerance.
    let (spread_x, spread_y) = (count * xx - x * x, count * yy - y * y);
    if spread_x == 0 || spread_y == 0 {
        return None;
    }
    Some((count * xy - x * y) as f64 / (spread_x as f64 * spread_y as f64).sqrt())
}

/// How far edges join nodes of one class: 1 if all do, 0 as by chance, negative if they avoid it.
///
/// Definition: M. Newman, "Mixing patterns in networks", 2003, equation 2, on the undirected projection *U*.
/// Nothing for a graph without edges or one whose edges all lie within one class. Cost: O(|V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, assortativity::by_class};
/// let graph = Graph::from_arcs(4, &[(0, 1), (2, 3)]);
/// assert_eq!(by_class(graph.undirected(), &["a", "a", "b", "b"]), Some(1.0));
/// assert_eq!(by_class(graph.undirected(), &["a", "b", "a", "b"]), Some(-1.0));
/// ```
pub fn by_class<T: Ord>(both: &Csr, classes: &[T]) -> Option<f64> {
    let mut within = 0_u64;
    let mut ends: BTreeMap<&T, u64> = BTreeMap::new();
    for from in both.ids() {
        let class = &classes[from as usize];
        *ends.entry(class).or_insert(0) += u64::from(both.degree(from));
        within += both.of(from).iter().filter(|&&to| classes[to as usize] == *class).count() as u64;
    }
    let all = both.arcs() as f64;
    let by_chance: f64 = ends.values().map(|&n| (n as f64 / all).powi(2)).sum();
    let one_class = ends.values().filter(|&&n| n > 0).count() < 2;
    (both.arcs() > 0 && !one_class).then(|| (within as f64 / all - by_chance) / (1.0 - by_chance))
}
