//! Follows the pods of a run until every instance has ended.
//!
//! Everything is read from the objects of the pods, so that it does not matter when the following began, or how often
//! the watch was broken: each pod's object says all that there is to say of its instance.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use tg_model::event::CancelReason;
use tg_model::outcome::Stopped;
use tg_model::spec::RunSpec;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::client::Cluster;
use super::listen::{Heard, Voices};
use super::pod::{self, Over, Standing};
use super::{job, names, report};
use crate::cancel::Asked;
use crate::drain::FoundBy;
use crate::instance::{Began, End};
use crate::scan::Found;
use crate::sync::{Hub, Seen, Waiting};

/// How long an image may fail to be pulled, or a container to be made, before its instance counts as not started.
const STUCK_FOR: Duration = Duration::from_mins(2);
/// How long no node may take a pod.
const UNSCHEDULED_FOR: Duration = Duration::from_mins(5);
/// How long the agent of a node may take to publish what an ended instance wrote.
const PUBLISHING_FOR: Duration = Duration::from_mins(15);
/// How long a pod that its node was told to give up may still tell how it ended, before its node counts as gone.
const LEAVING_FOR: Duration = Duration::from_mins(2);
/// How long pods may still appear after the run was stopped.
const LATE: Duration = Duration::from_secs(3);
/// How long those that are there may take to say that they never ran.
const LATE_POD: Duration = Duration::from_mins(1);
/// How often the times above are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Wait before a request that failed is sent again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a cluster that is to be told to stop may be out of reach.
const OUT_OF_REACH: Duration = Duration::from_mins(2);
/// When to say that outputs of instances that have ended are still not in the store, and when again.
const PUBLISHING_LONG: Duration = Duration::from_secs(30);
const PUBLISHING_STILL: Duration = Duration::from_mins(3);

/// Where what happens is told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) began: mpsc::Sender<Began>,
    pub(super) found: mpsc::Sender<FoundBy>,
    /// Hears of what concerns the whole run, and of what the cluster's sync service says.
    pub(super) hub: Hub,
    /// The barriers that instances wait at, as the sync service told last.
    pub(super) barriers: Arc<Mutex<Vec<Waiting>>>,
}

/// One instance, as far as it is known.
#[derive(Debug, Default)]
struct Slot {
    pod: Option<String>,
    began: bool,
    /// What keeps it from starting, and since when.
    stuck: Option<(String, Instant)>,
    /// Why it has to leave its node, and since when.
    leaving: Option<(String, Instant)>,
    /// It has ended, and its agent has not told what it printed.
    over: Option<(Over, Instant)>,
    end: Option<oneshot::Sender<End>>,
}

/// All instances of a run.
#[derive(Debug)]
pub(super) struct Follower {
    cluster: Cluster,
    run: tg_model::RunId,
    /// The first number of each group.
    first: Vec<u32>,
    slots: Vec<Slot>,
    by_pod: HashMap<String, u32>,
    voices: Voices,
    told: Told,
    stopped: Option<(Asked, Instant)>,
    /// The cluster has not been told to stop yet, and is to be told then.
    stop_again: Option<Instant>,
    /// Instances that have not ended.
    open: usize,
    /// Whether to wait for nodes that an autoscaler may bring.
    patient: bool,
}

impl Follower {
    /// `ends` are to hear how the instances ended, by their numbers.
    pub(super) fn new(
        cluster: Cluster,
        run: tg_model::RunId,
        spec: &RunSpec,
        ends: Vec<oneshot::Sender<End>>,
        told: Told,
        patient: bool,
    ) -> Self {
        let mut next = 0;
        let mut first = Vec::with_capacity(spec.groups.len());
        for group in &spec.groups {
            first.push(next);
            next += group.count;
        }
        let open = ends.len();
        let slots = ends.into_iter().map(|end| Slot { end: Some(end), ..Slot::default() }).collect();
        let (stopped, stop_again) = (None, None);
        let voices = Voices::new(told.hub.clone(), Arc::clone(&told.barriers));
        Self { cluster, run, first, slots, by_pod: HashMap::new(), voices, told, stopped, stop_again, open, patient }
    }

