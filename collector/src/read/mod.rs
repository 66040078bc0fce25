//! From the lines of an instance's files to rows.
//!
//! Every line has one disposition: it becomes rows of tables (mapped), a row of `logs` (logged), or a note (noted).

pub(crate) mod dht;
pub(crate) mod early;
pub(crate) mod facts;
pub(crate) mod file;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod operations;
pub(crate) mod peer;
pub(crate) mod pubsub;
pub(crate) mod records;
pub(crate) mod rule;
pub(crate) mod run_out;
pub(crate) mod said;
pub(crate) mod scan;

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It became rows of tables.
    Mapped,
    /// It became a row of `logs`.
    Logged,
    /// It became a note with this reason.
    Noted(&'static str),
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) instance: u32,
    pub(crate) file_id: u32,
    pub(crate) line: u32,
}
