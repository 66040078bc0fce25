//! libp2p-gossipsub, unchanged, and what goes between it and its connections written down.
//!
//! What it sends lies in queues that only its connections read, and is not seen from here: there are no `SEND_RPC`.
//! Every RPC is seen where it arrives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub::{self, IdentTopic, PublishError, RawMessage, TopicHash};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use serde_json::{Value, json};
use tg_sdk::{Result, now_ns};

use crate::ids::{coded, message_id};
use crate::trace::Trace;
use crate::wire::{self, Control};

type Handler = <gossipsub::Behaviour as NetworkBehaviour>::ConnectionHandler;
type FromHandler = <Handler as ConnectionHandler>::ToBehaviour;

/// A copy of a message of which the library has not said yet whether it is the first.
#[derive(Debug)]
struct Copy {
    ts: u64,
    from: PeerId,
    topic: TopicHash,
    id: Vec<u8>,
}

/// The behaviour.
pub struct Traced {
    me: PeerId,
    pubsub: gossipsub::Behaviour,
    pub trace: Trace,
    /// The topics, and who was in the mesh of each when it was last looked at.
    meshes: BTreeMap<TopicHash, BTreeSet<PeerId>>,
    copies: VecDeque<Copy>,
}

impl Traced {
    pub fn new(me: PeerId, pubsub: gossipsub::Behaviour, trace: Trace) -> Self {
        Self { me, pubsub, trace, meshes: BTreeMap::new(), copies: VecDeque::new() }
    }

    /// Wants the messages of a topic from now on.
    pub fn subscribe(&mut self, topic: &str) -> Result {
        let topic = IdentTopic::new(topic);
        if self.pubsub.subscribe(&topic)? {
            self.trace.counts.topics_joined += 1;
            self.trace.now("JOIN", "join", json!({ "topic": topic.hash().as_str() }));
            self.meshes.insert(topic.hash(), BTreeSet::new());
            self.look();
        }
        Ok(())
    }

