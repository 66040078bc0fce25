//! `tg analyze stats`: the run at a glance, outcomes by group, metrics by name and group.

mod head;
mod metrics;
mod overview;

pub use overview::{Detail, StatsOptions, stats};
