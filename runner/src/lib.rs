//! Turns a resolved composition into processes and a stream of events; hosts the sync service.
pub mod sync;
