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

/// Makes the dataset from the archive and puts it in its place.
pub(super) async fn make(
    archive: &Path,
    run: &RunId,
    into: &Path,
    outputs_bytes: u64,
    jobs: usize,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Written, CollectError> {
    let (tell, told) = watch::channel(Progress::begin(Phase::Dataset));
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
                            let newer = at.phase != told.phase || at.bytes >= told.bytes;
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
                let error = space::dataset_failed(error, &partial, outputs_bytes);
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
