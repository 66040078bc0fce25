//! Where the files of a run are.

pub(crate) mod archive;
pub(crate) mod folder;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod s3;
pub(crate) mod tgz;

use std::io::Read;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use tg_model::{InstanceId, RunId};

use crate::error::CollectError;

/// A future that a [`Source`] returns.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = Result<T, CollectError>> + Send + 'a>>;

/// A place that has the files of runs. Nothing is ever written to it.
pub trait Source: Send + Sync {
    /// The place in words, for messages.
    fn place(&self) -> String;

    /// Every file of a run, in the order of [`Entry::key`]; an error if the place has no such run.
    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing>;

    /// The content of a file.
    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body>;

    /// How many files are asked for ahead of the one that is stored.
    fn ahead(&self) -> usize {
        32
    }
}

/// The content of a file. It is read on a thread that may block.
pub type Body = Box<dyn Read + Send>;

/// The files of a run.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Every file that can be collected.
    pub entries: Vec<Entry>,
    /// What cannot be, or was odd.
    pub notes: Vec<SourceNote>,
}

/// Who a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The run itself.
    Run,
    /// One of its instances.
    Instance(InstanceId),
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub owner: Owner,
    /// Its name below its owner, with `/`; safe as a path.
    pub name: String,
    /// Its size as listed.
    pub size: u64,
    /// Where the source finds it.
    pub locator: String,
    /// What the source knows its content by, such as an `ETag` or the time of its last change: the same text means the
    /// same bytes. Without one, a collect that goes on fetches the file again.
    pub version: Option<String>,
}

impl Entry {
    /// Its path below the run: `group/index/name`, or just the name for a file of the run.
    pub fn path(&self) -> String {
        match &self.owner {
            Owner::Run => self.name.clone(),
            Owner::Instance(id) => format!("{id}/{}", self.name),
        }
    }

    /// What entries are sorted by: the run's files first, then groups by name, instances by number, files by name.
    pub fn key(&self) -> (&Owner, &str) {
        (&self.owner, &self.name)
    }
}

/// Something that went wrong at the source; a line of `notes.ndjson` in the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceNote {
    /// The file's path below the run; empty where there is none.
    pub path: String,
    /// A short fixed word.
    pub reason: String,
    /// The details.
    pub text: String,
}

impl SourceNote {
    pub(crate) fn new(path: &str, reason: &str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.to_owned(), text: text.into() }
    }
}
