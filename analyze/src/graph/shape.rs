//! How the network is shaped, and what is left of it when nodes go: the sections of the report after distances.

use std::collections::BTreeMap;

use super::assortativity::{self, End};
use super::clustering::clustering;
use super::components::{bow_tie_around, reciprocity};
use super::cores::core_numbers;
use super::csr::Csr;
use super::cut::cuts;
use super::dear::{Budget, Dear, MOST_FOR_REACH, Through, UNFIT};
use super::degree::{degrees, percolation_threshold};
use super::metric::{Metric, Metrics};
use super::network::{Network, Node};
use super::robustness::{by_degree, by_degree_adaptive, by_score, random_order, remove};
use super::strong::strong;
use super::words::Words;
use crate::export::Kind;
use crate::report::{Cell, Column, Facts, Table};

/// Groups whose removal is tried; those whose names sort first.
const MOST_GROUPS: usize = 20;

/// Where each removed share of the nodes is looked at.
const SHARES: [f64; 5] = [0.01, 0.05, 0.10, 0.20, 0.30];

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

fn ratio(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::ratio)
}

/// Measures of the directed projection: who dialled whom; nothing if none of them is wanted.
pub(super) fn directed_facts(kind: Kind, network: &Network, metrics: &Metrics, dear: &Dear) -> Option<Facts> {
    let wanted = [Metric::Reciprocity, Metric::BowTie, Metric::Reachability, Metric::Assortativity];
    metrics.has_any(&wanted).then_some(())?;
    let graph = &network.graph;
    let words = Words::of(kind);
    let mut facts = Facts::new("directed", words.directed);
    if metrics.has(Metric::Reciprocity) {
        let value = ratio(reciprocity(graph));
        facts.add_with("reciprocity_ratio", "reciprocity", value, "arcs whose reverse is an arc too");
    }
    if metrics.has(Metric::BowTie) {
        let parts = strong(graph);
        facts.add("strong_components", "strong components", parts.sizes.len());
        let tie = bow_tie_around(graph, &parts);
        facts.add_with("core_nodes", "largest of them", tie.core, "nodes that all reach one another along arcs");
        facts.add("core_inward_nodes", "nodes that reach it", tie.inward);
        facts.add("core_outward_nodes", "nodes that it reaches", tie.outward);
    }
    if metrics.has(Metric::Reachability) {
        let remark = match dear.reachable {
            None => UNFIT.to_owned(),
            Some(_) if graph.nodes() > MOST_FOR_REACH => format!("not computed for more than {MOST_FOR_REACH} nodes"),
            Some(_) => "ordered pairs that a directed path joins".to_owned(),
        };
        facts.add_with(
            "reachable_pairs_ratio",
            "reachable pairs",
            ratio(dear.reachable.and_then(|found| found.0)),
            remark,
        );
    }
    if metrics.has(Metric::Assortativity) {
        for (key, title, tail, head) in [
            ("assortativity_out_in", "assortativity out, in", End::Out, End::In),
            ("assortativity_out_out", "assortativity out, out", End::Out, End::Out),
            ("assortativity_in_in", "assortativity in, in", End::In, End::In),
            ("assortativity_in_out", "assortativity in, out", End::In, End::Out),
        ] {
            let value = assortativity::by_directed_degree(graph, tail, head);
            facts.add_with(key, title, number(value), words.ends);
        }
    }
    Some(facts)
}

/// Measures of the undirected projection: who was connected to whom; nothing if none of them is wanted.
pub(super) fn undirected_facts(network: &Network, metrics: &Metrics) -> Option<Facts> {
    let wanted = [Metric::Clustering, Metric::Assortativity, Metric::Percolation, Metric::Cores, Metric::Cuts];
    metrics.has_any(&wanted).then_some(())?;
    let both = network.graph.undirected();
    let mut facts = Facts::new("shape", "Shape, undirected");
    if metrics.has(Metric::Clustering) {
        add_clustering(both, &mut facts);
    }
    if metrics.has(Metric::Assortativity) {
        let value = assortativity::by_degree(both);
        facts.add_with("assortativity", "assortativity", number(value), "by degree; none where all degrees are equal");
        let groups: Vec<&str> = network.nodes.iter().map(Node::group_or_foreign).collect();
        let value = assortativity::by_class(both, &groups);
        facts.add_with("assortativity_group", "assortativity by group", number(value), "none where there is one group");
    }
    if metrics.has(Metric::Percolation) {
        let kappa = degrees(both).molloy_reed();
        facts.add_with("molloy_reed", "Molloy-Reed", number(kappa), "mean square of the degrees, of their mean");
        let threshold = kappa.and_then(percolation_threshold);
        let remark =
            "share of nodes whose loss at random should end the largest component; none where 2 is not exceeded";
        facts.add_with("percolation_threshold_ratio", "expected threshold", ratio(threshold), remark);
    }
    if metrics.has(Metric::Cores) {
        let cores = core_numbers(both);
        let deepest = cores.iter().copied().max();
        let within = cores.iter().filter(|&&core| Some(core) == deepest).count();
        facts.add_with("degeneracy", "degeneracy", deepest, format!("{within} nodes are in the innermost core"));
    }
    if metrics.has(Metric::Cuts) {
        let found = cuts(both);
        let names: Vec<&str> =
            found.articulations.iter().take(5).map(|&node| network.nodes[node as usize].name.as_str()).collect();
        let more = if found.articulations.len() > names.len() { ", …" } else { "" };
        let listed = format!("{}{more}", names.join(", "));
        facts.add_with("articulation_points", "articulation points", found.articulations.len(), listed);
        facts.add_with("bridges", "bridges", found.bridges.len(), "edges that alone join two parts");
    }
    Some(facts)
}

