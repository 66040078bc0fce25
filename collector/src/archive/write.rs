//! Writes the archive: files in the order given, deflated in blocks on all cores, zip64 where it is needed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};

use super::format::{Stored, directory};
use super::journal::{JournalWriter, Line, Wanted};
use super::pack::{self, Job, Packed};

/// A file is deflated in blocks of this many bytes, so that its bytes in the archive do not depend on the cores.
const BLOCK: usize = 1 << 20;
/// The journal hears of what is done at the latest after this many bytes.
const UNTOLD: u64 = 8 << 20;

/// A file for the archive.
pub(crate) enum Item {
    /// From the source.
    Read(Wanted, Box<dyn Read + Send>),
    /// From another archive of ours, as it is packed there.
    Kept(Line, Arc<File>),
}

/// Gives the files for an archive, in order.
pub(crate) trait Feed: Send {
    /// The next file; `None` after the last.
    fn next(&mut self) -> io::Result<Option<Item>>;

    /// So many bytes more were read of it.
    fn read(&mut self, bytes: u64);

    /// Reading a file failed; what was read of it is in the archive. An error ends the archive here.
    fn was_cut(&mut self, name: &str, error: io::Error) -> io::Result<()>;

    /// A file had another size than the source had listed.
    fn was_resized(&mut self, name: &str, listed_bytes: u64, read_bytes: u64);
}

/// An archive that is begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) file: File,
    pub(crate) journal: JournalWriter,
    /// What it holds already.
    pub(crate) kept: Vec<Line>,
}

enum Step {
    Begin {
        wanted: Wanted,
        whole: bool,
    },
    Block(Receiver<Packed>),
    /// The file is complete, or is not what was listed.
    End {
        as_listed: bool,
    },
    Kept(Line, Arc<File>),
}

/// Writes every item of the feed behind what the archive holds, and ends it. The journal is left to be ended.
pub(crate) fn write(mut begun: Begun, jobs: usize, feed: &mut dyn Feed) -> io::Result<(File, JournalWriter)> {
    std::thread::scope(|scope| {
        let (job_tx, job_rx) = sync_channel::<Job>(2 * jobs);
        let (step_tx, step_rx) = sync_channel::<Step>(4 * jobs);
        let job_rx = Arc::new(Mutex::new(job_rx));
        for _ in 0..jobs {
            let job_rx = job_rx.clone();
            scope.spawn(move || pack::work(&job_rx));
        }
        drop(job_rx);
        let target = &mut begun;
        let writer = scope.spawn(move || drain(target, &step_rx));
        let fed = push(feed, &job_tx, &step_tx);
        // A feed that failed leaves no end behind it, so that the writer does not take this for the whole.
        let ended = fed.and_then(|()| step_tx.send(Step::End { as_listed: true }).map_err(gone));
        drop((job_tx, step_tx));
        let drained = writer.join().unwrap_or_else(|_| Err(io::Error::other("the archive's writer ended early")));
        // A writer that stopped is why nothing more could be fed.
        drained.and(ended)
    })?;
    begun.file.sync_all()?;
    Ok((begun.file, begun.journal))
}

/// Whoever takes the steps went away; its own error says why.
fn gone<T>(_: std::sync::mpsc::SendError<T>) -> io::Error {
    io::Error::other("the archive's writer ended early")
}

fn push(feed: &mut dyn Feed, jobs: &SyncSender<Job>, steps: &SyncSender<Step>) -> io::Result<()> {
    while let Some(item) = feed.next()? {
        let (wanted, mut content) = match item {
            Item::Kept(line, from) => {
                feed.read(line.stored.size);
                steps.send(Step::Kept(line, from)).map_err(gone)?;
                continue;
            }
            Item::Read(wanted, content) => (wanted, content),
        };
        let mut total = 0;
        let mut begun = false;
        loop {
            let mut raw = Vec::new();
            let read = content.by_ref().take(BLOCK as u64).read_to_end(&mut raw);
            let cut = read.err();
            let last = raw.len() < BLOCK || cut.is_some();
            total += raw.len() as u64;
            feed.read(raw.len() as u64);
            if !begun {
                begun = true;
                steps.send(Step::Begin { wanted: wanted.clone(), whole: last }).map_err(gone)?;
            }
            let (done, wait) = sync_channel(1);
            jobs.send(Job { raw, last, done }).map_err(gone)?;
            steps.send(Step::Block(wait)).map_err(gone)?;
            if last {
                let as_listed = cut.is_none() && total == wanted.listed_bytes;
                if let Some(error) = cut {
                    feed.was_cut(&wanted.name, error)?;
                } else if !as_listed {
                    feed.was_resized(&wanted.name, wanted.listed_bytes, total);
                }
                steps.send(Step::End { as_listed }).map_err(gone)?;
                break;
            }
        }
    }
    Ok(())
}

