//! Tests of the SDK against a scripted sync service, and of whole plan processes.

mod kill;
mod network;
mod plans;
mod process;
mod records;
mod server;
mod sync;
