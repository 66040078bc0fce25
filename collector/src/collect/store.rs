//! The first half of a collect: every file of the source into the archive.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tg_model::RunId;
use tg_model::layout::NOTES_FILE;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Phase, Progress, space, watch_progress, words};
use crate::archive::journal::{Begun, Complete, Line, Wanted};
use crate::archive::resume::{Paths, Plan, plan};
use crate::archive::write::{Feed, Item, write};
use crate::error::CollectError;
use crate::read::file::NOTE_BYTES;
use crate::read::lines::Lines;
use crate::s3::fetch::Lost;
use crate::source::{Body, Entry, Listing, Owner, Source, SourceNote};

/// An archive that is complete.
pub(super) struct Archived {
    /// Where it is: under its final name, if it was there already, else under that of one that is being made.
    pub(super) path: PathBuf,
    /// What went wrong at the source.
    pub(super) notes: Vec<SourceNote>,
    /// Files that an earlier collect had stored.
    pub(super) kept_files: u64,
    /// It was complete before.
    pub(super) unchanged: bool,
}

/// What is needed to fetch.
pub(super) struct Job<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) run: &'a RunId,
    pub(super) paths: Arc<Paths>,
    pub(super) jobs: usize,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
    pub(super) cancel: &'a CancellationToken,
}

/// Where the content of a file comes from.
enum From {
    Kept(Line, Arc<File>),
    Source(Result<Body, CollectError>),
}

/// A file that is to be stored.
struct Next {
    wanted: Wanted,
    last_of_instance: bool,
    /// Where an archive of ours has it already.
    found: Option<(Line, Arc<File>)>,
}

/// The files of a listing as they are opened, and at last what went wrong with them.
struct Opened {
    run: RunId,
    files: mpsc::Receiver<(Wanted, bool, From)>,
    notes: Vec<SourceNote>,
    noted: bool,
    cancel: CancellationToken,
    at: Progress,
    /// The file that is being read, and whether it is the last of its instance.
    reading: Option<bool>,
    tell: watch::Sender<Progress>,
    /// Why nothing more can be read at all.
    lost: Option<CollectError>,
}

impl Opened {
    /// The file before is done.
    fn ended(&mut self) {
        if let Some(last_of_instance) = self.reading.take() {
            self.at.files += 1;
            self.at.instances += u64::from(last_of_instance);
            self.tell.send_replace(self.at);
        }
    }

    fn own_notes(&mut self) -> io::Result<Option<Item>> {
        if self.noted || self.notes.is_empty() {
            return Ok(None);
        }
        self.noted = true;
        self.notes.sort();
        self.notes.dedup();
        let mut text = Vec::new();
        for note in &self.notes {
            serde_json::to_writer(&mut text, note).map_err(io::Error::from)?;
            text.push(b'\n');
        }
        let name = format!("{}/{NOTES_FILE}", self.run);
        let wanted = Wanted { name, listed_bytes: text.len() as u64, version: None };
        Ok(Some(Item::Read(wanted, Box::new(io::Cursor::new(text)))))
    }

    fn below(name: &str) -> &str {
        name.split_once('/').map_or(name, |(_, path)| path)
    }
}

impl Feed for Opened {
    fn next(&mut self) -> io::Result<Option<Item>> {
        self.ended();
        loop {
            let next = self.files.blocking_recv();
            if self.cancel.is_cancelled() {
                return Err(io::Error::from(io::ErrorKind::Interrupted));
            }
            let Some((wanted, last_of_instance, from)) = next else { return self.own_notes() };
            self.reading = Some(last_of_instance);
            match from {
                From::Kept(line, file) => {
                    self.at.kept_bytes += line.stored.size;
                    return Ok(Some(Item::Kept(line, file)));
                }
                From::Source(Ok(content)) => return Ok(Some(Item::Read(wanted, content))),
                // Where the source itself is gone, what is missing is no note: the rest can be fetched later.
                From::Source(Err(error @ CollectError::Source { .. })) => {
                    self.lost = Some(error);
                    return Err(io::Error::other("the source is gone"));
                }
                From::Source(Err(error)) => {
                    self.notes.push(SourceNote::new(Self::below(&wanted.name), "unreadable", words(&error)));
                    self.ended();
                }
            }
        }
    }

