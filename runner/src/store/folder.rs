//! The folder of one run.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tg_model::{RunFile, layout};

use super::error::StoreError;

/// The folder of a run that is being made.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder and writes `run.json` for the first time. Nothing is left behind if that fails.
    pub fn create(home: &Path, file: &RunFile) -> Result<Self, StoreError> {
        let runs = layout::runs_dir(home);
        fs::create_dir_all(&runs).map_err(write_error(&runs))?;
        let path = layout::run_dir(home, &file.run);
        fs::create_dir(&path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(file.run.clone()),
            _ => StoreError::Write { path: path.clone(), source },
        })?;
        let folder = Self { path };
        if let Err(error) = folder.fill(file) {
            folder.undo();
            return Err(error);
        }
        Ok(folder)
    }

    /// The folder of a run that another tg began and this one goes on with; made if it is not there.
    pub(crate) fn take(home: &Path, file: &RunFile) -> Result<Self, StoreError> {
        let path = layout::run_dir(home, &file.run);
        if !path.is_dir() {
            return Self::create(home, file);
        }
        let events = path.join(layout::EVENTS_FILE);
        // Everything is told anew, from what the cluster knows.
        match fs::remove_file(&events) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write_error(&events)(error)),
            _ => {}
        }
        let folder = Self { path };
        folder.write(file)?;
        Ok(folder)
    }

    fn fill(&self, file: &RunFile) -> Result<(), StoreError> {
        for name in [layout::OUTPUTS_DIR, layout::LOGS_DIR] {
            let path = self.path.join(name);
            fs::create_dir(&path).map_err(write_error(&path))?;
        }
        self.write(file)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `run.json` anew: a reader sees the old one or the new one, whole.
    pub fn write(&self, file: &RunFile) -> Result<(), StoreError> {
        let path = self.path.join(layout::RUN_FILE);
        let partial = self.path.join(format!("{}{}", layout::RUN_FILE, layout::PARTIAL));
        let mut text =
            serde_json::to_vec_pretty(file).map_err(|source| StoreError::Parse { path: path.clone(), source })?;
        text.push(b'\n');
        let written = (|| {
            let mut file = File::create(&partial)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        })();
        written.map_err(|source| {
            // Half a file under a temporary name helps nobody; the error that matters is the first.
            drop(fs::remove_file(&partial));
            StoreError::Write { path, source }
        })
    }

    /// Removes the folder of a run that could not begin.
    pub(crate) fn undo(&self) {
        // The error that led here is the one to report.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Write { path, source }
}
