//! The plan of `tg demo`: instances connect to one another in a random mesh and measure round trips.

mod echo;
mod mesh;
mod topology;

use std::process::ExitCode;

use tg_sdk::{Env, Plan, Result};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    Plan::new().case("mesh", mesh::mesh).case("quiet", quiet).solo_case("exit", exit).run().await
}

/// Waits until all are there.
async fn quiet(env: Env) -> Result {
    env.wait_for_all("here").await?;
    Ok(())
}

/// Succeeds at once.
async fn exit(_: Env) -> Result {
    Ok(())
}
