//! The one loop that owns the state of a run: whatever happens comes in here, and every event leaves from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tg_model::RunEvent;
use tg_model::event::{CancelReason, EventKind};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::cancel::{Asked, Cancel};
use crate::clock::{Clock, ns};
use crate::drain::FoundBy;
use crate::faults::{self, Faults, Reply};
use crate::instance::{Began, End};
use crate::isolation::Refused;
use crate::scan::Found;
use crate::stall;
use crate::state::{State, short_state};
use crate::store::{EventLog, StoreError};
use crate::sync::{Hub, Seen, Waiting, Watch};

/// So many events may wait for a slow receiver before we stop listening to instances.
const MAX_WAITING_EVENTS: usize = 10_000;
/// How long to wait for the connection of an instance to be seen closed after its process is gone.
const CLOSING: Duration = Duration::from_secs(2);

/// What comes in.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) began: mpsc::Receiver<Began>,
    pub(crate) found: mpsc::Receiver<FoundBy>,
    pub(crate) tasks: JoinSet<End>,
    /// Which instance a task runs, for a task that dies.
    pub(crate) labels: HashMap<Id, u32>,
    pub(crate) watch: Watch,
    /// What the sidecar could not apply; closed where there is none.
    pub(crate) refused: mpsc::Receiver<Refused>,
}

/// Numbers events, writes them down and hands them out.
#[derive(Debug)]
pub(crate) struct Outlet {
    clock: Clock,
    seq: u64,
    log: EventLog,
    pub(crate) failed: Option<StoreError>,
    to: mpsc::Sender<RunEvent>,
    gone: bool,
    waiting: std::collections::VecDeque<RunEvent>,
}

impl Outlet {
    pub(crate) fn new(clock: Clock, log: EventLog, to: mpsc::Sender<RunEvent>) -> Self {
        Self { clock, seq: 0, log, failed: None, to, gone: false, waiting: std::collections::VecDeque::new() }
    }

    /// Writes down what was told before there was a run: whoever listens has heard it.
    pub(crate) fn record(&mut self, told: Vec<RunEvent>) {
        for event in told {
            self.seq += 1;
            if self.failed.is_none() {
                self.failed = self.log.append(&RunEvent { seq: self.seq, ..event }).err();
            }
        }
    }

    fn take(&mut self, kind: EventKind) {
        self.seq += 1;
        let event = RunEvent { seq: self.seq, ts: self.clock.now_ns(), kind };
        if self.failed.is_none() {
            self.failed = self.log.append(&event).err();
        }
        if !self.gone {
            self.waiting.push_back(event);
        }
    }

    fn broken(&self) -> bool {
        self.gone || self.failed.is_some()
    }

    /// Hands out one event; a receiver that is gone is remembered.
    async fn hand_out(&mut self) {
        match self.to.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            Err(_closed) => {
                self.gone = true;
                self.waiting.clear();
            }
        }
    }

    /// Hands out everything that waits, and closes the log.
    pub(crate) async fn finish(mut self) -> Option<StoreError> {
        while !self.waiting.is_empty() {
            self.hand_out().await;
        }
        self.failed.or(self.log.finish().err())
    }
}

/// The loop of one run.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) state: State,
    pub(crate) outlet: Outlet,
    pub(crate) hub: Hub,
    /// The prefix of the run's keys.
    pub(crate) prefix: String,
    /// The barriers that instances wait at as a sync service on another machine tells of them, if it is not the hub.
    pub(crate) elsewhere: Option<Arc<Mutex<Vec<Waiting>>>>,
    pub(crate) stop: watch::Sender<Asked>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) stall_after: Duration,
    pub(crate) faults: Faults,
}

/// Timers of a run; a point in time far away stands for never.
#[derive(Debug)]
struct Timers {
    deadline: Option<Instant>,
    deadline_over: bool,
    closing: Option<Instant>,
    last: Instant,
    stall_at: Instant,
    waiting: Vec<(String, u64, u64)>,
    /// What the run was told to wait for when it last stood still, until something happens.
    stalled: Option<String>,
}

