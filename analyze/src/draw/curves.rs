//! Degrees and robustness as curves.

use super::chart::{Axis, Series, chart};
use crate::graph::Network;
use crate::graph::betweenness::{betweenness, estimate};
use crate::graph::degree::degrees;
use crate::graph::robustness::{Curve, by_degree, by_degree_adaptive, by_score, random_order, remove};

/// Beyond so many nodes the order by betweenness is estimated from as many sources.
const MOST_SOURCES: usize = 1024;
/// A curve has about so many points, however many nodes there are.
const POINTS: usize = 400;

/// The share of nodes that have at least a degree, by degree, both on logarithmic axes; a degree of 0 has no place
/// there and is told in the subtitle.
pub fn degree_ccdf(network: &Network, title: &str, subtitle: &str) -> String {
    let graph = &network.graph;
    let projections = [("any direction", graph.undirected()), ("out", graph.outbound()), ("in", graph.inbound())];
    let mut series = Vec::new();
    let (mut most, mut least, mut fewest) = (1.0_f64, 1.0_f64, f64::MAX);
    for (name, csr) in projections {
        let points: Vec<(f64, f64)> = degrees(csr)
            .ccdf()
            .into_iter()
            .filter(|(degree, ..)| *degree > 0)
            .map(|(d, _, share)| (f64::from(d), share))
            .collect();
        most = points.iter().fold(most, |most, point| most.max(point.0));
        fewest = points.iter().fold(fewest, |fewest, point| fewest.min(point.0));
        least = points.iter().fold(least, |least, point| least.min(point.1));
        series.push(Series { name: name.to_owned(), points });
    }
    let isolated = degrees(graph.undirected()).isolated();
    let subtitle =
        if isolated > 0 { format!("{subtitle}; {isolated} nodes have no neighbour") } else { subtitle.to_owned() };
    let low = 10_f64.powf(least.log10().floor()).min(0.1);
    // From the power of ten below the least degree to the greatest, and no less than one power of it.
    let first = 10_f64.powf(fewest.min(most).log10().floor());
    let axes = [
        Axis { title: "degree", low: first, high: most.max(10.0 * first), is_log: true },
        Axis { title: "share of nodes with at least this degree", low, high: 1.0, is_log: true },
    ];
    chart(title, &subtitle, axes, &series)
}

/// How much of the network hangs together as nodes are removed, by the order of their removal.
pub fn robustness(network: &Network, title: &str, subtitle: &str, seed: u64) -> String {
    let both = network.graph.undirected();
    let (scores, how) = match estimate(both, MOST_SOURCES, seed) {
        Some(found) => (found.scores, format!("by betweenness from {} nodes", found.sources)),
        None => (betweenness(both, &both.ids().collect::<Vec<u32>>()), "by betweenness".to_owned()),
    };
    let orders = [
        ("by chance", random_order(both, seed)),
        ("by degree", by_degree(both)),
        ("by degree, adaptive", by_degree_adaptive(both)),
        (how.as_str(), by_score(&scores)),
    ];
    let series: Vec<Series> = orders
        .into_iter()
        .map(|(name, order)| {
            let curve = remove(both, &order);
            let name = curve.r().map_or_else(|| name.to_owned(), |r| format!("{name} (R = {r:.3})"));
            Series { name, points: points(&curve) }
        })
        .collect();
    let axes = [
        Axis { title: "share of nodes removed", low: 0.0, high: 1.0, is_log: false },
        Axis { title: "share of nodes in the largest component", low: 0.0, high: 1.0, is_log: false },
    ];
    chart(title, subtitle, axes, &series)
}

fn points(curve: &Curve) -> Vec<(f64, f64)> {
    let n = curve.nodes.max(1) as f64;
    let step = curve.largest.len().div_ceil(POINTS).max(1);
    let last = curve.largest.len().saturating_sub(1);
    let chosen = curve.largest.iter().enumerate().filter(|(q, _)| q % step == 0 || *q == last);
    chosen.map(|(q, &size)| (q as f64 / n, f64::from(size) / n)).collect()
}
