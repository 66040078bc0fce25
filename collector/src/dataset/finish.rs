//! From the rows of all parts to the tables on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::Array as _;
use arrow::datatypes::{UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde_json::json;
use tg_model::RunId;
use tg_model::layout::DATASET_FILE;
use tg_model::table::{CONNECTIONS, DATASET_FORMAT, FAULTS, PEERS, QUERIES, QUERY_EVENTS, RUNS};
use tokio_util::sync::CancellationToken;

use super::columns::{Named, globalize, prefixes, text};
use super::connections::Joiner;
use super::instances::{self, Instances};
use super::own::Keys;
use super::own_rows::OwnPile;
use super::peers::Peers;
use super::queries::Queries;
use super::rows::Rows;
use super::schema::Shape;
use super::scratch::Scratch;
use super::segment::{Part, Shapes, T};
use super::sort::Sorter;
use super::write::{Part as File, TableWriter};
use crate::collect::{Phase, Progress, Watch};
use crate::error::CollectError;
use crate::rules::Rules;

/// What a dataset holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) tables: BTreeMap<String, Vec<File>>,
    pub(crate) notes: BTreeMap<String, u64>,
    /// Where the first note of each reason is.
    pub(crate) first_notes: BTreeMap<String, String>,
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

/// The rows so far as a batch.
pub(crate) fn batch(rows: &mut Rows) -> Result<RecordBatch, CollectError> {
    rows.take().map_err(|source| CollectError::Columns { what: "rows of a table".to_owned(), source })
}

struct Finish<'a> {
    dir: &'a Path,
    run: &'a RunId,
    shapes: &'a Shapes,
    scratch: &'a Arc<Scratch>,
    parts: Vec<Part>,
    instances: &'a Instances,
    peers: Peers,
    start: Option<i64>,
    written: Written,
    rules: Option<&'a Rules>,
    cancel: &'a CancellationToken,
}

/// Writes every table and the dataset's description below `dir`.
#[expect(clippy::too_many_arguments, reason = "all that was read, and where it goes")]
pub(crate) fn write(
    dir: &Path,
    run: &RunId,
    shapes: &Shapes,
    scratch: &Arc<Scratch>,
    mut parts: Vec<Part>,
    instances: &Instances,
    rules: Option<&Rules>,
    watch: Watch<'_>,
) -> Result<Written, CollectError> {
    let table = TableWriter::new(dir, run.as_str(), &Shape::of(&PEERS));
    let (peers, table) = Peers::number(&mut parts, instances, scratch, table)?;
    let start = instances.start();
    let Watch { progress, cancel } = watch;
    let written = Written::default();
    let mut finish = Finish { dir, run, shapes, scratch, parts, instances, peers, start, written, rules, cancel };

    let mut rows = Rows::new(instances::shape());
    let outcomes = instances.fill(&mut rows, &finish.peers);
    for outcome in &outcomes {
        *finish.written.outcomes.entry(outcome.as_str()).or_default() += 1;
    }
    if instances.len() > 0 {
        finish.small(&instances::shape(), &mut rows)?;
    }
    let shape = Shape::of(&RUNS);
    let mut rows = Rows::new(shape.clone());
    instances.fill_run(&mut rows, &outcomes);
    finish.small(&shape, &mut rows)?;
    let shape = Shape::of(&FAULTS);
    let mut rows = Rows::new(shape.clone());
    if instances.fill_faults(&mut rows) {
        finish.small(&shape, &mut rows)?;
    }
    finish.close(PEERS.name, table)?;

    for (done, t) in (0_u64..).zip(T::ALL) {
        progress(Progress { files: done, of_files: T::ALL.len() as u64, ..Progress::begin(Phase::Tables) });
        match t {
            T::Steps => finish.lookups()?,
            T::ConnEvents => finish.connections()?,
            _ => finish.plain(t)?,
        }
    }
    finish.own()?;
    finish.describe()?;
    Ok(finish.written)
}

