//! Swarms.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use tg_sdk::Result;

/// A swarm over TCP with Noise and Yamux, which closes connections that nobody uses after so long.
///
/// # Errors
///
/// If the library can make no transport of it.
pub fn over_tcp<B: NetworkBehaviour>(
    keypair: Keypair,
    idle: Duration,
    behaviour: impl FnOnce(&Keypair) -> B,
) -> Result<Swarm<B>> {
    Ok(SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(idle))
        .build())
}

/// Some TCP port of an address.
#[must_use]
pub fn tcp_on(ip: IpAddr) -> Multiaddr {
    Multiaddr::from(ip).with(Protocol::Tcp(0))
}

/// Listens, and returns where.
///
/// # Errors
///
/// If the address cannot be listened on.
pub async fn listen<B: NetworkBehaviour>(swarm: &mut Swarm<B>, addr: Multiaddr) -> Result<Multiaddr> {
    swarm.listen_on(addr)?;
    let listening = async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    };
    Ok(tokio::time::timeout(Duration::from_secs(10), listening).await?)
}