    /// Publishes a message. It is on record if the library took it.
    pub fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        // Before the library knows of it: no delivery can be earlier.
        let ts = now_ns();
        let id = self.pubsub.publish(IdentTopic::new(topic), data)?;
        self.trace.at(ts, "PUBLISH_MESSAGE", "publishMessage", json!({ "messageID": coded(&id.0), "topic": topic }));
        self.look();
        Ok(())
    }

    /// Writes down who came into a mesh and who left it since the last look, which was before whatever the library was
    /// given to do.
    fn look(&mut self) {
        for (topic, known) in &mut self.meshes {
            if self.pubsub.mesh_peers(topic).eq(known.iter()) {
                continue;
            }
            let now: BTreeSet<PeerId> = self.pubsub.mesh_peers(topic).copied().collect();
            let body = |peer: &PeerId| json!({ "peerID": coded(&peer.to_bytes()), "topic": topic.as_str() });
            for peer in known.difference(&now) {
                self.trace.now("PRUNE", "prune", body(peer));
            }
            for peer in now.difference(known) {
                self.trace.now("GRAFT", "graft", body(peer));
            }
            *known = now;
        }
    }

    fn received(&mut self, from: PeerId, rpc: &FromHandler) {
        let ts = now_ns();
        let sender = coded(&from.to_bytes());
        let (rpc, invalid) = match rpc {
            FromHandler::Message { rpc, invalid_messages } => (rpc, invalid_messages),
            FromHandler::MessageDropped(rpc) => {
                self.trace.counts.dropped += 1;
                let messages: Vec<Value> =
                    wire::dropped(rpc).iter().map(|id| json!({ "messageID": coded(id) })).collect();
                self.trace.at(ts, "DROP_RPC", "dropRPC", json!({ "sendTo": sender, "meta": { "messages": messages } }));
                return;
            }
            FromHandler::PeerKind(_) => return,
        };
        let all = rpc.messages.iter().chain(invalid.iter().map(|(message, _)| message));
        let messages: Vec<Value> = all
            .map(|message| json!({ "messageID": coded(&id_of(message)), "topic": message.topic.as_str() }))
            .collect();
        let subscription: Vec<Value> = rpc
            .subscriptions
            .iter()
            .map(|one| {
                let subscribe = format!("{:?}", one.action) == "Subscribe";
                json!({ "subscribe": subscribe, "topic": one.topic_hash.as_str() })
            })
            .collect();
        let counts = &mut self.trace.counts.received;
        counts.rpcs += 1;
        counts.messages += messages.len() as u64;
        let [mut ihave, mut iwant, mut graft, mut prune, mut idontwant] = [const { Vec::new() }; 5];
        let coded_all = |ids: &[Vec<u8>]| ids.iter().map(|id| coded(id)).collect::<Vec<String>>();
        for message in &rpc.control_msgs {
            match wire::control(message) {
                Some(Control::IHave { topic, ids }) => {
                    counts.ihaves += 1;
                    ihave.push(json!({ "topic": topic, "messageIDs": coded_all(&ids) }));
                }
                Some(Control::IWant(ids)) => {
                    counts.iwants += 1;
                    iwant.push(json!({ "messageIDs": coded_all(&ids) }));
                }
                Some(Control::Graft(topic)) => {
                    counts.grafts += 1;
                    graft.push(json!({ "topic": topic }));
                }
                Some(Control::Prune(topic)) => {
                    counts.prunes += 1;
                    prune.push(json!({ "topic": topic }));
                }
                Some(Control::IDontWant(ids)) => idontwant.push(json!({ "messageIDs": coded_all(&ids) })),
                Some(Control::Other) => counts.others += 1,
                None => counts.unread += 1,
            }
        }
        let control = json!({ "ihave": ihave, "iwant": iwant, "graft": graft, "prune": prune, "idontwant": idontwant });
        let meta = json!({ "messages": messages, "subscription": subscription, "control": control });
        self.trace.at(ts, "RECV_RPC", "recvRPC", json!({ "receivedFrom": sender, "meta": meta }));
        for message in &rpc.messages {
            // The library refuses what claims to be from here and comes from elsewhere, before it looks for copies.
            if message.source == Some(self.me) {
                self.reject(ts, from, message, "self originated message");
            } else {
                let (topic, id) = (message.topic.clone(), id_of(message));
                self.copies.push_back(Copy { ts, from, topic, id });
            }
        }
        for (message, why) in invalid {
            self.reject(ts, from, message, &format!("{why:?}"));
        }
    }

    fn reject(&mut self, ts: u64, from: PeerId, message: &RawMessage, reason: &str) {
        self.trace.counts.rejected += 1;
        let body = json!({
            "messageID": coded(&id_of(message)),
            "receivedFrom": coded(&from.to_bytes()),
            "reason": reason,
            "topic": message.topic.as_str(),
        });
        self.trace.at(ts, "REJECT_MESSAGE", "rejectMessage", body);
    }

    /// The library hands out a message: the copy that it took is the first that came, from whom it says.
    fn delivered(&mut self, event: &gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source, message_id, message } = event else { return };
        let of = |copy: &Copy| copy.id == message_id.0 && copy.from == *propagation_source;
        let copy = self.copies.iter().position(of).and_then(|at| self.copies.remove(at));
        let ts = copy.map_or_else(now_ns, |copy| copy.ts);
        let body = json!({
            "messageID": coded(&message_id.0),
            "topic": message.topic.as_str(),
            "receivedFrom": coded(&propagation_source.to_bytes()),
        });
        self.trace.at(ts, "DELIVER_MESSAGE", "deliverMessage", body);
    }

    /// The library has handed out all that it will: whatever copy is left it had before. Of a topic that this node does
    /// not want nobody says what it did.
    fn settle(&mut self) {
        while let Some(copy) = self.copies.pop_front() {
            if !self.meshes.contains_key(&copy.topic) {
                continue;
            }
            self.trace.counts.duplicates += 1;
            let body = json!({
                "messageID": coded(&copy.id),
                "receivedFrom": coded(&copy.from.to_bytes()),
                "topic": copy.topic.as_str(),
            });
            self.trace.at(copy.ts, "DUPLICATE_MESSAGE", "duplicateMessage", body);
        }
    }

    /// The first connection to a peer is there, or the last one gone.
    fn peers(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(begun) if begun.other_established == 0 => {
                self.trace.counts.peers_added += 1;
                let body = json!({ "peerID": coded(&begun.peer_id.to_bytes()) });
                self.trace.now("ADD_PEER", "addPeer", body);
            }
            FromSwarm::ConnectionClosed(closed) if closed.remaining_established == 0 => {
                self.trace.counts.peers_removed += 1;
                let body = json!({ "peerID": coded(&closed.peer_id.to_bytes()) });
                self.trace.now("REMOVE_PEER", "removePeer", body);
                // Its going takes it out of all meshes, and is no prune.
                for mesh in self.meshes.values_mut() {
                    mesh.remove(&closed.peer_id);
                }
            }
            _ => {}
        }
    }
}

fn id_of(message: &RawMessage) -> Vec<u8> {
    message_id(message.source, message.sequence_number)
}

impl NetworkBehaviour for Traced {
    type ConnectionHandler = Handler;
    type ToSwarm = gossipsub::Event;

    p2p::connections_by!(pubsub);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.peers(&event);
        self.pubsub.on_swarm_event(event);
        self.look();
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.received(peer, &event);
        self.pubsub.on_connection_handler_event(peer, id, event);
        self.look();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<gossipsub::Event, THandlerInEvent<Self>>> {
        let event = self.pubsub.poll(cx);
        self.look();
        match &event {
            Poll::Ready(ToSwarm::GenerateEvent(event)) => self.delivered(event),
            Poll::Ready(_) => {}
            Poll::Pending => self.settle(),
        }
        event
    }
}
