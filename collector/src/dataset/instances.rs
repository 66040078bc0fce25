//! Who took part in a run, and how each ended: from `run.json` and `events.ndjson` where tg ran it, else from what
//! the instances wrote.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tg_model::event::EventKind;
use tg_model::layout::{EVENTS_FILE, RUN_FILE};
use tg_model::{Evidence, InstanceId, Outcome, RunEvent, RunFile, Verdict};

use super::machine::Starved;
use super::peers::Peers;
use super::rows::Rows;
use super::schema::Shape;
use super::tree::USUAL_BUCKET;
use crate::error::CollectError;
use crate::read::facts::Facts;
use crate::read::operations::MEASURED;

/// What plans call the size of a bucket.
const BUCKET_PARAMS: [&str; 3] = ["bucket_size", "k", "K"];
/// A larger bucket is no bucket.
const MOST_BUCKET: usize = 10_000;

/// A run with more instances is no run.
const MOST: u64 = 10_000_000;

/// What the runner said of an instance.
#[derive(Debug, Clone, Default)]
struct Told {
    started: Option<i64>,
    ended: Option<i64>,
    end: Option<(Outcome, bool, String, Evidence, u32)>,
}

/// What the runner said of a fault on schedule.
#[derive(Debug, Clone)]
struct Fault {
    number: u32,
    action: String,
    line: u32,
    start: i64,
    end: Option<i64>,
    hit: Vec<(u32, u32)>,
    text: Option<String>,
}

/// The instances of a run, by number.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    ids: Vec<InstanceId>,
    numbers: HashMap<InstanceId, u32>,
    told: BTreeMap<u32, Told>,
    facts: Vec<Facts>,
    faults: Vec<Fault>,
    run: Option<RunFile>,
    run_file: u32,
    events_file: u32,
    verdict: Option<Verdict>,
    ended: Option<i64>,
    /// Which instance a peer is, and the line that says so.
    owners: HashMap<String, (u32, u32, u32)>,
    places: HashMap<String, [u8; 32]>,
    /// The size of buckets, as the first instance says that does.
    bucket: Option<usize>,
    starved: Starved,
}

fn said_bucket(facts: &Facts) -> Option<usize> {
    let named = |key: &&str| facts.params.iter().find(|(name, _)| name == *key);
    BUCKET_PARAMS.iter().find_map(|key| named(key)?.1.parse().ok())
}

