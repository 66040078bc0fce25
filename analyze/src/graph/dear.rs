//! The metrics whose cost grows faster than the network: measured one after another, cheap ones first, as far as the
//! time goes.

use super::betweenness::{self, betweenness_within};
use super::components::Parts;
use super::connectivity::{edge_connectivity_within, vertex_connectivity_within};
use super::csr::{Csr, Graph};
use super::distance::{self, Distances, Totals, distances_within};
use super::metric::{Metric, Metrics};
use super::network::Network;
use super::random::Random;
use super::reach::{self, reach_within};
use super::shape;
use super::small_world::{self, SmallWorld, small_world_within};
use super::spectral::{algebraic_connectivity_within, spectral_gap_within, spectral_radius_within};
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
    /// From how many nodes they are, if not from all, and the standard error of their mean.
    pub(super) sampled: Option<(usize, Option<f64>)>,
    /// Of all pairs; nothing from a sample, or for fewer than two nodes.
    pub(super) efficiency: Option<f64>,
}

/// Eigenvalues, each absent where it did not settle.
pub(super) struct Spectrum {
    pub(super) radius: Option<f64>,
    pub(super) algebraic: Option<f64>,
    pub(super) gap: Option<f64>,
}

/// Betweenness of all nodes.
pub(super) struct Through {
    pub(super) scores: Vec<f64>,
    /// From how many nodes it was taken, if not from all.
    pub(super) sources: Option<usize>,
}

/// Vertex and edge connectivity.
pub(super) type Connectivities = [Option<u32>; 2];

/// What was measured; nothing inside where the graph has no such value, or is too large for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<T>(pub(super) Option<T>);

/// What was wanted and fitted.
pub(super) struct Dear {
    pub(super) spectrum: Option<Spectrum>,
    /// The share of ordered pairs.
    pub(super) reachable: Option<Measured<f64>>,
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
        let steps = if small { reach::steps(graph.nodes()) } else { 0 };
        let reachable = budget.spend(Metric::Reachability, steps, |work| {
            Ok(Measured(if small { reach_within(graph, work)?.pair_ratio() } else { None }))
        });
        let paths = paths(graph, parts, seed, budget);
        let through = through(both, seed, budget);
        let robustness = shape::robustness_table(network, seed, through.as_ref(), budget);
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
    Ok(Spectrum { radius, algebraic, gap: spectral_gap_within(largest, work)? })
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
        let largest = distances_within(both, both, &sources, totals, work)?;
        let harmonic = largest.harmonic() + distances_within(both, both, &rest, Totals::None, work)?.harmonic();
        let efficiency = (exact && n > 1).then(|| harmonic / (n as f64 * (n as f64 - 1.0)));
        let sampled = (!exact).then(|| (sources.len(), largest.mean_error(size)));
        Ok(Paths { largest, sampled, efficiency })
    })
}

fn sample(members: &[u32], seed: u64) -> Vec<u32> {
    let n = u32::try_from(members.len()).unwrap_or(u32::MAX);
    Random::new(seed).sample(n, SAMPLE).into_iter().map(|at| members[at as usize]).collect()
}

/// Betweenness, which an order of removal needs too.
fn through(both: &Csr, seed: u64, budget: &mut Budget<'_>) -> Option<Through> {
    let for_order = !budget.metrics.has(Metric::Betweenness);
    let metric = if for_order { Metric::Robustness } else { Metric::Betweenness };
    let most = (BETWEENNESS_STEPS / both.arcs().max(1)).clamp(64, BETWEENNESS_SOURCES);
    let (n, k) = (u32::try_from(both.nodes()).unwrap_or(u32::MAX), u32::try_from(most).unwrap_or(u32::MAX));
    let sources = Random::new(seed).sample(n, k);
    let sampled = (both.nodes() > most).then_some(most);
    budget.spend(metric, betweenness::steps(sources.len()), |work| {
        Ok(Through { scores: betweenness_within(both, &sources, work)?, sources: sampled })
    })
}
