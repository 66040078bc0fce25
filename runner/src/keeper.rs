//! A tiny second process that ends all instances when tg itself is killed.
//!
//! tg holds the writing end of a pipe and tells the keeper each process group that begins and ends. A tg that dies,
//! however it dies, closes the pipe; then the keeper kills what is left: first the groups that it was told, then, on
//! Linux, every process whose environment still names the run, which finds a child that made its own session and the
//! instance that was started in the very moment in which tg died. A process that left its group *and* cleared its
//! environment gets away; only namespaces could hold it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tg_model::RunId;

/// How the keeper is started: a command that calls [`keep`] with its standard input and does nothing else.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Variables to set on top of the inherited environment.
    pub env: Vec<(OsString, OsString)>,
}

/// What the keeper process does: reads until tg is gone, then kills what is left of the run and removes its scratch
/// folder.
pub fn keep(input: impl BufRead) -> io::Result<()> {
    let mut groups = BTreeSet::new();
    let mut run = None;
    for line in input.lines() {
        // A line that cannot be read is the end as well: what was told so far is killed.
        let Ok(line) = line else { break };
        match line.split_at_checked(1) {
            Some(("+", pid)) => groups.extend(pid.parse::<i32>().ok()),
            Some(("-", pid)) => {
                pid.parse::<i32>().ok().map(|pid| groups.remove(&pid));
            }
            Some(("r", id)) => run = id.parse::<RunId>().ok(),
            Some(("q", _)) => return Ok(()),
            _ => {}
        }
    }
    for group in groups {
        kill_group(group);
    }
    if let Some(run) = run {
        kill_strays(&run)?;
        match std::fs::remove_dir_all(scratch_dir(&run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Where the working and temp folders of a run's instances lie while it goes on.
pub(crate) fn scratch_dir(run: &RunId) -> PathBuf {
    std::env::temp_dir().join(format!("tg-{run}"))
}

/// Kills a process group; returns whether there was anything in it.
pub(crate) fn kill_group(group: i32) -> bool {
    // 0 and 1 would mean our own group and everything.
    group > 1 && killpg(Pid::from_raw(group), Signal::SIGKILL).is_ok()
}

/// Kills every process whose environment names the run, until none is left; returns how many.
#[cfg(target_os = "linux")]
pub(crate) fn kill_strays(run: &RunId) -> io::Result<usize> {
    let needle = [b"TEST_RUN=".as_slice(), run.as_str().as_bytes(), b"\0"].concat();
    let own = std::process::id();
    let mut killed = BTreeSet::new();
    // A process may fork while we look; a few rounds end that, and a bound ends us.
    for _ in 0..8 {
        let mut more = false;
        for entry in std::fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            if u32::try_from(pid) == Ok(own) {
                continue;
            }
            // Processes of others cannot be read, and are none of ours.
            let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
            let ours = memchr::memmem::find_iter(&environ, &needle).any(|at| at == 0 || environ[at - 1] == 0);
            if ours && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
                more |= killed.insert(pid);
            }
        }
        if !more {
            break;
        }
    }
    Ok(killed.len())
}

/// Without `/proc` there is no telling whose a process is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_strays(_run: &RunId) -> io::Result<usize> {
    Ok(0)
}

/// The keeper of one run, as the engine holds it.
#[derive(Debug)]
pub(crate) struct Kept {
    process: Mutex<Option<(Child, ChildStdin)>>,
}

impl Kept {
    /// Starts the keeper in its own process group, so that a Ctrl-C in the terminal does not end it.
    pub(crate) fn start(keeper: Option<&Keeper>, run: &RunId) -> io::Result<Self> {
        let Some(keeper) = keeper else { return Ok(Self { process: Mutex::new(None) }) };
        let (program, arguments) =
            keeper.command.split_first().ok_or_else(|| io::Error::other("the keeper's command is empty"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(keeper.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take().ok_or_else(|| io::Error::other("the keeper has no pipe"))?;
        let kept = Self { process: Mutex::new(Some((child, stdin))) };
        kept.tell(&format!("r{run}\n"))?;
        Ok(kept)
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        match process.as_mut() {
            Some((_, stdin)) => stdin.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }

    pub(crate) fn began(&self, pid: u32) -> io::Result<()> {
        self.tell(&format!("+{pid}\n"))
    }

    pub(crate) fn ended(&self, pid: u32) -> io::Result<()> {
        self.tell(&format!("-{pid}\n"))
    }

    /// The run is over and nothing is left: the keeper may go. Blocks until it is gone.
    pub(crate) fn dismiss(&self) {
        // A keeper that died is no loss any more.
        drop(self.tell("q\n"));
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut child, stdin)) = process {
            drop(stdin);
            drop(child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scratch_folder_goes_when_tg_died_and_stays_when_it_says_goodbye() {
        let run = RunId::new(u64::from(std::process::id()), 7);
        let dir = scratch_dir(&run);
        std::fs::create_dir_all(dir.join("0/work")).expect("a scratch folder");
        keep(format!("r{run}\nq\n").as_bytes()).expect("it ends");
        assert!(dir.is_dir());
        keep(format!("r{run}\n").as_bytes()).expect("it ends");
        assert!(!dir.exists());
        keep(format!("r{run}\n").as_bytes()).expect("nothing to remove is no error");
    }
}
