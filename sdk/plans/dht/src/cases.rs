//! The cases: a network is made, something is looked for, and what should have been found is known.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use p2p::ids::{bytes, keypair, peer_text};
use tg_sdk::{Env, LookupStatus, PeerFacts, Result, Rng};
use tokio::time::timeout;

use crate::ids::hex;
use crate::lookups::{Outcome, Purpose};
use crate::node::{Node, Query};
use crate::people::Member;
use crate::settings::{Role, Settings};
use crate::{forming, stager, swarm, truth};

/// Keeps the keys of records apart from those of nodes.
const RECORDS: u64 = 1 << 40;
/// How a multihash of 32 bytes of SHA-256 begins.
const SHA2_256: [u8; 2] = [0x12, 32];

pub async fn find_peers(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.find_peers().await?;
    net.finish().await
}

pub async fn get_closest_peers(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.get_closest_peers().await?;
    net.finish().await
}

pub async fn find_providers(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.provide(net.settings.records).await?;
    net.find_providers().await?;
    net.finish().await
}

pub async fn provide_stress(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.provide(net.settings.records).await?;
    net.finish().await
}

pub async fn store_get_value(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.store().await?;
    net.get().await?;
    net.finish().await
}

pub async fn all(env: Env) -> Result {
    let mut net = Net::form(env).await?;
    net.find_peers().await?;
    net.get_closest_peers().await?;
    net.provide(net.settings.records).await?;
    net.find_providers().await?;
    net.store().await?;
    net.get().await?;
    net.finish().await
}

/// This node in its network.
struct Net {
    env: Env,
    settings: Settings,
    node: Node,
    seq: usize,
    me: PeerId,
    members: Vec<Member>,
    /// All that answer, without this node.
    servers: Vec<PeerId>,
    rng: Rng,
    failed: u64,
}

impl Net {
    /// Meets the others, connects as the form says, and fills the table.
    async fn form(env: Env) -> Result<Self> {
        let settings = Settings::read(&env)?;
        let stage = env.stage("meet");
        p2p::people::shape(&env, settings.latency).await?;
        let seq = p2p::people::number(&env).await?;
        let nodes = usize::try_from(env.instances())?;
        let role = settings.role_of(seq, nodes);
        let keypair = keypair(settings.seed, seq as u64)?;
        let me = keypair.public().to_peer_id();
        let mut swarm = swarm::build(keypair, role, &settings)?;
        let mut addr = None;
        if role != Role::Client {
            let at = p2p::swarm::listen(&mut swarm, p2p::swarm::tcp_on(env.data_ip()?)).await?;
            addr = Some(at.to_string());
            // Nobody else will tell this node where it can be reached.
            swarm.add_external_address(at);
        }
        let addrs: Vec<&str> = addr.as_deref().into_iter().collect();
        env.me(&PeerFacts {
            peer: &peer_text(&me),
            role: Some(role.word()),
            dialable: Some(addr.is_some()),
            addrs: &addrs,
            ..PeerFacts::default()
        });
        let member = Member { seq, role, peer: peer_text(&me), addr: addr.clone() };
        let members = p2p::people::meet(&env, &member).await?;
        let mut servers = Vec::with_capacity(members.len());
        for member in members.iter().filter(|member| member.serves() && member.seq != seq) {
            servers.push(member.peer.parse()?);
        }
        let node = Node::start(env.clone(), swarm, settings.k)?;
        let rng = Rng::new(env.seed());
        let net = Self { env, settings, node, seq, me, members, servers, rng, failed: 0 };
        stage.end();
        net.connect().await?;
        net.refresh().await?;
        Ok(net)
    }

    async fn connect(&self) -> Result {
        let (env, settings) = (&self.env, &self.settings);
        let stage = env.stage("connect");
        let roles: Vec<Role> = self.members.iter().map(|member| member.role).collect();
        stager::enter(env, settings.staging, "connect", self.seq).await?;
        let chosen = forming::dials(settings.forming, settings.degree, &roles, self.seq, settings.seed);
        let mut connected = 0;
        for &seq in &chosen {
            let Member { peer, addr: Some(addr), .. } = &self.members[seq] else {
                continue;
            };
            match self.node.dial(peer.parse()?, addr.parse::<Multiaddr>()?).await {
                Ok(()) => connected += 1,
                Err(error) => env.message(format_args!("cannot connect to {seq}: {error}")),
            }
        }
        if connected == 0 && !chosen.is_empty() {
            return Err(format!("none of {} dials succeeded", chosen.len()).into());
        }
        stager::leave(env, "connect").await?;
        self.snapshot("before_refresh").await?;
        stage.end();
        Ok(())
    }

