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

use crate::isolation::{Hosts, SharedHost};

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

    /// What an instance with a host of its own finds at `/tmp`.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.scratch.join("tmp")
    }

    /// What it finds at the run's folder: nothing but its own outputs, which are put there.
    pub(crate) fn veil(&self) -> PathBuf {
        self.scratch.join("run")
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
    /// Its host, if it has one of its own.
    pub(crate) host: Option<SharedHost>,
}

/// Where an instance runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// On the machine, as a plain process.
    Machine,
    /// On a host of its own, under this number.
    Host(&'a Hosts, u32),
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
    #[error("cannot start it on a host of its own: {0}")]
    Host(String),
}

/// Makes the folders and starts the process, in its own process group. Blocks for about a millisecond.
///
/// Must be called within a tokio runtime.
pub(crate) fn start(
    command: &[OsString],
    env: &[(String, OsString)],
    folders: &Folders,
    place: Place<'_>,
) -> Result<Started, StartError> {
    let work = folders.work();
    for path in [&folders.outputs, &folders.logs, &work, &folders.temp(), &folders.tmp(), &folders.veil()] {
        fs::create_dir_all(path).map_err(|source| StartError::Folder { path: path.clone(), source })?;
    }
    let log = |name: &str| {
        let path = folders.logs.join(name);
        // Who begins again goes on in the same logs.
        let file = File::options().create(true).append(true).open(&path);
        file.map_err(|source| StartError::Folder { path, source })
    };
    let (stdout_log, stderr_log) = (log(layout::STDOUT_FILE)?, log(layout::STDERR_FILE)?);
    let (stdout, stdout_writer) = io::pipe().map_err(StartError::Pipe)?;
    let (stderr, stderr_writer) = io::pipe().map_err(StartError::Pipe)?;
    let from = Instant::now();
    let (mut process, program, control) = match place {
        Place::Machine => {
            let (program, arguments) = command.split_first().ok_or_else(|| StartError::Spawn {
                program: PathBuf::new(),
                source: io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"),
            })?;
            let mut process = Command::new(program);
            process
                .args(arguments)
                .env_clear()
                .envs(env.iter().map(|(name, value)| (name, value)))
                .current_dir(&work)
                .stdin(Stdio::null());
            (process, Path::new(program).to_owned(), None)
        }
        Place::Host(hosts, label) => {
            let failed = |error: io::Error| StartError::Host(error.to_string());
            let (process, control) = hosts.launcher().map_err(failed)?;
            (Command::from(process), PathBuf::from("tg"), Some((hosts, label, control)))
        }
    };
    let child = process
        .stdout(stdout_writer)
        .stderr(stderr_writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| StartError::Spawn { program, source })?;
    // The command holds our copies of the pipes' writing ends and of the launcher's socket.
    drop(process);
    let host = control.map(|(hosts, label, control)| hosts.launch(label, control, command, env, folders));
    let host = host.transpose().map_err(StartError::Host)?;
    let pid = child.id().unwrap_or_default();
    Ok(Started { child, pid, from, stdout: (stdout.into(), stdout_log), stderr: (stderr.into(), stderr_log), host })
}
