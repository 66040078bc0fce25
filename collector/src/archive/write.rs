//! Writes the archive: files in the order given, deflated in blocks on all cores, zip64 where it is needed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use flate2::{Compress, Compression, FlushCompress};

/// A file is deflated in blocks of this many bytes, so that its bytes in the archive do not depend on the cores.
const BLOCK: usize = 1 << 20;
const LEVEL: u32 = 4;
const NO_TIME: u16 = 0;
/// 1980-01-01, the first day that the format knows.
const NO_DATE: u16 = 0x21;
const FITS_32: u64 = 0xffff_fffe;

/// A file for the archive.
pub(crate) struct Item {
    /// Its whole path in the archive.
    pub(crate) name: String,
    pub(crate) content: Box<dyn Read + Send>,
}

/// Gives the files for an archive, in order.
pub(crate) trait Feed: Send {
    /// The next file; `None` after the last.
    fn next(&mut self) -> io::Result<Option<Item>>;

    /// Reading a file failed; what was read of it is in the archive.
    fn was_cut(&mut self, name: &str, error: &io::Error);
}

struct Packed {
    bytes: Vec<u8>,
    crc: crc32fast::Hasher,
    size: u64,
}

struct Job {
    raw: Vec<u8>,
    last: bool,
    done: SyncSender<Packed>,
}

enum Step {
    Begin { name: String, whole: bool },
    Block(Receiver<Packed>),
    End,
}

struct Central {
    name: String,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
    deflated: bool,
    wide: bool,
}

/// Writes every item of the feed to `path`, and tells the size of each to `stored` in order.
pub(crate) fn write(
    path: &Path,
    jobs: usize,
    feed: &mut dyn Feed,
    stored: &mut (dyn FnMut(u64) + Send),
) -> io::Result<()> {
    let file = File::create(path)?;
    std::thread::scope(|scope| {
        let (job_tx, job_rx) = sync_channel::<Job>(2 * jobs);
        let (step_tx, step_rx) = sync_channel::<Step>(4 * jobs);
        let job_rx = Arc::new(Mutex::new(job_rx));
        for _ in 0..jobs {
            let job_rx = job_rx.clone();
            scope.spawn(move || pack(&job_rx));
        }
        drop(job_rx);
        let writer = scope.spawn(|| drain(&file, step_rx, stored));
        let fed = push(feed, &job_tx, &step_tx);
        drop((job_tx, step_tx));
        let drained = writer.join().unwrap_or_else(|_| Err(io::Error::other("the archive's writer ended early")));
        // A writer that stopped is why nothing more could be fed.
        drained.and(fed)
    })?;
    file.sync_all()
}

/// Whoever takes the steps went away; its own error says why.
fn gone<T>(_: std::sync::mpsc::SendError<T>) -> io::Error {
    io::Error::other("the archive's writer ended early")
}

fn push(feed: &mut dyn Feed, jobs: &SyncSender<Job>, steps: &SyncSender<Step>) -> io::Result<()> {
    while let Some(mut item) = feed.next()? {
        let mut begun = false;
        loop {
            let mut raw = Vec::new();
            let read = item.content.by_ref().take(BLOCK as u64).read_to_end(&mut raw);
            let cut = read.err();
            let last = raw.len() < BLOCK || cut.is_some();
            if !begun {
                begun = true;
                steps.send(Step::Begin { name: item.name.clone(), whole: last }).map_err(gone)?;
            }
            let (done, wait) = sync_channel(1);
            jobs.send(Job { raw, last, done }).map_err(gone)?;
            steps.send(Step::Block(wait)).map_err(gone)?;
            if last {
                steps.send(Step::End).map_err(gone)?;
                if let Some(error) = cut {
                    feed.was_cut(&item.name, &error);
                }
                break;
            }
        }
    }
    Ok(())
}

fn pack(jobs: &Mutex<Receiver<Job>>) {
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(Job { raw, last, done }) = job else { return };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&raw);
        deflate.reset();
        let mut bytes = Vec::with_capacity(raw.len() / 3 + 128);
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        let mut used = 0;
        loop {
            bytes.reserve((raw.len() - used) / 2 + 1024);
            let before = deflate.total_in();
            let status = deflate.compress_vec(&raw[used..], &mut bytes, flush);
            used += usize::try_from(deflate.total_in() - before).unwrap_or(0);
            match status {
                Ok(flate2::Status::StreamEnd) => break,
                // A flush is complete when it leaves room in the output.
                Ok(_) if !last && used == raw.len() && bytes.len() < bytes.capacity() => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if done.send(Packed { bytes, crc, size: raw.len() as u64 }).is_err() {
            return;
        }
    }
}