    async fn refresh(&self) -> Result {
        let (env, settings) = (&self.env, &self.settings);
        let stage = env.stage("refresh");
        for round in 0..settings.refreshes {
            let step = format!("refresh-{round}");
            stager::enter(env, settings.staging, &step, self.seq).await?;
            let purpose = Purpose {
                op: "bootstrap",
                target: peer_text(&self.me),
                key: self.me.to_bytes(),
                round: i32::try_from(round).ok(),
                key_group: None,
                expected: None,
            };
            self.node.look(Query::Bootstrap, purpose).await?;
            stager::leave(env, &step).await?;
            if round == 0 {
                self.snapshot("after_bootstrap").await?;
            }
        }
        if settings.refreshes > 0 {
            self.snapshot("after_refresh").await?;
        }
        stage.end();
        Ok(())
    }

    async fn snapshot(&self, label: &str) -> Result {
        let size = self.node.snapshot(label).await?;
        self.env.results().point(&format!("table_size,snapshot={label}"), size as f64);
        self.all(label).await?;
        Ok(())
    }

    /// Every node looks for random servers.
    async fn find_peers(&mut self) -> Result {
        let stage = self.env.stage("find-peers");
        for round in 0..self.settings.lookups {
            self.pace().await;
            let Some(&target) = self.rng.pick(&self.servers) else {
                break;
            };
            let key = target.to_bytes();
            let purpose = purpose("find_peer", peer_text(&target), &key, round, Some(1));
            let outcome = self.node.look(Query::Closest(key), purpose).await?;
            self.judge(&outcome);
        }
        self.all("find-peers-done").await?;
        stage.end();
        Ok(())
    }

    /// Every node looks for the peers that are closest to random keys.
    async fn get_closest_peers(&mut self) -> Result {
        let stage = self.env.stage("get-closest-peers");
        for round in 0..self.settings.lookups {
            self.pace().await;
            let key = bytes(self.rng.next_u64(), round.into()).to_vec();
            let purpose = purpose("get_closest_peers", hex(&key), &key, round, None);
            let outcome = self.node.look(Query::Closest(key.clone()), purpose).await?;
            self.judge(&outcome);
            self.recall(&key, &outcome, "get_closest_peers");
        }
        self.all("get-closest-peers-done").await?;
        stage.end();
        Ok(())
    }

    /// Every node provides records of its own.
    async fn provide(&mut self, records: u32) -> Result {
        let stage = self.env.stage("provide");
        for round in 0..records {
            let key = self.content(self.seq, round);
            let purpose = purpose("provide", hex(&key), &key, round, Some(self.copies()));
            let outcome = self.node.look(Query::Provide(key.clone()), purpose).await?;
            self.judge(&outcome);
            // The library tells no closest peers here: where the record went is what it settled on.
            if let Some(recall) = truth::recall(&key, &self.servers, &outcome.found, self.settings.k.get()) {
                self.env.results().point("placement,op=provide", recall);
            }
        }
        self.all("provide-done").await?;
        self.snapshot("after_provide").await?;
        stage.end();
        Ok(())
    }

    /// Every node looks for the providers of others' records.
    async fn find_providers(&mut self) -> Result {
        let stage = self.env.stage("find-providers");
        for round in 0..self.settings.lookups {
            self.pace().await;
            // The library does not name a provider that it knows no address of, and a client has none.
            let Some((owner, round_of)) = self.other_record(Of::Servers) else {
                break;
            };
            let key = self.content(owner, round_of);
            let purpose = purpose("find_providers", hex(&key), &key, round, Some(1));
            let outcome = self.node.look(Query::Providers(key), purpose).await?;
            let right = outcome.found.iter().any(|peer| peer_text(peer) == self.members[owner].peer);
            if outcome.status == LookupStatus::Done && !right {
                self.env.message(format_args!("the providers of a record of {owner} are others"));
                self.failed += 1;
            }
            self.judge(&outcome);
        }
        self.all("find-providers-done").await?;
        stage.end();
        Ok(())
    }

