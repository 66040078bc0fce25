//! Files of lines, each line written by one call of the system.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;

/// The lines that could not be written: their number, and why the first of them could not.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<Option<(u64, String)>>);

impl Losses {
    pub(crate) fn note(&self, name: &str, why: &dyn std::fmt::Display) {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match lost.as_mut() {
            Some((count, _)) => *count += 1,
            None => *lost = Some((1, format!("`{name}`: {why}"))),
        }
    }

    /// What was lost, in words; nothing if nothing was.
    pub(crate) fn summary(&self) -> Option<String> {
        let lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.as_ref().map(|(count, first)| match count {
            1 => format!("1 line could not be written to {first}"),
            n => format!("{n} lines could not be written, the first of them to {first}"),
        })
    }
}

/// A file that takes whole lines.
///
/// There is no buffer in this process: each line is one `write(2)` to a file opened for appending, so that a panic,
/// an exit or a kill can harm only the line being written.
#[derive(Debug)]
pub(crate) struct Lines {
    name: String,
    losses: Arc<Losses>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The file ends in the middle of a line: the next line must not be glued to it.
    torn: bool,
}

impl Lines {
    /// Opens a file, and makes it if it is missing.
    pub(crate) fn open(path: &Path, losses: Arc<Losses>) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut torn = false;
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            torn = last != *b"\n";
        }
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, losses, state: Mutex::new(State { file, torn }) })
    }

    /// Standard output, past the buffer of the standard library.
    pub(crate) fn stdout(losses: Arc<Losses>) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { name: "stdout".to_owned(), losses, state: Mutex::new(State { file, torn: false }) })
    }

    /// Writes a value as one line of JSON. The error is the value's own; a line that the system refuses is counted.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), serde_json::Error> {
        self.line(serde_json::to_vec(value)?);
        Ok(())
    }

    /// Writes a value of ours, which always serialises.
    pub(crate) fn own(&self, value: &impl Serialize) {
        if let Err(why) = self.json(value) {
            self.losses.note(&self.name, &why);
        }
    }

    /// Writes one line, which must not hold a line feed.
    pub(crate) fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.torn {
            line.insert(0, b'\n');
        }
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match state.file.write(rest) {
                Ok(0) => break,
                Ok(n) => rest = &rest[n..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.losses.note(&self.name, &error);
                    break;
                }
            }
        }
        // A first byte that did go out leaves a line in halves; one that did not leaves everything as it was.
        state.torn = if rest.len() == line.len() { state.torn } else { !rest.is_empty() };
    }
}

/// A file of lines that is made when its first line comes, so that what a plan does not record leaves no file.
#[derive(Debug)]
pub(crate) struct LazyLines {
    path: PathBuf,
    losses: Arc<Losses>,
    lines: OnceLock<Result<Lines, String>>,
}

impl LazyLines {
    pub(crate) fn new(path: PathBuf, losses: Arc<Losses>) -> Self {
        Self { path, losses, lines: OnceLock::new() }
    }

    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), serde_json::Error> {
        let line = serde_json::to_vec(value)?;
        let open = || Lines::open(&self.path, Arc::clone(&self.losses)).map_err(|error| error.to_string());
        match self.lines.get_or_init(open) {
            Ok(lines) => lines.line(line),
            Err(why) => self.losses.note(&self.path.display().to_string(), why),
        }
        Ok(())
    }

    pub(crate) fn own(&self, value: &impl Serialize) {
        if let Err(why) = self.json(value) {
            self.losses.note(&self.path.display().to_string(), &why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_left_behind_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.ndjson");
        std::fs::write(&path, "{\"a\":1}\n{\"a\":").expect("written");
        let lines = Lines::open(&path, Arc::default()).expect("it opens");
        lines.own(&2);
        lines.own(&3);
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "{\"a\":1}\n{\"a\":\n2\n3\n");
    }

    #[test]
    fn what_could_not_be_written_is_counted() {
        let losses = Arc::new(Losses::default());
        let lines = Lines::open(Path::new("/dev/full"), Arc::clone(&losses));
        // `/dev/full` says that it is empty and refuses every byte.
        let lines = lines.expect("it opens");
        lines.own(&1);
        lines.own(&2);
        let text = losses.summary().expect("losses");
        assert!(text.starts_with("2 lines could not be written, the first of them to `full`"), "{text}");

        let missing = LazyLines::new(PathBuf::from("/nowhere/at/all"), Arc::clone(&losses));
        missing.own(&1);
        assert!(losses.summary().expect("losses").starts_with("3 lines"));
    }

    #[test]
    fn no_line_no_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.ndjson");
        let lazy = LazyLines::new(path.clone(), Arc::default());
        assert!(!path.exists());
        lazy.own(&1);
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "1\n");
    }
}