fn drain(file: &File, steps: Receiver<Step>, stored: &mut (dyn FnMut(u64) + Send)) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut offset = 0_u64;
    let mut directory: Vec<Central> = Vec::new();
    let mut crc = crc32fast::Hasher::new();
    for step in steps {
        match step {
            Step::Begin { name, whole } => {
                crc = crc32fast::Hasher::new();
                let entry = Central { name, crc: 0, packed: 0, size: 0, offset, deflated: true, wide: !whole };
                if !whole {
                    offset += local_header(&mut out, &entry)?;
                }
                directory.push(entry);
            }
            Step::Block(wait) => {
                let packed =
                    wait.recv().map_err(|gone| io::Error::other(format!("a block could not be deflated: {gone}")))?;
                let Some(entry) = directory.last_mut() else { continue };
                crc.combine(&packed.crc);
                entry.size += packed.size;
                entry.packed += packed.bytes.len() as u64;
                if !entry.wide {
                    entry.crc = crc.clone().finalize();
                    if packed.size == 0 {
                        entry.deflated = false;
                        entry.packed = 0;
                        offset += local_header(&mut out, entry)?;
                        continue;
                    }
                    offset += local_header(&mut out, entry)?;
                }
                out.write_all(&packed.bytes)?;
                offset += packed.bytes.len() as u64;
            }
            Step::End => {
                let Some(entry) = directory.last_mut() else { continue };
                entry.crc = std::mem::take(&mut crc).finalize();
                stored(entry.size);
            }
        }
    }
    let begin = offset;
    for entry in &directory {
        offset += central_header(&mut out, entry)?;
    }
    end(&mut out, directory.len() as u64, begin, offset)?;
    out.flush()?;
    // Only now are the sums of the files of several blocks known.
    for entry in directory.iter().filter(|entry| entry.wide) {
        file.write_all_at(&entry.crc.to_le_bytes(), entry.offset + 14)?;
        let extra = entry.offset + 30 + entry.name.len() as u64 + 4;
        file.write_all_at(&entry.size.to_le_bytes(), extra)?;
        file.write_all_at(&entry.packed.to_le_bytes(), extra + 8)?;
    }
    Ok(())
}

fn narrow(value: u64) -> [u8; 4] {
    u32::try_from(value.min(u64::from(u32::MAX))).unwrap_or(u32::MAX).to_le_bytes()
}

fn name_len(name: &str) -> io::Result<[u8; 2]> {
    u16::try_from(name.len())
        .map(u16::to_le_bytes)
        .map_err(|error| io::Error::other(format!("a path in the archive is too long: {error}")))
}

fn common(out: &mut Vec<u8>, entry: &Central) {
    out.extend(if entry.wide { 45_u16 } else { 20 }.to_le_bytes());
    out.extend(0x0800_u16.to_le_bytes());
    out.extend(if entry.deflated { 8_u16 } else { 0 }.to_le_bytes());
    out.extend(NO_TIME.to_le_bytes());
    out.extend(NO_DATE.to_le_bytes());
    out.extend(entry.crc.to_le_bytes());
}

fn local_header(out: &mut impl Write, entry: &Central) -> io::Result<u64> {
    let mut header = Vec::with_capacity(64 + entry.name.len());
    header.extend(b"PK\x03\x04");
    common(&mut header, entry);
    if entry.wide {
        header.extend([0xff; 8]);
    } else {
        header.extend(narrow(entry.packed));
        header.extend(narrow(entry.size));
    }
    header.extend(name_len(&entry.name)?);
    header.extend(if entry.wide { 20_u16 } else { 0 }.to_le_bytes());
    header.extend(entry.name.as_bytes());
    if entry.wide {
        header.extend(1_u16.to_le_bytes());
        header.extend(16_u16.to_le_bytes());
        header.extend(entry.size.to_le_bytes());
        header.extend(entry.packed.to_le_bytes());
    }
    out.write_all(&header)?;
    Ok(header.len() as u64)
}

fn central_header(out: &mut impl Write, entry: &Central) -> io::Result<u64> {
    let mut extra = Vec::new();
    let far = entry.offset > FITS_32;
    if entry.wide {
        extra.extend(entry.size.to_le_bytes());
        extra.extend(entry.packed.to_le_bytes());
    }
    if far {
        extra.extend(entry.offset.to_le_bytes());
    }
    let mut header = Vec::with_capacity(80 + entry.name.len());
    header.extend(b"PK\x01\x02");
    header.extend(0x031e_u16.to_le_bytes());
    common(&mut header, entry);
    if entry.wide {
        header.extend([0xff; 8]);
    } else {
        header.extend(narrow(entry.packed));
        header.extend(narrow(entry.size));
    }
    header.extend(name_len(&entry.name)?);
    let extra_len = if extra.is_empty() { 0 } else { extra.len() + 4 };
    header.extend(u16::try_from(extra_len).unwrap_or(0).to_le_bytes());
    header.extend([0; 2 + 2 + 2]);
    header.extend((0o100_644_u32 << 16).to_le_bytes());
    header.extend(if far { [0xff; 4] } else { narrow(entry.offset) });
    header.extend(entry.name.as_bytes());
    if !extra.is_empty() {
        header.extend(1_u16.to_le_bytes());
        header.extend(u16::try_from(extra.len()).unwrap_or(0).to_le_bytes());
        header.extend(extra);
    }
    out.write_all(&header)?;
    Ok(header.len() as u64)
}

fn end(out: &mut impl Write, count: u64, begin: u64, finish: u64) -> io::Result<()> {
    let wide = count >= 0xffff || begin > FITS_32 || finish - begin > FITS_32;
    let mut tail = Vec::new();
    if wide {
        tail.extend(b"PK\x06\x06");
        tail.extend(44_u64.to_le_bytes());
        tail.extend(0x031e_u16.to_le_bytes());
        tail.extend(45_u16.to_le_bytes());
        tail.extend([0; 8]);
        tail.extend(count.to_le_bytes());
        tail.extend(count.to_le_bytes());
        tail.extend((finish - begin).to_le_bytes());
        tail.extend(begin.to_le_bytes());
        tail.extend(b"PK\x06\x07");
        tail.extend([0; 4]);
        tail.extend(finish.to_le_bytes());
        tail.extend(1_u32.to_le_bytes());
    }
    let short = if wide { 0xffff } else { u16::try_from(count).unwrap_or(0xffff) };
    tail.extend(b"PK\x05\x06");
    tail.extend([0; 4]);
    tail.extend(short.to_le_bytes());
    tail.extend(short.to_le_bytes());
    tail.extend(if wide { [0xff; 4] } else { narrow(finish - begin) });
    tail.extend(if wide { [0xff; 4] } else { narrow(begin) });
    tail.extend([0; 2]);
    out.write_all(&tail)
}
