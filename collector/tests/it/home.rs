//! Runs made by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tg_collector::{CollectError, CollectOptions, Collected, Folder, Source};
use tg_model::run::{FORMAT, RunFile, RunGroup};
use tg_model::{Expect, Verdict};
use tokio_util::sync::CancellationToken;

/// The id of every run here.
pub(crate) const RUN: &str = "20261122-221530417-k7qx";

/// A run's folder that goes when it is dropped.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// A run of these groups, with `run.json`.
    pub(crate) fn new(groups: &[(&str, u32)]) -> Self {
        let home = Self::foreign();
        let group = |&(name, count): &(&str, u32)| RunGroup {
            name: name.parse().expect("a good name"),
            count,
            params: BTreeMap::from([("k".to_owned(), "20".to_owned())]),
            builder: "exec:generic".to_owned(),
            expect: Expect::Ok,
        };
        let run = RunFile {
            format: FORMAT,
            tg_version: "0.1.0".to_owned(),
            run: RUN.parse().expect("a good id"),
            plan: "ping".to_owned(),
            case: "mesh".to_owned(),
            backend: "local:exec".to_owned(),
            seed: 7,
            groups: groups.iter().map(group).collect(),
            network: None,
            composition: None,
            series: None,
            started_ns: 1_000,
            ended_ns: Some(9_000),
            verdict: Verdict::Failed,
            tally: BTreeMap::new(),
            outputs: None,
            pid: None,
        };
        fs::write(home.run_dir().join("run.json"), serde_json::to_vec_pretty(&run).expect("it serialises"))
            .expect("the folder is writable");
        home
    }

    /// A run that tg did not make: outputs only.
    pub(crate) fn foreign() -> Self {
        let home = Self { dir: tempfile::tempdir().expect("a folder for the test") };
        fs::create_dir_all(home.run_dir()).expect("the folder is writable");
        home
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir.path().join(RUN)
    }

    /// Writes a file below the run's folder.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.run_dir().join(path);
        fs::create_dir_all(path.parent().expect("it lies in the run")).expect("the folder is writable");
        fs::write(path, content).expect("the folder is writable");
        self
    }

    /// Collects it into a folder beside the run's.
    pub(crate) async fn collect(&self, into: &str, options: &CollectOptions) -> Result<Collected, CollectError> {
        collect(&Folder::new(self.run_dir()), &self.path(into), options).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

pub(crate) async fn collect(
    source: &dyn Source,
    into: &Path,
    options: &CollectOptions,
) -> Result<Collected, CollectError> {
    let run = RUN.parse().expect("a good id");
    tg_collector::collect(source, &run, into, options, &|_| {}, CancellationToken::new()).await
}

/// Every file below a folder with its bytes, but for the journal: that says where the files came from.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for child in fs::read_dir(&next).expect("the folder is readable") {
            let path = child.expect("the folder is readable").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_none_or(|extension| extension != "journal") {
                let name = path.strip_prefix(dir).expect("it lies below").to_owned();
                out.insert(name, fs::read(&path).expect("the file is readable"));
            }
        }
    }
    out
}
