//! How an instance ended, and what proves it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The closed list of ways in which an instance can end; each instance has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It said that it succeeded, and exited with 0.
    Ok,
    /// The plan said so, or a nonzero exit.
    Failed,
    /// A panic, the plan's crash event, or a signal that it raised itself.
    Crashed,
    /// A signal from outside, faults on schedule included.
    Killed,
    /// Killed for want of memory.
    Oom,
    /// Removed by the cluster.
    Evicted,
    /// Stopped at the deadline.
    TimedOut,
    /// Stopped because the run was cancelled.
    Cancelled,
    /// It never ran.
    NotStarted,
    /// It exited with 0 and never said how it went.
    Incomplete,
    /// We can no longer know.
    Lost,
}

impl Outcome {
    /// Every outcome, in the order of the reference.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Failed,
        Self::Crashed,
        Self::Killed,
        Self::Oom,
        Self::Evicted,
        Self::TimedOut,
        Self::Cancelled,
        Self::NotStarted,
        Self::Incomplete,
        Self::Lost,
    ];

    /// The word for it in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::Killed => "killed",
            Self::Oom => "oom",
            Self::Evicted => "evicted",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::NotStarted => "not-started",
            Self::Incomplete => "incomplete",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every instance ended as expected.
    Passed,
    /// At least one did not.
    Failed,
    /// The run was cancelled.
    Cancelled,
    /// The run has not ended, or nobody can know.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        })
    }
}

/// What a composition expects of the instances of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Expect {
    /// Outcome `ok`.
    #[default]
    Ok,
    /// This exit code, whatever the plan said.
    Exit(i32),
    /// Outcome `killed`.
    Killed,
    /// Any end is as expected, except that the instance never ran or is lost.
    Anything,
}

impl Expect {
    /// Whether this end was expected.
    pub fn met_by(self, outcome: Outcome, exit_code: Option<i32>) -> bool {
        match self {
            Self::Ok => outcome == Outcome::Ok,
            Self::Exit(code) => exit_code == Some(code) && !matches!(outcome, Outcome::TimedOut | Outcome::Cancelled),
            Self::Killed => outcome == Outcome::Killed,
            Self::Anything => !matches!(outcome, Outcome::NotStarted | Outcome::Lost | Outcome::Cancelled),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Exit(code) => write!(f, "exit:{code}"),
            Self::Killed => f.write_str("killed"),
            Self::Anything => f.write_str("anything"),
        }
    }
}

/// A text that is no [`Expect`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing to expect: use \"ok\", \"exit:N\", \"killed\" or \"anything\"")]
pub struct BadExpect(pub String);

