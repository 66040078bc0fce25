//! `tg analyze graph --all-snapshots`: how the network changed, one row for each snapshot.

use super::clustering::clustering;
use super::components::weak;
use super::dear::Budget;
use super::degree::degrees;
use super::latency::latency_facts;
use super::metric::{Metric, Metrics};
use super::overlap::Overlap;
use super::summary::{Answer, GraphOptions, measured, overlap};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named, When};
use crate::report::{Cell, Column, Line, Report, Section, Table, Tone};
use crate::work::Watch;

/// Edges, by the peers at their ends and ascending; nodes have other numbers in each snapshot.
pub(super) type Edges = Vec<(u32, u32)>;

/// Every snapshot of a kind as a row, with the turnover since the one before; and of the metrics that are chosen, a table
/// for each section of the report of one network, with the rows of every snapshot.
///
/// On the undirected projection. The overlap of consecutive snapshots is that of Jaccard: edges that are in both, of
/// those in either; absent for the first snapshot, and where neither has an edge.
pub fn evolution(
    dataset: &Dataset,
    kind: Kind,
    seed: u64,
    metrics: Option<&Metrics>,
    watch: &dyn Watch,
) -> Result<Answer, AnalyzeError> {
    let whole = [Metric::Lifetimes, Metric::Sessions, Metric::Temporal];
    if let Some(metric) = whole.into_iter().find(|metric| metrics.is_some_and(|metrics| metrics.names(*metric))) {
        let name = metric.name();
        let why = format!("`{name}` is of the whole run and of no snapshot: ask without `--all-snapshots`");
        return Err(AnalyzeError::Question(why));
    }
    let all = Named::read_snapshots(dataset, kind)?;
    let run = all.first().map_or("", |named| named.run.as_str());
    let mut report = Report::new("graph", format!("{} of {run}, every snapshot", kind.title()));
    report.headline = Some(headline(&all));
    report.sections.push(Section::Table(turnover(&all)));
    let mut unfit = Vec::new();
    for named in metrics.map_or(&[][..], |_| &all) {
        let Some(metrics) = metrics else { break };
        let mut budget = Budget::new(metrics, watch);
        let (_, mut sections) = measured(named, seed, &mut budget);
        if metrics.has(Metric::Overlap) {
            let options = GraphOptions { kind, when: when(named), seed, metrics: metrics.clone() };
            sections.extend(overlap(dataset, named, &options)?.map(Section::Facts));
        }
        sections.extend(latency_facts(dataset, named, seed, &mut budget)?.map(Section::Facts));
        let label = named.label.clone().unwrap_or_default();
        for section in sections {
            add(&mut report.sections, &label, section);
        }
        unfit.extend(budget.tell(&mut report, &format!("snapshot {label}: ")));
    }
    unfit.sort();
    unfit.dedup();
    Ok(Answer { report, unfit })
}

fn when(named: &Named) -> When {
    named.label.clone().map_or(When::Whole, When::Snapshot)
}

/// Adds what a section says of one snapshot to the table of that section.
fn add(sections: &mut Vec<Section>, label: &str, section: Section) {
    let (key, title, columns, rows) = match section {
        Section::Facts(facts) => {
            let columns = facts.facts.iter().map(|fact| Column::new(&fact.key, &fact.title)).collect();
            let row = facts.facts.into_iter().map(|fact| fact.value).collect();
            let title = if facts.title.is_empty() { "Size".to_owned() } else { facts.title };
            (facts.key, title, columns, vec![row])
        }
        Section::Table(table) => (table.key, table.title, table.columns, table.rows),
    };
    let at = sections.iter().position(|section| section.key() == key).unwrap_or_else(|| {
        let columns = [vec![Column::new("snapshot", "snapshot")], columns].concat();
        sections.push(Section::Table(Table::new(&key, &title, columns)));
        sections.len() - 1
    });
    if let Section::Table(table) = &mut sections[at] {
        table.rows.extend(rows.into_iter().map(|row| [vec![label.into()], row].concat()));
    }
}

fn headline(all: &[Named]) -> Line {
    let apart = all.iter().filter(|named| weak(&named.network.graph).sizes.len() > 1).count();
    let count = if all.len() == 1 { "1 snapshot".to_owned() } else { format!("{} snapshots", all.len()) };
    if apart == 0 {
        Line { text: format!("connected in every one of {count}"), tone: Tone::Good }
    } else {
        Line { text: format!("not connected in {apart} of {count}"), tone: Tone::Bad }
    }
}

/// Each snapshot against the one before.
fn turnover(all: &[Named]) -> Table {
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
    for named in all {
        let graph = &named.network.graph;
        let (parts, found) = (weak(graph), degrees(graph.undirected()));
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
    table
}

/// The edges of a network, undirected.
pub(super) fn edges_of(named: &Named) -> Edges {
    let (nodes, both) = (&named.network.nodes, named.network.graph.undirected());
    let peers = |(a, b): (u32, u32)| {
        // Whoever has an edge is a peer.
        let (a, b) = (nodes[a as usize].peer?, nodes[b as usize].peer?);
        Some((a.min(b), a.max(b)))
    };
    let of = |a: u32| both.of(a).iter().filter(move |&&b| a < b).map(move |&b| (a, b));
    let mut edges: Edges = both.ids().flat_map(of).filter_map(peers).collect();
    edges.sort_unstable();
    edges
}
