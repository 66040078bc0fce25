//! Where a run stands, as its events say.

use std::collections::{BTreeMap, BTreeSet};

use tg_model::{EventKind, Outcome, RunEvent};

/// A barrier that someone waits at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Barrier {
    pub(super) count: u64,
    pub(super) target: u64,
}

/// Where a run stands.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) total: u64,
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) unexpected: u64,
    pub(super) tally: BTreeMap<Outcome, u64>,
    /// Builders at work.
    pub(super) builds: BTreeSet<String>,
    pub(super) barriers: BTreeMap<String, Barrier>,
    /// What the run waits for, since it stalled.
    pub(super) stalled: Option<Vec<String>>,
    /// The run is being stopped.
    pub(super) stopping: bool,
}

impl Progress {
    /// Takes an event into account.
    pub(super) fn event(&mut self, event: &RunEvent) {
        if !matches!(event.kind, EventKind::Stalled { .. }) {
            self.stalled = None;
        }
        match &event.kind {
            EventKind::RunStarted { groups, .. } => self.total = groups.iter().map(|(_, n)| u64::from(*n)).sum(),
            EventKind::BuildStarted { builder, groups } => drop(self.builds.insert(build_name(builder, groups))),
            EventKind::BuildFinished { builder, groups, .. } | EventKind::BuildFailed { builder, groups, .. } => {
                self.builds.remove(&build_name(builder, groups));
            }
            EventKind::InstanceStarted { .. } => self.started += 1,
            EventKind::InstanceFinished { outcome, as_expected, .. } => {
                self.ended += 1;
                self.unexpected += u64::from(!as_expected);
                *self.tally.entry(*outcome).or_default() += 1;
            }
            EventKind::BarrierOpened { state, target, count } => {
                self.barriers.insert(state.clone(), Barrier { count: *count, target: *target });
            }
            EventKind::BarrierReached { state, .. } => drop(self.barriers.remove(state)),
            EventKind::Stalled { waiting_for, .. } => self.stalled = Some(waiting_for.clone()),
            EventKind::CancelBegan { .. } => self.stopping = true,
            EventKind::RunFinished { .. } => self.barriers.clear(),
            EventKind::InstanceSaid { .. }
            | EventKind::InstanceNote { .. }
            | EventKind::RunNote { .. }
            | EventKind::FaultBegan { .. }
            | EventKind::FaultEnded { .. } => {}
        }
    }

    /// How many run now.
    pub(super) fn running(&self) -> u64 {
        // An instance that never started has an end, too.
        let never = self.tally.get(&Outcome::NotStarted).copied().unwrap_or(0);
        self.started.saturating_sub(self.ended.saturating_sub(never))
    }

    /// `ok 18, failed 2`.
    pub(super) fn outcomes(&self) -> String {
        words(self.tally.iter().map(|(outcome, n)| (*outcome, *n)))
    }
}

/// A build as people know it.
pub(super) fn build_name(builder: &str, groups: &[tg_model::GroupName]) -> String {
    const MOST: usize = 4;
    let mut names: Vec<&str> = groups.iter().take(MOST).map(tg_model::GroupName::as_str).collect();
    if groups.len() > MOST {
        names.push("…");
    }
    format!("{builder} for {}", names.join(", "))
}

/// `ok 18, failed 2`.
pub(super) fn words(outcomes: impl Iterator<Item = (Outcome, u64)>) -> String {
    outcomes.map(|(outcome, n)| format!("{outcome} {n}")).collect::<Vec<_>>().join(", ")
}
