//! `tg analyze stats`: the run at a glance, outcomes by group, operations, metrics by name and group.

mod course;
mod head;
mod metrics;
mod operations;
mod overview;
mod percentile;
mod trouble;

pub use overview::{Detail, StatsOptions, stats};
pub use percentile::Percentile;
