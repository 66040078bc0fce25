//! Which records an instance wrote twice: lines of `run.out` that it printed as well, and the like.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dataset::scratch::Scratch;
use crate::error::CollectError;

/// How far the printed lines may run ahead of, or behind, the written ones.
const WINDOW: usize = 1 << 16;
/// So many records are kept in memory before they go to disk, and are read back at once.
const CHUNK: usize = 1 << 16;
/// A record on disk: the hash and the line.
const RECORD: usize = 12;

/// The records of `run.out` in order, as hashes, and how far they were met on stdout.
#[derive(Debug)]
pub(crate) struct Said {
    scratch: Arc<Scratch>,
    file_id: u32,
    /// The records that were written last.
    fresh: Vec<(u64, u32)>,
    /// Those before them, if there are more than one holds in memory.
    disk: Option<(PathBuf, File)>,
    on_disk: usize,
    /// Records read back from disk, from `read_at` on.
    read: Vec<(u64, u32)>,
    read_at: usize,
    loaded: usize,
    /// Where the records of the window stand, and on which line.
    window: HashMap<u64, VecDeque<(usize, u32)>>,
    /// The hashes from `oldest` to `loaded`.
    order: VecDeque<u64>,
    oldest: usize,
    failed: Option<CollectError>,
}

fn hash(text: impl AsRef<[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_ref());
    hasher.finish()
}

impl Said {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        Self {
            scratch: scratch.clone(),
            file_id: 0,
            fresh: Vec::new(),
            disk: None,
            on_disk: 0,
            read: Vec::new(),
            read_at: 0,
            loaded: 0,
            window: HashMap::new(),
            order: VecDeque::new(),
            oldest: 0,
            failed: None,
        }
    }

    /// A record in `run.out`.
    pub(crate) fn wrote(&mut self, file_id: u32, line: u32, text: impl AsRef<[u8]>) {
        self.file_id = file_id;
        self.fresh.push((hash(text), line));
        if self.fresh.len() == CHUNK
            && let Err(error) = self.spill()
        {
            self.failed = Some(error);
        }
    }

    /// A record on stdout: the file and line in `run.out` that say the same, each given once.
    pub(crate) fn printed(&mut self, text: impl AsRef<[u8]>) -> Option<(u32, u32)> {
        if self.on_disk == 0 && self.fresh.is_empty() {
            return None;
        }
        if let Err(error) = self.load(self.oldest + WINDOW) {
            self.failed = Some(error);
        }
        let hash = hash(text);
        let places = self.window.get_mut(&hash)?;
        let (place, line) = places.pop_front()?;
        if places.is_empty() {
            self.window.remove(&hash);
        }
        // What lies far behind was never printed.
        while place.saturating_sub(self.oldest) > WINDOW / 2 {
            self.forget();
        }
        Some((self.file_id, line))
    }

    /// Whether the records that did not fit in memory could be written and read.
    pub(crate) fn check(&mut self) -> Result<(), CollectError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn spill(&mut self) -> Result<(), CollectError> {
        let (path, file) = if let Some(disk) = &mut self.disk {
            disk
        } else {
            let path = self.scratch.file();
            let file = File::options().read(true).write(true).create_new(true).open(&path);
            let file = file.map_err(|source| CollectError::Write { path: path.clone(), source })?;
            self.disk.insert((path, file))
        };
        let mut bytes = Vec::with_capacity(RECORD * self.fresh.len());
        for (hash, line) in self.fresh.drain(..) {
            bytes.extend(hash.to_le_bytes());
            bytes.extend(line.to_le_bytes());
        }
        file.write_all_at(&bytes, (self.on_disk * RECORD) as u64)
            .map_err(|source| CollectError::Write { path: path.clone(), source })?;
        self.on_disk += bytes.len() / RECORD;
        Ok(())
    }

    /// The record at a place.
    fn at(&mut self, place: usize) -> Result<(u64, u32), CollectError> {
        if place >= self.on_disk {
            return Ok(self.fresh[place - self.on_disk]);
        }
        if place < self.read_at || place >= self.read_at + self.read.len() {
            let count = CHUNK.min(self.on_disk - place);
            let mut bytes = vec![0; count * RECORD];
            let Some((path, file)) = &self.disk else {
                return Err(CollectError::Fault("records that were set aside are gone".to_owned()));
            };
            file.read_exact_at(&mut bytes, (place * RECORD) as u64)
                .map_err(|source| CollectError::Read { path: path.clone(), source })?;
            self.read.clear();
            self.read.extend(bytes.as_chunks::<RECORD>().0.iter().map(|record| {
                let (mut hash, mut line) = ([0; 8], [0; 4]);
                hash.copy_from_slice(&record[..8]);
                line.copy_from_slice(&record[8..]);
                (u64::from_le_bytes(hash), u32::from_le_bytes(line))
            }));
            self.read_at = place;
        }
        Ok(self.read[place - self.read_at])
    }

    fn load(&mut self, until: usize) -> Result<(), CollectError> {
        while self.loaded < until.min(self.on_disk + self.fresh.len()) {
            let (hash, line) = self.at(self.loaded)?;
            self.window.entry(hash).or_default().push_back((self.loaded, line));
            self.order.push_back(hash);
            self.loaded += 1;
        }
        Ok(())
    }

    fn forget(&mut self) {
        let Some(key) = self.order.pop_front() else { return };
        if let Some(places) = self.window.get_mut(&key) {
            if places.front().is_some_and(|(place, _)| *place == self.oldest) {
                places.pop_front();
            }
            if places.is_empty() {
                self.window.remove(&key);
            }
        }
        self.oldest += 1;
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.disk {
            // The folder of waiting rows is removed as a whole at the end; this only frees the space early.
            let _gone: io::Result<()> = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(dir: &tempfile::TempDir) -> Said {
        Said::new(&Scratch::new(dir.path().to_owned(), 0))
    }

    #[test]
    fn each_written_record_is_met_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut said = said(&dir);
        assert_eq!(said.printed("a"), None);
        for (line, text) in [(1, "a"), (2, "b"), (3, "a")] {
            said.wrote(7, line, text);
        }
        assert_eq!(said.printed("a"), Some((7, 1)));
        assert_eq!(said.printed("c"), None);
        assert_eq!(said.printed("a"), Some((7, 3)));
        assert_eq!(said.printed("a"), None);
        assert_eq!(said.printed("b"), Some((7, 2)));
    }

    #[test]
    fn long_files_are_met_to_their_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut said = said(&dir);
        let lines = u32::try_from(3 * WINDOW + 9).expect("small");
        for line in 0..lines {
            said.wrote(1, line + 1, format!("line {line}"));
        }
        assert!(said.on_disk > 0 && !said.fresh.is_empty());
        // Every third line was never printed.
        for line in (0..lines).filter(|line| line % 3 != 0) {
            assert_eq!(said.printed(format!("line {line}")), Some((1, line + 1)));
        }
        assert!(said.window.len() <= WINDOW + 1 && said.order.len() <= WINDOW + 1);
        said.check().expect("all of it could be written and read");
    }
}
