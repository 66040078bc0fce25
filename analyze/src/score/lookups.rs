//! The lookups of a dataset, each with its score.

use std::collections::HashMap;

use polars::prelude::{DataType, Expr, PolarsResult, col, lit};
use rayon::prelude::*;
use tg_model::table::{QUERIES, QUERY_EVENTS};

use super::effort::{Effort, effort};
use super::find::find;
use super::keyspace::Member;
use super::result::{Returned, Score, Truth, score};
use super::steps::each_lookup;
use super::trace::Trace;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::routing::{Place, World};
use crate::run::Instance;

/// A row of table `queries`, as far as its score needs it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookup {
    /// Its number in the run.
    pub query: u64,
    /// Its own id as written.
    pub id: Option<String>,
    /// The instance that looked: `group/3`.
    pub instance: String,
    /// The group of it.
    pub group: String,
    /// Its peer.
    pub own: Option<u32>,
    /// What it was for.
    pub op: String,
    /// The target as text.
    pub target: Option<String>,
    /// The target's place.
    pub place: Option<Place>,
    /// When it began, in nanoseconds since the epoch.
    pub start_ns: Option<i64>,
    /// When the operation ended, as the plan measured it where it did.
    pub end_ns: Option<i64>,
    /// When its closest set was final: the step that ended it, else the end of the operation.
    pub settled_ns: Option<i64>,
    /// From begin to end.
    pub duration_ns: Option<i64>,
    /// done, fail, incomplete or error.
    pub status: Option<String>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Results found.
    pub found: Option<u32>,
    /// Results that there should have been.
    pub expected: Option<u32>,
    /// The final closest set, nearest first.
    pub closest: Vec<u32>,
    /// Whether steps of it were written, and not only that it took place.
    pub has_steps: bool,
    /// Its score; there is none without steps, a target's place, or a moment at which it settled.
    pub score: Option<Score>,
    /// What it spent, if that was asked for.
    pub effort: Option<Effort>,
}

impl Lookup {
    /// How it ended, in a word: the reason, else the status.
    pub fn ended(&self) -> &str {
        self.reason.as_deref().or(self.status.as_deref()).unwrap_or("unknown")
    }

    /// Whether it ran to its own end: everybody near was asked.
    pub fn is_complete(&self) -> bool {
        self.reason.as_deref() == Some("completed")
    }

    /// Whether it found what it was for.
    pub fn is_done(&self) -> bool {
        self.status.as_deref() == Some("done")
    }

    /// The first `k` of the final closest set.
    pub fn returned(&self, k: u32) -> &[u32] {
        &self.closest[..self.closest.len().min(k as usize)]
    }
}

/// The lookups of a run and who was really there.
#[derive(Debug, Clone)]
pub struct Scored {
    /// How many peers a lookup is to return.
    pub k: u32,
    /// All peers.
    pub world: World,
    /// The run's instances, by place.
    pub truth: Truth,
    /// Every lookup, by its number.
    pub lookups: Vec<Lookup>,
}

impl Scored {
    /// Reads and scores every lookup of a dataset; steps are not read.
    ///
    /// Cost: the keyspace is sorted once; then O(k log² n) a lookup, in parallel.
    pub fn read(dataset: &Dataset, k: u32) -> Result<Self, AnalyzeError> {
        Self::read_those(dataset, k, &lit(true))
    }

    /// The same of one lookup: of the rows of others only those in its neighbourhood are looked at.
    pub(super) fn read_one(dataset: &Dataset, k: u32, number: u64) -> Result<Self, AnalyzeError> {
        Self::read_those(dataset, k, &col("query_id").eq(lit(number)))
    }

    fn read_those(dataset: &Dataset, k: u32, which: &Expr) -> Result<Self, AnalyzeError> {
        if k == 0 {
            return Err(AnalyzeError::Question(
                "of 0 peers none can be right: choose a `--k` of at least 1".to_owned(),
            ));
        }
        let world = World::read(dataset)?;
        let truth = Truth::new(&world);
        let mut lookups = read(dataset, which)?;
        settle(dataset, which, &mut lookups)?;
        lookups.par_iter_mut().for_each(|lookup| {
            let (Some(target), Some(end_ns), true) = (lookup.place, lookup.settled_ns, lookup.has_steps) else {
                return;
            };
            let place = |&number: &u32| (number, world.peer(number).and_then(|peer| peer.place));
            let peers: Vec<(u32, Option<Place>)> = lookup.returned(k).iter().map(place).collect();
            let returned = Returned { target, own: lookup.own, end_ns, peers: &peers };
            lookup.score = Some(score(&truth, &returned, k));
        });
        Ok(Self { k, world, truth, lookups })
    }

