//! The scores of lookups piece by piece, which need no more of a lookup than its row and the step that ended it.

use polars::prelude::{Column, DataFrame, DataType, PlHashMap, PolarsError, PolarsResult, col, lit};
use rayon::prelude::*;
use tg_model::table::{QUERIES, QUERY_EVENTS};

use super::keyspace::Member;
use super::result::Truth;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::routing::{Place, World};
use crate::run::Instance;

/// Scores lookups of a run piece by piece. What it keeps is the run's instances, and of a piece its places and results.
#[derive(Debug)]
pub(crate) struct Scorer<'a> {
    dataset: &'a Dataset,
    k: u32,
    world: World,
    truth: Truth,
    /// The peer of each instance.
    peers: PlHashMap<u64, u32>,
}

/// The scores that screens and lists show, as [`score`](super::score) defines them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Brief {
    pub(crate) recall_alive: Option<f64>,
    pub(crate) recall_all: Option<f64>,
    pub(crate) displacement_alive: Option<f64>,
}

/// One lookup of a piece, as far as its score needs it.
struct Row {
    at: usize,
    target: Place,
    own: Option<u32>,
    settled_ns: i64,
}

impl<'a> Scorer<'a> {
    /// The columns of table `queries` that scores are made of.
    pub(crate) const COLUMNS: [&'static str; 7] =
        ["query_id", "instance", "op", "target_kad", "end_ts", "closest_idx", "id_quality"];

    /// Reads who was really there; nothing where no server of the run is known with its place.
    pub(crate) fn read(dataset: &'a Dataset, k: Option<u32>) -> Result<Option<Self>, AnalyzeError> {
        let k = k.map_or_else(|| dataset.bucket_size(), Ok)?;
        if k == 0 {
            return Err(AnalyzeError::Question(
                "of 0 peers none can be right: choose a `--k` of at least 1".to_owned(),
            ));
        }
        if !dataset.has(&QUERIES)? {
            return Ok(None);
        }
        let world = World::read(dataset)?;
        let truth = Truth::new(&world);
        if truth.servers.is_empty() {
            return Ok(None);
        }
        let peer = |instance: Instance| Some((u64::from(instance.number), instance.peer_idx?));
        let peers = Instance::read_all(dataset)?.into_iter().filter_map(peer).collect();
        Ok(Some(Self { dataset, k, world, truth, peers }))
    }

    /// How many peers a lookup is to return.
    pub(crate) fn k(&self) -> u32 {
        self.k
    }

    /// The score of each row of table `queries`, of which the frame has [`COLUMNS`](Self::COLUMNS); a lookup without
    /// steps, a target's place, or a moment at which it settled has none. `within` gives the numbers in this run.
    pub(crate) fn scores(&self, frame: &DataFrame, within: impl Fn(u64) -> u64) -> PolarsResult<Vec<Option<Brief>>> {
        let queries: Vec<Option<u64>> =
            frame::counts(frame, "query_id")?.into_iter().map(|query| query.map(&within)).collect();
        let settled = self.settled(&queries)?;
        let (askers, ends) = (frame::counts(frame, "instance")?, frame::ints(frame, "end_ts")?);
        let (ops, qualities) = (frame.column("op")?.str()?, frame.column("id_quality")?.str()?);
        let places = frame.column("target_kad")?.strict_cast(&DataType::Binary)?;
        let mut rows: Vec<Row> = Vec::new();
        let words = ops.iter().zip(qualities.iter());
        let who = queries.iter().zip(askers).zip(ends);
        for (at, (((query, asker), end), ((op, quality), place))) in
            who.zip(words.zip(places.binary()?.iter())).enumerate()
        {
            let ended = query.and_then(|query| settled.get(&query).copied()).or(end);
            let target = place.and_then(Place::from_slice);
            let has_steps = query.is_some() && op.is_some() && quality != Some("metric_only");
            if let (Some(asker), Some(settled_ns), Some(target), true) = (asker, ended, target, has_steps) {
                rows.push(Row { at, target, own: self.peers.get(&within(asker)).copied(), settled_ns });
            }
        }
        let closest = frame::lists(frame, "closest_idx")?;
        // Those of one target take one walk from it outwards.
        rows.sort_by_key(|row| row.target);
        let of_target = |rows: &[Row]| {
            let Some(first) = rows.first() else { return Vec::new() };
            let mut walk = Walk::new(&self.truth, first.target);
            let brief = |row: &Row| {
                let returned = closest[row.at].as_deref().unwrap_or_default();
                (row.at, self.brief(&mut walk, row, &returned[..returned.len().min(self.k as usize)]))
            };
            rows.iter().map(brief).collect()
        };
        let targets: Vec<&[Row]> = rows.chunk_by(|one, other| one.target == other.target).collect();
        let found: Vec<Vec<(usize, Brief)>> = targets.into_par_iter().map(of_target).collect();
        let mut scores = vec![None; frame.height()];
        found.into_iter().flatten().for_each(|(at, brief)| scores[at] = Some(brief));
        Ok(scores)
    }

    /// When lookups settled, of those that have a step which ended them.
    fn settled(&self, queries: &[Option<u64>]) -> PolarsResult<PlHashMap<u64, i64>> {
        let mut ends = PlHashMap::default();
        let known = || queries.iter().flatten();
        let (Some(&low), Some(&high)) = (known().min(), known().max()) else { return Ok(ends) };
        let of_steps = |error: PolarsError| error.wrap_msg(|text| format!("table `{}`: {text}", QUERY_EVENTS.name));
        let wrong = |error: AnalyzeError| of_steps(PolarsError::ComputeError(error.to_string().into()));
        let Some(scan) = self.dataset.scan(&QUERY_EVENTS).map_err(wrong)? else { return Ok(ends) };
        let id = || col("query_id");
        let ours = id().gt_eq(lit(low)).and(id().lt_eq(lit(high))).and(col("kind").eq(lit("terminate")));
        let columns = [id(), col("ts").cast(DataType::Int64)];
        let rows = scan.filter(ours).select(columns).collect().map_err(of_steps)?;
        for (query, ts) in frame::counts(&rows, "query_id")?.into_iter().zip(frame::ints(&rows, "ts")?) {
            if let (Some(query), Some(ts)) = (query, ts) {
                ends.entry(query).and_modify(|end: &mut i64| *end = ts.min(*end)).or_insert(ts);
            }
        }
        Ok(ends)
    }

    /// The scores of one lookup, by one walk outwards that ends when all of them are known.
    fn brief(&self, walk: &mut Walk<'_>, row: &Row, returned: &[u32]) -> Brief {
        let place = |number: &u32| self.world.peer(*number).and_then(|peer| peer.place);
        let far = |(at, number): (usize, &u32)| Some((place(number)?.distance(row.target), at));
        let mut by_distance: Vec<(Place, usize)> = returned.iter().enumerate().filter_map(far).collect();
        by_distance.sort_unstable();
        let mut numbers = returned.to_vec();
        numbers.sort_unstable();
        let k = self.k;
        let (mut all, mut alive) = (Nearest::default(), Nearest::default());
        // How many servers alive were passed, and the ranks off of those returned that were.
        let (mut rank, mut placed, mut off) = (0_u32, 0, 0.0);
        let mut at = 0;
        while let Some((member, distance)) =
            walk.at(at).filter(|_| all.n < k || alive.n < k || placed < by_distance.len())
        {
            at += 1;
            if Some(member.number) == row.own {
                continue;
            }
            while let Some((_, place)) = by_distance.get(placed).filter(|(returned, _)| *returned <= distance) {
                off += f64::from(rank) - *place as f64;
                placed += 1;
            }
            let is_returned = || numbers.binary_search(&member.number).is_ok();
            all.pass(k, is_returned);
            if member.is_alive(row.settled_ns) {
                alive.pass(k, is_returned);
                rank += 1;
            }
        }
        for (_, place) in &by_distance[placed..] {
            off += f64::from(rank) - *place as f64;
        }
        let n = by_distance.len();
        Brief {
            recall_alive: alive.recall(),
            recall_all: all.recall(),
            displacement_alive: (n > 0).then(|| off / n as f64),
        }
    }
}

/// How many of the k nearest were passed, and how many of these were returned.
#[derive(Debug, Default)]
struct Nearest {
    n: u32,
    returned: u32,
}

impl Nearest {
    fn pass(&mut self, k: u32, is_returned: impl Fn() -> bool) {
        if self.n < k {
            self.n += 1;
            self.returned += u32::from(is_returned());
        }
    }

