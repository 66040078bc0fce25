//! A plan written against `tg-sdk`, with one case for each way in which an instance can end.

use std::collections::BTreeSet;
use std::process::ExitCode;

use tg_sdk::{Env, Plan, Result};

#[tokio::main]
async fn main() -> ExitCode {
    Plan::new()
        .case("success", success)
        .case("failure", failure)
        .case("panic", panics)
        .case("task-panic", task_panic)
        .case("early-exit", early_exit)
        .case("sync", sync)
        .run()
        .await
}

async fn success(env: Env) -> Result {
    env.message(format_args!("I am {}", env.name()));
    Ok(())
}

async fn failure(_env: Env) -> Result {
    Err("the table is wrong".into())
}

async fn panics(_env: Env) -> Result {
    panic!("the floor is gone")
}

/// A panic outside of the case's own task.
async fn task_panic(_env: Env) -> Result {
    tokio::spawn(async { panic!("the cellar is gone") });
    std::future::pending().await
}

async fn early_exit(_env: Env) -> Result {
    std::process::exit(0)
}

/// Every instance signals, waits, publishes and reads what all have published, and all must see one order.
async fn sync(env: Env) -> Result {
    let (rounds, items) = env.params(|p| (p.get::<u32>("rounds"), p.get::<u32>("items")))?;
    let (all, sync) = (env.instances(), env.sync());
    for round in 0..rounds {
        let seq = sync.signal_and_wait(&format!("round-{round}"), all).await?;
        if !(1..=all).contains(&seq) {
            return Err(format!("round {round}: signal number {seq} of {all}").into());
        }
    }
    for item in 0..items {
        sync.publish("items", &format!("{}.{item}", env.name())).await?;
    }
    let wanted = all * u64::from(items);
    let order: Vec<String> = sync.subscribe("items").next_n(wanted).await?;
    let different = order.iter().collect::<BTreeSet<_>>().len();
    if different as u64 != wanted {
        return Err(format!("{different} different items of {wanted}").into());
    }
    sync.publish("orders", &order).await?;
    for other in sync.subscribe::<Vec<String>>("orders").next_n(all).await? {
        if other != order {
            return Err(format!("another instance saw another order: {other:?}").into());
        }
    }
    Ok(())
}
