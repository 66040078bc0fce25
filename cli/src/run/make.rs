//! Builds and runs, shows what happens meanwhile, and passes Ctrl-C on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tg_collector::{Publisher, S3Place};
use tg_model::event::CancelReason;
use tg_model::run::Series;
use tg_model::{EventKind, Exit, RunEvent, RunFile, RunId, RunSpec, Verdict, layout};
use tg_runner::{Artifacts, BuildOptions, Cancel, Isolation, Keeper, RunOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::gather::gather;
use super::on_cluster::refused;
use super::publishing::Publishing;
use super::wanted::random;
use super::{Args, ClusterRunArgs, Gathered};
use crate::Context;
use crate::message::Failure;
use crate::object_store::StoreArgs;
use crate::reporter::{Reporter, Style, Summary};
use crate::signals::Interrupts;

/// A live view moves this often.
const TICK: Duration = Duration::from_millis(100);
/// Events that may wait for a slow terminal.
pub(super) const WAITING_EVENTS: usize = 4096;

/// One run, made.
#[derive(Debug)]
pub(crate) struct Made {
    /// What came of it, from its events.
    pub(crate) summary: Summary,
    /// Its description.
    pub(crate) file: RunFile,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// It was stopped at its deadline.
    pub(crate) at_deadline: bool,
    /// Archive and dataset, if it was collected.
    pub(crate) gathered: Option<Gathered>,
    /// Why it could not be published, if it was to be.
    pub(crate) unpublished: Option<Failure>,
}

/// Makes the runs of one command.
pub(crate) struct Maker {
    pub(super) home: PathBuf,
    pub(super) cancel: Cancel,
    interrupts: Interrupts,
    pub(super) style: Style,
    grace: Duration,
    stall_after: Duration,
    isolation: Isolation,
    pcap: Vec<tg_model::fault::Who>,
    max_message_bytes: usize,
    pub(super) collect: bool,
    publish: Option<S3Place>,
    pub(super) store: StoreArgs,
    pub(super) on_cluster: ClusterRunArgs,
    first: Option<RunId>,
    last_ms: u64,
}

impl Maker {
    /// Proves the home writable and takes over the signals.
    pub(crate) fn new(args: &Args, context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            home: context.home.writable()?,
            cancel: Cancel::new(),
            interrupts: Interrupts::listen()?,
            style: args.progress,
            grace: args.grace,
            stall_after: args.stall_after,
            isolation: args.isolation.into(),
            pcap: args.pcap.clone(),
            max_message_bytes: usize::try_from(args.max_message).unwrap_or(usize::MAX),
            collect: args.collect,
            publish: args.publish.clone(),
            store: args.store.clone(),
            on_cluster: args.cluster.clone(),
            first: None,
            last_ms: 0,
        })
    }

    /// For a run that goes on already.
    pub(crate) fn for_attached(
        context: &Context,
        style: Style,
        collect: bool,
        store: &StoreArgs,
    ) -> Result<Self, Failure> {
        Ok(Self {
            home: context.home.writable()?,
            cancel: Cancel::new(),
            interrupts: Interrupts::listen()?,
            style,
            grace: Duration::ZERO,
            stall_after: Duration::ZERO,
            isolation: Isolation::None,
            pcap: Vec::new(),
            max_message_bytes: 0,
            collect,
            publish: None,
            store: store.clone(),
            on_cluster: ClusterRunArgs::default(),
            first: None,
            last_ms: 0,
        })
    }

    /// The home in which it writes.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether the command was asked to stop.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancel.reason().is_some()
    }

    /// Builds what all runs need.
    pub(crate) async fn build(&mut self, specs: &[RunSpec]) -> Result<Arc<Artifacts>, Failure> {
        let mut options = BuildOptions::new(&self.home, specs);
        options.images = self.on_cluster.images.options();
        let specs = specs.to_vec();
        let (events, inbox) = mpsc::channel(WAITING_EVENTS);
        let cancel = self.cancel.clone();
        let mut watching = Watching::new(self.style);
        let work = async move { tg_runner::build_all(&specs, &options, &events, &cancel).await };
        let built = self.drive(work, inbox, &mut watching).await?;
        built.map(Arc::new).map_err(|error| Failure::from_error(error.exit(), &error).maybe_hint(error.hint()))
    }

    /// Makes one run, the `nth` of `all`.
    pub(crate) async fn one(
        &mut self,
        artifacts: &Arc<Artifacts>,
        spec: &RunSpec,
        (nth, all): (usize, usize),
    ) -> Result<Made, Failure> {
        let run = self.next_id();
        let first = self.first.get_or_insert_with(|| run.clone()).clone();
        let mut options = RunOptions::new(&self.home, run.clone());
        options.tg_version = String::from(env!("CARGO_PKG_VERSION"));
        options.series = (all > 1).then(|| Series {
            id: first,
            config: spec.config.clone(),
            repeat: spec.repeat,
            repeats: spec.repeats,
        });
        options.grace = self.grace;
        options.stall_after = self.stall_after;
        options.sync.max_message_bytes = self.max_message_bytes;
        options.keeper = keeper();
        options.isolation = self.isolation;
        options.pcap.clone_from(&self.pcap);
        options.launcher = launcher();
        options.outputs = self.publish.as_ref().map(ToString::to_string);
        if all > 1 && self.style != Style::Quiet {
            crate::message::progress(&format!("run {} of {all}{}", nth + 1, super::report::config_words(spec)));
        }
        let dir = layout::run_dir(&self.home, &run);
        let (events, inbox) = mpsc::channel(WAITING_EVENTS);
        if spec.backend == "cluster:k8s" {
            return self.one_on_cluster(artifacts, spec, options).await;
        }
        let (owned, artifacts, cancel) = (spec.clone(), Arc::clone(artifacts), self.cancel.clone());
        let work = async move { tg_runner::execute(&owned, &artifacts, options, events, cancel).await };
        let mut watching = Watching::new(self.style);
        if let Some(place) = &self.publish {
            let publisher = Publisher::new(self.store.open(place.clone()).await, run.clone(), &dir);
            watching.publishing = Some(Publishing::begin(publisher));
        }
        let file = self.drive(work, inbox, &mut watching).await?.map_err(|error| refused(&error))?;
        let Watching { summary, at_deadline, publishing, .. } = watching;
        let mut made = Made { summary, file, dir, at_deadline, gathered: None, unpublished: None };
        if let Some(publishing) = publishing {
            match publishing.finish().await {
                (publisher, Ok(published)) if self.style != Style::Quiet => {
                    crate::message::progress(&crate::publish::words(&published, &publisher));
                }
                (_, Ok(_)) => {}
                (_, Err(error)) => made.unpublished = Some(crate::publish::failed(&run, &error)),
            }
        }
        if self.collect && made.file.verdict != Verdict::Cancelled {
            made.gathered = Some(gather(&run, &made.dir, self.style).await?);
        }
        Ok(made)
    }

    /// Lets work go on while its events are shown and signals are passed on.
    pub(super) async fn drive<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
        mut inbox: mpsc::Receiver<RunEvent>,
        watching: &mut Watching,
    ) -> Result<T, Failure> {
        // On a task of its own, so that a terminal that blocks does not hold up the run.
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        let mut result = None;
        while open || result.is_none() {
            let interrupt = pin!(self.interrupts.next());
            tokio::select! {
                event = inbox.recv(), if open => match event {
                    Some(event) => watching.event(&event),
                    None => open = false,
                },
                joined = tasks.join_next(), if result.is_none() => result = joined,
                () = interrupt => self.cancel.ask(CancelReason::Signal),
                _ = tick.tick() => watching.reporter.tick(),
            }
        }
        watching.reporter.finish();
        match result {
            Some(Ok(result)) => Ok(result),
            Some(Err(error)) => Err(Failure::new(Exit::Fault, "a part of tg ended early").cause(&error)),
            None => Err(Failure::new(Exit::Fault, "a part of tg was lost")),
        }
    }

    /// An id later than every one before.
    fn next_id(&mut self) -> RunId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.last_ms = now_ms.max(self.last_ms.saturating_add(1));
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        RunId::new(self.last_ms, random() as u32)
    }
}

