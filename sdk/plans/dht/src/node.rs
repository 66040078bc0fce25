//! A running node: a task that owns the swarm, and a handle to ask it for things.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::core::ConnectedPoint;
use libp2p::kad::{self, QueryResult};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify};
use p2p::ids::peer_text;
use p2p::{Handle, Links, Reply};
use tg_sdk::{Env, LookupStatus, Result, RoutingEntry, Table};
use tokio::sync::{mpsc, oneshot};

use crate::ids::bare;
use crate::lookups::{Lookups, Outcome, Purpose, Totals};
use crate::said::{self, What};
use crate::swarm::{Behaviour, BehaviourEvent, is_server};
use crate::traced::{self, Sight};

/// Who asks a node waits no longer than this beyond the library's own limit.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Query {
    /// The so many peers nearest to a key.
    Closest(Vec<u8>),
    Provide(Vec<u8>),
    Providers(Vec<u8>),
    Put {
        key: Vec<u8>,
        value: Vec<u8>,
        copies: std::num::NonZeroUsize,
    },
    Get(Vec<u8>),
    Bootstrap,
}

enum Order {
    Dial(PeerId, Multiaddr, Reply),
    Look(Query, Purpose, oneshot::Sender<Outcome>),
    Snapshot(String, oneshot::Sender<usize>),
}

/// The handle of a node.
pub struct Node(Handle<Order, ()>);

impl Node {
    pub fn start(env: Env, swarm: Swarm<Behaviour>, k: std::num::NonZeroUsize) -> Result<Self> {
        let me = *swarm.local_peer_id();
        let runner = Runner {
            lookups: Lookups::new(env.clone(), me),
            dials: env.table("dials")?,
            links: Links::new(env.clone(), &me, "tcp"),
            env,
            me,
            swarm,
            k,
            dialling: HashMap::new(),
            unidentified: HashMap::new(),
        };
        Ok(Self(Handle::start(PATIENCE, |inbox| runner.run(inbox))))
    }

    /// Dials a peer and waits until it has said who it is.
    pub async fn dial(&self, peer: PeerId, addr: Multiaddr) -> Result<()> {
        Ok(self.0.ask(|reply| Order::Dial(peer, addr, reply)).await??)
    }

    /// Looks something up.
    pub async fn look(&self, query: Query, purpose: Purpose) -> Result<Outcome> {
        self.0.ask(|reply| Order::Look(query, purpose, reply)).await
    }

    /// Records the routing table, and tells how many peers are in it.
    pub async fn snapshot(&self, label: &str) -> Result<usize> {
        self.0.ask(|reply| Order::Snapshot(label.to_owned(), reply)).await
    }

    /// Leaves the network.
    pub async fn stop(self) -> Result<()> {
        self.0.stop().await
    }
}

#[derive(serde::Serialize)]
struct Dial<'a> {
    peer: Option<String>,
    /// `plan` or `library`.
    by: &'a str,
    ok: bool,
    took_ns: Option<u64>,
    error: Option<String>,
}

