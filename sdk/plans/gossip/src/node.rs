//! A running node: a task that owns the swarm, and a handle to ask it for things.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use tg_sdk::{ConnectionRecorder, Direction, Env, Link, Result};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::ids::peer_text;
use crate::trace::Counts;
use crate::traced::Traced;

/// Who asks a node waits no longer than this.
const PATIENCE: Duration = Duration::from_mins(2);

enum Order {
    Dial(PeerId, Multiaddr, oneshot::Sender<Result<(), String>>),
    Publish(usize, Vec<u8>, oneshot::Sender<Result<(), String>>),
}

/// The handle of a node.
pub struct Node {
    orders: mpsc::Sender<Order>,
    /// How many messages came, by topic: what the application was handed.
    pub got: watch::Receiver<Vec<u64>>,
    task: JoinHandle<Result<Counts>>,
}

impl Node {
    pub fn start(env: Env, swarm: Swarm<Traced>, topics: Vec<String>) -> Self {
        let (orders, inbox) = mpsc::channel(16);
        let (tell, got) = watch::channel(vec![0; topics.len()]);
        let runner = Runner { env, swarm, topics, tell, connections: HashMap::new(), asked_for: HashMap::new() };
        Self { orders, got, task: tokio::spawn(runner.run(inbox)) }
    }

    /// Dials a peer and waits until it is connected.
    pub async fn dial(&self, peer: PeerId, addr: Multiaddr) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Dial(peer, addr, reply)).await?;
        Ok(tokio::time::timeout(PATIENCE, answer).await???)
    }

    /// Publishes a message in a topic, by its number.
    pub async fn publish(&self, topic: usize, data: Vec<u8>) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Publish(topic, data, reply)).await?;
        Ok(tokio::time::timeout(PATIENCE, answer).await???)
    }

    /// Leaves the network, and tells what its tracer counted.
    pub async fn stop(self) -> Result<Counts> {
        drop(self.orders);
        tokio::time::timeout(PATIENCE, self.task).await??
    }
}

struct Runner {
    env: Env,
    swarm: Swarm<Traced>,
    topics: Vec<String>,
    tell: watch::Sender<Vec<u64>>,
    connections: HashMap<ConnectionId, ConnectionRecorder>,
    /// Who waits for which dial.
    asked_for: HashMap<ConnectionId, oneshot::Sender<Result<(), String>>>,
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
            Order::Dial(peer, addr, reply) => {
                let opts = DialOpts::peer_id(peer).addresses(vec![addr]).build();
                let id = opts.connection_id();
                match self.swarm.dial(opts) {
                    Ok(()) => drop(self.asked_for.insert(id, reply)),
                    Err(error) => drop(reply.send(Err(error.to_string()))),
                }
            }
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
                self.connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                if let Some(record) = self.connections.remove(&connection_id) {
                    record.close(cause.map(|cause| cause.to_string()).as_deref());
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(reply) = self.asked_for.remove(&connection_id) {
                    drop(reply.send(Err(error.to_string())));
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.env.message(format_args!("an incoming connection failed: {error}"));
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let (local, remote) = (peer_text(self.swarm.local_peer_id()), peer_text(&peer));
        let dir = if endpoint.is_dialer() { Direction::Out } else { Direction::In };
        let addr = endpoint.get_remote_address().to_string();
        let link =
            Link { local: &local, remote: &remote, dir, transport: Some("tcp"), addr: Some(&addr), relayed: None };
        self.connections.insert(id, self.env.connection(&link));
        if let Some(reply) = self.asked_for.remove(&id) {
            drop(reply.send(Ok(())));
        }
    }
}
