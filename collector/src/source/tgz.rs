//! The predecessor's archive, a tar packed by gzip, as a source; a tar that is not packed is read as well.
//!
//! Such an archive can only be read from its beginning to its end. One pass copies the run's files, packed again, into a
//! nameless file, from which they are opened in any order.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::DeflateEncoder;
use tar::EntryType;
use tg_model::RunId;

use super::archive::{Extent, ZipFile};
use super::keys::{self, Found};
use super::{Body, Entry, Listing, Source, SourceNote, Task, names};
use crate::error::CollectError;

/// A name or an extended header of more bytes is no name.
const LONGEST_NAME: u64 = 64 << 10;
/// An archive with more files is not taken for one.
const MOST_FILES: usize = 20_000_000;

/// What an archive is, as its first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Zip,
    Tgz,
    Tar,
}

fn sniff(path: &Path) -> Result<Format, CollectError> {
    let read = |source: io::Error| CollectError::Source {
        what: "read an archive".to_owned(),
        place: format!("`{}`", path.display()),
        source: source.into(),
    };
    let mut head = Vec::new();
    File::open(path).map_err(read)?.take(512).read_to_end(&mut head).map_err(read)?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Ok(Format::Zip)
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Ok(Format::Tgz)
    } else if head.get(257..262) == Some(b"ustar") {
        Ok(Format::Tar)
    } else {
        Err(CollectError::Source {
            what: "read an archive".to_owned(),
            place: format!("`{}`", path.display()),
            source: "its first bytes are those of no zip, tar or tgz file".into(),
        })
    }
}

/// The archive at this path, of whatever format its content has; `spool` is a folder with room for its packed files.
pub fn archive(path: &Path, spool: &Path) -> Result<Box<dyn Source>, CollectError> {
    Ok(match sniff(path)? {
        Format::Zip => Box::new(ZipFile::new(path)),
        Format::Tgz | Format::Tar => Box::new(TarFile::new(path, spool)),
    })
}

/// A tar file, packed by gzip or not, whose entries lie below `<run>/`.
#[derive(Debug)]
pub struct TarFile {
    path: PathBuf,
    spool_dir: PathBuf,
    spool: Mutex<Option<Arc<File>>>,
}

impl TarFile {
    /// The archive at this path; `spool_dir` is a folder with room for its files, packed.
    pub fn new(path: impl Into<PathBuf>, spool_dir: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), spool_dir: spool_dir.into(), spool: Mutex::default() }
    }

    fn scan(&self, run: &RunId) -> Result<Listing, CollectError> {
        let read = |source| CollectError::Read { path: self.path.clone(), source };
        let format = sniff(&self.path)?;
        let file = File::open(&self.path).map_err(read)?;
        let written = super::archive::written(&file.metadata().map_err(read)?);
        let spool_path = self.spool_dir.join(format!(".tg-spool-{}.partial", std::process::id()));
        let spool = fs::create_dir_all(&self.spool_dir)
            .and_then(|()| File::options().read(true).write(true).create(true).truncate(true).open(&spool_path))
            // Nameless, it goes with the process.
            .and_then(|spool| fs::remove_file(&spool_path).map(|()| spool))
            .map(Arc::new)
            .map_err(|source| CollectError::Write { path: spool_path.clone(), source })?;
        let raw: Box<dyn Read> = match format {
            Format::Tar => Box::new(BufReader::with_capacity(256 << 10, file)),
            Format::Tgz | Format::Zip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(256 << 10, file))),
        };
        let mut pass = Pass {
            run: run.as_str().as_bytes(),
            written,
            spool: BufWriter::with_capacity(256 << 10, spool.clone()),
            spooled: 0,
            listing: Listing::default(),
            found: Vec::new(),
        };
        if let Err(error) = pass.read(raw) {
            match error {
                Broken::Spool(source) => return Err(CollectError::Write { path: spool_path, source }),
                Broken::Archive(error) if pass.found.is_empty() => {
                    return Err(CollectError::Source {
                        what: "read an archive".to_owned(),
                        place: format!("`{}`", self.path.display()),
                        source: error.into(),
                    });
                }
                Broken::Archive(error) => {
                    let text = format!("the archive breaks off, and what follows is lost: {error}");
                    pass.listing.notes.push(SourceNote::new("", "cut-archive", text));
                }
            }
        }
        pass.spool.flush().map_err(|source| CollectError::Write { path: spool_path, source })?;
        let Pass { mut listing, found, .. } = pass;
        if !keys::sort_out(run, found, &mut listing) {
            return Err(CollectError::NotFound { run: run.to_string(), place: self.place() });
        }
        names::settle(&mut listing);
        if let Ok(mut slot) = self.spool.lock() {
            *slot = Some(spool);
        }
        Ok(listing)
    }
}

