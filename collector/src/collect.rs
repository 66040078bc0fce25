//! The pipeline: list, copy into the archive, make the dataset, each under its final name only when complete.

mod make;
mod space;
mod store;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tg_model::layout::DATASET_DIR;
use tg_model::{GroupName, InstanceId, RunId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::archive::resume::Paths;
use crate::dataset::finish::Written;
use crate::error::CollectError;
use crate::rules::{Rules, WithRules};
use crate::source::{Entry, Owner, Source, SourceNote};

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
    /// How the plan's own files are read. The archive keeps them; without any, those of the source are used.
    pub rules: Option<Rules>,
}

impl Default for CollectOptions {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { only: None, archive: true, dataset: true, jobs, rules: None }
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

    /// Whether a note is on what is chosen, or on no instance at all.
    fn takes_note(&self, note: &SourceNote) -> bool {
        let mut parts = note.path.splitn(3, '/');
        let id = parts.next().zip(parts.next()).and_then(|(group, n)| format!("{group}/{n}").parse().ok());
        id.is_none_or(|id| self.takes(&Owner::Instance(id)))
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
    /// Reading the archive.
    Dataset,
    /// Writing the tables; they are counted as files.
    Tables,
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
    /// Files done in this phase.
    pub files: u64,
    /// Files to do in this phase.
    pub of_files: u64,
    /// Instances all of whose files are done in this phase.
    pub instances: u64,
    /// Instances to do in this phase.
    pub of_instances: u64,
    /// Those of the bytes done that an earlier collect had done.
    pub kept_bytes: u64,
}

impl Progress {
    /// Nothing is done, and nothing is known of what there is to do.
    pub(crate) fn begin(phase: Phase) -> Self {
        Self { phase, bytes: 0, of_bytes: 0, files: 0, of_files: 0, instances: 0, of_instances: 0, kept_bytes: 0 }
    }
}

/// Who hears how far a collect is, and who may end it.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    pub(crate) progress: &'a (dyn Fn(Progress) + Sync),
    pub(crate) cancel: &'a CancellationToken,
}

/// What a collect made.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// The archive, if one is kept.
    pub archive: Option<PathBuf>,
    /// The archive's size.
    pub archive_bytes: u64,
    /// The archive was there already, and nothing has changed at the source.
    pub unchanged: bool,
    /// Files that an earlier collect had fetched.
    pub kept_files: u64,
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
    /// Where the first note of each reason is: the file's path below the run, and the line if there is one.
    pub first_notes: BTreeMap<String, String>,
    /// Instances by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The patterns of rules that were given and that match no file.
    pub idle_rules: Vec<String>,
}

/// Collects a run from a source into a folder: `outputs.zip` and `dataset/`.
///
/// What an earlier collect has fetched, to its end or not, is not fetched again unless it has changed; the result is the
/// same. What stood there before stays until what replaces it is complete.
pub async fn collect(
    source: &dyn Source,
    run: &RunId,
    into: &Path,
    options: &CollectOptions,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: CancellationToken,
) -> Result<Collected, CollectError> {
    let locked = if into.is_dir() { Some(lock(into, run)?) } else { None };
    let ruled;
    let source: &dyn Source = match &options.rules {
        Some(rules) => {
            ruled = WithRules { inner: source, rules };
            &ruled
        }
        None => source,
    };
    let mut listing = source.list(run).await?;
    if let Some(only) = &options.only {
        let has = groups(&listing.entries);
        listing.entries.retain(|entry| only.takes(&entry.owner));
        listing.notes.retain(|note| only.takes_note(note));
        if !listing.entries.iter().any(|entry| entry.owner != Owner::Run) {
            return Err(CollectError::NothingMatches { only: only.to_string(), run: run.to_string(), has });
        }
    }
    let _lock = if let Some(lock) = locked {
        lock
    } else {
        // The folder is made for a run that is there, and for no other.
        fs::create_dir_all(into).map_err(|source| CollectError::Write { path: into.to_owned(), source })?;
        lock(into, run)?
    };
    let idle_rules = options.rules.as_ref().map(|rules| rules.idle(&listing.entries)).unwrap_or_default();
    let (files, bytes) = (listing.entries.len() as u64, listing.entries.iter().map(|entry| entry.size).sum());
    let paths = Arc::new(Paths::new(into));
    let job = store::Job { source, run, paths: paths.clone(), jobs: options.jobs, progress, cancel: &cancel };
    let archived = store::store(&job, listing).await?;
    let archive = if options.archive && archived.path == paths.partial {
        paths.publish()?;
        sync_dir(into)?;
        paths.archive.clone()
    } else {
        archived.path
    };
    let archive_bytes =
        fs::metadata(&archive).map_err(|source| CollectError::Read { path: archive.clone(), source })?.len();

    let mut collected = Collected {
        archive_bytes,
        unchanged: archived.unchanged,
        kept_files: archived.kept_files,
        files,
        bytes,
        idle_rules,
        ..Collected::default()
    };
    for note in &archived.notes {
        *collected.notes.entry(note.reason.clone()).or_default() += 1;
        if !note.path.is_empty() {
            collected.first_notes.entry(note.reason.clone()).or_insert_with(|| note.path.clone());
        }
    }
    if options.dataset {
        let written = make::make(&archive, run, into, bytes, options.jobs, progress, &cancel).await?;
        collected.dataset = Some(into.join(DATASET_DIR));
        collected.files = written.files;
        collected.bytes = written.bytes;
        collected.lines = written.lines;
        collected.rows = rows(&written);
        collected.notes = written.notes;
        collected.first_notes = written.first_notes;
        collected.outcomes = written.outcomes;
    }
    if options.archive {
        collected.archive = Some(archive);
    } else {
        paths.discard()?;
    }
    sync_dir(into)?;
    Ok(collected)
}

/// The groups of which something is there, from their first to their last instance.
fn groups(entries: &[Entry]) -> String {
    const MOST: usize = 10;
    let mut groups: BTreeMap<&GroupName, (u32, u32)> = BTreeMap::new();
    for entry in entries {
        if let Owner::Instance(id) = &entry.owner {
            let (first, last) = groups.entry(&id.group).or_insert((id.index, id.index));
            (*first, *last) = ((*first).min(id.index), (*last).max(id.index));
        }
    }
    let mut words: Vec<String> = groups
        .iter()
        .take(MOST)
        .map(|(group, (first, last))| {
            if first == last { format!("`{group}/{first}`") } else { format!("`{group}/{first}` to `{group}/{last}`") }
        })
        .collect();
    if groups.len() > MOST {
        words.push(format!("{} more groups", groups.len() - MOST));
    }
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
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

/// Passes progress on until whoever makes it is done.
async fn watch_progress(mut told: watch::Receiver<Progress>, progress: &(dyn Fn(Progress) + Sync)) {
    progress(*told.borrow_and_update());
    while told.changed().await.is_ok() {
        let at = *told.borrow_and_update();
        progress(at);
    }
}

fn sync_dir(dir: &Path) -> Result<(), CollectError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| CollectError::Write { path: dir.to_owned(), source })
}
