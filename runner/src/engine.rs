//! A run from its description to its verdict: puts the parts together and takes them apart again.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tg_model::event::EventKind;
use tg_model::fault::Who;
use tg_model::outcome::Verdict;
use tg_model::run::{RunGroup, Series};
use tg_model::spec::Resources;
use tg_model::sync::key_prefix;
use tg_model::{RunEvent, RunFile, RunId, RunSpec};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::addresses::{self, Bound};
use crate::build::{Artifact, Artifacts};
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Inputs, Outlet};
use crate::drain::Drain;
use crate::environment::Common;
use crate::error::RunError;
use crate::faults::{self, Faults};
use crate::instance::{self, MAX_ORDERS, Order, Planned, Shared};
use crate::isolation::{self, Decided, Hosts, Isolation};
use crate::keeper::{self, Keeper, Kept};
use crate::machine::{Machine, Watched};
use crate::state::State;
use crate::store::{EventLog, RunFolder};
use crate::sync::{Hub, Limits, TopicFilter, raise_open_files};

/// Open files of tg for each instance: two pipes, two logs, a listener, a connection or two, a process handle, a
/// network device, a control socket.
const FILES_PER_INSTANCE: u64 = 10;
/// Open files of tg for itself.
const FILES_OF_OUR_OWN: u64 = 64;

/// How a run is made.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// tg's home, which holds the runs.
    pub home: PathBuf,
    /// The id of the run.
    pub run: RunId,
    /// The version of tg, for `run.json`.
    pub tg_version: String,
    /// The place of the run among those of one command.
    pub series: Option<Series>,
    /// Where the outputs will be besides the run's folder, for its description.
    pub outputs: Option<String>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// How long nothing may happen at a barrier before the run says what it waits for.
    pub stall_after: Duration,
    /// How long the run may take from when all instances are started; overrides that of the composition.
    pub deadline: Option<Duration>,
    /// How many instances may be starting at once.
    pub max_starting: usize,
    /// How long a pipe may stay open after its instance is gone.
    pub drain_after_exit: Duration,
    /// Limits of the sync service.
    pub sync: Limits,
    /// The process that ends instances when tg is killed. Without it they would outlive a killed tg.
    pub keeper: Option<Keeper>,
    /// Whether each instance gets a host of its own.
    pub isolation: Isolation,
    /// Whether a run on a cluster waits for nodes that an autoscaler may bring.
    pub wait_for_capacity: bool,
    /// Whose packets are captured, into `captures` in the run's folder: groups, and single instances.
    pub pcap: Vec<Who>,
    /// The command of a process that calls [`crate::enter_host`] and does nothing else.
    pub launcher: Option<Vec<std::ffi::OsString>>,
}

impl RunOptions {
    /// The usual options.
    pub fn new(home: impl Into<PathBuf>, run: RunId) -> Self {
        Self {
            home: home.into(),
            run,
            tg_version: env!("CARGO_PKG_VERSION").to_owned(),
            series: None,
            outputs: None,
            grace: Duration::from_secs(5),
            stall_after: Duration::from_secs(10),
            deadline: None,
            max_starting: std::thread::available_parallelism().map_or(4, |n| (2 * n.get()).clamp(4, 16)),
            drain_after_exit: Duration::from_secs(2),
            sync: Limits::default(),
            keeper: None,
            isolation: Isolation::None,
            wait_for_capacity: false,
            pcap: Vec::new(),
            launcher: None,
        }
    }
}

/// Makes one run: starts its instances, follows them to their end and writes its folder.
///
/// Events go to `events` and, before that, to the run's `events.ndjson`; a receiver need not write them itself. The
/// last is always `RunFinished`. If the receiver is gone or the log cannot be written, the run is cancelled, ends as
/// any cancelled run, and a broken log is the error that is returned.
///
/// When this returns, no process of the run is left and its folder is complete. An error from before the first
/// instance leaves no folder.
pub async fn execute(
    spec: &RunSpec,
    artifacts: &Artifacts,
    options: RunOptions,
    events: mpsc::Sender<RunEvent>,
    cancel: Cancel,
) -> Result<RunFile, RunError> {
    Box::pin(Run::new(spec, artifacts, &options).await?.go(spec, &options, events, &cancel)).await
}

/// Everything that a run holds besides its state.
struct Run {
    clock: Clock,
    hub: Hub,
    bound: Bound,
    kept: Kept,
    folder: RunFolder,
    file: RunFile,
    scratch: PathBuf,
    log: EventLog,
    artifacts: Vec<Arc<Artifact>>,
    builds: Vec<RunEvent>,
    decided: Decided,
}

