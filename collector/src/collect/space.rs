//! What a collect still needs on a disk that is full.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

use super::Progress;
use crate::error::CollectError;

/// Less is not worth asking for.
const LEAST_BYTES: u64 = 1 << 20;

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An error of writing a file; if the disk is full, with what is needed.
pub(super) fn write_failed(path: &Path, source: io::Error, needs_bytes: impl FnOnce() -> u64) -> CollectError {
    if is_full(&source) {
        let (needs_bytes, free_bytes) = (needs_bytes(), free(path));
        return CollectError::Full { path: path.to_owned(), needs_bytes, free_bytes, source };
    }
    CollectError::Write { path: path.to_owned(), source }
}

/// About how many bytes more the archive takes, if what follows packs as well as what went before.
pub(super) fn archive_needs(partial: &Path, at: Progress) -> u64 {
    let packed = fs::metadata(partial).map_or(0, |meta| meta.len());
    let left = at.of_bytes.saturating_sub(at.bytes);
    let ratio = if at.bytes > 0 { (packed as f64 / at.bytes as f64).min(1.0) } else { 1.0 };
    whole_bytes(left as f64 * ratio).max(LEAST_BYTES)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of files are positive and far below"
)]
fn whole_bytes(bytes: f64) -> u64 {
    bytes.ceil() as u64
}

/// An error of making the dataset; if the disk is full, with what is needed.
pub(super) fn dataset_failed(error: CollectError, partial: &Path, outputs_bytes: u64) -> CollectError {
    let full = {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        let mut found = None;
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>().filter(|io| is_full(io)) {
                found = Some(io.kind());
            }
            cause = error.source();
        }
        found
    };
    let Some(kind) = full else { return error };
    let used = used(partial);
    // Measured: waiting rows and tables together take about what the outputs take.
    let needs_bytes = outputs_bytes.max(used + LEAST_BYTES);
    // What was half made is removed.
    let free_bytes = free(partial).map(|free| free + used);
    CollectError::Full { path: partial.to_owned(), needs_bytes, free_bytes, source: kind.into() }
}

/// The bytes of all files below a folder.
fn used(dir: &Path) -> u64 {
    let Ok(children) = fs::read_dir(dir) else { return 0 };
    children
        .filter_map(Result::ok)
        .map(|child| match child.metadata() {
            Ok(meta) if meta.is_dir() => used(&child.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The bytes that are free where a path lies.
fn free(path: &Path) -> Option<u64> {
    let dir = path.ancestors().find(|dir| dir.exists())?;
    let stat = nix::sys::statvfs::statvfs(dir).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}
