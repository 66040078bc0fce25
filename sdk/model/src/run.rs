//! `run.json`: what a run was, written when it begins and again when it ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Tally;
use crate::ids::{GroupName, RunId};
use crate::network::Laid;
use crate::outcome::{Expect, Verdict};

/// The version of `run.json` and `events.ndjson` that this build writes. A reader accepts the same major version.
///
/// 1.0: first. 1.1: the events `fault_began` and `fault_ended`. 1.2: `network` in `run.json`. 1.3: `machine.ndjson`.
pub const FORMAT: Format = Format { major: 1, minor: 3 };

/// A version of a stored format. A new minor version can be read by an old reader; a new major one cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Format {
    /// Changes when an old reader would misread.
    pub major: u32,
    /// Changes when something was added.
    pub minor: u32,
}

impl Format {
    /// Whether a reader of version `self` may read what was written as `written`.
    pub fn reads(self, written: Self) -> bool {
        self.major == written.major
    }
}

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// The version of this file; read it first.
    pub format: Format,
    /// The tg that made the run.
    pub tg_version: String,
    /// The run.
    pub run: RunId,
    /// The plan.
    pub plan: String,
    /// The case.
    pub case: String,
    /// The backend.
    pub backend: String,
    /// The run's seed; instances derive theirs from it.
    pub seed: u64,
    /// The groups as resolved.
    pub groups: Vec<RunGroup>,
    /// The network that the composition asked for, with every region drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Laid>,
    /// The composition's text after its template was filled in, if there was a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composition: Option<String>,
    /// Where this run stands among those that one command started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// When it began, in nanoseconds since the epoch.
    pub started_ns: u64,
    /// When it ended; absent while it goes on, or if tg died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ns: Option<u64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Outcomes by group.
    #[serde(default)]
    pub tally: Tally,
    /// Where the outputs are, if not in the run's folder: `s3://bucket/prefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<String>,
    /// The process that runs it, while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// A group of a run, with everything resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunGroup {
    /// Its name.
    pub name: GroupName,
    /// How many instances.
    pub count: u32,
    /// Their parameters.
    pub params: BTreeMap<String, String>,
    /// Who built it.
    pub builder: String,
    /// What is expected of it.
    #[serde(default)]
    pub expect: Expect,
}

/// The place of a run in a matrix with repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The first run of the command.
    pub id: RunId,
    /// The configuration: what the matrix varies, and the id of the run in the composition.
    pub config: BTreeMap<String, String>,
    /// The number of the repeat, from 0.
    pub repeat: u32,
    /// How many repeats there are.
    pub repeats: u32,
}
