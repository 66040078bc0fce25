//! Opens a dataset and computes query statistics and graph metrics.

pub mod compare;
mod dataset;
mod datasets;
pub mod draw;
mod error;
pub mod export;
pub mod filter;
mod frame;
mod glob;
pub mod graph;
pub mod pubsub;
pub mod queries;
pub mod report;
pub mod routing;
mod run;
pub mod score;
pub mod stats;
mod summary;
pub mod work;

pub use dataset::Dataset;
pub use error::AnalyzeError;
pub use glob::matches as glob_matches;
pub use summary::{Summary, percentile};
