//! `tg analyze graph`: did the network hold together, and how is it shaped.

use std::collections::BTreeMap;

use super::churn::Contacts;
use super::cohesion::{central_table, cohesion_facts};
use super::components::{Parts, weak};
use super::dear::{Budget, Dear, Paths, UNFIT};
use super::degree::{Degrees, degrees};
use super::distance::Distances;
use super::latency::latency_facts;
use super::metric::{Metric, Metrics};
use super::network::{Connectivity, Network};
use super::overlap::overlap_facts;
use super::shape::{directed_facts, undirected_facts};
use super::spread::{degree_table, histogram, role_table, shells, sizes};
use super::strong::strong;
use super::words::Words;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named, When};
use crate::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone};
use crate::work::Watch;

/// No more components than this are listed.
const MOST_COMPONENTS: usize = 20;
/// No more members of a component than this are named.
const MOST_MEMBERS: usize = 8;

/// What to measure.
#[derive(Debug, Clone)]
pub struct GraphOptions {
    /// What joins two nodes.
    pub kind: Kind,
    /// Which of the networks of that kind.
    pub when: When,
    /// The seed of everything that is sampled.
    pub seed: u64,
    /// Which metrics.
    pub metrics: Metrics,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self { kind: Kind::Connections, when: When::Whole, seed: 0, metrics: Metrics::default() }
    }
}

/// A report, and which of the metrics that were wanted did not fit into the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The report; it names them too.
    pub report: Report,
    /// What did not fit.
    pub unfit: Vec<Metric>,
}

/// A network of a run: whether it held together, and the metrics that are wanted, as far as the time goes.
///
/// The fast metrics are measured in any case, the others one after another, those first that cost least.
pub fn graph(dataset: &Dataset, options: &GraphOptions, watch: &dyn Watch) -> Result<Answer, AnalyzeError> {
    let named = Named::read(dataset, options.kind, &options.when)?;
    let mut report = Report::new("graph", named.title());
    let mut budget = Budget::new(&options.metrics, watch);
    let (headline, sections) = measured(&named, options.seed, &mut budget);
    report.headline = Some(headline);
    report.sections = sections;
    report.sections.extend(latency_facts(dataset, &named, options.seed, &mut budget)?.map(Section::Facts));
    report.sections.extend(over_time(dataset, &named, &mut budget)?);
    if options.metrics.has(Metric::Overlap) {
        report.sections.extend(overlap(dataset, &named, options)?.map(Section::Facts));
    }
    notes(&named.network, &mut report);
    let unfit = budget.tell(&mut report, "");
    Ok(Answer { report, unfit })
}

/// What there is to say of one network alone: whether it is connected, and the sections of the metrics that are wanted.
pub(super) fn measured(named: &Named, seed: u64, budget: &mut Budget<'_>) -> (Line, Vec<Section>) {
    let (kind, network, metrics) = (named.kind, &named.network, budget.metrics);
    let mut sections = Vec::new();
    let parts = weak(&network.graph);
    let undirected = degrees(network.graph.undirected());
    let dear = Dear::of(network, &parts, seed, budget);
    if metrics.has(Metric::Size) {
        sections.push(Section::Facts(size_facts(kind, network, &parts, &undirected)));
    }
    if metrics.has(Metric::Components) && (parts.sizes.len() > 1 || metrics.names(Metric::Components)) {
        sections.push(Section::Table(component_table(network, &parts)));
    }
    if metrics.has(Metric::Distances) {
        sections.push(Section::Facts(distance_facts(dear.paths.as_ref(), seed)));
    }
    if metrics.has(Metric::Degrees) {
        sections.push(Section::Table(degree_table(kind, network)));
        sections.extend(role_table(kind, network).map(Section::Table));
    }
    sections.extend(undirected_facts(network, metrics).map(Section::Facts));
    sections.extend(cohesion_facts(network, &parts, budget, &dear, seed).map(Section::Facts));
    sections.extend(directed_facts(kind, network, metrics, &dear).map(Section::Facts));
    sections.extend(central_table(network, metrics, dear.through.as_ref()).map(Section::Table));
    sections.extend(dear.robustness.map(Section::Table));
    sections.extend(for_programs(kind, network, &parts, metrics).map(Section::Table));
    (verdict(network, &parts, &undirected), sections)
}

