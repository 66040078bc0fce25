//! One instance from its start to its end, whatever it does.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tg_model::InstanceId;
use tg_model::event::CancelReason;
use tg_model::outcome::{Ended, Stopped};
use tg_model::spec::GroupSpec;
use tokio::process::Child;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::build::Artifact;
use crate::cancel::Asked;
use crate::clock::Clock;
use crate::drain::{CLOSED, Drained, Job};
use crate::environment::Common;
use crate::isolation::{Host, Hosts, SharedHost};
use crate::keeper::Kept;
use crate::machine::Watched;
use crate::spawn::{self, Folders, Place, StartError, Started};

/// What all instances of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) run_dir: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) common: Common,
    pub(crate) grace: Duration,
    /// How long a pipe may stay open after its instance is gone.
    pub(crate) drain_after_exit: Duration,
    /// How many instances may be starting or cleaning up at once.
    pub(crate) starting: Semaphore,
    pub(crate) stop: watch::Receiver<Asked>,
    pub(crate) kept: Kept,
    pub(crate) jobs: mpsc::Sender<Job>,
    /// Whose processes are sampled.
    pub(crate) watched: Watched,
    /// The hosts of the run, if its instances have any of their own.
    pub(crate) hosts: Option<Hosts>,
}

/// One instance that is to run.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) label: u32,
    pub(crate) id: InstanceId,
    pub(crate) group: Arc<GroupSpec>,
    pub(crate) artifact: Arc<Artifact>,
    pub(crate) sync_host: String,
    pub(crate) orders: Option<mpsc::Receiver<Order>>,
}

/// What a fault wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// To be killed.
    Kill,
    /// To stop without knowing.
    Pause,
    /// To go on.
    Resume,
    /// To be killed, and to begin again when told to.
    Halt,
    /// To begin again.
    Begin,
}

/// So many orders may wait for an instance.
pub(crate) const MAX_ORDERS: usize = 8;

/// An instance has a process now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    pub(crate) label: u32,
    /// Its process, if it has one on this machine.
    pub(crate) pid: Option<u32>,
}

/// All that is known of an instance's end, but for what the sync service heard.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) label: u32,
    pub(crate) not_started: Option<String>,
    pub(crate) lost: Option<String>,
    pub(crate) oom: bool,
    pub(crate) evicted: bool,
    pub(crate) ended: Option<Ended>,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) drained: Drained,
    /// Remarks for the user: a fixed word and the details.
    pub(crate) notes: Vec<(Cow<'static, str>, String)>,
    pub(crate) elapsed: Option<Duration>,
}

impl End {
    fn note(&mut self, reason: &'static str, text: impl Into<String>) {
        self.notes.push((reason.into(), text.into()));
    }
}

/// The process of an instance, and who reads what it prints.
#[derive(Debug)]
struct Living {
    child: Child,
    pid: u32,
    from: Instant,
    host: Option<SharedHost>,
    /// Tells the reader of its output that it began again in the same host; a plain process begins with new pipes.
    again: Option<mpsc::Sender<()>>,
    give_up: oneshot::Sender<()>,
    drained: oneshot::Receiver<Drained>,
}

/// Runs one instance. Ends only when its process is gone and its folders are cleaned.
pub(crate) async fn run(shared: Arc<Shared>, mut planned: Planned, began: mpsc::Sender<Began>) -> End {
    let mut end = End { label: planned.label, ..End::default() };
    let id = planned.id.clone();
    let folders = Folders {
        outputs: tg_model::layout::outputs_dir(&shared.run_dir, &id),
        logs: tg_model::layout::logs_dir(&shared.run_dir, &id),
        scratch: shared.scratch.join(planned.label.to_string()),
    };
    let living = match begin(&shared, &planned, &folders, &mut end).await {
        Ok(living) => living,
        Err(why) => {
            end.not_started = Some(why);
            clean(&shared, folders, &mut end).await;
            return end;
        }
    };
    // The dispatcher outlives every instance.
    began.send(Began { label: planned.label, pid: Some(living.pid) }).await.ok();

    let from = living.from;
    let orders = planned.orders.take();
    let last = wait(&shared, &planned, &folders, living, orders, &mut end).await;
    end.elapsed = Some(from.elapsed());
    if let Some(living) = last {
        bury(&shared, planned.label, living, &mut end).await;
    }
    clean(&shared, folders, &mut end).await;
    end
}

