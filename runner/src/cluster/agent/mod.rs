//! The agent of a node: publishes what the instances there wrote and printed, samples what they use, and tells the runner what it found.
//!
//! It holds nothing that it could not find again: the pods of its node are in the cluster, what they wrote is on the
//! node's disk, and how far it has read what they print is written beside that. An agent that is killed goes on where
//! it was.

mod cgroup;
mod logs;
mod one;
mod samples;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use tg_model::{InstanceId, RunId};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::client::Cluster;
use super::error::ClusterError;
use super::names;

/// How often the agent shows that it is alive, and looks whether its tasks are.
const BEAT: Duration = Duration::from_secs(5);
/// A task that does nothing for so long hangs; one that publishes may have a great deal to send.
const HANGS: Duration = Duration::from_mins(30);
const HANGS_PUBLISHING: Duration = Duration::from_hours(6);
/// How often the store is asked whether it is there.
const ASK_STORE: Duration = Duration::from_secs(30);
/// What an agent says of a store that it reaches.
pub(super) const REACHED: &str = "reached";
/// Instances that are published at a time.
const PUBLISHING: usize = 16;

/// Where an agent works.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// The node.
    pub node: String,
    /// The pod that the agent runs in, to say there whether the object store is reached.
    pub pod: Option<String>,
    /// The node's folder for what instances write.
    pub root: PathBuf,
    /// The node's folder of container logs, `/var/log/pods`.
    pub pod_logs: PathBuf,
    /// The node's control groups.
    pub cgroups: PathBuf,
    /// The node's processes.
    pub proc: PathBuf,
}

impl AgentOptions {
    /// The usual folders.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            pod: None,
            root: names::NODE_ROOT.into(),
            pod_logs: "/var/log/pods".into(),
            cgroups: names::CGROUPS.into(),
            proc: "/proc".into(),
        }
    }

    /// A file that is written every few seconds while the agent is alive.
    pub fn heartbeat(&self) -> PathBuf {
        self.root.join("heartbeat")
    }
}

/// What was published of an instance.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be, and why.
    pub notes: Vec<String>,
}

/// What the object store says when it does not take something.
pub type PublishError = Box<dyn std::error::Error + Send + Sync>;

/// Puts what an instance left in a run's folder where the run's outputs go.
pub trait Publish: Send + Sync {
    /// Publishes; an error is worth another try.
    fn publish<'a>(
        &'a self,
        run: &'a RunId,
        dir: &'a Path,
        id: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Sent, PublishError>>;

    /// Whether the store can be reached.
    fn reach(&self) -> BoxFuture<'_, Result<(), PublishError>>;
}

/// Says something to whoever reads the agent's own log.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What the tasks of an agent share.
struct Node {
    cluster: Cluster,
    options: AgentOptions,
    publish: Arc<dyn Publish>,
    say: Say,
    turns: Semaphore,
}

