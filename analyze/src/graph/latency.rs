//! How long the way through the network takes, where the latencies of its links are known.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rayon::prelude::*;
use tg_model::network::Laid;

use super::csr::Csr;
use super::dear::{Budget, UNFIT};
use super::metric::Metric;
use super::network::{Member, Network};
use super::random::Random;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named};
use crate::report::{Cell, Facts, Unit};
use crate::run::Run;
use crate::work::{Stopped, Work};

/// Sources × arcs are at most so many.
const MOST_STEPS: usize = 200_000_000;
/// A sample has at least so many sources.
const LEAST_SAMPLE: usize = 64;
/// So many sources are a step.
const BATCH: usize = 32;

/// The times of the quickest paths from some nodes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latencies {
    /// Ordered pairs of a source and another node that it reaches.
    pub pairs: u64,
    /// The longest of their times, nanoseconds.
    pub most_ns: Option<u64>,
    /// For each source the mean over the nodes that it reaches, nanoseconds; nothing where it reaches none.
    pub means_ns: Vec<Option<f64>>,
}

impl Latencies {
    /// The mean over the sources; each of them reaches as many nodes.
    pub fn mean_ns(&self) -> Option<f64> {
        let known: Vec<f64> = self.means_ns.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }

    /// The standard error of the mean where the sources are a sample of so many nodes, as for distances in hops.
    pub fn mean_error_ns(&self, of: usize) -> Option<f64> {
        let known: Vec<f64> = self.means_ns.iter().copied().flatten().collect();
        let (k, mean) = (known.len() as f64, self.mean_ns()?);
        let variance = known.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (k - 1.0);
        (known.len() > 1).then(|| (variance * (1.0 - k / of as f64).max(0.0) / k).sqrt())
    }
}

