//! The case `partition`: instances of several groups see one another go and come back.
//!
//! The composition breaks the network when everybody has reached everybody (state `together`), and heals it when
//! everybody has seen it broken (state `apart`).

use std::time::{Duration, Instant};

use tg_sdk::{Env, Result};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use crate::members::{Member, any, meet};

/// From one question to the next.
const EVERY: Duration = Duration::from_millis(20);

/// What an instance waits to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Everybody answers.
    Everybody,
    /// Its own group answers, and no other does.
    OwnGroup,
}

pub async fn partition(env: Env) -> Result {
    let silence = env.params(|p| p.get_or("silence", Duration::from_secs(1)))?;
    let socket = UdpSocket::bind(any(&env)?).await?;
    let (members, me) = meet(&env, socket.local_addr()?.port()).await?;
    let mut peers = Peers { socket, members, me, heard: Vec::new(), silence };
    peers.heard = vec![None; peers.members.len()];
    for (want, state) in [(Want::Everybody, "together"), (Want::OwnGroup, "apart"), (Want::Everybody, "healed")] {
        let stage = env.stage(state);
        let began = Instant::now();
        peers.until(want).await?;
        env.results().point_ns(&format!("waited,for={state}"), began.elapsed());
        stage.end();
        // Others still want to be answered while this one waits for them.
        let waiting = env.wait_for_all(state);
        tokio::pin!(waiting);
        loop {
            tokio::select! {
                reached = &mut waiting => {
                    reached?;
                    break;
                }
                turned = peers.turn() => turned?,
            }
        }
    }
    // Those that are late must find somebody who answers.
    let over = env.wait_for_all("over");
    tokio::pin!(over);
    loop {
        tokio::select! {
            reached = &mut over => {
                reached?;
                return Ok(());
            }
            turned = peers.turn() => turned?,
        }
    }
}

struct Peers {
    socket: UdpSocket,
    members: Vec<Member>,
    me: usize,
    /// When each was heard last.
    heard: Vec<Option<Instant>>,
    silence: Duration,
}

impl Peers {
    fn group(&self, at: usize) -> &str {
        self.members[at].name.split('/').next().unwrap_or_default()
    }

    fn sees(&self, want: Want) -> bool {
        (0..self.members.len()).filter(|at| *at != self.me).all(|at| {
            let there = self.heard[at].is_some_and(|when| when.elapsed() < self.silence);
            there == (want == Want::Everybody || self.group(at) == self.group(self.me))
        })
    }

    async fn until(&mut self, want: Want) -> Result {
        while !self.sees(want) {
            self.turn().await?;
        }
        Ok(())
    }

    /// Tells everybody that this one is there, and hears who else is, for a while.
    async fn turn(&mut self) -> Result {
        for (at, member) in self.members.iter().enumerate() {
            if at != self.me {
                // What cannot be sent now is as good as lost.
                self.socket.send_to(&u32::try_from(self.me)?.to_le_bytes(), member.addr).await.ok();
            }
        }
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut buffer = [0; 16];
        loop {
            tokio::select! {
                _ = ticks.tick() => return Ok(()),
                read = self.socket.recv_from(&mut buffer) => {
                    let Ok((4, _)) = read else { continue };
                    let from = u32::from_le_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
                    if let Some(heard) = self.heard.get_mut(from) {
                        *heard = Some(Instant::now());
                    }
                }
            }
        }
    }
}
