//! Tables as Parquet files.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use tg_model::table::{DATASET_FORMAT, Kind};

use super::schema::Shape;
use crate::error::CollectError;

/// Rows of a row group: enough to read a column well, few enough to skip by.
const GROUP_ROWS: usize = 131_072;
/// Rows that go to the writer at once, always from a multiple of it, so that pages never depend on how rows came.
const BATCH_ROWS: usize = 8192;
/// Fewer rows go at once if their texts and lists take more bytes than this.
const BATCH_BYTES: usize = 4 << 20;
/// A row group that takes more bytes than this ends before it has all its rows.
const GROUP_BYTES: usize = 64 << 20;
/// A part that is larger ends with its row group.
const PART_BYTES: usize = 256 << 20;

/// A written file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its name in the table's folder.
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Writes one table.
pub(crate) struct TableWriter {
    dir: PathBuf,
    run: String,
    name: String,
    schema: SchemaRef,
    properties: WriterPropertiesPtr,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    run_column: ArrayRef,
    open: Option<(PathBuf, ArrowWriter<BufWriter<File>>, u64)>,
    parts: Vec<Part>,
}

impl TableWriter {
    /// The table's files go into `dir/<name>`, which is made when there is a first row.
    pub(crate) fn new(dir: &Path, run: &str, shape: &Shape) -> Self {
        let run_column: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, BATCH_ROWS)));
        Self {
            dir: dir.join(&shape.name),
            run: run.to_owned(),
            name: shape.name.clone(),
            schema: shape.stored(),
            properties: Arc::new(properties(shape)),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            run_column,
            open: None,
            parts: Vec::new(),
        }
    }

    /// Takes a batch of the shape's columns.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CollectError> {
        self.waiting_rows += batch.num_rows();
        self.waiting_bytes += weigh(&batch, 0, batch.num_rows());
        self.waiting.push(batch);
        if self.waiting_rows >= BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES {
            self.flush(false)?;
        }
        Ok(())
    }

    /// Ends the last part. Without a row there are no parts, and no folder.
    pub(crate) fn finish(mut self) -> Result<Vec<Part>, CollectError> {
        self.flush(true)?;
        self.close()?;
        Ok(self.parts)
    }

    fn flush(&mut self, all: bool) -> Result<(), CollectError> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let schema = first.schema();
        let whole = concat_batches(&schema, &std::mem::take(&mut self.waiting))
            .map_err(|source| CollectError::Columns { what: format!("rows of table `{}`", self.name), source })?;
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let mut at = 0;
        while at < whole.num_rows() {
            let end = cut(&whole, at);
            let end = match end {
                Some(end) => end,
                None if all => whole.num_rows(),
                None => break,
            };
            self.write(&whole.slice(at, end - at))?;
            at = end;
        }
        if at < whole.num_rows() {
            let rest = whole.slice(at, whole.num_rows() - at);
            self.waiting_rows = rest.num_rows();
            self.waiting_bytes = weigh(&rest, 0, rest.num_rows());
            self.waiting.push(rest);
        }
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), CollectError> {
        let mut columns = vec![self.run_column.slice(0, batch.num_rows())];
        columns.extend(batch.columns().iter().cloned());
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|source| CollectError::Columns { what: format!("rows of table `{}`", self.name), source })?;
        if self.open.is_none() {
            fs::create_dir_all(&self.dir).map_err(|source| CollectError::Write { path: self.dir.clone(), source })?;
            let path = self.dir.join(format!("part-{:04}.parquet", self.parts.len()));
            let file = File::create(&path).map_err(|source| CollectError::Write { path: path.clone(), source })?;
            let writer =
                ArrowWriter::try_new(BufWriter::new(file), self.schema.clone(), Some(self.properties.as_ref().clone()))
                    .map_err(|source| CollectError::Table { path: path.clone(), source })?;
            self.open = Some((path, writer, 0));
        }
        let Some((path, writer, rows)) = &mut self.open else { return Ok(()) };
        writer.write(&batch).map_err(|source| CollectError::Table { path: path.clone(), source })?;
        *rows += batch.num_rows() as u64;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush().map_err(|source| CollectError::Table { path: path.clone(), source })?;
        }
        if writer.in_progress_rows() == 0 && writer.bytes_written() >= PART_BYTES {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), CollectError> {
        let Some((path, writer, rows)) = self.open.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(|source| CollectError::Table { path: path.clone(), source })?;
        let write_failed = |source| CollectError::Write { path: path.clone(), source };
        let file = file.into_inner().map_err(|error| write_failed(error.into_error()))?;
        file.sync_all().map_err(write_failed)?;
        let bytes = file.metadata().map_err(write_failed)?.len();
        let name = format!("part-{:04}.parquet", self.parts.len());
        self.parts.push(Part { file: name, rows, bytes });
        Ok(())
    }
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("run", &self.run).field("table", &self.name).finish_non_exhaustive()
    }
}

