//! The case: a network is made, some publish, and everybody counts what comes.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use p2p::ids::{keypair, peer_text};
use p2p::swarm::tcp_on;
use tg_sdk::{Env, PeerFacts, Result, Rng};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};

use crate::node::Node;
use crate::people::{self, Member, Published};
use crate::settings::Settings;
use crate::swarm;
use crate::topology::{pairs, topics_of};
use crate::trace::{self, Trace};

/// How often a node dials a peer that does not answer.
const ATTEMPTS: u32 = 3;

pub async fn publish(env: Env) -> Result {
    let settings = Settings::read(&env)?;
    let stage = env.stage("meet");
    p2p::people::shape(&env, settings.latency).await?;
    let seq = p2p::people::number(&env).await?;
    let nodes = usize::try_from(env.instances())?;
    let topics: Vec<String> = (0..settings.topics).map(|topic| format!("t{topic}")).collect();
    let mine = topics_of(settings.topology, seq, nodes, settings.topics, settings.subscriptions);
    let wanted: Vec<String> = mine.iter().map(|&topic| topics[topic].clone()).collect();
    let keypair = keypair(settings.seed, seq as u64)?;
    let me = keypair.public().to_peer_id();
    let is_publisher = seq < settings.publishers;
    let mut swarm = swarm::build(keypair, &settings, &wanted, Trace::new(&env, &me, seq)?)?;
    let addr = p2p::swarm::listen(&mut swarm, tcp_on(env.data_ip()?)).await?.to_string();
    let role = if is_publisher { "publisher" } else { "receiver" };
    let facts = PeerFacts {
        peer: &peer_text(&me),
        role: Some(role),
        dialable: Some(true),
        addrs: &[&addr],
        ..PeerFacts::default()
    };
    env.me(&facts);
    let name = env.name().replace('/', "-");
    let members = p2p::people::meet(&env, &Member { seq, name, peer: peer_text(&me), addr }).await?;
    let node = Node::start(env.clone(), swarm, topics);
    stage.end();

    let net = Net { env, settings, node, seq, me, members, mine };
    net.connect().await?;
    let until = Instant::now() + net.settings.duration + net.settings.cooldown;
    let published = if is_publisher { net.publish().await? } else { vec![0; net.settings.topics] };
    net.finish(published, until).await
}

/// This node in its network.
struct Net {
    env: Env,
    settings: Settings,
    node: Node,
    seq: usize,
    me: PeerId,
    members: Vec<Member>,
    /// The topics that this node wants, by number.
    mine: Vec<usize>,
}

impl Net {
    /// Of two that are to be connected the one with the higher number dials: two that dial one another at the same moment
    /// may both fail.
    async fn connect(&self) -> Result {
        let stage = self.env.stage("connect");
        let all = pairs(self.settings.topology, self.members.len(), self.settings.seed);
        let others = all.iter().filter_map(|&(a, b)| match self.seq {
            seq if seq == a => Some(b),
            seq if seq == b => Some(a),
            _ => None,
        });
        let others: Vec<&Member> = others.map(|seq| &self.members[seq]).collect();
        let names: Vec<&str> = others.iter().map(|member| member.name.as_str()).collect();
        trace::write_topology(&self.env, &self.members[self.seq].name, self.settings.latency, &names)?;
        for member in others.into_iter().filter(|member| member.seq < self.seq) {
            self.dial(member).await?;
        }
        self.env.wait_for_all("connected").await?;
        stage.end();
        let stage = self.env.stage("warm-up");
        tokio::time::sleep(self.settings.warmup).await;
        self.env.wait_for_all("warm").await?;
        stage.end();
        Ok(())
    }

