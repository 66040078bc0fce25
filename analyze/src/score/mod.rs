//! Lookups held against the truth of the run: what they returned, and what they spent on it.

mod effort;
mod find;
mod keyspace;
mod lookups;
mod records;
mod result;
mod scorer;
mod steps;
mod summary;
mod theory;
mod trace;
mod tree;
mod view;

pub use effort::{Effort, effort};
pub use find::find;
pub use keyspace::{Keyspace, Member, Nearest};
pub use lookups::{Lookup, Scored};
pub use records::{Records, Retrieved, records};
pub use result::{Returned, Score, Truth, score, size_estimate};
pub(crate) use scorer::{NAMES as SCORES, Scorer, columns as score_columns};
pub use steps::{Step, StepKind};
pub use summary::summary;
pub use theory::{HOPS_BAND, expected_hops};
pub use trace::{Contact, Fate, Teller, Trace};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::report::Report;

/// What to ask of the lookups of a run.
#[derive(Debug, Clone)]
pub struct LookupOptions {
    /// How many peers a lookup is to return.
    pub k: u32,
    /// How many of the worst lookups are listed.
    pub worst: usize,
}

impl Default for LookupOptions {
    fn default() -> Self {
        Self { k: 20, worst: 10 }
    }
}

/// One lookup of a run, peer by peer. `wanted` is its number in the run, its own id, or a prefix of that.
pub fn lookup(dataset: &Dataset, wanted: &str, options: &LookupOptions) -> Result<Report, AnalyzeError> {
    let number = lookups::number(dataset, wanted)?;
    let scored = Scored::read_one(dataset, options.k, number)?;
    let [lookup] = scored.lookups.as_slice() else {
        return Err(AnalyzeError::Question(format!("lookup {number} has no kind of operation")));
    };
    let steps = steps::of_lookup(dataset, lookup.query)?;
    Ok(view::view(&scored, lookup, &steps, &title(dataset)?))
}

/// How good the lookups of a run were.
pub fn lookups(dataset: &Dataset, options: &LookupOptions) -> Result<Report, AnalyzeError> {
    let mut scored = Scored::read(dataset, options.k)?;
    if scored.lookups.is_empty() {
        return Err(none(dataset));
    }
    scored.add_efforts(dataset)?;
    Ok(summary(&scored, &title(dataset)?, options.worst))
}

fn none(dataset: &Dataset) -> AnalyzeError {
    let dir = dataset.dir().display();
    AnalyzeError::NoData(format!("the run recorded no lookups: `{dir}` has no table `queries`"))
}

/// The run, or the folder of its dataset.
fn title(dataset: &Dataset) -> Result<String, AnalyzeError> {
    let run = crate::run::Run::read(dataset)?;
    Ok(run.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id)))
}