impl Instances {
    /// Numbers the instances that the run was to have and those that wrote something.
    pub(crate) fn new(run: Option<RunFile>, wrote: BTreeSet<InstanceId>) -> Result<Self, CollectError> {
        let mut all = wrote;
        let planned: u64 = run.iter().flat_map(|run| &run.groups).map(|group| u64::from(group.count)).sum();
        if planned > MOST {
            return Err(CollectError::TooMany { what: "instances", most: MOST });
        }
        for group in run.iter().flat_map(|run| &run.groups) {
            all.extend((0..group.count).map(|index| InstanceId { group: group.name.clone(), index }));
        }
        let ids: Vec<InstanceId> = all.into_iter().collect();
        let numbers = (0..).zip(&ids).map(|(number, id)| (id.clone(), number)).collect();
        Ok(Self { ids, numbers, run, ..Self::default() })
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn number(&self, id: &InstanceId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The files that rows about the run and its instances name.
    pub(crate) fn files(&mut self, run_file: u32, events_file: u32) {
        (self.run_file, self.events_file) = (run_file, events_file);
    }

    /// What the runner said, and on which line.
    pub(crate) fn event(&mut self, event: &RunEvent, line: u32) -> Option<u32> {
        let ts = i64::try_from(event.ts).ok();
        let of = match &event.kind {
            EventKind::InstanceStarted { instance, .. }
            | EventKind::InstanceSaid { instance, .. }
            | EventKind::InstanceNote { instance, .. }
            | EventKind::InstanceFinished { instance, .. } => self.number(instance),
            _ => None,
        };
        match (&event.kind, of) {
            (EventKind::InstanceStarted { .. }, Some(number)) => self.told.entry(number).or_default().started = ts,
            (EventKind::InstanceFinished { outcome, as_expected, reason, evidence, .. }, Some(number)) => {
                let told = self.told.entry(number).or_default();
                told.ended = ts;
                told.end = Some((*outcome, *as_expected, reason.clone(), evidence.clone(), line));
            }
            (EventKind::FaultBegan { fault, action, hit, text }, _) => {
                let mut hit: Vec<_> = hit.iter().filter_map(|(id, side)| Some((self.number(id)?, *side))).collect();
                hit.sort_unstable();
                let (number, action, text) = (*fault, action.clone(), text.clone());
                if let Some(start) = ts {
                    self.faults.push(Fault { number, action, line, start, end: None, hit, text });
                }
            }
            (EventKind::FaultEnded { fault }, _) => {
                let open = self.faults.iter_mut().rev().find(|it| it.number == *fault && it.end.is_none());
                if let Some(open) = open {
                    open.end = ts;
                }
            }
            (EventKind::RunFinished { verdict, .. }, _) => {
                self.verdict = Some(*verdict);
                self.ended = ts;
            }
            _ => {}
        }
        of
    }

    /// Takes when instances starved.
    pub(crate) fn starve(&mut self, starved: Starved) {
        self.starved = starved;
    }

    /// Whether an instance starved for a processor between these moments, as far as that was sampled.
    pub(crate) fn starved(&self, number: u32, begin: Option<i64>, end: Option<i64>) -> Option<bool> {
        let begin = begin?;
        // What never ended may have been going on until its instance ended, and nobody knows.
        self.starved.between(number, begin, end.unwrap_or(begin))
    }

    /// How many instances ended, as `run.json` says.
    fn counted(&self) -> u64 {
        self.run.iter().flat_map(|run| run.tally.values()).flat_map(|by| by.values()).map(|n| u64::from(*n)).sum()
    }

    /// What there should be by now, or will be later: notes with their instance, path, reason and text.
    pub(crate) fn missing(
        &self,
        wrote: impl Fn(&InstanceId) -> bool,
    ) -> Vec<(Option<u32>, String, &'static str, String)> {
        let mut notes = Vec::new();
        let Some(run) = &self.run else { return notes };
        if self.verdict.is_none() && run.ended_ns.is_none() {
            let text = "neither `run.json` nor the run's events say that it ended: it goes on, or it died";
            notes.push((None, RUN_FILE.to_owned(), "not-ended", text.to_owned()));
        }
        let (counted, told) = (self.counted(), self.told.values().filter(|told| told.end.is_some()).count() as u64);
        if counted > told {
            let text = format!("`run.json` counts {counted} ends of instances, and the run's events tell of {told}");
            notes.push((None, EVENTS_FILE.to_owned(), "events-missing", text));
        }
        for (&number, told) in &self.told {
            let Some(id) = self.ids.get(number as usize).filter(|id| told.started.is_some() && !wrote(id)) else {
                continue;
            };
            let text = "the instance was started, and there is no file of it".to_owned();
            notes.push((Some(number), id.to_string(), "no-files", text));
        }
        notes
    }

    /// Takes what the instances' own files say.
    pub(crate) fn learn(&mut self, mut facts: Vec<Facts>) {
        facts.sort_by_key(|facts| facts.instance);
        let at = |facts: &Facts| (facts.me_at.0, facts.me_at.1, facts.instance);
        // Who says "this is me" is believed before who only named its own end; the lower number first.
        for facts in &facts {
            if let Some(me) = &facts.me {
                self.owners.entry(me.clone()).or_insert(at(facts));
                if let Some(place) = facts.kad {
                    self.places.entry(me.clone()).or_insert(place);
                }
            }
        }
        for facts in &facts {
            if facts.me.is_none()
                && let Some(mine) = &facts.mine
            {
                self.owners.entry(mine.clone()).or_insert((0, 0, facts.instance));
            }
        }
        self.bucket = facts.iter().find_map(said_bucket);
        self.facts = facts;
    }

    /// When the run began: as its file says, else the first moment that an instance told of.
    pub(crate) fn start(&self) -> Option<i64> {
        match &self.run {
            Some(run) => i64::try_from(run.started_ns).ok(),
            None => self.facts.iter().filter_map(|facts| facts.first_ts).min(),
        }
    }

    /// What the instances are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.ids.iter().map(InstanceId::to_string)
    }

    pub(crate) fn peer_ids(&self) -> impl Iterator<Item = &str> {
        self.facts.iter().filter_map(|facts| facts.me.as_deref().or(facts.mine.as_deref()))
    }

    pub(crate) fn place(&self, peer: &str) -> Option<[u8; 32]> {
        self.places.get(peer).copied()
    }

    /// The file, line and instance that a peer is; the name of an instance stands for it.
    pub(crate) fn whose(&self, peer: &str) -> (u32, u32, Option<u32>) {
        if let Some(&(file_id, line, instance)) = self.owners.get(peer) {
            return (file_id, line, Some(instance));
        }
        (0, 0, peer.parse().ok().and_then(|id: InstanceId| self.number(&id)))
    }

    /// The peer that an instance is: as it said itself, or its name.
    pub(crate) fn peer_of(&self, number: u32, peers: &Peers) -> Option<u32> {
        let at = self.facts.binary_search_by_key(&number, |facts| facts.instance).ok();
        let own = at.map(|at| &self.facts[at]).and_then(|own| own.me.as_deref().or(own.mine.as_deref()));
        match own {
            Some(peer) => peers.idx(peer),
            None => peers.idx(&self.ids.get(number as usize)?.to_string()),
        }
    }

    /// What an instance did with provider records, if its metrics speak of one thing only.
    pub(crate) fn purpose(&self, number: u32) -> Option<&'static str> {
        let at = self.facts.binary_search_by_key(&number, |facts| facts.instance).ok()?;
        match (self.facts[at].provides, self.facts[at].finds) {
            (true, false) => Some("provide"),
            (false, true) => Some("find_providers"),
            _ => None,
        }
    }

