//! Whole collects, read back from what they wrote.

mod accounting;
mod dht;
mod formats;
mod home;
mod names;
mod readers;
mod resume;
mod rules;
mod run_folder;
mod s3;
mod sampled;
#[path = "../../examples/s3_store/serve.rs"]
mod serve;
mod server;
mod sources;
#[path = "../../examples/s3_store/store.rs"]
mod store;
mod tables;
