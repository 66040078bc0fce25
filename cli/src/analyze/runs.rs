//! Runs by the names that were given: one by one, by a pattern, with their repeats, or all.

use std::collections::BTreeSet;

use tg_analyze::report::{Report, Tone};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::{Exit, layout};

use super::{Source, dataset_dir, failure, is_path, open_named};
use crate::message::Failure;
use crate::text::{clean, count};
use crate::{Context, stored};

/// No more runs than this are named in a note.
const NAMED: usize = 5;

/// The datasets of some runs.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) datasets: Vec<Dataset>,
    names: Vec<String>,
    /// Runs that nobody named one by one, and that have no dataset.
    without: Vec<String>,
}

/// What to do about a run without a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is an error.
    Refuse,
    /// It is left out, and that is said.
    LeaveOut,
}

impl Chosen {
    /// An error of reading one of them; the hint names the run if there is only one.
    pub(super) fn failure(&self, error: &AnalyzeError) -> Failure {
        let run = if let [only] = self.names.as_slice() { only.clone() } else { "RUN".to_owned() };
        failure(error, &Source { run })
    }

    /// Says which runs are left out.
    pub(super) fn tell(&self, report: &mut Report) {
        if self.without.is_empty() {
            return;
        }
        let more = if self.without.len() > NAMED { ", …" } else { "" };
        let some: Vec<String> = self.without.iter().take(NAMED).map(|run| clean(run)).collect();
        let runs = count(self.without.len() as u64, "run");
        let have = if self.without.len() == 1 { "which has" } else { "which have" };
        let text = format!("left out: {runs}, {have} no dataset: {}{more}; `tg collect RUN` makes it", some.join(", "));
        report.note(Tone::Warn, text);
    }

    fn add(&mut self, run: String, context: &Context, missing: Missing) -> Result<(), Failure> {
        // Whoever names runs by a pattern means those of the home.
        let is_there = missing == Missing::Refuse || dataset_dir(&run, context)?.join(layout::DATASET_FILE).is_file();
        if is_there {
            self.datasets.push(open_named(&run, context)?);
            self.names.push(run);
        } else {
            self.without.push(run);
        }
        Ok(())
    }

    /// Fails if every run was left out.
    fn refuse_none(self) -> Result<Self, Failure> {
        match self.without.first() {
            Some(run) if self.datasets.is_empty() => {
                let failure = Failure::new(Exit::NoData, "none of the runs that are meant has a dataset".to_owned());
                Err(failure.hint(format!("`tg collect {}` makes the dataset of a run", clean(run))))
            }
            _ => Ok(self),
        }
    }
}

/// Opens the datasets that the names mean.
pub(super) fn open(names: &[String], context: &Context) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    for name in names {
        for run in expand(name, context)? {
            chosen.add(run, context, Missing::Refuse)?;
        }
    }
    Ok(chosen)
}

/// Opens the datasets that the names mean, each run once, however many of the names mean it. Of runs that a pattern
/// means, those without a dataset are left out.
pub(super) fn open_once(names: &[String], context: &Context) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    let mut known = BTreeSet::new();
    for name in names {
        let missing = if is_pattern(name) { Missing::LeaveOut } else { Missing::Refuse };
        for run in expand(name, context)? {
            let dir = dataset_dir(&run, context)?;
            // Where there is no such folder, opening it says so.
            if known.insert(dir.canonicalize().unwrap_or(dir)) {
                chosen.add(run, context, missing)?;
            }
        }
    }
    chosen.refuse_none()
}

/// Opens the datasets of all runs.
pub(super) fn open_all(context: &Context) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    let all = stored::all(&context.home)?;
    if all.is_empty() {
        // Names the home, and says what to do.
        stored::find(&context.home, stored::LATEST)?;
    }
    for run in all {
        chosen.add(run.id.to_string(), context, Missing::LeaveOut)?;
    }
    chosen.refuse_none()
}

fn is_pattern(name: &str) -> bool {
    !is_path(name) && name.contains(['*', '?'])
}

/// The runs that one name means: `NAME+` is a run with its repeats, a pattern every run whose id matches.
fn expand(name: &str, context: &Context) -> Result<Vec<String>, Failure> {
    if is_path(name) {
        return Ok(vec![name.to_owned()]);
    }
    if is_pattern(name) {
        let all = stored::all(&context.home)?;
        let ids = all.into_iter().map(|run| run.id.to_string());
        let found: Vec<String> = ids.filter(|id| tg_analyze::glob_matches(name, id)).collect();
        if found.is_empty() {
            let failure = Failure::new(Exit::RunNotFound, format!("no run matches `{}`", clean(name)));
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