/// Starts the process and has what it prints read.
async fn begin(shared: &Arc<Shared>, planned: &Planned, folders: &Folders, end: &mut End) -> Result<Living, String> {
    let Started { child, pid, from, stdout, stderr, host } = start(shared, planned, folders).await?;
    let (give_up, given_up) = oneshot::channel();
    let (done, drained) = oneshot::channel();
    let (again, begun_again) = mpsc::channel(1);
    let group = planned.id.group.to_string();
    let plan = Some(pid).filter(|_| host.is_none());
    let job =
        Job { label: planned.label, group, pid: plan, again: begun_again, stdout, stderr, give_up: given_up, done };
    if shared.jobs.send(job).await.is_err() {
        end.note("log-broken", "the thread that reads its output is gone");
    }
    shared.watched.began(shared.clock, planned.label, pid);
    let again = host.as_ref().map(|_| again);
    Ok(Living { child, pid, from, host, again, give_up, drained })
}

/// Clears up after a process that has ended, and takes in what it printed.
async fn bury(shared: &Shared, label: u32, living: Living, end: &mut End) {
    let Living { pid, host, again, give_up, mut drained, .. } = living;
    drop(again);
    shared.watched.ended(label);
    let (left, silent) =
        host.as_ref().map_or((0, false), |host| host.lock().unwrap_or_else(PoisonError::into_inner).last_words());
    if silent {
        end.note("closed-stdout", CLOSED);
    }
    if let (Some(hosts), Some(_)) = (&shared.hosts, host) {
        hosts.ended(label);
    }
    let more = crate::keeper::kill_group(pid.cast_signed()) || left > 0;
    // A fault kills the process of a plan and its children at once; that they were still there says nothing.
    if more && end.stopped != Some(Stopped::Fault) {
        end.note("left-processes", "it left processes behind; those of its process group, or of its host, were killed");
    }
    if let Err(error) = shared.kept.ended(pid) {
        end.note("keeper-gone", format!("if tg is killed now, instances stay: {error}"));
    }
    let drained = match timeout(shared.drain_after_exit, &mut drained).await {
        Ok(drained) => drained.unwrap_or_default(),
        Err(_elapsed) => {
            drop(give_up);
            end.note(
                "pipe-held",
                "a process that it left behind held its output open and may live on; what it wrote later is lost",
            );
            drained.await.unwrap_or_default()
        }
    };
    end.drained.add(drained);
}

/// Starts the process, unless the run is stopped first.
async fn start(shared: &Arc<Shared>, planned: &Planned, folders: &Folders) -> Result<Started, String> {
    let mut stop = shared.stop.clone();
    let permit = tokio::select! {
        biased;
        asked = stop.wait_for(|asked| *asked != Asked::No) => {
            let late = asked.is_ok_and(|asked| asked.reason() == Some(CancelReason::Deadline));
            let why = if late { "the deadline came before it was started" } else { "the run was cancelled before it was started" };
            return Err(why.to_owned());
        }
        permit = shared.starting.acquire() => permit,
    };
    let hostname = shared.hosts.as_ref().map(|hosts| hosts.name(planned.label));
    let env = shared.common.of(&planned.group, &planned.id, folders, &planned.sync_host, hostname);
    let label = planned.label;
    let (shared_, folders, artifact) = (Arc::clone(shared), folders.clone(), Arc::clone(&planned.artifact));
    let started = tokio::task::spawn_blocking(move || {
        let place = shared_.hosts.as_ref().map_or(Place::Machine, |hosts| Place::Host(hosts, label));
        let started = spawn::start(&artifact.command, &env, &folders, place)?;
        Ok::<_, StartError>((shared_.kept.began(started.pid), started))
    })
    .await;
    drop(permit);
    match started {
        Ok(Ok((Ok(()), started))) => Ok(started),
        Ok(Ok((Err(error), mut started))) => {
            // Without its keeper an instance could outlive a killed tg.
            drop(started.child.kill().await);
            Err(format!("the keeper of the run is gone: {error}"))
        }
        Ok(Err(error)) => Err(crate::error::chain(&error)),
        Err(error) => Err(format!("tg failed to start it: {error}")),
    }
}

