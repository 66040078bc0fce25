//! Topics: everyone publishes an address and learns those of all others, in the same order everywhere.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Plan, Result, SyncError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    Plan::new().case("topics", topics).run().await
}

#[derive(Serialize, Deserialize)]
struct Member {
    name: String,
    addr: SocketAddr,
}

async fn topics(env: Env) -> Result {
    let listener = tokio::net::TcpListener::bind((env.data_ip()?, 0)).await?;
    let mut members = env.sync().subscribe::<Member>("members");
    let place = env.sync().publish("members", &Member { name: env.name(), addr: listener.local_addr()? }).await?;
    for member in members.next_n(env.instances()).await? {
        env.message(format_args!("{} listens on {}", member.name, member.addr));
    }

    // A wait can have a limit. Nobody signals this state, so the wait ends with its deadline.
    let hasty = env.sync().within(Duration::from_millis(100));
    match hasty.barrier("never", 1u32).await {
        Err(SyncError::Deadline { what, .. }) => env.message(format_args!("place {place}, and no {what}")),
        other => other?,
    }
    Ok(())
}
