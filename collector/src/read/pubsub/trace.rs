//! Binary traces: records with their length before them, as they are or in gzip.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use prost::Message as _;

use super::super::facts::Facts;
use super::super::file::{Counts, FileAt, note};
use super::super::said::Said;
use super::super::{At, Fate};
use super::events::{self, Event, Seen};
use crate::dataset::segment::{Segment, T};
use crate::error::CollectError;

/// A record above this is no record.
const LONGEST_RECORD: u64 = 16 << 20;
/// Whatever unpacks to more than this, and to more than so many times its size, is no trace.
const MOST_RATIO: u64 = 200;
const FREE_BYTES: u64 = 64 << 20;

/// The records of filtered traces, so that the full ones do not tell them again.
#[derive(Debug, Default)]
pub(crate) struct Copied(BTreeMap<String, Said>);

impl Copied {
    /// Whether the records that did not fit in memory could be written and read.
    pub(crate) fn check(&mut self) -> Result<(), CollectError> {
        self.0.values_mut().try_for_each(Said::check)
    }
}

/// Counts what it passes on.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.count += n as u64;
        self.inner.consume(n);
    }
}

/// Why the reading of a trace stops before its end.
enum Stop {
    /// The file cannot be read.
    Io(io::Error),
    /// What follows is no record.
    Noted(&'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Noted("half-record") } else { Self::Io(error) }
    }
}

/// Reads a binary trace. Its records are its lines.
pub(crate) fn trace(
    segment: &mut Segment,
    facts: &mut Facts,
    copied: &mut Copied,
    file: FileAt<'_>,
    packed: bool,
    content: &mut dyn BufRead,
    counts: &mut Counts,
) -> Result<io::Result<()>, CollectError> {
    let mut content = Counted { inner: content, count: 0 };
    if packed {
        let mut unpacked = BufReader::with_capacity(128 << 10, MultiGzDecoder::new(content));
        let bomb = |reader: &BufReader<MultiGzDecoder<Counted<&mut dyn BufRead>>>, done: u64| {
            done > FREE_BYTES.max(reader.get_ref().get_ref().count.saturating_mul(MOST_RATIO))
        };
        records(segment, facts, copied, file, packed, &mut unpacked, &bomb, counts)
    } else {
        records(segment, facts, copied, file, packed, &mut content, &|_, _| false, counts)
    }
}

#[expect(clippy::too_many_arguments, reason = "what it reads, and where it goes")]
fn records<R: BufRead>(
    segment: &mut Segment,
    facts: &mut Facts,
    copied: &mut Copied,
    file: FileAt<'_>,
    packed: bool,
    content: &mut R,
    bomb: &dyn Fn(&R, u64) -> bool,
    counts: &mut Counts,
) -> Result<io::Result<()>, CollectError> {
    let (stem, full) = stem(file.name);
    let mut record = Vec::new();
    let mut done = 0_u64;
    for number in 1_u32.. {
        let next = next(content, &mut record);
        let at = At { instance: file.instance, file_id: file.file_id, line: number };
        let fate = match next {
            Ok(false) => return Ok(Ok(())),
            Ok(true) => {
                done += record.len() as u64;
                if bomb(content, done) {
                    Fate::Noted("bomb")
                } else {
                    one(segment, facts, copied, at, stem, full, &record)
                }
            }
            Err(Stop::Noted(reason)) => Fate::Noted(reason),
            // Whether the file itself can be read is seen when the rest of it is.
            Err(Stop::Io(_)) if packed => Fate::Noted("bad-gzip"),
            Err(Stop::Io(error)) => return Ok(Err(error)),
        };
        counts.lines += 1;
        match fate {
            Fate::Mapped => counts.mapped += 1,
            Fate::Logged => counts.logged += 1,
            Fate::Noted(reason) => {
                counts.noted += 1;
                let head = super::super::lines::hex(&record[..record.len().min(100)]);
                note(segment, Some(at.instance), at.file_id, at.line, file.path, reason, &head);
                // Without its length nothing tells where the next one begins.
                if matches!(reason, "half-record" | "long-record" | "bomb" | "bad-gzip") {
                    return Ok(Ok(()));
                }
            }
        }
        segment.settle(record.len())?;
    }
    Err(CollectError::TooMany { what: "records in one file", most: u64::from(u32::MAX) })
}

/// What the filtered and the full trace of one tracer have in common, and whether this is the full one.
fn stem(name: &str) -> (&str, bool) {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = name.strip_suffix(".bin").unwrap_or(name);
    match name.strip_suffix("-full") {
        Some(stem) => (stem, true),
        None => (name.strip_suffix("-filtered").unwrap_or(name), false),
    }
}

/// The next record; false at the end of the file.
fn next(content: &mut impl BufRead, record: &mut Vec<u8>) -> Result<bool, Stop> {
    record.clear();
    let (mut length, mut shift) = (0_u64, 0);
    loop {
        let mut byte = [0];
        if content.read(&mut byte)? == 0 {
            return if shift == 0 { Ok(false) } else { Err(Stop::Noted("half-record")) };
        }
        length |= u64::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
        if shift > 56 {
            return Err(Stop::Noted("long-record"));
        }
    }
    if length > LONGEST_RECORD {
        return Err(Stop::Noted("long-record"));
    }
    // Grows as the bytes come: a length alone takes no memory.
    let n = content.take(length).read_to_end(record)?;
    if n as u64 == length { Ok(true) } else { Err(Stop::Noted("half-record")) }
}

fn one(
    segment: &mut Segment,
    facts: &mut Facts,
    copied: &mut Copied,
    at: At,
    stem: &str,
    full: bool,
    record: &[u8],
) -> Fate {
    if full {
        let filtered = copied.0.get_mut(stem);
        if let Some((file_id, line)) = filtered.and_then(|filtered| filtered.printed(record)) {
            segment.row(T::Copies, at.file_id, at.line).put(at.instance).put(file_id).put(line).end();
            return Fate::Mapped;
        }
    }
    let Ok(event) = Event::decode(record) else { return Fate::Noted("bad-record") };
    let fate = events::put(segment, facts, at, &Seen::from(event));
    if fate == Fate::Mapped && !full {
        if !copied.0.contains_key(stem) {
            copied.0.insert(stem.to_owned(), Said::new(segment.scratch()));
        }
        if let Some(filtered) = copied.0.get_mut(stem) {
            filtered.wrote(at.file_id, at.line, record);
        }
    }
    fate
}
