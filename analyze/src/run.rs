//! The run that a dataset tells of, and its instances: the head of every report.

use std::collections::BTreeMap;

use polars::prelude::{DataType, PolarsResult, col};
use tg_model::table::{INSTANCES, RUNS};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Tone};

/// What plans call the size of a bucket, as the collector has it.
const BUCKET_PARAMS: [&str; 3] = ["bucket_size", "k", "K"];
/// The bucket of a Kademlia that does not say (Maymounkov and Mazières, 2002).
const USUAL_BUCKET: u32 = 20;

impl Dataset {
    /// The size of a bucket: the parameter `bucket_size`, `k` or `K` of the run's instances, else 20. Where instances
    /// differ it is the largest, so that no lookup is held against fewer peers than it was to return.
    pub fn bucket_size(&self) -> Result<u32, AnalyzeError> {
        let Some(scan) = self.scan(&INSTANCES)? else { return Ok(USUAL_BUCKET) };
        let rows = self.collect(&INSTANCES, scan.select([col("params")]))?;
        let params = frame::maps(&rows, "params").map_err(|source| self.unreadable(&INSTANCES, source))?;
        let of = |params: &BTreeMap<String, String>| {
            let size = BUCKET_PARAMS.iter().find_map(|name| params.get(*name)?.parse::<u32>().ok());
            size.filter(|size| (1..=10_000).contains(size))
        };
        Ok(params.iter().filter_map(of).max().unwrap_or(USUAL_BUCKET))
    }
}

/// The row of table `runs`.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) plan: Option<String>,
    pub(crate) case: Option<String>,
    pub(crate) backend: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) start_ns: Option<i64>,
    pub(crate) end_ns: Option<i64>,
    pub(crate) instances: u64,
    pub(crate) verdict: String,
    /// The network that was asked for, as JSON.
    pub(crate) network: Option<String>,
}

impl Run {
    /// The run, if the dataset knows it.
    pub(crate) fn read(dataset: &Dataset) -> Result<Option<Self>, AnalyzeError> {
        let Some(scan) = dataset.scan(&RUNS)? else { return Ok(None) };
        let time = |name: &str| col(name).cast(DataType::Int64);
        let plan = scan.select([
            col("run_id"),
            col("plan"),
            col("case"),
            col("backend"),
            col("seed"),
            time("start_ts"),
            time("end_ts"),
            col("instances"),
            col("verdict"),
            col("network"),
        ]);
        let rows = dataset.collect(&RUNS, plan)?;
        let read = || -> PolarsResult<Option<Self>> {
            let Some(id) = first(frame::text(&rows, "run_id")?) else { return Ok(None) };
            Ok(Some(Self {
                id,
                plan: first(frame::text(&rows, "plan")?),
                case: first(frame::text(&rows, "case")?),
                backend: first(frame::text(&rows, "backend")?),
                seed: first(frame::counts(&rows, "seed")?),
                start_ns: first(frame::ints(&rows, "start_ts")?),
                end_ns: first(frame::ints(&rows, "end_ts")?),
                instances: first(frame::counts(&rows, "instances")?).unwrap_or(0),
                verdict: first(frame::text(&rows, "verdict")?).unwrap_or_default(),
                network: first(frame::text(&rows, "network")?),
            }))
        };
        read().map_err(|source| dataset.unreadable(&RUNS, source))
    }

    /// `plan:case`, as far as it is known.
    pub(crate) fn plan_and_case(&self) -> Option<String> {
        match (&self.plan, &self.case) {
            (Some(plan), Some(case)) => Some(format!("{plan}:{case}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        }
    }

    /// From begin to end, where both are known.
    pub(crate) fn duration_ns(&self) -> Option<i64> {
        self.end_ns?.checked_sub(self.start_ns?)
    }
}

fn first<T>(values: Vec<Option<T>>) -> Option<T> {
    values.into_iter().next().flatten()
}

/// When an instance lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The first nanosecond.
    pub(crate) from: i64,
    /// The first nanosecond after it.
    pub(crate) until: i64,
    /// Whether the end is more than a guess.
    pub(crate) end_known: bool,
}

/// A row of table `instances`.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) number: u32,
    pub(crate) group: String,
    pub(crate) group_seq: u32,
    pub(crate) peer_idx: Option<u32>,
    pub(crate) outcome: String,
    pub(crate) role: Option<String>,
    pub(crate) dialable: Option<bool>,
    pub(crate) region: Option<String>,
    pub(crate) as_expected: Option<bool>,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
}

impl Instance {
    /// `group/3`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.group, self.group_seq)
    }