/// Where the batch that begins with the row at `from` ends, if it is there as a whole. It depends on the rows alone, not
/// on how they came.
fn cut(rows: &RecordBatch, from: usize) -> Option<usize> {
    let most = rows.num_rows().min(from + BATCH_ROWS);
    if weigh(rows, from, most) < BATCH_BYTES {
        return (most == from + BATCH_ROWS).then_some(most);
    }
    // The first end at which it weighs enough.
    let (mut below, mut enough) = (from, most);
    while below + 1 < enough {
        let middle = usize::midpoint(below, enough);
        if weigh(rows, from, middle) < BATCH_BYTES {
            below = middle;
        } else {
            enough = middle;
        }
    }
    Some(enough)
}

/// How many bytes the texts and lists of some rows take.
fn weigh(rows: &RecordBatch, from: usize, to: usize) -> usize {
    rows.columns().iter().map(|column| weigh_column(column, from, to)).sum()
}

fn weigh_column(column: &ArrayRef, from: usize, to: usize) -> usize {
    let span = |offsets: &[i32]| usize::try_from(offsets[to] - offsets[from]).unwrap_or(0);
    if let Some(text) = column.as_string_opt::<i32>() {
        span(text.value_offsets())
    } else if let Some(bytes) = column.as_binary_opt::<i32>() {
        span(bytes.value_offsets())
    } else if let Some(list) = column.as_list_opt::<i32>() {
        4 * span(list.value_offsets())
    } else if let Some(map) = column.as_map_opt() {
        let offsets = map.value_offsets();
        let at = |row: usize| usize::try_from(offsets[row]).unwrap_or(0);
        weigh_column(map.keys(), at(from), at(to)) + weigh_column(map.values(), at(from), at(to))
    } else {
        0
    }
}

/// Numbers that hardly repeat are not kept in dictionaries: whole ones are stored as differences, others byte by byte.
/// Both leave less for zstd to look at.
fn properties(shape: &Shape) -> WriterProperties {
    let about: std::collections::BTreeMap<&str, &str> =
        shape.columns.iter().map(|c| (c.name.as_str(), c.doc.as_str())).collect();
    let metadata = [
        ("tg.format", format!("{}.{}", DATASET_FORMAT.major, DATASET_FORMAT.minor)),
        ("tg.table", shape.name.clone()),
        ("tg.doc", shape.doc.clone()),
        ("tg.columns", serde_json::to_string(&about).unwrap_or_default()),
    ];
    let sorting = shape.sort.iter().filter_map(|key| shape.index(key)).filter_map(|at| {
        // `run_id` stands before the shape's columns. Nested columns are never sorted by, and come last if at all
        // before a key: their leaves would shift the count.
        let leaves =
            shape.columns[..at].iter().map(|c| if matches!(c.kind, Kind::TextMap | Kind::I64Map) { 2 } else { 1 });
        let index = i32::try_from(1 + leaves.sum::<usize>()).ok()?;
        Some(SortingColumn { column_idx: index, descending: false, nulls_first: true })
    });
    let mut builder = WriterProperties::builder()
        .set_created_by("tg".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting.collect()))
        .set_key_value_metadata(Some(
            metadata.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect(),
        ));
    for column in &shape.columns {
        let path = ColumnPath::from(column.name.as_str());
        let steady = matches!(column.name.as_str(), "file_id" | "line" | "instance" | "query_id" | "seq" | "of_line");
        let wide = matches!(column.kind, Kind::U64 | Kind::I64);
        if column.kind == Kind::Time || column.name.ends_with("_ns") || steady || wide {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        } else if matches!(column.kind, Kind::F64 | Kind::F32) {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT);
        } else if matches!(column.kind, Kind::Kad) {
            builder = builder.set_column_dictionary_enabled(path, false);
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use arrow::array::UInt32Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn rows(sizes: &[usize]) -> RecordBatch {
        let text: StringArray = sizes.iter().map(|&size| Some("x".repeat(size))).collect();
        let count = u32::try_from(sizes.len()).expect("few");
        let fields = vec![Field::new("n", DataType::UInt32, false), Field::new("text", DataType::Utf8, false)];
        let columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from_iter_values(0..count)), Arc::new(text)];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
    }

    fn cuts(batch: &RecordBatch) -> Vec<usize> {
        std::iter::successors(cut(batch, 0), |&at| if at < batch.num_rows() { cut(batch, at) } else { None }).collect()
    }

    #[test]
    fn batches_end_by_rows_or_by_bytes_and_not_by_how_rows_came() {
        let small = rows(&vec![10; 2 * BATCH_ROWS + 5]);
        assert_eq!(cuts(&small), [BATCH_ROWS, 2 * BATCH_ROWS]);
        let large = rows(&[BATCH_BYTES / 2, BATCH_BYTES / 2, 1, BATCH_BYTES * 3, 7, BATCH_BYTES - 8, 1, 2]);
        assert_eq!(cuts(&large), [2, 4, 7]);
        // A slice is weighed as what it shows.
        assert_eq!(cut(&large.slice(2, 6), 0), Some(2));
        assert_eq!(weigh(&large.slice(4, 1), 0, 1), 7);
    }
}
