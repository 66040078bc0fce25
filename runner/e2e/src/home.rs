//! A scratch home for one test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tg_model::layout;

use crate::process::{Done, Running, tg_binary};
use crate::run::Run;

/// Not `/tmp`: an instance on a host of its own has another one.
const PLACE: &str = "/var/tmp";

/// A plan of this crate, such as `shell`.
pub fn plan(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name)
}

/// A `$TG_HOME` of its own, removed at the end.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// A new, empty one.
    pub fn new() -> Self {
        Self::below(PLACE)
    }

    /// One below this folder.
    pub fn below(place: &str) -> Self {
        Self { dir: tempfile::Builder::new().prefix("tg-e2e-").tempdir_in(place).expect("a scratch folder") }
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A file beside the home, for compositions and the like.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("a file in the scratch folder");
        path
    }

    /// `tg` with these arguments, not started yet.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(tg_binary());
        command.args(args).env("TG_HOME", self.path()).env_remove("XDG_DATA_HOME").current_dir(self.dir.path());
        command
    }

    /// Starts `tg`.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        Running::start(&mut self.command(args))
    }

    /// Runs `tg` to its end.
    pub fn tg<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        self.start(args).wait()
    }

    /// The runs that lie here, oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let Ok(entries) = fs::read_dir(layout::runs_dir(&self.path())) else {
            return Vec::new();
        };
        let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        dirs.retain(|dir| dir.join(layout::RUN_FILE).is_file());
        dirs.sort();
        dirs.iter().map(|dir| Run::open(dir)).collect()
    }

    /// The only run that lies here.
    #[track_caller]
    pub fn run(&self) -> Run {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "runs in `{}`", self.path().display());
        runs.remove(0)
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}
