//! Instances shape their network and check that it is as they asked.

mod bulk;
mod distances;
mod members;
mod nat;
mod partition;
mod ping_pong;
mod probe;
mod split_brain;

use std::process::ExitCode;

use tg_sdk::{Env, NetworkConfig, NetworkError, Plan, Result};

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    Plan::new()
        .case("ping-pong", ping_pong::ping_pong)
        .case("split-brain", split_brain::split_brain)
        .case("probe", probe::probe)
        .case("bulk", bulk::bulk)
        .case("partition", partition::partition)
        .case("distances", distances::distances)
        .case("nat", nat::nat)
        .case("impossible", impossible)
        .run()
        .await
}

/// Asks for an address outside the network: the answer has to be an error, and not to be waited for.
async fn impossible(env: Env) -> Result {
    let mut config = NetworkConfig::new(&format!("impossible-{}", env.name()));
    config.callback_target = Some(1);
    config.ipv4 = Some("10.1.2.3/24".to_owned());
    match env.configure_network(&config).await {
        Err(NetworkError::Sync(error)) => {
            env.message(format!("refused, as it should be: {error}"));
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Err("an address outside the network was accepted".into()),
    }
}
