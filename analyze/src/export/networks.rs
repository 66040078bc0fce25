//! The networks of a run, by what joins two peers and when.

use std::time::Duration;

use polars::prelude::{DataType, col, len, lit};
use rayon::prelude::*;
use tg_model::table::{CONN_SNAPSHOTS, CONNECTIONS, PUBSUB_TRACE, ROUTING_TABLE, Table};

use super::timed;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::graph::{Connectivity, Network, arcs_of, sightings};
use crate::run::{Instance, Run};

/// What joins two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A connection.
    Connections,
    /// An entry in a routing table, owner to entry.
    RoutingTables,
    /// A place in the mesh of a pubsub router, for any topic: who has whom in its mesh.
    Mesh,
}

impl Kind {
    /// The table of its snapshots; a mesh has none, its events stand in one.
    fn table(self) -> &'static Table {
        match self {
            Self::Connections => &CONN_SNAPSHOTS,
            Self::RoutingTables => &ROUTING_TABLE,
            Self::Mesh => &PUBSUB_TRACE,
        }
    }

    /// As a title begins.
    pub fn title(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::RoutingTables => "Routing tables",
            Self::Mesh => "Mesh",
        }
    }

    /// The short word in names of files.
    fn short(self) -> &'static str {
        match self {
            Self::Connections => "conn",
            Self::RoutingTables => "rt",
            Self::Mesh => "mesh",
        }
    }
}

/// Which of the networks of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum When {
    /// All that there ever was, where that is known; else the last snapshot.
    #[default]
    Whole,
    /// A snapshot, by its label.
    Snapshot(String),
    /// What there was at a time after the run's begin.
    At(Duration),
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
    /// The network that was asked for. The whole of the connections are those over time, or where there are none the
    /// last snapshot of them; the whole of a mesh is everyone who was ever in it.
    pub fn read(dataset: &Dataset, kind: Kind, when: &When) -> Result<Self, AnalyzeError> {
        let instances = Instance::read_all(dataset)?;
        let run = run_name(dataset)?;
        let label = match (kind, when) {
            (_, When::At(time)) => {
                let network = timed::at(dataset, &instances, kind, *time)?;
                return Ok(Self { kind, label: None, run, network });
            }
            (Kind::Mesh, When::Whole) => {
                let network = timed::mesh(dataset, &instances, None)?;
                return Ok(Self { kind, label: None, run, network });
            }
            (Kind::Mesh, When::Snapshot(_)) => {
                return Err(AnalyzeError::Question("a mesh has no snapshots; ask for it at a time".to_owned()));
            }
            (Kind::Connections, When::Whole) if dataset.has(&CONNECTIONS)? => {
                let network = ever_open(dataset, &instances)?;
                return Ok(Self { kind, label: None, run, network });
            }
            (Kind::Connections | Kind::RoutingTables, When::Whole) => None,
            (Kind::Connections | Kind::RoutingTables, When::Snapshot(label)) => Some(label),
        };
        let labels = labels(dataset, kind)?;
        let Some(last) = labels.last() else { return Err(nothing(dataset, kind)) };
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

    /// The network of every snapshot of a kind, in the order of their last records.
    pub fn read_snapshots(dataset: &Dataset, kind: Kind) -> Result<Vec<Self>, AnalyzeError> {
        if kind == Kind::Mesh {
            return Err(AnalyzeError::Question("a mesh has no snapshots; ask for it at a time".to_owned()));
        }
        let labels = labels(dataset, kind)?;
        if labels.is_empty() {
            return Err(nothing(dataset, kind));
        }
        labels.into_iter().map(|label| Self::read(dataset, kind, &When::Snapshot(label))).collect()
    }

    /// The connections and routing tables of every snapshot, and the connections over time.
    pub fn read_all(dataset: &Dataset) -> Result<Vec<Self>, AnalyzeError> {
        let mut all = Vec::new();
        if dataset.has(&CONNECTIONS)? {
            all.push(Self::read(dataset, Kind::Connections, &When::Whole)?);
        }
        for kind in [Kind::Connections, Kind::RoutingTables] {
            for label in labels(dataset, kind)? {
                all.push(Self::read(dataset, kind, &When::Snapshot(label))?);
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
        let (what, run) = (self.kind.title(), &self.run);
        match &self.network.source {
            Connectivity::Snapshot(label) => format!("{what} of {run}, snapshot {label}"),
            Connectivity::At(time) => format!("{what} of {run} after {time:?}"),
            Connectivity::EverOpen => format!("{what} of {run}"),
        }
    }

    /// The name of its file without the ending: `<snapshot>-conn`, `<snapshot>-rt`. Only letters, digits, dots, dashes
    /// and underscores of a label are kept, so that no label is a path.
    pub fn stem(&self) -> String {
        let label = match &self.network.source {
            Connectivity::Snapshot(label) => label.clone(),
            Connectivity::At(time) => format!("at-{time:?}"),
            Connectivity::EverOpen => "all".to_owned(),
        };
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let label: String = label.chars().take(80).map(safe).collect();
        format!("{}-{}", label.trim_start_matches('.'), self.kind.short())
    }
}

fn nothing(dataset: &Dataset, kind: Kind) -> AnalyzeError {
    let (dir, table) = (dataset.dir().display(), kind.table().name);
    let what = match kind {
        Kind::Connections if matches!(dataset.has(&CONNECTIONS), Ok(true)) => {
            return AnalyzeError::NoData(format!(
                "`{dir}` has no table `{table}`: the run's connections are known over time and not as snapshots"
            ));
        }
        Kind::Connections => {
            return AnalyzeError::NoData(format!(
                "the run recorded no connections: `{dir}` has neither of the tables `connections` and `conn_snapshots`"
            ));
        }
        Kind::RoutingTables => "routing tables",
        Kind::Mesh => "mesh",
    };
    AnalyzeError::NoData(format!("`{dir}` has no table `{table}`: the run recorded no {what}"))
}

fn run_name(dataset: &Dataset) -> Result<String, AnalyzeError> {
    let run = Run::read(dataset)?;
    Ok(run.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id)))
}