/// Distributions that nobody reads line by line.
fn for_programs<'a>(
    kind: Kind,
    network: &'a Network,
    parts: &'a Parts,
    metrics: &'a Metrics,
) -> impl Iterator<Item = Table> + use<'a> {
    let mut tables = Vec::new();
    if metrics.has(Metric::Degrees) {
        tables.push(histogram(kind, network));
    }
    if metrics.has(Metric::Components) {
        tables.push(sizes("component_sizes", parts));
    }
    if metrics.has(Metric::BowTie) {
        tables.push(sizes("strong_component_sizes", &strong(&network.graph)));
    }
    if metrics.has(Metric::Cores) {
        tables.push(shells(network));
    }
    tables.into_iter()
}

/// Lifetimes, sessions and what they let through, where connections over time are known; that they are not is an error
/// only to whoever asked by name.
fn over_time(dataset: &Dataset, named: &Named, budget: &mut Budget<'_>) -> Result<Vec<Section>, AnalyzeError> {
    let metrics = budget.metrics;
    let all = [Metric::Lifetimes, Metric::Sessions, Metric::Temporal];
    let asked = all.into_iter().find(|metric| metrics.names(*metric));
    if !metrics.has_any(&all) {
        return Ok(Vec::new());
    }
    let contacts = match named.kind {
        Kind::Connections => Contacts::read(dataset)?,
        Kind::Mesh => Some(Contacts::of_meshes(dataset)?),
        Kind::RoutingTables => {
            return asked.map_or(Ok(Vec::new()), |metric| {
                let why = "are those of connections and meshes: ask with `--kind conn` or `--kind mesh`";
                Err(AnalyzeError::Question(format!("`{}` {why}", metric.name())))
            });
        }
    };
    let Some(contacts) = contacts else {
        return match asked {
            Some(metric) => Err(AnalyzeError::NoData(format!(
                "`{}` has no table `connections`: nobody knows how long one lasted, and so there is no `{}`",
                dataset.dir().display(),
                metric.name()
            ))),
            None => Ok(Vec::new()),
        };
    };
    let nodes = match &named.network.source {
        Connectivity::EverOpen => named.network.nodes.len(),
        Connectivity::Snapshot(_) | Connectivity::At(_) => {
            Named::read(dataset, named.kind, &When::Whole)?.network.nodes.len()
        }
    };
    let mut sections = Vec::new();
    if metrics.has(Metric::Lifetimes) {
        sections.extend(contacts.lifetimes());
    }
    if metrics.has(Metric::Sessions) {
        sections.extend(contacts.sessions(nodes));
    }
    if metrics.has(Metric::Temporal) {
        sections.push(Section::Facts(contacts.temporal(nodes, budget)));
    }
    Ok(sections)
}

