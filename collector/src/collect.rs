//! The pipeline: list, copy into the archive, make the dataset, each under its final name only when complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt as _};
use tg_model::layout::{ARCHIVE_FILE, DATASET_DIR, NOTES_FILE, PARTIAL};
use tg_model::{GroupName, InstanceId, RunId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::archive::write::{Feed, Item, write};
use crate::dataset::build::build;
use crate::dataset::finish::Written;
use crate::error::CollectError;
use crate::source::{Body, Listing, Owner, Source, SourceNote};

/// How many files are asked for ahead.
const AHEAD: usize = 32;

/// What is wanted of a collect.
#[derive(Debug, Clone)]
pub struct CollectOptions {
    /// Only these instances.
    pub only: Option<Only>,
    /// Keep the archive.
    pub archive: bool,
    /// Make the dataset.
    pub dataset: bool,
    /// How many threads work.
    pub jobs: usize,
}

impl Default for CollectOptions {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { only: None, archive: true, dataset: true, jobs }
    }
}

/// A choice of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// All of a group.
    Group(GroupName),
    /// One.
    Instance(InstanceId),
}

impl Only {
    fn takes(&self, owner: &Owner) -> bool {
        match (self, owner) {
            (_, Owner::Run) => true,
            (Self::Group(group), Owner::Instance(id)) => id.group == *group,
            (Self::Instance(only), Owner::Instance(id)) => id == only,
        }
    }
}

impl std::str::FromStr for Only {
    type Err = tg_model::ids::BadName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') { text.parse().map(Self::Instance) } else { text.parse().map(Self::Group) }
    }
}

impl std::fmt::Display for Only {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group(group) => write!(f, "{group}"),
            Self::Instance(id) => write!(f, "{id}"),
        }
    }
}

/// What a collect is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Copying files into the archive.
    Archive,
    /// Reading the archive into tables.
    Dataset,
}

/// How far a collect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// Bytes done in this phase.
    pub bytes: u64,
    /// Bytes to do in this phase.
    pub of_bytes: u64,
    /// Files done in this phase; 0 where only bytes are counted.
    pub files: u64,
    /// Files to do in this phase.
    pub of_files: u64,
}

/// What a collect made.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// The archive, if one is kept.
    pub archive: Option<PathBuf>,
    /// The archive's size.
    pub archive_bytes: u64,
    /// The dataset's folder, if one was made.
    pub dataset: Option<PathBuf>,
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their lines.
    pub lines: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Notes by reason.
    pub notes: BTreeMap<String, u64>,
    /// Instances by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
}

/// Collects a run from a source into a folder: `outputs.zip` and `dataset/`.
///
/// The archive is made again each time; what stood there before stays until the new one is complete.
pub async fn collect(
    source: &dyn Source,
    run: &RunId,
    into: &Path,
    options: &CollectOptions,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: CancellationToken,
) -> Result<Collected, CollectError> {
    fs::create_dir_all(into).map_err(|source| CollectError::Write { path: into.to_owned(), source })?;
    let _lock = lock(into, run)?;
    let mut listing = source.list(run).await?;
    if let Some(only) = &options.only {
        listing.entries.retain(|entry| only.takes(&entry.owner));
        if !listing.entries.iter().any(|entry| entry.owner != Owner::Run) {
            return Err(CollectError::NothingMatches { only: only.to_string(), run: run.to_string() });
        }
    }
    let partial = into.join(format!("{ARCHIVE_FILE}{PARTIAL}"));
    let stored_notes = store(source, run, &partial, &listing, options.jobs, progress, &cancel).await?;
    let archive_bytes =
        fs::metadata(&partial).map_err(|source| CollectError::Read { path: partial.clone(), source })?.len();

    let mut collected = Collected { archive_bytes, ..Collected::default() };
    for note in &stored_notes {
        *collected.notes.entry(note.reason.clone()).or_default() += 1;
    }
    if options.dataset {
        let written = make(&partial, run, into, options.jobs, progress, &cancel).await?;
        collected.dataset = Some(into.join(DATASET_DIR));
        collected.files = written.files;
        collected.bytes = written.bytes;
        collected.lines = written.lines;
        collected.rows = rows(&written);
        collected.notes = written.notes;
        collected.outcomes = written.outcomes;
    } else {
        collected.files = listing.entries.len() as u64;
        collected.bytes = listing.entries.iter().map(|entry| entry.size).sum();
    }
    if options.archive {
        let archive = into.join(ARCHIVE_FILE);
        rename(&partial, &archive)?;
        collected.archive = Some(archive);
    } else {
        fs::remove_file(&partial).map_err(|source| CollectError::Write { path: partial.clone(), source })?;
    }
    sync_dir(into)?;
    Ok(collected)
}

