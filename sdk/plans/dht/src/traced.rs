//! libp2p-kad, unchanged, and everything that goes between it and its connections seen.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::{self, store::MemoryStore};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::said::{self, Said, What};

/// What was seen, with the moment.
#[derive(Debug)]
pub struct Seen {
    pub at: Instant,
    pub peer: PeerId,
    pub sight: Sight,
}

/// What there is to see.
#[derive(Debug)]
pub enum Sight {
    /// Something of a query.
    Query(Said),
    /// A request that waited for a connection: the library counted it when it dialled.
    AfterDial(Said),
    /// A query needs a connection first.
    Dial(usize),
    /// It did not get one, and why.
    DialFailed(usize, String),
    /// The library dials, and which query wants it cannot be told.
    UnknownDial,
    /// The last connection to a peer is gone.
    Gone,
}

/// What the wrapped behaviour tells.
#[derive(Debug)]
pub enum Event {
    Kad(Box<kad::Event>),
    Seen(Seen),
}

/// Which part of a query a request belongs to: the library counts each part anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Search,
    Keep,
    Refresh(PeerId),
}

/// The behaviour.
pub struct Traced {
    pub kad: kad::Behaviour<MemoryStore>,
    seen: VecDeque<Seen>,
    /// Events that wait until all that came before them is seen.
    held: VecDeque<kad::Event>,
    /// Requests that were seen, by query and part.
    accounted: HashMap<(usize, Part), u32>,
    /// Queries that wait for a connection, and what they will ask.
    waiting: HashMap<PeerId, Vec<(usize, Part)>>,
}

impl Traced {
    pub fn new(kad: kad::Behaviour<MemoryStore>) -> Self {
        Self { kad, seen: VecDeque::new(), held: VecDeque::new(), accounted: HashMap::new(), waiting: HashMap::new() }
    }

    fn see(&mut self, peer: PeerId, sight: Sight) {
        self.seen.push_back(Seen { at: Instant::now(), peer, sight });
    }

    /// The part that a query is in.
    fn part(&self, query: usize) -> Option<Part> {
        self.kad.iter_queries().find(|q| number(q.id()) == Some(query)).map(|q| part(q.info()))
    }

    /// A request of a query was seen.
    fn account(&mut self, query: usize) -> Option<Part> {
        let part = self.part(query)?;
        *self.accounted.entry((query, part.clone())).or_default() += 1;
        Some(part)
    }

    /// The query that the library has made a request of that was not seen yet, if there is just one.
    fn who_dials(&self) -> Option<usize> {
        let mut open = self.kad.iter_queries().filter_map(|q| {
            let query = number(q.id())?;
            let seen = self.accounted.get(&(query, part(q.info()))).copied().unwrap_or(0);
            (q.stats().num_requests() > seen).then_some(query)
        });
        let only = open.next()?;
        open.next().is_none().then_some(only)
    }

    fn dial(&mut self, peer: PeerId) {
        match self.who_dials() {
            Some(query) => {
                if let Some(part) = self.account(query) {
                    self.waiting.entry(peer).or_default().push((query, part));
                }
                self.see(peer, Sight::Dial(query));
            }
            None => self.see(peer, Sight::UnknownDial),
        }
    }

    /// Whatever waited for the connection is sent with its beginning.
    fn connected(&mut self, peer: PeerId) {
        for (query, part) in self.waiting.remove(&peer).unwrap_or_default() {
            if self.part(query).as_ref() == Some(&part) {
                let what = if part == Part::Keep { What::Keep } else { What::Ask };
                self.see(peer, Sight::AfterDial(Said { query, what }));
            }
        }
    }
}

fn ends_provide(event: &kad::Event) -> bool {
    use kad::QueryResult::{RepublishProvider, StartProviding};
    matches!(event, kad::Event::OutboundQueryProgressed { result: StartProviding(_) | RepublishProvider(_), .. })
}

fn number(id: kad::QueryId) -> Option<usize> {
    said::number(&format!("{id:?}"))
}

fn part(info: &kad::QueryInfo) -> Part {
    match info {
        kad::QueryInfo::Bootstrap { peer, .. } => Part::Refresh(*peer),
        kad::QueryInfo::AddProvider { phase: kad::AddProviderPhase::AddProvider { .. }, .. }
        | kad::QueryInfo::PutRecord { phase: kad::PutRecordPhase::PutRecord { .. }, .. } => Part::Keep,
        kad::QueryInfo::GetClosestPeers { .. }
        | kad::QueryInfo::GetProviders { .. }
        | kad::QueryInfo::AddProvider { .. }
        | kad::QueryInfo::PutRecord { .. }
        | kad::QueryInfo::GetRecord { .. } => Part::Search,
    }
}

impl NetworkBehaviour for Traced {
    type ConnectionHandler = <kad::Behaviour<MemoryStore> as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Event;

    p2p::connections_by!(kad);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(established) => self.connected(established.peer_id),
            FromSwarm::ConnectionClosed(closed) if closed.remaining_established == 0 => {
                self.see(closed.peer_id, Sight::Gone);
            }
            // That one is connected or about to be is no failure.
            FromSwarm::DialFailure(failure) if !matches!(failure.error, DialError::DialPeerConditionFalse(_)) => {
                if let Some(peer) = failure.peer_id {
                    for (query, _) in self.waiting.remove(&peer).unwrap_or_default() {
                        self.see(peer, Sight::DialFailed(query, failure.error.to_string()));
                    }
                }
            }
            _ => {}
        }
        self.kad.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        if let Some(said) = said::heard(&event) {
            self.see(peer, Sight::Query(said));
        }
        self.kad.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(seen) = self.seen.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(Event::Seen(seen)));
        }
        let event = loop {
            match self.kad.poll(cx) {
                // The library says that a record is provided before it hands out the requests that do it.
                Poll::Ready(ToSwarm::GenerateEvent(event)) if ends_provide(&event) => self.held.push_back(event),
                Poll::Ready(event) => break event,
                Poll::Pending => match self.held.pop_front() {
                    Some(event) => break ToSwarm::GenerateEvent(event),
                    None => return Poll::Pending,
                },
            }
        };
        match &event {
            ToSwarm::NotifyHandler { peer_id, event, .. } => {
                if let Some(said) = said::sent(event) {
                    let peer = *peer_id;
                    self.account(said.query);
                    self.see(peer, Sight::Query(said));
                }
            }
            ToSwarm::Dial { opts } => {
                if let Some(peer) = opts.get_peer_id() {
                    self.dial(peer);
                }
            }
            ToSwarm::GenerateEvent(kad::Event::OutboundQueryProgressed { id, step, .. }) if step.last => {
                let done = number(*id);
                self.accounted.retain(|(query, _), _| Some(*query) != done);
            }
            _ => {}
        }
        Poll::Ready(event.map_out(|event| Event::Kad(Box::new(event))))
    }
}
