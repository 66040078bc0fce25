//! The runs of a side, by the names that were given.

use tg_analyze::{AnalyzeError, Dataset};
use tg_model::Exit;

use super::super::{Source, failure, is_path, open_named};
use crate::message::Failure;
use crate::{Context, stored};

/// The datasets of one side.
pub(super) struct Side {
    pub(super) datasets: Vec<Dataset>,
    names: Vec<String>,
}

impl Side {
    /// An error of reading one of them; the hint names the run if there is only one.
    pub(super) fn failure(&self, error: &AnalyzeError) -> Failure {
        let run = if let [only] = self.names.as_slice() { only.clone() } else { "RUN".to_owned() };
        failure(error, &Source { run })
    }
}

/// Opens the datasets that the names mean.
pub(super) fn open(names: &[String], context: &Context) -> Result<Side, Failure> {
    let mut side = Side { datasets: Vec::new(), names: Vec::new() };
    for name in names {
        for run in expand(name, context)? {
            side.datasets.push(open_named(&run, context)?);
            side.names.push(run);
        }
    }
    Ok(side)
}

/// The runs that one name means: `NAME+` is a run with its repeats, a pattern every run whose id matches.
fn expand(name: &str, context: &Context) -> Result<Vec<String>, Failure> {
    if is_path(name) {
        return Ok(vec![name.to_owned()]);
    }
    if name.contains(['*', '?']) {
        let all = stored::all(&context.home)?;
        let ids = all.into_iter().map(|run| run.id.to_string());
        let found: Vec<String> = ids.filter(|id| tg_analyze::glob_matches(name, id)).collect();
        if found.is_empty() {
            let failure = Failure::new(Exit::RunNotFound, format!("no run matches `{}`", crate::text::clean(name)));
            return Err(failure.hint("`tg runs list` shows the runs"));
        }
        return Ok(found);
    }
    let Some(name) = name.strip_suffix('+') else { return Ok(vec![name.to_owned()]) };
    let run = stored::find(&context.home, name)?;
    let Some(series) = stored::read_file(&run.dir)?.series else {
        return Ok(vec![run.id.to_string()]);
    };
    let mut found = Vec::new();
    for other in stored::all(&context.home)? {
        // A run whose description cannot be read is not known to be a repeat.
        let theirs = stored::read_file(&other.dir).ok().and_then(|file| file.series);
        if theirs.is_some_and(|theirs| theirs.id == series.id && theirs.config == series.config) {
            found.push(other.id.to_string());
        }
    }
    Ok(found)
}
