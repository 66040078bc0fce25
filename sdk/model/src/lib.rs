//! The contract between a plan, the runner, the collector and the analyzer.
//!
//! What a plan process receives (its environment) and leaves behind (its files), how a run is described and
//! where everything lies. Nothing here does I/O or reads a clock: files, environment and time are passed in.

pub mod composition;
pub mod env;
pub mod event;
pub mod exit;
pub mod ids;
pub mod layout;
pub mod manifest;
pub mod matrix;
mod node;
pub mod outcome;
pub mod param;
pub mod problem;
pub mod record;
pub mod resolve;
pub mod run;
pub mod spec;
pub mod sync;
pub mod table;
pub mod template;

pub use composition::Composition;
pub use event::{EventKind, RunEvent};
pub use exit::Exit;
pub use ids::{GroupName, InstanceId, RunId};
pub use manifest::Manifest;
pub use node::At;
pub use outcome::{Evidence, Expect, Outcome, Verdict};
pub use problem::Problem;
pub use resolve::{Wish, resolve};
pub use run::RunFile;
pub use spec::{GroupSpec, RunSpec};
