//! What builders make.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tg_model::spec::{BuildSpec, GroupSpec, RunSpec};
use tg_model::{RunEvent, layout};

use super::error::BuildError;

/// Something that can be started. The same for every instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artifact {
    /// The program, an absolute path, and its arguments; empty for an image.
    pub command: Vec<OsString>,
    /// The image, if it is one.
    pub image: Option<String>,
}

impl Artifact {
    /// A program on this machine.
    pub(super) fn program(command: Vec<OsString>) -> Self {
        Self { command, image: None }
    }

    /// An image, by its name.
    pub(super) fn image(name: impl Into<String>) -> Self {
        Self { command: Vec::new(), image: Some(name.into()) }
    }
}

/// What was built for the groups of one or more runs.
#[derive(Debug, Clone, Default)]
pub struct Artifacts {
    by_build: BTreeMap<String, (Arc<Artifact>, Vec<RunEvent>)>,
}

impl Artifacts {
    /// What the instances of this group run.
    pub fn of(&self, spec: &RunSpec, group: &GroupSpec) -> Option<Arc<Artifact>> {
        self.by_build.get(&key(spec, group)).map(|(artifact, _)| Arc::clone(artifact))
    }

    /// What was told of the builds that this run uses, in the order of its groups.
    pub(crate) fn told(&self, spec: &RunSpec) -> Vec<RunEvent> {
        let mut keys: Vec<String> = Vec::new();
        for group in &spec.groups {
            let key = key(spec, group);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.iter().filter_map(|key| self.by_build.get(key)).flat_map(|(_, told)| told.clone()).collect()
    }

    pub(super) fn insert(&mut self, key: String, artifact: Artifact, told: Vec<RunEvent>) {
        self.by_build.insert(key, (Arc::new(artifact), told));
    }
}

/// Equal for groups that share a build.
pub(super) fn key(spec: &RunSpec, group: &GroupSpec) -> String {
    let dir = spec.plan_dir.display();
    match &group.artifact {
        Some(artifact) => format!("{dir}\n{}\nready {artifact}", group.build.builder),
        None => format!("{dir}\n{}", text_of(&group.build)),
    }
}

/// Everything that a build depends on but the sources, as one text.
pub(super) fn text_of(build: &BuildSpec) -> String {
    let BuildSpec { builder, config, selectors, dependencies, extra_sources } = build;
    format!("{builder}\n{config}\n{selectors:?}\n{dependencies:?}\n{extra_sources:?}")
}

/// The hash of some text, in hexadecimal.
pub(crate) fn hash(text: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(text))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in bytes.iter().take(16) {
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// Copies a program below the cache, under the hash of its content. Returns where it is, and whether it was there.
pub(super) fn keep(program: &Path, cache: &Path) -> Result<(PathBuf, bool), BuildError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::Cache { path, source }
    };
    let key = hash_file(program).map_err(failed(program))?;
    let name = program.file_name().unwrap_or_default();
    let folder = cache.join(&key);
    let kept = folder.join(name);
    if kept.is_file() {
        return Ok((kept, true));
    }
    put(program, &kept)?;
    Ok((kept, false))
}

/// Copies a program; what is seen under its final name is whole.
pub(super) fn put(program: &Path, to: &Path) -> Result<(), BuildError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let partial = folder.join(format!("{}{}", std::process::id(), layout::PARTIAL));
    let copied =
        fs::create_dir_all(folder).and_then(|()| fs::copy(program, &partial)).and_then(|_| fs::rename(&partial, to));
    copied.map_err(|source| {
        // The first error is the one that matters.
        drop(fs::remove_file(&partial));
        BuildError::Cache { path: to.to_owned(), source }
    })
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}
