//! Two configurations held against one another: sets of runs that are repeats.
//!
//! Values of one instance depend on one another, and so do instances of one run: what is drawn anew is runs, then
//! instances. `docs/src/reference/comparison.md` says what follows for intervals, tests and verdicts.

mod assertion;
mod checked;
mod compared;
mod ranked;
mod ranks;
mod report;
mod resample;
mod sample;
mod series;
mod setting;
mod shape;
pub(crate) mod student;
mod trend;
mod verdict;

pub use assertion::{Assertion, AssertionError};
pub use checked::{Checked, assertions};
pub use compared::{CompareOptions, Comparison, Row, Runs, Sizes, compare};
pub use ranks::{InstanceOrder, Order};
pub use report::report;
pub use resample::{Interval, Spread, bootstrap};
pub use sample::{Sample, Statistic};
pub use series::{Detail, Key, Origin, RunValues, Wanted, read};
pub(crate) use setting::inner_differences;
pub use setting::{Difference, Setting};
pub use shape::{Shapes, sparkline};
pub use trend::{Trend, TrendOrder, trend};
pub use verdict::{ALPHA, POWER, Verdict};
