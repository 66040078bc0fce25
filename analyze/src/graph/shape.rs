//! How the network is shaped, and what is left of it when nodes go: the sections of the report after distances.

use super::assortativity::{self, End};
use super::clustering::clustering;
use super::components::{bow_tie_around, reciprocity};
use super::cores::core_numbers;
use super::csr::Csr;
use super::cut::cuts;
use super::dear::{Dear, MOST_FOR_REACH, UNFIT};
use super::degree::{degrees, percolation_threshold};
use super::metric::{Metric, Metrics};
use super::network::{Network, Node};
use super::reach::Served;
use super::strong::strong;
use super::words::Words;
use crate::export::Kind;
use crate::report::{Cell, Facts};
use crate::summary::Summary;

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
        facts.add_with(
            "core_other_nodes",
            "others",
            tie.other,
            "neither: tendrils, tubes, and what is not connected to it",
        );
    }
    if metrics.has(Metric::Reachability) {
        add_reachability(graph.nodes(), dear, &mut facts);
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

fn add_reachability(nodes: usize, dear: &Dear, facts: &mut Facts) {
    let remark = match &dear.reachable {
        None => UNFIT.to_owned(),
        Some(_) if nodes > MOST_FOR_REACH => format!("not computed for more than {MOST_FOR_REACH} nodes"),
        Some(_) => "ordered pairs that a directed path joins".to_owned(),
    };
    let found = dear.reachable.as_ref().and_then(|found| found.0.as_ref());
    let pairs = found.and_then(|found| found.from.pair_ratio());
    facts.add_with("reachable_pairs_ratio", "reachable pairs", ratio(pairs), remark);
    let of = found.and_then(|found| Summary::of(found.from.of.iter().map(|&reached| reached as f64).collect()));
    for (key, title, value) in [
        ("reached_min", "a node reaches, at least", of.as_ref().map(|of| of.min)),
        ("reached_p50", "median", of.as_ref().map(|of| of.p50)),
        ("reached_max", "at most", of.as_ref().map(|of| of.max)),
    ] {
        facts.add_with(key, title, number(value), "other nodes, along arcs");
    }
    let Some(found) = found else { return };
    let Some(Served { servers, clients, by_all, pairs }) = found.servers else { return };
    let remark = format!("servers to which a directed path leads from each of {clients} clients");
    facts.add_with("servers_from_all", "reached by every client", Cell::Of(by_all, servers), remark);
    let share = (servers * clients > 0).then(|| pairs as f64 / (servers * clients) as f64);
    facts.add_with("client_server_pairs_ratio", "clients to servers", ratio(share), "pairs that a directed path joins");
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
        facts.add_with("degeneracy", "degeneracy", deepest, "the greatest k of which there is a k-core");
        facts.add("innermost_core_nodes", "nodes in the innermost core", within);
    }
    if metrics.has(Metric::Cuts) {
        let found = cuts(both);
        let names: Vec<&str> =
            found.articulations.iter().take(5).map(|&node| &*network.nodes[node as usize].name).collect();
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
