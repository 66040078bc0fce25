//! Rows in the order of their table, however many there are: sorted runs on disk, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, interleave_record_batch, take_record_batch};
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, RowConverter, Rows as KeyRows, SortField};

use super::schema::Shape;
use super::scratch::{Pile, PileReader, PileWriter, Scratch};
use crate::error::CollectError;

/// How many bytes of rows are sorted at once.
const RUN_BYTES: usize = 24 << 20;
/// How many rows a batch of a sorted run has.
const BATCH_ROWS: usize = 2048;
/// How many runs are merged at once.
const FAN_IN: usize = 24;

/// Takes batches in any order and gives their rows back sorted.
pub(crate) struct Sorter {
    scratch: Arc<Scratch>,
    keys: Vec<usize>,
    converter: RowConverter,
    waiting: Vec<RecordBatch>,
    bytes: usize,
    runs: Vec<Pile>,
    name: String,
}

impl Sorter {
    /// Sorts by these columns of the table, in order; the rows' own order breaks ties.
    pub(crate) fn new(shape: &Shape, keys: &[String], scratch: &Arc<Scratch>) -> Result<Self, CollectError> {
        let keys: Vec<usize> = keys.iter().filter_map(|key| shape.index(key)).collect();
        let fields = keys.iter().map(|&at| SortField::new(shape.loose.field(at).data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(columns(&shape.name))?;
        Ok(Self {
            scratch: scratch.clone(),
            keys,
            converter,
            waiting: Vec::new(),
            bytes: 0,
            runs: Vec::new(),
            name: shape.name.clone(),
        })
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CollectError> {
        self.bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.bytes >= RUN_BYTES {
            self.spill()?;
        }
        Ok(())
    }

    /// Gives every row to `each`, in order, in batches.
    pub(crate) fn finish(
        mut self,
        each: &mut dyn FnMut(RecordBatch) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        if self.runs.is_empty() {
            return match self.sorted()? {
                Some(batch) => each(batch),
                None => Ok(()),
            };
        }
        self.spill()?;
        let runs = std::mem::take(&mut self.runs);
        self.merge(&runs, each)
    }

    fn keys_of(&self, batch: &RecordBatch) -> Result<KeyRows, CollectError> {
        let keys: Vec<_> = self.keys.iter().map(|&at| batch.column(at).clone()).collect();
        self.converter.convert_columns(&keys).map_err(columns(&self.name))
    }

    fn sorted(&mut self) -> Result<Option<RecordBatch>, CollectError> {
        let Some(first) = self.waiting.first() else { return Ok(None) };
        let schema = first.schema();
        let batch = concat_batches(&schema, &std::mem::take(&mut self.waiting)).map_err(columns(&self.name))?;
        self.bytes = 0;
        let keys = self.keys_of(&batch)?;
        if (1..keys.num_rows()).all(|i| keys.row(i - 1) <= keys.row(i)) {
            return Ok(Some(batch));
        }
        let count = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|&a, &b| keys.row(a as usize).cmp(&keys.row(b as usize)));
        take_record_batch(&batch, &UInt32Array::from(order)).map(Some).map_err(columns(&self.name))
    }

    fn spill(&mut self) -> Result<(), CollectError> {
        let Some(batch) = self.sorted()? else { return Ok(()) };
        let mut run = PileWriter::new(&self.scratch);
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = BATCH_ROWS.min(batch.num_rows() - at);
            run.push(own(&batch.slice(at, rows), &self.name)?)?;
            at += rows;
        }
        self.runs.push(run.finish()?);
        if self.runs.len() >= FAN_IN {
            let runs = std::mem::take(&mut self.runs);
            let mut merged = PileWriter::new(&self.scratch);
            self.merge(&runs, &mut |batch| merged.push(batch))?;
            self.runs.push(merged.finish()?);
        }
        Ok(())
    }

    fn merge(
        &self,
        runs: &[Pile],
        each: &mut dyn FnMut(RecordBatch) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        let mut cursors = Vec::with_capacity(runs.len());
        let mut heap = BinaryHeap::new();
        for (at, run) in runs.iter().enumerate() {
            let mut cursor = Cursor { reader: run.read()?, batch: None, row: 0 };
            if let Some(key) = cursor.advance(self)? {
                heap.push(Reverse((key, at)));
            }
            cursors.push(cursor);
        }
        // Batches that rows of the next output batch lie in; a cursor's current one is entered when first needed.
        let mut held: Vec<RecordBatch> = Vec::new();
        let mut entered: Vec<Option<usize>> = vec![None; runs.len()];
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(BATCH_ROWS);
        while let Some(Reverse((_, at))) = heap.pop() {
            let cursor = &mut cursors[at];
            if let Some((batch, _)) = &cursor.batch {
                let slot = *entered[at].get_or_insert_with(|| {
                    held.push(batch.clone());
                    held.len() - 1
                });
                picks.push((slot, cursor.row - 1));
            }
            let last_of_batch = cursor.batch.as_ref().is_none_or(|(batch, _)| cursor.row >= batch.num_rows());
            if let Some(key) = cursor.advance(self)? {
                heap.push(Reverse((key, at)));
            }
            if last_of_batch {
                entered[at] = None;
            }
            if picks.len() == BATCH_ROWS {
                each(self.pick(&held, &picks)?)?;
                picks.clear();
                held.clear();
                entered.fill(None);
            }
        }
        if !picks.is_empty() {
            each(self.pick(&held, &picks)?)?;
        }
        Ok(())
    }

    fn pick(&self, held: &[RecordBatch], picks: &[(usize, usize)]) -> Result<RecordBatch, CollectError> {
        let held: Vec<&RecordBatch> = held.iter().collect();
        interleave_record_batch(&held, picks).map_err(columns(&self.name))
    }
}

/// A slice as a batch of its own, so that it does not keep the whole alive.
fn own(batch: &RecordBatch, name: &str) -> Result<RecordBatch, CollectError> {
    let count = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    take_record_batch(batch, &UInt32Array::from_iter_values(0..count)).map_err(columns(name))
}

fn columns(name: &str) -> impl FnOnce(arrow::error::ArrowError) -> CollectError + use<> {
    let what = format!("rows of table `{name}`");
    move |source| CollectError::Columns { what, source }
}

struct Cursor<'a> {
    reader: PileReader<'a>,
    batch: Option<(RecordBatch, KeyRows)>,
    /// The row after the current one.
    row: usize,
}

impl Cursor<'_> {
    /// Steps to the next row and gives its key.
    fn advance(&mut self, sorter: &Sorter) -> Result<Option<OwnedRow>, CollectError> {
        loop {
            if let Some((batch, keys)) = &self.batch
                && self.row < batch.num_rows()
            {
                self.row += 1;
                return Ok(Some(keys.row(self.row - 1).owned()));
            }
            match self.reader.next() {
                None => {
                    self.batch = None;
                    return Ok(None);
                }
                Some(batch) => {
                    let batch = batch?;
                    let keys = sorter.keys_of(&batch)?;
                    self.batch = Some((batch, keys));
                    self.row = 0;
                }
            }
        }
    }
}
