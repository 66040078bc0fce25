//! Tests of the SDK against a scripted sync service, and of whole plan processes.

mod process;
mod server;
mod sync;
