//! Whether a network is at once clustered and narrow.

use std::collections::BTreeSet;

use super::clustering::clustering;
use super::components::parts_of;
use super::csr::{Csr, Graph};
use super::distance::{Totals, distances_within};
use super::random::Random;
use crate::work::{Stopped, Work};

/// How many random graphs are made.
pub const GRAPHS: u32 = 10;
/// Beyond so many steps (nodes × arcs) paths are those from a sample of nodes.
const MOST_STEPS: u64 = 2_000_000_000;
/// How many nodes the sample has.
const SAMPLE: u32 = 512;

/// Clustering and path length of the largest component, beside those of random graphs of its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmallWorld {
    /// The mean local clustering coefficient.
    pub clustering: f64,
    /// The mean distance.
    pub path: f64,
    /// The mean over the random graphs of their clustering.
    pub random_clustering: f64,
    /// The mean over the random graphs of the mean distance in their largest component.
    pub random_path: f64,
    /// From how many nodes distances were taken.
    pub sources: usize,
    /// The standard error of `path`; 0 where it is from all nodes.
    pub path_error: f64,
    /// The standard error of `random_clustering`, by the deviation of the random graphs.
    pub random_clustering_error: f64,
    /// That of `random_path`.
    pub random_path_error: f64,
}

impl SmallWorld {
    /// σ = (C/C₀)/(L/L₀): about 1 for a random graph, well above 1 for a small world. Nothing where the random graphs
    /// have no triangle.
    pub fn sigma(&self) -> Option<f64> {
        let ratio = (self.clustering / self.random_clustering) / (self.path / self.random_path);
        (self.random_clustering > 0.0).then_some(ratio)
    }

    /// The standard error of σ, to first order: the shares by which its parts may be off, as the root of their squares.
    pub fn sigma_error(&self) -> Option<f64> {
        let shares = [
            self.path_error / self.path,
            self.random_clustering_error / self.random_clustering,
            self.random_path_error / self.random_path,
        ];
        Some(self.sigma()? * shares.iter().map(|share| share * share).sum::<f64>().sqrt())
    }
}

/// Small-world quotient: clustering and path length against those of random graphs.
///
/// Definition: M. Humphries and K. Gurney, "Network 'small-world-ness'", 2008. Random graphs have as many nodes and edges
/// as the largest component, every set of edges as likely (P. Erdős and A. Rényi, 1959); ten are made from the seed.
/// On the undirected projection *U*. Of a disconnected graph the largest component is taken, and so of the random ones;
/// a component of fewer than three nodes has none.
/// Cost: that of eleven times clustering and distances, O(|V|·|E|); beyond 2·10⁹ nodes × arcs distances are those from
/// 512 nodes.
///
/// ```
/// use tg_analyze::graph::{Graph, small_world::small_world};
/// // Two triangles that share an edge.
/// let graph = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 0), (1, 3), (2, 3)]);
/// let found = small_world(graph.undirected(), 7).unwrap();
/// // Every graph of four nodes and five edges is this one.
/// assert!((found.sigma().unwrap() - 1.0).abs() < 1e-12);
/// ```
pub fn small_world(both: &Csr, seed: u64) -> Option<SmallWorld> {
    small_world_within(both, seed, &Work::unwatched()).unwrap_or_default()
}

/// How many steps [`small_world_within`] takes.
pub(super) const STEPS: usize = GRAPHS as usize + 1;

/// The same, unless it is stopped.
pub(super) fn small_world_within(both: &Csr, seed: u64, work: &Work<'_>) -> Result<Option<SmallWorld>, Stopped> {
    let mut random = Random::new(seed);
    let own = both.induced(&parts_of(both).members(0));
    if own.nodes() < 3 {
        return Ok(None);
    }
    let sources = if (own.nodes() as u64).saturating_mul(own.arcs() as u64) > MOST_STEPS { SAMPLE } else { u32::MAX };
    work.step()?;
    let Some((local, own_path, sources)) = measure(&own, sources, &mut random) else { return Ok(None) };
    let path = own_path.mean;
    let n = u32::try_from(own.nodes()).unwrap_or(u32::MAX);
    let (mut locals, mut paths) = (Vec::new(), Vec::new());
    let most = u32::try_from(sources).unwrap_or(u32::MAX);
    for _ in 0..GRAPHS {
        work.step()?;
        let graph = random_graph(n, own.arcs() / 2, &mut random);
        let both = graph.undirected();
        let largest = both.induced(&parts_of(both).members(0));
        // Of as many edges some join the largest component.
        let Some((_, path, _)) = measure(&largest, most, &mut random) else { return Ok(None) };
        locals.push(clustering(both).mean().unwrap_or(0.0));
        paths.push(path.mean);
    }
    let (random_clustering, random_clustering_error) = mean_and_error(&locals);
    let (random_path, random_path_error) = mean_and_error(&paths);
    Ok(Some(SmallWorld {
        clustering: local,
        path,
        random_clustering,
        random_path,
        sources,
        path_error: own_path.error,
        random_clustering_error,
        random_path_error,
    }))
}