/// What a task does, and until when it may; nothing if it waits for the cluster.
type Doing = Arc<Mutex<Option<(&'static str, Instant)>>>;

fn set(task: &Doing, doing: Option<(&'static str, Duration)>) {
    let doing = doing.map(|(what, most)| (what, Instant::now() + most));
    *task.lock().unwrap_or_else(PoisonError::into_inner) = doing;
}

fn doing(task: &Doing, what: &'static str) {
    set(task, Some((what, HANGS)));
}

struct Task {
    pod: watch::Sender<Pod>,
    name: String,
    doing: Doing,
}

/// Looks after the instances of a node until it is cancelled. An error means that it is to be started anew.
pub async fn agent(
    cluster: Cluster,
    options: AgentOptions,
    publish: Arc<dyn Publish>,
    say: Say,
    cancel: CancellationToken,
) -> Result<(), ClusterError> {
    let heartbeat = options.heartbeat();
    let selector = watcher::Config::default().labels(names::RUN).fields(&format!("spec.nodeName={}", options.node));
    let mut pods = pin!(watcher(cluster.api::<Pod>(), selector).default_backoff());
    let node = Arc::new(Node { cluster, options, publish, say, turns: Semaphore::new(PUBLISHING) });
    let mut tasks: HashMap<String, Task> = HashMap::new();
    let mut working = JoinSet::new();
    working.spawn(tell_of_store(Arc::clone(&node)));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Pods that were there when the list of all began; who is not named in it is gone.
    let mut named: Option<Vec<String>> = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            event = pods.next() => match event {
                Some(Ok(watcher::Event::Apply(pod))) => take(&node, pod, &mut tasks, &mut working),
                Some(Ok(watcher::Event::InitApply(pod))) => {
                    if let (Some(named), Some(uid)) = (&mut named, &pod.metadata.uid) {
                        named.push(uid.clone());
                    }
                    take(&node, pod, &mut tasks, &mut working);
                }
                Some(Ok(watcher::Event::Delete(pod))) => {
                    // Its task sees that nobody tells it any more, and cleans up.
                    if let Some(task) = pod.metadata.uid.as_ref().and_then(|uid| tasks.remove(uid)) {
                        task.pod.send_replace(pod);
                    }
                }
                Some(Ok(watcher::Event::Init)) => named = Some(Vec::new()),
                Some(Ok(watcher::Event::InitDone)) => {
                    if let Some(named) = named.take() {
                        tasks.retain(|uid, _| named.contains(uid));
                    }
                }
                Some(Err(error)) => (node.say)(&format!("the watch of the pods broke: {}", crate::error::chain(&error))),
                None => return Err(ClusterError::Setting("the watch of the pods ended".to_owned())),
            },
            Some(joined) = working.join_next(), if !working.is_empty() => {
                if let Err(error) = joined {
                    (node.say)(&format!("a task died by a fault of tg: {error}"));
                }
            }
            _ = beat.tick() => {
                std::fs::write(&heartbeat, b"").map_err(|source| ClusterError::Node {
                    what: format!("write `{}`", heartbeat.display()), source,
                })?;
                hung(&node, &tasks)?;
            }
        }
    }
}

/// Says in the agent's own pod whether the object store is reached, for `tg cluster status`.
async fn tell_of_store(node: Arc<Node>) {
    let Some(pod) = node.options.pod.clone() else { return };
    let mut before = String::new();
    loop {
        let words = match node.publish.reach().await {
            Ok(()) => REACHED.to_owned(),
            Err(error) => crate::error::chain(&*error),
        };
        if words != before {
            let patch = serde_json::json!({"metadata": {"annotations": {names::STORE: words}}});
            let pods = node.cluster.api::<Pod>();
            match pods.patch(&pod, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => before = words,
                Err(error) => (node.say)(&format!("cannot say how the store is: {}", crate::error::chain(&error))),
            }
        }
        tokio::time::sleep(ASK_STORE).await;
    }
}

fn take(node: &Arc<Node>, pod: Pod, tasks: &mut HashMap<String, Task>, working: &mut JoinSet<()>) {
    let Some(uid) = pod.metadata.uid.clone() else { return };
    if let Some(task) = tasks.get(&uid) {
        task.pod.send_replace(pod);
        return;
    }
    let name = pod.metadata.name.clone().unwrap_or_default();
    let (to, from) = watch::channel(pod);
    let doing: Doing = Doing::default();
    working.spawn(one::look_after(Arc::clone(node), from, Arc::clone(&doing)));
    tasks.insert(uid, Task { pod: to, name, doing });
}

/// A task that hangs holds up a run for ever; an agent that starts anew does not.
fn hung(node: &Node, tasks: &HashMap<String, Task>) -> Result<(), ClusterError> {
    let mut names: Vec<_> = tasks.values().collect();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    for task in names {
        let doing = *task.doing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((what, until)) = doing
            && until <= Instant::now()
        {
            let text = format!("{}: {what} for too long; starting anew", task.name);
            (node.say)(&text);
            return Err(ClusterError::Setting(text));
        }
    }
    Ok(())
}
