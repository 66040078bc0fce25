//! The places of peers in the keyspace, by number: in memory while they are few, else on disk.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::scratch::Scratch;
use crate::error::CollectError;

/// A place, if it is known.
type Place = Option<[u8; 32]>;

/// So many places stay in memory: 33 MiB.
const MOST_IN_MEMORY: usize = 1 << 20;
/// A record on disk: whether it is known, and the place.
const RECORD: usize = 33;
/// So many places that were read from disk are remembered.
const REMEMBERED: usize = 1 << 16;

/// The places of all peers of a run.
pub(crate) struct Places {
    scratch: Option<Arc<Scratch>>,
    most: usize,
    memory: Vec<Place>,
    disk: Option<Disk>,
}

struct Disk {
    path: PathBuf,
    out: BufWriter<File>,
    count: u32,
    /// By the low bits of the number.
    cache: RefCell<Vec<Option<(u32, Place)>>>,
    /// Why a place could not be read.
    failed: RefCell<Option<io::Error>>,
}

impl Places {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        Self { scratch: Some(scratch.clone()), most: MOST_IN_MEMORY, memory: Vec::new(), disk: None }
    }

    /// These places, in memory.
    #[cfg(test)]
    pub(crate) fn of(memory: Vec<Place>) -> Self {
        Self { scratch: None, most: usize::MAX, memory, disk: None }
    }

    /// The place of the next number.
    pub(crate) fn push(&mut self, place: Place) -> Result<(), CollectError> {
        if self.disk.is_none() && self.memory.len() < self.most {
            self.memory.push(place);
            return Ok(());
        }
        let memory = std::mem::take(&mut self.memory);
        let disk = match (&mut self.disk, &self.scratch) {
            (Some(disk), _) => disk,
            (None, Some(scratch)) => self.disk.insert(Disk::new(scratch.file())?),
            (None, None) => return Err(CollectError::Fault("places without a folder".to_owned())),
        };
        for place in memory {
            disk.push(place)?;
        }
        disk.push(place)
    }

    pub(crate) fn finish(mut self) -> Result<Self, CollectError> {
        if let Some(disk) = &mut self.disk {
            let path = disk.path.clone();
            disk.out.flush().map_err(|source| CollectError::Write { path, source })?;
        }
        Ok(self)
    }

    /// The place of a number. What cannot be read is told by [`check`](Self::check).
    pub(crate) fn get(&self, number: u32) -> Place {
        match &self.disk {
            None => *self.memory.get(number as usize)?,
            Some(disk) => disk.get(number),
        }
    }

    /// Whether every place that was asked for could be read.
    pub(crate) fn check(&self) -> Result<(), CollectError> {
        match &self.disk {
            Some(disk) if disk.failed.borrow().is_some() => {
                let source = disk.failed.take().unwrap_or_else(|| io::Error::other("a place is lost"));
                Err(CollectError::Read { path: disk.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

impl Disk {
    fn new(path: PathBuf) -> Result<Self, CollectError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|source| CollectError::Write { path: path.clone(), source })?;
        let cache = RefCell::new(vec![None; REMEMBERED]);
        let out = BufWriter::with_capacity(256 << 10, file);
        Ok(Self { path, out, count: 0, cache, failed: RefCell::default() })
    }

    fn push(&mut self, place: Place) -> Result<(), CollectError> {
        let mut record = [0; RECORD];
        if let Some(place) = place {
            record[0] = 1;
            record[1..].copy_from_slice(&place);
        }
        self.count += 1;
        let path = &self.path;
        self.out.write_all(&record).map_err(|source| CollectError::Write { path: path.clone(), source })
    }

    fn get(&self, number: u32) -> Place {
        if number >= self.count {
            return None;
        }
        let slot = number as usize % REMEMBERED;
        if let Some((of, place)) = self.cache.borrow()[slot]
            && of == number
        {
            return place;
        }
        let mut record = [0; RECORD];
        let read = self.out.get_ref().read_exact_at(&mut record, u64::from(number) * RECORD as u64);
        if let Err(error) = read {
            self.failed.replace(Some(error));
            return None;
        }
        let mut place = [0; 32];
        place.copy_from_slice(&record[1..]);
        let place = (record[0] == 1).then_some(place);
        self.cache.borrow_mut()[slot] = Some((number, place));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_disk_are_those_that_would_be_in_memory() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = |number: u32| (!number.is_multiple_of(3)).then(|| [number.to_le_bytes()[0]; 32]);
        let mut places = Places { most: 10, ..Places::new(&Scratch::new(dir.path().to_owned(), 0)) };
        for number in 0..200 {
            places.push(place(number)).expect("it can be written");
        }
        let places = places.finish().expect("it can be written");
        assert!(places.disk.is_some() && places.memory.is_empty());
        for number in (0..200).chain((0..200).rev()) {
            assert_eq!(places.get(number), place(number));
        }
        assert_eq!(places.get(200), None);
        assert!(places.check().is_ok());
        let disk = places.disk.as_ref().expect("it is on disk");
        disk.out.get_ref().set_len(10).expect("it can be cut");
        disk.cache.borrow_mut().fill(None);
        assert_eq!(places.get(7), None);
        assert!(places.check().is_err());
    }
}
