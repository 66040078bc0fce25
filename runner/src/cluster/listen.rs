//! Hears what the cluster's sync service says of a run, through the API server: nothing of the cluster's network needs to
//! be reached from where `tg` is.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::io::AsyncBufReadExt as _;
use tg_model::{RunId, env};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::http::Request;

use super::client::Cluster;
use super::error::ClusterError;
use super::names;
use crate::sync::{Hub, Label, Seen, Told, Waiting};

/// Wait before the service is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// The service says something every fifteen seconds.
const SILENT: Duration = Duration::from_mins(1);
/// So many lines wait for a runner that is slow.
const WAITING: usize = 1024;
/// So much of what is said from unknown addresses is kept.
const MOST_EARLY: usize = 10_000;

/// What comes of listening.
#[derive(Debug)]
pub(super) enum Heard {
    /// The service told something.
    Told(Told),
    /// It cannot be heard, and why; it is tried again.
    Broken(String),
}

/// Begins to listen, and gives what is heard from then on; a runner that drops it is gone.
pub(super) fn listen(cluster: &Cluster, run: &RunId) -> mpsc::Receiver<Heard> {
    let (to, from) = mpsc::channel(WAITING);
    let (cluster, path) = (cluster.clone(), path(cluster, &format!("{run}/watch")));
    tokio::spawn(async move {
        loop {
            let why = tokio::select! {
                why = hear(&cluster, &path, &to) => why,
                () = to.closed() => return,
            };
            if to.send(Heard::Broken(why)).await.is_err() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    from
}

/// Until it breaks; gives why.
async fn hear(cluster: &Cluster, path: &str, to: &mpsc::Sender<Heard>) -> String {
    let request = match Request::get(path).body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return error.to_string(),
    };
    let mut stream = match cluster.client.request_stream(request).await {
        Ok(stream) => Box::pin(stream),
        Err(error) => return crate::error::chain(&error),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        match tokio::time::timeout(SILENT, stream.read_until(b'\n', &mut line)).await {
            Err(_elapsed) => return format!("it said nothing for {} s", SILENT.as_secs()),
            Ok(Err(error)) => return error.to_string(),
            Ok(Ok(0)) => return "the connection ended".to_owned(),
            Ok(Ok(_)) => {}
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(told) => drop(to.send(Heard::Told(told)).await),
            // A newer service may say more.
            Err(_unknown) => {}
        }
    }
}

/// Has the service forget what it holds of a run.
pub(super) async fn forget(cluster: &Cluster, run: &RunId) -> Result<(), ClusterError> {
    let what = "have the sync service forget the run";
    let request = Request::delete(path(cluster, run.as_str())).body(Vec::new());
    let request = request.map_err(|error| ClusterError::Setting(format!("cannot {what}: {error}")))?;
    cluster.client.request_text(request).await.map(drop).map_err(ClusterError::api(what))
}

fn path(cluster: &Cluster, rest: &str) -> String {
    let (namespace, service, port) = (&cluster.namespace, names::SYNC, env::SYNC_PORT);
    format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/runs/{rest}")
}

/// Knows which instance speaks from which address.
#[derive(Debug)]
pub(super) struct Voices {
    by_address: HashMap<u32, u32>,
    /// What was said from addresses that no pod is known to have yet.
    early: Vec<Seen>,
    hub: Hub,
    barriers: Arc<Mutex<Vec<Waiting>>>,
}

impl Voices {
    pub(super) fn new(hub: Hub, barriers: Arc<Mutex<Vec<Waiting>>>) -> Self {
        Self { by_address: HashMap::new(), early: Vec::new(), hub, barriers }
    }

    /// Passes on what the service tells, with instances for addresses.
    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Seen(seen) => match from(&seen) {
                Some(address) if !self.by_address.contains_key(&address) => {
                    if self.early.len() < MOST_EARLY {
                        self.early.push(seen);
                    }
                }
                _ => self.pass(seen),
            },
            Told::Waiting(mut waiting) => {
                for line in &mut waiting {
                    for labels in [&mut line.signalled, &mut line.waiters] {
                        *labels = labels.iter().filter_map(|address| self.by_address.get(address).copied()).collect();
                        labels.sort_unstable();
                    }
                }
                *self.barriers.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
            }
        }
    }

    fn pass(&self, mut seen: Seen) {
        if let Seen::Published { from, .. } | Seen::Gone { from } | Seen::Odd { from, .. } = &mut seen {
            *from = from.and_then(|address| self.by_address.get(&address).copied());
        }
        self.hub.tell_all(&seen);
    }

    /// Learns the address of an instance, and passes on what it said before.
    pub(super) fn learn(&mut self, label: u32, address: Ipv4Addr) {
        let address = address.to_bits();
        if self.by_address.insert(address, label) == Some(label) {
            return;
        }
        for seen in std::mem::take(&mut self.early) {
            if from(&seen) == Some(address) { self.pass(seen) } else { self.early.push(seen) }
        }
    }
}

/// Whose word it is.
fn from(seen: &Seen) -> Label {
    match seen {
        Seen::Published { from, .. } | Seen::Gone { from } | Seen::Odd { from, .. } => *from,
        Seen::BarrierOpened { .. } | Seen::BarrierReached { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Limits, TopicFilter};

    #[test]
    fn what_an_address_said_before_its_pod_was_known_is_passed_on_then() {
        let hub = Hub::new(Limits::default());
        let mut watch = hub.watch("", TopicFilter::default());
        let barriers = Arc::new(Mutex::new(Vec::new()));
        let mut voices = Voices::new(hub.clone(), Arc::clone(&barriers));
        let (one, two) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let gone = |address: Ipv4Addr| Told::Seen(Seen::Gone { from: Some(address.to_bits()) });
        voices.learn(7, one);
        voices.hear(gone(two));
        voices.hear(gone(one));
        assert_eq!(watch.try_recv().ok(), Some(Seen::Gone { from: Some(7) }));
        assert!(watch.try_recv().is_err());
        voices.learn(3, two);
        assert_eq!(watch.try_recv().ok(), Some(Seen::Gone { from: Some(3) }));
        let line = Waiting {
            state: "run:x:states:ready".to_owned(),
            target: 3,
            count: 2,
            signalled: vec![one.to_bits(), two.to_bits(), 5],
            waiters: Vec::new(),
            since: Duration::ZERO,
        };
        voices.hear(Told::Waiting(vec![line]));
        assert_eq!(barriers.lock().expect("no panic")[0].signalled, [3, 7]);
    }
}
