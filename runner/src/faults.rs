//! Faults on schedule: waits for their time and brings them about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tg_model::RunSpec;
use tg_model::event::EventKind;
use tg_model::fault::{Action, Drawn, Requested, Trigger};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::breaks::{Breaks, Degraded};
use crate::instance::{Order, Shared};
use crate::state::State;

/// Where a fault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its trigger has not come.
    Waiting,
    /// It begins then.
    Due(Instant),
    /// It has begun and ends then.
    On(Instant),
    /// It has begun and does not end by itself, or is over.
    Done,
}

/// The topic on which an instance asks for a fault.
pub(crate) const TOPIC: &str = ":topics:tg-faults";
/// A run takes so many faults that its plan asks for.
const MOST_REQUESTED: usize = 10_000;

/// What is to be said at a state at which somebody waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The state's name, without the run's prefix.
    pub(crate) state: String,
    /// Why it will not be reached, if it will not.
    pub(crate) refused: Option<String>,
}

/// The faults of a run.
#[derive(Debug)]
pub(crate) struct Faults {
    spec: Option<Arc<RunSpec>>,
    list: Vec<(Drawn, Phase)>,
    /// The states to signal once a fault has begun, by its place.
    callbacks: BTreeMap<usize, String>,
    replies: Vec<Reply>,
    orders: Vec<mpsc::Sender<Order>>,
    /// Absent where there are no faults.
    shared: Option<Arc<Shared>>,
    breaks: Breaks,
    begun: bool,
    /// By stage: who told that it is over.
    stages: BTreeMap<String, BTreeSet<u32>>,
    look: bool,
}

impl Faults {
    /// `orders` go to the instances, by their numbers.
    pub(crate) fn new(spec: &RunSpec, orders: Vec<mpsc::Sender<Order>>, shared: Arc<Shared>) -> Self {
        let faults = tg_model::fault::draw(spec);
        let stages = faults.iter().filter_map(|fault| match &fault.trigger {
            Trigger::Stage(stage) => Some((stage.clone(), BTreeSet::new())),
            Trigger::Start | Trigger::Barrier(_) => None,
        });
        let stages = stages.collect();
        let list = faults.into_iter().map(|fault| (fault, Phase::Waiting)).collect();
        let spec = Some(Arc::new(spec.clone()));
        Self { spec, list, orders, shared: Some(shared), stages, ..Self::none() }
    }

    /// For a run without any.
    pub(crate) fn none() -> Self {
        Self {
            spec: None,
            list: Vec::new(),
            callbacks: BTreeMap::new(),
            replies: Vec::new(),
            orders: Vec::new(),
            shared: None,
            breaks: Breaks::default(),
            begun: false,
            stages: BTreeMap::new(),
            look: false,
        }
    }

    /// An instance asks for a fault. What cannot be done is refused where its author waits; gives the reason, too.
    pub(crate) fn requested(&mut self, payload: &str, now: Instant) -> Result<(), String> {
        let Some(spec) = self.spec.clone() else { return Ok(()) };
        let before: Vec<&Drawn> = self.list.iter().map(|(fault, _)| fault).collect();
        let refused = |state: Option<String>, why: String| (state, why);
        let asked = if before.len() >= spec.faults.len() + MOST_REQUESTED {
            Err(refused(None, format!("a run takes {MOST_REQUESTED} faults that its plan asks for")))
        } else {
            tg_model::fault::request(payload, &spec, &before).map_err(|bad| refused(bad.callback_state, bad.why))
        };
        let asked = asked.and_then(|asked| {
            let has_hosts = self.shared.as_ref().is_some_and(|shared| shared.hosts.is_some());
            if has_hosts || !asked.drawn.action.needs_hosts() {
                return Ok(asked);
            }
            let why = format!("`{}` needs a host of its own for each instance", asked.drawn.action.word());
            Err(refused(asked.callback_state, why))
        });
        match asked {
            Ok(Requested { drawn, callback_state }) => {
                if let Trigger::Stage(stage) = &drawn.trigger {
                    self.stages.entry(stage.clone()).or_default();
                }
                let at_once = drawn.trigger == Trigger::Start && self.begun;
                let phase = if at_once { Phase::Due(now + drawn.delay) } else { Phase::Waiting };
                self.callbacks.extend(callback_state.map(|state| (self.list.len(), state)));
                self.list.push((drawn, phase));
                Ok(())
            }
            Err((state, why)) => {
                let refused = Some(format!("the fault was not brought about: {why}"));
                self.replies.extend(state.map(|state| Reply { state, refused }));
                Err(why)
            }
        }
    }