    /// How many peers a bucket of an instance's routing table has: as its parameters say, or those of any other.
    pub(crate) fn bucket(&self, number: u32) -> usize {
        let of_group = self.ids.get(number as usize).and_then(|id| {
            let group = self.run.iter().flat_map(|run| &run.groups).find(|group| group.name == id.group)?;
            BUCKET_PARAMS.iter().find_map(|key| group.params.get(*key)?.parse().ok())
        });
        let own = || {
            let at = self.facts.binary_search_by_key(&number, |facts| facts.instance).ok()?;
            said_bucket(&self.facts[at])
        };
        let bucket = of_group.or_else(own).or(self.bucket);
        bucket.filter(|bucket| (1..=MOST_BUCKET).contains(bucket)).unwrap_or(USUAL_BUCKET)
    }

    /// Whether the plan measured operations of this kind: then one without a metric did not come to its end.
    pub(crate) fn measure(&self, op: &str) -> bool {
        let Some(at) = MEASURED.iter().position(|measured| *measured == op) else { return false };
        self.facts.iter().any(|facts| facts.measures & 1 << at != 0)
    }

    /// How an instance ended: what the runner found, or what files can prove.
    fn end(&self, number: u32, facts: Option<&Facts>) -> (Outcome, Option<bool>, String, Evidence, u32) {
        let told = self.told.get(&number);
        if let Some((outcome, as_expected, reason, evidence, line)) = told.and_then(|told| told.end.clone()) {
            return (outcome, Some(as_expected), reason, evidence, line);
        }
        if self.run.is_some() {
            let (outcome, reason) = match told {
                Some(_) => (Outcome::Lost, "it was started, and the run's events do not say how it ended"),
                None if self.counted() > self.told.len() as u64 => {
                    (Outcome::Lost, "`run.json` counts more ends than the run's events tell of")
                }
                None => (Outcome::NotStarted, "the run's events do not say that it was started"),
            };
            return (outcome, None, reason.to_owned(), Evidence::default(), 0);
        }
        let (outcome, reason) = facts
            .map_or_else(|| (Outcome::Incomplete, "it left no file that says how it ended".to_owned()), Facts::outcome);
        let evidence = Evidence {
            failure: facts.and_then(|facts| facts.failure.clone()),
            crash: facts.and_then(|facts| facts.crash.clone()),
            ..Evidence::default()
        };
        (outcome, None, reason, evidence, 0)
    }

