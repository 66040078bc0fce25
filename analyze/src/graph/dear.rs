//! The metrics whose cost grows faster than the network: measured one after another, cheap ones first, as far as the
//! time goes.

use super::betweenness::{self, betweenness_within, drawn, estimate_within};
use super::components::Parts;
use super::connectivity::{edge_connectivity_within, vertex_connectivity_within};
use super::csr::{Csr, Graph};
use super::distance::{self, Distances, Totals, batches_within, distances_within};
use super::metric::{Metric, Metrics};
use super::network::Network;
use super::random::Random;
use super::reach::{self, Reached, reached_within};
use super::removal;
use super::small_world::{self, SmallWorld, small_world_within};
use super::spectral::{Gap, algebraic_connectivity_within, gap_within, spectral_radius_within};
use crate::report::{Report, Table, Tone};
use crate::work::{Stopped, Watch, Work};

/// Beyond this many steps (nodes × arcs) distances are those from a sample of nodes.
const MOST_STEPS: u64 = 20_000_000_000;
/// How many nodes the sample has.
const SAMPLE: u32 = 2048;
/// Beyond this many nodes reachability, whose cost grows with their square, is left out and said to be.
pub(super) const MOST_FOR_REACH: usize = 50_000;
/// Beyond this many steps (nodes × arcs) connectivity is left out and said to be.
const MOST_FOR_CONNECTIVITY: u64 = 2_000_000_000;
/// Betweenness takes at most so many steps (sources × arcs) and so many sources.
const BETWEENNESS_STEPS: usize = 400_000_000;
const BETWEENNESS_SOURCES: usize = 2048;

/// What is said of a value that did not fit.
pub(super) const UNFIT: &str = "did not fit into the budget";

/// Who wants what, and what did not fit.
pub(super) struct Budget<'a> {
    pub(super) metrics: &'a Metrics,
    watch: &'a dyn Watch,
    unfit: Vec<(Metric, String)>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(metrics: &'a Metrics, watch: &'a dyn Watch) -> Self {
        Self { metrics, watch, unfit: Vec::new() }
    }

    /// Measures if it is wanted: nothing if it is not, or did not fit.
    pub(super) fn spend<T>(
        &mut self,
        metric: Metric,
        steps: usize,
        measure: impl FnOnce(&Work<'_>) -> Result<T, Stopped>,
    ) -> Option<T> {
        self.metrics.has(metric).then_some(())?;
        let work = Work::new(self.watch, metric.name(), steps);
        let found = measure(&work);
        if found.is_err() {
            let why = match work.begun() {
                (0, _) => "not begun".to_owned(),
                (begun, 0) => format!("stopped after {begun} steps"),
                (begun, of) => format!("stopped after {begun} of {of} steps"),
            };
            self.unfit.push((metric, why));
        }
        found.ok()
    }

    /// What cannot be measured because something else did not fit.
    pub(super) fn lose(&mut self, metric: Metric, why: &str) {
        if self.metrics.has(metric) && self.unfit.iter().all(|(other, _)| *other != metric) {
            self.unfit.push((metric, why.to_owned()));
        }
    }

    /// Says in the report what did not fit, after a word on where, and gives its names.
    pub(super) fn tell(self, report: &mut Report, place: &str) -> Vec<Metric> {
        if !self.unfit.is_empty() {
            let each = self.unfit.iter().map(|(metric, why)| format!("`{}` ({why})", metric.name()));
            let each = each.collect::<Vec<_>>().join(", ");
            let text = format!("{place}the budget was used up before these were measured: {each}");
            report.note(Tone::Warn, text);
        }
        self.unfit.into_iter().map(|(metric, _)| metric).collect()
    }
}

/// Distances in the largest component, and what follows from those of the others.
pub(super) struct Paths {
    pub(super) largest: Distances,
    /// How they were sampled, if they are not from all nodes.
    pub(super) sampled: Option<Sampled>,
    /// Of all pairs; nothing from a sample, or for fewer than two nodes.
    pub(super) efficiency: Option<f64>,
}

