//! How a report looks: for people on a terminal, for documents, for programs.

mod csv;
mod human;
mod json;
mod markdown;
mod output;
mod terminal;

pub use human::{bytes as human_bytes, nanos as human_nanos, number as human_number};
pub(crate) use output::publish;
pub use output::{Format, OutputArgs, RenderError, emit};