    fn recall(&self) -> Option<f64> {
        (self.n > 0).then(|| f64::from(self.returned) / f64::from(self.n))
    }
}

/// The servers from a target outwards, as far as anybody walked.
struct Walk<'a> {
    target: Place,
    passed: Vec<(&'a Member, Place)>,
    rest: super::keyspace::Nearest<'a>,
}

impl<'a> Walk<'a> {
    fn new(truth: &'a Truth, target: Place) -> Self {
        Self { target, passed: Vec::new(), rest: truth.servers.nearest(target) }
    }

    /// The server at a place of the walk, with its distance.
    fn at(&mut self, at: usize) -> Option<(&'a Member, Place)> {
        if at == self.passed.len() {
            let next = self.rest.next()?;
            self.passed.push((next, next.place.distance(self.target)));
        }
        self.passed.get(at).copied()
    }
}

/// The names of the scores, in the order of [`columns`].
pub(crate) const NAMES: [&str; 3] = ["recall_alive", "recall_all", "displacement_alive"];

/// The scores as columns: whether a row is `scored`, and [`NAMES`].
pub(crate) fn columns(scores: &[Option<Brief>]) -> Vec<Column> {
    let of = |name: &str, value: fn(&Brief) -> Option<f64>| {
        Column::new(name.into(), scores.iter().map(|score| score.as_ref().and_then(value)).collect::<Vec<_>>())
    };
    let scored = Column::new("scored".into(), scores.iter().map(Option::is_some).collect::<Vec<_>>());
    vec![
        scored,
        of(NAMES[0], |score| score.recall_alive),
        of(NAMES[1], |score| score.recall_all),
        of(NAMES[2], |score| score.displacement_alive),
    ]
}
