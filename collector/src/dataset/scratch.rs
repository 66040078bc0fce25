//! Batches of rows that wait: in memory while there is room, else on disk.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use crate::error::CollectError;

/// Room for waiting batches, shared by all tables of a dataset.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
    room: usize,
    used: AtomicUsize,
    next: AtomicU64,
}

impl Scratch {
    pub(crate) fn new(dir: PathBuf, room: usize) -> Arc<Self> {
        Arc::new(Self { dir, room, used: AtomicUsize::new(0), next: AtomicU64::new(0) })
    }

    fn reserve(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.room {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        true
    }

    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A new file for whatever does not fit.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join(format!("{}.rows", self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

fn spill(path: &Path) -> impl FnOnce(std::io::Error) -> CollectError {
    let path = path.to_owned();
    move |source| CollectError::Write { path, source }
}

fn broken(path: &Path) -> impl FnOnce(ArrowError) -> CollectError {
    let path = path.to_owned();
    move |source| CollectError::Columns { what: format!("waiting rows in `{}`", path.display()), source }
}

/// A sequence of batches that grows.
pub(crate) struct PileWriter {
    scratch: Arc<Scratch>,
    memory: Vec<RecordBatch>,
    reserved: usize,
    disk: Option<(PathBuf, StreamWriter<BufWriter<File>>)>,
}

impl PileWriter {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        Self { scratch: scratch.clone(), memory: Vec::new(), reserved: 0, disk: None }
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CollectError> {
        let bytes = batch.get_array_memory_size();
        if self.disk.is_none() && self.scratch.reserve(bytes) {
            self.reserved += bytes;
            self.memory.push(batch);
            return Ok(());
        }
        if self.disk.is_none() {
            let path = self.scratch.file();
            let file = File::create(&path).map_err(spill(&path))?;
            let writer = StreamWriter::try_new(BufWriter::new(file), &batch.schema()).map_err(broken(&path))?;
            self.disk = Some((path, writer));
        }
        let Some((path, writer)) = &mut self.disk else { return Ok(()) };
        for waiting in self.memory.drain(..) {
            writer.write(&waiting).map_err(broken(path))?;
        }
        self.scratch.release(std::mem::take(&mut self.reserved));
        writer.write(&batch).map_err(broken(path))
    }

    pub(crate) fn finish(mut self) -> Result<Pile, CollectError> {
        let mut disk = None;
        if let Some((path, mut writer)) = self.disk.take() {
            writer.finish().map_err(broken(&path))?;
            disk = Some(path);
        }
        let pile = Pile {
            scratch: self.scratch.clone(),
            memory: std::mem::take(&mut self.memory),
            reserved: std::mem::take(&mut self.reserved),
            disk,
        };
        Ok(pile)
    }
}

impl Drop for PileWriter {
    fn drop(&mut self) {
        self.scratch.release(self.reserved);
    }
}

/// A finished sequence of batches; gone when dropped.
#[derive(Debug)]
pub(crate) struct Pile {
    scratch: Arc<Scratch>,
    memory: Vec<RecordBatch>,
    reserved: usize,
    disk: Option<PathBuf>,
}

impl Pile {
    /// The batches, in the order in which they came.
    pub(crate) fn read(&self) -> Result<PileReader<'_>, CollectError> {
        let disk = match &self.disk {
            None => None,
            Some(path) => {
                let file = File::open(path).map_err(spill(path))?;
                let reader = StreamReader::try_new(BufReader::new(file), None).map_err(broken(path))?;
                Some((path.as_path(), reader))
            }
        };
        Ok(PileReader { memory: self.memory.iter(), disk })
    }
}

impl Drop for Pile {
    fn drop(&mut self) {
        self.scratch.release(self.reserved);
        if let Some(path) = &self.disk {
            // The folder of waiting rows is removed as a whole at the end; this only frees the space early.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Reads a [`Pile`].
pub(crate) struct PileReader<'a> {
    memory: std::slice::Iter<'a, RecordBatch>,
    disk: Option<(&'a Path, StreamReader<BufReader<File>>)>,
}

impl Iterator for PileReader<'_> {
    type Item = Result<RecordBatch, CollectError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(batch) = self.memory.next() {
            return Some(Ok(batch.clone()));
        }
        let (path, reader) = self.disk.as_mut()?;
        reader.next().map(|batch| batch.map_err(broken(path)))
    }
}
