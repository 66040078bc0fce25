//! The sync service, seen from the other end of its sockets.
mod client;
mod wire;
