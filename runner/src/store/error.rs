//! What can go wrong with the runs on disk.

use std::io;
use std::path::PathBuf;

use tg_model::RunId;
use tg_model::exit::Exit;

/// An operation on the runs on disk failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder cannot be made or written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something cannot be written as JSON.
    #[error("cannot encode `{}`", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There is a run of that id already.
    #[error("run `{0}` exists already")]
    Exists(RunId),
}

impl StoreError {
    /// The exit code that tells of this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Write { .. } => Exit::Environment,
            Self::Parse { .. } | Self::Exists(_) => Exit::Fault,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room, or set TG_HOME to a disk that has some; `tg runs rm` removes old runs"
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    "set TG_HOME to a folder that you may write to"
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