/// How an instance is between two orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pose {
    Running,
    Paused,
    /// Killed, to begin again.
    Down,
}

/// Waits for the end of the process, and brings it about when the run is stopped or a fault kills it. Gives the process
/// that is to be buried; none where it was killed to begin again and did not.
async fn wait(
    shared: &Arc<Shared>,
    planned: &Planned,
    folders: &Folders,
    living: Living,
    mut orders: Option<mpsc::Receiver<Order>>,
    end: &mut End,
) -> Option<Living> {
    let mut stop = shared.stop.clone();
    let mut now = Some(living);
    let mut pose = Pose::Running;
    let asked = loop {
        let order = tokio::select! {
            biased;
            status = ended(&mut now) => {
                seen(status, end);
                return now;
            }
            asked = stopped(&mut stop) => break asked,
            order = next(&mut orders) => order,
        };
        let done = match (order, &now) {
            (Order::Kill, _) => {
                end.stopped = Some(Stopped::Fault);
                kill(&mut now, end).await;
                return now;
            }
            (Order::Pause, Some(living)) if pose == Pose::Running => {
                hold(living, true).await.map(|()| pose = Pose::Paused)
            }
            (Order::Resume, Some(living)) if pose == Pose::Paused => {
                hold(living, false).await.map(|()| pose = Pose::Running)
            }
            (Order::Halt, Some(living)) if pose != Pose::Down => {
                let on_host = living.host.clone();
                pose = Pose::Down;
                match on_host {
                    Some(host) => {
                        on_its_host(host, Host::halt).await.map_err(|why| format!("it could not be killed: {why}"))
                    }
                    None => {
                        if let Some(mut living) = now.take() {
                            killpg(living.group(), Signal::SIGKILL).ok();
                            let status = living.child.wait().await;
                            bury(shared, planned.label, living, end).await;
                            // Those of its group that were killed with it may not be gone yet.
                            end.notes.retain(|(reason, _)| reason != "left-processes");
                            status.map(drop).map_err(|error| error.to_string())
                        } else {
                            Ok(())
                        }
                    }
                }
            }
            (Order::Begin, _) if pose == Pose::Down => {
                pose = Pose::Running;
                let again = match &now {
                    Some(living) => match living.host.clone() {
                        Some(host) => {
                            let begun = on_its_host(host, Host::begin_again).await;
                            // Full where one such word is waiting already.
                            living.again.as_ref().and_then(|again| again.try_send(()).ok());
                            begun
                        }
                        None => Ok(()),
                    },
                    None => begin(shared, planned, folders, end).await.map(|living| now = Some(living)),
                };
                if let Err(why) = again {
                    end.lost = Some(format!("it could not begin again: {why}"));
                    kill(&mut now, end).await;
                    return now;
                }
                Ok(())
            }
            // What is already as ordered, or cannot be: one that is down can be neither paused nor resumed.
            (Order::Pause | Order::Resume | Order::Halt | Order::Begin, _) => Ok(()),
        };
        if let Err(why) = done {
            end.note("fault-failed", why);
        }
    };
    end.stopped = Some(match asked.reason() {
        Some(CancelReason::Deadline) => Stopped::Deadline,
        _ => Stopped::Cancel,
    });
    if let (Pose::Paused, Some(living)) = (pose, &now) {
        // One that is stopped would not hear that it is asked to end.
        if let Err(why) = hold(living, false).await {
            end.note("fault-failed", why);
        }
    }
    if let (Asked::Gently(_), Some(living), true) = (asked, &mut now, pose != Pose::Down) {
        // It may have ended by now; then there is nobody to tell.
        killpg(living.group(), Signal::SIGTERM).ok();
        let at_once = stop.wait_for(|asked| matches!(asked, Asked::Now(_)));
        tokio::select! {
            biased;
            status = living.child.wait() => {
                seen(status, end);
                return now;
            }
            _ = at_once => {}
            () = tokio::time::sleep(shared.grace) => {
                end.note("ignored-sigterm", format!("it went on for {} s after SIGTERM and was killed", shared.grace.as_secs_f64()));
            }
        }
    }
    kill(&mut now, end).await;
    now
}

