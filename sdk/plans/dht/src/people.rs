//! Who takes part, in an order that everybody agrees on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Result};

use crate::settings::Role;

/// What a node tells the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub seq: usize,
    pub role: Role,
    pub peer: String,
    /// Where it can be dialled; none of a client.
    pub addr: Option<String>,
}

impl Member {
    /// Whether it answers questions.
    pub fn serves(&self) -> bool {
        self.role != Role::Client
    }
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
