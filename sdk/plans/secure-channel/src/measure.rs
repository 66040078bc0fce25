//! The case: every second node dials the one before it and measures; nobody measures while another does.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm};
use libp2p_stream::{Behaviour, Control};
use p2p::ids::{keypair, peer_text};
use p2p::{Handle, Links, Reply};
use serde::{Deserialize, Serialize};
use tg_sdk::{Env, PeerFacts, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::settings::Settings;
use crate::talk::{self, Order};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/tg/secure-channel/1.0.0");
/// No step takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Member {
    seq: usize,
    peer: String,
    addr: String,
}

impl p2p::people::Member for Member {
    fn seq(&self) -> usize {
        self.seq
    }
}

pub async fn measure(env: Env) -> Result {
    let settings = Settings::read(&env)?;
    let stage = env.stage("meet");
    p2p::people::shape(&env, settings.latency).await?;
    let seq = p2p::people::number(&env).await?;
    let keypair = keypair(settings.seed, seq as u64)?;
    let me = keypair.public().to_peer_id();
    let mut swarm = settings.channel.swarm(keypair)?;
    let addr = p2p::swarm::listen(&mut swarm, settings.channel.on(env.data_ip()?)).await?.to_string();
    let dials = seq % 2 == 1;
    let facts = PeerFacts {
        peer: &peer_text(&me),
        role: Some(if dials { "dialler" } else { "listener" }),
        dialable: Some(true),
        addrs: &[&addr],
        ..PeerFacts::default()
    };
    env.me(&facts);
    let control = swarm.behaviour().new_control();
    let serving = tokio::spawn(serve(env.clone(), control.clone()));
    let node = Handle::start(PATIENCE, {
        let links = Links::new(env.clone(), &me, settings.channel.transport());
        |inbox| Runner { links, swarm, waiting: None }.run(inbox)
    });
    let members = p2p::people::meet(&env, &Member { seq, peer: peer_text(&me), addr }).await?;
    stage.end();
    let stage = env.stage("measure");
    if dials {
        let partner = &members[seq - 1];
        let pair = Pair { env: &env, node: &node, control, peer: partner.peer.parse()?, addr: partner.addr.parse()? };
        // One pair at a time: others would take the processor from it.
        if seq > 1 {
            env.sync().barrier("measured", seq as u64 / 2).await?;
        }
        pair.measure(&settings).await?;
        env.sync().signal("measured").await?;
    }
    env.wait_for_all("done").await?;
    stage.end();
    serving.abort();
    node.stop().await?;
    env.wait_for_all("stopped").await?;
    Ok(())
}

async fn serve(env: Env, mut control: Control) {
    let Ok(mut incoming) = control.accept(PROTOCOL) else { return };
    // One after the other: the plan opens no two at a time.
    while let Some((peer, stream)) = incoming.next().await {
        if let Err(error) = talk::serve(stream).await {
            env.message(format_args!("a stream of {peer} broke: {error}"));
        }
    }
}

enum Ask {
    /// How long the connection took to establish is the answer.
    Connect(PeerId, Multiaddr, oneshot::Sender<Result<Duration, String>>),
    Disconnect(PeerId, oneshot::Sender<()>),
}

type Node = Handle<Ask, ()>;

/// The task that owns the swarm.
struct Runner {
    links: Links,
    swarm: Swarm<Behaviour>,
    /// Who waits for what is under way.
    waiting: Option<Waiting>,
}

enum Waiting {
    Connected(oneshot::Sender<Result<Duration, String>>),
    Gone(oneshot::Sender<()>),
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Ask>) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                ask = inbox.recv() => match ask {
                    Some(Ask::Connect(peer, addr, reply)) => {
                        // That it failed is told by an event.
                        let (told, _): (Reply, _) = oneshot::channel();
                        self.waiting = Some(Waiting::Connected(reply));
                        self.links.dial(&mut self.swarm, peer, addr, told);
                    }
                    Some(Ask::Disconnect(peer, reply)) => {
                        self.waiting = Some(Waiting::Gone(reply));
                        let _none: Result<(), ()> = self.swarm.disconnect_peer_id(peer);
                    }
                    None => break,
                },
            }
        }
    }

    fn event(&mut self, event: SwarmEvent<()>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, established_in, .. } => {
                self.links.opened(&peer_id, connection_id, &endpoint);
                if endpoint.is_dialer()
                    && let Some(Waiting::Connected(reply)) = self.waiting.take()
                {
                    drop(reply.send(Ok(established_in)));
                }
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                if let Some(Waiting::Connected(reply)) = self.waiting.take() {
                    drop(reply.send(Err(error.to_string())));
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.links.closed(connection_id, cause.map(|cause| cause.to_string()).as_deref());
                if let Some(Waiting::Gone(reply)) = self.waiting.take() {
                    let _nobody: Result<(), ()> = reply.send(());
                }
            }
            _ => {}
        }
    }
}

/// The dialler's end.
struct Pair<'a> {
    env: &'a Env,
    node: &'a Node,
    control: Control,
    peer: PeerId,
    addr: Multiaddr,
}

impl Pair<'_> {
    async fn measure(mut self, settings: &Settings) -> Result {
        let results = self.env.results();
        for _ in 0..settings.handshakes {
            let took = self.connect().await?;
            results.point_ns("handshake_ns", took);
            self.node.ask(|reply| Ask::Disconnect(self.peer, reply)).await?;
        }
        self.connect().await?;
        for &size in &settings.sizes {
            let mut message = vec![0x5a; size];
            let mut stream = self.open(Order::Echo(size)).await?;
            // The first one waits for the protocol of the stream to be agreed on.
            timeout(PATIENCE, talk::round_trip(&mut stream, &mut message)).await??;
            for _ in 0..settings.rounds {
                let began = Instant::now();
                timeout(PATIENCE, talk::round_trip(&mut stream, &mut message)).await??;
                results.point_ns(&format!("round_trip_ns,size={size}"), began.elapsed());
            }
            drop(stream);
            for _ in 0..settings.repeats {
                // A stream whose protocol is agreed on takes the bytes at once.
                let mut stream = self.open(Order::Take(settings.volume)).await?;
                let began = Instant::now();
                timeout(PATIENCE, talk::send(&mut stream, &message, settings.volume)).await??;
                let took = began.elapsed().as_secs_f64();
                results.point(&format!("throughput_bytes_per_s,size={size}"), settings.volume as f64 / took);
            }
        }
        self.node.ask(|reply| Ask::Disconnect(self.peer, reply)).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<Duration> {
        Ok(self.node.ask(|reply| Ask::Connect(self.peer, self.addr.clone(), reply)).await??)
    }

    async fn open(&mut self, order: Order) -> Result<Stream> {
        let opening = self.control.open_stream(self.peer, PROTOCOL);
        let mut stream = timeout(PATIENCE, opening).await?.map_err(|error| error.to_string())?;
        order.say(&mut stream).await?;
        Ok(stream)
    }
}
