//! A swarm of libp2p with the DHT on it.

use libp2p::identity::Keypair;
use libp2p::kad::{self, store::MemoryStore, store::MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, StreamProtocol, Swarm, connection_limits, identify};
use tg_sdk::Result;

use crate::settings::{Role, Settings};
use crate::traced::Traced;

/// What nodes of this plan speak: a DHT of its own, which no other node joins by accident.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/tg/kad/1.0.0");

/// What a node does on its connections.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub limits: connection_limits::Behaviour,
    pub identify: identify::Behaviour,
    pub kad: Traced,
}

/// Makes the swarm of a node.
pub fn build(keypair: Keypair, role: Role, settings: &Settings) -> Result<Swarm<Behaviour>> {
    p2p::swarm::over_tcp(keypair, settings.idle, |keypair| {
        let me = keypair.public().to_peer_id();
        Behaviour {
            limits: connection_limits::Behaviour::new(
                connection_limits::ConnectionLimits::default().with_max_established(settings.max_connections),
            ),
            identify: identify::Behaviour::new(identify::Config::new("/tg/1.0.0".to_owned(), keypair.public())),
            kad: Traced::new(dht(me, role, settings)),
        }
    })
}

fn dht(me: PeerId, role: Role, settings: &Settings) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(PROTOCOL);
    config
        .set_kbucket_size(settings.k)
        .set_replication_factor(settings.k)
        .set_parallelism(settings.alpha)
        .set_query_timeout(settings.timeout)
        // What the library does of itself, by the hour, is no part of a run.
        .set_periodic_bootstrap_interval(None)
        .set_provider_publication_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None);
    // A stress of records must not run into the limits of a store that is made for a home.
    let store = MemoryStoreConfig {
        max_records: 1 << 20,
        max_provided_keys: 1 << 20,
        max_providers_per_key: settings.k.get(),
        ..MemoryStoreConfig::default()
    };
    let mut kad = kad::Behaviour::with_config(me, MemoryStore::with_config(me, store), config);
    kad.set_mode(Some(if role == Role::Client { kad::Mode::Client } else { kad::Mode::Server }));
    kad
}

/// Whether a peer says that it answers questions of this DHT.
pub fn is_server(info: &identify::Info) -> bool {
    info.protocols.contains(&PROTOCOL)
}
