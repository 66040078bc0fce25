//! A swarm of libp2p with gossipsub on it.

use std::time::Duration;

use libp2p::Swarm;
use libp2p::gossipsub::{self, MessageAuthenticity, MessageId};
use libp2p::identity::Keypair;
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
    p2p::swarm::over_tcp(keypair, IDLE, |_| traced)
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
