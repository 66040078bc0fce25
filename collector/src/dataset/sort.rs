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
const BATCH_ROWS: usize = 1024;
/// A batch of a sorted run has fewer rows if they take more bytes than this. A merge holds a batch or two of each run, and
/// the keys of their rows.
const BATCH_BYTES: usize = 64 << 10;
/// So many runs of one level are merged to one of the next, so that a row is written once for each level and a merge reads
/// less than so many runs of each level.
const FAN_IN: usize = 24;

/// Takes batches in any order and gives their rows back sorted.
pub(crate) struct Sorter {
    scratch: Arc<Scratch>,
    keys: Vec<usize>,
    converter: RowConverter,
    waiting: Vec<RecordBatch>,
    bytes: usize,
    run_bytes: usize,
    /// In the order in which their rows came: the levels only fall.
    runs: Vec<(u32, Pile)>,
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
            run_bytes: RUN_BYTES,
            runs: Vec::new(),
            name: shape.name.clone(),
        })
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CollectError> {
        self.bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.bytes >= self.run_bytes {
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
        let runs: Vec<Pile> = std::mem::take(&mut self.runs).into_iter().map(|(_, run)| run).collect();
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
        let rows_at_once = (BATCH_BYTES / row_bytes(&batch)).clamp(1, BATCH_ROWS);
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = rows_at_once.min(batch.num_rows() - at);
            run.push(own(&batch.slice(at, rows), &self.name)?)?;
            at += rows;
        }
        self.runs.push((0, run.finish()?));
        while let Some(&(level, _)) = self.runs.last() {
            let same = self.runs.iter().rev().take_while(|(of, _)| *of == level).count();
            if same < FAN_IN {
                break;
            }
            let runs: Vec<Pile> = self.runs.drain(self.runs.len() - same..).map(|(_, run)| run).collect();
            let mut merged = PileWriter::new(&self.scratch);
            self.merge(&runs, &mut |batch| merged.push(batch))?;
            self.runs.push((level + 1, merged.finish()?));
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
            let mut cursor = Cursor { reader: run.read()?, batch: None, row: 0, row_bytes: 0 };
            if let Some(key) = cursor.advance(self)? {
                heap.push(Reverse((key, at)));
            }
            cursors.push(cursor);
        }
        // Batches that rows of the next output batch lie in; a cursor's current one is entered when first needed.
        let mut held: Vec<RecordBatch> = Vec::new();
        let mut entered: Vec<Option<usize>> = vec![None; runs.len()];
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(BATCH_ROWS);
        let mut bytes = 0;
        while let Some(Reverse((_, at))) = heap.pop() {
            let cursor = &mut cursors[at];
            let Some((batch, keys)) = &cursor.batch else { continue };
            // All rows of this run that come before the next one of any other.
            let mut row = cursor.row - 1;
            let end = heap.peek().and_then(|Reverse((next, of))| {
                (row + 1..batch.num_rows()).find(|&row| (keys.row(row), at) > (next.row(), *of))
            });
            let end = end.unwrap_or(batch.num_rows());
            while row < end {
                let slot = *entered[at].get_or_insert_with(|| {
                    held.push(batch.clone());
                    held.len() - 1
                });
                let room = (BATCH_BYTES.saturating_sub(bytes) / cursor.row_bytes).clamp(1, BATCH_ROWS - picks.len());
                let until = end.min(row + room);
                picks.extend((row..until).map(|row| (slot, row)));
                bytes += (until - row) * cursor.row_bytes;
                row = until;
                if picks.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
                    each(self.pick(&held, &picks)?)?;
                    bytes = 0;
                    picks.clear();
                    held.clear();
                    entered.fill(None);
                }
            }
            if end == batch.num_rows() {
                entered[at] = None;
            }
            cursor.row = end;
            if let Some(key) = cursor.advance(self)? {
                heap.push(Reverse((key, at)));
            }
        }
        if !picks.is_empty() {
            each(self.pick(&held, &picks)?)?;
        }
        Ok(())
    }

    fn pick(&self, held: &[RecordBatch], picks: &[(usize, usize)]) -> Result<RecordBatch, CollectError> {
        if let [only] = held
            && picks.len() == only.num_rows()
        {
            return Ok(only.clone());
        }
        let held: Vec<&RecordBatch> = held.iter().collect();
        interleave_record_batch(&held, picks).map_err(columns(&self.name))
    }
}

/// About how many bytes a row takes.
fn row_bytes(batch: &RecordBatch) -> usize {
    (batch.get_array_memory_size() / batch.num_rows().max(1)).max(1)
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
    /// About how many bytes a row of the batch takes.
    row_bytes: usize,
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
                    self.row_bytes = row_bytes(&batch);
                    self.batch = Some((batch, keys));
                    self.row = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::datatypes::UInt32Type;
    use tg_model::table::Kind;

    use super::super::columns::Named;
    use super::super::schema::ColumnShape;
    use super::*;

    /// Rows of 4 KiB, most of them out of order, many with equal keys: through all levels they come out in order, and
    /// equal ones in the order in which they came.
    #[test]
    fn more_rows_than_fit_come_out_in_order() {
        let column = |name: &str, kind| ColumnShape {
            name: name.to_owned(),
            kind,
            nullable: false,
            doc: String::new(),
            unit: None,
        };
        let columns = vec![column("key", Kind::U32), column("came", Kind::U32), column("text", Kind::Text)];
        let shape = Shape::new("t".to_owned(), String::new(), columns, Vec::new());
        let dir = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(dir.path().to_owned(), 1 << 20);
        let mut sorter = Sorter::new(&shape, &["key".to_owned()], &scratch).expect("a sorter");
        sorter.run_bytes = 1 << 20;
        let (batches, rows) = (80_u32, 150_u32);
        let mut came = 0_u32..;
        for batch in 0..batches {
            let keys = UInt32Array::from_iter_values((0..rows).map(|row| (row * 7919 + batch * 104_729) % 109));
            let came = UInt32Array::from_iter_values(came.by_ref().take(rows as usize));
            let text = StringArray::from_iter_values((0..rows).map(|_| "x".repeat(4 << 10)));
            let columns = vec![Arc::new(keys) as _, Arc::new(came) as _, Arc::new(text) as _];
            sorter.push(RecordBatch::try_new(shape.loose.clone(), columns).expect("a batch")).expect("it is taken");
        }
        assert!(sorter.runs.iter().any(|(level, _)| *level > 0), "{:?}", sorter.runs.len());
        let mut last = (0, 0);
        let mut count = 0;
        sorter
            .finish(&mut |batch| {
                assert!(batch.num_rows() <= 2 * BATCH_BYTES / (4 << 10), "{}", batch.num_rows());
                let named = Named::new(&shape, &batch);
                let (keys, came) = (named.numbers::<UInt32Type>("key")?, named.numbers::<UInt32Type>("came")?);
                for (key, came) in keys.values().iter().zip(came.values()) {
                    assert!(count == 0 || last < (*key, *came), "{last:?} before {key} {came}");
                    last = (*key, *came);
                    count += 1;
                }
                Ok(())
            })
            .expect("they come out");
        assert_eq!(count, batches * rows);
    }
}
