//! A dataset: a folder with a description and one folder of Parquet files for each table, on disk or in an object store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::{
    CloudScheme, DataFrame, DataType, Expr, LazyFrame, NULL, PlRefPath, PolarsError, PolarsResult, ScanArgsParquet,
    cloud::CloudOptions, len, lit,
};
use serde::Deserialize;
use tg_model::layout::DATASET_FILE;
use tg_model::run::Format;
use tg_model::table::{Column, DATASET_FORMAT, Kind, Table};

use crate::error::AnalyzeError;
use crate::frame;

/// A dataset that this build can read. Tables are read when they are asked for, and only the columns that are used.
#[derive(Debug, Clone)]
pub struct Dataset {
    dir: PathBuf,
    tg_version: Option<String>,
    /// Whether it was written before tables had all columns that they have now.
    is_older: bool,
    store: Option<Store>,
}

/// What is known of a dataset in an object store, where nothing is listed.
#[derive(Debug, Clone)]
struct Store {
    options: CloudOptions,
    /// The names of the files of each table.
    parts: BTreeMap<String, Vec<String>>,
}

/// How many rows are read at a time: as many as a row group has, so that each is read once.
const CHUNK_ROWS: u32 = 131_072;
/// The same where every reading is a request or more.
const STORE_CHUNK_ROWS: u32 = 4 * CHUNK_ROWS;

/// What a reader needs of the description before it reads anything else.
#[derive(Deserialize)]
struct Description {
    #[serde(default)]
    tg_version: Option<String>,
    #[serde(default)]
    tables: BTreeMap<String, DescribedTable>,
}

#[derive(Deserialize)]
struct DescribedTable {
    parts: Vec<DescribedPart>,
}

#[derive(Deserialize)]
struct DescribedPart {
    file: String,
}

/// The rows with the columns that the table got later: nothing is known of these.
fn filled(mut rows: LazyFrame, table: &Table) -> PolarsResult<LazyFrame> {
    let known = rows.collect_schema()?;
    let is_new = |column: &&Column| column.nullable && !known.contains(column.name);
    let nothing = |column: &Column| match column.kind {
        Kind::Bool => lit(NULL).cast(DataType::Boolean).alias(column.name),
        Kind::Text => lit(NULL).cast(DataType::String).alias(column.name),
        _ => lit(NULL).cast(DataType::Int64).alias(column.name),
    };
    let new: Vec<Expr> = table.columns.iter().filter(is_new).map(nothing).collect();
    Ok(if new.is_empty() { rows } else { rows.with_columns(new) })
}

impl Description {
    /// Reads it, and refuses a format that this build does not read.
    /// Gives whether the format is an older one, too.
    fn read(text: &[u8], dir: &Path) -> Result<(Self, bool), AnalyzeError> {
        let path = || dir.join(DATASET_FILE);
        // The format before anything else: the rest may be of another shape.
        #[derive(Deserialize)]
        struct Head {
            format: Format,
        }
        let wrong = |source| AnalyzeError::Description { path: path(), source };
        let head: Head = serde_json::from_slice(text).map_err(wrong)?;
        if !DATASET_FORMAT.reads(head.format) {
            return Err(AnalyzeError::Format { dir: dir.to_owned(), found: head.format });
        }
        let description = serde_json::from_slice(text).map_err(wrong)?;
        Ok((description, head.format.minor < DATASET_FORMAT.minor))
    }
}