impl Living {
    fn group(&self) -> Pid {
        Pid::from_raw(self.pid.cast_signed())
    }
}

/// Kills what there is, and waits for its end.
async fn kill(now: &mut Option<Living>, end: &mut End) {
    let Some(living) = now else { return };
    killpg(living.group(), Signal::SIGKILL).ok();
    seen(living.child.wait().await, end);
}

/// Waits for the end of the process; for ever while there is none.
async fn ended(now: &mut Option<Living>) -> std::io::Result<std::process::ExitStatus> {
    match now {
        Some(living) => living.child.wait().await,
        None => std::future::pending().await,
    }
}

/// The next order; for ever where there will be none.
async fn next(orders: &mut Option<mpsc::Receiver<Order>>) -> Order {
    let order = match orders {
        Some(orders) => orders.recv().await,
        None => None,
    };
    match order {
        Some(order) => order,
        None => std::future::pending().await,
    }
}

/// Waits until the run is to be stopped.
async fn stopped(stop: &mut watch::Receiver<Asked>) -> Asked {
    let asked = stop.wait_for(|asked| *asked != Asked::No).await;
    asked.map_or(Asked::Now(CancelReason::ReporterFailed), |asked| *asked)
}

/// Stops all processes of an instance, or lets them go on.
async fn hold(living: &Living, pause: bool) -> Result<(), String> {
    let what = if pause { "paused" } else { "resumed" };
    let outcome = if let Some(host) = living.host.clone() {
        // The host's own init must go on, so it is what stops the others.
        on_its_host(host, move |host| host.hold(pause)).await
    } else {
        let signal = if pause { Signal::SIGSTOP } else { Signal::SIGCONT };
        killpg(living.group(), signal).map_err(|error| error.to_string())
    };
    outcome.map_err(|why| format!("it could not be {what}: {why}"))
}

/// Has an instance's host do something, on a thread that may block.
async fn on_its_host(
    host: SharedHost,
    what: impl FnOnce(&mut Host) -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let asked = tokio::task::spawn_blocking(move || what(&mut host.lock().unwrap_or_else(PoisonError::into_inner)));
    asked.await.map_err(|error| error.to_string()).flatten()
}

fn seen(status: std::io::Result<std::process::ExitStatus>, end: &mut End) {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Ok(status) => end.ended = status.code().map(Ended::Code).or(status.signal().map(Ended::Signal)),
        Err(error) => end.lost = Some(format!("cannot wait for its process: {error}")),
    }
}

/// Removes the working and the temp folder and looks after the outputs folder.
async fn clean(shared: &Arc<Shared>, folders: Folders, end: &mut End) {
    // Never closed, so it is always granted.
    let _permit = shared.starting.acquire().await;
    let ran = end.not_started.is_none();
    let notes = tokio::task::spawn_blocking(move || {
        let mut notes = Vec::new();
        if ran && !folders.outputs.is_dir() {
            let again = fs::create_dir_all(&folders.outputs);
            let again = again.map_or_else(
                |error| format!("and cannot be made again: {error}"),
                |()| "what it wrote is lost".to_owned(),
            );
            notes.push(("outputs-deleted".into(), format!("its outputs folder is gone; {again}")));
        }
        match fs::remove_dir_all(&folders.scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                notes.push(("temp-left".into(), format!("`{}` cannot be removed: {error}", folders.scratch.display())));
            }
            _ => {}
        }
        notes
    })
    .await;
    end.notes.extend(notes.unwrap_or_default());
}
