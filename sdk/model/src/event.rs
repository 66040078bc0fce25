//! What the runner says of a run: the only interface between the engine and whoever shows or stores it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{GroupName, InstanceId, RunId};
use crate::outcome::{Evidence, Outcome, Verdict};

/// How often each outcome occurred, by group.
pub type Tally = BTreeMap<GroupName, BTreeMap<Outcome, u32>>;

/// One event of a run; a line of `events.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEvent {
    /// Its number in the run, from 1, without gaps.
    pub seq: u64,
    /// When, in nanoseconds since the epoch.
    pub ts: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// Its id.
        run: RunId,
        /// The plan.
        plan: String,
        /// The case.
        case: String,
        /// Instances by group, in the order of the composition.
        groups: Vec<(GroupName, u32)>,
        /// The run's seed.
        seed: u64,
        /// The backend.
        backend: String,
    },
    /// A build began.
    BuildStarted {
        /// The builder.
        builder: String,
        /// The groups that use what it makes.
        groups: Vec<GroupName>,
    },
    /// A build ended well.
    BuildFinished {
        /// The builder.
        builder: String,
        /// The groups that use what it made.
        groups: Vec<GroupName>,
        /// Nothing had changed since an earlier build.
        cached: bool,
        /// How long it took.
        elapsed_ns: u64,
    },
    /// A build failed; no instance is started.
    BuildFailed {
        /// The builder.
        builder: String,
        /// The groups that wanted it.
        groups: Vec<GroupName>,
        /// The command that failed.
        command: String,
        /// The compiler's own words (the last part of them, if there are many).
        output: String,
    },
    /// An instance was started.
    InstanceStarted {
        /// Which.
        instance: InstanceId,
        /// Its process, if it has one here.
        pid: Option<u32>,
    },
    /// An instance told how it goes, for the first time in this way.
    InstanceSaid {
        /// Which.
        instance: InstanceId,
        /// What it told.
        claim: Claim,
        /// Its words, if any.
        text: Option<String>,
    },
    /// Something about an instance that its user should look at.
    InstanceNote {
        /// Which.
        instance: InstanceId,
        /// A short fixed word for the reason, such as `long-line` or `wrong-group`.
        reason: String,
        /// The details.
        text: String,
    },
    /// Something about the run that its user should look at.
    RunNote {
        /// A short fixed word for the reason.
        reason: String,
        /// The details.
        text: String,
    },
    /// Someone waits at a barrier.
    BarrierOpened {
        /// The state, without the run's prefix.
        state: String,
        /// How many signals it waits for.
        target: u64,
        /// How many there are.
        count: u64,
    },
    /// A barrier was reached, and its waiters released.
    BarrierReached {
        /// The state, without the run's prefix.
        state: String,
        /// How many signals it waited for.
        target: u64,
        /// From the first waiter to the release.
        waited_ns: u64,
    },
    /// Nothing has happened for a while.
    Stalled {
        /// For how long.
        quiet_ns: u64,
        /// What the run waits for, in words: "barrier `ready`: 7 of 8, missing single/3".
        waiting_for: Vec<String>,
    },
    /// A fault on schedule began.
    FaultBegan {
        /// Its number in the composition, from 0; those that plans ask for follow.
        fault: u32,
        /// What it does: `kill`, `pause`, `resume`, `restart`, `partition`, `heal` or `degrade`.
        action: String,
        /// Whom it hits, each with the side that it is on; a fault without sides has only side 0.
        hit: Vec<(InstanceId, u32)>,
        /// What becomes of the links, in words, where that is the fault.
        text: Option<String>,
    },
    /// A fault on schedule ended: a pause, a partition, a degraded link.
    FaultEnded {
        /// Its number in the composition, from 0.
        fault: u32,
    },
    /// The run is being stopped.
    CancelBegan {
        /// Why.
        reason: CancelReason,
    },
    /// An instance ended, finally.
    InstanceFinished {
        /// Which.
        instance: InstanceId,
        /// How.
        outcome: Outcome,
        /// Whether the composition expected it.
        as_expected: bool,
        /// The reason in words.
        reason: String,
        /// What proves it.
        evidence: Evidence,
        /// From its start to its end; absent if it never ran.
        elapsed_ns: Option<u64>,
    },
    /// The run ended. Always the last event.
    RunFinished {
        /// The verdict.
        verdict: Verdict,
        /// Outcomes by group.
        tally: Tally,
        /// From the first event to this.
        elapsed_ns: u64,
    },
}

/// What an instance told of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It crashed.
    Crash,
}

/// Why a run is stopped before its instances ended; a later one outranks an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// A reporter could not go on (disk full, closed pipe).
    ReporterFailed,
    /// The deadline of the run.
    Deadline,
    /// The user asked for it.
    Signal,
    /// The user asked again.
    SecondSignal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_line() {
        let event = RunEvent {
            seq: 3,
            ts: 5,
            kind: EventKind::InstanceFinished {
                instance: "single/0".parse().expect("a good id"),
                outcome: Outcome::TimedOut,
                as_expected: false,
                reason: "late".to_owned(),
                evidence: Evidence::default(),
                elapsed_ns: Some(7),
            },
        };
        let line = serde_json::to_string(&event).expect("it serialises");
        assert_eq!(
            line,
            r#"{"seq":3,"ts":5,"type":"instance_finished","instance":"single/0","outcome":"timed-out","as_expected":false,"reason":"late","evidence":{},"elapsed_ns":7}"#
        );
        assert_eq!(serde_json::from_str::<RunEvent>(&line).expect("it parses"), event);
    }

    #[test]
    fn a_tally_survives_json() {
        let mut tally = Tally::new();
        tally.entry("a".parse().expect("a name")).or_default().insert(Outcome::NotStarted, 2);
        let kind = EventKind::RunFinished { verdict: Verdict::Failed, tally, elapsed_ns: 1 };
        let line = serde_json::to_string(&RunEvent { seq: 1, ts: 2, kind: kind.clone() }).expect("it serialises");
        assert_eq!(serde_json::from_str::<RunEvent>(&line).expect("it parses").kind, kind);
    }
}
