//! A run on a cluster, from its description to its verdict.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, PostParams};
use tg_model::event::EventKind;
use tg_model::{RunEvent, RunFile, RunId, RunSpec};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::client::Cluster;
use super::error::ClusterError;
use super::follow::{self, Follower, Told};
use super::job::{JobMaker, PodSettings};
use super::listen::Heard;
use super::record::Record;
use super::settings::Settings;
use super::{listen, names, room};
use crate::build::Artifacts;
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Inputs, Outlet};
use crate::engine::{RunOptions, run_file, seal};
use crate::environment::Common;
use crate::error::RunError;
use crate::faults::Faults;
use crate::instance::End;
use crate::state::State;
use crate::store::{EventLog, RunFolder};
use crate::sync::{Hub, TopicFilter};

/// How long the objects of pods may linger after the run's Jobs are gone.
const LINGER: Duration = Duration::from_secs(20);

/// Makes one run on a cluster: as [`crate::execute`], but for where the instances are.
///
/// When this returns, the cluster has nothing of the run any more, unless it could not be reached: then the run ends
/// there by its own deadline. An error from before the first Job leaves no folder.
pub async fn execute(
    cluster: &Cluster,
    spec: &RunSpec,
    artifacts: &Artifacts,
    options: RunOptions,
    events: mpsc::Sender<RunEvent>,
    cancel: Cancel,
) -> Result<RunFile, RunError> {
    Box::pin(begin(cluster, spec, artifacts, options, events, &cancel)).await
}

async fn begin(
    cluster: &Cluster,
    spec: &RunSpec,
    artifacts: &Artifacts,
    mut options: RunOptions,
    events: mpsc::Sender<RunEvent>,
    cancel: &Cancel,
) -> Result<RunFile, RunError> {
    if spec.instances() == 0 {
        return Err(RunError::Empty);
    }
    if let Some(fault) = spec.faults.first() {
        let text = format!("the fault `{}`: cluster:k8s brings about no faults on schedule", fault.action.word());
        return Err(ClusterError::Setting(text).into());
    }
    if spec.network.is_some() {
        let text = "`[network]`: instances on cluster:k8s have the cluster's network, which tg does not shape";
        return Err(ClusterError::Setting(text.to_owned()).into());
    }
    let pods = PodSettings::read(&spec.run_config)?;
    let mut images = Vec::new();
    for group in &spec.groups {
        let artifact = artifacts.of(spec, group).ok_or_else(|| RunError::NoArtifact(group.name.clone()))?;
        images.push(artifact.image.clone().ok_or_else(|| RunError::NoArtifact(group.name.clone()))?);
    }
    let settings = Settings::of(cluster).await?;
    options.outputs = Some(settings.outputs);
    cluster.reaches_store().await?;
    let mut notes = Vec::new();
    match cluster.nodes().await {
        Ok(nodes) => match room::lacks(spec, &nodes) {
            Some(lacks) if options.wait_for_capacity => notes.push(("capacity", format!("{lacks}; waiting for nodes"))),
            Some(lacks) => return Err(ClusterError::NoRoom(lacks).into()),
            None => {}
        },
        // Whoever may run pods in a namespace need not be allowed to see the nodes.
        Err(error) => notes.push(("capacity", format!("not known: {}", crate::error::chain(&error)))),
    }
    let net = Net::of(cluster).await?;
    let clock = Clock::start();
    let common = Common::new(spec, &options.run, clock.started_ns());
    let deadline = options.deadline.or(spec.deadline).or(pods.deadline);
    let run = options.run.clone();
    let maker = JobMaker {
        run: &run,
        spec,
        common: &common,
        pods: &pods,
        sync: &net.sync,
        subnet: &net.subnet,
        grace: options.grace,
        deadline,
    };
    let jobs = follow::jobs_of(&maker, &images)?;
    let file = run_file(spec, &options, clock.started_ns());
    let folder = RunFolder::create(&options.home, &file)?;
    // Before the first pod is there.
    let heard = listen::listen(cluster, &run);
    let made = async {
        let log = EventLog::create(folder.path())?;
        let made = create(cluster, &jobs).await?;
        Record::new(&file, deadline).write(cluster, &made).await?;
        Ok::<_, RunError>(log)
    };
    let log = match made.await {
        Ok(log) => log,
        Err(error) => {
            folder.undo();
            // The first error is the one to report; what is left ends by its deadline.
            drop(follow::clean(cluster, &run).await);
            return Err(error);
        }
    };
    let going = Going { clock, folder, file, log, notes, deadline, builds: artifacts.told(spec), heard };
    going.follow(cluster, spec, &options, events, cancel).await
}

