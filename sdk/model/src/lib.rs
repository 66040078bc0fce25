//! The contract between a plan, the runner, the collector and the analyzer.
//!
//! What a plan process receives (its environment) and leaves behind (its files), how a run is described and
//! where everything lies. Nothing here does I/O or reads a clock: files, environment and time are passed in.

pub mod env;
pub mod event;
pub mod exit;
pub mod ids;
pub mod layout;
pub mod outcome;
pub mod record;
pub mod run;
pub mod spec;
pub mod sync;
pub mod table;

pub use event::{EventKind, RunEvent};
pub use exit::Exit;
pub use ids::{GroupName, InstanceId, RunId};
pub use outcome::{Evidence, Expect, Outcome, Verdict};
pub use run::RunFile;
pub use spec::{GroupSpec, RunSpec};
