//! Connections over time: how long edges and sessions lasted, and who could have told whom. Sections of the report.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{DataType, PolarsResult, col};
use tg_model::table::CONNECTIONS;

use super::classes::class_table;
use super::components::weak;
use super::csr::Graph;
use super::dear::{Budget, UNFIT};
use super::lifetime::{Lifetimes, Span, join_ends, unite};
use super::metric::Metric;
use super::temporal::{self, Contact, reached_within};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, places};
use crate::frame;
use crate::report::{Cell, Column, Facts, Section, Table, Unit};
use crate::run::{Instance, Run};

const MINUTE_NS: f64 = 60e9;

/// Connections as the dialler and the listener saw them, between two peers; where nobody knows who dialled, as the
/// lower and the higher one saw them.
type BySide = [Vec<Span>; 2];

/// When which peers were connected, over the whole run.
pub(super) struct Contacts {
    kind: Kind,
    /// Connections that go through a relay, and those that say whether they do.
    relayed: Option<(u64, u64)>,
    /// For each pair of peers, the unbroken times during which they were connected, in order.
    by_pair: BTreeMap<(u32, u32), Vec<Span>>,
    /// The last moment looked at; without one nothing was open at it.
    end: i64,
}

impl Contacts {
    /// Nothing if there is no table of connections over time.
    pub(super) fn read(dataset: &Dataset) -> Result<Option<Self>, AnalyzeError> {
        let Some(Read { by_arc, last, relayed }) = read(dataset)? else { return Ok(None) };
        let end = Run::read(dataset)?.and_then(|run| run.end_ns).or(last).unwrap_or(i64::MIN);
        let mut by_pair: BTreeMap<(u32, u32), Vec<Span>> = BTreeMap::new();
        for ((from, to, _), [one, other]) in by_arc {
            by_pair.entry((from.min(to), from.max(to))).or_default().extend(join_ends(one, other));
        }
        for spans in by_pair.values_mut() {
            *spans = unite(std::mem::take(spans));
        }
        let relayed = Some(relayed).filter(|(_, told)| *told > 0);
        Ok(Some(Self { kind: Kind::Connections, by_pair, end, relayed }))
    }

    /// From the places that routers gave one another in their meshes: two are joined while either has the other.
    pub(super) fn of_meshes(dataset: &Dataset) -> Result<Self, AnalyzeError> {
        let mut by_pair: BTreeMap<(u32, u32), Vec<Span>> = BTreeMap::new();
        for ((owner, member), spans) in places(dataset, &Instance::read_all(dataset)?)? {
            if owner != member {
                by_pair.entry((owner.min(member), owner.max(member))).or_default().extend(spans);
            }
        }
        let moments = by_pair.values().flatten().flat_map(|span| [span.open, span.close]).flatten();
        let end = Run::read(dataset)?.and_then(|run| run.end_ns).or(moments.max()).unwrap_or(i64::MIN);
        for spans in by_pair.values_mut() {
            *spans = unite(std::mem::take(spans));
        }
        Ok(Self { kind: Kind::Mesh, by_pair, end, relayed: None })
    }

    /// The words for two nodes that are joined, and for one that is joined with anybody.
    fn words(&self) -> [&'static str; 4] {
        match self.kind {
            Kind::Mesh => [
                "pairs of nodes of which one at least ever had the other in its mesh",
                "unbroken times, of whatever topics, by one of the two or both",
                "that were ever in a mesh with anybody",
                "unbroken times with at least one other in a mesh",
            ],
            Kind::Connections | Kind::RoutingTables => [
                "pairs of nodes that were ever connected",
                "unbroken times, however many connections shared them",
                "that were ever connected to anybody",
                "unbroken times with at least one connection",
            ],
        }
    }

    /// Lifetimes of edges: the unbroken times during which two peers were connected. Facts, and their distribution.
    pub(super) fn lifetimes(&self) -> [Section; 2] {
        let again = self.by_pair.values().filter(|spells| spells.len() > 1).count();
        let spells: Vec<Span> = self.by_pair.values().flatten().copied().collect();
        let [pairs, times, ..] = self.words();
        let mut facts = Facts::new("lifetimes", "Edge lifetimes, undirected, over the whole run");
        facts.add_with("pairs", "edges", self.by_pair.len(), pairs);
        facts.add_with("lifetimes", "lifetimes", spells.len(), times);
        facts.add_with("pairs_again", "came again", again, "edges with more than one lifetime");
        let found = self.add_times(&mut facts, &spells, "lifetime");
        let minutes = found.total_ns() as f64 / MINUTE_NS;
        let churn = if minutes > 0.0 { Cell::number(found.ended() as f64 / minutes) } else { Cell::Absent };
        facts.add_with("churn_per_minute", "churn", churn, "ends for each minute that an edge was there");
        if let Some((relayed, told)) = self.relayed {
            let share = Cell::ratio(relayed as f64 / told as f64);
            facts.add_with(
                "relayed_ratio",
                "relayed",
                share,
                format!("{relayed} of {told} rows that say so, both ends'"),
            );
        }
        [Section::Facts(facts), Section::Table(distribution("lifetime", &found))]
    }

