//! `tg analyze routing`: what routing tables know of the network, against what is true.

mod density;
mod place;
mod read;
mod report;
mod snapshot;
mod table;
mod world;

pub use density::{ALARM, Density, Part, density};
pub use place::Place;
pub(crate) use read::{Dump, dumps};
pub use report::report;
pub use snapshot::{Overlap, Owner, Snapshot};
pub use table::{Bucket, Entry, Health, Server, measure};
pub use world::{Peer, World};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::report::Report;

/// What to measure.
#[derive(Debug, Clone)]
pub struct RoutingOptions {
    /// How many servers a bucket holds, and how many of the nearest a table should know.
    pub k: u32,
    /// The snapshot that is told in full; without one, the last.
    pub snapshot: Option<String>,
    /// How many of the worst tables are listed.
    pub worst: usize,
}

impl Default for RoutingOptions {
    fn default() -> Self {
        Self { k: 20, snapshot: None, worst: 10 }
    }
}

/// The routing tables of a run, measured.
#[derive(Debug, Clone)]
pub struct Routing {
    /// Who there was.
    pub world: World,
    /// Every snapshot, in order of time.
    pub snapshots: Vec<Snapshot>,
    /// Which of them is told in full.
    pub chosen: usize,
    /// What was asked.
    pub options: RoutingOptions,
    /// When the run began.
    pub start_ns: Option<i64>,
    /// The run, or the folder of its dataset.
    pub title: String,
}

impl Routing {
    /// Reads and measures all snapshots of a dataset.
    pub fn read(dataset: &Dataset, options: &RoutingOptions) -> Result<Self, AnalyzeError> {
        if options.k == 0 {
            return Err(AnalyzeError::Question(
                "a bucket of size 0 holds nothing: choose a `--k` of at least 1".to_owned(),
            ));
        }
        let labels = read::labels(dataset)?;
        let Some(last) = labels.len().checked_sub(1) else {
            return Err(AnalyzeError::NoData(format!(
                "the run recorded no routing tables: `{}` has neither of the tables `routing_table` and `rt_dumps`",
                dataset.dir().display()
            )));
        };
        let chosen = match &options.snapshot {
            None => last,
            Some(wanted) => labels.iter().position(|label| label == wanted).ok_or_else(|| {
                AnalyzeError::Question(format!("there is no snapshot `{wanted}`: the run has {}", labels.join(", ")))
            })?,
        };
        let world = World::read(dataset)?;
        let mut snapshots = Vec::with_capacity(labels.len());
        for label in &labels {
            let dumps = read::dumps(dataset, label)?;
            let moment_ns = dumps.values().map(|dump| dump.ts).max().unwrap_or(0);
            let connected = read::connected(dataset, label, moment_ns)?;
            snapshots.push(Snapshot::measure(label, &dumps, &world, connected.as_deref(), options.k));
        }
        let run = crate::run::Run::read(dataset)?;
        let start_ns = run.as_ref().and_then(|run| run.start_ns);
        let title = run.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id));
        Ok(Self { world, snapshots, chosen, options: options.clone(), start_ns, title })
    }

    /// The snapshot that is told in full.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshots[self.chosen]
    }
}

/// The routing tables of a run: how complete, how current, how near.
pub fn routing(dataset: &Dataset, options: &RoutingOptions) -> Result<Report, AnalyzeError> {
    Ok(report(&Routing::read(dataset, options)?))
}