impl Source for TarFile {
    fn place(&self) -> String {
        format!("archive `{}`", self.path.display())
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(async move {
            let (this, run) = (Self::new(&self.path, &self.spool_dir), run.clone());
            let scanned = tokio::task::spawn_blocking(move || this.scan(&run).map(|listing| (listing, this)));
            let (listing, this) = scanned.await.map_err(|error| CollectError::Fault(error.to_string()))??;
            if let (Ok(mut slot), Ok(mut made)) = (self.spool.lock(), this.spool.lock()) {
                *slot = made.take();
            }
            Ok(listing)
        })
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        Box::pin(async move {
            let spool = self.spool.lock().ok().and_then(|spool| spool.clone());
            let packed = Extent::parse(&entry.locator);
            let (Some(spool), Some(packed)) = (spool, packed) else {
                return Err(CollectError::Fault(format!("`{}` is no place in an archive", entry.locator)));
            };
            packed.open(spool).map_err(|source| CollectError::Read { path: self.path.clone(), source })
        })
    }
}

/// Why a pass ended early.
enum Broken {
    Archive(io::Error),
    Spool(io::Error),
}

struct Pass<'a> {
    run: &'a [u8],
    written: String,
    spool: BufWriter<Arc<File>>,
    spooled: u64,
    listing: Listing,
    found: Vec<Found>,
}

impl Pass<'_> {
    fn read(&mut self, raw: Box<dyn Read>) -> Result<(), Broken> {
        let mut tar = tar::Archive::new(raw);
        // Raw, because the library would hold a name of any length in memory.
        let mut long_name: Option<Vec<u8>> = None;
        for entry in tar.entries().map_err(Broken::Archive)?.raw(true) {
            let mut entry = entry.map_err(Broken::Archive)?;
            let size = entry.header().entry_size().map_err(Broken::Archive)?;
            match entry.header().entry_type() {
                EntryType::GNULongName => {
                    let mut name = small(&mut entry, size)?;
                    while name.last() == Some(&0) {
                        name.pop();
                    }
                    long_name = Some(name);
                }
                EntryType::XHeader => {
                    let text = small(&mut entry, size)?;
                    for extension in tar::PaxExtensions::new(&text) {
                        let extension = extension.map_err(Broken::Archive)?;
                        match extension.key_bytes() {
                            b"path" => long_name = Some(extension.value_bytes().to_vec()),
                            b"size" => {
                                return Err(Broken::Archive(io::Error::other("a file of 8 GiB or more is in it")));
                            }
                            _ => {}
                        }
                    }
                }
                EntryType::XGlobalHeader | EntryType::GNULongLink | EntryType::Directory => {}
                kind => {
                    let name = long_name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
                    let name = name.strip_prefix(b"./").map(<[u8]>::to_vec).unwrap_or(name);
                    if keys::below_run(&name, self.run).is_none() {
                        continue;
                    }
                    if kind.is_file() || kind.is_contiguous() {
                        self.file(name, size, &mut entry)?;
                    } else {
                        let path = names::safe(keys::below_run(&name, self.run).unwrap_or(&name));
                        let link = kind.is_symlink() || kind.is_hard_link();
                        let text = if link { "it is a link, which is not followed" } else { "it is no ordinary file" };
                        self.listing.notes.push(SourceNote::new(&path, "not-collected", text));
                    }
                }
            }
            if self.found.len() > MOST_FILES {
                return Err(Broken::Archive(io::Error::other(format!("it has more than {MOST_FILES} files"))));
            }
        }
        Ok(())
    }

    /// Copies a file into the spool, packed.
    fn file(&mut self, key: Vec<u8>, size: u64, content: &mut impl Read) -> Result<(), Broken> {
        let start = self.spooled;
        let mut crc = crc32fast::Hasher::new();
        let mut deflate = DeflateEncoder::new(Counted { inner: &mut self.spool, count: 0 }, Compression::fast());
        let mut buffer = vec![0; 128 << 10];
        let mut got = 0;
        let broken = loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => break None,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Some(error),
            };
            crc.update(&buffer[..n]);
            got += n as u64;
            deflate.write_all(&buffer[..n]).map_err(Broken::Spool)?;
        };
        let packed = deflate.finish().map_err(Broken::Spool)?.count;
        self.spooled += packed;
        let crc = crc.finalize();
        let place = Extent { deflated: true, start, packed, size: got, crc };
        let version = Some(format!("{crc} {}", self.written));
        let cut = broken.or_else(|| {
            (got < size).then(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends within a file"))
        });
        if cut.is_some() {
            let path = names::safe(keys::below_run(&key, self.run).unwrap_or(&key));
            let text = format!("it has {size} bytes by its header, and only {got} of them are there");
            self.listing.notes.push(SourceNote::new(&path, "cut-file", text));
        }
        self.found.push(Found { key, size: got, locator: place.to_string(), version });
        cut.map_or(Ok(()), |error| Err(Broken::Archive(error)))
    }
}

/// A name or an extended header, which may not be large.
fn small(entry: &mut impl Read, size: u64) -> Result<Vec<u8>, Broken> {
    if size > LONGEST_NAME {
        return Err(Broken::Archive(io::Error::other(format!("a name of {size} bytes is in it"))));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(Broken::Archive)?;
    Ok(bytes)
}

/// Counts what is written through it.
struct Counted<W> {
    inner: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buffer)?;
        self.count += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