    /// Sessions of nodes: the unbroken times during which a node was connected to anybody. Facts, their
    /// distribution and that of arrivals, and the classes of so many nodes.
    pub(super) fn sessions(&self, nodes: usize) -> [Section; 4] {
        let mut by_node: BTreeMap<u32, Vec<Span>> = BTreeMap::new();
        for (&(a, b), spells) in &self.by_pair {
            by_node.entry(a).or_default().extend(spells);
            by_node.entry(b).or_default().extend(spells);
        }
        for spans in by_node.values_mut() {
            *spans = unite(std::mem::take(spans));
        }
        let again = by_node.values().filter(|sessions| sessions.len() > 1).count();
        let sessions: Vec<Span> = by_node.values().flatten().copied().collect();
        let [_, _, ever, times] = self.words();
        let mut facts = Facts::new("sessions", "Sessions of nodes, over the whole run");
        facts.add_with("session_nodes", "nodes", by_node.len(), ever);
        facts.add_with("sessions", "sessions", sessions.len(), times);
        facts.add_with("nodes_again", "came again", again, "nodes with more than one session");
        let found = self.add_times(&mut facts, &sessions, "session");
        // Between two sessions of a node both ends are known, so nothing is cut off.
        let away = by_node.values().flat_map(|sessions| sessions.windows(2));
        let away: Vec<Span> = away.map(|pair| Span { open: pair[0].close, close: pair[1].open }).collect();
        add_time(&mut facts, &Lifetimes::of(&away, self.end), "away_p50_ns", "away, median", "between two sessions");
        let mut begins: Vec<i64> = sessions.iter().filter_map(|session| session.open).collect();
        begins.sort_unstable();
        let between: Vec<Span> =
            begins.windows(2).map(|pair| Span { open: Some(pair[0]), close: Some(pair[1]) }).collect();
        let remark = "between the begins of two sessions, of any nodes";
        let arrivals = Lifetimes::of(&between, self.end);
        add_time(&mut facts, &arrivals, "arrival_p50_ns", "arrivals, median", remark);
        let classes = class_table(nodes, by_node.values().map(Vec::as_slice), self.end);
        let distributions = [distribution("session", &found), distribution("arrival", &arrivals)];
        let [sessions, arrivals] = distributions.map(Section::Table);
        [Section::Facts(facts), Section::Table(classes), sessions, arrivals]
    }

    /// How long some times were, as far as they were seen.
    fn add_times(&self, facts: &mut Facts, times: &[Span], key: &str) -> Lifetimes {
        let found = Lifetimes::of(times, self.end);
        let unseen = times.iter().filter(|time| time.open.is_none()).count();
        facts.add("closed", "seen to end", found.ended());
        let open = found.count() - found.ended();
        facts.add_with("censored", "cut off", open, "still there at the end of the run; they may have lasted longer");
        facts.add_with("opening_unseen", "opening unseen", unseen, "in no figure below");
        let odd = times.len() - unseen - found.count();
        facts.add_with("backwards", "ended before they began", odd, "by the clocks of the ends; in no figure below");
        for (percent, title, share) in [("p50", "median", 0.5), ("p95", "p95", 0.95)] {
            let value = found.quantile_ns(share).map_or(Cell::Absent, |time| Cell::Number(time as f64, Unit::Nanos));
            let remark = "by Kaplan and Meier; none where too many were cut off";
            facts.add_with(&format!("{key}_{percent}_ns"), title, value, remark);
        }
        found
    }

