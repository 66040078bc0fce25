//! How one instance is started: the only place that makes its folders and its process.
//!
//! Nothing here runs between fork and exec, so the standard library may use `posix_spawn`, whose cost does not grow
//! with the memory of tg. Instances of a tg that is killed are ended by the [`crate::keeper`], not by a parent-death
//! signal, which would follow the thread that spawned.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use tg_model::layout;
use tokio::process::{Child, Command};

/// The folders of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// `TEST_OUTPUTS_PATH`.
    pub(crate) outputs: PathBuf,
    /// Where its logs go.
    pub(crate) logs: PathBuf,
    /// Holds the working and the temp folder, and is removed after the instance.
    pub(crate) scratch: PathBuf,
}

impl Folders {
    pub(crate) fn work(&self) -> PathBuf {
        self.scratch.join("work")
    }

    /// `TEST_TEMP_PATH`.
    pub(crate) fn temp(&self) -> PathBuf {
        self.scratch.join("temp")
    }
}

/// A started instance.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) pid: u32,
    /// Read just before the process was made: what follows may take longer than the process lives.
    pub(crate) from: Instant,
    pub(crate) stdout: (OwnedFd, File),
    pub(crate) stderr: (OwnedFd, File),
}

/// Why an instance could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot make `{}`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot make a pipe")]
    Pipe(#[source] io::Error),
    #[error("cannot start `{}`", program.display())]
    Spawn { program: PathBuf, source: io::Error },
}

/// Makes the folders and starts the process, in its own process group. Blocks for about a millisecond.
///
/// Must be called within a tokio runtime.
pub(crate) fn start(
    command: &[OsString],
    env: &[(String, OsString)],
    folders: &Folders,
) -> Result<Started, StartError> {
    let work = folders.work();
    for path in [&folders.outputs, &folders.logs, &work, &folders.temp()] {
        fs::create_dir_all(path).map_err(|source| StartError::Folder { path: path.clone(), source })?;
    }
    let log = |name: &str| {
        let path = folders.logs.join(name);
        File::create(&path).map_err(|source| StartError::Folder { path, source })
    };
    let (stdout_log, stderr_log) = (log(layout::STDOUT_FILE)?, log(layout::STDERR_FILE)?);
    let (stdout, stdout_writer) = io::pipe().map_err(StartError::Pipe)?;
    let (stderr, stderr_writer) = io::pipe().map_err(StartError::Pipe)?;
    let (program, arguments) = command.split_first().ok_or_else(|| StartError::Spawn {
        program: PathBuf::new(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"),
    })?;
    let from = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(&work)
        .stdin(Stdio::null())
        .stdout(stdout_writer)
        .stderr(stderr_writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| StartError::Spawn { program: Path::new(program).to_owned(), source })?;
    let pid = child.id().unwrap_or_default();
    Ok(Started { child, pid, from, stdout: (stdout.into(), stdout_log), stderr: (stderr.into(), stderr_log) })
}
