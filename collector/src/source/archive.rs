//! A zip archive as a source: ours, or one that the predecessor made.

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
        for index in 0..zip.len() {
            let file = zip.by_index_raw(index).map_err(broken)?;
            if file.is_dir() {
                continue;
            }
            let method = match file.compression() {
                CompressionMethod::Stored => 's',
                CompressionMethod::Deflated => 'd',
                other => {
                    let path = names::safe(file.name_raw());
                    listing.notes.push(SourceNote::new(&path, "unreadable", format!("it is packed by {other:?}")));
                    continue;
                }
            };
            let (size, packed) = (file.size(), file.compressed_size());
            let fits = if method == 's' { size == packed } else { size <= packed.saturating_mul(MOST_RATIO) + 1024 };
            let Some(start) = file.data_start().filter(|_| fits && !file.encrypted()) else {
                let path = names::safe(file.name_raw());
                listing.notes.push(SourceNote::new(&path, "unreadable", "its header cannot be true"));
                continue;
            };
            let locator = format!("{method} {start} {packed} {size} {}", file.crc32());
            found.push(Found {
                key: file.name_raw().to_vec(),
                size,
                version: Some(format!("{} {written}", file.crc32())),
                locator,
            });
        }
        let any = keys::sort_out(run, found, &mut listing);
        if !any {
            return Err(CollectError::NotFound { run: run.to_string(), place: self.place() });
        }
        names::settle(&mut listing);
        Ok(listing)
    }

    fn content(&self, entry: &Entry) -> Result<Body, CollectError> {
        let read = |source| CollectError::Read { path: self.path.clone(), source };
        let mut parts = entry.locator.split(' ');
        let deflated = parts.next() == Some("d");
        let numbers: Vec<u64> = parts.filter_map(|part| part.parse().ok()).collect();
        let [start, packed, size, crc] = numbers[..] else {
            return Err(CollectError::Fault(format!("`{}` is no place in an archive", entry.locator)));
        };
        let file = File::open(&self.path).map_err(read)?;
        let whole = file.metadata().map_err(read)?.len();
        let mut shared = SharedFile::new(Arc::new(file), whole);
        io::Seek::seek(&mut shared, io::SeekFrom::Start(start)).map_err(read)?;
        let raw = shared.take(packed);
        let inner: Box<dyn Read + Send> =
            if deflated { Box::new(flate2::read::DeflateDecoder::new(raw)) } else { Box::new(raw) };
        Ok(Box::new(Checked { inner, left: size, hash: crc32fast::Hasher::new(), crc }))
    }
}

/// Opens it and says when it was written.
fn open(path: &Path) -> Result<(ZipArchive<SharedFile>, String), CollectError> {
    let read = |source| CollectError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let meta = file.metadata().map_err(read)?;
    let zip = ZipArchive::new(SharedFile::new(Arc::new(file), meta.len()))
        .map_err(|source| CollectError::Archive { path: path.to_owned(), source })?;
    Ok((zip, format!("{}.{:09}", meta.mtime(), meta.mtime_nsec())))
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
    crc: u64,
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
            if u64::from(self.hash.clone().finalize()) != self.crc {
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
