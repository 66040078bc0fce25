//! Distances by breadth-first search from many sources at once.

use rayon::prelude::*;

use super::csr::Csr;
use crate::work::{Stopped, Work};

/// Words of one node's mask: so many times 64 sources share each pass over the edges.
const WORDS: usize = 8;
const BATCH: usize = WORDS * 64;

type Mask = [u64; WORDS];

/// Distances from a set of sources to all nodes that they reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distances {
    /// How many ordered pairs (source, other node) are at each distance; the first entry, for distance 0, is 0.
    pub pairs: Vec<u64>,
    /// For each source, in the order given, the distance of the farthest node that it reaches; 0 if it reaches none.
    pub farthest: Vec<u32>,
    /// For each source the sum of its distances, where they were asked for.
    pub totals: Vec<u64>,
}

/// Whether the distances of each source are added up by themselves, which takes a look at every pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Totals {
    Each,
    None,
}

/// Distances in steps from every source to every other node that it reaches.
///
/// Definition: length of the shortest path (R. Diestel, *Graph Theory*, 1.3), on the arcs given: those of *U*, or of
/// *D* with its reverse as `into`.
/// Pairs that no path joins are in no count; an empty graph or an isolated source gives no pairs.
/// Cost: O(|S|·(|V| + |E|)) steps on words of 512 sources each, on all cores (bit-parallel search: M. Then et al.,
/// "The More the Merrier: Efficient Multi-Source Graph Traversal", VLDB 2014); memory O(|V|) masks per core.
///
/// ```
/// use tg_analyze::graph::{Graph, distance::distances};
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 3)]);
/// let found = distances(graph.undirected(), graph.undirected(), &[0, 1, 2, 3, 4]);
/// assert_eq!((found.pairs.clone(), found.farthest.clone()), (vec![0, 6, 4, 2], vec![3, 2, 2, 3, 0]));
/// assert_eq!((found.diameter(), found.radius(), found.mean()), (Some(3), Some(2), Some(20.0 / 12.0)));
/// ```
pub fn distances(out: &Csr, into: &Csr, sources: &[u32]) -> Distances {
    distances_within(out, into, sources, Totals::None, &Work::unwatched()).unwrap_or_default()
}

/// How many steps [`distances_within`] takes from so many sources.
pub(super) fn steps(sources: usize) -> usize {
    sources.div_ceil(BATCH)
}

/// The same, unless it is stopped.
pub(super) fn distances_within(
    out: &Csr,
    into: &Csr,
    sources: &[u32],
    totals: Totals,
    work: &Work<'_>,
) -> Result<Distances, Stopped> {
    Ok(Distances::together(&batches_within(out, into, sources, totals, work)?))
}

/// The same by batches of 512 sources.
pub(super) fn batches_within(
    out: &Csr,
    into: &Csr,
    sources: &[u32],
    totals: Totals,
    work: &Work<'_>,
) -> Result<Vec<Distances>, Stopped> {
    let one = |batch: &[u32]| work.step().map(|()| search(out, into, batch, totals));
    sources.par_chunks(BATCH).map(one).collect()
}

impl Distances {
    /// What was found from several sets of sources.
    pub(super) fn together(batches: &[Self]) -> Self {
        let mut all = Self { pairs: vec![0], ..Self::default() };
        for batch in batches {
            all.absorb(batch);
        }
        all
    }

    /// Adds what was found from further sources.
    pub fn absorb(&mut self, other: &Self) {
        if self.pairs.len() < other.pairs.len() {
            self.pairs.resize(other.pairs.len(), 0);
        }
        for (sum, more) in self.pairs.iter_mut().zip(&other.pairs) {
            *sum += more;
        }
        self.farthest.extend(&other.farthest);
        self.totals.extend(&other.totals);
    }

    /// The standard error of [`Self::mean`] where the sources are a sample, drawn without putting back, of so many nodes that
    /// all reach one another; nothing for fewer than two sources, or without their totals.
    ///
    /// Definition: W. Cochran, *Sampling Techniques*, 2.6: √((1 − k/n)/k) times the deviation of the mean distances of k
    /// sources.
    pub fn mean_error(&self, of: usize) -> Option<f64> {
        let k = self.totals.len() as f64;
        (self.totals.len() > 1 && of > 1).then_some(())?;
        let means = || self.totals.iter().map(|&total| total as f64 / (of as f64 - 1.0));
        let mean = means().sum::<f64>() / k;
        let variance = means().map(|one| (one - mean).powi(2)).sum::<f64>() / (k - 1.0);
        Some((variance * (1.0 - k / of as f64).max(0.0) / k).sqrt())
    }

    /// How many ordered pairs are joined by a path.
    pub fn reached(&self) -> u64 {
        self.pairs.iter().sum()
    }

    /// The longest of the distances; nothing if no pair is joined.
    pub fn diameter(&self) -> Option<u32> {
        self.farthest.iter().copied().max().filter(|&longest| longest > 0)
    }

    /// The least distance at which a source has its farthest node, among sources that reach any.
    pub fn radius(&self) -> Option<u32> {
        self.farthest.iter().copied().filter(|&far| far > 0).min()
    }

