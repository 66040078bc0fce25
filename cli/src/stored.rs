//! Runs as they lie in the home: found by name, read from disk, alive or not.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use tg_model::run::{FORMAT, Format};
use tg_model::{Exit, RunEvent, RunFile, RunId, Verdict, layout};

use crate::home::Home;
use crate::message::Failure;

/// The word that names the newest run.
pub(crate) const LATEST: &str = "latest";

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The run.
    pub(crate) id: RunId,
    /// Its folder.
    pub(crate) dir: PathBuf,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A tg runs it now.
    Live,
    /// It ended, and this is the verdict.
    Ended(Verdict),
    /// Its tg is gone and never said how it ended.
    Abandoned,
}

/// Every run of the home, the oldest first; none if there is no home yet.
pub(crate) fn all(home: &Home) -> Result<Vec<Stored>, Failure> {
    let dir = layout::runs_dir(&home.path()?);
    let cannot = |error: &io::Error| {
        Failure::new(Exit::Environment, format!("cannot list the runs in `{}`", dir.display())).cause(error)
    };
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(&error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot(&error))?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let Ok(id) = name.parse::<RunId>() else { continue };
        let dir = entry.path();
        if !name.ends_with(layout::PARTIAL) && dir.is_dir() {
            runs.push((began(&id, &dir), Stored { id, dir }));
        }
    }
    runs.sort_by(|(a_ns, a), (b_ns, b)| a_ns.cmp(b_ns).then_with(|| a.id.cmp(&b.id)));
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// The run that a name means: an id, a unique prefix of one, or `latest`.
pub(crate) fn find(home: &Home, name: &str) -> Result<Stored, Failure> {
    if let Ok(id) = name.parse::<RunId>() {
        let dir = layout::run_dir(&home.path()?, &id);
        if !name.ends_with(layout::PARTIAL) && dir.is_dir() {
            return Ok(Stored { id, dir });
        }
    }
    let mut runs = all(home)?;
    if name == LATEST {
        return runs.pop().ok_or_else(|| {
            not_found(home, "there are no runs yet")
                .hint("`tg demo` makes one in a minute; `tg run --help` shows how to run a plan")
        });
    }
    let mut matches: Vec<Stored> = runs.into_iter().filter(|run| run.id.as_str().starts_with(name)).collect();
    match (matches.pop(), matches.as_slice()) {
        (Some(only), []) if !name.is_empty() => Ok(only),
        (None, _) | (Some(_), []) => Err(not_found(home, format!("no run `{}`", crate::text::clean(name)))
            .hint("`tg runs list` shows the runs; a unique prefix of an id or `latest` is enough")),
        (Some(last), earlier) => {
            let mut failure =
                Failure::new(Exit::RunNotFound, format!("`{name}` could be any of {} runs", earlier.len() + 1));
            for run in std::iter::once(&last).chain(earlier.iter().rev()).take(5) {
                failure = failure.note(format!("`{}`", run.id));
            }
            Err(failure.hint("add letters until only one is left"))
        }
    }
}

fn not_found(home: &Home, message: impl Into<String>) -> Failure {
    let failure = Failure::new(Exit::RunNotFound, message);
    match home.path() {
        Ok(path) => failure.note(format!("looked in `{}`", layout::runs_dir(&path).display())),
        Err(_) => failure,
    }
}

/// When a run began, in milliseconds, for sorting: ids that tg made carry it, others have it in their description.
fn began(id: &RunId, dir: &Path) -> String {
    let text = id.as_str();
    let made_by_tg = text.len() == 23
        && text.bytes().take(18).enumerate().all(|(at, b)| if at == 8 { b == b'-' } else { b.is_ascii_digit() });
    if made_by_tg {
        return text[..18].to_owned();
    }
    let ms = read_file(dir).map(|file| file.started_ns / 1_000_000).unwrap_or_default();
    RunId::new(ms, 0).as_str()[..18].to_owned()
}

/// Why a run's description cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("`{}` is no description of a run", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another tg wrote it.
    #[error("`{}` has format {}.{}, and this tg reads {}.x", path.display(), found.major, found.minor, FORMAT.major)]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: Format,
    },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let (exit, hint) = match &error {
            ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                (Exit::RunNotFound, "the folder is no run, or its run never began; `tg runs list` shows the runs")
            }
            ReadError::Io { .. } => (Exit::Environment, "see who may read the folder"),
            ReadError::Syntax { .. } => {
                (Exit::Format, "the file was changed or cut off; the outputs beside it are still yours")
            }
            ReadError::Format { .. } => (Exit::Format, "use the tg that made the run"),
        };
        Self::from_error(exit, &error).hint(hint)
    }
}