fn add_clustering(both: &Csr, facts: &mut Facts) {
    let n = both.nodes() as f64;
    let found = clustering(both);
    let by_chance = (both.nodes() > 1).then(|| both.arcs() as f64 / (n * (n - 1.0)));
    let beside = by_chance.map_or(String::new(), |chance| format!("a random graph of this density has {chance:.3}"));
    facts.add_with("clustering", "clustering", number(found.mean()), beside);
    let remark = "paths of two edges that a third closes";
    facts.add_with("transitivity", "transitivity", number(found.transitivity()), remark);
    facts.add("triangles", "triangles", found.triangles);
}

/// What share of the nodes stays in the largest component when nodes are removed, by the order of removal; nothing if it
/// is not wanted or does not fit.
pub(super) fn robustness_table(
    network: &Network,
    seed: u64,
    through: Option<&Through>,
    budget: &mut Budget<'_>,
) -> Option<Table> {
    let Some(through) = through else {
        budget.lose(Metric::Robustness, "it needs betweenness");
        return None;
    };
    let both = network.graph.undirected();
    let mut groups: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (at, node) in (0_u32..).zip(&network.nodes) {
        groups.entry(node.group_or_foreign()).or_default().push(at);
    }
    if groups.len() < 2 {
        groups.clear();
    }
    let by_betweenness = match through.sources {
        None => "by betweenness at the begin".to_owned(),
        Some(k) => format!("by betweenness from {k} nodes, seed {seed}"),
    };
    let names = [
        format!("at random, seed {seed}"),
        "by degree at the begin".to_owned(),
        "by degree as it is then".to_owned(),
        by_betweenness,
    ];
    let order = |which: usize| match which {
        0 => random_order(both, seed),
        1 => by_degree(both),
        2 => by_degree_adaptive(both),
        _ => by_score(&through.scores),
    };
    let orders = names.len() + groups.len().min(MOST_GROUPS);
    let rows = budget.spend(Metric::Robustness, orders, |work| {
        let mut rows = Vec::new();
        for (which, name) in names.into_iter().enumerate() {
            work.step()?;
            rows.push(robustness_row(both, name, &order(which)));
        }
        for (group, members) in groups.into_iter().take(MOST_GROUPS) {
            work.step()?;
            rows.push(robustness_row(both, format!("all of group {group}"), &members));
        }
        Ok(rows)
    })?;
    let mut columns = vec![Column::new("order", "removed"), Column::new("r", "R")];
    for share in SHARES {
        let percent = share * 100.0;
        columns.push(Column::new(&format!("largest_at_{percent}pct_ratio"), &format!("{percent} % gone")));
    }
    columns.push(Column::new("below_half_ratio", "below half at"));
    columns.push(Column::new("largest_at_end_ratio", "all of them gone"));
    let title = "Robustness: nodes left in the largest component, of all nodes, undirected";
    Some(Table { rows, ..Table::new("robustness", title, columns) })
}

fn robustness_row(both: &Csr, name: String, order: &[u32]) -> Vec<Cell> {
    let curve = remove(both, order);
    let end = curve.largest.last().filter(|_| order.len() < curve.nodes);
    let mut row = vec![Cell::Text(name), number(curve.r())];
    row.extend(SHARES.map(|share| ratio(curve.at(share))));
    row.push(ratio(curve.below_half().map(|q| q as f64 / curve.nodes as f64)));
    row.push(ratio(end.map(|&size| f64::from(size) / curve.nodes as f64)));
    row
}
