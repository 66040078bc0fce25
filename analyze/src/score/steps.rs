//! The steps of lookups as the dataset holds them.

use polars::prelude::{DataType, Expr, IntoLazy, LazyFrame, PolarsResult, col, lit};
use tg_model::table::QUERY_EVENTS;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The lookup began.
    Start,
    /// A peer is dialled.
    Dial,
    /// It could not be.
    DialError,
    /// A request went out.
    Send,
    /// An answer came in.
    Receive,
    /// A request failed.
    Error,
    /// A peer came under consideration.
    Adding,
    /// Something that was looked for.
    Result,
    /// The lookup ended.
    Terminate,
    /// A step that only some formats have; it counts nowhere.
    Other,
}

impl StepKind {
    fn of(word: &str) -> Self {
        match word {
            "start" => Self::Start,
            "dial" => Self::Dial,
            "dial_error" => Self::DialError,
            "send" => Self::Send,
            "receive" => Self::Receive,
            "error" => Self::Error,
            "adding" => Self::Adding,
            "result" => Self::Result,
            "terminate" => Self::Terminate,
            _ => Self::Other,
        }
    }
}

/// One step of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The lookup.
    pub query: u64,
    /// When, in nanoseconds since the epoch.
    pub ts: i64,
    /// What happened.
    pub kind: StepKind,
    /// To whom.
    pub peer: Option<u32>,
    /// Who told us of the peer.
    pub source: Option<u32>,
    /// The peers in an answer or a result.
    pub closer: Vec<u32>,
    /// From the request to the answer.
    pub rtt_ns: Option<i64>,
    /// The error's text.
    pub error: Option<String>,
}

/// How many lookups' steps are in memory at once.
const AT_ONCE: u64 = 1 << 16;

/// Gives the steps of every lookup up to the last number, in their order, to `each`; lookups without steps are left
/// out. A part of them is in memory at a time.
pub(crate) fn each_lookup(dataset: &Dataset, last: u64, mut each: impl FnMut(&[Step])) -> Result<(), AnalyzeError> {
    let mut low = 0;
    while low <= last {
        let high = low.saturating_add(AT_ONCE);
        let id = || col("query_id");
        let steps = read(dataset, id().gt_eq(lit(low)).and(id().lt(lit(high))))?;
        for lookup in steps.chunk_by(|one, other| one.query == other.query) {
            each(lookup);
        }
        low = high;
    }
    Ok(())
}

/// The steps of one lookup, in their order.
pub(crate) fn of_lookup(dataset: &Dataset, query: u64) -> Result<Vec<Step>, AnalyzeError> {
    read(dataset, col("query_id").eq(lit(query)))
}

fn read(dataset: &Dataset, wanted: Expr) -> Result<Vec<Step>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERY_EVENTS)? else { return Ok(Vec::new()) };
    let columns = ["query_id", "seq", "kind", "peer_idx", "source_idx", "closer_idx", "rtt_ns", "error"].map(col);
    let time = col("ts").cast(DataType::Int64);
    let plan: LazyFrame = scan.filter(wanted).select(columns.into_iter().chain([time]).collect::<Vec<_>>());
    let rows = dataset.collect(&QUERY_EVENTS, plan)?;
    let sorted = rows.lazy().sort(["query_id", "seq"], polars::prelude::SortMultipleOptions::default());
    let rows = dataset.collect(&QUERY_EVENTS, sorted)?;
    let read = || -> PolarsResult<Vec<Step>> {
        let (queries, times) = (frame::counts(&rows, "query_id")?, frame::ints(&rows, "ts")?);
        let (kinds, mut errors) = (frame::text(&rows, "kind")?, frame::text(&rows, "error")?);
        let (peers, sources) = (frame::indices(&rows, "peer_idx")?, frame::indices(&rows, "source_idx")?);
        let (mut closer, rtts) = (frame::lists(&rows, "closer_idx")?, frame::ints(&rows, "rtt_ns")?);
        let steps = (0..rows.height()).filter_map(|at| {
            Some(Step {
                query: queries[at]?,
                ts: times[at]?,
                kind: StepKind::of(kinds[at].as_deref()?),
                peer: peers[at],
                source: sources[at],
                closer: closer[at].take().unwrap_or_default(),
                rtt_ns: rtts[at],
                error: errors[at].take(),
            })
        });
        Ok(steps.collect())
    };
    read().map_err(|source| dataset.unreadable(&QUERY_EVENTS, source))
}
