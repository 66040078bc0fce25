//! The case `shape`: how long a change of every link takes. It needs hosts.

use std::time::{Duration, Instant};

use tg_sdk::{Env, NetworkConfig, Result};

pub async fn shape(env: Env) -> Result {
    let rounds = env.params(|p| p.within("rounds", 10_u64, 1..=1_000))?;
    for round in 0..rounds {
        env.wait_for_all(&format!("ready-{round}")).await?;
        let mut config = NetworkConfig::new(&format!("shaped-{round}"));
        config.default.latency = Duration::from_millis(round % 10);
        let began = Instant::now();
        env.configure_network(&config).await?;
        env.results().point_ns("shape_ns", began.elapsed());
    }
    env.wait_for_all("done").await?;
    Ok(())
}
