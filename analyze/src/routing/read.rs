//! The routing tables of a snapshot as the dataset has them.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::{DataType, Expr, LazyFrame, PolarsResult, col, lit};
use tg_model::table::{CONN_SNAPSHOTS, CONNECTIONS, ROUTING_TABLE, RT_DUMPS, Table};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;

/// The routing table of one peer in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Dump {
    /// When its last entry was written.
    pub(crate) ts: i64,
    /// Its entries, ascending, each once.
    pub(crate) entries: Vec<u32>,
}

/// The tables of a snapshot by their owners.
pub(crate) type Dumps = BTreeMap<u32, Dump>;

fn time(name: &str) -> Expr {
    col(name).cast(DataType::Int64)
}

/// The labels of all snapshots in the order of their last record.
pub(super) fn labels(dataset: &Dataset) -> Result<Vec<String>, AnalyzeError> {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for table in [&ROUTING_TABLE, &RT_DUMPS] {
        let Some(scan) = dataset.scan(table)? else { continue };
        let rows = dataset.collect(table, scan.group_by([col("snapshot")]).agg([time("ts").max().alias("last")]))?;
        let read = || Ok((frame::text(&rows, "snapshot")?, frame::ints(&rows, "last")?));
        let (labels, times) = read().map_err(|source| dataset.unreadable(table, source))?;
        for (label, ts) in labels.into_iter().zip(times) {
            let (Some(label), Some(ts)) = (label, ts) else { continue };
            let known = last.entry(label).or_insert(ts);
            *known = ts.max(*known);
        }
    }
    let mut labels: Vec<(i64, String)> = last.into_iter().map(|(label, ts)| (ts, label)).collect();
    labels.sort();
    Ok(labels.into_iter().map(|(_, label)| label).collect())
}

/// The tables of a snapshot.
///
/// A line that holds a whole table replaces what the same owner wrote before under the same label. Where entries were
/// written one to a line, nobody can tell one writing from the next: they count together, each once.
pub(crate) fn dumps(dataset: &Dataset, label: &str) -> Result<Dumps, AnalyzeError> {
    let whole = whole_lines(dataset, label)?;
    let mut dumps: Dumps = whole.iter().map(|(&owner, &(ts, ..))| (owner, Dump { ts, entries: Vec::new() })).collect();
    let table = &ROUTING_TABLE;
    let Some(scan) = dataset.scan(table)? else { return Ok(dumps) };
    let columns = [col("owner_idx"), col("entry_idx"), time("ts"), col("file_id"), col("line")];
    let rows = dataset.collect(table, of_label(scan, label).select(columns))?;
    let mut read = || -> PolarsResult<()> {
        let (owners, entries) = (frame::indices(&rows, "owner_idx")?, frame::indices(&rows, "entry_idx")?);
        let (times, files) = (frame::ints(&rows, "ts")?, frame::indices(&rows, "file_id")?);
        let lines = frame::indices(&rows, "line")?;
        for at in 0..rows.height() {
            let (Some(owner), Some(entry), Some(ts)) = (owners[at], entries[at], times[at]) else { continue };
            let line = (files[at].unwrap_or(0), lines[at].unwrap_or(0));
            if whole.get(&owner).is_some_and(|&(_, file, number)| (file, number) != line) {
                continue;
            }
            let dump = dumps.entry(owner).or_insert(Dump { ts, entries: Vec::new() });
            dump.ts = dump.ts.max(ts);
            dump.entries.push(entry);
        }
        Ok(())
    };
    read().map_err(|source| dataset.unreadable(table, source))?;
    for dump in dumps.values_mut() {
        dump.entries.sort_unstable();
        dump.entries.dedup();
    }
    Ok(dumps)
}

/// Of each owner the last line that held its whole table: when, file and line.
fn whole_lines(dataset: &Dataset, label: &str) -> Result<HashMap<u32, (i64, u32, u32)>, AnalyzeError> {
    let table = &RT_DUMPS;
    let Some(scan) = dataset.scan(table)? else { return Ok(HashMap::new()) };
    let columns = [col("owner_idx"), time("ts"), col("file_id"), col("line")];
    let rows = dataset.collect(table, of_label(scan, label).select(columns))?;
    let read = || -> PolarsResult<HashMap<u32, (i64, u32, u32)>> {
        let (owners, times) = (frame::indices(&rows, "owner_idx")?, frame::ints(&rows, "ts")?);
        let (files, lines) = (frame::indices(&rows, "file_id")?, frame::indices(&rows, "line")?);
        let mut last = HashMap::new();
        for at in 0..rows.height() {
            let (Some(owner), Some(ts)) = (owners[at], times[at]) else { continue };
            let line = (ts, files[at].unwrap_or(0), lines[at].unwrap_or(0));
            let known = last.entry(owner).or_insert(line);
            *known = line.max(*known);
        }
        Ok(last)
    };
    read().map_err(|source| dataset.unreadable(table, source))
}

fn of_label(scan: LazyFrame, label: &str) -> LazyFrame {
    scan.filter(col("snapshot").eq(lit(label)))
}

/// The pairs of peers that were connected in a snapshot, the lower number first, ascending: those of the snapshot of
/// connections with the same label, else those open at the moment. Nothing if the run recorded none.
pub(super) fn connected(
    dataset: &Dataset,
    label: &str,
    moment_ns: i64,
) -> Result<Option<Vec<(u32, u32)>>, AnalyzeError> {
    if let Some(scan) = dataset.scan(&CONN_SNAPSHOTS)? {
        let pairs = pairs(dataset, &CONN_SNAPSHOTS, of_label(scan, label), ["src_idx", "dst_idx"])?;
        if !pairs.is_empty() {
            return Ok(Some(pairs));
        }
    }
    let Some(scan) = dataset.scan(&CONNECTIONS)? else { return Ok(None) };
    let moment = || lit(moment_ns);
    let open = scan.filter(
        time("open_ts")
            .is_null()
            .or(time("open_ts").lt_eq(moment()))
            .and(time("close_ts").is_null().or(time("close_ts").gt(moment()))),
    );
    pairs(dataset, &CONNECTIONS, open, ["local_idx", "remote_idx"]).map(Some)
}

fn pairs(
    dataset: &Dataset,
    table: &Table,
    plan: LazyFrame,
    [one, other]: [&str; 2],
) -> Result<Vec<(u32, u32)>, AnalyzeError> {
    let rows = dataset.collect(table, plan.select([col(one), col(other)]))?;
    let read = || Ok((frame::indices(&rows, one)?, frame::indices(&rows, other)?));
    let (ones, others) = read().map_err(|source| dataset.unreadable(table, source))?;
    let both = ones.into_iter().zip(others).filter_map(|(a, b)| Some((a?, b?)));
    let mut pairs: Vec<(u32, u32)> = both.map(|(a, b)| (a.min(b), a.max(b))).filter(|(a, b)| a != b).collect();
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}
