//! Archive and dataset of a run that has just ended.

use std::path::Path;

use tg_collector::{CollectOptions, Folder};
use tg_model::{Exit, RunId};
use tokio_util::sync::CancellationToken;

use super::Gathered;
use crate::message::{Failure, progress};
use crate::reporter::Style;
use crate::signals::Interrupts;
use crate::text::count;

/// Collects a run in its own folder.
pub(crate) async fn gather(
    run: &RunId,
    dir: &Path,
    style: Style,
    interrupts: &mut Interrupts,
) -> Result<Gathered, Failure> {
    if style != Style::Quiet {
        progress("collecting");
    }
    let cancel = CancellationToken::new();
    let source = Folder::new(dir);
    let options = CollectOptions::default();
    let mut work = Box::pin(tg_collector::collect(&source, run, dir, &options, &|_| {}, cancel.clone()));
    let collected = loop {
        tokio::select! {
            collected = &mut work => break collected,
            () = interrupts.next() => cancel.cancel(),
        }
    };
    let collected = collected.map_err(|error| {
        let failure = Failure::from_error(error.exit(), &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure.hint(format!("the run itself is complete; `tg collect {run}` tries again")),
        }
    })?;
    let notes = collected.notes.values().sum();
    if style != Style::Quiet {
        let rows: u64 = collected.rows.values().sum();
        let noted = if notes > 0 { format!(", {}", count(notes, "note")) } else { String::new() };
        progress(&format!(
            "collected {}: {} in {}{noted}",
            count(collected.files, "file"),
            count(rows, "row"),
            count(collected.rows.len() as u64, "table"),
        ));
    }
    if collected.archive.is_none() && collected.dataset.is_none() {
        return Err(Failure::new(Exit::Fault, format!("collecting run `{run}` made nothing")));
    }
    Ok(Gathered { archive: collected.archive, dataset: collected.dataset, notes })
}