/// Reads `run.json` of a folder; its format is looked at before anything else.
pub(crate) fn read_file(dir: &Path) -> Result<RunFile, ReadError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: Format,
    }
    let path = dir.join(layout::RUN_FILE);
    let text = fs::read_to_string(&path).map_err(|source| ReadError::Io { path: path.clone(), source })?;
    let head: Head = serde_json::from_str(&text).map_err(|source| ReadError::Syntax { path: path.clone(), source })?;
    if !FORMAT.reads(head.format) {
        return Err(ReadError::Format { path, found: head.format });
    }
    serde_json::from_str(&text).map_err(|source| ReadError::Syntax { path, source })
}

/// Whether the run goes on, and how it ended if not.
pub(crate) fn state(file: &RunFile) -> State {
    match (file.ended_ns, file.pid) {
        (Some(_), _) => State::Ended(file.verdict),
        (None, Some(pid)) if lives(pid, file.started_ns) => State::Live,
        (None, _) => State::Abandoned,
    }
}

/// Whether the process that began a run at `started_ns` still lives under `pid`.
///
/// A number can be given to another process later, which then began after the run did.
fn lives(pid: u32, started_ns: u64) -> bool {
    let Ok(raw) = i32::try_from(pid) else { return false };
    let there = match nix::sys::signal::kill(nix::unistd::Pid::from_raw(raw), None) {
        Ok(()) => true,
        Err(error) => error == nix::errno::Errno::EPERM,
    };
    // Where there is no `/proc` the number has to do.
    there && process(pid).is_none_or(|(zombie, began_s)| !zombie && began_s <= started_ns / 1_000_000_000 + 2)
}

/// Whether a process is a zombie, and when it began, in seconds since the epoch.
fn process(pid: u32) -> Option<(bool, u64)> {
    const TICKS_PER_S: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks and parentheses of its own.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let ticks: u64 = fields.get(19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some((*fields.first()? == "Z", boot + ticks / TICKS_PER_S))
}

/// The events of a run, one by one.
pub(crate) struct Events {
    lines: BufReader<fs::File>,
    line: Vec<u8>,
    /// Lines that are no events, apart from a last one that was cut off.
    pub(crate) unreadable: u64,
}

impl Events {
    /// Opens `events.ndjson` of a folder.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(layout::EVENTS_FILE);
        let file = fs::File::open(&path).map_err(|source| ReadError::Io { path, source })?;
        Ok(Self { lines: BufReader::with_capacity(1 << 16, file), line: Vec::new(), unreadable: 0 })
    }

    /// The next event; a line that cannot be read is counted and passed over.
    pub(crate) fn next(&mut self) -> io::Result<Option<RunEvent>> {
        loop {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            match serde_json::from_slice(&self.line) {
                Ok(event) => return Ok(Some(event)),
                // The line that tg was writing when it was killed.
                Err(_) if !self.line.ends_with(b"\n") => return Ok(None),
                Err(_) => self.unreadable += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(runs: &[&str]) -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        for run in runs {
            fs::create_dir_all(dir.path().join("runs").join(run)).unwrap();
        }
        let home = Home::new(Some(dir.path().to_owned()));
        (dir, home)
    }

    #[test]
    fn a_prefix_names_a_run_when_it_is_unique() {
        let (_dir, home) = home(&[
            "20261122-221530417-k7qx",
            "20261122-221530418-aaaa",
            "foreign",
            "20261123-000000000-bbbb.partial",
            ".hidden",
        ]);
        let id = |name: &str| find(&home, name).map(|run| run.id.to_string());
        assert_eq!(id("latest").unwrap(), "20261122-221530418-aaaa");
        assert_eq!(id("for").unwrap(), "foreign");
        assert_eq!(id("20261122-221530417").unwrap(), "20261122-221530417-k7qx");
        assert_eq!(id("20261122-221530418-aaaa").unwrap(), "20261122-221530418-aaaa");
        for name in ["2026", "", "nothing", "20261123", "../runs/foreign"] {
            assert!(id(name).is_err(), "{name}");
        }
        assert_eq!(all(&home).unwrap().len(), 3);
    }

    #[test]
    fn a_process_is_known_by_its_number_and_its_age() {
        let me = std::process::id();
        assert!(lives(me, u64::MAX));
        assert!(!lives(me, 0), "a process that began long after the run is another one");
        assert!(!lives(u32::MAX, u64::MAX));
    }
}
