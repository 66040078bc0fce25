//! `outputs.zip`: every file as it was written, in a fixed order, with fixed times.

pub(crate) mod read;
pub(crate) mod write;
