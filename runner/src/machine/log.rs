//! `machine.ndjson`: one line a sample, made when there is the first.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use tg_model::machine::Sample;

/// Each time so many bytes more were written, samples are taken half as often.
const STEP_BYTES: u64 = 16 << 20;

/// The file, and what is to be written at once.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    lines: Vec<u8>,
    written: u64,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, lines: Vec::new(), written: 0 }
    }

    pub(super) fn put(&mut self, sample: &Sample) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, sample)?;
        self.lines.push(b'\n');
        Ok(())
    }

    /// Hands whole lines to the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::create_new(&self.path)?),
        };
        if let Err(error) = file.write_all(&self.lines) {
            // On a full disk a part of a line may be there; the file ends with its last whole line.
            drop(file.set_len(self.written));
            return Err(error);
        }
        self.written += self.lines.len() as u64;
        self.lines.clear();
        Ok(())
    }

    /// How many times rarer samples are to be, for what the file has grown to.
    pub(super) fn thinner(&self) -> u32 {
        1 << (self.written / STEP_BYTES).min(12)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.file.map_or(Ok(()), |file| file.sync_all())
    }
}
