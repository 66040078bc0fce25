//! The client of the sync service: signals, barriers and topics.
//!
//! Every wait can be given up by dropping it, which also tells the service, and can be given a deadline with
//! [`SyncClient::within`]. A connection that is lost is an error of every pending and every later call.

mod client;
mod connect;
mod error;
mod link;
mod subscription;

pub use client::{Keys, SyncClient};
pub use connect::Address;
pub use error::SyncError;
pub use subscription::Subscription;
