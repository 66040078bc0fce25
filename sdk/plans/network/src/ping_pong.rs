//! The case `ping-pong`: round trips take as long as the latency says, before and after it is changed.

use std::time::{Duration, Instant};

use tg_sdk::{Env, NetworkConfig, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::members::{any, meet, partner};

pub async fn ping_pong(env: Env) -> Result {
    let (latencies, rounds) = env.params(|p| {
        let first = p.get_or("latency", Duration::from_millis(100));
        ([first, p.get_or("latency2", Duration::from_millis(10))], p.within("rounds", 20_u32, 1..=100_000))
    })?;
    let listener = TcpListener::bind(any(&env)?).await?;
    let (members, me) = meet(&env, listener.local_addr()?.port()).await?;
    let (other, begins) = partner(&members, me)?;
    let mut stream = if begins { TcpStream::connect(other.addr).await? } else { listener.accept().await?.0 };
    stream.set_nodelay(true)?;
    for (nth, latency) in latencies.into_iter().enumerate() {
        let stage = env.stage(&format!("latency-{nth}"));
        let mut config = NetworkConfig::new(&format!("shaped-{nth}"));
        config.default.latency = latency;
        env.configure_network(&config).await?;
        let mut byte = [0];
        // A round trip that was under way when the latency changed is not counted.
        for round in 0..=rounds {
            let began = Instant::now();
            if begins {
                stream.write_all(&byte).await?;
            }
            stream.read_exact(&mut byte).await?;
            if !begins {
                stream.write_all(&byte).await?;
            }
            let took = began.elapsed();
            if !begins || round == 0 {
                continue;
            }
            env.results().point_ns(&format!("rtt_ns,latency={}", latency.as_millis()), took);
            if took < 2 * latency {
                return Err(format!("a round trip took {took:?}, but twice the latency is {:?}", 2 * latency).into());
            }
        }
        env.wait_for_all(&format!("measured-{nth}")).await?;
        stage.end();
    }
    Ok(())
}