impl Dataset {
    /// Opens the dataset in a folder, and checks first that its format is one that this build reads.
    pub fn open(dir: &Path) -> Result<Self, AnalyzeError> {
        let path = dir.join(DATASET_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(AnalyzeError::NoDataset { dir: dir.to_owned() });
            }
            Err(source) => return Err(AnalyzeError::File { path, source }),
        };
        let (description, is_older) = Description::read(&text, dir)?;
        Ok(Self { dir: dir.to_owned(), tg_version: description.tg_version, is_older, store: None })
    }

    /// A dataset in an object store, where its tables are read in place: only the columns that are asked for, and of
    /// those the row groups that can matter. Nothing is read yet.
    ///
    /// `url` is its folder, `s3://BUCKET/…`, `description` the content of its `_dataset.json`, and `options` say how the
    /// store is reached, by the names that the crate `object_store` has for them, such as `aws_endpoint`.
    pub fn in_store(url: &str, description: &[u8], options: &[(String, String)]) -> Result<Self, AnalyzeError> {
        let dir = PathBuf::from(url);
        let (description, is_older) = Description::read(description, &dir)?;
        let names = |table: DescribedTable| table.parts.into_iter().map(|part| part.file).collect();
        let parts = description.tables.into_iter().map(|(name, table)| (name, names(table))).collect();
        let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let options = CloudOptions::from_untyped_config(Some(CloudScheme::S3), options)
            .map_err(|source| AnalyzeError::Store { url: url.to_owned(), source })?;
        Ok(Self { dir, tg_version: description.tg_version, is_older, store: Some(Store { options, parts }) })
    }

    /// The dataset's folder, or the address that stands for it in an object store.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it lies in an object store.
    pub(crate) fn is_stored(&self) -> bool {
        self.store.is_some()
    }

    /// The tg that made the dataset, if its description says so.
    pub(crate) fn tg_version(&self) -> Option<&str> {
        self.tg_version.as_deref()
    }

    /// Whether the dataset has the table.
    pub fn has(&self, table: &Table) -> Result<bool, AnalyzeError> {
        Ok(!self.parts(table)?.is_empty())
    }

    /// A table, nothing read of it yet. A table that the run has no data for is absent, which is not an empty table.
    pub(crate) fn scan(&self, table: &Table) -> Result<Option<LazyFrame>, AnalyzeError> {
        let parts = self.parts(table)?;
        if parts.is_empty() {
            return Ok(None);
        }
        self.scan_files(table, &parts).map(Some).map_err(|source| self.unreadable(table, source))
    }

    fn scan_files(&self, table: &Table, files: &[PathBuf]) -> PolarsResult<LazyFrame> {
        // A path with an asterisk in it is a path, not a pattern: run ids may not hold one, but homes may.
        let cloud_options = self.store.as_ref().map(|store| store.options.clone());
        let args = ScanArgsParquet { glob: false, cloud_options, ..ScanArgsParquet::default() };
        let paths: Vec<PlRefPath> =
            files.iter().map(|path| PlRefPath::try_from_path(path)).collect::<PolarsResult<_>>()?;
        let rows = LazyFrame::scan_parquet_files(paths.into(), args)?;
        if self.is_older { filled(rows, table) } else { Ok(rows) }
    }

    /// A table in pieces, in the order of its rows, nothing read of them yet but how many rows the files have.
    pub(crate) fn chunks(&self, table: &Table) -> Result<Vec<LazyFrame>, AnalyzeError> {
        let rows = if self.store.is_some() { STORE_CHUNK_ROWS } else { CHUNK_ROWS };
        let pieces = |file: PathBuf| -> PolarsResult<Vec<LazyFrame>> {
            let scan = self.scan_files(table, &[file])?;
            let counted = scan.clone().select([len().alias("rows")]).collect()?;
            let all = frame::counts(&counted, "rows")?.into_iter().flatten().next().unwrap_or(0);
            let all = i64::try_from(all).unwrap_or(i64::MAX);
            let step = usize::try_from(rows).unwrap_or(usize::MAX);
            Ok((0..all).step_by(step).map(|from| scan.clone().slice(from, rows)).collect())
        };
        let mut all = Vec::new();
        for file in self.parts(table)? {
            all.extend(pieces(file).map_err(|source| self.unreadable(table, source))?);
        }
        Ok(all)
    }

    /// Reads what a plan over the table asks for.
    pub(crate) fn collect(&self, table: &Table, plan: LazyFrame) -> Result<DataFrame, AnalyzeError> {
        plan.collect().map_err(|source| self.unreadable(table, source))
    }

    /// The error for a table that is not as its format says.
    pub(crate) fn unreadable(&self, table: &Table, source: PolarsError) -> AnalyzeError {
        AnalyzeError::Table { table: table.name.to_owned(), dir: self.dir.clone(), source }
    }

    /// The files of a table, in order.
    fn parts(&self, table: &Table) -> Result<Vec<PathBuf>, AnalyzeError> {
        let dir = self.dir.join(table.name);
        if let Some(store) = &self.store {
            let names = store.parts.get(table.name).map(Vec::as_slice).unwrap_or_default();
            return Ok(names.iter().map(|name| dir.join(name)).collect());
        }
        let failed = |source| AnalyzeError::File { path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut parts = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "parquet") {
                parts.push(path);
            }
        }
        parts.sort();
        Ok(parts)
    }
}