struct Runner {
    env: Env,
    me: PeerId,
    swarm: Swarm<Behaviour>,
    k: std::num::NonZeroUsize,
    lookups: Lookups,
    dials: Table,
    links: Links,
    /// When each dial began.
    dialling: HashMap<ConnectionId, Instant>,
    /// Who waits for a peer to say who it is.
    unidentified: HashMap<PeerId, Vec<Reply>>,
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                order = inbox.recv() => match order {
                    Some(order) => self.order(order),
                    None => break,
                },
            }
        }
    }

    fn kad(&mut self) -> &mut kad::Behaviour<kad::store::MemoryStore> {
        &mut self.swarm.behaviour_mut().kad.kad
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Dial(peer, addr, reply) => self.links.dial(&mut self.swarm, peer, addr, reply),
            Order::Look(query, purpose, reply) => self.look(query, purpose, reply),
            Order::Snapshot(label, reply) => drop(reply.send(self.snapshot(&label))),
        }
    }

    fn look(&mut self, query: Query, purpose: Purpose, reply: oneshot::Sender<Outcome>) {
        let k = self.k;
        let kad = self.kad();
        let begun = match query {
            Query::Closest(key) => Ok(kad.get_n_closest_peers(key, k)),
            Query::Provide(key) => kad.start_providing(key.into()).map_err(|error| error.to_string()),
            Query::Providers(key) => Ok(kad.get_providers(key.into())),
            Query::Put { key, value, copies } => {
                kad.put_record(kad::Record::new(key, value), kad::Quorum::N(copies)).map_err(|error| error.to_string())
            }
            Query::Get(key) => Ok(kad.get_record(key.into())),
            Query::Bootstrap => kad.bootstrap().map_err(|error| error.to_string()),
        };
        match begun {
            Ok(id) => {
                if let Some(number) = said::number(&format!("{id:?}")) {
                    let seeds = self.seeds(&purpose.key);
                    self.lookups.begin(number, purpose, seeds, Some(reply));
                }
            }
            Err(error) => self.env.message(format_args!("the library refuses `{}`: {error}", purpose.op)),
        }
    }

    /// What a lookup begins with: the library takes so many of its own table, whatever k is.
    fn seeds(&mut self, key: &[u8]) -> HashSet<PeerId> {
        let target = kad::KBucketKey::new(key.to_vec());
        let nearest = self.kad().get_closest_local_peers(&target).take(kad::K_VALUE.get());
        nearest.map(kad::KBucketKey::into_preimage).collect()
    }

    fn snapshot(&mut self, label: &str) -> usize {
        let mut entries = Vec::new();
        for bucket in self.kad().kbuckets() {
            // The library numbers its buckets by the logarithm of the distance: 255 is the farthest.
            let number = bucket.range().0.ilog2().and_then(|log| u16::try_from(log).ok());
            entries.extend(bucket.iter().map(|entry| RoutingEntry {
                peer: peer_text(entry.node.key.preimage()),
                bucket: number,
                added_ts: None,
                last_useful_ts: None,
            }));
        }
        let size = entries.len();
        self.env.routing_table(label, &peer_text(&self.me), entries);
        size
    }

    fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kad(traced::Event::Seen(seen))) => {
                if let Sight::Query(said) = &seen.sight
                    && !self.lookups.is_open(said.query)
                    && matches!(said.what, What::Ask)
                {
                    self.begin_automatic(said.query);
                }
                self.lookups.see(seen);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(traced::Event::Kad(event))) => self.progress(*event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                if is_server(&info) {
                    for addr in info.listen_addrs {
                        self.kad().add_address(&peer_id, bare(addr));
                    }
                }
                for waiting in self.unidentified.remove(&peer_id).unwrap_or_default() {
                    drop(waiting.send(Ok(())));
                }
            }
            SwarmEvent::Dialing { connection_id, .. } => {
                self.dialling.insert(connection_id, Instant::now());
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.links.closed(connection_id, cause.map(|cause| cause.to_string()).as_deref());
                for waiting in self.unidentified.remove(&peer_id).unwrap_or_default() {
                    drop(waiting.send(Err("the connection was closed at once".to_owned())));
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error, .. } => {
                self.dialled(connection_id, peer_id, Some(error.to_string()));
                if let Some(reply) = self.links.asked(connection_id) {
                    drop(reply.send(Err(error.to_string())));
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.env.diagnostics().counter("incoming_connections_failed").inc(1);
                self.env.message(format_args!("an incoming connection failed: {error}"));
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        self.links.opened(&peer, id, endpoint);
        if endpoint.is_dialer() {
            self.dialled(id, Some(peer), None);
        }
        if let Some(reply) = self.links.asked(id) {
            self.unidentified.entry(peer).or_default().push(reply);
        }
    }

    fn dialled(&mut self, id: ConnectionId, peer: Option<PeerId>, error: Option<String>) {
        let by = if self.links.is_asked(id) { "plan" } else { "library" };
        let took = self.dialling.remove(&id).map(|began| began.elapsed());
        let took_ns = took.and_then(|took| u64::try_from(took.as_nanos()).ok());
        let row = Dial { peer: peer.as_ref().map(peer_text), by, ok: error.is_none(), took_ns, error };
        if let Err(error) = self.dials.row_now(&row) {
            self.env.message(format_args!("a dial could not be recorded: {error}"));
        }
    }

    /// The library began a lookup of its own.
    fn begin_automatic(&mut self, query: usize) {
        let found = self.kad().iter_queries().find_map(|q| {
            (said::number(&format!("{:?}", q.id())) == Some(query)).then(|| purpose_of(q.info())).flatten()
        });
        if let Some(purpose) = found {
            let seeds = self.seeds(&purpose.key);
            self.lookups.begin(query, purpose, seeds, None);
        }
    }

    fn progress(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, stats, step } = event else {
            if let kad::Event::InboundRequest { request } = event {
                let kind = format!("{request:?}");
                let kind = kind.split(' ').next().unwrap_or_default();
                self.env.diagnostics().counter(&format!("requests_answered,kind={kind}")).inc(1);
            }
            return;
        };
        let Some(query) = said::number(&format!("{id:?}")) else {
            return;
        };
        let totals = Totals { requests: stats.num_requests().into(), answers: stats.num_successes().into() };
        let (status, reason) = self.judge(id, query, result);
        let Some(status) = status else {
            return;
        };
        if let Some((mut purpose, reply)) = self.lookups.end(query, status, reason, totals) {
            if step.last {
                if let Some(reply) = reply {
                    drop(reply.send(Outcome { status, closest: Vec::new(), found: Vec::new(), value: None }));
                }
                return;
            }
            let next = self.kad().query(&id).and_then(|q| purpose_of(q.info()));
            if let Some(next) = next {
                purpose.target = next.target;
                purpose.key = next.key;
                let seeds = self.seeds(&purpose.key);
                self.lookups.begin(query, purpose, seeds, reply);
            }
        }
    }

    /// What a step of the library means; no status if the lookup goes on.
    fn judge(&mut self, id: kad::QueryId, query: usize, result: QueryResult) -> (Option<LookupStatus>, &'static str) {
        let done_if = |yes: bool| Some(if yes { LookupStatus::Done } else { LookupStatus::Fail });
        let late = (Some(LookupStatus::Incomplete), "timeout");
        match result {
            QueryResult::Bootstrap(Ok(_)) => (done_if(true), "completed"),
            QueryResult::GetClosestPeers(Ok(ok)) => {
                self.lookups.closest(query, ok.peers.iter().map(|peer| peer.peer_id).collect());
                (done_if(self.lookups.has_what_it_wants(query)), "completed")
            }
            QueryResult::GetClosestPeers(Err(kad::GetClosestPeersError::Timeout { peers, .. })) => {
                self.lookups.closest(query, peers.iter().map(|peer| peer.peer_id).collect());
                late
            }
            QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders { providers, .. })) => {
                let mut providers: Vec<PeerId> = providers.into_iter().collect();
                providers.sort();
                for provider in providers {
                    self.lookups.found(query, provider);
                }
                (None, "")
            }
            QueryResult::GetProviders(Ok(kad::GetProvidersOk::FinishedWithNoAdditionalRecord { closest_peers })) => {
                self.lookups.closest(query, closest_peers);
                (done_if(self.lookups.results(query) > 0), "completed")
            }
            QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) => {
                self.lookups.found(query, found.peer.unwrap_or(self.me));
                self.lookups.value(query, found.record.value);
                // One is enough: without this, the library asks on.
                if let Some(mut query) = self.kad().query_mut(&id) {
                    query.finish();
                }
                (None, "")
            }
            QueryResult::GetRecord(Err(kad::GetRecordError::NotFound { closest_peers, .. })) => {
                self.lookups.closest(query, closest_peers);
                (done_if(false), "completed")
            }
            QueryResult::GetRecord(Ok(kad::GetRecordOk::FinishedWithNoAdditionalRecord { .. }))
            | QueryResult::StartProviding(Ok(_))
            | QueryResult::RepublishProvider(Ok(_)) => (done_if(self.lookups.results(query) > 0), "completed"),
            QueryResult::PutRecord(result) | QueryResult::RepublishRecord(result) => match result {
                Err(kad::PutRecordError::Timeout { .. }) => late,
                Err(kad::PutRecordError::QuorumFailed { .. }) => {
                    (done_if(self.lookups.results(query) > 0), "fewer copies than asked for")
                }
                Ok(_) => (done_if(true), "completed"),
            },
            QueryResult::Bootstrap(Err(_))
            | QueryResult::GetProviders(Err(_))
            | QueryResult::GetRecord(Err(_))
            | QueryResult::StartProviding(Err(_))
            | QueryResult::RepublishProvider(Err(_)) => late,
        }
    }
}

/// What a query that the plan did not begin is for.
fn purpose_of(info: &kad::QueryInfo) -> Option<Purpose> {
    let (op, key, target) = match info {
        kad::QueryInfo::Bootstrap { peer, .. } => ("bootstrap", peer.to_bytes(), peer_text(peer)),
        kad::QueryInfo::GetClosestPeers { .. }
        | kad::QueryInfo::GetProviders { .. }
        | kad::QueryInfo::AddProvider { .. }
        | kad::QueryInfo::PutRecord { .. }
        | kad::QueryInfo::GetRecord { .. } => return None,
    };
    Some(Purpose { op, target, key, round: None, key_group: Some("automatic"), expected: None })
}
