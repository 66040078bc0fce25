//! What can go wrong with a collect as a whole. What goes wrong with a line or a file is a note instead.

use std::io;
use std::path::PathBuf;

use tg_model::Exit;

use crate::s3::Trouble;

/// Why a run could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The source does not know the run.
    #[error("run `{run}` is not in {place}")]
    NotFound {
        /// The run.
        run: String,
        /// The source, in words.
        place: String,
    },
    /// The source failed.
    #[error("cannot {what} in {place}")]
    Source {
        /// What was attempted.
        what: String,
        /// The source, in words.
        place: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of ours cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of ours cannot be written.
    #[error("cannot write `{path}`", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk is full.
    #[error(
        "no space is left for `{path}`: about {needs} are needed{free}",
        path = path.display(),
        needs = mebibytes(*needs_bytes),
        free = free_bytes.map_or_else(String::new, |free| format!(", and {} are free", mebibytes(free)))
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// How much more is needed, about.
        needs_bytes: u64,
        /// How much there is, if that is known.
        free_bytes: Option<u64>,
        /// Why.
        source: io::Error,
    },
    /// The archive is damaged.
    #[error("cannot read the archive `{path}`", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: zip::result::ZipError,
    },
    /// Rows could not be put into columns.
    #[error("cannot arrange {what}")]
    Columns {
        /// Which rows.
        what: String,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// A table could not be written.
    #[error("cannot write table file `{path}`", path = path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// A stored format that this build does not know.
    #[error("`{what}` has format {major}, and this tg reads {known}")]
    Format {
        /// The file.
        what: String,
        /// The format found.
        major: u32,
        /// The format known.
        known: u32,
    },
    /// `--only` names nothing that is there.
    #[error("`--only {only}` matches no instance of run `{run}`, which has {has}")]
    NothingMatches {
        /// The choice.
        only: String,
        /// The run.
        run: String,
        /// Its groups, in words.
        has: String,
    },
    /// Another collect of the same run.
    #[error("another collect of run `{run}` into the same folder is going on")]
    Busy {
        /// The run.
        run: String,
    },
    /// Too many of something that is counted in 32 bits.
    #[error("the run has more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: u64,
    },
    /// The rules of the user cannot be used.
    #[error("rules: {0}")]
    Rules(String),
    /// It was cancelled.
    #[error("the collect was cancelled")]
    Cancelled,
    /// A thread of ours ended early.
    #[error("a thread of the collector ended early: {0}")]
    Fault(String),
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl CollectError {
    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotFound { .. } => Exit::RunNotFound,
            Self::Source { .. } | Self::Archive { .. } => Exit::Source,
            Self::Format { .. } => Exit::Format,
            Self::NothingMatches { .. } | Self::Rules(_) => Exit::Usage,
            Self::Busy { .. } => Exit::Busy,
            Self::Cancelled => Exit::Cancelled,
            Self::Read { .. } | Self::Write { .. } | Self::Full { .. } | Self::Table { .. } => Exit::Environment,
            Self::Columns { .. } | Self::TooMany { .. } | Self::Fault(_) => Exit::Fault,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => {
                "`tg runs list` shows the runs of this home; `--source` names another place".to_owned()
            }
            Self::Source { source, .. } => match source.downcast_ref::<Trouble>() {
                None => "check the path that `--source` names".to_owned(),
                Some(Trouble::NoCredentials(_)) => {
                    "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, name a profile \
                    with `--s3-profile`, or ask without credentials with `--s3-anonymous`"
                        .to_owned()
                }
                Some(_) => {
                    "check the place, your credentials and the network, then run it again: it goes on where it stopped"
                        .to_owned()
                }
            },
            Self::Full { .. } => {
                "free some space and run it again, it goes on where it stopped; or `-o DIR` on another disk".to_owned()
            }
            Self::Cancelled => "run it again: it goes on where it stopped".to_owned(),
            Self::Busy { .. } => "wait for it to end".to_owned(),
            Self::Format { .. } => "use a newer tg".to_owned(),
            Self::NothingMatches { .. } => "write it as GROUP or GROUP/N".to_owned(),
            _ => return None,
        })
    }
}