    /// Fills table `instances` and gives the outcomes.
    pub(crate) fn fill(&self, rows: &mut Rows, peers: &Peers) -> Vec<Outcome> {
        let facts: HashMap<u32, &Facts> = self.facts.iter().map(|facts| (facts.instance, facts)).collect();
        let mut outcomes = Vec::with_capacity(self.ids.len());
        for (number, id) in (0..).zip(&self.ids) {
            let own = facts.get(&number).copied();
            let told = self.told.get(&number);
            let (outcome, as_expected, reason, evidence, line) = self.end(number, own);
            let group = self.run.iter().flat_map(|run| &run.groups).find(|group| group.name == id.group);
            let params: Vec<(String, String)> = match group {
                Some(group) => group.params.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                None => own.map(|own| own.params.clone()).unwrap_or_default(),
            };
            let signal = match evidence.ended {
                Some(tg_model::outcome::Ended::Signal(signal)) => Some(signal),
                _ => None,
            };
            rows.row(if line > 0 { self.events_file } else { 0 }, line)
                .put(number)
                .put(id.group.as_str())
                .put(id.index)
                .put(self.peer_of(number, peers))
                .put(own.and_then(|own| own.role.as_deref()))
                .put(own.and_then(|own| own.dialable))
                .put(params.as_slice())
                .put(told.and_then(|told| told.started).or_else(|| own.and_then(|own| own.first_ts)))
                .put(told.and_then(|told| told.ended).or_else(|| own.and_then(|own| own.last_ts)))
                .put(outcome.as_str())
                .put(as_expected)
                .put(reason.as_str())
                .put(evidence.error())
                .put(evidence.exit_code())
                .put(signal)
                .put(None::<&str>)
                .put(own.map_or(&[][..], |own| own.phases.as_slice()))
                .put(self.region(id))
                .end();
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Fills table `faults`; false if there were none.
    pub(crate) fn fill_faults(&self, rows: &mut Rows) -> bool {
        for fault in &self.faults {
            let mut row = |instance: Option<u32>, side: Option<u32>| {
                rows.row(self.events_file, fault.line)
                    .put(instance)
                    .put(fault.number)
                    .put(fault.action.as_str())
                    .put(fault.start)
                    .put(fault.end)
                    .put(self.start().map(|start| fault.start - start))
                    .put(side)
                    .put(fault.text.as_deref())
                    .end();
            };
            if fault.hit.is_empty() {
                row(None, None);
            }
            for &(instance, side) in &fault.hit {
                row(Some(instance), (fault.action == "partition").then_some(side));
            }
        }
        !self.faults.is_empty()
    }

    /// The region that the run put an instance into.
    fn region(&self, id: &InstanceId) -> Option<&str> {
        let regions = self.run.as_ref()?.network.as_ref()?.regions.as_ref()?;
        let place = *regions.of.get(&id.group)?.get(id.index as usize)?;
        regions.names.get(place as usize).map(String::as_str)
    }

    /// The network that was asked for, as JSON. Who reaches whom would be as long as the run is large.
    fn network(&self) -> Option<String> {
        let mut network = self.run.as_ref()?.network.clone()?;
        if let Some(topology) = &mut network.topology {
            topology.edges.clear();
        }
        serde_json::to_string(&network).ok()
    }

    /// Fills table `runs`.
    pub(crate) fn fill_run(&self, rows: &mut Rows, outcomes: &[Outcome]) {
        let groups: BTreeSet<&str> = self.ids.iter().map(|id| id.group.as_str()).collect();
        let first = |of: fn(&Facts) -> Option<&String>| self.facts.iter().find_map(of).map(String::as_str);
        let run = self.run.as_ref();
        let last = self.facts.iter().filter_map(|facts| facts.last_ts).max();
        let verdict = match (run, self.verdict) {
            (_, Some(verdict)) => verdict,
            (Some(run), None) => run.verdict,
            (None, None) if outcomes.iter().any(|o| matches!(o, Outcome::Failed | Outcome::Crashed)) => Verdict::Failed,
            (None, None) if !outcomes.is_empty() && outcomes.iter().all(|&o| o == Outcome::Ok) => Verdict::Passed,
            (None, None) => Verdict::Unknown,
        };
        let ended = match run {
            Some(run) => self.ended.or_else(|| run.ended_ns.and_then(|ns| i64::try_from(ns).ok())),
            None => last,
        };
        let series = run.and_then(|run| run.series.as_ref());
        let config: Vec<(String, String)> =
            series.iter().flat_map(|series| &series.config).map(|(k, v)| (k.clone(), v.clone())).collect();
        rows.row(self.run_file, 0)
            .put(run.map(|run| run.plan.as_str()).or_else(|| first(|facts| facts.plan.as_ref())))
            .put(run.map(|run| run.case.as_str()).or_else(|| first(|facts| facts.case.as_ref())))
            .put(run.map(|run| run.backend.as_str()))
            .put(run.map(|run| run.seed))
            .put(self.start())
            .put(ended)
            .put(u32::try_from(self.ids.len()).unwrap_or(u32::MAX))
            .put(u16::try_from(groups.len()).unwrap_or(u16::MAX))
            .put(verdict.to_string().as_str())
            .put(run.and_then(|run| run.composition.as_deref()))
            .put(series.map(|series| series.id.as_str()))
            .put(config.as_slice())
            .put(series.map(|series| series.repeat))
            .put(self.network().as_deref())
            .end();
    }
}

/// The shape of table `instances`.
pub(crate) fn shape() -> Shape {
    Shape::of(&tg_model::table::INSTANCES)
}
