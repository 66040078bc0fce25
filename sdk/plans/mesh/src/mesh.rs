//! The case `mesh`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tg_sdk::{ConnectionRecorder, Direction, Env, Link, PeerFacts, Result, Size};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{echo, topology};

/// No single step between two instances may take longer.
const STEP_LIMIT: Duration = Duration::from_mins(1);

/// What each instance tells the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Member {
    name: String,
    addr: SocketAddr,
    seed: u64,
}

struct Settings {
    degree: usize,
    rounds: u32,
    payload: usize,
}

/// A connection that this instance dialled.
struct Dialled {
    stream: TcpStream,
    record: ConnectionRecorder,
}

pub async fn mesh(env: Env) -> Result {
    let settings = env.params(|p| Settings {
        degree: p.within("degree", 4, 1..=64),
        rounds: p.within("rounds", 50, 1..=1_000_000),
        payload: usize::try_from(p.within("payload", Size(64), Size(1)..=Size(16 << 20)).0).unwrap_or(64),
    })?;
    let name = env.name();
    let listener = TcpListener::bind((env.data_ip()?, 0)).await?;
    let addr = listener.local_addr()?;

    let stage = env.stage("discover");
    let role = env.group().to_owned();
    env.me(&PeerFacts {
        peer: &name,
        role: Some(&role),
        dialable: Some(true),
        addrs: &[&addr.to_string()],
        ..PeerFacts::default()
    });
    let mut topic = env.sync().subscribe::<Member>("members");
    env.sync().publish("members", &Member { name: name.clone(), addr, seed: env.seed() }).await?;
    // By name, so that the mesh is the same for the same seed, whoever came first.
    let members: BTreeMap<String, Member> =
        topic.next_n(env.instances()).await?.into_iter().map(|member| (member.name.clone(), member)).collect();
    if members.len() as u64 != env.instances() {
        return Err("two instances have the same name".into());
    }
    let members: Vec<Member> = members.into_values().collect();
    let me = members.iter().position(|member| member.name == name).ok_or("this instance is missing among its own")?;
    stage.end();

    let stage = env.stage("connect");
    let edges = topology::edges(members.len(), settings.degree, members[0].seed);
    let to_dial: Vec<&Member> = edges.iter().filter(|edge| edge.0 == me).map(|edge| &members[edge.1]).collect();
    let expected = edges.iter().filter(|edge| edge.1 == me).count();
    let accepting = tokio::spawn(accept(env.clone(), listener, expected));
    let mut dialled = Vec::with_capacity(to_dial.len());
    for member in to_dial {
        dialled.push(dial(&env, member).await?);
    }
    let accepted = accepting.await??;
    env.results().point("connections_out", dialled.len() as f64);
    env.results().point("connections_in", expected as f64);
    env.wait_for_all("connected").await?;
    stage.end();

    let stage = env.stage("measure");
    let answering = tokio::spawn(serve(accepted));
    measure(&env, &mut dialled, &settings).await?;
    env.wait_for_all("measured").await?;
    stage.end();

    let stage = env.stage("close");
    for Dialled { stream, record } in dialled {
        drop(stream);
        record.close(Some("done"));
    }
    tokio::time::timeout(STEP_LIMIT, answering).await???;
    stage.end();
    Ok(())
}

async fn dial(env: &Env, member: &Member) -> Result<Dialled> {
    let dialling = env.diagnostics().timer("dial_ns");
    let opening = dialling.time(open(member.addr, env.name()));
    let (stream, remote) = tokio::time::timeout(STEP_LIMIT, opening).await??;
    if remote != member.name {
        return Err(format!("`{}` answers at the address of `{}`", remote, member.name).into());
    }
    let record = record(env, &remote, Direction::Out, member.addr);
    Ok(Dialled { stream, record })
}

async fn open(addr: SocketAddr, name: String) -> Result<(TcpStream, String)> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let remote = echo::greet(&mut stream, &name).await?;
    Ok((stream, remote))
}

/// Takes as many connections as the mesh says, and no more.
async fn accept(env: Env, listener: TcpListener, expected: usize) -> Result<Vec<Dialled>> {
    let mut accepted = Vec::with_capacity(expected);
    while accepted.len() < expected {
        let (mut stream, addr) = tokio::time::timeout(STEP_LIMIT, listener.accept()).await??;
        stream.set_nodelay(true)?;
        let remote = tokio::time::timeout(STEP_LIMIT, echo::greet(&mut stream, &env.name())).await??;
        let record = record(&env, &remote, Direction::In, addr);
        accepted.push(Dialled { stream, record });
    }
    Ok(accepted)
}

fn record(env: &Env, remote: &str, dir: Direction, addr: SocketAddr) -> ConnectionRecorder {
    let (local, addr) = (env.name(), addr.to_string());
    env.connection(&Link { local: &local, remote, dir, transport: Some("tcp"), addr: Some(&addr), relayed: None })
}

/// Answers on every accepted connection until the other end closes it.
async fn serve(accepted: Vec<Dialled>) -> Result {
    let mut answering = JoinSet::new();
    for Dialled { stream, record } in accepted {
        answering.spawn(async move {
            let ended = echo::answer(stream).await;
            let reason = ended.as_ref().map_or_else(ToString::to_string, |()| "remote closed".to_owned());
            record.close(Some(&reason));
            ended
        });
    }
    while let Some(ended) = answering.join_next().await {
        ended??;
    }
    Ok(())
}

/// Round trips over each dialled connection, one after the other, so that they do not disturb one another.
async fn measure(env: &Env, dialled: &mut [Dialled], settings: &Settings) -> Result {
    let all = env.results().histogram("rtt_all_ns");
    let bytes = env.diagnostics().meter("echoed_bytes");
    let mut payload = vec![0; settings.payload];
    let mut rng = env.rng();
    for chunk in payload.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
    }
    let mut back = vec![0; payload.len()];
    for link in dialled {
        for _ in 0..settings.rounds {
            let trip = echo::round_trip(&mut link.stream, &payload, &mut back);
            let took = tokio::time::timeout(STEP_LIMIT, trip).await??;
            env.results().point_ns("rtt_ns", took);
            all.update_ns(took);
            bytes.mark(payload.len() as u64);
        }
    }
    Ok(())
}
