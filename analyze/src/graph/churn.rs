//! How long edges lasted in a run: the section of the report.

use std::collections::BTreeMap;

use polars::prelude::{DataType, PolarsResult, col};
use tg_model::table::CONNECTIONS;

use super::lifetime::{Lifetimes, Span, join_ends, unite};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Facts, Unit};
use crate::run::Run;

const MINUTE_NS: f64 = 60e9;

/// Connections as the dialler and the listener saw them, between two peers; where nobody knows who dialled, as the
/// lower and the higher one saw them.
type BySide = [Vec<Span>; 2];

/// Lifetimes of edges over the whole run: the unbroken times during which two peers were connected.
///
/// Nothing if there is no table of connections over time.
pub(super) fn lifetime_facts(dataset: &Dataset) -> Result<Option<Facts>, AnalyzeError> {
    let Some((by_arc, last)) = read(dataset)? else { return Ok(None) };
    let end = Run::read(dataset)?.and_then(|run| run.end_ns).or(last);
    let mut by_pair: BTreeMap<(u32, u32), Vec<Span>> = BTreeMap::new();
    for ((from, to, _), [one, other]) in by_arc {
        by_pair.entry((from.min(to), from.max(to))).or_default().extend(join_ends(one, other));
    }
    let pairs = by_pair.len();
    let spells: Vec<Vec<Span>> = by_pair.into_values().map(unite).collect();
    let again = spells.iter().filter(|spells| spells.len() > 1).count();
    let spells: Vec<Span> = spells.into_iter().flatten().collect();
    let unseen = spells.iter().filter(|spell| spell.open.is_none()).count();
    // Without an end nothing was open at it.
    let found = Lifetimes::of(&spells, end.unwrap_or(i64::MIN));
    let mut facts = Facts::new("lifetimes", "Edge lifetimes, undirected, over the whole run");
    facts.add_with("pairs", "edges", pairs, "pairs of nodes that were ever connected");
    facts.add_with("lifetimes", "lifetimes", spells.len(), "unbroken times, however many connections shared them");
    facts.add_with("pairs_again", "came again", again, "edges with more than one lifetime");
    facts.add("closed", "seen to end", found.ended());
    let open = found.count() - found.ended();
    facts.add_with("censored", "cut off", open, "still there at the end of the run; they may have lasted longer");
    facts.add_with("opening_unseen", "opening unseen", unseen, "in no figure below");
    let odd = spells.len() - unseen - found.count();
    facts.add_with("backwards", "ended before they began", odd, "by the clocks of the ends; in no figure below");
    for (key, title, share) in [("lifetime_p50_ns", "median", 0.5), ("lifetime_p95_ns", "p95", 0.95)] {
        let value = found.quantile_ns(share).map_or(Cell::Absent, |time| Cell::Number(time as f64, Unit::Nanos));
        facts.add_with(key, title, value, "by Kaplan and Meier; none where too many were cut off");
    }
    let minutes = found.total_ns() as f64 / MINUTE_NS;
    let churn = if minutes > 0.0 { Cell::number(found.ended() as f64 / minutes) } else { Cell::Absent };
    facts.add_with("churn_per_minute", "churn", churn, "ends for each minute that an edge was there");
    Ok(Some(facts))
}

type Read = (BTreeMap<(u32, u32, bool), BySide>, Option<i64>);

/// Connections by dialler, listener and whether those are known; and the last moment of any.
fn read(dataset: &Dataset) -> Result<Option<Read>, AnalyzeError> {
    let table = &CONNECTIONS;
    let Some(scan) = dataset.scan(table)? else { return Ok(None) };
    let ns = |name: &str| col(name).cast(DataType::Int64);
    let columns = [col("local_idx"), col("remote_idx"), col("direction"), ns("open_ts"), ns("close_ts")];
    let rows = dataset.collect(table, scan.select(columns))?;
    let read = || -> PolarsResult<Read> {
        let (locals, remotes) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "remote_idx")?);
        let directions = frame::counts(&rows, "direction")?;
        let (opens, closes) = (frame::ints(&rows, "open_ts")?, frame::ints(&rows, "close_ts")?);
        let mut by_arc: BTreeMap<(u32, u32, bool), BySide> = BTreeMap::new();
        for at in 0..rows.height() {
            let (Some(local), Some(remote)) = (locals[at], remotes[at]) else { continue };
            if local == remote {
                continue;
            }
            let (key, side) = match directions[at] {
                Some(2) => ((local, remote, true), 0),
                Some(1) => ((remote, local, true), 1),
                _ => ((local.min(remote), local.max(remote), false), usize::from(local > remote)),
            };
            by_arc.entry(key).or_default()[side].push(Span { open: opens[at], close: closes[at] });
        }
        let last = opens.iter().chain(&closes).flatten().max().copied();
        Ok((by_arc, last))
    };
    read().map(Some).map_err(|source| dataset.unreadable(table, source))
}
