//! The networks of a run, by what joins two peers and when.

use std::collections::BTreeSet;

use polars::prelude::{DataType, PolarsResult, col, lit};
use tg_model::table::{CONN_SNAPSHOTS, CONNECTIONS, ROUTING_TABLE, Table};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::graph::{Connectivity, Network, Sighting};
use crate::run::{Instance, Run};

/// What joins two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A connection.
    Connections,
    /// An entry in a routing table, owner to entry.
    RoutingTables,
}

impl Kind {
    fn table(self) -> (&'static Table, [&'static str; 2]) {
        match self {
            Self::Connections => (&CONN_SNAPSHOTS, ["src_idx", "dst_idx"]),
            Self::RoutingTables => (&ROUTING_TABLE, ["owner_idx", "entry_idx"]),
        }
    }

    /// The short word in names of files.
    fn short(self) -> &'static str {
        match self {
            Self::Connections => "conn",
            Self::RoutingTables => "rt",
        }
    }
}

/// A network with where it comes from.
#[derive(Debug, Clone)]
pub struct Named {
    /// What joins two peers.
    pub kind: Kind,
    /// The label of the snapshot; nothing for all connections that were ever open.
    pub label: Option<String>,
    /// The run.
    pub run: String,
    /// The network.
    pub network: Network,
}

impl Named {
    /// The network that was asked for: of a labelled snapshot, or without one the last of the kind. Connections over
    /// time come before snapshots of them.
    pub fn read(dataset: &Dataset, kind: Kind, label: Option<&str>) -> Result<Self, AnalyzeError> {
        let instances = Instance::read_all(dataset)?;
        let run = run_name(dataset)?;
        if kind == Kind::Connections && label.is_none() && dataset.has(&CONNECTIONS)? {
            let network = Network::connections(dataset, &instances)?;
            return Ok(Self { kind, label: None, run, network });
        }
        let labels = labels(dataset, kind)?;
        let Some(last) = labels.last() else {
            let table = kind.table().0.name;
            let dir = dataset.dir().display();
            return Err(AnalyzeError::NoData(format!("`{dir}` has no table `{table}`: the run recorded none")));
        };
        let label = match label {
            None => last.clone(),
            Some(wanted) if labels.iter().any(|label| label == wanted) => wanted.to_owned(),
            Some(wanted) => {
                let known = labels.join(", ");
                return Err(AnalyzeError::Question(format!("there is no snapshot `{wanted}`: the run has {known}")));
            }
        };
        let network = snapshot(dataset, &instances, kind, &label)?;
        Ok(Self { kind, label: Some(label), run, network })
    }

    /// The connections and routing tables of every snapshot, and the connections over time.
    pub fn read_all(dataset: &Dataset) -> Result<Vec<Self>, AnalyzeError> {
        let mut all = Vec::new();
        if dataset.has(&CONNECTIONS)? {
            all.push(Self::read(dataset, Kind::Connections, None)?);
        }
        for kind in [Kind::Connections, Kind::RoutingTables] {
            for label in labels(dataset, kind)? {
                all.push(Self::read(dataset, kind, Some(&label))?);
            }
        }
        if all.is_empty() {
            let dir = dataset.dir().display();
            return Err(AnalyzeError::NoData(format!("`{dir}` has neither connections nor routing tables")));
        }
        Ok(all)
    }

    /// What a reader should know it by.
    pub fn title(&self) -> String {
        let what = match self.kind {
            Kind::Connections => "Connections",
            Kind::RoutingTables => "Routing tables",
        };
        match &self.label {
            Some(label) => format!("{what} of {}, snapshot {label}", self.run),
            None => format!("{what} of {}", self.run),
        }
    }

    /// The name of its file without the ending: `<snapshot>-conn`, `<snapshot>-rt`. Only letters, digits, dots, dashes
    /// and underscores of a label are kept, so that no label is a path.
    pub fn stem(&self) -> String {
        let label = self.label.as_deref().unwrap_or("all");
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let label: String = label.chars().take(80).map(safe).collect();
        format!("{}-{}", label.trim_start_matches('.'), self.kind.short())
    }
}

fn run_name(dataset: &Dataset) -> Result<String, AnalyzeError> {
    let run = Run::read(dataset)?;
    Ok(run.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id)))
}

/// The labels of a kind in the order of their last record.
fn labels(dataset: &Dataset, kind: Kind) -> Result<Vec<String>, AnalyzeError> {
    let (table, _) = kind.table();
    let Some(scan) = dataset.scan(table)? else { return Ok(Vec::new()) };
    let last = col("ts").cast(DataType::Int64).max().alias("last");
    let rows = dataset.collect(table, scan.group_by([col("snapshot")]).agg([last]))?;
    let read = || Ok((frame::text(&rows, "snapshot")?, frame::ints(&rows, "last")?));
    let (labels, times) = read().map_err(|source| dataset.unreadable(table, source))?;
    let mut labels: Vec<(Option<i64>, String)> =
        times.into_iter().zip(labels).filter_map(|(ts, label)| Some((ts, label?))).collect();
    labels.sort();
    Ok(labels.into_iter().map(|(_, label)| label).collect())
}

fn snapshot(dataset: &Dataset, instances: &[Instance], kind: Kind, label: &str) -> Result<Network, AnalyzeError> {
    let source = Connectivity::Snapshot(label.to_owned());
    let mut pairs: BTreeSet<(u32, u32)> = BTreeSet::new();
    match kind {
        Kind::RoutingTables => {
            // As `tg analyze routing` counts them: a whole table replaces the one before.
            for (owner, dump) in crate::routing::dumps(dataset, label)? {
                pairs.extend(dump.entries.into_iter().map(|entry| (owner, entry)));
            }
        }
        Kind::Connections => {
            let (table, [from, to]) = kind.table();
            let Some(scan) = dataset.scan(table)? else { return Network::build(dataset, instances, &[], source) };
            let plan = scan.filter(col("snapshot").eq(lit(label))).select([col(from), col(to)]);
            let rows = dataset.collect(table, plan)?;
            let read = || -> PolarsResult<_> { Ok((frame::indices(&rows, from)?, frame::indices(&rows, to)?)) };
            let (from, to) = read().map_err(|source| dataset.unreadable(table, source))?;
            pairs.extend(from.into_iter().zip(to).filter_map(|(from, to)| Some((from?, to?))));
        }
    }
    let sightings: Vec<Sighting> =
        pairs.into_iter().map(|(local, remote)| Sighting { local, remote, direction: 2, times: 1 }).collect();
    Network::build(dataset, instances, &sightings, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_is_a_path() {
        let named = |label: &str| Named {
            kind: Kind::RoutingTables,
            label: Some(label.to_owned()),
            run: String::new(),
            network: Network {
                nodes: Vec::new(),
                graph: crate::graph::Graph::from_arcs(0, &[]),
                source: Connectivity::EverOpen,
                connections: 0,
                undirected_pairs: 0,
                without_peer: 0,
            },
        };
        let stems = ["ab", "../../etc/x", "a b\0", ""].map(|label| named(label).stem());
        assert_eq!(stems, ["ab-rt", "_.._etc_x-rt", "a_b_-rt", "-rt"]);
    }
}