/// The labels of a kind in the order of their last record.
fn labels(dataset: &Dataset, kind: Kind) -> Result<Vec<String>, AnalyzeError> {
    let table = kind.table();
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

/// Every connection that was ever open.
fn ever_open(dataset: &Dataset, instances: &[Instance]) -> Result<Network, AnalyzeError> {
    let Some(scan) = dataset.scan(&CONNECTIONS)? else { return Err(nothing(dataset, Kind::Connections)) };
    let plan = scan.group_by(["local_idx", "remote_idx", "direction"].map(col)).agg([len().alias("times")]);
    let seen = sightings(dataset, &CONNECTIONS, plan, ["local_idx", "remote_idx"])?;
    Network::build(dataset, instances, seen, Connectivity::EverOpen)
}

fn snapshot(dataset: &Dataset, instances: &[Instance], kind: Kind, label: &str) -> Result<Network, AnalyzeError> {
    let source = Connectivity::Snapshot(label.to_owned());
    let mut pairs: Vec<(u32, u32)> = match kind {
        Kind::RoutingTables => {
            // As `tg analyze routing` counts them: a whole table replaces the one before.
            let of =
                |(owner, dump): (u32, crate::routing::Dump)| dump.entries.into_iter().map(move |entry| (owner, entry));
            crate::routing::dumps(dataset, label)?.into_iter().flat_map(of).collect()
        }
        Kind::Mesh => Vec::new(),
        Kind::Connections => {
            let (table, ends) = (kind.table(), ["src_idx", "dst_idx"]);
            match dataset.scan(table)? {
                None => Vec::new(),
                Some(scan) => {
                    let plan = scan.filter(col("snapshot").eq(lit(label))).select(ends.map(col));
                    let rows = dataset.collect(table, plan)?;
                    frame::pairs(&rows, ends).map_err(|source| dataset.unreadable(table, source))?
                }
            }
        }
    };
    // Whoever writes a snapshot twice, for instance after a failed refresh, has not twice as many connections.
    pairs.par_sort_unstable();
    pairs.dedup();
    Network::build(dataset, instances, arcs_of(pairs), source)
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
                source: Connectivity::Snapshot(label.to_owned()),
                connections: 0,
                undirected_pairs: 0,
                without_peer: 0,
            },
        };
        let stems = ["ab", "../../etc/x", "a b\0", ""].map(|label| named(label).stem());
        assert_eq!(stems, ["ab-rt", "_.._etc_x-rt", "a_b_-rt", "-rt"]);
    }
}
