//! What a runner on another machine hears of a run: lines of JSON in the answer to one request, for as long as it reads.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::hub::{Hub, Waiting};
use super::seen::Seen;
use super::watch::TopicFilter;

/// How often it is looked whether barriers have other counts.
const LOOK: Duration = Duration::from_secs(1);
/// An empty line after so long a silence: whatever is between the two must not take it for the end.
const SILENCE: Duration = Duration::from_secs(15);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Something happened. Only items of the topics that hold claims are told.
    Seen(Seen),
    /// The barriers that someone waits at, all of them.
    Waiting(Vec<Waiting>),
}

/// Tells a runner of what happens below a prefix from now on, until it goes.
pub(super) async fn tell(mut tcp: TcpStream, hub: &Hub, prefix: &str) -> std::io::Result<()> {
    let topics = TopicFilter { suffixes: vec![":run_events".to_owned()], parts: Vec::new() };
    let mut watch = hub.watch(prefix, topics);
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n\r\n\n";
    tcp.write_all(head.as_bytes()).await?;
    let (mut from, mut to) = tcp.split();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Vec::new();
    let mut last = Instant::now();
    let mut byte = [0];
    loop {
        let told = tokio::select! {
            seen = watch.recv() => match seen {
                Some(seen) => Some(Told::Seen(seen)),
                None => return Ok(()),
            },
            _ = look.tick() => {
                let waiting = hub.waiting(prefix);
                // For how long they have waited, whoever hears of it can count.
                let counts: Vec<_> = waiting.iter().map(|line| (line.state.clone(), line.target, line.count)).collect();
                if counts != before {
                    before = counts;
                    Some(Told::Waiting(waiting))
                } else if last.elapsed() >= SILENCE {
                    None
                } else {
                    continue;
                }
            }
            // It has nothing to say; it is gone.
            read = from.read(&mut byte) => match read? {
                0 => return Ok(()),
                _ => continue,
            },
        };
        let mut line = told.map(|told| serde_json::to_vec(&told)).transpose()?.unwrap_or_default();
        line.push(b'\n');
        to.write_all(&line).await?;
        last = Instant::now();
    }
}

/// Forgets everything below a prefix, and says how much there was.
pub(super) async fn forget(mut tcp: TcpStream, hub: &Hub, prefix: &str) -> std::io::Result<()> {
    let body = format!("{}\n", hub.drop_run(prefix));
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {length}");
    tcp.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
    tcp.shutdown().await
}
