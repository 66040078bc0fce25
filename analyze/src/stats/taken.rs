//! The rows of a run that a condition takes, for questions other than the screen.

use polars::prelude::{DataFrame, PolarsResult};

use super::asked::Wanted;
use super::columns::Rows;
use super::screen::{Grouped, Screen};
use super::{metrics, operations};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;

/// The rows of a run that a condition takes; all without one.
pub(crate) struct Taken<'a> {
    screen: Screen<'a>,
}

impl<'a> Taken<'a> {
    /// Reads the condition against the columns that operations have, and with `metrics` also those of metrics.
    pub(crate) fn read(dataset: &'a Dataset, wanted: &Wanted, of: Of) -> Result<Self, AnalyzeError> {
        let rows: &[Rows] = match of {
            Of::Operations => &[Rows::Operations],
            Of::Both => &[Rows::Operations, Rows::Metrics],
        };
        let taken = Self { screen: Screen::new(std::slice::from_ref(dataset), wanted, rows)? };
        if rows.iter().all(|&rows| !taken.has(rows)) {
            let all: Vec<String> = taken.screen.names().into_iter().map(|name| format!("`{name}`")).collect();
            return Err(AnalyzeError::Question(format!("no table has all of {}", all.join(" and "))));
        }
        Ok(taken)
    }

    fn has(&self, rows: Rows) -> bool {
        self.screen.lacking(rows, Grouped::No).is_empty()
    }

    /// Whether operations have what the condition names.
    pub(crate) fn has_operations(&self) -> bool {
        self.has(Rows::Operations)
    }

    /// Whether metrics have what the condition names.
    pub(crate) fn has_metrics(&self) -> bool {
        self.has(Rows::Metrics)
    }

    /// What the condition leaves out because it names what is not there, in a sentence.
    pub(crate) fn left_out(&self) -> Option<String> {
        let tables = [(Rows::Operations, "operations"), (Rows::Metrics, "metrics")];
        let (rows, what) = tables.into_iter().find(|&(rows, _)| !self.has(rows))?;
        let lacking = self.screen.lacking(rows, Grouped::No);
        let names: Vec<String> = lacking.into_iter().map(|name| format!("no `{name}`")).collect();
        Some(format!("left out: {what}, which have {}", names.join(" and ")))
    }

    /// Tells of the operations that are taken, piece by piece: these columns, scores among them, `instance` and
    /// `query_id` as they are among those of the run.
    pub(crate) fn operations(
        &self,
        columns: &[&str],
        each: &mut dyn FnMut(&DataFrame) -> PolarsResult<()>,
    ) -> Result<(), AnalyzeError> {
        operations::each(&self.screen, columns, &[], &|frame| Ok(frame.clone()), &mut |frame| each(&frame))
    }

    /// Tells of the records of metrics that are taken and count.
    pub(crate) fn metrics(&self, each: &mut dyn FnMut(&DataFrame) -> PolarsResult<()>) -> Result<(), AnalyzeError> {
        metrics::each_that_counts(&self.screen, each)
    }

    /// Whether the run knows the truth that lookups are held against, and scores were asked for.
    pub(crate) fn has_truth(&self) -> bool {
        !self.screen.ks().is_empty()
    }

    /// Adds scores to rows of table `queries`, which have the columns that a score is made of.
    pub(crate) fn with_scores(&self, frame: DataFrame) -> PolarsResult<DataFrame> {
        self.screen.with_scores(frame)
    }
}

/// Whose columns a condition may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Those of operations.
    Operations,
    /// Those of operations, and those of metrics.
    Both,
}