    /// Who could have told whom, of so many nodes.
    pub(super) fn temporal(&self, nodes: usize, budget: &mut Budget<'_>) -> Facts {
        let peers: BTreeSet<u32> = self.by_pair.keys().flat_map(|&(a, b)| [a, b]).collect();
        let number: BTreeMap<u32, u32> = peers.into_iter().zip(0..).collect();
        let contacts: Vec<Contact> = self
            .by_pair
            .iter()
            .flat_map(|(&(a, b), spells)| spells.iter().map(move |&span| (a, b, span)))
            .map(|(a, b, span)| Contact { a: number[&a], b: number[&b], span })
            .collect();
        let arcs: Vec<(u32, u32)> = contacts.iter().map(|contact| (contact.a, contact.b)).collect();
        let parts = weak(&Graph::from_arcs(number.len(), &arcs));
        let joined: u64 = parts.sizes.iter().map(|&size| u64::from(size) * u64::from(size - 1)).sum();
        let met = u32::try_from(number.len()).unwrap_or(u32::MAX);
        let found = budget.spend(Metric::Temporal, temporal::steps(met), |work| reached_within(met, &contacts, work));
        let mut facts = Facts::new("temporal", "Who could have told whom, undirected, over the whole run");
        facts.add_with("contacts", "contacts", contacts.len(), "unbroken times during which two nodes were connected");
        let pairs = nodes as f64 * (nodes as f64 - 1.0);
        let share = |some: u64| if nodes > 1 { Cell::ratio(some as f64 / pairs) } else { Cell::Absent };
        let remark = "ordered pairs that a path joins whose contacts are open one after another or at once";
        let remark = if found.is_some() { remark } else { UNFIT };
        facts.add_with("temporal_pairs_ratio", "reachable in time", found.map_or(Cell::Absent, share), remark);
        facts.add_with(
            "joined_pairs_ratio",
            "at any time",
            share(joined),
            "the same if the order of contacts is left aside",
        );
        facts
    }
}

/// For programs: the time that each per cent does not exceed, absent where too many were cut off.
fn distribution(key: &str, found: &Lifetimes) -> Table {
    let columns = vec![Column::hidden("ended_ratio"), Column::hidden(&format!("{key}_ns"))];
    let mut table = Table::new(&format!("{key}_cdf"), "", columns);
    let shares: Vec<f64> = (1..=100).map(|percent| f64::from(percent) / 100.0).collect();
    let times = found.quantiles_ns(&shares).into_iter();
    let cell = |time: Option<u64>| time.map_or(Cell::Absent, |time| Cell::Number(time as f64, Unit::Nanos));
    table.rows = shares.iter().zip(times).map(|(&share, time)| vec![Cell::ratio(share), cell(time)]).collect();
    table
}

fn add_time(facts: &mut Facts, found: &Lifetimes, key: &str, title: &str, remark: &str) {
    let value = found.quantile_ns(0.5).map_or(Cell::Absent, |time| Cell::Number(time as f64, Unit::Nanos));
    facts.add_with(key, title, value, remark);
}

struct Read {
    /// Connections by dialler, listener and whether those are known.
    by_arc: BTreeMap<(u32, u32, bool), BySide>,
    /// The last moment of any.
    last: Option<i64>,
    /// Rows of connections by a relay, and rows that say whether they are.
    relayed: (u64, u64),
}

fn read(dataset: &Dataset) -> Result<Option<Read>, AnalyzeError> {
    let table = &CONNECTIONS;
    let Some(scan) = dataset.scan(table)? else { return Ok(None) };
    let ns = |name: &str| col(name).cast(DataType::Int64);
    let columns =
        [col("local_idx"), col("remote_idx"), col("direction"), ns("open_ts"), ns("close_ts"), col("relayed")];
    let rows = dataset.collect(table, scan.select(columns))?;
    let read = || -> PolarsResult<Read> {
        let (locals, remotes) = (frame::indices(&rows, "local_idx")?, frame::indices(&rows, "remote_idx")?);
        let directions = frame::counts(&rows, "direction")?;
        let (opens, closes) = (frame::ints(&rows, "open_ts")?, frame::ints(&rows, "close_ts")?);
        let mut by_arc: BTreeMap<(u32, u32, bool), BySide> = BTreeMap::new();
        for at in 0..rows.height() {
            let (Some(local), Some(remote)) = (locals[at], remotes[at]) else { continue };
            if local == remote {
                continue;
            }
            let (key, side) = match directions[at] {
                Some(2) => ((local, remote, true), 0),
                Some(1) => ((remote, local, true), 1),
                _ => ((local.min(remote), local.max(remote), false), usize::from(local > remote)),
            };
            by_arc.entry(key).or_default()[side].push(Span { open: opens[at], close: closes[at] });
        }
        let last = opens.iter().chain(&closes).flatten().max().copied();
        let told: Vec<bool> = frame::flags(&rows, "relayed")?.into_iter().flatten().collect();
        let relayed = (told.iter().filter(|&&yes| yes).count() as u64, told.len() as u64);
        Ok(Read { by_arc, last, relayed })
    };
    read().map(Some).map_err(|source| dataset.unreadable(table, source))
}
