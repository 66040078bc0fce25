//! The binary `tg` as a child process that cannot outlive its test.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// No command of these tests may take longer; a hang fails the test that caused it, and not the whole suite.
const DEADLINE: Duration = Duration::from_mins(10);

/// The binary that `cargo test --workspace` has built: it lies beside the folder of the test's own binary.
pub(crate) fn tg_binary() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    let target = test.parent().and_then(|deps| deps.parent()).expect("a test lies in <target>/<profile>/deps");
    let tg = target.join("tg");
    assert!(
        tg.is_file(),
        "no `{}`: the tests of tg-e2e run the binary; build it with `cargo build --workspace`, or run `cargo test --workspace`",
        tg.display()
    );
    tg
}

/// A command that goes on.
#[derive(Debug)]
pub struct Running {
    line: String,
    pid: Pid,
    ended: Receiver<io::Result<Done>>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    /// The command line.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs a command that a test has prepared, to its end.
pub fn finish(command: &mut Command) -> Done {
    Running::start(command).wait()
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let line = line_of(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid is small"));
        let (sender, ended) = sync_channel(1);
        let told = line.clone();
        // Nobody listens any more if the test has failed already.
        thread::spawn(move || drop(sender.send(wait(child, told))));
        Self { line, pid, ended }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("cannot send {signal} to `{}`: {error}", self.line));
    }

    /// Waits for its end.
    pub fn wait(self) -> Done {
        match self.ended.recv_timeout(DEADLINE) {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => panic!("cannot read what `{}` says: {error}", self.line),
            Err(RecvTimeoutError::Timeout) => {
                let killed = kill(self.pid, Signal::SIGKILL);
                panic!("`{}` did not end within {DEADLINE:?} (SIGKILL: {killed:?})", self.line)
            }
            Err(RecvTimeoutError::Disconnected) => panic!("lost sight of `{}`", self.line),
        }
    }
}

impl Done {
    /// The exit code; -1 if a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Insists on an exit code.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "`{}`\n--- stdout\n{}\n--- stderr\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Insists that stderr holds a text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "`{}` does not say `{text}`:\n{}", self.line, self.stderr);
        self
    }
}

fn wait(mut child: Child, line: String) -> io::Result<Done> {
    let mut stderr = child.stderr.take().ok_or_else(|| io::Error::other("no stderr"))?;
    let errors = thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut stdout = Vec::new();
    child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?.read_to_end(&mut stdout)?;
    let stderr = errors.join().unwrap_or_else(|_panic| Err(io::Error::other("the reader of stderr panicked")))?;
    let status = child.wait()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Done { line, status, stdout: text(stdout), stderr: text(stderr) })
}

fn line_of(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    format!("tg {}", words.join(" "))
}