    /// How many servers were alive at each of the moments.
    ///
    /// A server is alive if it has come and not gone. Cost: O((n + m) log n) for n servers and m moments.
    pub fn alive_at(&self, moments_ns: &[i64]) -> Vec<f64> {
        let sorted = |of: fn(&Member) -> i64| {
            let mut times: Vec<i64> = self.truth.servers.members().iter().map(of).collect();
            times.sort_unstable();
            times
        };
        let (came, gone) = (sorted(|member| member.from), sorted(|member| member.until));
        let until = |times: &[i64], moment: i64| times.partition_point(|&time| time <= moment);
        moments_ns.iter().map(|&moment| (until(&came, moment) - until(&gone, moment)) as f64).collect()
    }

    /// Reads the steps of every lookup and adds up what each spent.
    pub fn add_efforts(&mut self, dataset: &Dataset) -> Result<(), AnalyzeError> {
        let Some(last) = self.lookups.last().map(|lookup| lookup.query) else { return Ok(()) };
        let (world, k) = (&self.world, self.k);
        let place = |number: u32| world.peer(number).and_then(|peer| peer.place);
        let lookups = &mut self.lookups;
        each_lookup(dataset, last, |steps| {
            let query = steps.first().map(|step| step.query);
            let Some(at) = query.and_then(|query| lookups.binary_search_by_key(&query, |one| one.query).ok()) else {
                return;
            };
            let lookup = &mut lookups[at];
            if lookup.has_steps {
                let closest = lookup.returned(k);
                let trace = Trace::follow(steps, lookup.own, lookup.place, closest, place);
                lookup.effort = Some(effort(&trace, lookup.place, closest, place));
            }
        })
    }
}

/// Takes the moment at which a lookup settled from the step that ended it. A lookup whose operation has no end, because
/// the plan gave up on it, has such a step all the same; and an operation may go on after its lookup.
fn settle(dataset: &Dataset, which: &Expr, lookups: &mut [Lookup]) -> Result<(), AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERY_EVENTS)? else { return Ok(()) };
    let columns = [col("query_id"), col("ts").cast(DataType::Int64)];
    let rows = dataset
        .collect(&QUERY_EVENTS, scan.filter(which.clone().and(col("kind").eq(lit("terminate")))).select(columns))?;
    let read = || PolarsResult::Ok((frame::counts(&rows, "query_id")?, frame::ints(&rows, "ts")?));
    let (queries, times) = read().map_err(|source| dataset.unreadable(&QUERY_EVENTS, source))?;
    let mut ends: HashMap<u64, i64> = HashMap::with_capacity(queries.len());
    for (query, ts) in queries.into_iter().zip(times).filter_map(|(query, ts)| Some((query?, ts?))) {
        ends.entry(query).and_modify(|end| *end = ts.min(*end)).or_insert(ts);
    }
    for lookup in lookups {
        lookup.settled_ns = ends.get(&lookup.query).copied().or(lookup.end_ns);
    }
    Ok(())
}

/// The number of the lookup that is meant: by its number in the run, its own id, or a prefix of it that no other has.
pub(super) fn number(dataset: &Dataset, wanted: &str) -> Result<u64, AnalyzeError> {
    let id = || col("query_id");
    if let Ok(number) = wanted.parse::<u64>()
        && !names(dataset, id().eq(lit(number)))?.is_empty()
    {
        return Ok(number);
    }
    let alike = names(dataset, col("lookup").str().starts_with(lit(wanted)))?;
    if let Ok(found) = find(&alike, wanted) {
        return Ok(found.query);
    }
    // What stands near it takes all of them to say.
    let all = names(dataset, lit(true))?;
    if all.is_empty() {
        return Err(super::none(dataset));
    }
    find(&all, wanted).map(|found| found.query)
}

