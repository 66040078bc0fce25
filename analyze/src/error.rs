//! What can go wrong between a dataset and an answer.

use std::io;
use std::path::PathBuf;

use polars::prelude::PolarsError;
use tg_model::exit::Exit;
use tg_model::run::Format;

use crate::filter::FilterError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// There is no dataset in the folder.
    #[error("no dataset in `{}`", dir.display())]
    NoDataset {
        /// The folder.
        dir: PathBuf,
    },
    /// A file of the dataset could not be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The description of the dataset is no such thing.
    #[error("`{}` does not describe a dataset", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The dataset has a format of another major version.
    #[error(
        "the dataset in `{}` has format {}.{}; this tg reads {}.x",
        dir.display(), found.major, found.minor, tg_model::table::DATASET_FORMAT.major
    )]
    Format {
        /// The folder.
        dir: PathBuf,
        /// The version found.
        found: Format,
    },
    /// A table could not be read, or has other columns than its format says.
    #[error("cannot read table `{table}` in `{}`", dir.display())]
    Table {
        /// The table.
        table: String,
        /// The dataset's folder.
        dir: PathBuf,
        /// Why.
        source: PolarsError,
    },
    /// It is not understood how the store is reached.
    #[error("cannot read the dataset at `{url}`")]
    Store {
        /// Where it is.
        url: String,
        /// Why.
        source: PolarsError,
    },
    /// What was asked for could not be put into a file.
    #[error("cannot write `{what}` as a table")]
    Export {
        /// The network.
        what: String,
        /// Why.
        source: PolarsError,
    },
    /// The dataset lacks what the question is about.
    #[error("{0}")]
    NoData(String),
    /// So many groups find no room in the memory that was granted.
    #[error(
        "{groups} groups take {} MiB of memory, and {} MiB were left for them",
        needs.div_ceil(1 << 20), room >> 20
    )]
    Memory {
        /// How many groups.
        groups: usize,
        /// The bytes that they take.
        needs: usize,
        /// The bytes that there were.
        room: usize,
    },
    /// The question itself is wrong.
    #[error("{0}")]
    Question(String),
    /// A condition, or a list of columns, that cannot be understood.
    #[error("`--{flag}`: {}", why.why)]
    Condition {
        /// The flag that it was given with.
        flag: &'static str,
        /// What is wrong, and where.
        why: FilterError,
    },
}

impl AnalyzeError {
    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoDataset { .. } | Self::NoData(_) => Exit::NoData,
            Self::File { .. } | Self::Memory { .. } => Exit::Environment,
            Self::Description { .. } | Self::Format { .. } | Self::Table { .. } => Exit::Format,
            Self::Store { .. } => Exit::Source,
            Self::Export { .. } => Exit::Fault,
            Self::Question(_) | Self::Condition { .. } => Exit::Usage,
        }
    }
}