impl Finish<'_> {
    fn table(&self, shape: &Shape) -> TableWriter {
        TableWriter::new(self.dir, self.run.as_str(), shape)
    }

    fn close(&mut self, name: &str, table: TableWriter) -> Result<(), CollectError> {
        let files = table.finish()?;
        if !files.is_empty() {
            self.written.tables.insert(name.to_owned(), files);
        }
        Ok(())
    }

    fn small(&mut self, shape: &Shape, rows: &mut Rows) -> Result<(), CollectError> {
        let mut table = self.table(shape);
        table.push(batch(rows)?)?;
        self.close(&shape.name, table)
    }

    /// Gives the rows of a table, part by part, with the run's own numbers for peers. The parts' rows are dropped.
    fn each(
        &mut self,
        t: T,
        each: &mut dyn FnMut(&mut Written, RecordBatch) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        for (number, part) in self.parts.iter_mut().enumerate() {
            let Some(pile) = part.tables[t as usize].take() else { continue };
            let map = self.peers.map(number)?;
            for batch in pile.read()? {
                if self.cancel.is_cancelled() {
                    return Err(CollectError::Cancelled);
                }
                let mut batch = globalize(self.shapes.of(t), &batch?, &map, self.start)?;
                if t == T::RoutingTable {
                    batch = prefixes(self.shapes.of(t), &batch, &self.peers.places)?;
                }
                each(&mut self.written, batch)?;
            }
        }
        self.peers.places.check()
    }

    fn plain(&mut self, t: T) -> Result<(), CollectError> {
        let shape = self.shapes.of(t).clone();
        let mut table = self.table(&shape);
        // Instances were read by number, their files by name, and these by line.
        let natural = ["instance", "file_id", "line"];
        let sorted = shape.sort.iter().zip(natural).take_while(|(a, b)| a == b).count() == natural.len()
            || shape.sort[..] == ["file_id".to_owned(), "line".to_owned()];
        if sorted {
            self.each(t, &mut |_, batch| table.push(batch))?;
        } else {
            let mut sorter = Sorter::new(&shape, &shape.sort, self.scratch)?;
            self.each(t, &mut |written, batch| {
                count(t, &shape, written, &batch)?;
                sorter.push(batch)
            })?;
            sorter.finish(&mut |batch| table.push(batch))?;
        }
        self.close(&shape.name, table)
    }

    fn connections(&mut self) -> Result<(), CollectError> {
        let shape = self.shapes.of(T::ConnEvents).clone();
        let mut sorter = Sorter::new(&shape, &shape.sort, self.scratch)?;
        self.each(T::ConnEvents, &mut |_, batch| sorter.push(batch))?;
        let mut lines = self.table(&shape);
        let mut joined = self.table(&Shape::of(&CONNECTIONS));
        let mut joiner = Joiner::new(self.scratch)?;
        sorter.finish(&mut |batch| {
            joiner.push(&batch)?;
            lines.push(batch)
        })?;
        joiner.finish(&mut joined)?;
        self.close(&shape.name, lines)?;
        self.close(CONNECTIONS.name, joined)
    }

    fn lookups(&mut self) -> Result<(), CollectError> {
        let shape = self.shapes.of(T::Steps).clone();
        let mut sorter = Sorter::new(&shape, &shape.sort, self.scratch)?;
        self.each(T::Steps, &mut |_, batch| sorter.push(batch))?;
        let (queries, events) = (self.table(&Shape::of(&QUERIES)), self.table(&Shape::of(&QUERY_EVENTS)));
        let mut lookups = Queries::new(&self.peers, self.instances, queries, events);
        sorter.finish(&mut |batch| lookups.push(&batch))?;
        let (queries, events) = lookups.finish()?;
        self.peers.places.check()?;
        self.close(QUERIES.name, queries)?;
        self.close(QUERY_EVENTS.name, events)
    }

    fn own(&mut self) -> Result<(), CollectError> {
        let names: BTreeSet<String> = self.parts.iter().flat_map(|part| part.own.keys().cloned()).collect();
        for name in names {
            let piles: Vec<OwnPile> = self.parts.iter_mut().filter_map(|part| part.own.remove(&name)).collect();
            let mut keys = Keys::new(self.rules.and_then(|rules| rules.declared(&name)));
            for pile in &piles {
                keys.merge(&pile.keys);
            }
            let filler = keys.filler(&name);
            let mut table = self.table(&filler.shape);
            for (layout, pile) in piles.iter().flat_map(|piles| &piles.piles) {
                for batch in pile.read()? {
                    if self.cancel.is_cancelled() {
                        return Err(CollectError::Cancelled);
                    }
                    table.push(filler.fill(layout, &batch?)?)?;
                }
            }
            self.close(&filler.shape.name, table)?;
        }
        Ok(())
    }

    /// Writes `_dataset.json`: all of it follows from the archive.
    fn describe(&self) -> Result<(), CollectError> {
        #[derive(Serialize)]
        struct Table<'a> {
            rows: u64,
            parts: &'a [File],
        }
        let tables: BTreeMap<&str, Table<'_>> = self
            .written
            .tables
            .iter()
            .map(|(name, parts)| (name.as_str(), Table { rows: parts.iter().map(|p| p.rows).sum(), parts }))
            .collect();
        let text = json!({
            "format": DATASET_FORMAT,
            "tg_version": env!("CARGO_PKG_VERSION"),
            "run": self.run,
            "made_from": "outputs.zip",
            "files": self.written.files,
            "bytes": self.written.bytes,
            "lines": self.written.lines,
            "outcomes": self.written.outcomes,
            "notes": self.written.notes,
            "tables": tables,
        });
        let path = self.dir.join(DATASET_FILE);
        let failed = |source| CollectError::Write { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(&text).map_err(|error| failed(error.into()))?;
        fs::write(&path, text).map_err(failed)
    }
}

fn count(t: T, shape: &Shape, written: &mut Written, batch: &RecordBatch) -> Result<(), CollectError> {
    let named = Named::new(shape, batch);
    match t {
        T::Notes => {
            let reasons = named.text("reason")?;
            let (paths, lines) = (named.text("path")?, named.numbers::<UInt32Type>("line")?);
            for row in 0..batch.num_rows() {
                let reason = text(reasons, row).unwrap_or_default();
                *written.notes.entry(reason.to_owned()).or_default() += 1;
                let line = lines.is_valid(row).then(|| lines.value(row)).filter(|&line| line > 0);
                if let Some(path) = text(paths, row).filter(|path| !path.is_empty())
                    && !written.first_notes.contains_key(reason)
                {
                    let place = line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
                    written.first_notes.insert(reason.to_owned(), place);
                }
            }
        }
        T::Files => {
            written.files += batch.num_rows() as u64;
            let sum = |name| Ok::<u64, CollectError>(named.numbers::<UInt64Type>(name)?.iter().flatten().sum());
            written.bytes += sum("size_bytes")?;
            written.lines += sum("lines")?;
        }
        _ => {}
    }
    Ok(())
}
