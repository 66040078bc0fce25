//! The case `startup`: how long it takes until all instances are up and have met.

use std::time::Duration;

use tg_sdk::{Env, Result, now_ns};

pub async fn startup(env: Env, began: u64) -> Result {
    let results = env.results();
    let mut topic = env.sync().subscribe::<u64>("began");
    env.sync().publish("began", &began).await?;
    results.point_ns("to_sync_ns", Duration::from_nanos(now_ns().saturating_sub(began)));
    let all = topic.next_n(env.instances()).await?;
    results.point_ns("to_meet_ns", Duration::from_nanos(now_ns().saturating_sub(began)));
    // By the clock of the machine, which on one machine is the same for all.
    let first = all.into_iter().min().unwrap_or(began);
    results.point_ns("behind_first_ns", Duration::from_nanos(began.saturating_sub(first)));
    env.wait_for_all("done").await?;
    Ok(())
}
