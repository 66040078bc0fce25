//! The folder of a run on disk while it is made: `<home>/runs/<run-id>/`.
//!
//! `run.json` is written when a run begins (verdict `unknown`, with the process that runs it) and again, whole, when
//! it ends; `events.ndjson` grows by whole lines, so that a killed tg leaves at most one half line, which readers
//! pass over.

mod error;
mod events;
mod folder;

pub use error::StoreError;
pub use events::EventLog;
pub use folder::RunFolder;
