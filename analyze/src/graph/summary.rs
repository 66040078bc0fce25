//! `tg analyze graph`: did the network hold together, and how is it shaped.

use std::collections::BTreeMap;

use super::churn::lifetime_facts;
use super::cohesion::{Through, central_table, cohesion_facts};
use super::components::{Parts, weak};
use super::degree::{Degrees, degrees};
use super::distance::{Distances, distances};
use super::metric::{Metric, Metrics};
use super::network::Network;
use super::overlap::overlap_facts;
use super::random::Random;
use super::shape::{directed_facts, robustness_table, undirected_facts};
use super::words::Words;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named, When};
use crate::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone};
use crate::summary::Summary;

/// Beyond this many steps (nodes × arcs) distances are those from a sample of nodes.
const MOST_STEPS: u64 = 20_000_000_000;
/// How many nodes the sample has.
const SAMPLE: u32 = 2048;
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

/// A network of a run: whether it held together, and the metrics that are wanted.
pub fn graph(dataset: &Dataset, options: &GraphOptions) -> Result<Report, AnalyzeError> {
    let named = Named::read(dataset, options.kind, &options.when)?;
    let mut report = Report::new("graph", named.title());
    let (kind, network, metrics) = (named.kind, &named.network, &options.metrics);
    let parts = weak(&network.graph);
    let undirected = degrees(network.graph.undirected());
    report.headline = Some(verdict(network, &parts, &undirected));
    if metrics.has(Metric::Size) {
        report.sections.push(Section::Facts(size_facts(kind, network, &parts, &undirected)));
    }
    if metrics.has(Metric::Components) && (parts.sizes.len() > 1 || metrics.names(Metric::Components)) {
        report.sections.push(Section::Table(component_table(network, &parts)));
    }
    if metrics.has(Metric::Distances) {
        report.sections.push(Section::Facts(distance_facts(network, &parts, options.seed)));
    }
    if metrics.has(Metric::Degrees) {
        report.sections.push(Section::Table(degree_table(kind, network, &undirected)));
    }
    report.sections.extend(undirected_facts(network, metrics).map(Section::Facts));
    report.sections.extend(cohesion_facts(network, &parts, metrics, options.seed).map(Section::Facts));
    report.sections.extend(directed_facts(kind, network, metrics).map(Section::Facts));
    let through = metrics
        .has_any(&[Metric::Betweenness, Metric::Robustness])
        .then(|| Through::of(network.graph.undirected(), options.seed));
    report.sections.extend(central_table(network, metrics, through.as_ref()).map(Section::Table));
    if let Some(through) = through.filter(|_| metrics.has(Metric::Robustness)) {
        report.sections.push(Section::Table(robustness_table(network, options.seed, &through)));
    }
    if metrics.has(Metric::Lifetimes) {
        report.sections.extend(lifetimes(dataset, kind, metrics)?.map(Section::Facts));
    }
    if metrics.has(Metric::Overlap) {
        report.sections.extend(overlap(dataset, &named, options)?.map(Section::Facts));
    }
    notes(network, &mut report);
    Ok(report)
}

/// Lifetimes, where connections over time are known; that they are not is an error only to whoever asked by name.
fn lifetimes(dataset: &Dataset, kind: Kind, metrics: &Metrics) -> Result<Option<Facts>, AnalyzeError> {
    let named = metrics.names(Metric::Lifetimes);
    if kind != Kind::Connections {
        let why = "`lifetimes` are those of connections: ask with `--kind conn`";
        return if named { Err(AnalyzeError::Question(why.to_owned())) } else { Ok(None) };
    }
    let found = lifetime_facts(dataset)?;
    if found.is_none() && named {
        let dir = dataset.dir().display();
        return Err(AnalyzeError::NoData(format!(
            "`{dir}` has no table `connections`: nobody knows how long one lasted"
        )));
    }
    Ok(found)
}

/// The overlap, where both graphs are known; that they are not is an error only to whoever asked by name.
fn overlap(dataset: &Dataset, named: &Named, options: &GraphOptions) -> Result<Option<Facts>, AnalyzeError> {
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
    let foreign = network.nodes.iter().filter(|node| node.group.is_none()).count();
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
    facts.add("loops", &format!("{} to oneself", words.links), graph.loops());
    let possible = n as f64 * (n as f64 - 1.0) / 2.0;
    let density = if n > 1 { Cell::ratio(graph.edges() as f64 / possible) } else { Cell::Absent };
    facts.add_with("density_ratio", "density", density, "edges of all possible ones");
    facts.add("components", "components", parts.sizes.len());
    facts.add("isolated", "isolated nodes", undirected.isolated());
    facts
}

