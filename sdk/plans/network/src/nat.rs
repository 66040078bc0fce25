//! The case `nat`: an instance behind a router finds out how the router maps, and whom it lets in.
//!
//! One instance of group `inside`, two of `outside`. Nothing here waits for silence: what must not come is sent before
//! something that must, and both go the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Result};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::members::any;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// An instance outside, with two sockets.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Outside {
    name: String,
    sockets: [SocketAddr; 2],
}

/// From where a message came, as its receiver saw it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    what: String,
    at: SocketAddr,
    from: SocketAddr,
}

pub async fn nat(env: Env) -> Result {
    let wanted = env.params(|p| p.get_or("nat", "none".to_owned()))?;
    if env.group() == "inside" { inside(&env, &wanted).await } else { outside(&env).await }
}

/// The two outside, in an order that everybody agrees on.
async fn others(env: &Env) -> Result<[Outside; 2]> {
    let all = env.sync().subscribe::<Outside>("outside").next_n(2_u64).await?;
    let all: BTreeMap<String, Outside> = all.into_iter().map(|one| (one.name.clone(), one)).collect();
    let all: Vec<Outside> = all.into_values().collect();
    Ok(all.try_into().map_err(|_| "two outside are needed")?)
}

async fn receive(socket: &UdpSocket) -> Result<(String, SocketAddr)> {
    let mut buffer = [0; 64];
    let (read, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await??;
    Ok((String::from_utf8_lossy(&buffer[..read]).into_owned(), from))
}

async fn inside(env: &Env, wanted: &str) -> Result {
    let [a, b] = others(env).await?;
    let mut seen = env.sync().subscribe::<Seen>("seen");
    // Whether each destination sees the same.
    let socket = UdpSocket::bind(any(env)?).await?;
    for to in [a.sockets[0], a.sockets[1], b.sockets[0]] {
        socket.send_to(b"map", to).await?;
    }
    let maps = seen.next_n(3_u64).await?;
    let ends: BTreeSet<SocketAddr> = maps.iter().map(|one| one.from).collect();
    let is_translated = ends.iter().all(|end| end.ip() != socket.local_addr().map_or(end.ip(), |own| own.ip()));
    // Who gets in, if only the first socket of the first was sent to.
    let socket = UdpSocket::bind(any(env)?).await?;
    socket.send_to(b"hello", a.sockets[0]).await?;
    let hello = seen.next_n(1_u64).await?.pop().ok_or("nobody saw it")?;
    env.sync().publish("target", &hello.from).await?;
    let mut came = BTreeSet::new();
    while !came.contains("the one") {
        came.insert(receive(&socket).await?.0);
    }
    let (port, host) = (came.contains("another port"), came.contains("another host"));
    let found = match (is_translated, ends.len(), port, host) {
        (false, 1, true, true) => "none",
        (true, 1, true, true) => "full-cone",
        (true, 1, true, false) => "address-restricted",
        (true, 1, false, false) => "port-restricted",
        (true, 3, false, false) => "symmetric",
        _ => "of no kind",
    };
    env.message(format!("known outside as {ends:?}; {came:?} came in: {found}"));
    if found != wanted {
        return Err(format!("the router is {found}, and {wanted} was asked for").into());
    }
    Ok(())
}

async fn outside(env: &Env) -> Result {
    let sockets = [UdpSocket::bind(any(env)?).await?, UdpSocket::bind(any(env)?).await?];
    let me = Outside { name: env.name(), sockets: [sockets[0].local_addr()?, sockets[1].local_addr()?] };
    env.sync().publish("outside", &me).await?;
    let [a, b] = others(env).await?;
    let is_first = a.name == me.name;
    let tell = async |socket: &UdpSocket| -> Result {
        let (what, from) = receive(socket).await?;
        env.sync().publish("seen", &Seen { what, at: socket.local_addr()?, from }).await?;
        Ok(())
    };
    tell(&sockets[0]).await?;
    if is_first {
        tell(&sockets[1]).await?;
        tell(&sockets[0]).await?;
    }
    let target = env.sync().subscribe::<SocketAddr>("target").next_n(1_u64).await?.pop().ok_or("no target")?;
    if is_first {
        sockets[1].send_to(b"another port", target).await?;
        // What the other has sent to the target before this was on its way before.
        let (_, from) = receive(&sockets[0]).await?;
        if from != b.sockets[0] {
            return Err(format!("{from} is not the other outside").into());
        }
        sockets[0].send_to(b"the one", target).await?;
    } else {
        sockets[0].send_to(b"another host", target).await?;
        sockets[0].send_to(b"done", a.sockets[0]).await?;
    }
    Ok(())
}
