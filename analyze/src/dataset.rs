//! A dataset on disk: a folder with a description and one folder of Parquet files for each table.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, LazyFrame, PlRefPath, PolarsError, PolarsResult, ScanArgsParquet};
use serde::Deserialize;
use tg_model::layout::DATASET_FILE;
use tg_model::run::Format;
use tg_model::table::{DATASET_FORMAT, Table};

use crate::error::AnalyzeError;

/// A dataset that this build can read. Tables are read when they are asked for, and only the columns that are used.
#[derive(Debug, Clone)]
pub struct Dataset {
    dir: PathBuf,
    tg_version: Option<String>,
}

/// What a reader needs of the description before it reads anything else.
#[derive(Deserialize)]
struct Description {
    format: Format,
    #[serde(default)]
    tg_version: Option<String>,
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
        let description: Description =
            serde_json::from_slice(&text).map_err(|source| AnalyzeError::Description { path, source })?;
        if !DATASET_FORMAT.reads(description.format) {
            return Err(AnalyzeError::Format { dir: dir.to_owned(), found: description.format });
        }
        Ok(Self { dir: dir.to_owned(), tg_version: description.tg_version })
    }

    /// The dataset's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
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
        // A path with an asterisk in it is a path, not a pattern: run ids may not hold one, but homes may.
        let args = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
        let scan = || -> PolarsResult<LazyFrame> {
            let paths: Vec<PlRefPath> =
                parts.iter().map(|path| PlRefPath::try_from_path(path)).collect::<PolarsResult<_>>()?;
            LazyFrame::scan_parquet_files(paths.into(), args)
        };
        scan().map(Some).map_err(|source| self.unreadable(table, source))
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
