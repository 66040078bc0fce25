//! Opens a dataset and computes query statistics and graph metrics.

pub mod report;