    /// Follows until every instance has ended.
    pub(super) async fn follow(mut self, mut stop: watch::Receiver<Asked>, mut heard: mpsc::Receiver<Heard>) {
        let selector = format!("{}={}", names::RUN, self.run);
        let config = watcher::Config::default().labels(&selector);
        let mut pods = pin!(watcher(self.cluster.api::<Pod>(), config).default_backoff());
        let warnings = watcher::Config::default().fields("type=Warning,involvedObject.kind=Pod");
        let mut warnings = pin!(watcher(self.cluster.api::<Event>(), warnings).default_backoff());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told_of = HashSet::new();
        // Until the pods of a run that goes on already have been listed, a missing one means nothing.
        let mut listed = false;
        let (mut broken, mut deaf) = (false, false);
        let mut patience = PUBLISHING_LONG;
        // It may have been asked to stop before it began.
        stop.mark_changed();
        while self.open > 0 {
            tokio::select! {
                biased;
                event = pods.next() => match event {
                    Some(Ok(event)) => {
                        broken = false;
                        listed |= matches!(event, watcher::Event::InitDone);
                        match event {
                            watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => self.see(&pod).await,
                            watcher::Event::Delete(pod) => self.gone(&pod).await,
                            watcher::Event::Init | watcher::Event::InitDone => {}
                        }
                    }
                    // It begins anew by itself, and what was missed comes with its next list.
                    Some(Err(error)) => {
                        if !std::mem::replace(&mut broken, true) {
                            let text = format!("the cluster is not heard from: {}", crate::error::chain(&error));
                            self.told.hub.tell_all(&Seen::Odd { from: None, reason: "watch-broken", text });
                        }
                    }
                    None => return,
                },
                event = warnings.next() => match event {
                    Some(Ok(watcher::Event::Apply(event) | watcher::Event::InitApply(event))) => {
                        self.warn(&event, &mut told_of).await;
                    }
                    // A user who may not read events gets no remarks of the cluster.
                    Some(_) => {}
                    None => return,
                },
                changed = stop.changed() => {
                    let asked = *stop.borrow_and_update();
                    if changed.is_ok() && asked != Asked::No {
                        self.stopped = Some((asked, Instant::now()));
                        self.stop(asked).await;
                    } else if changed.is_err() {
                        return;
                    }
                }
                Some(heard) = heard.recv() => match heard {
                    Heard::Told(told) => {
                        deaf = false;
                        self.voices.hear(told);
                    }
                    Heard::Broken(why) => {
                        if !std::mem::replace(&mut deaf, true) {
                            let text = format!("the sync service is not heard, so that barriers are not shown: {why}");
                            self.told.hub.tell_all(&Seen::Odd { from: None, reason: "watch-broken", text });
                        }
                    }
                },
                _ = look.tick() => {
                    if let (Some(at), Some((asked, _))) = (self.stop_again, self.stopped)
                        && at <= Instant::now()
                    {
                        self.stop(asked).await;
                    }
                    self.give_up();
                    self.look(listed);
                    if let Some(ended) = self.unpublished(&mut patience) {
                        let (cluster, hub) = (self.cluster.clone(), self.told.hub.clone());
                        // Whoever is slow to answer must not hold up the run.
                        tokio::spawn(async move {
                            let why = match cluster.reaches_store().await {
                                Ok(()) => "their agents reach the object store and say nothing of trouble".to_owned(),
                                Err(error) => crate::error::chain(&error),
                            };
                            let text = format!("{ended} instances have ended, and what they wrote is not published: {why}");
                            hub.tell_all(&Seen::Odd { from: None, reason: "publishing", text });
                        });
                    }
                }
            }
        }
    }

    fn label(&self, pod: &Pod) -> Option<u32> {
        let (group, index) = pod::place(pod)?;
        let label = self.first.get(group)?.checked_add(index)?;
        // An index beyond the group's would be an instance of the next group.
        let next = self.first.get(group + 1).copied().unwrap_or(u32::try_from(self.slots.len()).ok()?);
        (label < next).then_some(label)
    }

