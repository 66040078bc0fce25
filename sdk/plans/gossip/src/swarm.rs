//! A swarm of libp2p with gossipsub on it.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::gossipsub::{self, MessageAuthenticity, MessageId};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use tg_sdk::Result;

use crate::ids::message_id;
use crate::settings::Settings;
use crate::trace::Trace;
use crate::traced::Traced;

/// Room for what stands around the content of a message.
const AROUND: usize = 1024;
/// A connection that no mesh needs stays: the plan says who is connected to whom.
const IDLE: Duration = Duration::from_hours(24);

/// Makes the swarm of a node, which wants these topics as soon as it is there.
pub fn build(keypair: Keypair, settings: &Settings, topics: &[String], trace: Trace) -> Result<Swarm<Traced>> {
    let pubsub = gossipsub::Behaviour::new(MessageAuthenticity::Signed(keypair.clone()), config(settings)?)?;
    let mut traced = Traced::new(keypair.public().to_peer_id(), pubsub, trace);
    for topic in topics {
        traced.subscribe(topic)?;
    }
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| traced)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    Ok(swarm)
}

fn config(settings: &Settings) -> Result<gossipsub::Config> {
    // Of the mesh at least two are to be dialled by oneself, or as many as half of it allows.
    let outbound = 2.min(settings.d / 2).min(settings.dlo);
    Ok(gossipsub::ConfigBuilder::default()
        .mesh_n(settings.d)
        .mesh_n_low(settings.dlo)
        .mesh_n_high(settings.dhi)
        .mesh_outbound_min(outbound)
        .gossip_lazy(settings.dlazy)
        .heartbeat_interval(settings.heartbeat)
        .heartbeat_initial_delay(settings.heartbeat)
        .flood_publish(settings.flood)
        .max_transmit_size((settings.size + AROUND).max(1 << 16))
        .message_id_fn(|message| MessageId::from(message_id(message.source, message.sequence_number)))
        .build()?)
}

/// Listens on an address of this instance, and returns where.
pub async fn listen(swarm: &mut Swarm<Traced>, ip: IpAddr) -> Result<Multiaddr> {
    let addr = Multiaddr::from(ip).with(Protocol::Tcp(0));
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
