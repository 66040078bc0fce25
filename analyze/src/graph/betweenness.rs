//! How many shortest paths lead through each node.

use std::ops::Range;

use rayon::prelude::*;

use super::csr::Csr;
use crate::work::{Stopped, Work};

/// Sources are dealt to this many sums, whatever the number of cores, so that floats are added in one order.
const SUMS: usize = 32;
/// So many sources share each pass over the edges: their numbers at a node fill a line of the cache.
const LANES: usize = 8;

/// A number for each of the sources that are searched from together.
type Row = [f64; LANES];
const ZERO: Row = [0.0; LANES];

/// Betweenness: for each node the sum, over unordered pairs of other nodes, of the share of their shortest paths that
/// leads through it.
///
/// Definition: L. Freeman, "A set of measures of centrality based on betweenness", 1977; computed as U. Brandes, "A
/// faster algorithm for betweenness centrality", 2001. On the undirected projection *U*, not normalised: divide by
/// (n − 1)(n − 2)/2 for shares of all pairs.
/// Pairs that no path joins add nothing; an empty graph has none.
/// Cost: O(|S|·(|V| + |E|)) for the sources S, eight of which share each pass over the edges of a level, on all cores;
/// memory 8 bytes a node for each of 32 sums, and 193 for each core.
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
    betweenness_within(both, sources, &Work::unwatched()).unwrap_or_default()
}

/// How many steps [`betweenness_within`] takes from so many sources.
pub(super) fn steps(sources: usize) -> usize {
    let chunk = sources.div_ceil(SUMS).max(1);
    sources / chunk * chunk.div_ceil(LANES) + (sources % chunk).div_ceil(LANES)
}

/// The same, unless it is stopped.
pub(super) fn betweenness_within(both: &Csr, sources: &[u32], work: &Work<'_>) -> Result<Vec<f64>, Stopped> {
    let n = both.nodes();
    let chunk = sources.len().div_ceil(SUMS).max(1);
    let sums: Result<Vec<Vec<f64>>, Stopped> =
        sources.par_chunks(chunk).map(|some| accumulate(both, some, work)).collect();
    let sums = sums?;
    // Every unordered pair was met from both of its ends.
    let scale = if sources.is_empty() { 0.0 } else { n as f64 / sources.len() as f64 / 2.0 };
    Ok((0..n).map(|node| sums.iter().map(|sum| sum[node]).sum::<f64>() * scale).collect())
}

fn accumulate(both: &Csr, sources: &[u32], work: &Work<'_>) -> Result<Vec<f64>, Stopped> {
    let mut total = vec![0.0; both.nodes()];
    let mut search = Search::new(both);
    for some in sources.chunks(LANES) {
        work.step()?;
        search.forth(some);
        search.back(&mut total);
    }
    Ok(total)
}

