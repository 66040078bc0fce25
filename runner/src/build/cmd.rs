//! Running the steps of a build.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::error::BuildError;
use crate::cancel::Cancel;

/// How many of the last lines of a failed command are kept.
const KEPT_LINES: usize = 200;
/// How much of one of them.
const KEPT_LINE_BYTES: usize = 2048;

/// A step of a build that went well.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) stdout: Vec<String>,
}

/// One command of a build.
#[derive(Debug)]
pub(super) struct Cmd<'a> {
    builder: &'a str,
    text: String,
    command: Command,
    keep_stdout: bool,
}

impl<'a> Cmd<'a> {
    pub(super) fn new(builder: &'a str, program: &Path, dir: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let text = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { builder, text, command, keep_stdout: false }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.text.push(' ');
        self.text.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(super) fn args(self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Its standard output is data for us and no words for the user.
    pub(super) fn stdout_is_data(mut self) -> Self {
        self.keep_stdout = true;
        self
    }

    /// Runs it to its end; a cancel kills it and its children.
    pub(super) async fn run(mut self, cancel: &Cancel) -> Result<Step, BuildError> {
        let started = |source| BuildError::Start { command: self.text.clone(), source };
        let mut child = self.command.spawn().map_err(started)?;
        let group = child.id().map(|pid| Pid::from_raw(pid.cast_signed()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let keep_stdout = self.keep_stdout;
        let reading = async {
            let out = async {
                match out {
                    Some(out) if keep_stdout => lines(out, usize::MAX).await,
                    Some(out) => lines(out, KEPT_LINES).await,
                    None => Vec::new(),
                }
            };
            let err = async {
                match err {
                    Some(err) => lines(err, KEPT_LINES).await,
                    None => Vec::new(),
                }
            };
            tokio::join!(out, err, child.wait())
        };
        let (stdout, stderr, status) = tokio::select! {
            read = reading => read,
            _ = cancel.asked() => {
                if let Some(group) = group {
                    // It may have ended by itself just now.
                    killpg(group, Signal::SIGKILL).ok();
                }
                return Err(BuildError::Cancelled);
            }
        };
        let status: ExitStatus = status.map_err(|source| BuildError::Start { command: self.text.clone(), source })?;
        if status.success() {
            return Ok(Step { stdout });
        }
        let mut words = if keep_stdout { Vec::new() } else { stdout };
        words.extend(stderr);
        let output = words[words.len().saturating_sub(KEPT_LINES)..].join("\n");
        Err(BuildError::Failed {
            builder: self.builder.to_owned(),
            command: self.text,
            status: status.to_string(),
            output,
        })
    }
}

/// The last lines of a stream; it is read to its end.
async fn lines(stream: impl AsyncRead + Unpin, last: usize) -> Vec<String> {
    let mut kept = VecDeque::new();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return kept.into(),
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let mut text = text.trim_end().to_owned();
                if last != usize::MAX {
                    text.truncate(text.floor_char_boundary(KEPT_LINE_BYTES));
                }
                if kept.len() >= last {
                    kept.pop_front();
                }
                kept.push_back(text);
            }
        }
    }
}