impl Dispatcher {
    /// Runs until every instance is finished.
    pub(crate) async fn run(&mut self, inputs: &mut Inputs, cancel: &Cancel) {
        let mut asked = cancel.subscribe();
        asked.mark_changed();
        let now = Instant::now();
        let mut timers = Timers {
            deadline: None,
            deadline_over: false,
            closing: None,
            last: now,
            stall_at: now + self.stall_after,
            waiting: Vec::new(),
            stalled: None,
        };
        loop {
            self.tell();
            if self.outlet.broken() {
                self.stop(Asked::Gently(CancelReason::ReporterFailed));
                self.tell();
            }
            if self.state.all_finished() {
                return;
            }
            if self.state.all_started() {
                if timers.deadline.is_none() {
                    timers.deadline = self.deadline.map(|deadline| Instant::now() + deadline);
                }
                self.faults.started(Instant::now());
            }
            // What is due at once is done before anything else happens.
            self.faults.go_on(Instant::now(), &mut self.state);
            self.reply();
            self.tell();
            let listening = self.outlet.waiting.len() < MAX_WAITING_EVENTS;
            let far = Instant::now() + Duration::from_hours(1);
            tokio::select! {
                biased;
                changed = asked.changed() => {
                    if changed.is_ok() {
                        let asked = *asked.borrow_and_update();
                        if asked != Asked::No {
                            self.keep_stall(&mut timers);
                        }
                        self.stop(asked);
                    }
                    continue;
                }
                () = self.outlet.hand_out(), if !self.outlet.waiting.is_empty() => continue,
                Some(began) = inputs.began.recv(), if listening => self.state.began(began.label, began.pid),
                Some((label, found)) = inputs.found.recv(), if listening => self.found(label, found),
                Some(seen) = inputs.watch.recv(), if listening => self.seen(seen),
                Some(refused) = inputs.refused.recv(), if listening => self.state.refused(refused),
                Some(joined) = inputs.tasks.join_next_with_id() => {
                    let end = match joined {
                        Ok((_, end)) => end,
                        Err(error) => {
                            let Some(label) = inputs.labels.get(&error.id()).copied() else { continue };
                            End { label, lost: Some(format!("tg lost it by a fault of its own: {error}")), ..End::default() }
                        }
                    };
                    // What its task told before it ended comes first.
                    while let Ok(began) = inputs.began.try_recv() {
                        self.state.began(began.label, began.pid);
                    }
                    while let Ok((label, found)) = inputs.found.try_recv() {
                        self.found(label, found);
                    }
                    while let Ok(seen) = inputs.watch.try_recv() {
                        self.seen(seen);
                    }
                    self.faults.ended();
                    if self.state.ended(end) {
                        timers.closing.get_or_insert_with(|| Instant::now() + CLOSING);
                    }
                }
                () = sleep_until(timers.deadline.unwrap_or(far)), if timers.deadline.is_some() && !timers.deadline_over => {
                    timers.deadline_over = true;
                    self.keep_stall(&mut timers);
                    self.stop(Asked::Gently(CancelReason::Deadline));
                }
                () = sleep_until(self.faults.next().unwrap_or(far)), if self.faults.next().is_some() => {}
                () = sleep_until(timers.closing.unwrap_or(far)), if timers.closing.is_some() => {
                    timers.closing = None;
                    self.state.close_all();
                }
                () = sleep_until(timers.stall_at) => {
                    self.look_for_stall(&mut timers);
                    continue;
                }
            }
            timers.stalled = None;
            timers.last = Instant::now();
            timers.stall_at = timers.last + self.stall_after;
        }
    }

    fn found(&mut self, label: u32, found: Found) {
        if let Found::StageEnd(stage) = &found {
            self.faults.stage(label, stage);
        }
        self.state.found(label, found);
    }

    fn seen(&mut self, seen: Seen) {
        if let Seen::BarrierReached { state, .. } = &seen {
            self.faults.barrier(Instant::now(), &short_state(state));
        }
        if let Seen::Published { from, topic, payload, .. } = &seen
            && topic.ends_with(faults::TOPIC)
        {
            if let Err(why) = self.faults.requested(payload, Instant::now()) {
                self.state.fault_refused(*from, &why);
            }
            return;
        }
        self.state.seen(seen);
    }

    /// Tells those who asked for faults what came of it.
    fn reply(&mut self) {
        for Reply { state, refused } in self.faults.replies() {
            let state = format!("{}states:{state}", self.prefix);
            match refused {
                None => drop(self.hub.signal(&state)),
                Some(why) => self.hub.fail(&state, &why),
            }
        }
    }

    /// Tells the instances to stop; never takes back what was asked before.
    fn stop(&mut self, asked: Asked) {
        let Some(reason) = asked.reason() else { return };
        self.state.cancelling(reason);
        self.stop.send_if_modified(|before| {
            let more = matches!((*before, asked), (Asked::No, _) | (Asked::Gently(_), Asked::Now(_)));
            if more {
                *before = asked;
            }
            more
        });
    }

    /// What a run stood still for when it was stopped is what its reader asks first.
    fn keep_stall(&mut self, timers: &mut Timers) {
        if let Some(waiting_for) = timers.stalled.take() {
            self.state.run_note("stood-still", format!("when it was stopped it waited for {waiting_for}"));
        }
    }

    /// Nothing was heard for a while: says what the run waits for, unless signals still come in.
    fn look_for_stall(&mut self, timers: &mut Timers) {
        let waiting = match &self.elsewhere {
            Some(told) => told.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => self.hub.waiting(&self.prefix),
        };
        let counts: Vec<_> = waiting.iter().map(|line| (line.state.clone(), line.target, line.count)).collect();
        let quiet = timers.last.elapsed();
        if counts == timers.waiting {
            let mut waiting_for = stall::waiting_for(&waiting, &self.state);
            if waiting_for.is_empty() {
                let n = self.state.running().count();
                waiting_for.push(format!("the end of {n} instances, none of which waits at a barrier"));
            }
            timers.stalled = Some(waiting_for.join("; "));
            self.state.told.push_back(EventKind::Stalled { quiet_ns: ns(quiet), waiting_for });
            // Once more only when it has been quiet for as long again.
            timers.stall_at = Instant::now() + quiet;
        } else {
            // Counts that move are no stall; look again soon enough to be on time when they stop.
            timers.waiting = counts;
            timers.stall_at = Instant::now() + self.stall_after / 4;
        }
    }

    /// Passes on what the state has to tell.
    pub(crate) fn tell(&mut self) {
        while let Some(kind) = self.state.told.pop_front() {
            self.outlet.take(kind);
        }
    }
}
