//! One file of one instance, read line by line without being held open: there may be tens of thousands.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tg_model::{InstanceId, layout};

/// Which of an instance's files a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The events that the SDK wrote.
    RunOut,
}

impl Stream {
    /// The file's name.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Stdout => layout::STDOUT_FILE,
            Self::Stderr => layout::STDERR_FILE,
            Self::RunOut => "run.out",
        }
    }
}

/// The longest line that is kept whole.
const LONGEST_BYTES: usize = 1 << 20;
/// Read at once.
const BLOCK_BYTES: u64 = 32 * 1024;

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) instance: InstanceId,
    pub(super) stream: Stream,
    path: PathBuf,
    /// What was read and not given out yet.
    buffer: Vec<u8>,
    /// Where reading goes on.
    offset: u64,
    /// So many bytes of a line that is too long were dropped.
    dropped: u64,
}

impl Source {
    /// The files of one instance, those that may never exist included.
    pub(super) fn of_instance(run_dir: &Path, id: &InstanceId) -> [Self; 3] {
        let logs = layout::logs_dir(run_dir, id);
        let outputs = layout::outputs_dir(run_dir, id);
        [(Stream::Stdout, &logs), (Stream::Stderr, &logs), (Stream::RunOut, &outputs)].map(|(stream, dir)| Self {
            instance: id.clone(),
            stream,
            path: dir.join(stream.file()),
            buffer: Vec::new(),
            offset: 0,
            dropped: 0,
        })
    }

    /// The next line without its end. While the file may still grow, a last line without an end waits for it.
    pub(super) fn next_line(&mut self, may_grow: bool) -> io::Result<Option<String>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|b| *b == b'\n') {
                let end = searched + at;
                let line = self.take(end);
                self.buffer.drain(..=end);
                return Ok(Some(line));
            }
            if self.buffer.len() > LONGEST_BYTES {
                self.dropped += (self.buffer.len() - LONGEST_BYTES) as u64;
                self.buffer.truncate(LONGEST_BYTES);
            }
            searched = self.buffer.len();
            if self.fill()? == 0 {
                if may_grow || (self.buffer.is_empty() && self.dropped == 0) {
                    return Ok(None);
                }
                let line = self.take(self.buffer.len());
                self.buffer = Vec::new();
                return Ok(Some(line));
            }
        }
    }

    fn take(&mut self, end: usize) -> String {
        let bytes = &self.buffer[..end];
        let mut line = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned();
        if self.dropped > 0 {
            line = format!("{line}… ({} bytes more)", std::mem::take(&mut self.dropped));
        }
        line
    }

    /// Reads on; 0 at the end, or where there is no file (yet).
    fn fill(&mut self) -> io::Result<usize> {
        let mut file = match File::open(&self.path) {
            Ok(file) if file.metadata()?.is_file() => file,
            Ok(_) => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() <= self.offset {
            return Ok(0);
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.take(BLOCK_BYTES).read_to_end(&mut self.buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn source(bytes: &[u8]) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let id: InstanceId = "g/0".parse().unwrap();
        let logs = layout::logs_dir(dir.path(), &id);
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join(layout::STDOUT_FILE), bytes).unwrap();
        let [stdout, ..] = Source::of_instance(dir.path(), &id);
        (dir, stdout)
    }

    #[test]
    fn hostile_bytes_and_a_cut_off_line_are_given_as_they_are() {
        let (_dir, mut source) = source(b"a\r\n\xff\xfe\n\nend");
        let mut lines = Vec::new();
        while let Some(line) = source.next_line(false).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["a", "\u{fffd}\u{fffd}", "", "end"]);
    }

    #[test]
    fn a_line_without_an_end_waits_while_the_file_may_grow() {
        let (_dir, mut source) = source(b"whole\nha");
        assert_eq!(source.next_line(true).unwrap().as_deref(), Some("whole"));
        assert_eq!(source.next_line(true).unwrap(), None);
        fs::OpenOptions::new().append(true).open(&source.path).unwrap().write_all(b"lf\n").unwrap();
        assert_eq!(source.next_line(true).unwrap().as_deref(), Some("half"));
    }

    #[test]
    fn a_huge_line_takes_bounded_memory_and_says_what_is_missing() {
        let mut bytes = vec![b'x'; 3 << 20];
        bytes.extend_from_slice(b"\nnext\n");
        let (_dir, mut source) = source(&bytes);
        let line = source.next_line(false).unwrap().unwrap();
        assert!(line.len() < (1 << 20) + 100 && line.ends_with(" bytes more)"), "{}", line.len());
        assert!(source.buffer.capacity() < 4 << 20);
        assert_eq!(source.next_line(false).unwrap().as_deref(), Some("next"));
    }
}