/// The overlap, where both graphs are known; that they are not is an error only to whoever asked by name.
pub(super) fn overlap(dataset: &Dataset, named: &Named, options: &GraphOptions) -> Result<Option<Facts>, AnalyzeError> {
    match overlap_facts(dataset, named, &options.when) {
        Ok(facts) => Ok(Some(facts)),
        Err(AnalyzeError::NoData(_) | AnalyzeError::Question(_)) if !options.metrics.names(Metric::Overlap) => Ok(None),
        Err(why) => Err(why),
    }
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn verdict(network: &Network, parts: &Parts, undirected: &Degrees) -> Line {
    let n = network.nodes.len();
    match parts.sizes.as_slice() {
        [] => Line { text: "empty: there is no node".to_owned(), tone: Tone::Warn },
        [_] if n == 1 => Line { text: "a single node".to_owned(), tone: Tone::Warn },
        [_] => Line { text: format!("connected: all {n} nodes are in one component"), tone: Tone::Good },
        [largest, ..] => {
            let share = 100.0 * f64::from(*largest) / n as f64;
            let isolated = plural(undirected.isolated(), "isolated node", "isolated nodes");
            let text = format!(
                "not connected: {} components, the largest with {largest} of {n} nodes ({share:.1} %); {isolated}",
                parts.sizes.len()
            );
            Line { text, tone: Tone::Bad }
        }
    }
}

fn size_facts(kind: Kind, network: &Network, parts: &Parts, undirected: &Degrees) -> Facts {
    let graph = &network.graph;
    let n = network.nodes.len();
    let mut facts = Facts::new("size", "");
    let words = Words::of(kind);
    facts.add("source", "taken from", Words::source(kind, &network.source));
    let foreign = network.nodes.iter().filter(|node| node.member.is_none()).count();
    let instances = plural(n - foreign, "of this run", "of this run");
    facts.add_with(
        "nodes",
        "nodes",
        n,
        if foreign > 0 { format!("{instances}, {foreign} foreign") } else { instances },
    );
    facts.add_with("edges", "edges", graph.edges(), words.edges);
    facts.add_with("arcs", "arcs", graph.outbound().arcs(), format!("{}, each pair once", words.arcs));
    facts.add_with("connections", words.links, network.connections, "repeated ones too");
    let once = graph.outbound().arcs() as u64 + network.undirected_pairs;
    let remark = "more than one between the same two, the same way";
    facts.add_with("repeats", "repeated ones", network.connections.saturating_sub(once), remark);
    facts.add("loops", &format!("{} to oneself", words.links), graph.loops());
    let possible = n as f64 * (n as f64 - 1.0) / 2.0;
    let density = if n > 1 { Cell::ratio(graph.edges() as f64 / possible) } else { Cell::Absent };
    facts.add_with("density_ratio", "density", density, "edges of all possible ones");
    let arcs = graph.outbound().arcs() as f64;
    let density = if n > 1 { Cell::ratio(arcs / (2.0 * possible)) } else { Cell::Absent };
    facts.add_with("arc_density_ratio", "density of arcs", density, "arcs of all possible ones");
    let targets = network.graph.outbound().ids();
    let targets = targets.filter(|&node| graph.outbound().of(node).is_empty() && !graph.inbound().of(node).is_empty());
    facts.add_with("targets_only", "only ever targets", targets.count(), "nodes with arcs to them and none from them");
    let told = network.nodes.iter().filter_map(|node| node.member.as_deref()?.dialable).collect::<Vec<_>>();
    if !told.is_empty() {
        let not = told.iter().filter(|yes| !**yes).count() as u64;
        let remark = "instances of those that said whether others can dial them";
        facts.add_with("not_dialable", "not dialable", Cell::Of(not, told.len() as u64), remark);
    }
    facts.add("components", "components", parts.sizes.len());
    facts.add("isolated", "isolated nodes", undirected.isolated());
    facts
}

/// Distances in the largest component, and efficiency over all pairs; on the undirected projection.
fn distance_facts(paths: Option<&Paths>, seed: u64) -> Facts {
    let mut facts = Facts::new("distances", "Distances, undirected, in the largest component");
    let number = |value: Option<f64>| value.map_or(Cell::Absent, Cell::number);
    let largest = paths.map(|paths| &paths.largest);
    let sampled = paths.and_then(|paths| paths.sampled.as_ref());
    let from = match (paths, sampled) {
        (None, _) => UNFIT.to_owned(),
        (Some(_), None) => "exact, from every node".to_owned(),
        (Some(_), Some(sampled)) => format!("from a sample of {} nodes, seed {seed}", sampled.nodes),
    };
    let is_exact = paths.is_some() && sampled.is_none();
    facts.add_with("mean_path_hops", "mean path", number(largest.and_then(Distances::mean)), from);
    let error = |facts: &mut Facts, key: &str, title: &str, value: Option<f64>, remark: &str| {
        facts.add_with(key, title, number(value), if is_exact { "" } else { remark });
    };
    let remark = "standard error, by the mean distances of the nodes in the sample";
    error(&mut facts, "mean_path_error_hops", "mean path, error", sampled.and_then(|one| one.mean_error), remark);
    let medians = sampled.and_then(|sampled| sampled.medians);
    let remark =
        medians.map_or(String::new(), |(low, high)| format!("from {low} to {high} in four parts of the sample"));
    facts.add_with("median_path_hops", "median path", largest.and_then(Distances::median), remark);
    let at_most = sampled.and_then(|sampled| sampled.at_most);
    let remark =
        at_most.map_or(String::new(), |most| format!("at least; at most {most}, twice the least found from a node"));
    facts.add_with("diameter_hops", "diameter", largest.and_then(Distances::diameter), remark);
    // The radius of a sample would be an upper bound that nobody can use.
    facts.add("radius_hops", "radius", largest.and_then(Distances::radius).filter(|_| is_exact));
    let effective = number(largest.and_then(|largest| largest.effective(0.9)));
    facts.add_with("effective_diameter_hops", "effective diameter", effective, "90 % of the pairs are within it");
    let (value, remark) =
        (sampled.and_then(|one| one.effective_error), "standard error, roughly, by four parts of the sample");
    error(&mut facts, "effective_diameter_error_hops", "effective diameter, error", value, remark);
    let efficiency = number(paths.and_then(|paths| paths.efficiency));
    facts.add_with("global_efficiency", "global efficiency", efficiency, "mean of 1/distance over all pairs of nodes");
    facts
}

/// The components, the largest first, with their members.
fn component_table(network: &Network, parts: &Parts) -> Table {
    let columns = vec![
        Column::new("component", "component"),
        Column::new("nodes", "nodes"),
        Column::new("groups", "groups"),
        Column::new("members", "members"),
    ];
    let mut table = Table::new("components", "Components", columns);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); parts.sizes.len().min(MOST_COMPONENTS)];
    for (node, &part) in parts.of.iter().enumerate() {
        if let Some(list) = members.get_mut(part as usize) {
            list.push(node);
        }
    }
    for (at, list) in members.iter().enumerate() {
        let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
        for &node in list {
            *groups.entry(network.nodes[node].group_or_foreign()).or_insert(0) += 1;
        }
        let groups: Vec<String> = groups.into_iter().map(|(group, n)| format!("{group} {n}")).collect();
        let mut names: Vec<&str> = list.iter().take(MOST_MEMBERS).map(|&n| &*network.nodes[n].name).collect();
        if list.len() > MOST_MEMBERS {
            names.push("…");
        }
        table.rows.push(vec![(at + 1).into(), list.len().into(), groups.join(", ").into(), names.join(", ").into()]);
    }
    let hidden = parts.sizes.len().saturating_sub(MOST_COMPONENTS);
    if hidden > 0 {
        let nodes: u64 = parts.sizes.iter().skip(MOST_COMPONENTS).map(|&size| u64::from(size)).sum();
        let text = format!("{hidden} more, not listed");
        table.rows.push(vec![Cell::Absent, nodes.into(), Cell::Absent, text.into()]);
    }
    table
}

fn notes(network: &Network, report: &mut Report) {
    if network.without_peer > 0 {
        let who = plural(usize::try_from(network.without_peer).unwrap_or(usize::MAX), "instance", "instances");
        let text = format!("{who} never said which peer they are, and count as isolated nodes");
        report.note(Tone::Warn, text);
    }
    if network.undirected_pairs > 0 {
        let text = format!("nobody knows who dialled in {} of the edges; they have no arc", network.undirected_pairs);
        report.note(Tone::Warn, text);
    }
}
