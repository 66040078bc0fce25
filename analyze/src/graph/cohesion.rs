//! How tightly the network is knit, and who stands in its middle: sections of the report.

use super::betweenness::betweenness;
use super::components::Parts;
use super::connectivity::{edge_connectivity, vertex_connectivity};
use super::csr::Csr;
use super::metric::{Metric, Metrics};
use super::modularity::modularity;
use super::network::{Network, Node};
use super::pagerank::pagerank;
use super::random::Random;
use super::robustness::by_score;
use super::small_world::{GRAPHS, small_world};
use super::spectral::{MOST_STEPS, algebraic_connectivity, spectral_gap, spectral_radius};
use crate::report::{Cell, Column, Facts, Table};

/// Beyond this many steps (nodes × arcs) connectivity is left out and said to be.
const MOST_FOR_CONNECTIVITY: u64 = 2_000_000_000;
/// Betweenness takes at most so many steps (sources × arcs) and so many sources.
const BETWEENNESS_STEPS: usize = 400_000_000;
const BETWEENNESS_SOURCES: usize = 2048;
/// How many nodes are listed.
const LISTED: usize = 10;

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

/// Connectivity, spectral values, modularity and small world; nothing if none of them is wanted.
pub(super) fn cohesion_facts(network: &Network, parts: &Parts, metrics: &Metrics, seed: u64) -> Option<Facts> {
    let wanted = [Metric::Connectivity, Metric::Spectral, Metric::Modularity, Metric::SmallWorld];
    metrics.has_any(&wanted).then_some(())?;
    let both = network.graph.undirected();
    let mut facts = Facts::new("cohesion", "Cohesion, undirected");
    if metrics.has(Metric::Connectivity) {
        add_connectivity(both, &mut facts);
    }
    if metrics.has(Metric::Spectral) {
        add_spectral(both, parts, &mut facts);
    }
    if metrics.has(Metric::Modularity) {
        let groups: Vec<&str> = network.nodes.iter().map(Node::group_or_foreign).collect();
        let value = modularity(both, &groups);
        facts.add_with("modularity_group", "modularity by group", number(value), "0 where there is one group");
    }
    if metrics.has(Metric::SmallWorld) {
        add_small_world(both, seed, &mut facts);
    }
    Some(facts)
}

fn add_connectivity(both: &Csr, facts: &mut Facts) {
    let small = (both.nodes() as u64).saturating_mul(both.arcs() as u64) <= MOST_FOR_CONNECTIVITY;
    for (key, title, what, of) in [
        ("vertex_connectivity", "vertex connectivity", "nodes", vertex_connectivity as fn(&Csr) -> Option<u32>),
        ("edge_connectivity", "edge connectivity", "edges", edge_connectivity),
    ] {
        let remark = if small {
            format!("least number of {what} without which it falls apart; 0 where it is not connected")
        } else {
            "not computed where nodes × arcs exceed 2·10⁹".to_owned()
        };
        facts.add_with(key, title, if small { of(both) } else { None }, remark);
    }
}

fn add_spectral(both: &Csr, parts: &Parts, facts: &mut Facts) {
    let unsettled = || format!("did not settle within {MOST_STEPS} steps");
    let radius = spectral_radius(both);
    let remark = if radius.is_none() && both.nodes() > 0 {
        unsettled()
    } else {
        "greatest eigenvalue of the adjacency matrix of the whole".to_owned()
    };
    facts.add_with("spectral_radius", "spectral radius", number(radius), remark);
    let largest = if parts.sizes.len() > 1 { &both.induced(&parts.members(0)) } else { both };
    let of = if parts.sizes.len() > 1 { "largest component; the whole is not connected and has 0" } else { "whole" };
    let remark = |value: Option<f64>, matrix: &str| {
        if value.is_none() && largest.nodes() > 1 {
            unsettled()
        } else {
            format!("{matrix}, second least eigenvalue, of the {of}")
        }
    };
    let value = algebraic_connectivity(largest);
    let told = remark(value, "Laplacian D − A");
    facts.add_with("algebraic_connectivity", "algebraic connectivity", number(value), told);
    let gap = spectral_gap(largest);
    let told = remark(gap, "normalised Laplacian");
    facts.add_with("spectral_gap", "spectral gap", number(gap), told);
    let told = "no cut has a lower conductance (Cheeger: half of the gap)";
    facts.add_with("conductance_at_least", "conductance, at least", number(gap.map(|gap| gap / 2.0)), told);
    let most = gap.map(|gap| (2.0 * gap).sqrt().min(1.0));
    facts.add_with("conductance_at_most", "conductance, at most", number(most), "some cut has none higher (√(2·gap))");
}

