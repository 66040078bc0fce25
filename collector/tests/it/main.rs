//! Whole collects, read back from what they wrote.

mod accounting;
mod dht;
mod home;
mod run_folder;
mod sources;
mod tables;
