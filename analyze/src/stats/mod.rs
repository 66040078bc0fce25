//! `tg analyze stats`: the run at a glance, outcomes by group, operations, metrics by name and group.

mod head;
mod metrics;
mod operations;
mod overview;

pub use overview::{Detail, StatsOptions, stats};
