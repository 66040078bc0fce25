//! The case `bulk`: how much gets through.

use std::time::{Duration, Instant};

use tg_sdk::{Env, NetworkConfig, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::members::{any, meet, partner};

pub async fn bulk(env: Env) -> Result {
    let (bandwidth, latency, duration) = env.params(|p| {
        let bandwidth = p.within("bandwidth", 0_u64, 0..=1_000_000_000_000);
        (bandwidth, p.get_or("latency", Duration::ZERO), p.get_or("duration", Duration::from_secs(3)))
    })?;
    let listener = TcpListener::bind(any(&env)?).await?;
    let (members, me) = meet(&env, listener.local_addr()?.port()).await?;
    let (other, sends) = partner(&members, me)?;
    let mut config = NetworkConfig::new("shaped");
    config.default.bandwidth_bits_per_s = if sends { bandwidth } else { 0 };
    config.default.latency = latency;
    env.configure_network(&config).await?;
    let stage = env.stage("send");
    if sends {
        let mut stream = TcpStream::connect(other.addr).await?;
        let block = vec![0; 256 << 10];
        let began = Instant::now();
        while began.elapsed() < duration {
            stream.write_all(&block).await?;
        }
        stream.shutdown().await?;
    } else {
        let (mut stream, _) = listener.accept().await?;
        let mut block = vec![0; 256 << 10];
        // The beginning, in which the sender finds out how much gets through, is left out.
        let (mut total, mut began) = (0_u64, None);
        let accepted = Instant::now();
        let mut last = accepted;
        loop {
            let read = stream.read(&mut block).await?;
            if read == 0 {
                break;
            }
            if accepted.elapsed() < duration / 4 {
                continue;
            }
            last = Instant::now();
            if began.is_some() {
                total += read as u64;
            }
            began.get_or_insert(last);
        }
        let took = began.map_or(Duration::ZERO, |began| last.duration_since(began));
        if took.is_zero() {
            return Err("too little got through to measure".into());
        }
        env.results().point("throughput_bits_per_s", total as f64 * 8.0 / took.as_secs_f64());
    }
    stage.end();
    env.wait_for_all("sent").await?;
    Ok(())
}