/// A run that another tg began.
#[derive(Debug, Clone)]
pub struct AttachedRun {
    /// Its description when it began.
    pub file: RunFile,
    record: Record,
}

impl AttachedRun {
    /// Finds it in the cluster.
    pub async fn find(cluster: &Cluster, run: &RunId) -> Result<Self, ClusterError> {
        let record = Record::of(cluster, run).await?;
        Ok(Self { file: record.file.clone(), record })
    }
}

/// Follows a run that another tg began, to its end. Its events are told anew.
pub async fn attach(
    cluster: &Cluster,
    attached: AttachedRun,
    options: RunOptions,
    events: mpsc::Sender<RunEvent>,
    cancel: Cancel,
) -> Result<RunFile, RunError> {
    let spec = attached.record.spec();
    let clock = Clock::start();
    let passed = Duration::from_nanos(clock.started_ns().saturating_sub(attached.file.started_ns));
    let deadline = spec.deadline.map(|deadline| deadline.saturating_sub(passed).max(Duration::from_secs(1)));
    let mut file = attached.file;
    file.pid = Some(std::process::id());
    let folder = RunFolder::take(&options.home, &file)?;
    let log = EventLog::create(folder.path())?;
    let notes = vec![("attached", "another tg began this run; its events are told anew from here".to_owned())];
    let heard = listen::listen(cluster, &file.run);
    let going = Going { clock, folder, file, log, notes, deadline, builds: Vec::new(), heard };
    Box::pin(going.follow(cluster, &spec, &options, events, &cancel)).await
}

