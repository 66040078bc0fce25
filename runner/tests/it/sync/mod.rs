//! The sync service, seen from the other end of its sockets.
mod barriers;
pub(crate) mod client;
mod hostile;
mod limits;
mod outside;
mod runs;
mod topics;
mod wire;
