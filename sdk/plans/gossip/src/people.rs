//! What nodes tell one another of themselves and of what they published.

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

impl p2p::people::Member for Member {
    fn seq(&self) -> usize {
        self.seq
    }
}

/// What a node published, by topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Published {
    pub seq: usize,
    pub by_topic: Vec<u64>,
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
