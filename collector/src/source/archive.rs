//! A zip archive as a source: ours, or one that the predecessor made.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tg_model::RunId;
use zip::{CompressionMethod, ZipArchive};

use super::keys::{self, Found};
use super::{Body, Entry, Listing, Source, SourceNote, Task, names};
use crate::archive::read::SharedFile;
use crate::error::CollectError;

/// Deflate cannot do better than this; a header that says so lies.
const MOST_RATIO: u64 = 1_100;

/// A zip file whose entries lie below `<run>/`.
#[derive(Debug, Clone)]
pub struct ZipFile {
    path: PathBuf,
}

impl ZipFile {
    /// The archive at this path; it is opened when it is listed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn scan(&self, run: &RunId) -> Result<Listing, CollectError> {
        let (mut zip, written) = open(&self.path)?;
        let broken = |source| CollectError::Archive { path: self.path.clone(), source };
        let mut listing = Listing::default();
        let mut found: Vec<Found> = Vec::new();
        let mut places: Vec<Extent> = Vec::new();
        for index in 0..zip.len() {
            let file = zip.by_index_raw(index).map_err(broken)?;
            let mut refuse = |text: String| {
                if let Some(below) = keys::below_run(file.name_raw(), run.as_str().as_bytes()) {
                    listing.notes.push(SourceNote::new(&names::safe(below), "unreadable", text));
                }
            };
            // The library takes a backslash for a slash, and so a file for a folder.
            if file.name_raw().ends_with(b"/") {
                if file.size() > 0 {
                    refuse("it is called as a folder is, and has content".to_owned());
                }
                continue;
            }
            let deflated = match file.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => {
                    refuse(format!("it is packed by {other:?}"));
                    continue;
                }
            };
            let (size, packed) = (file.size(), file.compressed_size());
            let fits = if deflated { size <= packed.saturating_mul(MOST_RATIO) + 1024 } else { size == packed };
            let Some(start) = file.data_start().filter(|_| fits && !file.encrypted()) else {
                refuse("its header cannot be true".to_owned());
                continue;
            };
            let place = Extent { deflated, start, packed, size, crc: file.crc32() };
            places.push(place);
            found.push(Found {
                key: file.name_raw().to_vec(),
                size,
                version: Some(format!("{} {written}", place.crc)),
                locator: place.to_string(),
            });
        }
        let shared = shared_places(&mut places);
        found.retain(|found| {
            let alone = Extent::parse(&found.locator).is_some_and(|place| !shared.contains(&place.start));
            if !alone && let Some(below) = keys::below_run(&found.key, run.as_str().as_bytes()) {
                let text = "its bytes are those of another file as well, as in a bomb";
                listing.notes.push(SourceNote::new(&names::safe(below), "unreadable", text));
            }
            alone
        });
        let any = keys::sort_out(run, found, &mut listing);
        if !any {
            return Err(CollectError::NotFound { run: run.to_string(), place: self.place() });
        }
        names::settle(&mut listing);
        Ok(listing)
    }

    fn content(&self, entry: &Entry) -> Result<Body, CollectError> {
        let read = |source| CollectError::Read { path: self.path.clone(), source };
        let Some(packed) = Extent::parse(&entry.locator) else {
            return Err(CollectError::Fault(format!("`{}` is no place in an archive", entry.locator)));
        };
        let file = File::open(&self.path).map_err(read)?;
        packed.open(Arc::new(file)).map_err(read)
    }
}

/// Where a file lies in an archive, as the locator of its entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) deflated: bool,
    pub(super) start: u64,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) crc: u32,
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method = if self.deflated { 'd' } else { 's' };
        write!(f, "{method} {} {} {} {}", self.start, self.packed, self.size, self.crc)
    }
}

impl Extent {
    pub(super) fn parse(locator: &str) -> Option<Self> {
        let (method, rest) = locator.split_once(' ')?;
        let mut numbers = rest.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            deflated: method == "d",
            start: next()?,
            packed: next()?,
            size: next()?,
            crc: u32::try_from(next()?).ok()?,
        })
    }

    /// Its content; what is not as its header says is an error where it is met.
    pub(super) fn open(self, file: Arc<File>) -> io::Result<Body> {
        let whole = file.metadata()?.len();
        let mut shared = SharedFile::new(file, whole);
        io::Seek::seek(&mut shared, io::SeekFrom::Start(self.start))?;
        let raw = shared.take(self.packed);
        let inner: Box<dyn Read + Send> =
            if self.deflated { Box::new(flate2::read::DeflateDecoder::new(raw)) } else { Box::new(raw) };
        Ok(Box::new(Checked { inner, left: self.size, hash: crc32fast::Hasher::new(), crc: self.crc }))
    }
}

/// When a file was written.
pub(super) fn written(meta: &std::fs::Metadata) -> String {
    format!("{}.{:09}", meta.mtime(), meta.mtime_nsec())
}

/// Where the files begin whose bytes lie within those of another: a small archive of such files could be unpacked to
/// any size.
fn shared_places(places: &mut [Extent]) -> BTreeSet<u64> {
    places.sort_by_key(|place| place.start);
    let mut shared = BTreeSet::new();
    let mut end = 0;
    for place in places.iter().filter(|place| place.packed > 0) {
        if place.start < end {
            shared.insert(place.start);
        }
        end = end.max(place.start.saturating_add(place.packed));
    }
    shared
}

/// Opens it and says when it was written.
fn open(path: &Path) -> Result<(ZipArchive<SharedFile>, String), CollectError> {
    let read = |source| CollectError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let meta = file.metadata().map_err(read)?;
    let zip = ZipArchive::new(SharedFile::new(Arc::new(file), meta.len()))
        .map_err(|source| CollectError::Archive { path: path.to_owned(), source })?;
    Ok((zip, written(&meta)))
}

impl Source for ZipFile {
    fn place(&self) -> String {
        format!("archive `{}`", self.path.display())
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(async move {
            let (this, run) = (self.clone(), run.clone());
            tokio::task::spawn_blocking(move || this.scan(&run))
                .await
                .map_err(|error| CollectError::Fault(error.to_string()))?
        })
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        Box::pin(async move { self.content(entry) })
    }
}

/// Gives no more than the size that was promised, and an error where size or checksum turn out to be others.
struct Checked {
    inner: Box<dyn Read + Send>,
    left: u64,
    hash: crc32fast::Hasher,
    crc: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bad = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if self.left == 0 {
            let mut more = [0];
            if !buffer.is_empty() && self.inner.read(&mut more)? > 0 {
                return bad("the file in the archive is larger than its header says");
            }
            if self.hash.clone().finalize() != self.crc {
                return bad("the file in the archive has another checksum than its header says");
            }
            return Ok(0);
        }
        let n = self.inner.read(&mut buffer[..most])?;
        if n == 0 && most > 0 {
            return bad("the file in the archive is shorter than its header says");
        }
        self.hash.update(&buffer[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}