/// Distances in the largest component, and efficiency over all pairs; on the undirected projection.
fn distance_facts(network: &Network, parts: &Parts, seed: u64) -> Facts {
    let both = network.graph.undirected();
    let steps = (both.nodes() as u64).saturating_mul(both.arcs() as u64);
    let exact = steps <= MOST_STEPS;
    let members = parts.members(0);
    let sources = if exact { members.clone() } else { sample(&members, seed) };
    let largest = distances(both, both, &sources);
    let mut facts = Facts::new("distances", "Distances, undirected, in the largest component");
    let from = if exact {
        "exact, from every node".to_owned()
    } else {
        format!("from a sample of {} nodes, seed {seed}", sources.len())
    };
    let at_least = if exact { String::new() } else { format!("at least; {from}") };
    facts.add_with("mean_path_hops", "mean path", largest.mean().map_or(Cell::Absent, Cell::number), from);
    facts.add("median_path_hops", "median path", largest.median());
    facts.add_with("diameter_hops", "diameter", largest.diameter(), at_least);
    // The radius of a sample would be an upper bound that nobody can use.
    facts.add("radius_hops", "radius", largest.radius().filter(|_| exact));
    let effective = largest.effective(0.9).map_or(Cell::Absent, Cell::number);
    facts.add_with("effective_diameter_hops", "effective diameter", effective, "90 % of the pairs are within it");
    let efficiency = if exact { efficiency(network, parts, &largest) } else { None };
    let efficiency = efficiency.map_or(Cell::Absent, Cell::number);
    facts.add_with("global_efficiency", "global efficiency", efficiency, "mean of 1/distance over all pairs of nodes");
    facts
}

fn sample(members: &[u32], seed: u64) -> Vec<u32> {
    let n = u32::try_from(members.len()).unwrap_or(u32::MAX);
    Random::new(seed).sample(n, SAMPLE).into_iter().map(|at| members[at as usize]).collect()
}

fn efficiency(network: &Network, parts: &Parts, largest: &Distances) -> Option<f64> {
    let both = network.graph.undirected();
    let n = both.nodes();
    if n < 2 {
        return None;
    }
    let rest: Vec<u32> = both.ids().filter(|&node| parts.of[node as usize] != 0).collect();
    let harmonic = largest.harmonic() + distances(both, both, &rest).harmonic();
    Some(harmonic / (n as f64 * (n as f64 - 1.0)))
}

/// Degrees of all nodes and by group, in the three projections.
fn degree_table(kind: Kind, network: &Network, undirected: &Degrees) -> Table {
    let mut table = Table::new(
        "degrees",
        "Degrees",
        vec![
            Column::new("degree", "degree"),
            Column::new("group", "group"),
            Column::new("nodes", "nodes"),
            Column::new("mean", "mean"),
            Column::new("sd", "sd"),
            Column::new("min", "min"),
            Column::new("p50", "p50"),
            Column::new("p95", "p95"),
            Column::new("max", "max"),
            Column::new("gini", "gini"),
        ],
    );
    "there is no node".clone_into(&mut table.empty);
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, node) in network.nodes.iter().enumerate() {
        groups.entry(node.group_or_foreign()).or_default().push(at);
    }
    let words = Words::of(kind);
    let kinds = [
        ("undirected", undirected.clone()),
        (words.out, degrees(network.graph.outbound())),
        (words.inward, degrees(network.graph.inbound())),
    ];
    for (title, degrees) in &kinds {
        let all: Vec<usize> = (0..network.nodes.len()).collect();
        let mut rows = vec![("(all)", &all)];
        if groups.len() > 1 {
            rows.extend(groups.iter().map(|(&group, members)| (group, members)));
        }
        for (group, members) in rows {
            let some = Degrees { of: members.iter().map(|&at| degrees.of[at]).collect() };
            let Some(Summary { n, mean, sd, min, p50, p95, max, .. }) = some.summary() else { continue };
            let number = Cell::number;
            table.rows.push(vec![
                (*title).into(),
                group.into(),
                n.into(),
                number(mean),
                sd.map_or(Cell::Absent, number),
                number(min),
                number(p50),
                number(p95),
                number(max),
                some.gini().map_or(Cell::Absent, number),
            ]);
        }
    }
    table
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
        let mut names: Vec<&str> = list.iter().take(MOST_MEMBERS).map(|&n| network.nodes[n].name.as_str()).collect();
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
