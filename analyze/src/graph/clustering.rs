//! Triangles: whether the neighbours of a node are neighbours of one another.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::csr::Csr;

/// Nodes that a thread takes at a time.
const CHUNK: usize = 256;

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
    let (forward, old) = both.by_degree();
    let chunks = both.nodes().div_ceil(CHUNK);
    let next = AtomicUsize::new(0);
    // Whole numbers: whichever thread adds them, their sum is the same.
    let count = || {
        let mut of = vec![0_u64; n];
        let mut near = vec![false; n];
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks {
                return of;
            }
            for node in chunk * CHUNK..n.min((chunk + 1) * CHUNK) {
                count_from(&forward, node, &mut near, &mut of);
            }
        }
    };
    let threads = rayon::current_num_threads().min(chunks).max(1);
    let counted: Vec<Vec<u64>> = (0..threads).into_par_iter().map(|_| count()).collect();
    let mut triangles_of = vec![0; n];
    for (at, &node) in old.iter().enumerate() {
        triangles_of[node as usize] = counted.iter().map(|of| of[at]).sum();
    }
    let pairs = |node: u32| {
        let degree = u64::from(both.degree(node));
        degree * degree.saturating_sub(1) / 2
    };
    let local = both.ids().zip(&triangles_of).map(|(node, &t)| match pairs(node) {
        0 => 0.0,
        all => t as f64 / all as f64,
    });
    Clustering {
        local: local.collect(),
        // Each was counted at its three corners.
        triangles: triangles_of.iter().sum::<u64>() / 3,
        triples: both.ids().map(pairs).sum(),
        triangles_of,
    }
}

/// Counts the triangles in which a node has the lowest number, at all of their corners.
fn count_from(forward: &Csr, node: usize, near: &mut [bool], of: &mut [u64]) {
    let row = |node: usize| &forward.ends()[forward.starts()[node]..forward.starts()[node + 1]];
    for &b in row(node) {
        near[b as usize] = true;
    }
    let mut own = 0;
    for &b in row(node) {
        let mut shared = 0;
        for &c in row(b as usize).iter().filter(|&&c| near[c as usize]) {
            of[c as usize] += 1;
            shared += 1;
        }
        of[b as usize] += shared;
        own += shared;
    }
    of[node] += own;
    for &b in row(node) {
        near[b as usize] = false;
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
