//! What is known of a run while it goes on. It is fed by one loop and does no input or output of its own.
//!
//! Invariants: every instance gets exactly one `InstanceFinished`, nothing is said of an instance after it, and
//! `RunFinished` comes last.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use tg_model::event::{CancelReason, Claim, EventKind, Tally};
use tg_model::outcome::{Evidence, Expect, Stopped};
use tg_model::spec::RunSpec;
use tg_model::{InstanceId, Outcome, Verdict};

use crate::claims;
use crate::clock::ns;
use crate::instance::End;
use crate::isolation::Refused;
use crate::scan::{Claims, Found};
use crate::sync::Seen;

/// The most remarks about one instance; a hostile one could cause any number.
const MAX_NOTES: usize = 32;

/// Where an instance stands.
#[derive(Debug)]
enum Phase {
    Waiting,
    Running,
    /// Its process is gone, but its connection to the sync service is not seen to be closed yet.
    Closing(Box<End>),
    Finished(Outcome),
}

#[derive(Debug)]
struct Slot {
    id: InstanceId,
    expect: Expect,
    phase: Phase,
    /// What it claimed over the sync service.
    claims: Claims,
    /// It has used the sync service and its connection is not seen to be closed.
    connected: bool,
    said: Vec<Claim>,
    notes: Vec<(Cow<'static, str>, String)>,
}

/// The state of one run.
#[derive(Debug)]
pub(crate) struct State {
    slots: Vec<Slot>,
    /// What is to be told, in order.
    pub(crate) told: VecDeque<EventKind>,
    waiting: usize,
    unfinished: usize,
    unexpected: usize,
    tally: Tally,
    reason: Option<CancelReason>,
}

impl State {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let slots: Vec<Slot> = spec
            .groups
            .iter()
            .flat_map(|group| (0..group.count).map(move |index| (group, index)))
            .map(|(group, index)| Slot {
                id: InstanceId { group: group.name.clone(), index },
                expect: group.expect,
                phase: Phase::Waiting,
                claims: Claims::default(),
                connected: false,
                said: Vec::new(),
                notes: Vec::new(),
            })
            .collect();
        let (waiting, unfinished) = (slots.len(), slots.len());
        let tally = spec.groups.iter().map(|group| (group.name.clone(), std::collections::BTreeMap::new())).collect();
        Self { slots, told: VecDeque::new(), waiting, unfinished, unexpected: 0, tally, reason: None }
    }

    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = &InstanceId> {
        self.slots.iter().map(|slot| &slot.id)
    }

    /// Every instance has been started, or has ended without.
    pub(crate) fn all_started(&self) -> bool {
        self.waiting == 0
    }

    pub(crate) fn all_finished(&self) -> bool {
        self.unfinished == 0
    }

