//! Connections as they open and close, on record, and who waits for which dial.

use std::collections::HashMap;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, NetworkBehaviour};
use libp2p::{Multiaddr, PeerId, Swarm};
use tg_sdk::{ConnectionRecorder, Direction, Env, Link, Result};
use tokio::sync::oneshot;

use crate::ids::peer_text;

/// Who waits for a dial gets this: nothing, or why it failed.
pub type Reply = oneshot::Sender<Result<(), String>>;

/// The connections of a node.
pub struct Links {
    env: Env,
    me: String,
    transport: &'static str,
    open: HashMap<ConnectionId, ConnectionRecorder>,
    asked_for: HashMap<ConnectionId, Reply>,
}

impl Links {
    /// No connections yet, over a transport.
    #[must_use]
    pub fn new(env: Env, me: &PeerId, transport: &'static str) -> Self {
        Self { env, me: peer_text(me), transport, open: HashMap::new(), asked_for: HashMap::new() }
    }

    /// Dials a peer. Its answer waits until it is taken with [`Links::asked`].
    pub fn dial<B: NetworkBehaviour>(&mut self, swarm: &mut Swarm<B>, peer: PeerId, addr: Multiaddr, reply: Reply) {
        let opts = DialOpts::peer_id(peer).addresses(vec![addr]).build();
        let id = opts.connection_id();
        match swarm.dial(opts) {
            Ok(()) => drop(self.asked_for.insert(id, reply)),
            // The other end was faster.
            Err(DialError::DialPeerConditionFalse(_)) => drop(reply.send(Ok(()))),
            Err(error) => drop(reply.send(Err(error.to_string()))),
        }
    }

    /// Whether the plan asked for this dial, and waits.
    #[must_use]
    pub fn is_asked(&self, id: ConnectionId) -> bool {
        self.asked_for.contains_key(&id)
    }

    /// Who waits for this dial; nobody if the library dialled, or nobody did.
    pub fn asked(&mut self, id: ConnectionId) -> Option<Reply> {
        self.asked_for.remove(&id)
    }

    /// A connection is there.
    pub fn opened(&mut self, peer: &PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let remote = peer_text(peer);
        let dir = if endpoint.is_dialer() { Direction::Out } else { Direction::In };
        let addr = endpoint.get_remote_address().to_string();
        let link = Link {
            local: &self.me,
            remote: &remote,
            dir,
            transport: Some(self.transport),
            addr: Some(&addr),
            relayed: None,
        };
        self.open.insert(id, self.env.connection(&link));
    }

    /// A connection is gone, and why.
    pub fn closed(&mut self, id: ConnectionId, cause: Option<&str>) {
        if let Some(record) = self.open.remove(&id) {
            record.close(cause);
        }
    }
}
