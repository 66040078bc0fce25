//! The case `probe`: datagrams there and back.

use std::time::{Duration, Instant};

use tg_sdk::{Env, NetworkConfig, Params, Result};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::members::{any, meet, partner};

/// How long to wait for stragglers.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// Ends what the other end answers.
const OVER: u32 = u32::MAX;

pub async fn probe(env: Env) -> Result {
    let (shape, count, every) = env.params(|p| {
        let mut config = NetworkConfig::new("shaped");
        config.default.latency = p.get_or("latency", Duration::from_millis(10));
        config.default.jitter = p.get_or("jitter", Duration::ZERO);
        config.default.loss_percent = percent(p, "loss");
        config.default.reorder_percent = percent(p, "reorder");
        config.default.duplicate_percent = percent(p, "duplicate");
        (config, p.within("count", 500_u32, 1..=10_000_000), p.get_or("every", Duration::from_millis(2)))
    })?;
    let socket = UdpSocket::bind(any(&env)?).await?;
    let (members, me) = meet(&env, socket.local_addr()?.port()).await?;
    let (other, begins) = partner(&members, me)?;
    socket.connect(other.addr).await?;
    // Only what the beginning side sends is shaped, so that what is measured happened once to each datagram.
    let config = if begins { shape.clone() } else { NetworkConfig::new("shaped") };
    env.configure_network(&config).await?;
    let stage = env.stage("probe");
    if begins {
        ask(&env, &socket, count, every, shape.default.latency).await?;
    } else {
        answer(&socket).await?;
    }
    stage.end();
    // The end is told over the sync service: the last datagram may be lost.
    env.wait_for_all("probed").await?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the message has percents of this width")]
fn percent(p: &mut Params<'_>, name: &str) -> f32 {
    p.within(name, 0.0_f64, 0.0..=100.0) as f32
}

async fn ask(env: &Env, socket: &UdpSocket, count: u32, every: Duration, latency: Duration) -> Result {
    let mut ticks = interval(every.max(Duration::from_micros(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent: Vec<Instant> = Vec::with_capacity(count as usize);
    let (mut back, mut order) = (vec![0_u32; count as usize], Vec::with_capacity(count as usize));
    let mut buffer = [0; 64];
    let mut last = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick(), if sent.len() < count as usize => {
                let number = u32::try_from(sent.len())?;
                sent.push(Instant::now());
                socket.send(&number.to_le_bytes()).await?;
                last = Instant::now();
            }
            read = timeout(STRAGGLERS, socket.recv(&mut buffer)) => {
                let Ok(read) = read else {
                    if sent.len() == count as usize { break }
                    continue;
                };
                read?;
                let number = u32::from_le_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
                let Some(at) = sent.get(number as usize) else { continue };
                back[number as usize] += 1;
                if back[number as usize] > 1 {
                    continue;
                }
                order.push(number);
                let took = at.elapsed();
                env.results().point_ns("rtt_ns", took);
                env.results().point("delay_error_ns", took.as_nanos() as f64 - latency.as_nanos() as f64);
            }
        }
        if sent.len() == count as usize && last.elapsed() > STRAGGLERS + latency {
            break;
        }
    }
    for _ in 0..20 {
        socket.send(&OVER.to_le_bytes()).await?;
    }
    let arrived = back.iter().filter(|times| **times > 0).count();
    let results = env.results();
    results.point("sent", f64::from(count));
    results.point("lost", f64::from(count) - arrived as f64);
    results.point("duplicated", back.iter().filter(|times| **times > 1).count() as f64);
    results.point("overtaking", overtaking(&order) as f64);
    Ok(())
}

/// How many came before one that had been sent earlier.
fn overtaking(order: &[u32]) -> usize {
    let mut least = u32::MAX;
    let overtook = order.iter().rev().filter(|&&number| {
        let overtook = number > least;
        least = least.min(number);
        overtook
    });
    overtook.count()
}

/// Sends back whatever comes, until it is over or nothing comes for long.
async fn answer(socket: &UdpSocket) -> Result {
    let mut buffer = [0; 64];
    while let Ok(read) = timeout(Duration::from_mins(1), socket.recv(&mut buffer)).await {
        let read = read?;
        if buffer[..read] == OVER.to_le_bytes() {
            break;
        }
        socket.send(&buffer[..read]).await?;
    }
    Ok(())
}