/// The times of the quickest paths from each of some nodes to every node that it reaches.
///
/// Definition: shortest paths by E. Dijkstra, "A note on two problems in connexion with graphs", 1959. `length` is the
/// latency from a node to its neighbour, which may be another one on the way back; edges without one are left out. On the
/// undirected projection *U*: who dialled says nothing of where packets go.
/// An empty graph or an isolated source gives no pairs.
/// Cost: O(|S|·(|V| + |E|) log |V|), on all cores.
///
/// ```
/// use tg_analyze::graph::{Graph, latency::latencies};
/// // The way round by 1 is quicker than the edge from 0 to 2.
/// let graph = Graph::from_arcs(3, &[(0, 1), (1, 2), (0, 2)]);
/// let length = |a: u32, b: u32| Some(if a + b == 2 { 50 } else { 10 });
/// let found = latencies(graph.undirected(), length, &[0, 1, 2]);
/// assert_eq!((found.pairs, found.most_ns, found.mean_ns()), (6, Some(20), Some(40.0 / 3.0)));
/// ```
pub fn latencies(both: &Csr, length: impl Fn(u32, u32) -> Option<u64> + Sync, sources: &[u32]) -> Latencies {
    latencies_within(both, length, sources, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
fn latencies_within(
    both: &Csr,
    length: impl Fn(u32, u32) -> Option<u64> + Sync,
    sources: &[u32],
    work: &Work<'_>,
) -> Result<Latencies, Stopped> {
    let batch = |some: &[u32]| -> Result<Latencies, Stopped> {
        work.step()?;
        let mut found = Latencies::default();
        let mut times = vec![u64::MAX; both.nodes()];
        for &source in some {
            let reached = quickest(both, &length, source, &mut times);
            let others = reached.len() as u64 - 1;
            let at = |node: &u32| times[*node as usize];
            found.pairs += others;
            found.most_ns = found.most_ns.max(reached.iter().map(at).max().filter(|_| others > 0));
            let sum: f64 = reached.iter().map(|node| at(node) as f64).sum();
            found.means_ns.push((others > 0).then(|| sum / others as f64));
            for node in reached {
                times[node as usize] = u64::MAX;
            }
        }
        Ok(found)
    };
    let all: Result<Vec<Latencies>, Stopped> = sources.par_chunks(BATCH).map(batch).collect();
    let mut found = Latencies::default();
    for one in all? {
        found.pairs += one.pairs;
        found.most_ns = found.most_ns.max(one.most_ns);
        found.means_ns.extend(one.means_ns);
    }
    Ok(found)
}

/// Fills in the times from a source, and gives whom it reaches.
fn quickest(both: &Csr, length: impl Fn(u32, u32) -> Option<u64>, source: u32, times: &mut [u64]) -> Vec<u32> {
    let mut reached = Vec::new();
    let mut heap = BinaryHeap::from([(Reverse(0), source)]);
    times[source as usize] = 0;
    while let Some((Reverse(time), node)) = heap.pop() {
        if times[node as usize] != time {
            continue;
        }
        reached.push(node);
        for &next in both.of(node) {
            let Some(length) = length(node, next) else { continue };
            let then = time.saturating_add(length);
            if then < times[next as usize] {
                times[next as usize] = then;
                heap.push((Reverse(then), next));
            }
        }
    }
    reached
}

/// The section of the report; nothing where the run asked for no network or the nodes are not connected by one.
pub(super) fn latency_facts(
    dataset: &Dataset,
    named: &Named,
    seed: u64,
    budget: &mut Budget<'_>,
) -> Result<Option<Facts>, AnalyzeError> {
    if !budget.metrics.has(Metric::Latency) {
        return Ok(None);
    }
    let asked = Run::read(dataset)?.and_then(|run| run.network);
    let Some(laid) = asked.and_then(|text| serde_json::from_str::<Laid>(&text).ok()) else {
        if budget.metrics.names(Metric::Latency) {
            let why = "the run does not say what latencies its links have: its composition asked for no network";
            return Err(AnalyzeError::NoData(why.to_owned()));
        }
        return Ok(None);
    };
    let both = named.network.graph.undirected();
    let lengths = Lengths::of(&named.network, &laid);
    let length = |a: u32, b: u32| lengths.between(a, b);
    let n = both.nodes();
    let most = (MOST_STEPS / both.arcs().max(1)).max(LEAST_SAMPLE);
    let is_exact = n <= most;
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let sources = Random::new(seed).sample(narrow(n), narrow(most));
    let found = budget
        .spend(Metric::Latency, sources.len().div_ceil(BATCH), |work| latencies_within(both, length, &sources, work));
    let from = match &found {
        None => UNFIT.to_owned(),
        Some(_) if is_exact => "exact, from every node".to_owned(),
        Some(_) => format!("from a sample of {} nodes, seed {seed}", sources.len()),
    };
    let title = match named.kind {
        Kind::Connections => "Latencies of the quickest paths, undirected, by the links that were asked for",
        Kind::RoutingTables | Kind::Mesh => {
            "Latencies of the quickest paths between neighbours, undirected, as asked for"
        }
    };
    let mut facts = Facts::new("latency", title);
    let ns = |value: Option<f64>| value.map_or(Cell::Absent, |ns| Cell::Number(ns, Unit::Nanos));
    let known: Vec<f64> =
        both.ids().flat_map(|a| both.of(a).iter().filter_map(move |&b| length(a, b))).map(|ns| ns as f64).collect();
    let edge = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    facts.add_with("latency_edge_ns", "mean of an edge", ns(edge), "one way");
    let found = found.as_ref();
    let most = found.and_then(|found| found.most_ns).map(|ns| ns as f64);
    facts.add_with("latency_mean_ns", "mean path", ns(found.and_then(Latencies::mean_ns)), from.clone());
    let error = found.filter(|_| !is_exact).and_then(|found| found.mean_error_ns(n));
    facts.add_with(
        "latency_mean_error_ns",
        "mean path, error",
        ns(error),
        if is_exact { "" } else { "standard error" },
    );
    let remark = if is_exact { from } else { format!("at least; {from}") };
    facts.add_with("latency_diameter_ns", "diameter", ns(most), remark);
    let unknown = both.arcs() - known.len();
    facts.add_with("latency_unknown_edges", "edges left out", unknown / 2, "one end is no instance of the run");
    Ok(Some(facts))
}

/// The latencies between nodes, by the links that were asked for.
struct Lengths {
    ways: tg_model::network::Ways,
    /// The number of each node among the instances, as `ways` counts them.
    numbers: Vec<Option<u32>>,
}

impl Lengths {
    fn of(network: &Network, laid: &Laid) -> Self {
        let members = || network.nodes.iter().map(|node| node.member.as_deref());
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for Member { group, index, .. } in members().flatten() {
            let count = counts.entry(group).or_insert(0);
            *count = (*count).max(index + 1);
        }
        let mut first = 0;
        let firsts: BTreeMap<&str, u32> = counts
            .iter()
            .map(|(&group, count)| {
                first += count;
                (group, first - count)
            })
            .collect();
        let numbers = members().map(|member| member.map(|one| firsts[one.group.as_str()] + one.index)).collect();
        Self { ways: laid.ways(counts.iter().map(|(&group, &count)| (group, count))), numbers }
    }

    /// Nothing if an end is no instance of the run. A link without a latency has none to speak of.
    fn between(&self, a: u32, b: u32) -> Option<u64> {
        let link = self.ways.link(self.numbers[a as usize]?, self.numbers[b as usize]?)?;
        Some(link.latency.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn it_agrees_with_going_over_every_edge_again_and_again() {
        let mut random = Random::new(12);
        for round in 0..30 {
            let n = 2 + round;
            let arcs: Vec<_> = (0..random.below(3 * n)).map(|_| (random.below(n), random.below(n))).collect();
            let graph = Graph::from_arcs(n as usize, &arcs);
            let both = graph.undirected();
            // There and back differ, some edges have no latency and some take no time.
            let length = |a: u32, b: u32| (!(a + b).is_multiple_of(7)).then_some(u64::from((3 * a + b) % 5));
            let sources: Vec<u32> = both.ids().collect();
            let found = latencies(both, length, &sources);
            let (mut pairs, mut most, mut means) = (0, None, Vec::new());
            for source in both.ids() {
                let mut times = vec![u64::MAX; n as usize];
                times[source as usize] = 0;
                for _ in 0..n {
                    for a in both.ids() {
                        for &b in both.of(a) {
                            let Some(length) = length(a, b) else { continue };
                            times[b as usize] = times[b as usize].min(times[a as usize].saturating_add(length));
                        }
                    }
                }
                let others = times.iter().enumerate().filter(|&(at, &time)| at != source as usize && time < u64::MAX);
                let others: Vec<u64> = others.map(|(_, &time)| time).collect();
                pairs += others.len() as u64;
                most = most.max(others.iter().copied().max());
                means.push((!others.is_empty()).then(|| others.iter().sum::<u64>() as f64 / others.len() as f64));
            }
            assert_eq!((found.pairs, found.most_ns, found.means_ns), (pairs, most, means), "{n} {arcs:?}");
        }
        assert_eq!(latencies(Graph::from_arcs(0, &[]).undirected(), |_, _| Some(1), &[]), Latencies::default());
    }
}
