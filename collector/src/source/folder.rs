//! The folder of a run, as local backends leave it.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tg_model::layout::{EVENTS_FILE, LOGS_DIR, MACHINE_FILE, OUTPUTS_DIR, RUN_FILE, STDERR_FILE, STDOUT_FILE};
use tg_model::{GroupName, InstanceId, RunId};

use super::{Body, Entry, Listing, Owner, Source, SourceNote, Task, names};
use crate::collect::words;
use crate::error::CollectError;

/// Folders below an instance's are followed this deep.
const DEEPEST: usize = 64;

/// A run's folder: `run.json`, `events.ndjson`, `outputs/<group>/<index>/…` and `logs/<group>/<index>/…`; or the
/// predecessor's, `<group>/<index>/…` alone.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
    /// The folders that hold groups.
    tops: &'static [&'static str],
}

/// The files of the run itself.
const OWN: [&str; 3] = [RUN_FILE, EVENTS_FILE, MACHINE_FILE];
/// The logs come first, so that an output of the same name is the one that is renamed.
const OURS: &[&str] = &[LOGS_DIR, OUTPUTS_DIR];
const PREDECESSORS: &[&str] = &[""];

impl Folder {
    /// The run in this folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), tops: OURS }
    }

    /// The run below a folder in any layout: the run's own folder, one that holds it, or one that holds it by plan.
    pub fn find(path: impl Into<PathBuf>, run: &RunId) -> Result<Self, CollectError> {
        let path = path.into();
        let by_plan = fs::read_dir(&path)
            .map_err(|source| CollectError::Source {
                what: "look for the run".to_owned(),
                place: format!("folder `{}`", path.display()),
                source: source.into(),
            })?
            .filter_map(|child| Some(child.ok()?.path().join(run.as_str())));
        let mut places: Vec<PathBuf> = by_plan.filter(|dir| dir.is_dir()).collect();
        places.sort();
        places.insert(0, path.join(run.as_str()));
        if path.file_name().is_some_and(|name| name == run.as_str()) || path.join(RUN_FILE).is_file() {
            places.insert(0, path.clone());
        }
        for dir in places {
            if dir.join(RUN_FILE).is_file() || dir.join(OUTPUTS_DIR).is_dir() {
                return Ok(Self { dir, tops: OURS });
            }
            if dir.is_dir() {
                return Ok(Self { dir, tops: PREDECESSORS });
            }
        }
        Err(CollectError::NotFound { run: run.to_string(), place: format!("folder `{}`", path.display()) })
    }

    /// What one instance left.
    pub(crate) async fn of_instance(&self, id: InstanceId) -> Result<Listing, CollectError> {
        let folder = self.clone();
        let scan = move || {
            let mut scan = Scan { base: &folder.dir, listing: Listing::default() };
            for top in folder.tops {
                let dir = Path::new(top).join(id.group.as_str()).join(id.index.to_string());
                scan.files(&id, &dir, &[], 0, *top == LOGS_DIR)?;
            }
            let mut listing = scan.listing;
            names::settle(&mut listing);
            Ok(listing)
        };
        tokio::task::spawn_blocking(scan).await.map_err(|error| CollectError::Fault(error.to_string()))?
    }

    fn scan(&self, run: &RunId) -> Result<Listing, CollectError> {
        let mut scan = Scan { base: &self.dir, listing: Listing::default() };
        let mut any = false;
        for name in OWN {
            if let Ok(meta) = fs::symlink_metadata(self.dir.join(name))
                && meta.is_file()
            {
                any = true;
                scan.listing.entries.push(Entry {
                    owner: Owner::Run,
                    name: name.to_owned(),
                    size: meta.len(),
                    locator: name.to_owned(),
                    version: Some(version(&meta)),
                });
            }
        }
        for top in self.tops {
            any |= scan.groups(top)?;
        }
        if !any {
            return Err(CollectError::NotFound { run: run.to_string(), place: self.place() });
        }
        let mut listing = scan.listing;
        names::settle(&mut listing);
        Ok(listing)
    }
}

impl Source for Folder {
    fn place(&self) -> String {
        format!("folder `{}`", self.dir.display())
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(async move {
            let (folder, run) = (self.clone(), run.clone());
            tokio::task::spawn_blocking(move || folder.scan(&run))
                .await
                .map_err(|error| CollectError::Fault(error.to_string()))?
        })
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        Box::pin(async move {
            let path = self.dir.join(&entry.locator);
            let file = File::open(&path).map_err(|source| CollectError::Read { path, source })?;
            Ok(Box::new(file) as Body)
        })
    }
}

