//! The smallest plan: every instance says who it is, and waits for the others.

use tg_sdk::{Env, Plan, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    Plan::new().case("hello", hello).run().await
}

async fn hello(env: Env) -> Result {
    let seq = env.sync().signal("here").await?;
    env.message(format_args!("I am {}, number {seq} of {}", env.name(), env.instances()));
    env.sync().barrier("here", env.instances()).await?;
    Ok(())
}
