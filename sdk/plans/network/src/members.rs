//! Who takes part, in an order that everybody agrees on.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Result};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    pub addr: SocketAddr,
}

/// Everybody by name, and the place of this instance among them.
pub async fn meet(env: &Env, port: u16) -> Result<(Vec<Member>, usize)> {
    let addr = SocketAddr::new(env.data_ip()?, port);
    let mut topic = env.sync().subscribe::<Member>("members");
    env.sync().publish("members", &Member { name: env.name(), addr }).await?;
    let all = topic.next_n(env.instances()).await?;
    let all: BTreeMap<String, Member> = all.into_iter().map(|member| (member.name.clone(), member)).collect();
    let members: Vec<Member> = all.into_values().collect();
    let me = members.iter().position(|member| member.name == env.name()).ok_or("this instance is missing")?;
    Ok((members, me))
}

/// The other of this instance's pair, and whether this instance is the one that begins.
pub fn partner(members: &[Member], me: usize) -> Result<(&Member, bool)> {
    let other = members.get(me ^ 1).ok_or("the number of instances has to be even")?;
    Ok((other, me.is_multiple_of(2)))
}

/// Any address of this instance's own, on the data network.
pub fn any(env: &Env) -> Result<SocketAddr> {
    let ip: IpAddr = env.data_ip()?;
    Ok(SocketAddr::new(ip, 0))
}