    async fn dial(&self, member: &Member) -> Result {
        let (peer, addr): (PeerId, Multiaddr) = (member.peer.parse()?, member.addr.parse()?);
        for attempt in 1..=ATTEMPTS {
            match self.node.dial(peer, addr.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt == ATTEMPTS => {
                    return Err(format!("cannot connect to `{}`: {error}", member.name).into());
                }
                Err(error) => self.env.message(format_args!("dial {attempt} of `{}` failed: {error}", member.name)),
            }
        }
        Ok(())
    }

    /// Publishes at an even rate from a random moment of the first interval on, in its topics by turns; returns how many
    /// the library took, by topic.
    async fn publish(&self) -> Result<Vec<u64>> {
        let stage = self.env.stage("publish");
        let every = Duration::from_secs_f64(1.0 / self.settings.rate);
        let mut rng = Rng::new(self.settings.seed ^ (self.seq as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut ticks = interval_at(Instant::now() + every.mul_f64(rng.unit()), every);
        // A late tick does not make the next ones crowd.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut published = vec![0; self.settings.topics];
        for (number, &topic) in (0..self.settings.messages()).zip(self.mine.iter().cycle()) {
            ticks.tick().await;
            let mut data = vec![0; self.settings.size];
            for (byte, from) in data.iter_mut().zip(number.to_be_bytes().into_iter().cycle()) {
                *byte = from;
            }
            match self.node.publish(topic, data).await {
                Ok(()) => published[topic] += 1,
                Err(error) => {
                    self.env.results().counter("publishes_refused").inc(1);
                    self.env.message(format_args!("message {number} was not published: {error}"));
                }
            }
        }
        stage.end();
        Ok(published)
    }

    /// Waits for what others published, and tells what came of it. Whoever was broken meanwhile is not waited for beyond
    /// the moment at which all should be done.
    async fn finish(self, published: Vec<u64>, until: Instant) -> Result {
        let stage = self.env.stage("cool-down");
        let me = Published { seq: self.seq, by_topic: published.clone() };
        let others = people::others_published(&self.env, me, until).await?;
        let expected: u64 = self.mine.iter().map(|&topic| others.by_topic[topic]).sum();
        let mut got = self.node.got.clone();
        let all = got.wait_for(|got| got.iter().sum::<u64>() >= expected);
        let _late = timeout_at(until, all).await;
        // Whoever has all goes on forwarding until everybody is done.
        self.together("drained", others.silent).await?;
        stage.end();
        let delivered: u64 = self.node.got.borrow().iter().sum();
        let published: u64 = published.iter().sum();
        let results = self.env.results();
        results.point("published", published as f64);
        results.point("delivered", delivered as f64);
        if others.silent == 0 {
            results.point("expected", expected as f64);
            results.point("missed", expected.saturating_sub(delivered) as f64);
        } else {
            let text = format!("{} of {} nodes never told what they published", others.silent, self.members.len());
            self.env.message(text);
        }
        let (env, silent, cooldown) = (self.env.clone(), others.silent, self.settings.cooldown);
        let counts = self.node.stop().await?;
        env.results().point("duplicates", counts.duplicates as f64);
        trace::write_aggregate(&env, &self.me, self.seq, &counts, published, delivered)?;
        env.diagnostics().point("control_extensions", counts.received.others as f64);
        if counts.received.unread > 0 {
            let n = counts.received.unread;
            let text = format!("{n} control messages could not be read: is libp2p-gossipsub another version?");
            return Err(text.into());
        }
        together(&env, "stopped", silent, cooldown).await
    }

    async fn together(&self, state: &str, silent: u64) -> Result {
        together(&self.env, state, silent, self.settings.cooldown).await
    }
}

/// Waits for everybody, unless some are known to be gone; for so long at most, as others may go now.
async fn together(env: &Env, state: &str, silent: u64, most: Duration) -> Result {
    if silent == 0 {
        match timeout(most, env.wait_for_all(state)).await {
            Ok(done) => done?,
            Err(_late) => env.message(format_args!("not all nodes came to `{state}`")),
        }
    }
    Ok(())
}