    fn read(&mut self, bytes: u64) {
        if self.reading.is_some() {
            self.at.bytes += bytes;
            self.at.of_bytes = self.at.of_bytes.max(self.at.bytes);
            self.tell.send_replace(self.at);
        }
    }

    fn was_cut(&mut self, name: &str, error: io::Error) -> io::Result<()> {
        match error.downcast::<Lost>() {
            Ok(Lost(error)) => {
                self.lost = Some(error);
                Err(io::Error::other("the source is gone"))
            }
            Err(error) => {
                self.notes.push(SourceNote::new(Self::below(name), "cut-file", error.to_string()));
                Ok(())
            }
        }
    }

    fn was_resized(&mut self, name: &str, listed_bytes: u64, read_bytes: u64) {
        let text = format!("it had {listed_bytes} bytes when it was listed, and {read_bytes} when it was read");
        self.notes.push(SourceNote::new(Self::below(name), "changed", text));
    }
}

/// Makes the archive of the listing, from where earlier collects have left it.
pub(super) async fn store(job: &Job<'_>, mut listing: Listing) -> Result<Archived, CollectError> {
    earlier_notes(job.source, &mut listing).await?;
    listing.notes.sort();
    listing.notes.dedup();
    let wanted = |entry: &Entry| Wanted {
        name: format!("{}/{}", job.run, entry.path()),
        listed_bytes: entry.size,
        version: entry.version.clone(),
    };
    let all: Vec<Wanted> = listing.entries.iter().map(wanted).collect();
    let planned = {
        let (paths, notes) = (job.paths.clone(), listing.notes.clone());
        let begun = Begun::new(job.run, job.source.place());
        let all = all.clone();
        tokio::task::spawn_blocking(move || plan(&paths, &begun, &all, &notes))
            .await
            .map_err(|error| CollectError::Fault(error.to_string()))??
    };
    let (begun, found) = match planned {
        Plan::Whole { path, complete } => {
            let kept_files = all.len() as u64;
            return Ok(Archived { path, notes: complete.notes, kept_files, unchanged: true });
        }
        Plan::Write { begun, found } => (begun, found),
    };
    let kept = begun.kept.len();
    let kept_files = (kept + found.iter().flatten().count()) as u64;
    let last_of_instance: Vec<bool> = (0..listing.entries.len())
        .map(|at| {
            let owner = &listing.entries[at].owner;
            *owner != Owner::Run && listing.entries.get(at + 1).is_none_or(|next| next.owner != *owner)
        })
        .collect();
    let count = |flags: &[bool]| flags.iter().filter(|&&last| last).count() as u64;
    let kept_bytes = begun.kept.iter().map(|line| line.stored.size).sum();
    let at = Progress {
        phase: Phase::Archive,
        bytes: kept_bytes,
        of_bytes: all.iter().map(|wanted| wanted.listed_bytes).sum(),
        files: kept as u64,
        of_files: all.len() as u64,
        instances: count(&last_of_instance[..kept]),
        of_instances: count(&last_of_instance),
        kept_bytes,
    };
    let rest: Vec<Next> = all
        .into_iter()
        .zip(last_of_instance)
        .skip(kept)
        .zip(found)
        .map(|((wanted, last_of_instance), found)| Next { wanted, last_of_instance, found })
        .collect();
    let ahead = job.source.ahead();
    let (send, files) = mpsc::channel(ahead);
    let (tell, told) = watch::channel(at);
    let mut opened = Opened {
        run: job.run.clone(),
        files,
        notes: listing.notes,
        noted: false,
        cancel: job.cancel.clone(),
        at,
        reading: None,
        tell,
        lost: None,
    };
    let jobs = job.jobs;
    let writer = tokio::task::spawn_blocking(move || {
        let wrote = write(begun, jobs, &mut opened);
        let at = opened.at;
        (wrote, opened.notes, at, opened.lost)
    });
    let feed = async {
        let rest: Vec<(Entry, Next)> = listing.entries.drain(kept..).zip(rest).collect();
        let source = job.source;
        let mut files = stream::iter(rest)
            .map(|(entry, Next { wanted, last_of_instance, found })| async move {
                let from = match found {
                    Some((line, file)) => From::Kept(line, file),
                    None => From::Source(source.open(&entry).await),
                };
                (wanted, last_of_instance, from)
            })
            .buffered(ahead);
        loop {
            let next = tokio::select! {
                next = files.next() => next,
                () = job.cancel.cancelled() => None,
            };
            let Some(next) = next else { break };
            // A writer that went away has its own error to tell.
            if send.send(next).await.is_err() {
                break;
            }
        }
        drop(send);
    };
    let ((), (), joined) = tokio::join!(feed, watch_progress(told, job.progress), writer);
    let (wrote, notes, at, lost) = joined.map_err(|error| CollectError::Fault(error.to_string()))?;
    if job.cancel.is_cancelled() {
        return Err(CollectError::Cancelled);
    }
    if let Some(lost) = lost {
        return Err(lost);
    }
    let path = job.paths.partial.clone();
    let failed = |source: io::Error| space::write_failed(&path, source, || space::archive_needs(&path, at));
    let (file, journal) = wrote.map_err(failed)?;
    Complete::of(&file, notes.clone())
        .and_then(|complete| journal.complete(complete))
        .map_err(|source| CollectError::Write { path: job.paths.partial_journal.clone(), source })?;
    job.paths.tidy()?;
    Ok(Archived { path, notes, kept_files, unchanged: false })
}

