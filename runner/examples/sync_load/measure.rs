//! The measurements.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Barrier, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{Client, frame};
use crate::service::Service;

/// How much of everything.
pub(crate) struct Scale {
    /// Connections, and requests under way on each.
    pub(crate) throughput: &'static [(usize, usize)],
    /// How long to measure throughput.
    pub(crate) time: Duration,
    /// Subscribers and items.
    pub(crate) fan_out: (usize, usize),
    /// Waiters and repetitions.
    pub(crate) barrier: (usize, usize),
    pub(crate) idle: usize,
}

impl Scale {
    pub(crate) const FULL: Self = Self {
        throughput: &[(1, 1), (1, 64), (100, 1), (5000, 1)],
        time: Duration::from_secs(5),
        fan_out: (1000, 1000),
        barrier: (10_000, 100),
        idle: 5000,
    };
    pub(crate) const QUICK: Self = Self {
        throughput: &[(1, 1), (1, 64), (100, 1), (500, 1)],
        time: Duration::from_millis(500),
        fan_out: (100, 100),
        barrier: (1000, 5),
        idle: 500,
    };
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Signals,
    Publishes,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Publishes => "publishes",
        }
    }

    fn request(self, id: usize) -> Vec<u8> {
        const PREFIX: &str = "run:20261122-221530417-k7qx:plan:mesh:case:round-trips";
        match self {
            Self::Signals => frame(&format!(r#"{{"id":"{id}","signal_entry":{{"state":"{PREFIX}:states:ready"}}}}"#)),
            Self::Publishes => frame(&format!(
                r#"{{"id":"{id}","publish":{{"topic":"{PREFIX}:topics:peers","payload":{{"ID":{id},"Addrs":["/ip4/127.0.0.1/tcp/4001"]}}}}}}"#
            )),
        }
    }
}

/// So many at a time dial and shake hands: more would measure the queue of the listener.
const DIALLING: usize = 64;

async fn dial(addr: SocketAddr, count: usize) -> Outcome<Vec<Client>> {
    let permits = Arc::new(Semaphore::new(DIALLING));
    let mut dialling = JoinSet::new();
    for _ in 0..count {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        dialling.spawn(async move {
            let client = Client::dial(addr).await;
            drop(permit);
            client
        });
    }
    dialling.join_all().await.into_iter().collect()
}

/// Answers per second, each connection with so many requests under way.
pub(crate) async fn throughput(
    addr: SocketAddr,
    kind: Kind,
    connections: usize,
    window: usize,
    time: Duration,
) -> Outcome<f64> {
    let clients = dial(addr, connections).await?;
    let start = Arc::new(Barrier::new(connections + 1));
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            let end = Instant::now() + time;
            let mut answers = 0_usize;
            for id in 0..window {
                client.send(&kind.request(id)).await?;
            }
            loop {
                client.answer().await?;
                // What comes after the end does not count.
                if Instant::now() >= end {
                    return Outcome::Ok(answers);
                }
                answers += 1;
                client.send(&kind.request(window + answers)).await?;
            }
        });
    }
    start.wait().await;
    let answers: usize = tasks.join_all().await.into_iter().sum::<Outcome<_>>()?;
    Ok(answers as f64 / time.as_secs_f64())
}

/// Seconds from the first publish until every subscriber has every item.
pub(crate) async fn fan_out(addr: SocketAddr, subscribers: usize, items: usize) -> Outcome<f64> {
    let subscribe = frame(r#"{"id":"1","subscribe":{"topic":"run:r:topics:t"}}"#);
    let signal = frame(r#"{"id":"2","signal_entry":{"state":"run:r:states:subscribed"}}"#);
    let mut tasks = JoinSet::new();
    let (ready, mut is_ready) = mpsc::channel(subscribers);
    for mut client in dial(addr, subscribers).await? {
        let (subscribe, signal, ready) = (subscribe.clone(), signal.clone(), ready.clone());
        tasks.spawn(async move {
            client.send(&subscribe).await?;
            client.send(&signal).await?;
            client.answer().await?;
            ready.send(()).await?;
            for _ in 0..items {
                client.answer().await?;
            }
            Outcome::Ok(Instant::now())
        });
    }
    for _ in 0..subscribers {
        is_ready.recv().await.ok_or("a subscriber failed")?;
    }
    let mut publisher = Client::dial(addr).await?;
    let payload = "x".repeat(64);
    let begin = Instant::now();
    for id in 0..items {
        let request = format!(r#"{{"id":"{id}","publish":{{"topic":"run:r:topics:t","payload":"{payload}"}}}}"#);
        publisher.send(&frame(&request)).await?;
        publisher.answer().await?;
    }
    let ends = tasks.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?;
    let last = ends.into_iter().max().ok_or("no subscribers")?;
    Ok((last - begin).as_secs_f64())
}

/// For each round, the seconds from the last signal to the release of the last waiter; each waiter has a connection.
pub(crate) async fn barrier(addr: SocketAddr, waiters: usize, rounds: usize) -> Outcome<Vec<f64>> {
    let (ready, mut readies) = mpsc::channel(waiters);
    let (release, mut releases) = mpsc::channel(waiters);
    let (round_of, rounds_seen) = watch::channel(0);
    let mut tasks = JoinSet::new();
    for mut client in dial(addr, waiters).await? {
        let (ready, release, mut rounds_seen) = (ready.clone(), release.clone(), rounds_seen.clone());
        tasks.spawn(async move {
            for round in 0..rounds {
                // Nobody goes on to the next round while others wait to be released from this one.
                rounds_seen.wait_for(|&current| current == round).await?;
                let state = format!("run:r:states:round-{round}");
                let target = waiters + 1;
                let barrier = format!(r#"{{"id":"1","barrier":{{"state":"{state}","target":{target}}}}}"#);
                client.send(&frame(&barrier)).await?;
                client.send(&frame(&format!(r#"{{"id":"2","signal_entry":{{"state":"{state}"}}}}"#))).await?;
                // The answer to the signal, then the release.
                client.answer().await?;
                ready.send(()).await?;
                client.answer().await?;
                release.send(Instant::now()).await?;
            }
            Outcome::Ok(())
        });
    }
    drop((ready, release));
    let mut last = Client::dial(addr).await?;
    let mut took = Vec::new();
    for round in 0..rounds {
        round_of.send(round)?;
        for _ in 0..waiters {
            readies.recv().await.ok_or("a waiter failed")?;
        }
        // Let the service finish what it does after its answers; that is outside of what is measured.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let signal = frame(&format!(r#"{{"id":"1","signal_entry":{{"state":"run:r:states:round-{round}"}}}}"#));
        let begin = Instant::now();
        last.send(&signal).await?;
        let mut end = begin;
        for _ in 0..waiters {
            end = end.max(releases.recv().await.ok_or("a waiter failed")?);
        }
        took.push((end - begin).as_secs_f64());
        last.answer().await?;
    }
    tasks.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?;
    Ok(took)
}

/// Resident memory for each connection that has signalled once and is idle since.
pub(crate) async fn idle_bytes(service: &Service, connections: usize) -> Outcome<f64> {
    // Whatever the service allocates once is not the connections'.
    drop(dial(service.addr, 10).await?);
    let before = service.resident_bytes()?;
    let mut clients = dial(service.addr, connections).await?;
    for client in &mut clients {
        client.send(&Kind::Signals.request(1)).await?;
        client.answer().await?;
    }
    let after = service.resident_bytes()?;
    Ok((after - before) / connections as f64)
}

/// The value below which this share of the sorted values lies, by the nearest rank.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is small and positive")]
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
