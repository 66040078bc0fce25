//! Why there is nothing to start.

use std::io;
use std::path::PathBuf;

use tg_model::exit::Exit;

/// A build failed or could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The toolchain is not there.
    #[error("builder `{builder}` needs `{tool}`, which is not in PATH")]
    MissingTool {
        /// The builder.
        builder: String,
        /// The program.
        tool: &'static str,
        /// How to get it.
        how: &'static str,
    },
    /// The compiler refused, or another step of the build.
    #[error("`{command}` failed ({status}):\n{output}")]
    Failed {
        /// The builder.
        builder: String,
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// Its own words, the last of them.
        output: String,
    },
    /// There is no such setting.
    #[error("group `{group}`: builder `{builder}` has no setting `{key}`")]
    Setting {
        /// The builder.
        builder: String,
        /// The group.
        group: String,
        /// What was set.
        key: String,
        /// What there is.
        hint: String,
    },
    /// The settings of the build make no sense.
    #[error("builder `{builder}`: {text}")]
    Config {
        /// The builder.
        builder: String,
        /// What is wrong.
        text: String,
    },
    /// There is no such builder here.
    #[error("builder `{0}` is not known")]
    Unknown(String),
    /// A ready artifact or a program is not there.
    #[error("builder `{builder}`: `{program}` is not there or is no program")]
    NoProgram {
        /// The builder.
        builder: String,
        /// As it was given.
        program: String,
    },
    /// A file or folder of the cache.
    #[error("cannot write `{}` in the build cache", path.display())]
    Cache {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the plan.
    #[error("cannot read `{}` of the plan", path.display())]
    Source {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command could not be started.
    #[error("cannot start `{command}`")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
    /// tg's own task failed.
    #[error("a build ended by a fault of tg: {0}")]
    Fault(String),
}

impl BuildError {
    /// The exit code that tells of this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::MissingTool { .. } | Self::Cache { .. } | Self::Start { .. } | Self::Source { .. } => {
                Exit::Environment
            }
            Self::Failed { .. } => Exit::Build,
            Self::Config { .. } | Self::Setting { .. } | Self::Unknown(_) | Self::NoProgram { .. } => Exit::Usage,
            Self::Cancelled => Exit::Cancelled,
            Self::Fault(_) => Exit::Fault,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingTool { how, .. } => Some((*how).to_owned()),
            Self::Setting { hint, .. } => Some(hint.clone()),
            Self::Unknown(_) => Some("use `exec:cargo`, `exec:go`, `exec:node` or `exec:generic`".to_owned()),
            Self::Cache { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("make room, or set TG_HOME to a disk that has some".to_owned())
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Some("set TG_HOME to a folder that you may write to".to_owned())
                }
                _ => None,
            },
            Self::NoProgram { .. } => Some("a path is relative to the plan's folder".to_owned()),
            _ => None,
        }
    }
}
