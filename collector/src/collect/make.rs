//! The second half of a collect: the dataset, from the archive alone.

use std::fs;
use std::io;
use std::path::Path;

use tg_model::RunId;
use tg_model::layout::{DATASET_DIR, PARTIAL};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Phase, Progress, space, sync_dir, watch_progress};
use crate::dataset::build::build;
use crate::dataset::finish::Written;
use crate::error::CollectError;

/// The waiting rows and the tables take no more disk than this many times the archive, as far as was measured.
pub(super) const DISK_PER_ARCHIVE: u64 = 4;

/// Makes the dataset from the archive and puts it in its place.
pub(super) async fn make(
    archive: &Path,
    run: &RunId,
    into: &Path,
    jobs: usize,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Written, CollectError> {
    let nothing = Progress {
        phase: Phase::Dataset,
        bytes: 0,
        of_bytes: 0,
        files: 0,
        of_files: 0,
        instances: 0,
        of_instances: 0,
        kept_bytes: 0,
    };
    let (tell, told) = watch::channel(nothing);
    let (archive, run, cancel) = (archive.to_owned(), run.clone(), cancel.clone());
    let partial = into.join(format!("{DATASET_DIR}{PARTIAL}"));
    let target = into.join(DATASET_DIR);
    let builder = tokio::task::spawn_blocking(move || {
        clear(&partial)?;
        let made = fs::create_dir_all(&partial)
            .map_err(|source| CollectError::Write { path: partial.clone(), source })
            .and_then(|()| {
                build(
                    &archive,
                    &run,
                    &partial,
                    jobs,
                    &|at| {
                        tell.send_if_modified(|told| {
                            let newer = at.bytes >= told.bytes;
                            if newer {
                                *told = at;
                            }
                            newer
                        });
                    },
                    &cancel,
                )
            });
        let written = match made {
            Ok(written) => written,
            Err(error) => {
                let error = space::dataset_failed(error, &partial, &archive);
                // What is half made is of no use; the archive is kept.
                clear(&partial)?;
                return Err(error);
            }
        };
        sync_tree(&partial)?;
        clear(&target)?;
        fs::rename(&partial, &target).map_err(|source| CollectError::Write { path: target.clone(), source })?;
        Ok(written)
    });
    let ((), joined) = tokio::join!(watch_progress(told, progress), builder);
    joined.map_err(|error| CollectError::Fault(error.to_string()))?
}

fn clear(dir: &Path) -> Result<(), CollectError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CollectError::Write { path: dir.to_owned(), source }),
    }
}

/// Makes sure that the names in a folder and in its folders are on disk.
fn sync_tree(dir: &Path) -> Result<(), CollectError> {
    let read = |source| CollectError::Read { path: dir.to_owned(), source };
    for child in fs::read_dir(dir).map_err(read)? {
        let child = child.map_err(read)?;
        if child.file_type().map_err(read)?.is_dir() {
            sync_dir(&child.path())?;
        }
    }
    sync_dir(dir)
}