    /// Where an instance stands, in a word, if it is not running.
    pub(crate) fn standing(&self, label: u32) -> Option<&'static str> {
        match self.slots.get(label as usize)?.phase {
            Phase::Waiting => Some("not started yet"),
            Phase::Running => None,
            Phase::Closing(_) => Some("ended"),
            Phase::Finished(outcome) => Some(outcome.as_str()),
        }
    }

    /// Whether an instance has a process now.
    pub(crate) fn is_running(&self, label: u32) -> bool {
        self.slots.get(label as usize).is_some_and(|slot| matches!(slot.phase, Phase::Running))
    }

    /// The instances that have not ended.
    pub(crate) fn running(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.slots).filter(|(_, slot)| matches!(slot.phase, Phase::Waiting | Phase::Running)).map(|(n, _)| n)
    }

    /// A fault has begun.
    pub(crate) fn fault_began(&mut self, fault: u32, action: &str, hit: &[(u32, u32)], text: Option<String>) {
        let ids = hit.iter().filter_map(|(label, side)| Some((self.slots.get(*label as usize)?.id.clone(), *side)));
        let hit = ids.collect();
        self.told.push_back(EventKind::FaultBegan { fault, action: action.to_owned(), hit, text });
    }

    pub(crate) fn began(&mut self, label: u32, pid: Option<u32>) {
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        if matches!(slot.phase, Phase::Waiting) {
            slot.phase = Phase::Running;
            self.waiting -= 1;
            self.told.push_back(EventKind::InstanceStarted { instance: slot.id.clone(), pid });
        }
    }

    pub(crate) fn found(&mut self, label: u32, found: Found) {
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        if matches!(slot.phase, Phase::Finished(_)) {
            return;
        }
        match found {
            Found::Claim(claim, text) => slot.say(claim, text, &mut self.told),
            Found::Note(reason, text) => slot.note(reason, text, &mut self.told),
            // Faults may wait for it; nobody is told.
            Found::StageEnd(_) => {}
        }
    }

    pub(crate) fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Published { from: Some(label), topic, payload, .. } => self.published(label, &topic, &payload),
            // Without a label nobody can say whose it is; stdout has the same.
            Seen::Published { from: None, .. } | Seen::Gone { from: None } => {}
            Seen::BarrierOpened { state, target, count } => {
                self.told.push_back(EventKind::BarrierOpened { state: short_state(&state), target, count });
            }
            Seen::BarrierReached { state, target, waited } => {
                let waited_ns = ns(waited);
                self.told.push_back(EventKind::BarrierReached { state: short_state(&state), target, waited_ns });
            }
            Seen::Gone { from: Some(label) } => {
                if let Some(slot) = self.slots.get_mut(label as usize) {
                    slot.connected = false;
                }
                self.close(label);
            }
            Seen::Odd { from: Some(label), reason, text } => self.found(label, Found::Note(reason, text)),
            Seen::Odd { from: None, reason, text } => self.run_note(reason, text),
        }
    }

    fn published(&mut self, label: u32, topic: &str, payload: &str) {
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        slot.connected = true;
        if topic.ends_with(":run_events") {
            let said = claims::of_payload(payload);
            let found = said.map(|said| slot.claims.take(said, slot.id.group.as_str()));
            found.unwrap_or_default().into_iter().for_each(|found| self.found(label, found));
        } else if topic.contains(":topics:network:") {
            let text = "it asked for a network configuration; this backend has no network of its own, so nothing was applied and its callback state was not signalled";
            self.found(label, Found::Note("network-not-applied", text.to_owned()));
        }
    }

    /// A fault that an instance asked for was refused.
    pub(crate) fn fault_refused(&mut self, label: Option<u32>, why: &str) {
        let text = format!("a fault that the plan asked for was not brought about: {why}");
        match label {
            Some(label) => self.found(label, Found::Note("fault-failed", text)),
            None => self.run_note("fault-failed", text),
        }
    }

    /// The sidecar could not do what an instance asked.
    pub(crate) fn refused(&mut self, refused: Refused) {
        match refused.label {
            Some(label) => self.found(label, Found::Note("network-not-applied", refused.text)),
            None => self.run_note("network-not-applied", refused.text),
        }
    }

    /// The process of an instance is gone. Returns whether its connection is still to be waited for.
    pub(crate) fn ended(&mut self, end: End) -> bool {
        let label = end.label;
        let Some(slot) = self.slots.get_mut(label as usize) else { return false };
        match slot.phase {
            Phase::Waiting => self.waiting -= 1,
            Phase::Running => {}
            Phase::Closing(_) | Phase::Finished(_) => return false,
        }
        slot.phase = Phase::Closing(Box::new(end));
        if slot.connected {
            return true;
        }
        self.close(label);
        false
    }

    /// Finishes an instance whose process is gone.
    pub(crate) fn close(&mut self, label: u32) {
        let Some(slot) = self.slots.get_mut(label as usize) else { return };
        if !matches!(slot.phase, Phase::Closing(_)) {
            return;
        }
        let Phase::Closing(end) = std::mem::replace(&mut slot.phase, Phase::Waiting) else { return };
        let End { not_started, lost, oom, evicted, ended, stopped, drained, notes, elapsed, .. } = *end;
        for (reason, text) in notes {
            slot.note(reason, text, &mut self.told);
        }
        let evidence = Evidence {
            not_started,
            lost,
            oom,
            evicted,
            ended,
            stopped,
            successes: drained.claims.successes.max(slot.claims.successes),
            failure: drained.claims.failure.or(slot.claims.failure.take()),
            crash: drained.claims.crash.or(slot.claims.crash.take()),
            panic: drained.panic,
        };
        let claims = [
            (Claim::Success, evidence.successes > 0, None),
            (Claim::Failure, evidence.failure.is_some(), evidence.failure.clone()),
            (Claim::Crash, evidence.crash.is_some(), evidence.crash.clone()),
        ];
        for (claim, made, text) in claims {
            if made {
                slot.say(claim, text, &mut self.told);
            }
        }
        let (outcome, reason) = evidence.outcome();
        // What tg killed on purpose did what was expected of it.
        let on_purpose = outcome == Outcome::Killed && evidence.stopped == Some(Stopped::Fault);
        let as_expected = on_purpose || slot.expect.met_by(outcome, evidence.exit_code());
        slot.phase = Phase::Finished(outcome);
        let instance = slot.id.clone();
        self.unfinished -= 1;
        self.unexpected += usize::from(!as_expected);
        *self.tally.entry(instance.group.clone()).or_default().entry(outcome).or_default() += 1;
        let elapsed_ns = elapsed.map(ns);
        self.told.push_back(EventKind::InstanceFinished {
            instance,
            outcome,
            as_expected,
            reason,
            evidence,
            elapsed_ns,
        });
    }

    /// Finishes every instance that waits for its connection only.
    pub(crate) fn close_all(&mut self) {
        for label in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            self.close(label);
        }
    }

    pub(crate) fn run_note(&mut self, reason: &str, text: impl Into<String>) {
        self.told.push_back(EventKind::RunNote { reason: reason.to_owned(), text: text.into() });
    }

    /// The run is being stopped; a reason that is outranked by an earlier one is not told.
    pub(crate) fn cancelling(&mut self, reason: CancelReason) {
        if self.reason.is_none_or(|before| before < reason) {
            self.reason = Some(reason);
            self.told.push_back(EventKind::CancelBegan { reason });
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.reason {
            Some(CancelReason::Signal | CancelReason::SecondSignal | CancelReason::ReporterFailed) => {
                Verdict::Cancelled
            }
            None if self.unexpected == 0 => Verdict::Passed,
            Some(CancelReason::Deadline) | None => Verdict::Failed,
        }
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(crate) fn finish(&mut self, elapsed: Duration) {
        let (verdict, tally) = (self.verdict(), self.tally.clone());
        self.told.push_back(EventKind::RunFinished { verdict, tally, elapsed_ns: ns(elapsed) });
    }
}

impl Slot {
    fn say(&mut self, claim: Claim, text: Option<String>, told: &mut VecDeque<EventKind>) {
        if !self.said.contains(&claim) {
            self.said.push(claim);
            told.push_back(EventKind::InstanceSaid { instance: self.id.clone(), claim, text });
        }
    }

    fn note(&mut self, reason: impl Into<Cow<'static, str>>, text: String, told: &mut VecDeque<EventKind>) {
        let reason = reason.into();
        if self.notes.len() >= MAX_NOTES || self.notes.iter().any(|note| note.0 == reason && note.1 == text) {
            return;
        }
        told.push_back(EventKind::InstanceNote {
            instance: self.id.clone(),
            reason: reason.clone().into_owned(),
            text: text.clone(),
        });
        self.notes.push((reason, text));
    }
}

/// The name of a state without the run's prefix.
pub(crate) fn short_state(key: &str) -> String {
    key.split_once(":states:").map_or(key, |(_, state)| state).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tg_model::outcome::Ended;
    use tg_model::spec::{BuildSpec, GroupSpec, Resources};

    use super::*;

    fn state(counts: &[u32]) -> State {
        let group = |(number, count): (usize, &u32)| GroupSpec {
            name: format!("g{number}").parse().expect("a name"),
            count: *count,
            params: BTreeMap::new(),
            build: BuildSpec {
                builder: "exec:generic".to_owned(),
                config: toml::Table::new(),
                selectors: Vec::new(),
                dependencies: Vec::new(),
                extra_sources: Vec::new(),
            },
            artifact: None,
            profiles: BTreeMap::new(),
            resources: Resources::default(),
            expect: Expect::Ok,
        };
        State::new(&RunSpec {
            plan: "p".to_owned(),
            plan_dir: "p".into(),
            case: "c".to_owned(),
            backend: "local:exec".to_owned(),
            run_config: toml::Table::new(),
            seed: 0,
            groups: counts.iter().enumerate().map(group).collect(),
            faults: Vec::new(),
            network: None,
            disable_metrics: false,
            concurrent_builds: 0,
            deadline: None,
            composition: None,
            config: BTreeMap::new(),
            repeat: 0,
            repeats: 1,
        })
    }

    #[derive(Debug, Clone)]
    enum Input {
        Began(u32),
        Found(u32, bool),
        Published(u32, &'static str),
        Gone(u32),
        Ended(u32, i32, bool),
        NotStarted(u32),
        CloseAll,
        Cancel(CancelReason),
    }

    fn inputs() -> impl Strategy<Value = Vec<Input>> {
        // Labels beyond the run's five instances must do no harm.
        let label = 0..7_u32;
        let payload = prop::sample::select(vec![
            r#"{"success_event":{"group":"g0"}}"#,
            r#"{"failure_event":{"group":"g1","error":"e"}}"#,
            r#"{"dance_event":{}}"#,
            "7",
        ]);
        let reason =
            prop::sample::select(vec![CancelReason::Deadline, CancelReason::Signal, CancelReason::SecondSignal]);
        prop::collection::vec(
            prop_oneof![
                label.clone().prop_map(Input::Began),
                (label.clone(), any::<bool>()).prop_map(|(label, claim)| Input::Found(label, claim)),
                (label.clone(), payload).prop_map(|(label, payload)| Input::Published(label, payload)),
                label.clone().prop_map(Input::Gone),
                (label.clone(), 0..2, any::<bool>())
                    .prop_map(|(label, code, stopped)| Input::Ended(label, code, stopped)),
                label.prop_map(Input::NotStarted),
                Just(Input::CloseAll),
                reason.prop_map(Input::Cancel),
            ],
            0..60,
        )
    }

    fn feed(state: &mut State, input: &Input) {
        match *input {
            Input::Began(label) => state.began(label, Some(1)),
            Input::Found(label, true) => state.found(label, Found::Claim(Claim::Success, None)),
            Input::Found(label, false) => state.found(label, Found::Note("long-line", String::new())),
            Input::Published(label, payload) => state.seen(Seen::Published {
                from: Some(label),
                topic: "run:r:plan:p:case:c:run_events".to_owned(),
                seq: 1,
                payload: payload.to_owned(),
            }),
            Input::Gone(label) => state.seen(Seen::Gone { from: Some(label) }),
            Input::Ended(label, code, stopped) => {
                let stopped = stopped.then_some(Stopped::Cancel);
                state.ended(End { label, ended: Some(Ended::Code(code)), stopped, ..End::default() });
            }
            Input::NotStarted(label) => {
                state.ended(End { label, not_started: Some("no".to_owned()), ..End::default() });
            }
            Input::CloseAll => state.close_all(),
            Input::Cancel(reason) => state.cancelling(reason),
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_each_instance_is_finished_once_and_last(inputs in inputs()) {
            let mut state = state(&[3, 2]);
            for input in &inputs {
                feed(&mut state, input);
            }
            // A run ends with an end for everyone, and no more waiting.
            for label in 0..5 {
                feed(&mut state, &Input::Ended(label, 0, false));
            }
            state.close_all();
            prop_assert!(state.all_finished() && state.all_started());
            state.finish(Duration::ZERO);
            let mut finished = std::collections::BTreeSet::new();
            let told: Vec<EventKind> = state.told.into();
            for kind in &told {
                match kind {
                    EventKind::InstanceFinished { instance, outcome, evidence, .. } => {
                        prop_assert!(finished.insert(instance.to_string()), "twice: {}", instance);
                        prop_assert_eq!(*outcome, evidence.outcome().0);
                    }
                    EventKind::InstanceStarted { instance, .. }
                    | EventKind::InstanceSaid { instance, .. }
                    | EventKind::InstanceNote { instance, .. } => {
                        prop_assert!(!finished.contains(&instance.to_string()), "said after the end: {:?}", kind);
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(finished.len(), 5);
            let Some(EventKind::RunFinished { tally, .. }) = told.last() else { panic!("{told:?}") };
            let counted: u32 = tally.values().flat_map(BTreeMap::values).sum();
            prop_assert_eq!(counted, 5);
        }
    }
}
