//! A running node: a task that owns the swarm, and a handle to ask it for things.

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::gossipsub;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use p2p::{Handle, Links, Reply};
use tg_sdk::{Env, Result};
use tokio::sync::{mpsc, watch};

use crate::trace::Counts;
use crate::traced::Traced;

/// Who asks a node waits no longer than this.
const PATIENCE: Duration = Duration::from_mins(2);

enum Order {
    Dial(PeerId, Multiaddr, Reply),
    Publish(usize, Vec<u8>, Reply),
}

/// The handle of a node.
pub struct Node {
    handle: Handle<Order, Result<Counts>>,
    /// How many messages came, by topic: what the application was handed.
    pub got: watch::Receiver<Vec<u64>>,
}

impl Node {
    pub fn start(env: Env, swarm: Swarm<Traced>, topics: Vec<String>) -> Self {
        let (tell, got) = watch::channel(vec![0; topics.len()]);
        let links = Links::new(env.clone(), swarm.local_peer_id(), "tcp");
        let runner = Runner { env, swarm, topics, tell, links };
        Self { handle: Handle::start(PATIENCE, |inbox| runner.run(inbox)), got }
    }

    /// Dials a peer and waits until it is connected.
    pub async fn dial(&self, peer: PeerId, addr: Multiaddr) -> Result<()> {
        Ok(self.handle.ask(|reply| Order::Dial(peer, addr, reply)).await??)
    }

    /// Publishes a message in a topic, by its number.
    pub async fn publish(&self, topic: usize, data: Vec<u8>) -> Result<()> {
        Ok(self.handle.ask(|reply| Order::Publish(topic, data, reply)).await??)
    }

    /// Leaves the network, and tells what its tracer counted.
    pub async fn stop(self) -> Result<Counts> {
        self.handle.stop().await?
    }
}

struct Runner {
    env: Env,
    swarm: Swarm<Traced>,
    topics: Vec<String>,
    tell: watch::Sender<Vec<u64>>,
    links: Links,
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) -> Result<Counts> {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                order = inbox.recv() => match order {
                    Some(order) => self.order(order),
                    None => break,
                },
            }
        }
        let trace = &mut self.swarm.behaviour_mut().trace;
        match trace.failed.take() {
            Some(error) => Err(format!("the trace could not be written: {error}").into()),
            None => Ok(trace.counts.clone()),
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Dial(peer, addr, reply) => self.links.dial(&mut self.swarm, peer, addr, reply),
            Order::Publish(topic, data, reply) => {
                let done = self.swarm.behaviour_mut().publish(&self.topics[topic], data);
                drop(reply.send(done.map_err(|error| error.to_string())));
            }
        }
    }

    fn event(&mut self, event: SwarmEvent<gossipsub::Event>) {
        match event {
            SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) => {
                if let Some(topic) = self.topics.iter().position(|topic| topic == message.topic.as_str()) {
                    self.tell.send_modify(|got| got[topic] += 1);
                }
            }
            SwarmEvent::Behaviour(gossipsub::Event::SlowPeer { failed_messages, .. }) => {
                let lost = failed_messages.priority + failed_messages.non_priority;
                self.env.results().counter("sends_given_up").inc(lost as u64);
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.links.opened(&peer_id, connection_id, &endpoint);
                if let Some(reply) = self.links.asked(connection_id) {
                    drop(reply.send(Ok(())));
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.links.closed(connection_id, cause.map(|cause| cause.to_string()).as_deref());
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(reply) = self.links.asked(connection_id) {
                    drop(reply.send(Err(error.to_string())));
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.env.message(format_args!("an incoming connection failed: {error}"));
            }
            _ => {}
        }
    }
}
