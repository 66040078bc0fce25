//! Reads an archive, ours or another's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::ZipArchive;

use crate::error::CollectError;

/// A file that several threads read at places of their own.
#[derive(Debug)]
pub(crate) struct SharedFile {
    file: Arc<File>,
    at: u64,
    size: u64,
    /// Bytes of the file from `window_at` on.
    window: Vec<u8>,
    window_at: u64,
}

/// Small reads are served from a window of this size.
const WINDOW: usize = 16 << 10;

impl SharedFile {
    pub(crate) fn new(file: Arc<File>, size: u64) -> Self {
        Self { file, at: 0, size, window: Vec::new(), window_at: 0 }
    }
}

impl Clone for SharedFile {
    fn clone(&self) -> Self {
        Self { at: self.at, ..Self::new(self.file.clone(), self.size) }
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let from = self.at.checked_sub(self.window_at).and_then(|from| usize::try_from(from).ok());
        let held = from.and_then(|from| self.window.get(from..)).filter(|held| !held.is_empty());
        let n = if let Some(held) = held {
            let n = held.len().min(buffer.len());
            buffer[..n].copy_from_slice(&held[..n]);
            n
        } else if buffer.len() >= WINDOW {
            self.file.read_at(buffer, self.at)?
        } else {
            self.window.resize(WINDOW, 0);
            let got = self.file.read_at(&mut self.window, self.at)?;
            self.window.truncate(got);
            self.window_at = self.at;
            let n = got.min(buffer.len());
            buffer[..n].copy_from_slice(&self.window[..n]);
            n
        };
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// An open archive; cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    path: PathBuf,
    zip: ZipArchive<SharedFile>,
}

/// A file in an archive.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) index: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) size: u64,
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, CollectError> {
        let read = |source| CollectError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let size = file.metadata().map_err(read)?.len();
        let zip = ZipArchive::new(SharedFile::new(Arc::new(file), size))
            .map_err(|source| CollectError::Archive { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), zip })
    }

    fn broken(&self) -> impl Fn(zip::result::ZipError) -> CollectError + use<> {
        let path = self.path.clone();
        move |source| CollectError::Archive { path: path.clone(), source }
    }

    /// Its files in the order of the archive.
    pub(crate) fn files(&mut self) -> Result<Vec<Packed>, CollectError> {
        let broken = self.broken();
        let mut files = Vec::with_capacity(self.zip.len());
        for index in 0..self.zip.len() {
            let file = self.zip.by_index_raw(index).map_err(&broken)?;
            if !file.name_raw().ends_with(b"/") {
                files.push(Packed { index, name: file.name_raw().to_vec(), size: file.size() });
            }
        }
        Ok(files)
    }

    /// The content of a file, never more than its listed size.
    pub(crate) fn content(&mut self, file: &Packed) -> Result<impl Read + '_, CollectError> {
        let broken = self.broken();
        Ok(self.zip.by_index(file.index).map_err(broken)?.take(file.size))
    }
}