/// Distances from some nodes only, and how far off what follows may be.
pub(super) struct Sampled {
    pub(super) nodes: usize,
    /// The standard error of the mean.
    pub(super) mean_error: Option<f64>,
    /// That of the effective diameter, by four parts of the sample.
    pub(super) effective_error: Option<f64>,
    /// The least and the greatest median of those parts.
    pub(super) medians: Option<(u32, u32)>,
    /// No distance is longer: twice the least greatest distance from a node of the sample.
    pub(super) at_most: Option<u32>,
}

impl Sampled {
    /// From the distances of equal parts of a sample, of a component of so many nodes.
    fn of(batches: &[Distances], all: &Distances, size: usize) -> Self {
        let nodes = all.farthest.len();
        let medians = batches.iter().filter_map(Distances::median);
        let effective: Vec<f64> = batches.iter().filter_map(|batch| batch.effective(0.9)).collect();
        let groups = effective.len() as f64;
        let mean = effective.iter().sum::<f64>() / groups;
        let squares: f64 = effective.iter().map(|one| (one - mean).powi(2)).sum();
        let unseen = (1.0 - nodes as f64 / size as f64).max(0.0);
        Self {
            nodes,
            mean_error: all.mean_error(size),
            effective_error: (effective.len() > 1).then(|| (unseen * squares / (groups * (groups - 1.0))).sqrt()),
            medians: medians.clone().min().zip(medians.max()),
            at_most: all.radius().map(|radius| 2 * radius),
        }
    }
}

/// Eigenvalues, each absent where it did not settle.
pub(super) struct Spectrum {
    pub(super) radius: Option<f64>,
    pub(super) algebraic: Option<f64>,
    pub(super) gap: Option<Gap>,
    /// The nodes of the largest component, by their number there.
    pub(super) members: Vec<u32>,
}

/// Betweenness of all nodes.
pub(super) struct Through {
    pub(super) scores: Vec<f64>,
    /// How it was sampled, if it is not from all nodes.
    pub(super) sampled: Option<SampledThrough>,
}

/// Betweenness from some nodes only.
pub(super) struct SampledThrough {
    pub(super) sources: usize,
    /// No share of all pairs is off by more, with 95 % confidence.
    pub(super) bound: f64,
    /// Standard errors of the scores.
    pub(super) errors: Vec<f64>,
    /// Scores by parts of the sample.
    pub(super) parts: Vec<Vec<f64>>,
}

/// Vertex and edge connectivity.
pub(super) type Connectivities = [Option<u32>; 2];

/// What was measured; nothing inside where the graph has no such value, or is too large for it.
#[derive(Debug, Clone)]
pub(super) struct Measured<T>(pub(super) Option<T>);

/// What was wanted and fitted.
pub(super) struct Dear {
    pub(super) spectrum: Option<Spectrum>,
    pub(super) reachable: Option<Measured<Reached>>,
    pub(super) paths: Option<Paths>,
    pub(super) through: Option<Through>,
    pub(super) robustness: Option<Table>,
    pub(super) small_world: Option<Measured<SmallWorld>>,
    pub(super) connectivity: Option<Measured<Connectivities>>,
}

