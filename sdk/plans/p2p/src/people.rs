//! Who takes part, in an order that everybody agrees on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tg_sdk::{Env, NetworkConfig, Result};

/// What a node tells the others.
pub trait Member: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its number.
    fn seq(&self) -> usize;
}

/// The number of this instance: its place among all names of the run.
///
/// # Errors
///
/// If the runner tells no index, or the sync service fails.
pub async fn number(env: &Env) -> Result<usize> {
    let mut topic = env.sync().subscribe::<(String, Option<u32>)>("names");
    let mine = (env.group().to_owned(), env.index());
    if mine.1.is_none() {
        return Err("the runner tells no index, and without it nobody has a number".into());
    }
    env.sync().publish("names", &mine).await?;
    let mut all = topic.next_n(env.instances()).await?;
    all.sort();
    all.iter().position(|name| *name == mine).ok_or_else(|| "this instance is missing among its own".into())
}

/// Tells everybody of this node, and returns everybody by number.
///
/// # Errors
///
/// If two have the same number, or the sync service fails.
pub async fn meet<M: Member>(env: &Env, me: &M) -> Result<Vec<M>> {
    let mut topic = env.sync().subscribe::<M>("members");
    env.sync().publish("members", me).await?;
    let all = topic.next_n(env.instances()).await?;
    let all: BTreeMap<usize, M> = all.into_iter().map(|member| (member.seq(), member)).collect();
    if all.len() as u64 != env.instances() {
        return Err("two instances have the same number".into());
    }
    Ok(all.into_values().collect())
}

/// Gives the link of this instance a latency, one way, and waits until everybody has one; without one nothing is asked
/// for.
///
/// # Errors
///
/// If the network cannot be shaped here.
pub async fn shape(env: &Env, latency: Duration) -> Result {
    if !latency.is_zero() {
        let mut config = NetworkConfig::new("links-shaped");
        config.default.latency = latency;
        env.configure_network(&config).await?;
    }
    Ok(())
}