impl FromStr for Expect {
    type Err = BadExpect;
    fn from_str(text: &str) -> Result<Self, BadExpect> {
        match text {
            "ok" => Ok(Self::Ok),
            "killed" => Ok(Self::Killed),
            "anything" => Ok(Self::Anything),
            _ => text
                .strip_prefix("exit:")
                .and_then(|code| code.parse().ok())
                .filter(|code| (0..=255).contains(code))
                .map(Self::Exit)
                .ok_or_else(|| BadExpect(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Expect {
    type Error = BadExpect;
    fn try_from(text: String) -> Result<Self, BadExpect> {
        text.parse()
    }
}

impl From<Expect> for String {
    fn from(expect: Expect) -> Self {
        expect.to_string()
    }
}

/// How the process ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// Why tg, or whoever runs the instance, stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The deadline of the run.
    Deadline,
    /// The run was cancelled.
    Cancel,
    /// A fault on schedule.
    Fault,
}

/// Everything that is known about one instance's end. Facts only; [`Evidence::outcome`] judges.
///
/// Success is counted and never trusted alone; of failures and crashes the first text is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// It never ran, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_started: Option<String>,
    /// We lost sight of it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// It was killed for want of memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
    /// The cluster removed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub evicted: bool,
    /// How the process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Who stopped it, when it had not ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// How often it said that it succeeded (on stdout, or, where that was silent, over the sync service).
    #[serde(skip_serializing_if = "is_zero")]
    pub successes: u32,
    /// The first failure that it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The first crash that it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<String>,
    /// The first line of a panic on stderr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Signals that a process raises against itself by a fault or an abort: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS.
const OWN_SIGNALS: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

impl Evidence {
    /// The one outcome that this evidence gives, and the reason in words. The first row that applies holds:
    ///
    /// | evidence | outcome |
    /// |---|---|
    /// | it never ran | `not-started` |
    /// | it told of a crash | `crashed` |
    /// | killed for want of memory | `oom` |
    /// | removed by the cluster | `evicted` |
    /// | it told of a failure | `failed` |
    /// | a fault on schedule stopped it | `killed` |
    /// | the deadline stopped it | `timed-out` |
    /// | a cancel stopped it | `cancelled` |
    /// | we lost sight of it | `lost` |
    /// | a signal that a process raises against itself | `crashed` |
    /// | any other signal | `killed` |
    /// | a nonzero exit with a panic on stderr | `crashed` |
    /// | a nonzero exit | `failed` |
    /// | no end is known | `lost` |
    /// | exit 0, success told once or more | `ok` |
    /// | exit 0 in silence | `incomplete` |
    pub fn outcome(&self) -> (Outcome, String) {
        if let Some(why) = &self.not_started {
            return (Outcome::NotStarted, why.clone());
        }
        if let Some(text) = &self.crash {
            return (Outcome::Crashed, format!("the plan told of a crash: {text}"));
        }
        if self.oom {
            return (Outcome::Oom, "killed for want of memory".to_owned());
        }
        if self.evicted {
            return (Outcome::Evicted, "removed by the cluster".to_owned());
        }
        if let Some(text) = &self.failure {
            return (Outcome::Failed, format!("the plan told of a failure: {text}"));
        }
        match self.stopped {
            Some(Stopped::Fault) => {
                return (Outcome::Killed, "killed by a fault on schedule".to_owned());
            }
            Some(Stopped::Deadline) => {
                return (Outcome::TimedOut, "still running at the deadline".to_owned());
            }
            Some(Stopped::Cancel) => {
                return (Outcome::Cancelled, "still running when the run was cancelled".to_owned());
            }
            None => {}
        }
        if let Some(why) = &self.lost {
            return (Outcome::Lost, why.clone());
        }
        match self.ended {
            Some(Ended::Signal(signal)) if OWN_SIGNALS.contains(&signal) => {
                (Outcome::Crashed, format!("ended by its own signal {signal}"))
            }
            Some(Ended::Signal(signal)) => (Outcome::Killed, format!("ended by signal {signal} from outside")),
            Some(Ended::Code(0)) if self.successes > 0 => {
                let told = if self.successes == 1 { String::new() } else { format!(", told {} times", self.successes) };
                (Outcome::Ok, format!("success and exit code 0{told}"))
            }
            Some(Ended::Code(0)) => (Outcome::Incomplete, "exit code 0, but it never said how it went".to_owned()),
            Some(Ended::Code(code)) => match &self.panic {
                Some(text) => (Outcome::Crashed, format!("exit code {code} after a panic: {text}")),
                None => (Outcome::Failed, format!("exit code {code}")),
            },
            None => (Outcome::Lost, "no end of it is known".to_owned()),
        }
    }

    /// The exit code, if it ended with one.
    pub fn exit_code(&self) -> Option<i32> {
        match self.ended {
            Some(Ended::Code(code)) => Some(code),
            Some(Ended::Signal(_)) | None => None,
        }
    }

    /// What went wrong in the plan's own words, if it said so.
    pub fn error(&self) -> Option<&str> {
        self.crash.as_deref().or(self.failure.as_deref()).or(self.panic.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "every field that it fills is optional")]
    fn told(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_table_of_evidence_holds_row_by_row() {
        let none = Evidence::default;
        let exit = |code| Evidence { ended: Some(Ended::Code(code)), ..none() };
        let signal = |n| Evidence { ended: Some(Ended::Signal(n)), ..none() };
        let rows = [
            (Evidence { not_started: told("no such file"), ..none() }, Outcome::NotStarted),
            (Evidence { crash: told("boom"), failure: told("f"), successes: 1, ..exit(0) }, Outcome::Crashed),
            (Evidence { oom: true, ..signal(9) }, Outcome::Oom),
            (Evidence { evicted: true, ..signal(9) }, Outcome::Evicted),
            (Evidence { failure: told("no"), successes: 1, ..exit(0) }, Outcome::Failed),
            (Evidence { failure: told("no"), stopped: Some(Stopped::Deadline), ..signal(9) }, Outcome::Failed),
            (Evidence { stopped: Some(Stopped::Fault), ..signal(9) }, Outcome::Killed),
            (Evidence { stopped: Some(Stopped::Deadline), successes: 1, ..signal(15) }, Outcome::TimedOut),
            (Evidence { stopped: Some(Stopped::Cancel), ..exit(0) }, Outcome::Cancelled),
            (Evidence { lost: told("agent gone"), successes: 1, ..none() }, Outcome::Lost),
            (signal(11), Outcome::Crashed),
            (Evidence { successes: 1, ..signal(6) }, Outcome::Crashed),
            (Evidence { successes: 1, ..signal(9) }, Outcome::Killed),
            (Evidence { panic: told("panicked at"), ..exit(101) }, Outcome::Crashed),
            (Evidence { panic: told("panicked at"), successes: 1, ..exit(0) }, Outcome::Ok),
            (Evidence { successes: 1, ..exit(3) }, Outcome::Failed),
            (none(), Outcome::Lost),
            (Evidence { successes: 1, ..exit(0) }, Outcome::Ok),
            (Evidence { successes: 2, ..exit(0) }, Outcome::Ok),
            (exit(0), Outcome::Incomplete),
        ];
        for (evidence, wanted) in rows {
            assert_eq!(evidence.outcome().0, wanted, "{evidence:?}");
        }
    }

    #[test]
    fn expectations_turn_outcomes_into_a_verdict() {
        assert!(Expect::Exit(3).met_by(Outcome::Failed, Some(3)) && !Expect::Exit(3).met_by(Outcome::Failed, Some(4)));
        assert!(Expect::Killed.met_by(Outcome::Killed, None) && !Expect::Killed.met_by(Outcome::Ok, Some(0)));
        assert!(Expect::Anything.met_by(Outcome::Crashed, Some(101)) && !Expect::Anything.met_by(Outcome::Lost, None));
        assert!("exit:x".parse::<Expect>().is_err() && "exit:256".parse::<Expect>().is_err());
        for text in ["ok", "exit:3", "killed", "anything"] {
            assert_eq!(text.parse::<Expect>().expect("known").to_string(), text);
        }
    }

    #[test]
    fn words_in_files_are_those_of_the_list() {
        for outcome in Outcome::ALL {
            let json = serde_json::to_string(&outcome).expect("a plain enum");
            assert_eq!(json, format!("\"{outcome}\""));
        }
    }
}
