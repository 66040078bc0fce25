//! Who reaches whom along arcs.

use super::csr::Graph;
use super::strong::completed;
use crate::work::{Stopped, Work};

const WORDS: usize = 8;
const BLOCK: usize = WORDS * 64;

/// How many other nodes each node reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// For each node, the number of other nodes that it reaches.
    pub of: Vec<u64>,
}

/// Reachability: for each node the number of other nodes to which a directed path leads.
///
/// Definition: descendants in the directed projection *D* (J. Bang-Jensen and G. Gutin, *Digraphs*, 2.3).
/// An empty graph has none; an isolated node reaches 0.
/// Cost: O(|V| + |E|) for the strong components, then O(C·(C + E')/512) words over the C components and E' arcs
/// between them.
///
/// ```
/// use tg_analyze::graph::{Graph, reach::reach};
/// let graph = Graph::from_arcs(4, &[(0, 1), (1, 0), (1, 2)]);
/// let found = reach(&graph);
/// assert_eq!((found.of.clone(), found.pair_ratio()), (vec![2, 2, 0, 0], Some(4.0 / 12.0)));
/// ```
pub fn reach(graph: &Graph) -> Reach {
    reach_within(graph, &Work::unwatched()).unwrap_or_default()
}

/// How many steps [`reach_within`] takes at most, of so many nodes.
pub(super) fn steps(nodes: usize) -> usize {
    nodes.div_ceil(BLOCK)
}

/// The same, unless it is stopped.
pub(super) fn reach_within(graph: &Graph, work: &Work<'_>) -> Result<Reach, Stopped> {
    let out = graph.outbound();
    let (labels, count) = completed(out);
    let mut sizes = vec![0_u64; count];
    for &label in &labels {
        sizes[label as usize] += 1;
    }
    let mut between: Vec<(u32, u32)> = out
        .ids()
        .flat_map(|from| out.of(from).iter().map(move |&to| (from, to)))
        .map(|(from, to)| (labels[from as usize], labels[to as usize]))
        .filter(|(from, to)| from != to)
        .collect();
    between.sort_unstable();
    between.dedup();
    let mut totals = vec![0_u64; count];
    let mut masks = vec![[0_u64; WORDS]; count];
    for start in (0..count).step_by(BLOCK) {
        work.step()?;
        let end = (start + BLOCK).min(count);
        let mut arcs = between.iter().peekable();
        // Labels are in reverse topological order: whatever a component has arcs to was done before it.
        for at in 0..count {
            let mut mask = [0_u64; WORDS];
            if (start..end).contains(&at) {
                mask[(at - start) / 64] |= 1 << ((at - start) % 64);
            }
            while let Some(&(_, to)) = arcs.next_if(|&&(from, _)| from as usize == at) {
                for (word, more) in mask.iter_mut().zip(masks[to as usize]) {
                    *word |= more;
                }
            }
            masks[at] = mask;
            totals[at] += weight(&mask, &sizes[start..end]);
        }
    }
    // A node's own component counts without the node itself.
    Ok(Reach { of: labels.iter().map(|&label| totals[label as usize] - 1).collect() })
}

fn weight(mask: &[u64; WORDS], sizes: &[u64]) -> u64 {
    let mut total = 0;
    for (word, chunk) in mask.iter().zip(sizes.chunks(64)) {
        let mut left = *word;
        while left != 0 {
            total += chunk[left.trailing_zeros() as usize];
            left &= left - 1;
        }
    }
    total
}

impl Reach {
    /// The share of ordered pairs of nodes that a directed path joins; nothing for fewer than two nodes.
    pub fn pair_ratio(&self) -> Option<f64> {
        let n = self.of.len() as f64;
        (self.of.len() > 1).then(|| self.of.iter().sum::<u64>() as f64 / (n * (n - 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::distance::distances;
    use crate::graph::random::Random;

    #[test]
    fn the_directed_test_graph() {
        let arcs = [(1, 2), (2, 3), (3, 1), (3, 4), (5, 1), (4, 6), (7, 8)].map(|(a, b)| (a - 1, b - 1));
        let found = reach(&Graph::from_arcs(8, &arcs));
        assert_eq!(found.of, vec![4, 4, 4, 1, 5, 0, 1, 0]);
        assert_eq!(found.pair_ratio(), Some(19.0 / 56.0));
        assert_eq!(reach(&Graph::from_arcs(0, &[])).pair_ratio(), None);
    }

    #[test]
    fn it_agrees_with_the_searches() {
        let mut random = Random::new(11);
        for m in [500, 1500, 4000] {
            let arcs: Vec<_> = (0..m).map(|_| (random.below(1500), random.below(1500))).collect();
            let graph = Graph::from_arcs(1500, &arcs);
            let sources: Vec<u32> = (0..1500).collect();
            let pairs = distances(graph.outbound(), graph.inbound(), &sources).reached();
            assert_eq!(reach(&graph).of.iter().sum::<u64>(), pairs, "{m} arcs");
        }
    }
}
