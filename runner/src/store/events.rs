//! `events.ndjson`: every event of a run, one line each.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tg_model::{RunEvent, layout};

use super::error::StoreError;

/// Writes events as whole lines. Each is handed to the system at once, so that a killed tg loses none; the disk is
/// waited for at the end only.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
    line: Vec<u8>,
    /// The length of the whole lines.
    written: u64,
}

impl EventLog {
    /// Begins the log of a run.
    pub fn create(run_dir: &Path) -> Result<Self, StoreError> {
        let path = run_dir.join(layout::EVENTS_FILE);
        let file = File::create_new(&path).map_err(|source| StoreError::Write { path: path.clone(), source })?;
        Ok(Self { path, file, line: Vec::new(), written: 0 })
    }

    /// Writes one event.
    pub fn append(&mut self, event: &RunEvent) -> Result<(), StoreError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, event)
            .map_err(|source| StoreError::Parse { path: self.path.clone(), source })?;
        self.line.push(b'\n');
        if let Err(source) = self.file.write_all(&self.line) {
            // On a full disk a part of the line may be there; the log ends with its last whole line.
            drop(self.file.set_len(self.written));
            return Err(StoreError::Write { path: self.path.clone(), source });
        }
        self.written += self.line.len() as u64;
        Ok(())
    }

    /// Waits until the disk has it.
    pub fn finish(self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(|source| StoreError::Write { path: self.path, source })
    }
}
