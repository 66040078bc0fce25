//! Why a run could not be made. Each error has an exit code and, where there is one, a hint.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tg_model::GroupName;
use tg_model::exit::Exit;

use crate::store::StoreError;

/// A run could not be started, or its records not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's folder or one of its files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sync service has no address.
    #[error("the sync service cannot listen on `{addr}`")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// More instances than one machine has addresses for.
    #[error("{instances} instances are too many for one machine: at most {most} have an address each")]
    TooMany {
        /// How many are wanted.
        instances: u32,
        /// How many are possible.
        most: u32,
    },
    /// The limit of open files is too low.
    #[error("{instances} instances need about {needed} open files at once, and {limit} are allowed")]
    OpenFiles {
        /// How many instances are wanted.
        instances: u32,
        /// How many files that takes.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// There are no instances.
    #[error("the run has no instances")]
    Empty,
    /// A group has nothing to run.
    #[error("nothing was built for group `{0}`")]
    NoArtifact(GroupName),
    /// The scratch folder for working and temp folders.
    #[error("cannot make the scratch folder `{}`", path.display())]
    Scratch {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process that ends instances when tg is killed.
    #[error("cannot start the keeper, which ends instances when tg is killed")]
    Keeper(#[source] io::Error),
    /// The thread that reads the instances' output.
    #[error("cannot start the thread that reads what instances print")]
    Drain(#[source] io::Error),
    /// Instances were to have hosts of their own, and cannot.
    #[error("the instances cannot have hosts of their own: {0}")]
    Isolation(String),
    /// Something of the composition needs hosts, and there are none.
    #[error("{what} needs a host of its own for each instance: {why}")]
    NeedsHosts {
        /// What of the composition.
        what: String,
        /// Why there are none.
        why: String,
    },
    /// The cluster that was to run it.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// The backend is not one of ours.
    #[error("backend `{0}` is not known")]
    Backend(String),
}

impl RunError {
    /// The exit code that tells of this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Cluster(error) => error.exit(),
            Self::Listen { .. }
            | Self::OpenFiles { .. }
            | Self::Isolation(_)
            | Self::NeedsHosts { .. }
            | Self::Scratch { .. }
            | Self::TooMany { .. }
            | Self::Keeper(_)
            | Self::Drain(_) => Exit::Environment,
            Self::Empty | Self::Backend(_) => Exit::Usage,
            Self::NoArtifact(_) => Exit::Fault,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Listen { addr, source } if source.kind() == io::ErrorKind::AddrInUse => Some(format!(
                "published SDKs dial port {port}; find who listens on all addresses with `ss -ltnp 'sport = :{port}'` and stop it",
                port = addr.port()
            )),
            Self::OpenFiles { needed, .. } => {
                Some(format!("raise the hard limit (`ulimit -Hn {needed}`), or run fewer instances"))
            }
            Self::Scratch { .. } => Some("set TMPDIR to a folder with room that you may write to".to_owned()),
            Self::Isolation(_) => {
                Some("`tg doctor` says what is missing; `--isolation none` runs plain processes".to_owned())
            }
            Self::NeedsHosts { .. } => {
                Some("run it with `--isolation host`, which says what is missing; so does `tg doctor`".to_owned())
            }
            Self::Backend(_) => Some("use `local:exec`".to_owned()),
            _ => None,
        }
    }
}

/// The message and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        write!(text, ": {error}").ok();
        cause = error.source();
    }
    text
}