/// A file whose blocks are being written.
struct Open {
    wanted: Wanted,
    stored: Stored,
    crc: crc32fast::Hasher,
    packed_crc: crc32fast::Hasher,
}

struct Drain<'a> {
    file: &'a File,
    out: BufWriter<&'a File>,
    journal: &'a mut JournalWriter,
    offset: u64,
    done: Vec<Stored>,
    untold: u64,
}

fn drain(begun: &mut Begun, steps: &Receiver<Step>) -> io::Result<()> {
    let Begun { file, journal, kept } = begun;
    let offset = match kept.last() {
        Some(line) => line.stored.content_at()? + line.stored.packed,
        None => 0,
    };
    let mut at: &File = file;
    at.seek(SeekFrom::Start(offset))?;
    let done = kept.drain(..).map(|line| line.stored).collect();
    let out = BufWriter::with_capacity(1 << 20, &*file);
    let mut drain = Drain { file, out, journal, offset, done, untold: 0 };
    let mut open: Option<Open> = None;
    let mut whole = false;
    loop {
        let step = match steps.try_recv() {
            Ok(step) => step,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                // Before a wait that may be long, what is done is told.
                drain.tell()?;
                match steps.recv() {
                    Ok(step) => step,
                    Err(_) => break,
                }
            }
        };
        match step {
            Step::Begin { wanted, whole } => {
                let stored = Stored {
                    name: wanted.name.clone(),
                    offset: drain.offset,
                    size: 0,
                    packed: 0,
                    crc: 0,
                    deflated: true,
                    wide: !whole,
                };
                if stored.wide {
                    drain.put(&stored.header()?)?;
                }
                let (crc, packed_crc) = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
                open = Some(Open { wanted, stored, crc, packed_crc });
            }
            Step::Block(wait) => {
                let packed =
                    wait.recv().map_err(|gone| io::Error::other(format!("a block could not be deflated: {gone}")))?;
                if let Some(open) = &mut open {
                    drain.block(open, &packed)?;
                }
            }
            Step::End { as_listed } => match open.take() {
                Some(open) => drain.end(open, as_listed)?,
                None => whole = true,
            },
            Step::Kept(line, from) => drain.keep(line, &from)?,
        }
        if drain.untold >= UNTOLD {
            drain.tell()?;
        }
    }
    drain.tell()?;
    if whole {
        directory(&mut drain.out, &drain.done, drain.offset)?;
        drain.out.flush()?;
    }
    Ok(())
}

impl Drain<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        self.untold += bytes.len() as u64;
        Ok(())
    }

    /// Writes out what is done, and then says so in the journal.
    fn tell(&mut self) -> io::Result<()> {
        self.untold = 0;
        self.out.flush()?;
        self.journal.flush()
    }

    fn block(&mut self, open: &mut Open, packed: &Packed) -> io::Result<()> {
        open.crc.combine(&packed.crc);
        open.stored.size += packed.size;
        open.stored.packed += packed.bytes.len() as u64;
        if !open.stored.wide {
            open.stored.crc = open.crc.clone().finalize();
            if packed.size == 0 {
                open.stored.deflated = false;
                open.stored.packed = 0;
                return self.put(&open.stored.header()?);
            }
            self.put(&open.stored.header()?)?;
        }
        open.packed_crc.update(&packed.bytes);
        self.put(&packed.bytes)
    }

    fn end(&mut self, open: Open, as_listed: bool) -> io::Result<()> {
        let Open { wanted, mut stored, crc, packed_crc } = open;
        stored.crc = crc.finalize();
        if stored.wide {
            // Only now are the sums of a file of several blocks known.
            self.out.flush()?;
            self.file.write_all_at(&stored.header()?, stored.offset)?;
        }
        self.done.push(stored.clone());
        let version = wanted.version.filter(|_| as_listed);
        let line = Line { stored, listed_bytes: wanted.listed_bytes, version, packed_crc: packed_crc.finalize() };
        self.journal.stored(line)
    }

    fn keep(&mut self, mut line: Line, from: &File) -> io::Result<()> {
        let mut at = line.stored.content_at()?;
        line.stored.offset = self.offset;
        self.put(&line.stored.header()?)?;
        let mut left = line.stored.packed;
        let mut buffer = vec![0; 256 << 10];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            from.read_exact_at(&mut buffer[..most], at)?;
            self.put(&buffer[..most])?;
            at += most as u64;
            left -= most as u64;
        }
        self.done.push(line.stored.clone());
        self.journal.stored(line)
    }
}
