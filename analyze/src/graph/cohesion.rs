//! How tightly the network is knit, and who stands in its middle: sections of the report.

use super::components::Parts;
use super::dear::{Budget, Connectivities, Dear, Measured, Spectrum, Through, UNFIT};
use super::metric::{Metric, Metrics};
use super::modularity::modularity;
use super::network::{Network, Node};
use super::pagerank::pagerank;
use super::robustness::by_score;
use super::small_world::{GRAPHS, SmallWorld};
use super::spectral::MOST_STEPS;
use crate::report::{Cell, Column, Facts, Table};

/// How many nodes are listed.
const LISTED: usize = 10;

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

/// Connectivity, spectral values, modularity and small world; nothing if none of them is wanted.
pub(super) fn cohesion_facts(
    network: &Network,
    parts: &Parts,
    budget: &Budget<'_>,
    dear: &Dear,
    seed: u64,
) -> Option<Facts> {
    let wanted = [Metric::Connectivity, Metric::Spectral, Metric::Modularity, Metric::SmallWorld];
    budget.metrics.has_any(&wanted).then_some(())?;
    let both = network.graph.undirected();
    let mut facts = Facts::new("cohesion", "Cohesion, undirected");
    if budget.metrics.has(Metric::Connectivity) {
        add_connectivity(dear.connectivity.as_ref(), &mut facts);
    }
    if budget.metrics.has(Metric::Spectral) {
        add_spectral(network, parts, dear.spectrum.as_ref(), &mut facts);
    }
    if budget.metrics.has(Metric::Modularity) {
        let groups: Vec<&str> = network.nodes.iter().map(Node::group_or_foreign).collect();
        let value = modularity(both, &groups);
        facts.add_with("modularity_group", "modularity by group", number(value), "0 where there is one group");
    }
    if budget.metrics.has(Metric::SmallWorld) {
        add_small_world(dear.small_world.as_ref(), seed, &mut facts);
    }
    Some(facts)
}

fn add_connectivity(found: Option<&Measured<Connectivities>>, facts: &mut Facts) {
    for (at, [key, title, what]) in
        [["vertex_connectivity", "vertex connectivity", "nodes"], ["edge_connectivity", "edge connectivity", "edges"]]
            .into_iter()
            .enumerate()
    {
        let remark = match found {
            Some(Measured(Some(_))) => {
                format!("least number of {what} without which it falls apart; 0 where it is not connected")
            }
            Some(Measured(None)) => "not computed where nodes × arcs exceed 2·10⁹".to_owned(),
            None => UNFIT.to_owned(),
        };
        facts.add_with(key, title, found.and_then(|found| found.0).and_then(|of| of[at]), remark);
    }
}

