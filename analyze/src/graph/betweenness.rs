//! How many shortest paths lead through each node.

use std::ops::Range;

use rayon::prelude::*;

use super::csr::Csr;
use super::random::Random;
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
    Ok(scaled(both.nodes(), sources.len(), &sums(both, sources, work)?))
}

fn sums(both: &Csr, sources: &[u32], work: &Work<'_>) -> Result<Vec<Vec<f64>>, Stopped> {
    let chunk = sources.len().div_ceil(SUMS).max(1);
    sources.par_chunks(chunk).map(|some| accumulate(both, some, work)).collect()
}

/// What sums over so many of n sources say of all.
fn scaled(n: usize, sources: usize, sums: &[Vec<f64>]) -> Vec<f64> {
    // Every unordered pair was met from both of its ends.
    let scale = if sources == 0 { 0.0 } else { n as f64 / sources as f64 / 2.0 };
    (0..n).map(|node| sums.iter().map(|sum| sum[node]).sum::<f64>() * scale).collect()
}

/// Betweenness from a sample of nodes, and how far it may be off.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate for each node.
    pub scores: Vec<f64>,
    /// Its standard error.
    pub errors: Vec<f64>,
    /// From how many nodes.
    pub sources: usize,
    /// Estimates by parts of the sample, from as many nodes each.
    pub parts: Vec<Vec<f64>>,
}

impl Estimate {
    /// With a probability of 1 − `risk` no node's share of all pairs is off by more.
    ///
    /// Definition: W. Hoeffding, "Probability inequalities for sums of bounded random variables", 1963, which holds for
    /// drawing without putting back, as D. Eppstein and J. Wang, "Fast approximation of centrality", 2004, use it: what a
    /// source contributes to a node is between 0 and n − 2, and all n nodes are to be right at once.
    pub fn bound(&self, risk: f64) -> f64 {
        let n = self.scores.len() as f64;
        ((2.0 * n / risk).ln() / (2.0 * self.sources as f64)).sqrt() * n / (n - 1.0)
    }
}

/// So many parts of a sample give estimates of their own.
pub const PARTS: usize = 8;

/// Betweenness from about so many nodes, drawn without putting back; nothing where that is all of them or there are
/// fewer than 64.
///
/// Definition: U. Brandes and C. Pich, "Centrality estimation in large networks", 2007. The error is that of random groups
/// (K. Wolter, *Introduction to Variance Estimation*, 2.2): the sample is 32 groups, and √((1 − k/n)/32) times the deviation
/// of their estimates is the standard error of an estimate from all k of n nodes. It is itself known to about 13 % for
/// nodes to which many sources contribute, as the most central ones; to others it is too low.
/// On the undirected projection *U*. Cost: that of [`betweenness`] from k sources, and 32 numbers a node.
///
/// ```
/// use tg_analyze::graph::{Graph, betweenness::estimate};
/// // From every node of a ring the same is seen, whichever are drawn.
/// let ring: Vec<(u32, u32)> = (0..101).map(|i| (i, (i + 1) % 101)).collect();
/// let found = estimate(Graph::from_arcs(101, &ring).undirected(), 64, 7).unwrap();
/// assert_eq!((found.sources, found.errors.len(), found.parts.len()), (64, 101, 8));
/// assert!((found.scores.iter().sum::<f64>() - 101.0 * 50.0 * 49.0 / 2.0).abs() < 1e-6);
/// ```
pub fn estimate(both: &Csr, sources: usize, seed: u64) -> Option<Estimate> {
    estimate_within(both, sources, seed, &Work::unwatched()).unwrap_or_default()
}

/// From how many nodes [`estimate`] takes betweenness; nothing where it has none.
pub(super) fn drawn(both: &Csr, sources: usize) -> Option<usize> {
    // Groups are of one size.
    let k = sources / SUMS * SUMS;
    (k >= 2 * SUMS && k < both.nodes()).then_some(k)
}

/// The same, unless it is stopped.
pub(super) fn estimate_within(
    both: &Csr,
    sources: usize,
    seed: u64,
    work: &Work<'_>,
) -> Result<Option<Estimate>, Stopped> {
    let Some(k) = drawn(both, sources) else { return Ok(None) };
    let n = both.nodes();
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut random = Random::new(seed);
    let mut chosen = random.sample(narrow(n), narrow(k));
    // A sample is ascending, and numbers near one another are often of one group.
    random.shuffle(&mut chosen);
    let sums = sums(both, &chosen, work)?;
    let groups = sums.len() as f64;
    let unseen = 1.0 - k as f64 / n as f64;
    let scale = n as f64 / (k as f64 / groups) / 2.0;
    let error = |node: usize| {
        let of = || sums.iter().map(|sum| sum[node] * scale);
        let mean = of().sum::<f64>() / groups;
        let variance = of().map(|one| (one - mean).powi(2)).sum::<f64>() / (groups - 1.0);
        (unseen * variance / groups).sqrt()
    };
    let errors = (0..n).map(error).collect();
    let parts = sums.chunks(SUMS / PARTS).map(|some| scaled(n, k / PARTS, some)).collect();
    Ok(Some(Estimate { scores: scaled(n, k, &sums), errors, sources: k, parts }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn estimates_are_as_near_as_their_errors_say() {
        // Some are in the middle of everything, most are not.
        let mut random = Random::new(6);
        let n = 600;
        let arcs: Vec<_> = (0..n).flat_map(|a| [(a, (a + 1) % n), (a, random.below(a / 4 + 1))]).collect();
        let graph = Graph::from_arcs(n as usize, &arcs);
        let both = graph.undirected();
        let all: Vec<u32> = both.ids().collect();
        let exact = betweenness(both, &all);
        // To most others few nodes contribute, and a sample without these knows nothing of what it misses.
        let mut most: Vec<usize> = (0..n as usize).collect();
        most.sort_by(|&a, &b| exact[b].total_cmp(&exact[a]));
        most.truncate(10);
        let (mut squares, mut count) = (0.0, 0.0);
        for seed in 0..30 {
            let found = estimate(both, 256, seed).unwrap();
            let off = |node: usize| (found.scores[node] - exact[node]) / found.errors[node];
            squares += most.iter().map(|&node| off(node).powi(2)).sum::<f64>();
            count += 10.0;
            let bound = found.bound(0.05);
            let share = |score: f64| score / (f64::from(n - 1) * f64::from(n - 2) / 2.0);
            assert!((0..n as usize).all(|node| share((found.scores[node] - exact[node]).abs()) < bound), "{bound}");
            let mean = |node: usize| found.parts.iter().map(|part| part[node]).sum::<f64>() / PARTS as f64;
            assert!((0..n as usize).all(|node| (mean(node) - found.scores[node]).abs() < 1e-6 * (1.0 + exact[node])));
        }
        // Of Student's distribution with 31 degrees of freedom it would be 31/29.
        assert!((0.7..1.5).contains(&(squares / count)), "{}", squares / count);
    }

    #[test]
    fn what_is_no_sample_has_no_error() {
        let path = |n: u32| Graph::from_arcs(n as usize, &(1..n).map(|i| (i - 1, i)).collect::<Vec<_>>());
        let of = |n, sources| estimate(path(n).undirected(), sources, 0).map(|found| found.sources);
        assert_eq!(
            [of(64, 64), of(65, 64), of(200, 100), of(200, 63), of(0, 64)],
            [None, Some(64), Some(96), None, None]
        );
    }
}
