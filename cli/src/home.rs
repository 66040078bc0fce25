//! The folder in which tg keeps runs and caches.

use std::env;
use std::path::{Path, PathBuf};

use tg_model::Exit;

use crate::message::Failure;

/// The home as asked for; looked at only when a command needs it.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    asked: Option<PathBuf>,
}

impl Home {
    /// The home of this invocation: the flag or `$TG_HOME`, if given.
    pub(crate) fn new(asked: Option<PathBuf>) -> Self {
        Self { asked: asked.filter(|path| !path.as_os_str().is_empty()) }
    }

    /// The absolute path of the home, which need not exist.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = self
            .asked
            .clone()
            .or_else(|| from("XDG_DATA_HOME").map(|data| data.join("tg")))
            .or_else(|| from("HOME").map(|home| home.join(".local/share/tg")))
            .ok_or_else(|| {
                Failure::new(Exit::Environment, "no folder for runs: neither TG_HOME nor HOME is set")
                    .hint("set `TG_HOME` to a folder that tg may write to")
            })?;
        std::path::absolute(&path).map_err(|error| {
            Failure::new(Exit::Environment, format!("cannot make `{}` an absolute path", path.display())).cause(&error)
        })
    }

    /// The home, made if it did not exist and proven writable.
    pub(crate) fn writable(&self) -> Result<PathBuf, Failure> {
        let home = self.path()?;
        probe(&home).map_err(|error| {
            Failure::new(Exit::Environment, format!("cannot write to tg's home `{}`", home.display()))
                .cause(&error)
                .hint("free some space there, or set `TG_HOME` to a folder that tg may write to")
        })?;
        Ok(home)
    }
}

/// Makes the folder and writes a byte there; a full disk lets folders and empty files pass.
fn probe(home: &Path) -> std::io::Result<()> {
    let runs = tg_model::layout::runs_dir(home);
    std::fs::create_dir_all(&runs)?;
    let file = runs.join(format!(".probe-{}{}", std::process::id(), tg_model::layout::PARTIAL));
    let written = std::fs::write(&file, b"tg");
    let removed = std::fs::remove_file(&file);
    written.and(removed)
}
