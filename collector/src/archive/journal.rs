//! What is done of an archive: lines beside it that a later collect goes on from.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tg_model::RunId;

use super::format::Stored;
use crate::error::CollectError;
use crate::source::SourceNote;

/// The version of these lines.
const FORMAT: u32 = 1;

/// Where the files come from, and who packs them: only the same tg packs the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    format: u32,
    tg_version: String,
    run: String,
    source: String,
}

impl Begun {
    pub(crate) fn new(run: &RunId, source: String) -> Self {
        Self { format: FORMAT, tg_version: env!("CARGO_PKG_VERSION").to_owned(), run: run.to_string(), source }
    }
}

/// A file as the source listed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// Its whole path in the archive.
    pub(crate) name: String,
    pub(crate) listed_bytes: u64,
    pub(crate) version: Option<String>,
}

/// A file that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) stored: Stored,
    pub(crate) listed_bytes: u64,
    /// As the source listed it; none if what is stored is not that version as a whole.
    pub(crate) version: Option<String>,
    /// The checksum of the packed bytes.
    pub(crate) packed_crc: u32,
}

impl Line {
    /// Whether it is what the source has.
    pub(crate) fn is(&self, wanted: &Wanted) -> bool {
        self.version.is_some()
            && self.version == wanted.version
            && self.listed_bytes == wanted.listed_bytes
            && self.stored.name == wanted.name
    }
}

/// The archive is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Complete {
    bytes: u64,
    modified: (i64, i64),
    /// What went wrong at the source.
    pub(crate) notes: Vec<SourceNote>,
}

impl Complete {
    /// Of a file that was synced.
    pub(crate) fn of(archive: &File, notes: Vec<SourceNote>) -> io::Result<Self> {
        let meta = archive.metadata()?;
        Ok(Self { bytes: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()), notes })
    }

    /// Whether the file at this path is still the one that was completed.
    pub(crate) fn describes(&self, path: &Path) -> bool {
        fs::metadata(path)
            .is_ok_and(|meta| meta.len() == self.bytes && (meta.mtime(), meta.mtime_nsec()) == self.modified)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Begun(Begun),
    Stored(Line),
    Complete(Complete),
}

/// A journal that was read.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) begun: Begun,
    pub(crate) lines: Vec<Line>,
    pub(crate) complete: Option<Complete>,
}

impl Journal {
    /// Reads a journal up to the first line that makes no sense, such as one that a crash cut; none if it has no
    /// beginning.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, CollectError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CollectError::Read { path: path.to_owned(), source }),
        };
        let mut records = text.split_inclusive(|&b| b == b'\n').map_while(|line| {
            let line = line.strip_suffix(b"\n")?;
            serde_json::from_slice::<Record>(line).ok()
        });
        let Some(Record::Begun(begun)) = records.next() else { return Ok(None) };
        let mut journal = Self { begun, lines: Vec::new(), complete: None };
        for record in records {
            match record {
                Record::Begun(_) => break,
                Record::Stored(line) => journal.lines.push(line),
                Record::Complete(complete) => {
                    journal.complete = Some(complete);
                    break;
                }
            }
        }
        Ok(Some(journal))
    }
}

/// Writes a journal.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    file: File,
    waiting: Vec<u8>,
}

impl JournalWriter {
    /// Begins a journal at `path` with these lines. One that stands there stays until the new one has them.
    pub(crate) fn begin(path: &Path, begun: &Begun, lines: &[Line]) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new.partial");
        let mut journal = Self { file: File::create(&name)?, waiting: Vec::new() };
        journal.push(&Record::Begun(begun.clone()))?;
        for line in lines {
            journal.stored(line.clone())?;
        }
        journal.flush()?;
        journal.file.sync_all()?;
        fs::rename(&name, path)?;
        Ok(journal)
    }

    fn push(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, record)?;
        self.waiting.push(b'\n');
        Ok(())
    }

    /// A file is in the archive. It counts once [`flush`](Self::flush) was called.
    pub(crate) fn stored(&mut self, line: Line) -> io::Result<()> {
        self.push(&Record::Stored(line))
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        written
    }

    /// The archive is complete and synced.
    pub(crate) fn complete(mut self, complete: Complete) -> io::Result<()> {
        self.push(&Record::Complete(complete))?;
        self.flush()?;
        self.file.sync_all()
    }
}
