//! `tg analyze pubsub`: which messages reached whom, how fast, over how many hops, and at what cost.

mod control;
mod delivery;
mod hops;
mod mesh;
mod read;
mod report;
mod routers;
mod subscribed;
mod times;

pub use control::{Held, Sums};
pub use delivery::{Delivery, Message, Messages};
pub use hops::{depths, fan_out};
pub use mesh::{Mesh, Standing, TopicMesh};
pub use report::report;
pub use routers::Router;
pub use times::{SPREAD, nearest_rank, whole_ms};

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::report::Report;
use crate::run::Run;

/// What to measure.
#[derive(Debug, Clone)]
pub struct PubsubOptions {
    /// Only this topic; without one, all.
    pub topic: Option<String>,
    /// A delivery that takes longer is too late. Nanoseconds.
    pub deadline_ns: i64,
    /// The least degree that a mesh should have.
    pub degree_low: u32,
    /// The greatest degree that a mesh should have.
    pub degree_high: u32,
    /// How many of the worst messages and of the worst routers are listed.
    pub worst: usize,
}

impl Default for PubsubOptions {
    fn default() -> Self {
        // Four seconds are the third of a slot of Ethereum, by whose end a block should be everywhere. The degrees are
        // those of gossipsub 1.0 as go-libp2p-pubsub and rust-libp2p set them.
        Self { topic: None, deadline_ns: 4_000_000_000, degree_low: 5, degree_high: 12, worst: 10 }
    }
}

/// What the tracers of a run's pubsub routers saw, measured.
#[derive(Debug, Clone)]
pub struct Pubsub {
    /// Who wrote a trace.
    pub routers: Vec<Router>,
    /// The topics, by number.
    pub topics: Vec<String>,
    /// The messages and their deliveries.
    pub messages: Messages,
    /// The meshes.
    pub mesh: Mesh,
    /// What RPCs held, for each router.
    pub sums: Vec<Sums>,
    /// Rows of all traces by the words for what they tell.
    pub rows: BTreeMap<String, u64>,
    /// Why messages were rejected, and how often.
    pub rejected: Vec<(String, u64)>,
    /// What tracers added up themselves: the total's name, how many added it up, and the sum.
    pub counted: Vec<(String, u64, u64)>,
    /// Instances of the run without a trace.
    pub silent: u64,
    /// First and last moment of the traces, nanoseconds since the epoch.
    pub span_ns: Option<(i64, i64)>,
    /// What was asked.
    pub options: PubsubOptions,
    /// The run, or the folder of its dataset.
    pub title: String,
}

impl Pubsub {
    /// Reads and measures the traces of a dataset.
    pub fn read(dataset: &Dataset, options: &PubsubOptions) -> Result<Self, AnalyzeError> {
        let counted = read::counted(dataset)?;
        let Some(trace) = read::trace(dataset, options.topic.as_deref())? else {
            let dir = dataset.dir().display();
            let more = if counted.is_empty() { "" } else { "; what tracers added up (`pubsub_counts`) has no times" };
            return Err(AnalyzeError::NoData(format!(
                "the run recorded no pubsub traces: `{dir}` has no table `pubsub_trace`{more}"
            )));
        };
        let subscribed = subscribed::subscriptions(&trace);
        let mesh = Mesh::measure(&trace, &subscribed, options);
        let messages = Messages::measure(&trace, &subscribed, &mesh, options.deadline_ns);
        let run = Run::read(dataset)?;
        let title = run.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id));
        Ok(Self {
            messages,
            mesh,
            span_ns: trace.span_ns(),
            routers: trace.routers,
            topics: trace.topics,
            sums: trace.sums,
            rows: trace.rows,
            rejected: trace.rejected,
            counted,
            silent: trace.silent,
            options: options.clone(),
            title,
        })
    }
}

/// What became of the messages of a run.
pub fn pubsub(dataset: &Dataset, options: &PubsubOptions) -> Result<Report, AnalyzeError> {
    Ok(report(&Pubsub::read(dataset, options)?))
}
