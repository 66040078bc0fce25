//! The files that a build is made from.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::artifact::hex;
use super::error::BuildError;

/// Folders that hold what builds make, or what version control keeps; never sources.
const NOT_SOURCES: [&str; 4] = ["target", "node_modules", ".git", "__pycache__"];

/// All files below a folder, relative to it and sorted; symlinks are files of their own.
pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = dir.join(&folder);
        let failed = |source| BuildError::Source { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let relative = folder.join(&name);
            if !entry.file_type().map_err(failed)?.is_dir() {
                found.push(relative);
            } else if !NOT_SOURCES.iter().any(|not| name == *not) {
                folders.push(relative);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A hash over the names and contents of all files below a folder, and over `extra`.
pub(super) fn hash(dir: &Path, extra: &str) -> Result<String, BuildError> {
    hash_without(dir, Path::new(""), extra)
}

/// The same without one file.
pub(super) fn hash_without(dir: &Path, without: &Path, extra: &str) -> Result<String, BuildError> {
    let mut hasher = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(extra.as_bytes());
    for file in files(dir)? {
        let path = dir.join(&file);
        if path == without {
            continue;
        }
        let failed = |source| BuildError::Source { path: path.clone(), source };
        add(file.as_os_str().as_encoded_bytes());
        if fs::symlink_metadata(&path).map_err(failed)?.is_symlink() {
            add(fs::read_link(&path).map_err(failed)?.as_os_str().as_encoded_bytes());
        }
        // A link that leads nowhere, or a socket, has no content.
        if fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
            add(&fs::read(&path).map_err(failed)?);
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// Copies all files below one folder into another, which must not exist.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    for file in files(from)? {
        let (source, target) = (from.join(&file), to.join(&file));
        let failed = |source| BuildError::Cache { path: target.clone(), source };
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        if fs::metadata(&source).is_ok_and(|meta| meta.is_file()) {
            fs::copy(&source, &target).map_err(failed)?;
        }
    }
    Ok(())
}
