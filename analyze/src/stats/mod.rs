//! `tg analyze stats`: one run or several at a glance, outcomes by group, operations, metrics by name and group.

mod asked;
mod codes;
mod columns;
mod course;
mod grouped;
mod head;
mod key;
mod last;
mod machine;
mod metrics;
mod operations;
mod overview;
mod percentile;
mod ranks;
mod screen;
mod spread;
mod taken;
mod trouble;

pub(crate) use asked::{Scoring, Wanted};
pub(crate) use codes::Codes;
pub(crate) use key::Key;
pub(crate) use metrics::KEYS;
pub use overview::{Detail, StatsOptions, stats};
pub use percentile::Percentile;
pub(crate) use taken::{Of, Taken};
