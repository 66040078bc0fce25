//! The sync service: signals, barriers and topics over websockets, wire-compatible with the published SDKs.
//!
//! One in-memory [`Hub`] holds the state of several runs; a [`Server`] lets websocket clients at it, on as many
//! addresses as wanted. An address can belong to one instance (its label): that is how the runner knows who says
//! what without asking the plan.
//!
//! Nothing here polls. A connection is one task that sleeps until its socket, its mailbox or its timer wakes it;
//! a subscription is a place in the shared list of a topic's items, so that a reader that lags costs nothing but
//! the place; a barrier is a list of mailboxes that the last signal empties.

mod connection;
mod desk;
mod frame;
mod handshake;
mod hub;
mod limits;
mod mailbox;
mod open_files;
mod out;
mod outside;
mod seen;
mod server;
mod state;
mod topic;
mod watch;
mod wire;

pub use hub::{Hub, Waiting};
pub use limits::Limits;
pub use open_files::raise_open_files;
pub(crate) use outside::Told;
pub use seen::{Label, Seen};
pub(crate) use server::Door;
pub use server::{BindError, Listen, Server};
pub use watch::{TopicFilter, Watch};
