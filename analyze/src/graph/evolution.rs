//! `tg analyze graph --all-snapshots`: how the network changed, one row for each snapshot.

use std::collections::BTreeSet;

use super::clustering::clustering;
use super::components::weak;
use super::degree::degrees;
use super::overlap::Overlap;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named};
use crate::report::{Cell, Column, Line, Report, Section, Table, Tone};

/// An edge, by the names of its ends; nodes have other numbers in each snapshot.
pub(super) type Edges = BTreeSet<(String, String)>;

/// Every snapshot of a kind as a row, with the turnover since the one before.
///
/// On the undirected projection. The overlap of consecutive snapshots is that of Jaccard: edges that are in both, of
/// those in either; absent for the first snapshot, and where neither has an edge.
pub fn evolution(dataset: &Dataset, kind: Kind) -> Result<Report, AnalyzeError> {
    let all = Named::read_snapshots(dataset, kind)?;
    let run = all.first().map_or("", |named| named.run.as_str());
    let mut report = Report::new("graph", format!("{} of {run}, every snapshot", kind.title()));
    let columns = [
        ("snapshot", "snapshot"),
        ("nodes", "nodes"),
        ("edges", "edges"),
        ("components", "components"),
        ("largest_ratio", "in the largest"),
        ("isolated", "isolated"),
        ("degree_mean", "mean degree"),
        ("degree_max", "max degree"),
        ("clustering", "clustering"),
        ("edges_new", "new edges"),
        ("edges_gone", "gone edges"),
        ("overlap_ratio", "overlap"),
    ];
    let columns = columns.into_iter().map(|(key, title)| Column::new(key, title)).collect();
    let mut table = Table::new(
        "snapshots",
        "Snapshots in the order of time; new, gone and overlap against the one before",
        columns,
    );
    let mut before: Option<Edges> = None;
    let mut apart = 0_usize;
    for named in &all {
        let graph = &named.network.graph;
        let (parts, found) = (weak(graph), degrees(graph.undirected()));
        apart += usize::from(parts.sizes.len() > 1);
        let n = graph.nodes();
        let largest = parts.sizes.first().filter(|_| n > 0).map(|&size| f64::from(size) / n as f64);
        let summary = found.summary();
        let edges = edges_of(named);
        let number = |value: Option<f64>| value.map_or(Cell::Absent, Cell::number);
        let mut row = vec![
            named.label.as_deref().map_or(Cell::Absent, Cell::from),
            n.into(),
            graph.edges().into(),
            parts.sizes.len().into(),
            largest.map_or(Cell::Absent, Cell::ratio),
            found.isolated().into(),
            number(summary.as_ref().map(|all| all.mean)),
            number(summary.as_ref().map(|all| all.max)),
            number(clustering(graph.undirected()).mean()),
        ];
        row.extend(before.as_ref().map_or([Cell::Absent, Cell::Absent, Cell::Absent], |old| {
            let found = Overlap::of(old, &edges);
            let overlap = found.jaccard().map_or(Cell::Absent, Cell::ratio);
            [found.second_alone.into(), found.first_alone.into(), overlap]
        }));
        table.rows.push(row);
        before = Some(edges);
    }
    let count = if all.len() == 1 { "1 snapshot".to_owned() } else { format!("{} snapshots", all.len()) };
    report.headline = Some(if apart == 0 {
        Line { text: format!("connected in every one of {count}"), tone: Tone::Good }
    } else {
        Line { text: format!("not connected in {apart} of {count}"), tone: Tone::Bad }
    });
    report.sections.push(Section::Table(table));
    Ok(report)
}

/// The edges of a network, undirected.
pub(super) fn edges_of(named: &Named) -> Edges {
    let (nodes, both) = (&named.network.nodes, named.network.graph.undirected());
    let name = |at: u32| nodes[at as usize].name.clone();
    let ordered = |a: String, b: String| if a < b { (a, b) } else { (b, a) };
    let of = |a: u32| both.of(a).iter().filter(move |&&b| a < b).map(move |&b| (a, b));
    both.ids().flat_map(of).map(|(a, b)| ordered(name(a), name(b))).collect()
}