/// A mean and its standard error.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|one| (one - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// The mean distance, and its standard error.
struct Path {
    mean: f64,
    error: f64,
}

/// Clustering, mean distance, and from how many nodes that was taken.
fn measure(both: &Csr, most: u32, random: &mut Random) -> Option<(f64, Path, usize)> {
    let sources = random.sample(u32::try_from(both.nodes()).unwrap_or(u32::MAX), most);
    let is_all = sources.len() == both.nodes();
    let totals = if is_all { Totals::None } else { Totals::Each };
    let found = distances_within(both, both, &sources, totals, &Work::unwatched()).ok()?;
    let error = found.mean_error(both.nodes()).unwrap_or(0.0);
    Some((clustering(both).mean()?, Path { mean: found.mean()?, error }, sources.len()))
}

/// A graph of n nodes and m edges, every one as likely.
fn random_graph(n: u32, m: usize, random: &mut Random) -> Graph {
    let all = n as usize * (n as usize - 1) / 2;
    // Of a dense graph it is quicker to draw the pairs that have no edge.
    let sparse = m <= all / 2;
    let wanted = if sparse { m } else { all - m };
    let mut drawn: BTreeSet<(u32, u32)> = BTreeSet::new();
    while drawn.len() < wanted {
        let (a, b) = (random.below(n), random.below(n));
        if a != b {
            drawn.insert((a.min(b), a.max(b)));
        }
    }
    let pairs: Vec<(u32, u32)> = if sparse {
        drawn.into_iter().collect()
    } else {
        (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).filter(|pair| !drawn.contains(pair)).collect()
    };
    Graph::from_arcs(n as usize, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_graphs_have_their_size() {
        let mut random = Random::new(1);
        for (n, m) in [(2, 1), (5, 10), (5, 9), (30, 40), (30, 400)] {
            let graph = random_graph(n, m, &mut random);
            assert_eq!((graph.nodes(), graph.edges(), graph.loops(), graph.repeats()), (n as usize, m, 0, 0));
        }
    }

    #[test]
    fn a_ring_with_shortcuts_is_a_small_world_and_a_random_graph_is_none() {
        let mut random = Random::new(2);
        let n = 600;
        let near = (0..n).flat_map(|a| (1..=3).map(move |step| (a, (a + step) % n)));
        let far: Vec<_> = (0..60).map(|_| (random.below(n), random.below(n))).collect();
        let ring = Graph::from_arcs(n as usize, &near.chain(far).collect::<Vec<_>>());
        let found = small_world(ring.undirected(), 0).unwrap();
        assert!(found.sigma().unwrap() > 10.0 && found.clustering > 0.5, "{found:?}");
        // Other random graphs give another quotient, and not farther away than its error says.
        let sigmas: Vec<f64> =
            (0..12).map(|seed| small_world(ring.undirected(), seed).unwrap().sigma().unwrap()).collect();
        let (_, error) = mean_and_error(&sigmas);
        let ratio = found.sigma_error().unwrap() / (error * 12_f64.sqrt());
        assert!((0.4..2.5).contains(&ratio), "{ratio} {sigmas:?}");
        // G(n, m) is expected to have the clustering 2m/(n(n − 1)).
        let chance = 2.0 * ring.edges() as f64 / f64::from(n * (n - 1));
        assert!((found.random_clustering / chance - 1.0).abs() < 0.15, "{found:?}, {chance}");
        let even = random_graph(n, ring.edges(), &mut random);
        let sigma = small_world(even.undirected(), 0).unwrap().sigma().unwrap();
        assert!((0.75..1.33).contains(&sigma), "{sigma}");
    }

    #[test]
    fn too_little_is_no_world() {
        for arcs in [&[][..], &[(0, 1)], &[(0, 1), (2, 3)]] {
            assert_eq!(small_world(Graph::from_arcs(4, arcs).undirected(), 0), None);
        }
        // A path of three has no triangle, and neither has any graph of its size.
        let path = small_world(Graph::from_arcs(3, &[(0, 1), (1, 2)]).undirected(), 0).unwrap();
        assert_eq!((path.sigma(), path.sources), (None, 3));
    }
}
