//! Tables as Parquet files.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
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
            run_column,
            open: None,
            parts: Vec::new(),
        }
    }

    /// Takes a batch of the shape's columns.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CollectError> {
        self.waiting_rows += batch.num_rows();
        self.waiting.push(batch);
        if self.waiting_rows >= BATCH_ROWS {
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
        self.waiting_rows = 0;
        let mut at = 0;
        while whole.num_rows() - at >= BATCH_ROWS || (all && at < whole.num_rows()) {
            let rows = BATCH_ROWS.min(whole.num_rows() - at);
            self.write(&whole.slice(at, rows))?;
            at += rows;
        }
        if at < whole.num_rows() {
            let rest = whole.slice(at, whole.num_rows() - at);
            self.waiting_rows = rest.num_rows();
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

/// Numbers that hardly repeat are not kept in dictionaries; times and positions are stored as differences.
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
        if column.kind == Kind::Time || column.name.ends_with("_ns") || steady {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        } else if matches!(column.kind, Kind::F64 | Kind::F32 | Kind::U64 | Kind::I64 | Kind::Kad) {
            builder = builder.set_column_dictionary_enabled(path, false);
        }
    }
    builder.build()
}
