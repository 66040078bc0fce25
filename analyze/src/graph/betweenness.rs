//! How many shortest paths lead through each node.

use rayon::prelude::*;

use super::csr::Csr;

/// Sources are dealt to this many sums, whatever the number of cores, so that floats are added in one order.
const SUMS: usize = 32;

/// Betweenness: for each node the sum, over unordered pairs of other nodes, of the share of their shortest paths that
/// leads through it.
///
/// Definition: L. Freeman, "A set of measures of centrality based on betweenness", 1977; computed as U. Brandes, "A
/// faster algorithm for betweenness centrality", 2001. On the undirected projection *U*, not normalised: divide by
/// (n − 1)(n − 2)/2 for shares of all pairs.
/// Pairs that no path joins add nothing; an empty graph has none.
/// Cost: O(|S|·(|V| + |E|)) for the sources S, on all cores; memory O(|V|) for each of 32 sums.
///
/// `sources` are all nodes for the exact value; for a sample of them the result is scaled up by n/|S| (U. Brandes and
/// C. Pich, "Centrality estimation in large networks", 2007).
///
/// ```
/// use tg_analyze::graph::{Graph, betweenness::betweenness};
/// let path = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 3)]);
/// assert_eq!(betweenness(path.undirected(), &[0, 1, 2, 3]), vec![0.0, 2.0, 2.0, 0.0]);
/// ```
pub fn betweenness(both: &Csr, sources: &[u32]) -> Vec<f64> {
    let n = both.nodes();
    let chunk = sources.len().div_ceil(SUMS).max(1);
    let sums: Vec<Vec<f64>> = sources.par_chunks(chunk).map(|some| accumulate(both, some)).collect();
    // Every unordered pair was met from both of its ends.
    let scale = if sources.is_empty() { 0.0 } else { n as f64 / sources.len() as f64 / 2.0 };
    (0..n).map(|node| sums.iter().map(|sum| sum[node]).sum::<f64>() * scale).collect()
}

/// What one search leaves at a node, side by side in memory: the search touches all of it at once.
#[derive(Clone, Copy)]
struct At {
    distance: u32,
    paths: f64,
    share: f64,
}

const UNSEEN: At = At { distance: u32::MAX, paths: 0.0, share: 0.0 };

fn accumulate(both: &Csr, sources: &[u32]) -> Vec<f64> {
    let n = both.nodes();
    let mut total = vec![0.0; n];
    let mut at = vec![UNSEEN; n];
    let mut order: Vec<u32> = Vec::with_capacity(n);
    for &source in sources {
        order.clear();
        order.push(source);
        at[source as usize] = At { distance: 0, paths: 1.0, share: 0.0 };
        let mut head = 0;
        while let Some(&node) = order.get(head) {
            head += 1;
            let At { distance, paths, .. } = at[node as usize];
            for &next in both.of(node) {
                let there = &mut at[next as usize];
                if there.distance == u32::MAX {
                    *there = At { distance: distance + 1, paths, share: 0.0 };
                    order.push(next);
                } else if there.distance == distance + 1 {
                    there.paths += paths;
                }
            }
        }
        // Back from the farthest: each node hands its share to those one step nearer, by their number of paths.
        for &node in order[1..].iter().rev() {
            let At { distance, paths, share } = at[node as usize];
            let each = (1.0 + share) / paths;
            for &nearer in both.of(node) {
                let there = &mut at[nearer as usize];
                if there.distance + 1 == distance {
                    there.share += there.paths * each;
                }
            }
            total[node as usize] += share;
        }
        for &node in &order {
            at[node as usize] = UNSEEN;
        }
    }
    total
}