fn add_small_world(both: &Csr, seed: u64, facts: &mut Facts) {
    let found = small_world(both, seed);
    let sigma = found.and_then(|found| found.sigma());
    let remark = "largest component: (C/C₀)/(L/L₀), well above 1 in a small world; none where C₀ is 0";
    facts.add_with("small_world_sigma", "small world σ", number(sigma), remark);
    let remark = format!("C₀, mean of {GRAPHS} random graphs with as many nodes and edges, seed {seed}");
    facts.add_with(
        "random_clustering",
        "clustering by chance",
        number(found.map(|found| found.random_clustering)),
        remark,
    );
    let from = found.map_or(String::new(), |found| format!("; L and L₀ from {} nodes", found.sources));
    let remark = format!("L₀, of the same graphs{from}");
    facts.add_with("random_path_hops", "mean path by chance", number(found.map(|found| found.random_path)), remark);
}

/// Betweenness of all nodes.
pub(super) struct Through {
    pub(super) scores: Vec<f64>,
    /// From how many nodes it was taken, if not from all.
    pub(super) sources: Option<usize>,
}

impl Through {
    pub(super) fn of(both: &Csr, seed: u64) -> Self {
        let most = (BETWEENNESS_STEPS / both.arcs().max(1)).clamp(64, BETWEENNESS_SOURCES);
        if both.nodes() <= most {
            let sources: Vec<u32> = both.ids().collect();
            return Self { scores: betweenness(both, &sources), sources: None };
        }
        let (n, k) = (u32::try_from(both.nodes()).unwrap_or(u32::MAX), u32::try_from(most).unwrap_or(u32::MAX));
        Self { scores: betweenness(both, &Random::new(seed).sample(n, k)), sources: Some(most) }
    }
}

/// The nodes with the highest betweenness, or without that the highest page rank; nothing if neither is wanted.
pub(super) fn central_table(network: &Network, metrics: &Metrics, through: Option<&Through>) -> Option<Table> {
    let through = through.filter(|_| metrics.has(Metric::Betweenness));
    let ranks = metrics.has(Metric::PageRank).then(|| pagerank(&network.graph));
    let both = network.graph.undirected();
    let mut columns = vec![Column::new("node", "node"), Column::new("group", "group"), Column::new("degree", "degree")];
    let n = both.nodes() as f64;
    let pairs = (n - 1.0) * (n - 2.0) / 2.0;
    let mut by = Vec::new();
    if let Some(through) = through {
        columns.push(Column::new("betweenness", "betweenness"));
        columns.push(Column::new("betweenness_ratio", "of all pairs"));
        let from = through.sources.map_or(String::new(), |k| format!(" from {k} nodes"));
        by.push(format!("betweenness{from} (undirected)"));
    }
    if ranks.is_some() {
        columns.push(Column::new("pagerank", "page rank"));
        by.push("page rank (directed)".to_owned());
    }
    let order = by_score(through.map(|through| &through.scores).or(ranks.as_ref())?);
    let mut table = Table::new("central", &format!("Most central nodes: {}", by.join(", ")), columns);
    "there is no node".clone_into(&mut table.empty);
    for at in order.into_iter().take(LISTED) {
        let node = &network.nodes[at as usize];
        let mut row = vec![node.name.as_str().into(), node.group_or_foreign().into(), both.degree(at).into()];
        if let Some(through) = through {
            let score = through.scores[at as usize];
            row.push(Cell::number(score));
            row.push(if pairs > 0.0 { Cell::ratio(score / pairs) } else { Cell::Absent });
        }
        if let Some(ranks) = &ranks {
            row.push(Cell::number(ranks[at as usize]));
        }
        table.rows.push(row);
    }
    Some(table)
}
