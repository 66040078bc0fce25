//! What the plans on libp2p share.

mod delegate;
pub mod handle;
pub mod ids;
pub mod links;
pub mod people;
pub mod swarm;

pub use handle::Handle;
pub use links::{Links, Reply};