/// What tells one content of a file from another: any write moves the second time, even where the first is set back.
fn version(meta: &fs::Metadata) -> String {
    let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    format!("{}.{:09} {}.{:09} {}", modified.0, modified.1, changed.0, changed.1, meta.ino())
}

/// A walk through a run's folder. Links are never followed: an instance could point them anywhere.
struct Scan<'a> {
    base: &'a Path,
    listing: Listing,
}

impl Scan<'_> {
    fn children(&self, dir: &Path) -> Result<Vec<fs::DirEntry>, CollectError> {
        let path = self.base.join(dir);
        let read = |source| CollectError::Read { path: path.clone(), source };
        match fs::read_dir(&path) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(read),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(read(error)),
        }
    }

    fn note(&mut self, path: &str, reason: &str, text: impl Into<String>) {
        self.listing.notes.push(SourceNote::new(path, reason, text));
    }

    fn groups(&mut self, top: &str) -> Result<bool, CollectError> {
        if !self.base.join(top).is_dir() {
            return Ok(false);
        }
        for group in self.children(Path::new(top))? {
            let name = group.file_name();
            if top.is_empty() && OWN.iter().any(|own| name == *own) {
                continue;
            }
            let parsed = name.to_str().map(str::parse::<GroupName>);
            let is_dir = group.file_type().is_ok_and(|kind| kind.is_dir());
            let group = match (parsed, is_dir) {
                (Some(Ok(group)), true) => group,
                (parsed, _) => {
                    let mut text = format!("`{top}/{}` is not the folder of a group", names::safe(name.as_bytes()));
                    if let (Some(Err(bad)), true) = (parsed, is_dir) {
                        text = format!("{text}: {}", bad.why);
                    }
                    self.note("", "not-a-group", text);
                    continue;
                }
            };
            self.instances(top, &group)?;
        }
        Ok(true)
    }

    fn instances(&mut self, top: &str, group: &GroupName) -> Result<(), CollectError> {
        let dir = Path::new(top).join(group.as_str());
        for child in self.children(&dir)? {
            let name = child.file_name();
            let index = name.to_str().and_then(|name| name.parse::<u32>().ok().filter(|n| n.to_string() == name));
            let is_dir = child.file_type().is_ok_and(|kind| kind.is_dir());
            let (Some(index), true) = (index, is_dir) else {
                let text = format!("`{top}/{group}/{}` is not the folder of an instance", names::safe(name.as_bytes()));
                self.note("", "not-an-instance", text);
                continue;
            };
            let id = InstanceId { group: group.clone(), index };
            let logs_only = top == LOGS_DIR;
            self.files(&id, &dir.join(index.to_string()), &[], 0, logs_only)?;
        }
        Ok(())
    }

    fn files(
        &mut self,
        id: &InstanceId,
        dir: &Path,
        below: &[u8],
        depth: usize,
        logs: bool,
    ) -> Result<(), CollectError> {
        let children = match self.children(dir) {
            Ok(children) => children,
            Err(error) => {
                let path = format!("{id}/{}", names::safe(below));
                self.note(&path, "unreadable", words(&error));
                return Ok(());
            }
        };
        for child in children {
            let file_name = child.file_name();
            let mut name = below.to_vec();
            if !name.is_empty() {
                name.push(b'/');
            }
            name.extend_from_slice(file_name.as_bytes());
            let safe = names::safe(&name);
            let path = format!("{id}/{safe}");
            let kind = match child.metadata() {
                Ok(meta) if meta.is_dir() && depth < DEEPEST => {
                    self.files(id, &dir.join(&file_name), &name, depth + 1, logs)?;
                    continue;
                }
                Ok(meta) if meta.is_dir() => "a folder that lies too deep",
                Ok(meta) if meta.is_file() => {
                    // In the folder of logs, only what tg itself keeps there counts.
                    if logs && ![STDOUT_FILE, STDERR_FILE, MACHINE_FILE].contains(&safe.as_str()) {
                        continue;
                    }
                    let Some(locator) = dir.join(&file_name).to_str().map(str::to_owned) else {
                        self.note(&path, "bad-name", "its name is not UTF-8");
                        continue;
                    };
                    if safe.as_bytes() != name {
                        self.note(&path, "renamed", "its own name is not safe everywhere");
                    }
                    self.listing.entries.push(Entry {
                        owner: Owner::Instance(id.clone()),
                        name: safe,
                        size: meta.len(),
                        locator,
                        version: Some(version(&meta)),
                    });
                    continue;
                }
                Ok(meta) if meta.is_symlink() => "a link, which is not followed",
                Ok(_) => "no ordinary file",
                Err(error) => {
                    self.note(&path, "unreadable", error.to_string());
                    continue;
                }
            };
            self.note(&path, "not-collected", format!("it is {kind}"));
        }
        Ok(())
    }
}