fn add_spectral(network: &Network, parts: &Parts, found: Option<&Spectrum>, facts: &mut Facts) {
    let both = network.graph.undirected();
    let unsettled = || format!("did not settle within {MOST_STEPS} steps");
    let [radius, algebraic, gap] =
        found.map_or([None; 3], |found| [found.radius, found.algebraic, found.gap.as_ref().map(|gap| gap.value)]);
    let of = if parts.sizes.len() > 1 { "largest component; the whole is not connected and has 0" } else { "whole" };
    let many = parts.sizes.first().is_some_and(|&size| size > 1);
    let told = |value: Option<f64>, some: bool, remark: String| match (found, value) {
        (None, _) => UNFIT.to_owned(),
        (Some(_), None) if some => unsettled(),
        (Some(_), _) => remark,
    };
    let remark = told(radius, both.nodes() > 0, "greatest eigenvalue of the adjacency matrix of the whole".to_owned());
    facts.add_with("spectral_radius", "spectral radius", number(radius), remark);
    let remark = told(algebraic, many, format!("Laplacian D − A, second least eigenvalue, of the {of}"));
    facts.add_with("algebraic_connectivity", "algebraic connectivity", number(algebraic), remark);
    let remark = told(gap, many, format!("normalised Laplacian, second least eigenvalue, of the {of}"));
    facts.add_with("spectral_gap", "spectral gap", number(gap), remark);
    let told = "no cut has a lower conductance (Cheeger: half of the gap)";
    facts.add_with("conductance_at_least", "conductance, at least", number(gap.map(|gap| gap / 2.0)), told);
    let most = gap.map(|gap| (2.0 * gap).sqrt().min(1.0));
    facts.add_with("conductance_at_most", "conductance, at most", number(most), "some cut has none higher (√(2·gap))");
    let cut = found.and_then(|found| Some((found, found.gap.as_ref()?.cut.as_ref()?)));
    let remark =
        "of the cut that a sweep along the gap's vector finds: edges across, over the degrees of the lighter side";
    facts.add_with("sweep_conductance", "conductance of a cut", number(cut.map(|(_, cut)| cut.conductance)), remark);
    let listed = cut.map(|(found, cut)| {
        let names = cut.side.iter().map(|&node| &*network.nodes[found.members[node as usize] as usize].name);
        let more = if cut.side.len() > LISTED { ", …" } else { "" };
        format!("{}{more}", names.take(LISTED).collect::<Vec<_>>().join(", "))
    });
    let side = cut.map(|(_, cut)| cut.side.len());
    facts.add_with("sweep_nodes", "nodes on that side", side, listed.unwrap_or_default());
}

fn add_small_world(found: Option<&Measured<SmallWorld>>, seed: u64, facts: &mut Facts) {
    let told = |remark: String| if found.is_some() { remark } else { UNFIT.to_owned() };
    let found = found.and_then(|found| found.0.as_ref());
    let sigma = found.and_then(SmallWorld::sigma);
    let remark = told("largest component: (C/C₀)/(L/L₀), well above 1 in a small world; none where C₀ is 0".to_owned());
    facts.add_with("small_world_sigma", "small world σ", number(sigma), remark);
    let error = number(found.and_then(SmallWorld::sigma_error));
    facts.add_with(
        "small_world_sigma_error",
        "σ, error",
        error,
        "standard error, by the deviation of the random graphs",
    );
    let remark = told(format!("C₀, mean of {GRAPHS} random graphs with as many nodes and edges, seed {seed}"));
    let clustering = number(found.map(|found| found.random_clustering));
    facts.add_with("random_clustering", "clustering by chance", clustering, remark);
    let error = |value: Option<f64>| (number(value), "standard error");
    let (value, remark) = error(found.map(|found| found.random_clustering_error));
    facts.add_with("random_clustering_error", "clustering by chance, error", value, remark);
    let from = found.map_or(String::new(), |found| format!("; L and L₀ from {} nodes", found.sources));
    let path = number(found.map(|found| found.random_path));
    facts.add_with("random_path_hops", "mean path by chance", path, told(format!("L₀, of the same graphs{from}")));
    let (value, remark) = error(found.map(|found| found.random_path_error));
    facts.add_with("random_path_error_hops", "mean path by chance, error", value, remark);
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
        if through.sampled.is_some() {
            columns.push(Column::new("betweenness_error", "error"));
        }
        columns.push(Column::new("betweenness_ratio", "of all pairs"));
        let from = through.sampled.as_ref();
        let from = from.map_or(String::new(), |of| {
            let bound = 100.0 * of.bound;
            format!(
                " from {} nodes with its standard error, no share off by more than {bound:.1} % at 95 % confidence",
                of.sources
            )
        });
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
        let mut row = vec![(&*node.name).into(), node.group_or_foreign().into(), both.degree(at).into()];
        if let Some(through) = through {
            let score = through.scores[at as usize];
            row.push(Cell::number(score));
            row.extend(through.sampled.iter().map(|of| Cell::number(of.errors[at as usize])));
            row.push(if pairs > 0.0 { Cell::ratio(score / pairs) } else { Cell::Absent });
        }
        if let Some(ranks) = &ranks {
            row.push(Cell::number(ranks[at as usize]));
        }
        table.rows.push(row);
    }
    Some(table)
}