/// Keeps every other collect out of the folder until it is dropped.
fn lock(into: &Path, run: &RunId) -> Result<File, CollectError> {
    let failed = |source| CollectError::Write { path: into.to_owned(), source };
    let dir = File::open(into).map_err(failed)?;
    match dir.try_lock() {
        Ok(()) => Ok(dir),
        Err(fs::TryLockError::WouldBlock) => Err(CollectError::Busy { run: run.to_string() }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn rows(written: &Written) -> BTreeMap<String, u64> {
    written.tables.iter().map(|(name, parts)| (name.clone(), parts.iter().map(|part| part.rows).sum())).collect()
}

/// The files of a listing as they are opened, and at last what went wrong with them.
struct Opened {
    run: RunId,
    files: mpsc::Receiver<(String, Result<Body, CollectError>)>,
    notes: Vec<SourceNote>,
    noted: bool,
    cancel: CancellationToken,
}

impl Feed for Opened {
    fn next(&mut self) -> io::Result<Option<Item>> {
        loop {
            let next = self.files.blocking_recv();
            if self.cancel.is_cancelled() {
                return Err(io::Error::from(io::ErrorKind::Interrupted));
            }
            match next {
                Some((path, Ok(content))) => return Ok(Some(Item { name: format!("{}/{path}", self.run), content })),
                Some((path, Err(error))) => self.notes.push(SourceNote::new(&path, "unreadable", words(&error))),
                None if self.noted || self.notes.is_empty() => return Ok(None),
                None => {
                    self.noted = true;
                    self.notes.sort();
                    let mut text = Vec::new();
                    for note in &self.notes {
                        serde_json::to_writer(&mut text, note).map_err(io::Error::from)?;
                        text.push(b'\n');
                    }
                    let content = Box::new(io::Cursor::new(text));
                    return Ok(Some(Item { name: format!("{}/{NOTES_FILE}", self.run), content }));
                }
            }
        }
    }

    fn was_cut(&mut self, name: &str, error: &io::Error) {
        let path = name.split_once('/').map_or(name, |(_, path)| path);
        self.notes.push(SourceNote::new(path, "cut-file", error.to_string()));
    }
}

/// An error with its causes, in one line.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Copies every file into the archive and gives the notes that were made on the way.
async fn store(
    source: &dyn Source,
    run: &RunId,
    path: &Path,
    listing: &Listing,
    jobs: usize,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Vec<SourceNote>, CollectError> {
    let (send, files) = mpsc::channel(AHEAD);
    let of_bytes = listing.entries.iter().map(|entry| entry.size).sum();
    let mut at =
        Progress { phase: Phase::Archive, bytes: 0, of_bytes, files: 0, of_files: listing.entries.len() as u64 };
    let (tell, told) = watch::channel(at);
    let mut opened =
        Opened { run: run.clone(), files, notes: listing.notes.clone(), noted: false, cancel: cancel.clone() };
    let target = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || {
        let wrote = write(&target, jobs, &mut opened, &mut |bytes| {
            at.files += 1;
            at.bytes += bytes;
            at.of_bytes = at.of_bytes.max(at.bytes);
            at.of_files = at.of_files.max(at.files);
            tell.send_replace(at);
        });
        (wrote, opened.notes)
    });
    let feed = async {
        let mut files = stream::iter(&listing.entries)
            .map(|entry| async move { (entry.path(), source.open(entry).await) })
            .buffered(AHEAD);
        loop {
            let next = tokio::select! {
                next = files.next() => next,
                () = cancel.cancelled() => None,
            };
            let Some(next) = next else { break };
            // A writer that went away has its own error to tell.
            if send.send(next).await.is_err() {
                break;
            }
        }
        drop(send);
    };
    let ((), (), joined) = tokio::join!(feed, watch_progress(told, progress), writer);
    let (wrote, notes) = joined.map_err(|error| CollectError::Fault(error.to_string()))?;
    if cancel.is_cancelled() {
        return Err(CollectError::Cancelled);
    }
    wrote.map_err(|source| CollectError::Write { path: path.to_owned(), source })?;
    Ok(notes)
}

/// Passes progress on until whoever makes it is done.
async fn watch_progress(mut told: watch::Receiver<Progress>, progress: &(dyn Fn(Progress) + Sync)) {
    progress(*told.borrow_and_update());
    while told.changed().await.is_ok() {
        let at = *told.borrow_and_update();
        progress(at);
    }
}

/// Makes the dataset from the archive and puts it in its place.
async fn make(
    archive: &Path,
    run: &RunId,
    into: &Path,
    jobs: usize,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Written, CollectError> {
    let (tell, told) = watch::channel(Progress { phase: Phase::Dataset, bytes: 0, of_bytes: 0, files: 0, of_files: 0 });
    let (archive, run, cancel) = (archive.to_owned(), run.clone(), cancel.clone());
    let partial = into.join(format!("{DATASET_DIR}{PARTIAL}"));
    let target = into.join(DATASET_DIR);
    let builder = tokio::task::spawn_blocking(move || {
        clear(&partial)?;
        fs::create_dir_all(&partial).map_err(|source| CollectError::Write { path: partial.clone(), source })?;
        let written = build(
            &archive,
            &run,
            &partial,
            jobs,
            &|bytes, of_bytes| {
                tell.send_if_modified(|at| {
                    at.bytes = at.bytes.max(bytes);
                    at.of_bytes = of_bytes;
                    true
                });
            },
            &cancel,
        )?;
        sync_tree(&partial)?;
        clear(&target)?;
        rename(&partial, &target)?;
        Ok(written)
    });
    let ((), joined) = tokio::join!(watch_progress(told, progress), builder);
    joined.map_err(|error| CollectError::Fault(error.to_string()))?
}

fn clear(dir: &Path) -> Result<(), CollectError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CollectError::Write { path: dir.to_owned(), source }),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), CollectError> {
    fs::rename(from, to).map_err(|source| CollectError::Write { path: to.to_owned(), source })
}

fn sync_dir(dir: &Path) -> Result<(), CollectError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| CollectError::Write { path: dir.to_owned(), source })
}

/// Makes sure that the names in a folder and in its folders are on disk.
fn sync_tree(dir: &Path) -> Result<(), CollectError> {
    let read = |source| CollectError::Read { path: dir.to_owned(), source };
    for child in fs::read_dir(dir).map_err(read)? {
        let child = child.map_err(read)?;
        if child.file_type().map_err(read)?.is_dir() {
            sync_dir(&child.path())?;
        }
    }
    sync_dir(dir)
}