/// A run whose Jobs are there.
struct Going {
    clock: Clock,
    folder: RunFolder,
    file: RunFile,
    log: EventLog,
    notes: Vec<(&'static str, String)>,
    deadline: Option<Duration>,
    builds: Vec<RunEvent>,
    heard: mpsc::Receiver<Heard>,
}

impl Going {
    async fn follow(
        self,
        cluster: &Cluster,
        spec: &RunSpec,
        options: &RunOptions,
        events: mpsc::Sender<RunEvent>,
        cancel: &Cancel,
    ) -> Result<RunFile, RunError> {
        let Self { clock, folder, mut file, log, notes, deadline, builds, heard } = self;
        let run = file.run.clone();
        let mut state = State::new(spec);
        state.told.push_back(EventKind::RunStarted {
            run: run.clone(),
            plan: spec.plan.clone(),
            case: spec.case.clone(),
            groups: spec.groups.iter().map(|group| (group.name.clone(), group.count)).collect(),
            seed: spec.seed,
            backend: spec.backend.clone(),
        });
        for (reason, text) in notes {
            state.run_note(reason, text);
        }
        let (stop, stopped) = watch::channel(*cancel.subscribe().borrow());
        let (began_to, began) = mpsc::channel(256);
        let (found_to, found) = mpsc::channel(256);
        let (_nobody, refused) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let mut labels = HashMap::new();
        let mut ends = Vec::new();
        for label in 0..spec.instances() {
            let (end, ended) = oneshot::channel::<End>();
            ends.push(end);
            let task = tasks.spawn(async move {
                ended.await.unwrap_or_else(|_gone| End {
                    label,
                    lost: Some("tg stopped following its pod by a fault of its own".to_owned()),
                    ..End::default()
                })
            });
            labels.insert(task.id(), label);
        }
        // There is no sync service here, since the cluster's is where the pods are; the hub carries what it says.
        let hub = Hub::new(options.sync.clone());
        let watch = hub.watch("", TopicFilter::default());
        let barriers = Arc::new(Mutex::new(Vec::new()));
        let told = Told { began: began_to, found: found_to, hub: hub.clone(), barriers: Arc::clone(&barriers) };
        let follower = Follower::new(cluster.clone(), run.clone(), spec, ends, told, options.wait_for_capacity)
            .follow(stopped, heard);
        let following = tokio::spawn(follower);
        let mut inputs = Inputs { began, found, tasks, labels, watch, refused };
        let mut outlet = Outlet::new(clock, log, events);
        outlet.record(builds);
        let mut dispatcher = Dispatcher {
            state,
            outlet,
            hub,
            prefix: String::new(),
            elsewhere: Some(barriers),
            stop,
            deadline,
            stall_after: options.stall_after,
            faults: Faults::none(),
        };
        dispatcher.run(&mut inputs, cancel).await;
        drop(inputs);
        following.abort();
        if let Err(error) = leave(cluster, &run).await.and(listen::forget(cluster, &run).await) {
            let text = format!("the cluster still has something of the run: {}", crate::error::chain(&error));
            dispatcher.state.run_note("left-in-cluster", text);
        }
        dispatcher.state.finish(clock.elapsed());
        dispatcher.tell();
        seal(&mut file, &dispatcher.state, clock);
        // The description first: whoever reads `RunFinished` finds it complete.
        let written = folder.write(&file);
        match dispatcher.outlet.finish().await {
            Some(error) => Err(error.into()),
            None => Ok(written.map(|()| file)?),
        }
    }
}

/// Removes what the run has in the cluster, and waits until its pods are gone.
async fn leave(cluster: &Cluster, run: &RunId) -> Result<(), ClusterError> {
    follow::clean(cluster, run).await?;
    let list = ListParams::default().labels(&format!("{}={run}", names::RUN)).limit(1);
    let began = tokio::time::Instant::now();
    while began.elapsed() < LINGER {
        let left = cluster.api::<Pod>().list_metadata(&list).await.map_err(ClusterError::api("list the run's pods"))?;
        if left.items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // Their agents are gone, or have nothing to publish to.
    cluster.let_go(Some(run)).await.map(drop)
}

async fn create(cluster: &Cluster, jobs: &[Job]) -> Result<Vec<Job>, ClusterError> {
    let mut made = Vec::new();
    for job in jobs {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let created = cluster.api::<Job>().create(&PostParams::default(), job).await;
        made.push(created.map_err(ClusterError::api(format!("create the Job `{name}`")))?);
    }
    Ok(made)
}

/// What instances must know of the cluster's network.
struct Net {
    /// The address of the sync service.
    sync: String,
    /// A network that holds every pod's address and no loopback.
    subnet: String,
}

impl Net {
    async fn of(cluster: &Cluster) -> Result<Self, ClusterError> {
        let service = cluster.api::<Service>().get_opt(names::SYNC).await;
        let service = service.map_err(ClusterError::api("look for the sync service"))?;
        let address = service.and_then(|service| service.spec?.cluster_ip);
        let sync = address.ok_or_else(|| ClusterError::NotInstalled(cluster.namespace.clone()))?;
        let list = ListParams::default().labels(&format!("{}=sync", names::PART));
        let pods = cluster.api::<Pod>().list(&list).await.map_err(ClusterError::api("look for the sync service"))?;
        let pod = pods.items.iter().find_map(|pod| pod.status.as_ref()?.pod_ip.as_deref());
        let pod = pod.ok_or_else(|| ClusterError::NotReady {
            what: "the sync service has no pod that runs".to_owned(),
            waited: Duration::ZERO,
        })?;
        let subnet = around(pod).ok_or_else(|| {
            ClusterError::Setting(format!("pods have addresses like {pod}, but plans need IPv4 addresses"))
        })?;
        Ok(Self { sync, subnet })
    }
}

/// The private network (RFC 1918, RFC 6598) that an address is in, else the half of all addresses without loopback.
fn around(address: &str) -> Option<String> {
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let network = match address.octets() {
        [10, ..] => "10.0.0.0/8",
        [172, 16..=31, ..] => "172.16.0.0/12",
        [192, 168, ..] => "192.168.0.0/16",
        [100, 64..=127, ..] => "100.64.0.0/10",
        [first, ..] if first >= 128 => "128.0.0.0/1",
        [64..=126, ..] => "64.0.0.0/3",
        _ => "0.0.0.0/2",
    };
    Some(network.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_holds_the_pods_and_no_loopback() {
        let rows = [
            ("10.244.1.5", Some("10.0.0.0/8")),
            ("172.20.0.1", Some("172.16.0.0/12")),
            ("192.168.3.4", Some("192.168.0.0/16")),
            ("100.96.1.1", Some("100.64.0.0/10")),
            ("203.0.113.9", Some("128.0.0.0/1")),
            ("fd00::1", None),
        ];
        for (address, wanted) in rows {
            assert_eq!(around(address).as_deref(), wanted, "{address}");
        }
    }
}