    /// The mean distance over the pairs that are joined.
    pub fn mean(&self) -> Option<f64> {
        let reached = self.reached();
        let total: u64 = (0_u64..).zip(&self.pairs).map(|(distance, pairs)| distance * pairs).sum();
        (reached > 0).then(|| total as f64 / reached as f64)
    }

    /// The median distance over the pairs that are joined: the lower one of two.
    pub fn median(&self) -> Option<u32> {
        let half = self.reached().div_ceil(2);
        let mut seen = 0;
        (0_u32..)
            .zip(&self.pairs)
            .find(|(_, pairs)| {
                seen += **pairs;
                half > 0 && seen >= half
            })
            .map(|(distance, _)| distance)
    }

    /// The distance within which a share of the pairs lies, interpolated between whole distances: with `share` 0.9
    /// the effective diameter (J. Leskovec et al., "Graphs over time", KDD 2005).
    ///
    /// ```
    /// # use tg_analyze::graph::distance::Distances;
    /// let found = Distances { pairs: vec![0, 6, 4, 2], ..Distances::default() };
    /// assert!((found.effective(0.9).unwrap() - 2.4).abs() < 1e-12);
    /// ```
    pub fn effective(&self, share: f64) -> Option<f64> {
        let wanted = share * self.reached() as f64;
        let mut before = 0.0;
        for (distance, &pairs) in (0_u32..).zip(&self.pairs).filter(|(_, pairs)| **pairs > 0) {
            let within = before + pairs as f64;
            if within >= wanted {
                return Some(f64::from(distance) - 1.0 + (wanted - before) / (within - before));
            }
            before = within;
        }
        None
    }

    /// The sum of 1/distance over the pairs; divided by n(n − 1) the global efficiency (V. Latora and M. Marchiori,
    /// "Efficient behavior of small-world networks", 2001).
    pub fn harmonic(&self) -> f64 {
        (0_u32..).zip(&self.pairs).skip(1).map(|(distance, &pairs)| pairs as f64 / f64::from(distance)).sum()
    }
}

/// One search from up to [`BATCH`] sources.
fn search(out: &Csr, into: &Csr, sources: &[u32], totals: Totals) -> Distances {
    let n = out.nodes();
    let mut seen: Vec<Mask> = vec![[0; WORDS]; n];
    let mut now: Vec<Mask> = vec![[0; WORDS]; n];
    let mut next: Vec<Mask> = vec![[0; WORDS]; n];
    let mut active: Vec<u32> = Vec::with_capacity(n);
    let mut touched: Vec<u32> = Vec::with_capacity(n);
    let mut all: Mask = [0; WORDS];
    for (bit, &source) in sources.iter().enumerate() {
        let (word, mask) = (bit / 64, 1 << (bit % 64));
        if now[source as usize] == [0; WORDS] {
            active.push(source);
        }
        now[source as usize][word] |= mask;
        seen[source as usize][word] |= mask;
        all[word] |= mask;
    }
    let each = if totals == Totals::Each { sources.len() } else { 0 };
    let mut found = Distances { pairs: vec![0], farthest: vec![0; sources.len()], totals: vec![0; each] };
    for distance in 1_u32.. {
        // Sparse frontiers push along their own arcs; dense ones are cheaper to pull from, without random writes.
        let work: usize = active.iter().map(|&node| out.of(node).len()).sum();
        if work < out.arcs() / 2 {
            push(out, &active, &now, &mut next, &mut touched);
        } else {
            pull(into, &all, &seen, &now, &mut next, &mut touched);
        }
        for &node in &active {
            now[node as usize] = [0; WORDS];
        }
        active.clear();
        let (mut pairs, mut alive): (u64, Mask) = (0, [0; WORDS]);
        for &node in &touched {
            let (fresh, old) = (&mut next[node as usize], &mut seen[node as usize]);
            let mut any = 0;
            for word in 0..WORDS {
                fresh[word] &= !old[word];
                old[word] |= fresh[word];
                alive[word] |= fresh[word];
                any |= fresh[word];
                pairs += u64::from(fresh[word].count_ones());
            }
            if any != 0 {
                active.push(node);
                if totals == Totals::Each {
                    add_each(&mut found.totals, fresh, distance);
                }
            }
        }
        // What was not fresh anywhere is zero already, so the arrays can change places.
        std::mem::swap(&mut now, &mut next);
        touched.clear();
        if pairs == 0 {
            return found;
        }
        found.pairs.push(pairs);
        for (bit, far) in found.farthest.iter_mut().enumerate() {
            if alive[bit / 64] >> (bit % 64) & 1 == 1 {
                *far = distance;
            }
        }
    }
    found
}

/// Adds a distance to the totals of the sources that a mask names.
fn add_each(totals: &mut [u64], mask: &Mask, distance: u32) {
    for (word, &bits) in mask.iter().enumerate() {
        let mut left = bits;
        while left != 0 {
            totals[64 * word + left.trailing_zeros() as usize] += u64::from(distance);
            left &= left - 1;
        }
    }
}

