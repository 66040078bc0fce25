//! Finds what earlier collects have left of an archive, so that nothing is fetched twice.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tg_model::layout::{ARCHIVE_FILE, NOTES_FILE, PARTIAL};

use super::journal::{self, Complete, Journal, JournalWriter, Line, Wanted};
use super::write::Begun;
use crate::error::CollectError;
use crate::source::SourceNote;

/// The files of an archive in its folder.
#[derive(Debug)]
pub(crate) struct Paths {
    /// The archive, and the journal that belongs to it.
    pub(crate) archive: PathBuf,
    pub(crate) journal: PathBuf,
    /// The archive that is being made.
    pub(crate) partial: PathBuf,
    pub(crate) partial_journal: PathBuf,
    /// One that was being made of files that changed meanwhile.
    earlier: PathBuf,
    earlier_journal: PathBuf,
}

impl Paths {
    pub(crate) fn new(dir: &Path) -> Self {
        let path = |name: &str| dir.join(format!("{ARCHIVE_FILE}{name}"));
        Self {
            archive: path(""),
            journal: path(".journal"),
            partial: path(PARTIAL),
            partial_journal: path(&format!(".journal{PARTIAL}")),
            earlier: path(&format!(".earlier{PARTIAL}")),
            earlier_journal: path(&format!(".earlier.journal{PARTIAL}")),
        }
    }

    /// Gives the archive that was made its name.
    pub(crate) fn publish(&self) -> Result<(), CollectError> {
        rename(&self.partial, &self.archive)?;
        rename(&self.partial_journal, &self.journal)
    }

    /// Removes the archive that was made.
    pub(crate) fn discard(&self) -> Result<(), CollectError> {
        remove(&self.partial)?;
        remove(&self.partial_journal)
    }

    /// Removes what an interrupted collect has left beside the archive that was being made.
    pub(crate) fn tidy(&self) -> Result<(), CollectError> {
        remove(&self.earlier)?;
        remove(&self.earlier_journal)
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), CollectError> {
    fs::rename(from, to).map_err(|source| CollectError::Write { path: to.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), CollectError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CollectError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Files that an archive holds and that may be copied from it.
struct Donor {
    file: Arc<File>,
    lines: HashMap<String, Line>,
}

/// What there is to do.
pub(crate) enum Plan {
    /// Nothing: this archive is what would be made.
    Whole { path: PathBuf, complete: Complete },
    /// To write what is missing. `found` has, for each file that is wanted after those that the archive holds, where
    /// it can be copied from.
    Write { begun: Begun, found: Vec<Option<(Line, Arc<File>)>> },
}

/// Looks what there is of an archive of these files and these notes.
pub(crate) fn plan(
    paths: &Paths,
    begun: &journal::Begun,
    wanted: &[Wanted],
    notes: &[SourceNote],
) -> Result<Plan, CollectError> {
    let ours = |path: &Path| Ok(Journal::load(path)?.filter(|journal| journal.begun == *begun));
    let mut partial = ours(&paths.partial_journal)?;
    // Killed between the two renames of `publish`.
    if let Some(complete) = partial.as_ref().and_then(|journal| journal.complete.as_ref())
        && !paths.partial.exists()
        && complete.describes(&paths.archive)
    {
        rename(&paths.partial_journal, &paths.journal)?;
        partial = None;
    }
    let archive = ours(&paths.journal)?;
    for (path, journal) in [(&paths.archive, &archive), (&paths.partial, &partial)] {
        if let Some(complete) = journal.as_ref().and_then(|journal| whole(journal, path, wanted, notes)) {
            return Ok(Plan::Whole { path: path.clone(), complete: complete.clone() });
        }
    }
    let archive = archive.filter(|journal| journal.complete.as_ref().is_some_and(|c| c.describes(&paths.archive)));
    let mut donors: Vec<Donor> = Vec::new();
    if let Some(journal) = archive {
        donors.extend(donor(&paths.archive, journal.lines)?);
    }
    let mut kept = Vec::new();
    if let Some(journal) = partial {
        kept = prefix(&paths.partial, &journal.lines, wanted)?;
        if journal.lines.len() > kept.len() && paths.partial.exists() {
            // What follows a file that changed may still be good.
            rename(&paths.partial_journal, &paths.earlier_journal)?;
            rename(&paths.partial, &paths.earlier)?;
            kept.clear();
        }
    }
    if let Some(journal) = ours(&paths.earlier_journal)? {
        donors.extend(donor(&paths.earlier, journal.lines)?);
    }
    let mut found = Vec::with_capacity(wanted.len() - kept.len());
    for wanted in &wanted[kept.len()..] {
        let mut place = None;
        for donor in &donors {
            if let Some(line) = donor.lines.get(&wanted.name).filter(|line| line.is(wanted))
                && holds(&donor.file, line).unwrap_or(false)
            {
                place = Some((line.clone(), donor.file.clone()));
                break;
            }
        }
        found.push(place);
    }
    Ok(Plan::Write { begun: start(paths, begun, kept)?, found })
}

/// Opens the archive behind the files that it keeps.
fn start(paths: &Paths, begun: &journal::Begun, kept: Vec<Line>) -> Result<Begun, CollectError> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| CollectError::Write { path, source }
    };
    let journal = JournalWriter::begin(&paths.partial_journal, begun, &kept).map_err(write(&paths.partial_journal))?;
    let open = || {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&paths.partial)?;
        let end = match kept.last() {
            Some(line) => line.stored.content_at()? + line.stored.packed,
            None => 0,
        };
        file.set_len(end)?;
        Ok(file)
    };
    let file = open().map_err(write(&paths.partial))?;
    Ok(Begun { file, journal, kept })
}

