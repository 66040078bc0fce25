//! The case `barrier`: how long instances wait for a share of all.

use std::time::Instant;

use tg_sdk::{Env, Result};

const PERCENTS: [u64; 5] = [20, 40, 60, 80, 100];

pub async fn barrier(env: Env) -> Result {
    let rounds = env.params(|p| p.within("rounds", 20_u32, 1..=10_000))?;
    for percent in PERCENTS {
        let stage = env.stage(&format!("barrier-{percent}"));
        let target = share(env.instances(), percent);
        for round in 0..rounds {
            // All begin together, whatever share they wait for.
            env.wait_for_all(&format!("ready-{percent}-{round}")).await?;
            let began = Instant::now();
            env.sync().signal_and_wait(&format!("barrier-{percent}-{round}"), target).await?;
            env.results().point_ns(&format!("barrier_ns,percent={percent}"), began.elapsed());
        }
        stage.end();
    }
    env.wait_for_all("done").await?;
    Ok(())
}

/// So many percent of all, rounded up.
fn share(all: u64, percent: u64) -> u64 {
    (all * percent).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_and_at_most_all() {
        assert_eq!(PERCENTS.map(|percent| share(10, percent)), [2, 4, 6, 8, 10]);
        assert_eq!(PERCENTS.map(|percent| share(1, percent)), [1; 5]);
        assert_eq!(PERCENTS.map(|percent| share(7, percent)), [2, 3, 5, 6, 7]);
    }
}
