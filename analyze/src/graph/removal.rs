//! What is left of the network when nodes go: the table of the report.

use std::collections::BTreeMap;

use super::csr::Csr;
use super::dear::{Budget, Through};
use super::metric::Metric;
use super::network::{Network, Node};
use super::robustness::{Curve, by_degree, by_degree_adaptive, by_score, random_order, remove};
use super::small_world::mean_and_error;
use crate::report::{Cell, Column, Shown, Table};

/// Groups, and regions, whose removal is tried; those whose names sort first.
const MOST_GROUPS: usize = 20;
/// Where each removed share of the nodes is looked at.
const SHARES: [f64; 5] = [0.01, 0.05, 0.10, 0.20, 0.30];
/// So many orders are drawn where nodes go at random.
const DRAWS: u64 = 10;

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

fn ratio(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::ratio)
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
    let groups = classes(network, |node| Some(node.group_or_foreign()));
    let regions = classes(network, |node| node.member.as_deref()?.region.as_deref());
    let by_betweenness = match &through.sampled {
        None => "by betweenness at the begin".to_owned(),
        Some(sampled) => format!("by betweenness from {} nodes, seed {seed}", sampled.sources),
    };
    let rows = budget.spend(Metric::Robustness, 4 + groups.len() + regions.len(), |work| {
        work.step()?;
        let draws: Vec<Curve> =
            (0..DRAWS).map(|draw| remove(both, &random_order(both, seed.wrapping_add(draw)))).collect();
        let rs: Option<Vec<f64>> = draws.iter().map(Curve::r).collect();
        let error = rs.map(|rs| mean_and_error(&rs).1);
        let mut rows = vec![row(format!("at random, mean of {DRAWS} orders, seed {seed}"), &draws, error)];
        for (name, order) in
            [("by degree at the begin", by_degree(both)), ("by degree as it is then", by_degree_adaptive(both))]
        {
            work.step()?;
            rows.push(row(name.to_owned(), &[remove(both, &order)], None));
        }
        work.step()?;
        rows.push(row(by_betweenness, &[remove(both, &by_score(&through.scores))], error_of_order(both, through)));
        for (what, all) in [("group", groups), ("region", regions)] {
            for (name, members) in all {
                work.step()?;
                rows.push(row(format!("all of {what} {name}"), &[remove(both, &members)], None));
            }
        }
        Ok(rows)
    })?;
    let mut columns = vec![Column::new("order", "removed"), Column::new("r", "R")];
    columns.push(Column { shown: Shown::WhenUsed, ..Column::new("r_error", "R, error") });
    for share in SHARES {
        let percent = share * 100.0;
        columns.push(Column::new(&format!("largest_at_{percent}pct_ratio"), &format!("{percent} % gone")));
    }
    columns.push(Column::new("below_half_ratio", "below half at"));
    columns.push(Column::new("largest_at_end_ratio", "all of them gone"));
    let title = "Robustness: nodes left in the largest component, of all nodes, undirected";
    Some(Table { rows, ..Table::new("robustness", title, columns) })
}

/// Nodes by a class, where there is more than one.
fn classes(network: &Network, class: impl Fn(&Node) -> Option<&str>) -> Vec<(&str, Vec<u32>)> {
    let mut all: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (at, node) in (0_u32..).zip(&network.nodes) {
        if let Some(class) = class(node) {
            all.entry(class).or_default().push(at);
        }
    }
    if all.len() < 2 {
        all.clear();
    }
    all.into_iter().take(MOST_GROUPS).collect()
}

/// How far R may be off because the scores are from a sample: the standard error of random groups, by the orders that parts
/// of the sample give alone. These know less than all of it, so it is rather too high.
fn error_of_order(both: &Csr, through: &Through) -> Option<f64> {
    let parts = &through.sampled.as_ref()?.parts;
    let rs: Option<Vec<f64>> = parts.iter().map(|scores| remove(both, &by_score(scores)).r()).collect();
    rs.map(|rs| mean_and_error(&rs).1)
}

/// A row of the means of some curves.
fn row(name: String, curves: &[Curve], error: Option<f64>) -> Vec<Cell> {
    let mean = |of: &dyn Fn(&Curve) -> Option<f64>| {
        let all: Option<Vec<f64>> = curves.iter().map(of).collect();
        all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
    };
    let share = |some: usize, of: usize| some as f64 / of as f64;
    let mut row = vec![Cell::Text(name), number(mean(&Curve::r)), number(error)];
    row.extend(SHARES.map(|share| ratio(mean(&|curve: &Curve| curve.at(share)))));
    row.push(ratio(mean(&|curve: &Curve| curve.below_half().map(|q| share(q, curve.nodes)))));
    // Of an order that names all nodes nothing is left.
    let end = |curve: &Curve| {
        let last = curve.largest.last().filter(|_| curve.largest.len() <= curve.nodes);
        last.map(|&size| share(size as usize, curve.nodes))
    };
    row.push(ratio(mean(&end)));
    row
}