/// Who looks at the events of a run.
pub(super) struct Watching {
    reporter: Reporter,
    pub(super) summary: Summary,
    pub(super) at_deadline: bool,
    publishing: Option<Publishing>,
}

impl Watching {
    pub(super) fn new(style: Style) -> Self {
        Self { reporter: Reporter::new(style), summary: Summary::default(), at_deadline: false, publishing: None }
    }

    fn event(&mut self, event: &RunEvent) {
        self.reporter.event(event);
        self.summary.event(event);
        if let (EventKind::InstanceFinished { instance, .. }, Some(publishing)) = (&event.kind, &self.publishing) {
            publishing.ended(instance);
        }
        self.at_deadline |= matches!(event.kind, EventKind::CancelBegan { reason: CancelReason::Deadline });
    }
}

/// The word by which tg knows that it is to be a keeper.
pub(crate) const KEEP: &str = "__keep-run";

/// The word by which tg knows that it is to make a host for an instance.
pub(crate) const HOST: &str = "__host";

/// This program. On Linux the link leads to it even after it was replaced on disk, as cargo does.
fn program() -> Option<PathBuf> {
    if cfg!(target_os = "linux") { Some(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe().ok() }
}

/// tg itself, as the process that ends instances when tg is killed.
fn keeper() -> Option<Keeper> {
    Some(Keeper { command: vec![program()?.into(), KEEP.into()], env: Vec::new() })
}

/// tg itself, as the process that makes a host and waits for what runs in it.
pub(crate) fn launcher() -> Option<Vec<OsString>> {
    cfg!(target_os = "linux").then(program).flatten().map(|program| vec![program.into(), HOST.into()])
}
