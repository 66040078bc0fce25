//! The contract between a plan, the runner, the collector and the analyzer.
//!
//! What a plan process receives (its environment) and leaves behind (its files), how a run is described and
//! where everything lies. Nothing here does I/O or reads a clock: files, environment and time are passed in.

#[cfg(feature = "plans")]
pub mod composition;
pub mod env;
pub mod event;
pub mod exit;
#[cfg(feature = "plans")]
pub mod fault;
pub mod ids;
pub mod layout;
pub mod link;
pub mod machine;
#[cfg(feature = "plans")]
pub mod manifest;
#[cfg(feature = "plans")]
pub mod matrix;
pub mod near;
pub mod network;
#[cfg(feature = "plans")]
mod node;
pub mod outcome;
#[cfg(feature = "plans")]
pub mod param;
#[cfg(feature = "plans")]
pub mod problem;
pub mod record;
#[cfg(feature = "plans")]
pub mod resolve;
pub mod run;
#[cfg(feature = "plans")]
pub mod spec;
pub mod sync;
pub mod table;
#[cfg(feature = "plans")]
pub mod template;

#[cfg(feature = "plans")]
pub use composition::Composition;
pub use event::{EventKind, RunEvent};
pub use exit::Exit;
pub use ids::{GroupName, InstanceId, RunId};
#[cfg(feature = "plans")]
pub use manifest::Manifest;
#[cfg(feature = "plans")]
pub use node::At;
pub use outcome::{Evidence, Expect, Outcome, Verdict};
#[cfg(feature = "plans")]
pub use problem::Problem;
#[cfg(feature = "plans")]
pub use resolve::{Wish, resolve};
pub use run::RunFile;
#[cfg(feature = "plans")]
pub use spec::{GroupSpec, RunSpec};