/// Whether the archive is complete and holds what is wanted, and nothing else.
fn whole<'a>(journal: &'a Journal, path: &Path, wanted: &[Wanted], notes: &[SourceNote]) -> Option<&'a Complete> {
    let complete = journal.complete.as_ref()?;
    let mut lines = journal.lines.iter().filter(|line| {
        // The notes are of our own making, and stand in the journal's last line as well.
        line.stored.name.split_once('/').is_none_or(|(_, below)| below != NOTES_FILE)
    });
    let same = wanted.iter().all(|wanted| lines.next().is_some_and(|line| line.is(wanted))) && lines.next().is_none();
    (same && complete.notes == notes && complete.describes(path)).then_some(complete)
}

fn donor(path: &Path, lines: Vec<Line>) -> Result<Option<Donor>, CollectError> {
    let file = match File::open(path) {
        Ok(file) => Arc::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CollectError::Read { path: path.to_owned(), source }),
    };
    Ok(Some(Donor { file, lines: lines.into_iter().map(|line| (line.stored.name.clone(), line)).collect() }))
}

/// The first files of the archive, as far as they are those that are wanted and stand there unharmed.
fn prefix(path: &Path, lines: &[Line], wanted: &[Wanted]) -> Result<Vec<Line>, CollectError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(CollectError::Read { path: path.to_owned(), source }),
    };
    let mut kept = Vec::new();
    let mut offset = 0;
    for (line, wanted) in lines.iter().zip(wanted) {
        if !line.is(wanted) || line.stored.offset != offset || !holds(&file, line).unwrap_or(false) {
            break;
        }
        let Ok(at) = line.stored.content_at() else { break };
        offset = at + line.stored.packed;
        kept.push(line.clone());
    }
    Ok(kept)
}

/// Whether the bytes that the journal speaks of are there.
fn holds(file: &File, line: &Line) -> io::Result<bool> {
    let header = line.stored.header()?;
    let mut buffer = vec![0; header.len().max(256 << 10)];
    file.read_exact_at(&mut buffer[..header.len()], line.stored.offset)?;
    if buffer[..header.len()] != header {
        return Ok(false);
    }
    let mut at = line.stored.content_at()?;
    let mut left = line.stored.packed;
    let mut crc = crc32fast::Hasher::new();
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        file.read_exact_at(&mut buffer[..most], at)?;
        crc.update(&buffer[..most]);
        at += most as u64;
        left -= most as u64;
    }
    Ok(crc.finalize() == line.packed_crc)
}
