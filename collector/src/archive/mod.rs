//! `outputs.zip`: every file as it was written, in a fixed order, with fixed times.

mod format;
pub(crate) mod journal;
mod pack;
pub(crate) mod read;
pub(crate) mod resume;
pub(crate) mod write;
