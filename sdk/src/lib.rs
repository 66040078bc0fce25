//! What the author of a test plan imports: parameters, events, metrics, sync client, recorders.
//!
//! A plan is a program that `tg run` starts many times at once; each process is an instance. It has one or more
//! cases, functions that are given an [`Env`]. The guide "Write a plan" of the documentation goes through one.
//!
//! ```no_run
//! use tg_sdk::{Env, Plan};
//!
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     Plan::new().case("hello", hello).run().await
//! }
//!
//! async fn hello(env: Env) -> tg_sdk::Result {
//!     let rounds = env.params(|p| p.get_or("rounds", 3u32))?;
//!     let seq = env.sync().signal("here").await?;
//!     env.message(format_args!("{} of {}, {rounds} rounds", seq, env.instances()));
//!     env.sync().barrier("here", env.instances()).await?;
//!     Ok(())
//! }
//! ```
//!
//! Whatever is recorded goes to a file at once, line by line, without a buffer in this process: a panic, an early
//! exit or a kill harms at most the line being written. If a line cannot be written (a full disk), the instance goes
//! on, and ends as failed.

mod assets;
mod clock;
mod crash;
mod env;
mod events;
mod faults;
mod lines;
pub mod metrics;
mod network;
mod params;
mod plan;
mod records;
mod rng;
pub mod sync;
mod vars;

pub use clock::now_ns;
pub use env::{Env, Stage};
pub use faults::Fault;
pub use network::{Filter, NetworkConfig, NetworkError, RoutingPolicy, Shape};
pub use params::{Json, Param, Params, ParamsError, Size};
pub use plan::Plan;
pub use records::{ConnectionRecorder, Link, LookupRecorder, LookupStart, PeerFacts, RecordError, Table};
pub use rng::Rng;
pub use sync::{Subscription, SyncClient, SyncError};

/// The lines of the recorders as they stand in the files.
pub use tg_model::record;
pub use tg_model::record::{Direction, LookupKind, LookupStatus, RoutingEntry, Step};

/// Any error: `?` turns every error into it, and `.into()` a text.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// What a case returns.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;