fn push(out: &Csr, active: &[u32], now: &[Mask], next: &mut [Mask], touched: &mut Vec<u32>) {
    for &node in active {
        let mask = now[node as usize];
        for &to in out.of(node) {
            let into = &mut next[to as usize];
            if *into == [0; WORDS] {
                touched.push(to);
            }
            for word in 0..WORDS {
                into[word] |= mask[word];
            }
        }
    }
}

fn pull(into: &Csr, all: &Mask, seen: &[Mask], now: &[Mask], next: &mut [Mask], touched: &mut Vec<u32>) {
    for node in into.ids() {
        if seen[node as usize] == *all {
            continue;
        }
        let mut sum: Mask = [0; WORDS];
        for &from in into.of(node) {
            let mask = &now[from as usize];
            for word in 0..WORDS {
                sum[word] |= mask[word];
            }
        }
        if sum != [0; WORDS] {
            next[node as usize] = sum;
            touched.push(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::graph::random::Random;

    /// One queue, one source.
    fn plain(out: &Csr, source: u32) -> Vec<Option<u32>> {
        let mut at = vec![None; out.nodes()];
        at[source as usize] = Some(0);
        let mut queue = std::collections::VecDeque::from([source]);
        while let Some(node) = queue.pop_front() {
            for &to in out.of(node) {
                if at[to as usize].is_none() {
                    at[to as usize] = at[node as usize].map(|d| d + 1);
                    queue.push_back(to);
                }
            }
        }
        at
    }

    #[test]
    fn many_sources_find_what_single_ones_find() {
        let mut random = Random::new(3);
        for (n, m) in [(1, 0), (2, 1), (60, 50), (700, 1500), (1100, 9000)] {
            let arcs: Vec<_> = (0..m).map(|_| (random.below(n), random.below(n))).collect();
            let graph = Graph::from_arcs(n as usize, &arcs);
            for (out, into) in [(graph.outbound(), graph.inbound()), (graph.undirected(), graph.undirected())] {
                let sources: Vec<u32> = (0..n).rev().collect();
                let found = distances_within(out, into, &sources, Totals::Each, &Work::unwatched()).unwrap();
                let mut wanted = Distances { pairs: vec![0], ..Distances::default() };
                for &source in &sources {
                    let at = plain(out, source);
                    wanted.farthest.push(at.iter().flatten().copied().max().unwrap_or(0));
                    wanted.totals.push(at.iter().flatten().map(|&distance| u64::from(distance)).sum());
                    for distance in at.into_iter().flatten().filter(|&d| d > 0) {
                        let distance = distance as usize;
                        wanted.pairs.resize(wanted.pairs.len().max(distance + 1), 0);
                        wanted.pairs[distance] += 1;
                    }
                }
                assert_eq!(found, wanted, "{n} nodes, {m} arcs");
            }
        }
    }

    #[test]
    fn nothing_is_absent_and_not_zero() {
        for graph in [Graph::from_arcs(0, &[]), Graph::from_arcs(3, &[])] {
            let sources: Vec<u32> = graph.undirected().ids().collect();
            let found = distances(graph.undirected(), graph.undirected(), &sources);
            let absent = (found.diameter(), found.radius(), found.median(), found.mean(), found.effective(0.9));
            assert_eq!(absent, (None, None, None, None, None));
            assert!(found.harmonic().abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_sample_says_how_far_it_may_be_off() {
        // Of a ring with chords, whose mean distance is known, every sample of 60 is as near as its error says.
        let mut random = Random::new(6);
        let n = 900;
        let arcs: Vec<_> = (0..n).flat_map(|a| [(a, (a + 1) % n), (a, random.below(a / 4 + 1))]).collect();
        let graph = Graph::from_arcs(n as usize, &arcs);
        let both = graph.undirected();
        let from = |sources: &[u32]| distances_within(both, both, sources, Totals::Each, &Work::unwatched()).unwrap();
        let all: Vec<u32> = (0..n).collect();
        let whole = from(&all);
        assert!(whole.mean_error(n as usize).unwrap() < 1e-12, "all of them are off by nothing");
        let off = |_| {
            let some = from(&random.sample(n, 60));
            (some.mean().unwrap() - whole.mean().unwrap()) / some.mean_error(n as usize).unwrap()
        };
        let squares: f64 = (0..200).map(off).map(|off| off * off).sum();
        assert!((0.75..1.35).contains(&(squares / 200.0)), "{squares}");
        assert_eq!((distances(both, both, &all).mean_error(n as usize), from(&[3]).mean_error(900)), (None, None));
    }

    #[test]
    fn a_long_path_is_no_trouble() {
        let arcs: Vec<_> = (0..999).map(|i| (i, i + 1)).collect();
        let graph = Graph::from_arcs(1000, &arcs);
        let sources: Vec<u32> = (0..1000).collect();
        let found = distances(graph.undirected(), graph.undirected(), &sources);
        assert_eq!((found.diameter(), found.radius(), found.reached()), (Some(999), Some(500), 999_000));
    }
}