    /// What is to be said to those who asked for faults.
    pub(crate) fn replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    fn trigger(&mut self, now: Instant, is_it: impl Fn(&Trigger) -> bool) {
        for (fault, phase) in &mut self.list {
            if *phase == Phase::Waiting && is_it(&fault.trigger) {
                *phase = Phase::Due(now + fault.delay);
            }
        }
    }

    /// All instances have been started.
    pub(crate) fn started(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.begun, true) {
            self.trigger(now, |trigger| *trigger == Trigger::Start);
        }
    }

    /// A barrier was reached; its name is without the run's prefix.
    pub(crate) fn barrier(&mut self, now: Instant, state: &str) {
        self.trigger(now, |trigger| matches!(trigger, Trigger::Barrier(name) if name == state));
    }

    /// An instance told that a stage is over.
    pub(crate) fn stage(&mut self, label: u32, stage: &str) {
        if let Some(told) = self.stages.get_mut(stage) {
            told.insert(label);
            self.look = true;
        }
    }

    /// An instance has ended: stages wait for it no more.
    pub(crate) fn ended(&mut self) {
        self.look = !self.stages.is_empty();
    }

    /// When to call [`Self::go_on`] next, at the latest.
    pub(crate) fn next(&self) -> Option<Instant> {
        let times = self.list.iter().filter_map(|(_, phase)| match phase {
            Phase::Due(at) | Phase::On(at) => Some(*at),
            Phase::Waiting | Phase::Done => None,
        });
        times.min()
    }

    /// Does what is due.
    pub(crate) fn go_on(&mut self, now: Instant, state: &mut State) {
        if std::mem::take(&mut self.look) {
            let over: Vec<String> = self
                .stages
                .iter()
                .filter(|(_, told)| !told.is_empty() && state.running().all(|label| told.contains(&label)))
                .map(|(stage, _)| stage.clone())
                .collect();
            self.trigger(now, |trigger| matches!(trigger, Trigger::Stage(stage) if over.contains(stage)));
        }
        // Ends come first: a link that one fault restores may be broken by the next at the same moment.
        let mut due: Vec<(Instant, bool, usize)> = Vec::new();
        for (number, (_, phase)) in self.list.iter().enumerate() {
            match phase {
                Phase::On(at) if *at <= now => due.push((*at, false, number)),
                Phase::Due(at) if *at <= now => due.push((*at, true, number)),
                Phase::On(_) | Phase::Due(_) | Phase::Waiting | Phase::Done => {}
            }
        }
        due.sort_unstable();
        for (_, begins, number) in due {
            if begins { self.begin(number, now, state) } else { self.end(number, state) }
        }
    }

    fn begin(&mut self, number: usize, now: Instant, state: &mut State) {
        let fault = self.list[number].0.clone();
        let mut hit = fault.hit.clone();
        hit.retain(|(label, _)| state.is_running(*label));
        let missed = fault.hit.len() - hit.len();
        let label = number_of(number);
        let mut text = None;
        match &fault.action {
            Action::Kill(_) => self.order(&hit, Order::Kill),
            Action::Pause(_) => self.order(&hit, Order::Pause),
            Action::Resume(_) => self.order(&hit, Order::Resume),
            Action::Restart(_) => self.order(&hit, Order::Halt),
            Action::Partition(_) => {
                let most = fault.hit.iter().map(|(label, _)| *label as usize + 1).max().unwrap_or(0);
                let mut sides = vec![None; most];
                for (label, side) in &fault.hit {
                    sides[*label as usize] = Some(*side);
                }
                self.breaks.partitions.push((label, sides.into()));
            }
            Action::Heal => self.breaks.partitions.clear(),
            Action::Degrade { link, .. } => {
                let of: Vec<u32> = fault.hit.iter().map(|(label, _)| *label).collect();
                let degraded =
                    Degraded { fault: label, of: of.into(), towards: fault.towards.clone().into(), link: **link };
                self.breaks.degraded.push(degraded);
                text = Some(link.to_string());
            }
        }
        if fault.action.needs_hosts() {
            self.break_links();
        }
        self.list[number].1 = fault.lasts.map_or(Phase::Done, |lasts| Phase::On(now + lasts));
        let healed: Vec<usize> = match &fault.action {
            Action::Heal => self.partitions_on().collect(),
            Action::Kill(_)
            | Action::Pause(_)
            | Action::Resume(_)
            | Action::Restart(_)
            | Action::Partition(_)
            | Action::Degrade { .. } => Vec::new(),
        };
        state.fault_began(label, fault.action.word(), &hit, text);
        self.replies.extend(self.callbacks.remove(&number).map(|state| Reply { state, refused: None }));
        for healed in healed {
            self.list[healed].1 = Phase::Done;
            state.told.push_back(EventKind::FaultEnded { fault: number_of(healed) });
        }
        if missed > 0 {
            let all = fault.hit.len();
            let text = format!(
                "fault {label} (`{}`): {missed} of the {all} instances that it was for had ended",
                fault.action.word()
            );
            state.run_note("fault-missed", text);
        }
    }

    /// Partitions that would end by themselves later.
    fn partitions_on(&self) -> impl Iterator<Item = usize> {
        let on =
            |(fault, phase): &(Drawn, Phase)| matches!((&fault.action, phase), (Action::Partition(_), Phase::On(_)));
        self.list.iter().enumerate().filter(move |(_, it)| on(it)).map(|(number, _)| number)
    }

    fn end(&mut self, number: usize, state: &mut State) {
        let (fault, phase) = &mut self.list[number];
        *phase = Phase::Done;
        let label = number_of(number);
        match &fault.action {
            Action::Pause(_) => {
                let hit = fault.hit.clone();
                self.order(&hit, Order::Resume);
            }
            Action::Restart(_) => {
                let hit = fault.hit.clone();
                self.order(&hit, Order::Begin);
            }
            Action::Partition(_) => self.breaks.partitions.retain(|(other, _)| *other != label),
            Action::Degrade { .. } => self.breaks.degraded.retain(|other| other.fault != label),
            // These do not last.
            Action::Kill(_) | Action::Resume(_) | Action::Heal => {}
        }
        if self.list[number].0.action.needs_hosts() {
            self.break_links();
        }
        state.told.push_back(EventKind::FaultEnded { fault: label });
    }

    fn order(&self, hit: &[(u32, u32)], order: Order) {
        for (label, _) in hit {
            if let Some(to) = self.orders.get(*label as usize) {
                // One that is gone needs no orders, and one with a full mailbox is one that faults hit too often.
                to.try_send(order).ok();
            }
        }
    }

    fn break_links(&self) {
        if let Some(hosts) = self.shared.as_ref().and_then(|shared| shared.hosts.as_ref()) {
            hosts.set_breaks(self.breaks.clone());
        }
    }

    /// Notes the faults that never came.
    pub(crate) fn finish(&self, state: &mut State) {
        for (number, (fault, phase)) in self.list.iter().enumerate() {
            let waited_for = match (phase, &fault.trigger) {
                (Phase::Due(_), _) => "its time".to_owned(),
                (Phase::Waiting, Trigger::Start) => "the start of all instances".to_owned(),
                (Phase::Waiting, Trigger::Barrier(name)) => format!("barrier `{name}`"),
                (Phase::Waiting, Trigger::Stage(name)) => format!("the end of stage `{name}`"),
                (Phase::On(_) | Phase::Done, _) => continue,
            };
            let text =
                format!("fault {number} (`{}`) never came: the run ended before {waited_for}", fault.action.word());
            state.run_note("fault-not-reached", text);
        }
    }
}

fn number_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
