//! `tg analyze stats`: one run or several at a glance, outcomes by group, operations, metrics by name and group.

mod asked;
mod columns;
mod course;
mod head;
mod key;
mod machine;
mod metrics;
mod operations;
mod overview;
mod percentile;
mod screen;
mod trouble;

pub(crate) use asked::Wanted;
pub(crate) use operations::Chosen;
pub use overview::{Detail, StatsOptions, stats};
pub use percentile::Percentile;