/// Searches from a few sources at once, level by level.
struct Search<'a> {
    both: &'a Csr,
    /// From which sources each node was met, a bit for each.
    seen: Vec<u8>,
    /// How many shortest paths lead from each source to each node.
    paths: Vec<Row>,
    /// What the nodes of a level hand to their neighbours; zero for all others.
    given: Vec<Row>,
    /// What nodes were handed, those that `touched` names; zero for all others.
    taken: Vec<Row>,
    touched: Vec<u32>,
    /// The nodes of each level with the sources from which they are so far, and where the levels begin.
    nodes: Vec<(u32, u8)>,
    levels: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(both: &'a Csr) -> Self {
        let n = both.nodes();
        let [paths, given, taken] = [(); 3].map(|()| vec![ZERO; n]);
        Self { both, seen: vec![0; n], paths, given, taken, touched: Vec::new(), nodes: Vec::new(), levels: Vec::new() }
    }

    fn level(&self, level: usize) -> Range<usize> {
        self.levels[level]..self.levels[level + 1]
    }

    fn arcs_of(&self, level: usize) -> usize {
        self.nodes[self.level(level)].iter().map(|&(node, _)| self.both.of(node).len()).sum()
    }

    /// Counts the shortest paths from at most [`LANES`] sources.
    fn forth(&mut self, sources: &[u32]) {
        self.seen.fill(0);
        self.nodes.clear();
        self.levels.clear();
        self.levels.push(0);
        for (lane, &source) in sources.iter().enumerate() {
            let mut row = ZERO;
            row[lane] = 1.0;
            self.paths[source as usize] = row;
            self.given[source as usize] = row;
            self.seen[source as usize] = 1 << lane;
            self.nodes.push((source, 1 << lane));
        }
        self.levels.push(self.nodes.len());
        let all = u8::MAX >> (LANES - sources.len());
        for level in 0.. {
            // Few push along their edges; of many it is cheaper to pull, without random writes.
            if self.arcs_of(level) < self.both.arcs() / 4 {
                self.push(level);
            } else {
                self.pull_unseen(all);
            }
            self.forget(level);
            for at in 0..self.touched.len() {
                self.meet(self.touched[at]);
            }
            self.touched.clear();
            if self.nodes.len() == self.levels[level + 1] {
                return;
            }
            self.levels.push(self.nodes.len());
        }
    }

    /// Puts a node that was handed paths into the next level, with the sources that had not met it before.
    fn meet(&mut self, node: u32) {
        let at = node as usize;
        let taken = std::mem::replace(&mut self.taken[at], ZERO);
        let seen = self.seen[at];
        let fresh = (0..LANES).fold(0, |bits, lane| bits | u8::from(taken[lane] > 0.0) << lane) & !seen;
        if fresh == 0 {
            return;
        }
        // What an earlier batch left there is in no bit of `seen`.
        let (new, old) = (only(&taken, fresh), only(&self.paths[at], seen));
        for (sum, (new, old)) in self.paths[at].iter_mut().zip(new.iter().zip(old)) {
            *sum = new + old;
        }
        self.given[at] = new;
        self.seen[at] = seen | fresh;
        self.nodes.push((node, fresh));
    }

    /// Hands shares from the farthest nodes to those one step nearer, by their numbers of paths, and adds the share of each
    /// node to `total`.
    fn back(&mut self, total: &mut [f64]) {
        let last = self.levels.len() - 2;
        for at in self.level(last) {
            let (node, lanes) = self.nodes[at];
            self.given[node as usize] = only(&self.paths[node as usize].map(|paths| 1.0 / paths), lanes);
        }
        for level in (1..last).rev() {
            if 2 * self.arcs_of(level + 1) < self.arcs_of(level) {
                self.push(level + 1);
            } else {
                self.pull(level);
            }
            self.forget(level + 1);
            for at in self.level(level) {
                let (node, lanes) = self.nodes[at];
                let at = node as usize;
                let (paths, taken) = (self.paths[at], self.taken[at]);
                let (mut share, mut given) = (ZERO, ZERO);
                for lane in 0..LANES {
                    share[lane] = paths[lane] * taken[lane];
                    // The node's own pair and what lies behind it, for each of its paths.
                    given[lane] = 1.0 / paths[lane] + taken[lane];
                }
                total[at] += only(&share, lanes).iter().sum::<f64>();
                self.given[at] = only(&given, lanes);
            }
            for &node in &self.touched {
                self.taken[node as usize] = ZERO;
            }
            self.touched.clear();
        }
        self.forget(last.min(1));
    }

    /// The nodes of a level have nothing to give any more.
    fn forget(&mut self, level: usize) {
        for at in self.level(level) {
            self.given[self.nodes[at].0 as usize] = ZERO;
        }
    }

    /// Hands what the nodes of a level give to all their neighbours.
    fn push(&mut self, level: usize) {
        for at in self.level(level) {
            let node = self.nodes[at].0;
            let given = self.given[node as usize];
            for &other in self.both.of(node) {
                let taken = &mut self.taken[other as usize];
                // All that is given is positive.
                if *taken == ZERO {
                    self.touched.push(other);
                }
                add(taken, &given);
            }
        }
    }

    /// Lets the nodes of a level take what all their neighbours give.
    fn pull(&mut self, level: usize) {
        for at in self.level(level) {
            let node = self.nodes[at].0;
            self.taken[node as usize] = self.sum(node);
            self.touched.push(node);
        }
    }

    /// Lets the nodes that some source has not met yet take.
    fn pull_unseen(&mut self, all: u8) {
        for node in self.both.ids().filter(|&node| self.seen[node as usize] != all) {
            let sum = self.sum(node);
            if sum != ZERO {
                self.taken[node as usize] = sum;
                self.touched.push(node);
            }
        }
    }

    fn sum(&self, node: u32) -> Row {
        let mut sum = ZERO;
        for &other in self.both.of(node) {
            add(&mut sum, &self.given[other as usize]);
        }
        sum
    }
}

fn add(sum: &mut Row, more: &Row) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

/// A row with zero wherever a bit is not set, whatever stands there.
fn only(row: &Row, bits: u8) -> Row {
    let mut kept = ZERO;
    for (lane, kept) in kept.iter_mut().enumerate() {
        let mask = 0_u64.wrapping_sub(u64::from(bits >> lane & 1));
        *kept = f64::from_bits(row[lane].to_bits() & mask);
    }
    kept
}
