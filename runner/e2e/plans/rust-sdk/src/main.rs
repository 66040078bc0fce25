//! A plan written against `tg-sdk`, with one case for each way in which an instance can end.

use std::collections::BTreeSet;
use std::process::ExitCode;

use tg_sdk::{Env, Fault, Plan, Result};

#[tokio::main]
async fn main() -> ExitCode {
    Plan::new()
        .case("success", success)
        .case("failure", failure)
        .case("panic", panics)
        .case("task-panic", task_panic)
        .case("early-exit", early_exit)
        .case("sync", sync)
        .case("breaks", breaks)
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

/// The first life of instance 1 ends when instance 0 has it restarted; what cannot be is told to whoever asks.
async fn breaks(env: Env) -> Result {
    let sync = env.sync();
    if env.index() == Some(1) {
        // Everybody who begins tells, so that a second life is seen.
        sync.signal("lives").await?;
        if sync.signal("alive").await? == 1 {
            return std::future::pending().await;
        }
        return Ok(());
    }
    sync.barrier("lives", 1_u64).await?;
    let error = env.break_now(&Fault::kill().of(["nobody"])).await.expect_err("there is no such group");
    if !error.to_string().contains("the run has no `nobody`") {
        return Err(error.into());
    }
    if !env.has_sidecar() {
        let error = env.break_now(&Fault::heal()).await.expect_err("there is no network to heal");
        if !error.to_string().contains("needs a host of its own") {
            return Err(error.into());
        }
    }
    sync.barrier("alive", 1_u64).await?;
    env.break_now(&Fault::restart().of([format!("{}/1", env.group())])).await?;
    sync.barrier("lives", 2_u64).await?;
    Ok(())
}
