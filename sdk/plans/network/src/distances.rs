//! The case `distances`: everybody measures the round trip to everybody, in the network as the composition has it.

use std::error::Error;
use std::time::{Duration, Instant};

use tg_sdk::{Env, Result};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use crate::members::{Member, any, meet};

const QUESTION: u8 = b'?';
const ANSWER: u8 = b'!';

pub async fn distances(env: Env) -> Result {
    let (rounds, patience) =
        env.params(|p| (p.within("rounds", 5_u32, 1..=10_000), p.get_or("patience", Duration::from_secs(2))))?;
    let socket = UdpSocket::bind(any(&env)?).await?;
    let (members, me) = meet(&env, socket.local_addr()?.port()).await?;
    let mut asker = Asker { socket, number: 0 };
    // Nobody asks before everybody answers: what waits in a socket would count as a long way.
    asker.answer_until(env.wait_for_all("met")).await?;
    let stage = env.stage("measure");
    let mut lost = 0;
    for (_, other) in members.iter().enumerate().filter(|(at, _)| *at != me) {
        let group = other.name.split('/').next().unwrap_or_default();
        let mut least: Option<Duration> = None;
        for _ in 0..rounds {
            match asker.ask(other, patience).await? {
                Some(took) => {
                    env.results().point_ns(&format!("rtt_ns,to={group}"), took);
                    least = Some(least.map_or(took, |least| least.min(took)));
                }
                None => lost += 1,
            }
        }
        if let Some(least) = least {
            env.results().point_ns(&format!("least_rtt_ns,to={}", other.name), least);
        }
    }
    env.results().point("unanswered", f64::from(lost));
    stage.end();
    // Those that are slower still want answers.
    asker.answer_until(env.wait_for_all("measured")).await
}

struct Asker {
    socket: UdpSocket,
    number: u32,
}

impl Asker {
    /// The round trip to another, or nothing if no answer came in time. Answers meanwhile.
    async fn ask(&mut self, other: &Member, patience: Duration) -> Result<Option<Duration>> {
        self.number += 1;
        let began = Instant::now();
        self.socket.send_to(&message(QUESTION, self.number), other.addr).await?;
        let until = tokio::time::Instant::from_std(began + patience);
        loop {
            let Ok(turned) = timeout_at(until, self.turn()).await else { return Ok(None) };
            if turned? == Some(self.number) {
                return Ok(Some(began.elapsed()));
            }
        }
    }

    /// Answers others until something has happened.
    async fn answer_until<E: Error + Send + Sync + 'static>(
        &self,
        happens: impl Future<Output = std::result::Result<(), E>>,
    ) -> Result {
        tokio::pin!(happens);
        loop {
            tokio::select! {
                happened = &mut happens => return Ok(happened?),
                turned = self.turn() => drop(turned?),
            }
        }
    }

    /// Receives one datagram, and answers it if it is a question; gives the number of an answer.
    async fn turn(&self) -> Result<Option<u32>> {
        let mut buffer = [0; 16];
        let (size, from) = self.socket.recv_from(&mut buffer).await?;
        let &[kind, a, b, c, d] = &buffer[..size] else { return Ok(None) };
        let number = u32::from_le_bytes([a, b, c, d]);
        if kind == QUESTION {
            // An answer that cannot be sent is as good as lost.
            self.socket.send_to(&message(ANSWER, number), from).await.ok();
        }
        Ok((kind == ANSWER).then_some(number))
    }
}

fn message(kind: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_le_bytes();
    [kind, a, b, c, d]
}
