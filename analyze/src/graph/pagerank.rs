//! Where a walk along arcs spends its time.

use super::components::tarjan;
use super::csr::Graph;

/// The walk follows an arc with this probability, else it goes anywhere.
const DAMPING: f64 = 0.85;
/// It ends when all changes of a step together are below this share of the whole.
const TOLERANCE: f64 = 1e-12;
const MOST_STEPS: u32 = 1000;

/// Page rank: the share of time that a random walk along arcs spends at each node, when it jumps to any node with
/// probability 0.15 and from nodes without arcs.
///
/// Definition: S. Brin and L. Page, "The anatomy of a large-scale hypertextual web search engine", 1998, on the
/// directed projection *D*; the shares add up to 1.
/// An empty graph has none; without arcs all nodes have the same share.
/// Found as the solution of a linear system, without the jumps from nodes that have no arcs, which only scale it (G. Del
/// Corso, A. Gullí, F. Romani, "Fast `PageRank` computation via a sparse linear system", 2005), by the method of Gauss and
/// Seidel: each node takes what those before it have by now, and strong components come in the order of the arcs
/// between them, so that a graph without cycles needs one step.
/// Cost: O(|V| + |E|) a step; 10 to 80 steps to 12 digits.
///
/// ```
/// use tg_analyze::graph::{Graph, pagerank::pagerank};
/// let ring = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
/// assert!(pagerank(&ring).iter().all(|share| (share - 0.25).abs() < 1e-9));
/// ```
pub fn pagerank(graph: &Graph) -> Vec<f64> {
    let (out, into) = (graph.outbound(), graph.inbound());
    let n = graph.nodes();
    if n == 0 {
        return Vec::new();
    }
    let order = along_arcs(graph);
    let jump = (1.0 - DAMPING) / n as f64;
    let share = |node: u32| f64::from(out.degree(node).max(1)).recip();
    let mut rank = vec![jump; n];
    // What each node hands to each of those it has arcs to.
    let mut given: Vec<f64> = out.ids().map(|node| jump * share(node)).collect();
    for _ in 0..MOST_STEPS {
        let (mut change, mut whole) = (0.0, 0.0);
        for &node in &order {
            let new = jump + DAMPING * sum(into.of(node), &given);
            change += (new - rank[node as usize]).abs();
            whole += new;
            rank[node as usize] = new;
            given[node as usize] = new * share(node);
        }
        if change < TOLERANCE * whole {
            break;
        }
    }
    let whole: f64 = rank.iter().sum();
    for rank in &mut rank {
        *rank /= whole;
    }
    rank
}

/// What some nodes give, in four sums: no addition waits for the one before.
fn sum(nodes: &[u32], given: &[f64]) -> f64 {
    let fours = nodes.chunks_exact(4);
    let rest: f64 = fours.remainder().iter().map(|&node| given[node as usize]).sum();
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, &node) in sums.iter_mut().zip(four) {
            *sum += given[node as usize];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// The nodes by their strong components, those first from which arcs lead to the others; within one, ascending.
fn along_arcs(graph: &Graph) -> Vec<u32> {
    let (labels, count) = tarjan(graph.outbound());
    // An arc between two components goes from the higher label to the lower.
    let mut next = vec![0_usize; count + 1];
    for &label in &labels {
        next[count - label as usize] += 1;
    }
    for at in 0..count {
        next[at + 1] += next[at];
    }
    let mut order = vec![0; labels.len()];
    for (node, &label) in (0_u32..).zip(&labels) {
        let place = &mut next[count - 1 - label as usize];
        order[*place] = node;
        *place += 1;
    }
    order
}
