//! The load that tells what a backend and its sync service bear: starts, barriers, topics, connections.

mod barrier;
mod pubsub;
mod shape;
mod startup;
mod storm;

use std::process::ExitCode;

use tg_sdk::{Plan, now_ns};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let began = now_ns();
    Plan::new()
        .case("startup", move |env| startup::startup(env, began))
        .case("shape", shape::shape)
        .case("barrier", barrier::barrier)
        .case("pubsub", pubsub::pubsub)
        .case("storm", storm::storm)
        .run()
        .await
}