impl Run {
    async fn new(spec: &RunSpec, artifacts: &Artifacts, options: &RunOptions) -> Result<Self, RunError> {
        let instances = spec.instances();
        if spec.backend != "local:exec" {
            return Err(RunError::Backend(spec.backend.clone()));
        }
        if instances == 0 {
            return Err(RunError::Empty);
        }
        let builds = artifacts.told(spec);
        let artifacts = spec
            .groups
            .iter()
            .map(|group| artifacts.of(spec, group).ok_or_else(|| RunError::NoArtifact(group.name.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        check_open_files(instances)?;
        let clock = Clock::start();
        let hub = Hub::new(options.sync.clone());
        let hint =
            options.run.as_str().bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let scratch = keeper::scratch_dir(&options.run);
        let decided = decide(spec, options, &scratch).await.inspect_err(|_| discard(&scratch))?;
        needs_met(spec, &decided, &options.pcap).inspect_err(|_| discard(&scratch))?;
        let bound = match &decided {
            Decided::Hosts { .. } => addresses::none(&hub, instances).await,
            Decided::Plain(_) => addresses::bind(&hub, instances, hint).await,
        };
        let bound = bound.inspect_err(|_| discard(&scratch))?;
        let kept = Kept::start(options.keeper.as_ref(), &options.run).map_err(RunError::Keeper)?;
        let file = run_file(spec, options, clock.started_ns());
        let folder = RunFolder::create(&options.home, &file)?;
        let rest = std::fs::create_dir_all(&scratch)
            .map_err(|source| RunError::Scratch { path: scratch.clone(), source })
            .and_then(|()| Ok(EventLog::create(folder.path())?));
        let log = match rest {
            Ok(log) => log,
            Err(error) => {
                folder.undo();
                kept.dismiss();
                return Err(error);
            }
        };
        Ok(Self { clock, hub, bound, kept, folder, file, scratch, log, artifacts, builds, decided })
    }

    async fn go(
        self,
        spec: &RunSpec,
        options: &RunOptions,
        events: mpsc::Sender<RunEvent>,
        cancel: &Cancel,
    ) -> Result<RunFile, RunError> {
        let Self { clock, hub, bound, kept, folder, mut file, scratch, log, artifacts, builds, decided } = self;
        let common = Common::new(spec, &options.run, clock.started_ns());
        let prefix = format!("{}:", key_prefix(&options.run.to_string(), &common.plan, &common.case));
        let (hosts, plain_because) = match decided {
            Decided::Plain(why) => (None, why),
            Decided::Hosts { launcher } => {
                let captures = captures(spec, &options.pcap, folder.path())?;
                let hosts = Hosts::new(launcher, spec, &scratch, hub.clone(), bound.server.door(), &prefix, captures);
                (Some(hosts.map_err(|source| RunError::Scratch { path: scratch.clone(), source })?), None)
            }
        };
        // Where there is a sidecar, it hears these; else the run tells the truth about them.
        let network = if hosts.is_some() { Vec::new() } else { vec![":topics:network:".to_owned()] };
        let topics = TopicFilter { suffixes: vec![":run_events".to_owned(), faults::TOPIC.to_owned()], parts: network };
        let watch = hub.watch(&prefix, topics);
        let (found_to, found) = mpsc::channel(256);
        let (began_to, began) = mpsc::channel(64);
        let drain = Drain::start(found_to).map_err(|error| {
            folder.undo();
            RunError::Drain(error)
        })?;
        let (refused_to, refused) = mpsc::channel(64);
        let sidecar = hosts.as_ref().map(|hosts| isolation::start_sidecar(hosts, refused_to.clone()));
        drop(refused_to);
        // A run that was cancelled before it began starts nothing.
        let (stop, stopped) = watch::channel(*cancel.subscribe().borrow());
        let shared = Arc::new(Shared {
            clock,
            run_dir: folder.path().to_owned(),
            scratch: scratch.clone(),
            common,
            grace: options.grace,
            drain_after_exit: options.drain_after_exit,
            starting: Semaphore::new(options.max_starting.max(1)),
            stop: stopped,
            kept,
            jobs: drain.jobs(),
            watched: Watched::default(),
            hosts,
        });

        let mut state = State::new(spec);
        let groups = spec.groups.iter().map(|group| (group.name.clone(), group.count)).collect();
        state.told.push_back(EventKind::RunStarted {
            run: options.run.clone(),
            plan: spec.plan.clone(),
            case: spec.case.clone(),
            groups,
            seed: spec.seed,
            backend: spec.backend.clone(),
        });
        if let Some(text) = &bound.shared {
            state.run_note("no-labels", text.clone());
        }
        if let Some(why) = plain_because {
            state.run_note("plain-processes", format!("no hosts of their own for the instances: {why}"));
        }
        if spec.groups.iter().any(|group| group.resources != Resources::default()) {
            let text = "`resources` are limits on a cluster; local:exec sets none";
            state.run_note("resources-not-limited", text);
        }
        if cfg!(not(target_os = "linux")) {
            state.run_note("untested-platform", "plain processes only, and tg is not tested on this system");
        }

        let machine = Machine::start(Arc::clone(&shared), state.ids().cloned().collect(), folder.path());
        let (orders, ordered) = (0..spec.instances()).map(|_| mpsc::channel(MAX_ORDERS)).unzip();
        let faults = Faults::new(spec, orders, Arc::clone(&shared));
        let (tasks, labels) = spawn_all(&state, spec, artifacts, &shared, &bound.hosts, ordered, &began_to);
        drop(began_to);
        let mut inputs = Inputs { began, found, tasks, labels, watch, refused };
        let mut outlet = Outlet::new(clock, log, events);
        outlet.record(builds);
        let deadline = options.deadline.or(spec.deadline);
        let mut dispatcher = Dispatcher {
            state,
            outlet,
            hub: hub.clone(),
            prefix: prefix.clone(),
            elsewhere: None,
            stop,
            deadline,
            stall_after: options.stall_after,
            faults,
        };
        dispatcher.run(&mut inputs, cancel).await;
        drop(inputs);
        dispatcher.faults.finish(&mut dispatcher.state);
        if let Err(error) = sampled(machine).await {
            let text = format!("what the machine did to the run is not known to its end: {error}");
            dispatcher.state.run_note("machine-not-sampled", text);
        }

        // Nothing of the run is left but what left its process group; where that can be found, it is ended.
        let strays = keeper_strays(&options.run).await;
        if strays > 0 {
            let text =
                format!("{strays} processes had left their instance's process group and lived on; they were killed");
            dispatcher.state.run_note("left-processes", text);
        }
        if let Err(error) = remove(&scratch).await {
            let text = format!("`{}` cannot be removed: {error}", scratch.display());
            dispatcher.state.run_note("temp-left", text);
        }
        if let Some(sidecar) = sidecar {
            sidecar.abort();
        }
        bound.server.shutdown().await;
        hub.drop_run(&prefix);
        dispatcher.state.finish(clock.elapsed());
        dispatcher.tell();
        seal(&mut file, &dispatcher.state, clock);
        // The description first: whoever reads `RunFinished` finds it complete.
        let written = folder.write(&file);
        let broken = dispatcher.outlet.finish().await;
        // What is shared ends with its last holder, and the drain with it.
        drop(dispatcher.faults);
        shared_end(shared).await;
        drain.finish().await;
        match broken {
            Some(error) => Err(error.into()),
            None => Ok(written.map(|()| file)?),
        }
    }
}

async fn decide(spec: &RunSpec, options: &RunOptions, scratch: &Path) -> Result<Decided, RunError> {
    let (spec, wanted) = (spec.clone(), options.isolation);
    let (launcher, dir) = (options.launcher.clone(), scratch.to_owned());
    let decided =
        tokio::task::spawn_blocking(move || isolation::decide(wanted, launcher.as_deref(), &spec, &dir)).await;
    decided.map_err(|error| error.to_string()).flatten().map_err(RunError::Isolation)
}

/// Whether what the composition asks for can be done without hosts, where there are none.
fn needs_met(spec: &RunSpec, decided: &Decided, pcap: &[Who]) -> Result<(), RunError> {
    let Decided::Plain(why) = decided else { return Ok(()) };
    let Some(what) = needs_hosts(spec, pcap) else { return Ok(()) };
    let why = why.clone().unwrap_or_else(|| "this run has plain processes".to_owned());
    Err(RunError::NeedsHosts { what, why })
}

/// What of the composition needs hosts, if anything.
fn needs_hosts(spec: &RunSpec, pcap: &[Who]) -> Option<String> {
    let fault = spec.faults.iter().find(|fault| fault.action.needs_hosts());
    let fault = fault.map(|fault| format!("the fault `{}`", fault.action.word()));
    let pcap = (!pcap.is_empty()).then(|| "`--pcap`".to_owned());
    spec.network.is_some().then(|| "`[network]`".to_owned()).or(fault).or(pcap)
}

/// Refuses a run whose composition needs hosts where there would be none, before anything is built for it.
///
/// `dir` is a folder for what it takes to find out. Blocks for some milliseconds.
pub fn check_needs(
    spec: &RunSpec,
    isolation: Isolation,
    launcher: Option<&[std::ffi::OsString]>,
    pcap: &[Who],
    dir: &Path,
) -> Result<(), RunError> {
    // A backend that is not known is told of later, and a cluster refuses for reasons of its own.
    if spec.backend != "local:exec" || needs_hosts(spec, pcap).is_none() {
        return Ok(());
    }
    let decided = isolation::decide(isolation, launcher, spec, dir).map_err(RunError::Isolation)?;
    needs_met(spec, &decided, pcap)
}

/// The files for captures, by the instances' numbers. Makes their folder.
fn captures(spec: &RunSpec, pcap: &[Who], run_dir: &Path) -> Result<BTreeMap<u32, PathBuf>, RunError> {
    let labels = tg_model::fault::numbers(pcap, &spec.groups);
    let dir = run_dir.join(tg_model::layout::CAPTURES_DIR);
    if !labels.is_empty() {
        std::fs::create_dir_all(&dir).map_err(|source| RunError::Scratch { path: dir.clone(), source })?;
    }
    let ids =
        spec.groups.iter().flat_map(|group| (0..group.count).map(move |index| format!("{}-{index}.pcap", group.name)));
    let named = (0..).zip(ids).filter(|(label, _)| labels.contains(label));
    Ok(named.map(|(label, name)| (label, dir.join(name))).collect())
}

/// Removes what a run that does not begin has made; what cannot be removed is in a folder of temporary files.
fn discard(scratch: &Path) {
    std::fs::remove_dir_all(scratch).ok();
}

fn check_open_files(instances: u32) -> Result<(), RunError> {
    let needed = u64::from(instances) * FILES_PER_INSTANCE + FILES_OF_OUR_OWN;
    // Where the limit cannot be read or raised, the start of an instance will say what is wrong.
    match raise_open_files() {
        Ok(limit) if limit < needed => Err(RunError::OpenFiles { instances, needed, limit }),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(crate) fn run_file(spec: &RunSpec, options: &RunOptions, started_ns: u64) -> RunFile {
    let group = |group: &tg_model::GroupSpec| RunGroup {
        name: group.name.clone(),
        count: group.count,
        params: group.params.clone(),
        builder: group.build.builder.clone(),
        expect: group.expect,
    };
    RunFile {
        format: tg_model::run::FORMAT,
        tg_version: options.tg_version.clone(),
        run: options.run.clone(),
        plan: spec.plan.clone(),
        case: spec.case.clone(),
        backend: spec.backend.clone(),
        seed: spec.seed,
        groups: spec.groups.iter().map(group).collect(),
        network: tg_model::network::lay(spec),
        composition: spec.composition.clone(),
        series: options.series.clone(),
        started_ns,
        ended_ns: None,
        verdict: Verdict::Unknown,
        tally: std::collections::BTreeMap::new(),
        outputs: options.outputs.clone(),
        pid: Some(std::process::id()),
    }
}

/// What is known of a run when it has ended.
pub(crate) fn seal(file: &mut RunFile, state: &State, clock: Clock) {
    file.ended_ns = Some(clock.now_ns());
    file.pid = None;
    file.verdict = state.verdict();
    file.tally = state.tally().clone();
}

type Tasks = (JoinSet<instance::End>, HashMap<tokio::task::Id, u32>);

fn spawn_all(
    state: &State,
    spec: &RunSpec,
    artifacts: Vec<Arc<Artifact>>,
    shared: &Arc<Shared>,
    hosts: &[String],
    orders: Vec<mpsc::Receiver<Order>>,
    began: &mpsc::Sender<instance::Began>,
) -> Tasks {
    let groups = spec.groups.iter().zip(artifacts).flat_map(|(group, artifact)| {
        let group = Arc::new(group.clone());
        (0..group.count).map(move |_| (Arc::clone(&group), Arc::clone(&artifact)))
    });
    let mut tasks = JoinSet::new();
    let mut labels = HashMap::new();
    let each = (0..).zip(state.ids()).zip(groups).zip(hosts).zip(orders);
    for ((((label, id), (group, artifact)), host), orders) in each {
        let planned = Planned { label, id: id.clone(), group, artifact, sync_host: host.clone(), orders: Some(orders) };
        let task = tasks.spawn(instance::run(Arc::clone(shared), planned, began.clone()));
        labels.insert(task.id(), label);
    }
    (tasks, labels)
}

/// Ends the sampling of the machine.
async fn sampled(machine: std::io::Result<Machine>) -> std::io::Result<()> {
    let machine = machine?;
    tokio::task::spawn_blocking(move || machine.finish()).await.map_err(std::io::Error::other)?
}

async fn keeper_strays(run: &RunId) -> usize {
    let run = run.clone();
    let killed = tokio::task::spawn_blocking(move || keeper::kill_strays(&run)).await;
    killed.ok().and_then(Result::ok).unwrap_or_default()
}

async fn remove(path: &Path) -> std::io::Result<()> {
    tokio::fs::remove_dir_all(path).await
}

/// Sends the keeper away, and lets go of what the instances shared.
async fn shared_end(shared: Arc<Shared>) {
    // A keeper that cannot be waited for is gone already.
    drop(tokio::task::spawn_blocking(move || shared.kept.dismiss()).await);
}
