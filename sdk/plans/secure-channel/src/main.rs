//! What secure channels of libp2p cost: handshakes, round trips and throughput.

mod channel;
mod measure;
mod settings;
mod talk;

use std::process::ExitCode;

use tg_sdk::Plan;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    Plan::new().case("measure", measure::measure).run().await
}
