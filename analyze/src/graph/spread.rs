//! How degrees, cores and components are spread over the nodes: tables of the report.

use std::collections::BTreeMap;

use super::components::Parts;
use super::cores::core_numbers;
use super::degree::{Degrees, degrees};
use super::network::{Network, Node};
use super::words::Words;
use crate::export::Kind;
use crate::report::{Cell, Column, Table};
use crate::summary::Summary;

/// Degrees in the three projections, with their names.
fn projections(kind: Kind, network: &Network) -> [(&'static str, Degrees); 3] {
    let (words, graph) = (Words::of(kind), &network.graph);
    [
        ("undirected", degrees(graph.undirected())),
        (words.out, degrees(graph.outbound())),
        (words.inward, degrees(graph.inbound())),
    ]
}

/// Nodes by a class.
fn by_class<'a>(nodes: &'a [Node], class: impl Fn(&'a Node) -> Option<&'a str>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if let Some(class) = class(node) {
            classes.entry(class).or_default().push(at);
        }
    }
    classes
}

fn columns(classes: &[Column]) -> Vec<Column> {
    let numbers = ["nodes", "mean", "sd", "min", "p50", "p95", "max", "gini"].map(|name| Column::new(name, name));
    [&[Column::new("degree", "degree")], classes, &numbers].concat()
}

fn cells(degrees: &Degrees, members: &[usize]) -> Option<Vec<Cell>> {
    let some = Degrees { of: members.iter().map(|&at| degrees.of[at]).collect() };
    let Summary { n, mean, sd, min, p50, p95, max, .. } = some.summary()?;
    let number = Cell::number;
    let mut cells = vec![n.into(), number(mean), sd.map_or(Cell::Absent, number)];
    cells.extend([min, p50, p95, max].map(number));
    cells.push(some.gini().map_or(Cell::Absent, number));
    Some(cells)
}

/// Degrees of all nodes and by group, in the three projections.
pub(super) fn degree_table(kind: Kind, network: &Network) -> Table {
    let mut table = Table::new("degrees", "Degrees", columns(&[Column::new("group", "group")]));
    "there is no node".clone_into(&mut table.empty);
    let groups = by_class(&network.nodes, |node| Some(node.group_or_foreign()));
    for (title, degrees) in projections(kind, network) {
        let all: Vec<usize> = (0..network.nodes.len()).collect();
        let mut rows = vec![("(all)", &all)];
        if groups.len() > 1 {
            rows.extend(groups.iter().map(|(&group, members)| (group, members)));
        }
        for (group, members) in rows {
            let Some(cells) = cells(&degrees, members) else { continue };
            table.rows.push([vec![title.into(), group.into()], cells].concat());
        }
    }
    table
}

/// Degrees by what else tells nodes apart, where anything does: role, server or client, dialable or not, region.
pub(super) fn role_table(kind: Kind, network: &Network) -> Option<Table> {
    let says_more =
        |node: &Node| node.member.as_deref().is_some_and(|one| one.role.is_some() || one.dialable.is_some());
    let told = network.nodes.iter().any(says_more);
    let service = |node: &Node| {
        let server = node.member.as_deref().filter(|_| told)?.is_server();
        Some(if server { "server" } else { "client" })
    };
    let dialable = |node: &Node| node.member.as_deref()?.dialable.map(|yes| if yes { "yes" } else { "no" });
    let nodes = &network.nodes;
    let classes = [
        ("role", by_class(nodes, |node| node.member.as_deref()?.role.as_deref())),
        ("server or client", by_class(nodes, service)),
        ("dialable", by_class(nodes, dialable)),
        ("region", by_class(nodes, |node| node.member.as_deref()?.region.as_deref())),
    ];
    let some: Vec<_> = classes.into_iter().filter(|(_, classes)| classes.len() > 1).collect();
    (!some.is_empty()).then_some(())?;
    let by = [Column::new("by", "by"), Column::new("class", "class")];
    let mut table = Table::new("degrees_by_role", "Degrees by role", columns(&by));
    for (title, degrees) in projections(kind, network) {
        for (by, classes) in &some {
            for (&class, members) in classes {
                let Some(cells) = cells(&degrees, members) else { continue };
                table.rows.push([vec![title.into(), (*by).into(), class.into()], cells].concat());
            }
        }
    }
    Some(table)
}

/// For programs: how many nodes have each degree, and which share of them at least that.
pub(super) fn histogram(kind: Kind, network: &Network) -> Table {
    let columns = ["projection", "degree", "nodes", "at_least_ratio"].map(Column::hidden).to_vec();
    let mut table = Table::new("degree_histogram", "", columns);
    for (title, degrees) in projections(kind, network) {
        let row = |(degree, count, share): (u32, u64, f64)| {
            vec![title.into(), degree.into(), count.into(), Cell::ratio(share)]
        };
        table.rows.extend(degrees.ccdf().into_iter().map(row));
    }
    table
}

/// For programs: how many nodes are in each core and in none deeper.
pub(super) fn shells(network: &Network) -> Table {
    let cores = Degrees { of: core_numbers(network.graph.undirected()) };
    let columns = ["core", "nodes", "at_least_ratio"].map(Column::hidden).to_vec();
    let mut table = Table::new("core_shells", "", columns);
    let row = |(core, count, share): (u32, u64, f64)| vec![core.into(), count.into(), Cell::ratio(share)];
    table.rows = cores.ccdf().into_iter().map(row).collect();
    table
}

/// For programs: how many components there are of each size, the largest first.
pub(super) fn sizes(key: &str, parts: &Parts) -> Table {
    let columns = ["nodes", "components"].map(Column::hidden).to_vec();
    let of_size = |of: &[u32]| vec![of[0].into(), of.len().into()];
    let rows = parts.sizes.chunk_by(|a, b| a == b).map(of_size).collect();
    Table { rows, ..Table::new(key, "", columns) }
}
