//! Turns a resolved composition into processes and a stream of events; hosts the sync service.
//!
//! [`build_all`] makes what the groups run, [`execute`] makes a run. What happens is told as [`tg_model::RunEvent`]s
//! and nothing else; nothing here writes to the terminal, reads `TG_*` settings or handles signals.

mod addresses;
mod breaks;
pub mod build;
mod cancel;
mod claims;
mod clock;
pub mod cluster;
mod dispatch;
mod drain;
mod engine;
mod environment;
mod error;
mod faults;
#[cfg(target_os = "linux")]
mod host;
mod instance;
mod isolation;
pub mod keeper;
mod machine;
#[cfg(target_os = "linux")]
mod net;
mod scan;
#[cfg(target_os = "linux")]
mod sidecar;
mod spawn;
mod stall;
mod state;
pub mod store;
pub mod sync;

pub use build::{
    Artifact, Artifacts, BuildError, BuildOptions, ImageOptions, build_all, check_settings, image_of_program,
};
pub use cancel::Cancel;
pub use engine::{RunOptions, check_needs, execute};
pub use error::RunError;
pub use isolation::{Isolation, enter as enter_host, probe as probe_hosts};
pub use keeper::Keeper;
#[cfg(target_os = "linux")]
pub use sidecar::answer_unshaped;
