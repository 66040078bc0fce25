//! The case `split-brain`: two regions that cannot, or may, talk to one another.

use std::net::IpAddr;
use std::time::Duration;

use tg_sdk::{Env, Filter, NetworkConfig, Result};
use tokio::net::{TcpListener, TcpStream};

use crate::members::{any, meet};

pub async fn split_brain(env: Env) -> Result {
    let (filter, patience) = env.params(|p| {
        let filter = match p.get_or("filter", "drop".to_owned()).as_str() {
            "accept" => Filter::Accept,
            "reject" => Filter::Reject,
            _ => Filter::Drop,
        };
        (filter, p.get_or("patience", Duration::from_secs(1)))
    })?;
    let listener = TcpListener::bind(any(&env)?).await?;
    let (members, me) = meet(&env, listener.local_addr()?.port()).await?;
    let accepting = tokio::spawn(async move {
        // Held, so that nobody sees a connection end.
        let mut held = Vec::new();
        while let Ok(accepted) = listener.accept().await {
            held.push(accepted);
        }
    });
    let region = |at: usize| at % 2;
    let mut config = NetworkConfig::new("split");
    for (at, member) in members.iter().enumerate() {
        if region(at) != region(me) {
            let bits = if matches!(member.addr.ip(), IpAddr::V4(_)) { 32 } else { 128 };
            config.rules.push((format!("{}/{bits}", member.addr.ip()), filter));
        }
    }
    env.configure_network(&config).await?;

    let stage = env.stage("dial");
    for (at, member) in members.iter().enumerate().filter(|(at, _)| *at != me) {
        let dialled = tokio::time::timeout(patience, TcpStream::connect(member.addr)).await;
        let found = match &dialled {
            Ok(Ok(_)) => "reached",
            Ok(Err(_)) => "refused",
            Err(_) => "silence",
        };
        env.results().point(&format!("dials,found={found}"), 1.0);
        let expected = match filter {
            _ if region(at) == region(me) => "reached",
            Filter::Accept => "reached",
            Filter::Reject => "refused",
            Filter::Drop => "silence",
        };
        if found != expected {
            return Err(
                format!("{}: {expected} was to be expected, {found} was found: {dialled:?}", member.name).into()
            );
        }
    }
    stage.end();
    env.wait_for_all("dialled").await?;
    accepting.abort();
    Ok(())
}
