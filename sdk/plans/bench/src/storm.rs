//! The case `storm`: everybody dials many others at once, and sends something over each connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tg_sdk::{Env, Result, Size};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[derive(Debug, Clone, Copy)]
struct Settings {
    dials: usize,
    at_once: usize,
    size: usize,
    patience: Duration,
}

pub async fn storm(env: Env) -> Result {
    let settings = env.params(|p| Settings {
        dials: p.within("dials", 50, 1..=100_000),
        at_once: p.within("at_once", 50, 1..=10_000),
        size: usize::try_from(p.within("size", Size(4096), Size(1)..=Size(1 << 20)).0).unwrap_or(1),
        patience: p.get_or("timeout", Duration::from_secs(10)),
    })?;
    let listener = TcpListener::bind((env.data_ip()?, 0)).await?;
    let addr = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener, settings));
    let mut topic = env.sync().subscribe::<SocketAddr>("addrs");
    env.sync().publish("addrs", &addr).await?;
    let others: Vec<SocketAddr> =
        topic.next_n(env.instances()).await?.into_iter().filter(|other| *other != addr).collect();
    env.wait_for_all("ready").await?;
    let stage = env.stage("storm");
    let (mut rng, room) = (env.rng(), Arc::new(Semaphore::new(settings.at_once)));
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..settings.dials {
        let &to = rng.pick(&others).ok_or("there is nobody to dial")?;
        let room = room.clone().acquire_owned().await?;
        tasks.spawn(async move {
            let said = timeout(settings.patience, dial(to, settings.size)).await;
            drop(room);
            said.unwrap_or_else(|_late| Err(std::io::ErrorKind::TimedOut.into()))
        });
    }
    let (mut failed, results) = (0_u64, env.results());
    while let Some(done) = tasks.join_next().await {
        match done? {
            Ok((dialled, whole)) => {
                results.point_ns("dial_ns", dialled);
                results.point_ns("exchange_ns", whole);
            }
            Err(error) => {
                failed += 1;
                env.message(format_args!("a dial failed: {error}"));
            }
        }
    }
    results.point_ns("storm_ns", began.elapsed());
    results.point("dials_failed", failed as f64);
    env.wait_for_all("done").await?;
    stage.end();
    serving.abort();
    if failed == settings.dials as u64 {
        return Err("every dial failed".into());
    }
    Ok(())
}

async fn serve(listener: TcpListener, settings: Settings) {
    let mut tasks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(timeout(settings.patience, answer(stream, settings.size)));
        while tasks.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: TcpStream, size: usize) -> std::io::Result<()> {
    let mut content = vec![0; size];
    stream.read_exact(&mut content).await?;
    stream.write_all(&[1]).await
}

/// How long it took to connect, and until what was sent was acknowledged.
async fn dial(to: SocketAddr, size: usize) -> std::io::Result<(Duration, Duration)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(to).await?;
    let dialled = began.elapsed();
    stream.write_all(&vec![0x5a; size]).await?;
    stream.read_exact(&mut [0]).await?;
    Ok((dialled, began.elapsed()))
}
