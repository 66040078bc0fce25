//! Archive and dataset of a run that has just ended.

use std::path::Path;

use tg_collector::{CollectOptions, Folder, Source};
use tg_model::RunId;

use super::Gathered;
use crate::message::{Failure, progress};
use crate::reporter::Style;
use crate::text::count;

/// Collects a run in its own folder.
pub(super) async fn gather(run: &RunId, dir: &Path, style: Style) -> Result<Gathered, Failure> {
    gather_from(&Folder::new(dir), run, dir, style).await
}

/// Collects a run whose outputs are elsewhere into its folder.
pub(super) async fn gather_from(
    source: &dyn Source,
    run: &RunId,
    dir: &Path,
    style: Style,
) -> Result<Gathered, Failure> {
    let collected = crate::collect::collect(source, run, dir, &CollectOptions::default()).await?;
    let notes = collected.notes.values().sum();
    if style != Style::Quiet {
        let rows: u64 = collected.rows.values().sum();
        let noted = if notes > 0 { format!(", {}", count(notes, "note")) } else { String::new() };
        let (files, tables) = (count(collected.files, "file"), count(collected.rows.len() as u64, "table"));
        progress(&format!("collected {files}: {} in {tables}{noted}", count(rows, "row")));
    }
    Ok(Gathered { archive: collected.archive, dataset: collected.dataset, notes })
}