/// Takes the notes that stand in an archive into account: they are told again, together with those of now.
async fn earlier_notes(source: &dyn Source, listing: &mut Listing) -> Result<(), CollectError> {
    let own = |entry: &Entry| entry.owner == Owner::Run && entry.name == NOTES_FILE;
    let Some(at) = listing.entries.iter().position(own) else { return Ok(()) };
    let entry = listing.entries.remove(at);
    let body = source.open(&entry).await?;
    let read = tokio::task::spawn_blocking(move || notes_of(body, MOST_NOTES_BYTES)).await;
    listing.notes.extend(read.map_err(|error| CollectError::Fault(error.to_string()))?);
    Ok(())
}

/// Whose archive it is cannot be known, and its notes are held in memory: no more of them are than this.
const MOST_NOTES_BYTES: usize = 32 << 20;

/// The notes that a file tells, up to a limit. What cannot be read of it is a note of its own.
fn notes_of(file: impl io::Read, most_bytes: usize) -> Vec<SourceNote> {
    let mut notes = Vec::new();
    let mut lines = Lines::new(file);
    let mut bytes = 0;
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return notes,
            Err(error) => {
                notes.push(SourceNote::new(NOTES_FILE, "cut-file", error.to_string()));
                return notes;
            }
        };
        bytes += line.bytes.len();
        if bytes > most_bytes {
            let text = format!(
                "it is longer than {most_bytes} bytes; what follows line {} is not told again",
                line.number - 1
            );
            notes.push(SourceNote::new(NOTES_FILE, "long-file", text));
            return notes;
        }
        if line.bytes.is_empty() {
            continue;
        }
        notes.push(serde_json::from_slice(line.bytes).unwrap_or_else(|_| {
            let head = &line.bytes[..line.bytes.len().min(NOTE_BYTES)];
            SourceNote::new(NOTES_FILE, "bad-record", String::from_utf8_lossy(head))
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_another_archive_are_told_up_to_a_limit() {
        let note = |n: usize| format!("{{\"path\":\"g/{n}/x\",\"reason\":\"renamed\",\"text\":\"\"}}\n");
        let text = format!("{}nonsense\n\n{}{}", note(1), note(2), note(3));
        let tell = |most: usize| {
            let notes = notes_of(text.as_bytes(), most);
            notes.iter().map(|note| format!("{} {}", note.path, note.reason)).collect::<Vec<_>>()
        };
        let all = ["g/1/x renamed", "notes.ndjson bad-record", "g/2/x renamed", "g/3/x renamed"];
        assert_eq!(tell(text.len()), all);
        assert_eq!(tell(2 * note(1).len() + 8)[..3], all[..3]);
        assert_eq!(tell(2 * note(1).len() + 8)[3..], ["notes.ndjson long-file"]);
    }
}