/// By what lookups can be named, and nothing else of them.
fn names(dataset: &Dataset, which: Expr) -> Result<Vec<Lookup>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(Vec::new()) };
    let columns = ["query_id", "lookup", "instance"].map(col);
    let rows = dataset.collect(&QUERIES, scan.filter(which).select(columns))?;
    if rows.height() == 0 {
        return Ok(Vec::new());
    }
    let instances: HashMap<u32, String> =
        Instance::read_all(dataset)?.into_iter().map(|instance| (instance.number, instance.name())).collect();
    let read = || -> PolarsResult<Vec<Lookup>> {
        let (queries, ids) = (frame::counts(&rows, "query_id")?, frame::text(&rows, "lookup")?);
        let askers = frame::indices(&rows, "instance")?;
        let lookups = queries.into_iter().zip(ids).zip(askers).filter_map(|((query, id), asker)| {
            let name = |asker| instances.get(&asker).cloned().unwrap_or_else(|| format!("instance {asker}"));
            Some(Lookup { query: query?, id, instance: name(asker?), ..Lookup::default() })
        });
        let mut lookups: Vec<Lookup> = lookups.collect();
        lookups.sort_by_key(|lookup| lookup.query);
        Ok(lookups)
    };
    read().map_err(|source| dataset.unreadable(&QUERIES, source))
}

fn read(dataset: &Dataset, which: &Expr) -> Result<Vec<Lookup>, AnalyzeError> {
    let instances: HashMap<u32, Instance> =
        Instance::read_all(dataset)?.into_iter().map(|instance| (instance.number, instance)).collect();
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(Vec::new()) };
    let names = [
        "query_id",
        "lookup",
        "instance",
        "op",
        "target",
        "target_kad",
        "duration_ns",
        "status",
        "term_reason",
        "results_found",
        "results_expected",
        "closest_idx",
        "id_quality",
    ];
    let times = ["start_ts", "end_ts"].map(|name| col(name).cast(DataType::Int64));
    let scan = scan.filter(which.clone());
    let rows = dataset.collect(&QUERIES, scan.select(names.map(col).into_iter().chain(times).collect::<Vec<_>>()))?;
    let read = || -> PolarsResult<Vec<Lookup>> {
        let (queries, askers) = (frame::counts(&rows, "query_id")?, frame::indices(&rows, "instance")?);
        let (mut ids, mut ops) = (frame::text(&rows, "lookup")?, frame::text(&rows, "op")?);
        let (mut targets, places) = (frame::text(&rows, "target")?, frame::bytes(&rows, "target_kad")?);
        let (starts, ends) = (frame::ints(&rows, "start_ts")?, frame::ints(&rows, "end_ts")?);
        let (durations, mut closest) = (frame::ints(&rows, "duration_ns")?, frame::lists(&rows, "closest_idx")?);
        let (mut statuses, mut reasons) = (frame::text(&rows, "status")?, frame::text(&rows, "term_reason")?);
        let found = frame::indices(&rows, "results_found")?;
        let expected = frame::indices(&rows, "results_expected")?;
        let qualities = frame::text(&rows, "id_quality")?;
        let mut lookups: Vec<Lookup> = (0..rows.height())
            .filter_map(|at| {
                let instance = instances.get(&askers[at]?);
                Some(Lookup {
                    query: queries[at]?,
                    id: ids[at].take(),
                    instance: instance.map_or_else(|| format!("instance {}", askers[at].unwrap_or(0)), Instance::name),
                    group: instance.map(|instance| instance.group.clone()).unwrap_or_default(),
                    own: instance.and_then(|instance| instance.peer_idx),
                    op: ops[at].take()?,
                    target: targets[at].take(),
                    place: places[at].as_deref().and_then(Place::from_slice),
                    start_ns: starts[at],
                    end_ns: ends[at],
                    settled_ns: ends[at],
                    duration_ns: durations[at],
                    status: statuses[at].take(),
                    reason: reasons[at].take(),
                    found: found[at],
                    expected: expected[at],
                    closest: closest[at].take().unwrap_or_default(),
                    has_steps: qualities[at].as_deref() != Some("metric_only"),
                    score: None,
                    effort: None,
                })
            })
            .collect();
        lookups.sort_by_key(|lookup| lookup.query);
        Ok(lookups)
    };
    read().map_err(|source| dataset.unreadable(&QUERIES, source))
}
