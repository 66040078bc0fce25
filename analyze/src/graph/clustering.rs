//! Triangles: whether the neighbours of a node are neighbours of one another.

use rayon::prelude::*;

use super::csr::Csr;

/// Triangles and clustering of an undirected graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// How many triangles each node is in.
    pub triangles_of: Vec<u64>,
    /// The local coefficient of each node; 0 for a degree below 2.
    pub local: Vec<f64>,
    /// How many triangles there are.
    pub triangles: u64,
    /// How many paths of two edges there are.
    pub triples: u64,
}

/// Triangles and clustering coefficients.
///
/// Definition: local coefficient of D. Watts and S. Strogatz, "Collective dynamics of small-world networks", 1998,
/// where a node of degree below 2 counts with 0; transitivity 3·triangles/triples (M. Newman, *Networks*, 7.3). On the
/// undirected projection *U*.
/// An empty graph has no mean; a graph without a path of two edges has no transitivity.
/// Cost: O(Σ over edges of the smaller forward degree), at most O(|E|^1.5), on all cores.
///
/// ```
/// use tg_analyze::graph::{Graph, clustering::clustering};
/// // A triangle with a tail.
/// let graph = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
/// let found = clustering(graph.undirected());
/// assert_eq!((found.triangles, found.triples), (1, 5));
/// assert_eq!((found.transitivity(), found.mean()), (Some(0.6), Some((1.0 + 1.0 + 1.0 / 3.0) / 4.0)));
/// ```
pub fn clustering(both: &Csr) -> Clustering {
    let n = both.nodes();
    // Each edge is kept at its end of lower rank (degree, then number), so that no list is long.
    let rank = |node: u32| (both.degree(node), node);
    let forward: Vec<Vec<u32>> = both
        .ids()
        .into_par_iter()
        .map(|node| both.of(node).iter().copied().filter(|&other| rank(node) < rank(other)).collect())
        .collect();
    let chunk = n.div_ceil(64).max(1);
    let nodes: Vec<u32> = both.ids().collect();
    // A fixed number of chunks, not one for each thread: memory and result do not depend on the machine.
    let found: Vec<Vec<[u32; 3]>> = nodes
        .par_chunks(chunk)
        .map(|some| {
            let mut corners = Vec::new();
            for &a in some {
                for &b in &forward[a as usize] {
                    common(&forward[a as usize], &forward[b as usize], |c| corners.push([a, b, c]));
                }
            }
            corners
        })
        .collect();
    let mut triangles_of = vec![0_u64; n];
    let mut triangles = 0;
    for corners in found.iter().flatten() {
        triangles += 1;
        for &node in corners {
            triangles_of[node as usize] += 1;
        }
    }
    let pairs = |node: u32| {
        let degree = u64::from(both.degree(node));
        degree * degree.saturating_sub(1) / 2
    };
    let local = both.ids().zip(&triangles_of).map(|(node, &t)| match pairs(node) {
        0 => 0.0,
        all => t as f64 / all as f64,
    });
    Clustering { local: local.collect(), triangles, triples: both.ids().map(pairs).sum(), triangles_of }
}

/// What two ascending lists share.
fn common(a: &[u32], b: &[u32], mut found: impl FnMut(u32)) {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                found(*x);
                i += 1;
                j += 1;
            }
        }
    }
}

impl Clustering {
    /// The mean of the local coefficients over all nodes.
    pub fn mean(&self) -> Option<f64> {
        (!self.local.is_empty()).then(|| self.local.iter().sum::<f64>() / self.local.len() as f64)
    }

    /// The share of paths of two edges that a third edge closes.
    pub fn transitivity(&self) -> Option<f64> {
        (self.triples > 0).then(|| 3.0 * self.triangles as f64 / self.triples as f64)
    }
}