    /// Every node stores values.
    async fn store(&mut self) -> Result {
        let stage = self.env.stage("store");
        let copies = std::num::NonZeroUsize::new(usize::try_from(self.copies())?).ok_or("there are no servers")?;
        for round in 0..self.settings.records {
            let key = self.value_key(self.seq, round);
            let purpose = purpose("put", text(&key), &key, round, Some(self.copies()));
            let value = value(&key);
            let outcome = self.node.look(Query::Put { key: key.clone(), value, copies }, purpose).await?;
            self.judge(&outcome);
            if let Some(recall) = truth::recall(&key, &self.servers, &outcome.found, self.settings.k.get()) {
                self.env.results().point("placement,op=put", recall);
            }
        }
        self.all("store-done").await?;
        stage.end();
        Ok(())
    }

    /// Every node gets the values of others.
    async fn get(&mut self) -> Result {
        let stage = self.env.stage("get");
        for round in 0..self.settings.lookups {
            self.pace().await;
            let Some((owner, round_of)) = self.other_record(Of::Anybody) else {
                break;
            };
            let key = self.value_key(owner, round_of);
            let purpose = purpose("get", text(&key), &key, round, Some(1));
            let outcome = self.node.look(Query::Get(key.clone()), purpose).await?;
            if outcome.value.as_ref().is_some_and(|got| *got != value(&key)) {
                self.env.message(format_args!("a value of {owner} is not what was stored"));
                self.failed += 1;
            }
            self.judge(&outcome);
        }
        self.all("get-done").await?;
        stage.end();
        Ok(())
    }

    /// The last table, and an error if something was not found.
    async fn finish(self) -> Result {
        self.snapshot("end").await?;
        self.env.results().point("lookups_without_success", self.failed as f64);
        let Self { env, settings, node, .. } = self;
        node.stop().await?;
        wait(&env, settings.patience, "stopped").await
    }

    async fn all(&self, state: &str) -> Result {
        wait(&self.env, self.settings.patience, state).await
    }

    /// The pause before a lookup, if there is to be one.
    async fn pace(&self) {
        if !self.settings.pace.is_zero() {
            tokio::time::sleep(self.settings.pace).await;
        }
    }

    fn judge(&mut self, outcome: &Outcome) {
        if outcome.status != LookupStatus::Done {
            self.failed += 1;
        }
    }

    fn recall(&self, key: &[u8], outcome: &Outcome, op: &str) {
        if let Some(recall) = truth::recall(key, &self.servers, &outcome.closest, self.settings.k.get()) {
            self.env.results().point(&format!("recall,op={op}"), recall);
        }
    }

    /// How many copies of a record there should be.
    fn copies(&self) -> u32 {
        u32::try_from(self.settings.k.get().min(self.servers.len())).unwrap_or(u32::MAX)
    }

    /// What is peculiar to a record of a node.
    fn record(&self, owner: usize, round: u32) -> [u8; 32] {
        bytes(self.settings.seed, RECORDS + ((owner as u64) << 20) + u64::from(round))
    }

    /// The key under which a node provides a record: a multihash, because other libraries provide nothing else.
    fn content(&self, owner: usize, round: u32) -> Vec<u8> {
        [SHA2_256.as_slice(), &self.record(owner, round)].concat()
    }

    /// The key under which a node stores a value, in a namespace, because other libraries want one.
    fn value_key(&self, owner: usize, round: u32) -> Vec<u8> {
        format!("/tg/{}", hex(&self.record(owner, round))).into_bytes()
    }

    /// A random record of another node, or of another server only.
    fn other_record(&mut self, of: Of) -> Option<(usize, u32)> {
        let wanted = |member: &&Member| member.seq != self.seq && (of == Of::Anybody || member.serves());
        let owners: Vec<usize> = self.members.iter().filter(wanted).map(|member| member.seq).collect();
        let &owner = self.rng.pick(&owners)?;
        let round = u32::try_from(self.rng.below(self.settings.records.into())).ok()?;
        Some((owner, round))
    }
}

/// Waits for everybody. Whoever was broken on the way is not waited for beyond the patience of the run.
async fn wait(env: &Env, patience: Duration, state: &str) -> Result {
    match timeout(patience, env.wait_for_all(state)).await {
        Ok(done) => done?,
        Err(_late) => env.message(format_args!("not all nodes came to `{state}`")),
    }
    Ok(())
}

/// Whose records are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Anybody,
    Servers,
}

fn purpose(op: &'static str, target: String, key: &[u8], round: u32, expected: Option<u32>) -> Purpose {
    Purpose { op, target, key: key.to_vec(), round: i32::try_from(round).ok(), key_group: None, expected }
}

/// A key that is text.
fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// The value of a key: whoever gets it can tell whether it is the right one.
fn value(key: &[u8]) -> Vec<u8> {
    crate::ids::place(key).to_vec()
}