impl Dear {
    pub(super) fn of(network: &Network, parts: &Parts, seed: u64, budget: &mut Budget<'_>) -> Self {
        let graph = &network.graph;
        let both = graph.undirected();
        let spectrum = budget.spend(Metric::Spectral, 0, |work| spectrum(both, parts, work));
        let small = graph.nodes() <= MOST_FOR_REACH;
        let steps = if small { 2 * reach::steps(graph.nodes()) } else { 0 };
        let reachable = budget.spend(Metric::Reachability, steps, |work| {
            Ok(Measured(if small { Some(reached_within(network, work)?) } else { None }))
        });
        let paths = paths(graph, parts, seed, budget);
        let through = through(both, seed, budget);
        let robustness = removal::robustness_table(network, seed, through.as_ref(), budget);
        let small_world = budget
            .spend(Metric::SmallWorld, small_world::STEPS, |work| small_world_within(both, seed, work).map(Measured));
        let connectivity = budget.spend(Metric::Connectivity, 0, |work| {
            if steps_of(both) > MOST_FOR_CONNECTIVITY {
                return Ok(Measured(None));
            }
            Ok(Measured(Some([vertex_connectivity_within(both, work)?, edge_connectivity_within(both, work)?])))
        });
        Self { spectrum, reachable, paths, through, robustness, small_world, connectivity }
    }
}

/// Nodes × arcs: what as many searches cost as there are nodes.
fn steps_of(both: &Csr) -> u64 {
    (both.nodes() as u64).saturating_mul(both.arcs() as u64)
}

fn spectrum(both: &Csr, parts: &Parts, work: &Work<'_>) -> Result<Spectrum, Stopped> {
    let radius = spectral_radius_within(both, work)?;
    let largest = if parts.sizes.len() > 1 { &both.induced(&parts.members(0)) } else { both };
    let algebraic = algebraic_connectivity_within(largest, work)?;
    Ok(Spectrum { radius, algebraic, gap: gap_within(largest, work)?, members: parts.members(0) })
}

fn paths(graph: &Graph, parts: &Parts, seed: u64, budget: &mut Budget<'_>) -> Option<Paths> {
    let both = graph.undirected();
    let exact = steps_of(both) <= MOST_STEPS;
    let members = parts.members(0);
    let (size, totals) = (members.len(), if exact { Totals::None } else { Totals::Each });
    let sources = if exact { members } else { sample(&members, seed) };
    let n = both.nodes();
    let rest: Vec<u32> = both.ids().filter(|&node| exact && parts.of[node as usize] != 0).collect();
    budget.spend(Metric::Distances, distance::steps(sources.len()) + distance::steps(rest.len()), |work| {
        let batches = batches_within(both, both, &sources, totals, work)?;
        let largest = Distances::together(&batches);
        let harmonic = largest.harmonic() + distances_within(both, both, &rest, Totals::None, work)?.harmonic();
        let efficiency = (exact && n > 1).then(|| harmonic / (n as f64 * (n as f64 - 1.0)));
        let sampled = (!exact).then(|| Sampled::of(&batches, &largest, size));
        Ok(Paths { largest, sampled, efficiency })
    })
}

fn sample(members: &[u32], seed: u64) -> Vec<u32> {
    let n = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let mut random = Random::new(seed);
    let mut chosen = random.sample(n, SAMPLE);
    // Parts of it must be samples too, and numbers near one another are often of one group.
    random.shuffle(&mut chosen);
    chosen.into_iter().map(|at| members[at as usize]).collect()
}

/// Betweenness, which an order of removal needs too.
fn through(both: &Csr, seed: u64, budget: &mut Budget<'_>) -> Option<Through> {
    let for_order = !budget.metrics.has(Metric::Betweenness);
    let metric = if for_order { Metric::Robustness } else { Metric::Betweenness };
    let most = (BETWEENNESS_STEPS / both.arcs().max(1)).clamp(64, BETWEENNESS_SOURCES);
    let Some(k) = drawn(both, most) else {
        let all: Vec<u32> = both.ids().collect();
        return budget.spend(metric, betweenness::steps(all.len()), |work| {
            Ok(Through { scores: betweenness_within(both, &all, work)?, sampled: None })
        });
    };
    let found = budget.spend(metric, betweenness::steps(k), |work| estimate_within(both, most, seed, work))??;
    let sampled =
        SampledThrough { sources: found.sources, bound: found.bound(0.05), errors: found.errors, parts: found.parts };
    Some(Through { scores: found.scores, sampled: Some(sampled) })
}
