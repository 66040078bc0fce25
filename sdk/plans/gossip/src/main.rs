//! Nodes of a gossipsub network publish messages, and record who got them when.

mod drive;
mod ids;
mod node;
mod people;
mod settings;
mod swarm;
mod topology;
mod trace;
mod traced;
mod wire;

use std::process::ExitCode;

use tg_sdk::Plan;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    Plan::new().case("publish", drive::publish).run().await
}