    async fn see(&mut self, pod: &Pod) {
        let Some(label) = self.label(pod) else { return };
        if let Some(address) = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok()) {
            self.voices.learn(label, address);
        }
        let name = pod.metadata.name.clone().unwrap_or_default();
        let Some(slot) = self.slots.get_mut(label as usize).filter(|slot| slot.end.is_some()) else { return };
        match &slot.pod {
            None => {
                slot.pod = Some(name.clone());
                self.by_pod.insert(name, label);
            }
            Some(known) if *known != name => {
                // A Job never makes a second pod for an index, unless somebody meddles with it.
                let text = format!("a second pod `{name}` appeared for this instance, whose pod is `{known}`");
                drop(self.told.found.send((label, Found::Note("second-pod", text))).await);
                return;
            }
            Some(_) => {}
        }
        match pod::standing(pod) {
            Standing::Coming { stuck } => {
                let since = slot.stuck.as_ref().filter(|_| stuck.is_some()).map(|(_, since)| *since);
                slot.stuck = stuck.map(|why| (why, since.unwrap_or_else(Instant::now)));
            }
            Standing::Running => self.begin(label).await,
            Standing::Leaving(why) => {
                slot.leaving.get_or_insert_with(|| (why, Instant::now()));
                self.begin(label).await;
            }
            Standing::Over(over) => {
                if over.not_started.is_none() && over.ended.is_some() {
                    self.begin(label).await;
                }
                let report = pod::report(pod);
                // What never ran has printed nothing, and of what is lost nobody will report.
                if report.is_some() || over.lost.is_some() || over.not_started.is_some() || !pod::held(pod) {
                    self.end(label, *over, report);
                } else if let Some(slot) = self.slots.get_mut(label as usize) {
                    let since = slot.over.take().map_or_else(Instant::now, |(_, since)| since);
                    slot.over = Some((*over, since));
                }
            }
        }
    }

    async fn begin(&mut self, label: u32) {
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        slot.stuck = None;
        if !std::mem::replace(&mut slot.began, true) {
            self.told.began.send(Began { label, pid: None }).await.ok();
        }
    }

    /// The object of a pod is gone.
    async fn gone(&mut self, pod: &Pod) {
        // Its last state may hold the report.
        self.see(pod).await;
        let Some(label) = self.label(pod) else { return };
        let Some(slot) = self.slots.get_mut(label as usize).filter(|slot| slot.end.is_some()) else { return };
        if slot.pod != pod.metadata.name {
            return;
        }
        let over = match slot.over.take() {
            Some((over, _)) => over,
            None if slot.began => Over { lost: Some("its pod was removed while it ran".to_owned()), ..Over::default() },
            None => Over { not_started: Some("its pod was removed before it ran".to_owned()), ..Over::default() },
        };
        self.end(label, over, None);
    }

    fn end(&mut self, label: u32, over: Over, report: Option<report::Report>) {
        let stopped = self.stopped.and_then(|(asked, _)| asked.reason());
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        let Some(to) = slot.end.take() else { return };
        self.open -= 1;
        let mut end = End {
            label,
            not_started: over.not_started,
            lost: over.lost,
            oom: over.oom,
            evicted: over.evicted,
            ended: over.ended,
            elapsed: over.elapsed,
            ..End::default()
        };
        if over.deleted {
            match stopped {
                Some(CancelReason::Deadline) => end.stopped = Some(Stopped::Deadline),
                Some(_) => end.stopped = Some(Stopped::Cancel),
                None => end.notes.push(("pod-deleted".into(), "somebody deleted its pod while it ran".to_owned())),
            }
        }
        if let Some(words) = over.words {
            end.notes.push(("kubernetes".into(), words));
        }
        match report {
            Some(report) => {
                end.drained = report.drained();
                end.notes.extend(report.notes.into_iter().map(|(reason, text)| (reason.into(), text)));
            }
            None if end.not_started.is_none() => {
                let text = "the agent of its node did not tell what it printed; what it wrote may be missing";
                end.notes.push(("not-published".into(), text.to_owned()));
                if end.lost.is_none() && end.ended.is_some_and(|ended| ended == tg_model::outcome::Ended::Code(0)) {
                    end.lost = Some("it exited with 0, and nobody could tell what it said of itself".to_owned());
                }
            }
            None => {}
        }
        // Nobody waits any more if the run was torn down.
        drop(to.send(end));
    }

    async fn warn(&mut self, event: &Event, told: &mut HashSet<(u32, String)>) {
        let Some(label) = event.involved_object.name.as_ref().and_then(|name| self.by_pod.get(name)).copied() else {
            return;
        };
        let reason = event.reason.clone().unwrap_or_default();
        // Instances have the one name that they need in their hosts files.
        if reason == "MissingClusterDNS" {
            return;
        }
        // The same is told again and again, with other words.
        if told.insert((label, reason.clone())) {
            let text = format!("{reason}: {}", event.message.as_deref().unwrap_or_default());
            drop(self.told.found.send((label, Found::Note("kubernetes", text))).await);
        }
    }

    /// Ends the run's Jobs; their pods get SIGTERM, and SIGKILL after the grace time. What fails is tried again.
    async fn stop(&mut self, asked: Asked) {
        let list = ListParams::default().labels(&format!("{}={}", names::RUN, self.run));
        let jobs = self.cluster.api::<Job>().delete_collection(&DeleteParams::background(), &list).await.map(drop);
        let now = matches!(asked, Asked::Now(_)).then_some(0);
        let params = DeleteParams { grace_period_seconds: now, ..DeleteParams::default() };
        let pods = self.cluster.api::<Pod>().delete_collection(&params, &list).await.map(drop);
        let failed = jobs.and(pods).err();
        if let Some(error) = &failed
            && self.stop_again.is_none()
        {
            let text = format!("the cluster cannot be told to stop, trying again: {}", crate::error::chain(error));
            self.told.hub.tell_all(&Seen::Odd { from: None, reason: "stop-failed", text });
        }
        self.stop_again = failed.map(|_| Instant::now() + AGAIN);
    }

    /// How many have waited so long for what they wrote to be published that it is to be said, again less often.
    fn unpublished(&self, patience: &mut Duration) -> Option<usize> {
        let now = Instant::now();
        let waits = self.slots.iter().filter_map(|slot| Some(now.duration_since(slot.over.as_ref()?.1)));
        let long = waits.filter(|wait| *wait >= *patience).count();
        if long == 0 {
            return None;
        }
        *patience += PUBLISHING_STILL;
        Some(long)
    }

    /// A cluster that cannot be told to stop is not waited for without end.
    fn give_up(&mut self) {
        let Some((_, since)) = self.stopped.filter(|_| self.stop_again.is_some()) else { return };
        if since.elapsed() < OUT_OF_REACH {
            return;
        }
        let why = format!("the cluster could not be told to stop for {} s", OUT_OF_REACH.as_secs());
        for label in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            self.end(label, Over { lost: Some(why.clone()), ..Over::default() }, None);
        }
    }

    /// Ends those that will not come, or of which nothing more will be heard.
    fn look(&mut self, listed: bool) {
        let now = Instant::now();
        for label in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            let Some(slot) = self.slots.get_mut(label as usize).filter(|slot| slot.end.is_some()) else { continue };
            if let Some((_, since)) = &slot.over
                && now.duration_since(*since) >= PUBLISHING_FOR
                && let Some((over, _)) = slot.over.take()
            {
                self.end(label, over, None);
                continue;
            }
            if let Some((why, since)) = &slot.leaving
                && slot.over.is_none()
                && now.duration_since(*since) >= LEAVING_FOR
            {
                let lost = Some(why.clone());
                self.end(label, Over { lost, ..Over::default() }, None);
                continue;
            }
            let not_started = match (&slot.stuck, self.stopped) {
                (_, Some((asked, at)))
                    if listed
                        && !slot.began
                        && now.duration_since(at) >= if slot.pod.is_none() { LATE } else { LATE_POD } =>
                {
                    let why = match asked.reason() {
                        Some(CancelReason::Deadline) => "the deadline came before it was started",
                        _ => "the run was cancelled before it was started",
                    };
                    Some(why.to_owned())
                }
                (Some((why, since)), _) => {
                    let unscheduled = why.starts_with("Unschedulable") || why.starts_with("SchedulingGated");
                    let most = if unscheduled { UNSCHEDULED_FOR } else { STUCK_FOR };
                    let waits = self.patient && unscheduled;
                    (!waits && now.duration_since(*since) >= most).then(|| format!("for {} s: {why}", most.as_secs()))
                }
                (None, _) => None,
            };
            if not_started.is_some() {
                self.end(label, Over { not_started, ..Over::default() }, None);
            }
        }
    }
}

/// Removes what the run has in the cluster. The pods' objects go as soon as their agents let them.
pub(super) async fn clean(cluster: &Cluster, run: &tg_model::RunId) -> Result<(), super::error::ClusterError> {
    let list = ListParams::default().labels(&format!("{}={run}", names::RUN));
    let jobs = cluster.api::<Job>().delete_collection(&DeleteParams::background(), &list).await;
    jobs.map_err(super::error::ClusterError::api("delete the Jobs of the run"))?;
    let maps = cluster.api::<k8s_openapi::api::core::v1::ConfigMap>();
    match maps.delete(&names::record(run), &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(super::error::ClusterError::api("delete the record of the run")(error)),
    }
}

/// The Jobs of a run.
pub(super) fn jobs_of(maker: &job::JobMaker<'_>, images: &[String]) -> Result<Vec<Job>, super::error::ClusterError> {
    maker.spec.groups.iter().enumerate().zip(images).map(|((nth, group), image)| maker.job(nth, group, image)).collect()
}
