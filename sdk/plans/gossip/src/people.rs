//! Who takes part, in an order that everybody agrees on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Result};
use tokio::time::{Instant, timeout_at};

/// What a node tells the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub seq: usize,
    /// `nodes-3`: its name where a name goes into a file's name.
    pub name: String,
    pub peer: String,
    pub addr: String,
}

/// What a node published, by topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Published {
    pub seq: usize,
    pub by_topic: Vec<u64>,
}

/// The number of this instance: its place among all names of the run.
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
pub async fn meet(env: &Env, me: &Member) -> Result<Vec<Member>> {
    let mut topic = env.sync().subscribe::<Member>("members");
    env.sync().publish("members", me).await?;
    let all = topic.next_n(env.instances()).await?;
    let all: BTreeMap<usize, Member> = all.into_iter().map(|member| (member.seq, member)).collect();
    if all.len() as u64 != env.instances() {
        return Err("two instances have the same number".into());
    }
    Ok(all.into_values().collect())
}

/// What is known of the others' publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// What they published, by topic.
    pub by_topic: Vec<u64>,
    /// How many nodes did not tell, because something broke them before.
    pub silent: u64,
}

/// Tells everybody what this node published, and gathers what all others did, until a moment at the latest.
pub async fn others_published(env: &Env, me: Published, until: Instant) -> Result<Others> {
    let mut topic = env.sync().subscribe::<Published>("published");
    env.sync().publish("published", &me).await?;
    let mut others = Others { by_topic: vec![0; me.by_topic.len()], silent: env.instances() };
    while others.silent > 0 {
        let Ok(told) = timeout_at(until, topic.next_n(1_u64)).await else { break };
        for one in told? {
            others.silent -= 1;
            if one.seq != me.seq {
                for (sum, n) in others.by_topic.iter_mut().zip(one.by_topic) {
                    *sum += n;
                }
            }
        }
    }
    Ok(others)
}