    /// Whether it ended well: as expected where that is known, else with `ok`.
    pub(crate) fn is_well(&self) -> bool {
        self.as_expected.unwrap_or(self.outcome == "ok")
    }

    /// From when until before when it lived, of what table `instances` says of its begin and end. Of a run that tg ran
    /// it is known; else the files only tell of an end that the instance itself announced, and one that fell silent
    /// counts as alive to the end.
    pub(crate) fn life(&self, start_ns: Option<i64>, end_ns: Option<i64>) -> Life {
        if self.outcome == "not-started" {
            return Life { from: i64::MAX, until: i64::MAX, end_known: true };
        }
        if self.as_expected.is_some() {
            let (from, until) = (start_ns.unwrap_or(i64::MIN), end_ns.unwrap_or(i64::MAX));
            return Life { from, until, end_known: true };
        }
        if matches!(self.outcome.as_str(), "ok" | "failed" | "crashed") {
            return Life { from: i64::MIN, until: end_ns.unwrap_or(i64::MAX), end_known: true };
        }
        Life { from: i64::MIN, until: i64::MAX, end_known: false }
    }

    /// Every instance, by its number; none if the dataset does not know them.
    pub(crate) fn read_all(dataset: &Dataset) -> Result<Vec<Self>, AnalyzeError> {
        let Some(scan) = dataset.scan(&INSTANCES)? else { return Ok(Vec::new()) };
        let columns = [
            "instance",
            "group",
            "group_seq",
            "peer_idx",
            "outcome",
            "role",
            "region",
            "dialable",
            "as_expected",
            "reason",
            "error",
        ]
        .map(col);
        let rows = dataset.collect(&INSTANCES, scan.select(columns))?;
        let read = || -> PolarsResult<Vec<Self>> {
            let mut peers = frame::indices(&rows, "peer_idx")?.into_iter();
            let mut seqs = frame::indices(&rows, "group_seq")?.into_iter();
            let mut groups = frame::text(&rows, "group")?.into_iter();
            let mut outcomes = frame::text(&rows, "outcome")?.into_iter();
            let mut roles = frame::text(&rows, "role")?.into_iter();
            let mut regions = frame::text(&rows, "region")?.into_iter();
            let mut dialable = frame::flags(&rows, "dialable")?.into_iter();
            let mut expected = frame::flags(&rows, "as_expected")?.into_iter();
            let mut reasons = frame::text(&rows, "reason")?.into_iter();
            let mut errors = frame::text(&rows, "error")?.into_iter();
            let mut instances: Vec<Self> = frame::indices(&rows, "instance")?
                .into_iter()
                .map(|number| Self {
                    number: number.unwrap_or_default(),
                    group: groups.next().flatten().unwrap_or_default(),
                    group_seq: seqs.next().flatten().unwrap_or_default(),
                    peer_idx: peers.next().flatten(),
                    outcome: outcomes.next().flatten().unwrap_or_default(),
                    role: roles.next().flatten(),
                    dialable: dialable.next().flatten(),
                    region: regions.next().flatten(),
                    as_expected: expected.next().flatten(),
                    reason: reasons.next().flatten(),
                    error: errors.next().flatten(),
                })
                .collect();
            instances.sort_by_key(|instance| instance.number);
            Ok(instances)
        };
        read().map_err(|source| dataset.unreadable(&INSTANCES, source))
    }
}

/// How many instances each group has.
pub(crate) fn group_sizes(instances: &[Instance]) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for instance in instances {
        *sizes.entry(instance.group.clone()).or_insert(0) += 1;
    }
    sizes
}

/// A verdict with its tone.
pub(crate) fn verdict_cell(verdict: &str) -> Cell {
    Cell::Word(verdict.to_owned(), verdict_tone(verdict))
}

/// How a verdict is meant.
pub(crate) fn verdict_tone(verdict: &str) -> Tone {
    match verdict {
        "passed" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Warn,
    }
}
