//! What the screen is about: the runs, the instances that are meant, a condition, and by what rows are grouped.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use polars::prelude::{
    Column, DataFrame, DataType, Expr, Field, IdxCa, IdxSize, IntoLazy as _, JoinArgs, JoinType, LazyFrame,
    NewChunkedArray as _, PlHashMap, PolarsResult, UnionArgs, col, concat, concat_str, lit,
};
use tg_model::table::{INSTANCES, METRICS, QUERIES, RUNS, Table};

use super::asked::{Asked, Scoring, Wanted};
use super::columns::{Place, Rows, physical, value};
use super::key::{Key, Named, keys};
use super::percentile::Percentile;
use crate::dataset::Dataset;
use crate::datasets::Datasets;
use crate::error::AnalyzeError;
use crate::filter::Kind;
use crate::frame;
use crate::report;
use crate::run::Instance;
use crate::score::{SCORES, Scorer, score_columns};

/// An instance of one of the runs.
#[derive(Debug)]
pub(super) struct Member {
    /// Its number among the instances of all runs.
    pub(super) number: u64,
    /// The place of its run.
    pub(super) run: usize,
    /// The instance.
    pub(super) instance: Instance,
    /// Whether the condition takes it, or says nothing of instances.
    pub(super) is_chosen: bool,
    /// Its values of the columns that are named, absent where instances have none of the name.
    keys: Vec<Key>,
}

impl Member {
    /// Its values of some of the named columns.
    pub(super) fn keys(&self, by: &[usize]) -> Vec<Key> {
        by.iter().map(|&at| self.keys[at].clone()).collect()
    }
}

/// Whether a part of the screen is grouped as was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouped {
    /// Yes.
    Yes,
    /// No: it lists single things.
    No,
}

/// What the screen is about.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    pub(super) datasets: Datasets<'a>,
    /// The rule of percentiles.
    pub(super) percentile: Percentile,
    /// The bytes that there are for groups and values.
    pub(super) room: usize,
    /// Every instance, chosen or not.
    pub(super) everyone: Vec<Member>,
    /// What scores the lookups of each run; nothing where no score is asked for, or no run knows the truth.
    scorers: Vec<Option<Scorer<'a>>>,
    asked: Asked,
    instances: DataFrame,
    /// Where each instance stands in that frame.
    places: Arc<PlHashMap<u64, IdxSize>>,
    runs: DataFrame,
}

impl<'a> Screen<'a> {
    /// Reads what the runs say of themselves and of their instances, for questions about rows like these.
    pub(super) fn new(all: &'a [Dataset], wanted: &Wanted, rows: &[Rows]) -> Result<Self, AnalyzeError> {
        let datasets = Datasets::new(all)?;
        let asked = Asked::read(&datasets, wanted, rows)?;
        let mut screen = Self {
            datasets,
            percentile: wanted.percentile,
            room: wanted.room,
            everyone: Vec::new(),
            scorers: Vec::new(),
            asked,
            instances: DataFrame::default(),
            places: Arc::default(),
            runs: DataFrame::default(),
        };
        screen.runs = screen.read_runs()?;
        screen.instances = screen.read_instances()?;
        let numbers = frame::counts(&screen.instances, "instance");
        let numbers = numbers.map_err(|source| screen.datasets.unreadable(&INSTANCES, source))?;
        screen.places = Arc::new(numbers.into_iter().zip(0..).filter_map(|(number, at)| Some((number?, at))).collect());
        screen.everyone = screen.read_members()?;
        if rows.contains(&Rows::Operations) && (wanted.scoring == Scoring::Always || screen.names_scores()) {
            let scorers = all.iter().map(|dataset| Scorer::read(dataset, wanted.k));
            screen.scorers = scorers.collect::<Result<_, _>>()?;
        }
        Ok(screen)
    }

    /// The instances that are meant.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> + Clone {
        self.everyone.iter().filter(|member| member.is_chosen)
    }

    /// The name of an instance, with its run where there are several.
    pub(super) fn name(&self, member: &Member) -> String {
        let name = member.instance.name();
        if self.datasets.are_many() { format!("{} {name}", self.datasets.name(member.run)) } else { name }
    }

    /// The run of a row, which people see where there are several.
    pub(super) fn run_column(&self) -> report::Column {
        if self.datasets.are_many() { report::Column::new("run_id", "run") } else { report::Column::hidden("run_id") }
    }

    /// Whether there is a condition.
    pub(super) fn is_filtered(&self) -> bool {
        self.asked.filter.is_some()
    }

    /// Whether groups were asked for.
    pub(super) fn is_grouped(&self) -> bool {
        self.asked.is_grouped
    }

    /// Whether the rows of different runs are told apart.
    pub(super) fn is_by_run(&self) -> bool {
        self.named(&self.asked.by).iter().any(|named| named.name == "run_id")
    }

    /// The columns that the condition, and with `keys` the groups, name and such rows lack.
    pub(super) fn lacking(&self, rows: Rows, keys: Grouped) -> BTreeSet<&str> {
        let keys = self.asked.by.iter().filter(|_| keys == Grouped::Yes && self.asked.is_grouped);
        let named = self.named(&self.asked.filtered).into_iter().chain(keys.map(|&at| &self.asked.named[at]));
        named.map(|named| named.name.as_str()).filter(|name| rows.place(name).is_none()).collect()
    }

    /// Every name in the condition and among the keys that were asked for.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let keys = self.asked.by.iter().filter(|_| self.asked.is_grouped);
        self.asked.filtered.iter().chain(keys).map(|&at| self.asked.named[at].name.as_str()).collect()
    }

    fn has(&self, rows: Rows, at: usize) -> bool {
        rows.place(&self.asked.named[at].name).is_some()
    }

    /// By what such rows are grouped, other than by the columns that their table is always grouped by: places among
    /// the named.
    pub(super) fn by(&self, rows: Rows, fixed: &[&str]) -> Vec<usize> {
        let is_free = |at: &usize| self.has(rows, *at) && !fixed.contains(&self.asked.named[*at].name.as_str());
        self.asked.by.iter().copied().filter(is_free).collect()
    }

    /// The named columns at these places.
    pub(super) fn named(&self, by: &[usize]) -> Vec<&Named> {
        by.iter().map(|&at| &self.asked.named[at]).collect()
    }

    /// Those of the keys that follow from the instance, so that its group has a size.
    pub(super) fn of_instances(&self, by: &[usize]) -> Vec<usize> {
        let rows = Rows::Instances;
        // A name may mean another thing elsewhere; then nothing is known of the sizes.
        by.iter().copied().filter(|&at| self.has(rows, at)).collect()
    }

    /// The columns of their table that named columns of such rows are made of.
    pub(super) fn stored(&self, rows: Rows) -> BTreeSet<&'static str> {
        let stored = |named: &Named| match rows.place(&named.name)? {
            Place::Own(name) => Some(name),
            Place::Tag(_) => Some("tags"),
            Place::Score(_) | Place::Instance(_) | Place::Param(_) | Place::Run(_) | Place::Config(_) => None,
        };
        self.asked.named.iter().filter_map(stored).collect()
    }

    /// Named columns of such rows that come from their own table, as expressions on it.
    pub(super) fn own(&self, rows: Rows) -> Vec<Expr> {
        let table: &Table = match rows {
            Rows::Operations => &QUERIES,
            Rows::Metrics => &METRICS,
            Rows::Runs | Rows::Instances | Rows::Stages => &INSTANCES,
        };
        let own = |named: &Named| {
            let made = match rows.place(&named.name)? {
                Place::Own(name) => value(table, name),
                Place::Tag(key) => frame::entry("tags", key),
                Place::Score(_) | Place::Instance(_) | Place::Param(_) | Place::Run(_) | Place::Config(_) => {
                    return None;
                }
            };
            Some(made.alias(physical(&named.name)))
        };
        self.asked.named.iter().filter_map(own).collect()
    }

    /// The rows that the condition takes, with every named column that they have: those of their own are there, and the
    /// number of their instance.
    pub(super) fn choose(&self, rows: Rows, frame: LazyFrame) -> LazyFrame {
        let frame = self.decorate(rows, frame);
        match self.condition(rows) {
            Some(condition) => frame.filter(condition),
            None => frame,
        }
    }

    /// Adds the named columns that come from the instance and from the run.
    fn decorate(&self, rows: Rows, mut frame: LazyFrame) -> LazyFrame {
        let left = || JoinArgs::new(JoinType::Left);
        let names = |is: fn(Place<'_>) -> bool| -> Vec<Expr> {
            let is_it = |named: &&Named| rows.place(&named.name).is_some_and(is);
            self.asked.named.iter().filter(is_it).map(|named| col(physical(&named.name))).collect()
        };
        let is_known = |named: &&Named| rows.place(&named.name).is_some_and(is_of_instance);
        let known = self.asked.named.iter().filter(is_known).map(|named| self.of_instance(physical(&named.name)));
        let known: Vec<Expr> = known.collect();
        if !known.is_empty() {
            frame = frame.with_columns(known);
        }
        if self.asked.named.iter().any(|named| rows.place(&named.name) == Some(Place::Instance("instance"))) {
            // An instance that no dataset knows has a number and no name.
            let number = Datasets::within(col("instance")).cast(DataType::String);
            let name = physical("instance");
            frame = frame.with_column(col(name.clone()).fill_null(number).alias(name));
        }
        let mut wanted = names(is_of_run);
        if !wanted.is_empty() {
            wanted.push(col("run"));
            let known = self.runs.clone().lazy().select(wanted);
            let run = Datasets::run_of(col("instance")).alias("run");
            frame = frame.with_column(run).join(known, [col("run")], [col("run")], left());
        }
        frame
    }

    /// A column of the frame of instances for the instance of each row; absent where nobody knows the instance. Rows of
    /// one instance stand together, so that this costs far less than joining the frames.
    fn of_instance(&self, name: String) -> Expr {
        let (instances, places, alias) = (self.instances.clone(), Arc::clone(&self.places), name.clone());
        let kind = self.instances.column(&name).map(|column| column.dtype().clone());
        let gather = move |numbers: Column| {
            let mut last = (None, None);
            let place = |number: Option<u64>| {
                if last.0 != number {
                    last = (number, number.and_then(|number| places.get(&number).copied()));
                }
                last.1
            };
            let places = IdxCa::from_iter_options("".into(), numbers.u64()?.iter().map(place));
            instances.column(&name)?.take(&places)
        };
        let kind = kind.unwrap_or(DataType::Null);
        col("instance").map(gather, move |_, field| Ok(Field::new(field.name().clone(), kind.clone()))).alias(alias)
    }

    /// The condition on such rows; nothing if there is none, or they lack what it names.
    fn condition(&self, rows: Rows) -> Option<Expr> {
        let filter = self.asked.filter.as_ref().filter(|_| self.lacking(rows, Grouped::No).is_empty())?;
        Some(filter.expr(&|at| physical(&self.asked.vocabulary[at])))
    }

    /// The places of the runs that the condition takes; all, if it says nothing of runs.
    pub(super) fn chosen_runs(&self) -> Result<Vec<usize>, AnalyzeError> {
        let mut frame = self.runs.clone().lazy();
        if let Some(condition) = self.condition(Rows::Runs) {
            frame = frame.filter(condition);
        }
        let rows = self.datasets.collect(&RUNS, frame.select([col("run")]))?;
        let chosen = frame::counts(&rows, "run").map_err(|source| self.datasets.unreadable(&RUNS, source))?;
        Ok(chosen.into_iter().flatten().filter_map(|run| usize::try_from(run).ok()).collect())
    }

    /// What is named of the runs, a row for each.
    fn read_runs(&self) -> Result<DataFrame, AnalyzeError> {
        let mut parts = Vec::new();
        for (run, (dataset, _)) in self.datasets.each().enumerate() {
            let made = |named: &Named| match Rows::Runs.place(&named.name)? {
                Place::Run("run_id") => Some(lit(self.datasets.name(run)).alias(physical(&named.name))),
                Place::Run(name) => Some(value(&RUNS, name).alias(physical(&named.name))),
                Place::Config(key) => Some(frame::entry("config", key).alias(physical(&named.name))),
                Place::Own(_) | Place::Tag(_) | Place::Score(_) | Place::Instance(_) | Place::Param(_) => None,
            };
            let made: Vec<Expr> = self.asked.named.iter().filter_map(made).collect();
            let scan = dataset.scan(&RUNS)?.filter(|_| !made.is_empty());
            let rows = scan.map(|scan| dataset.collect(&RUNS, scan.limit(1).with_columns(made))).transpose()?;
            let rows = rows.filter(|rows| rows.height() > 0);
            let fill = || -> PolarsResult<DataFrame> {
                let mut part = polars::df!("run" => [run as u64])?;
                for named in self.asked.named.iter().filter(|named| Rows::Runs.place(&named.name).is_some()) {
                    let name = physical(&named.name);
                    part.with_column(match &rows {
                        Some(rows) => rows.column(&name)?.clone(),
                        None if named.name == "run_id" => Column::new(name.into(), [self.datasets.name(run)]),
                        None => Column::full_null(name.into(), 1, &data_type(named.kind)),
                    })?;
                }
                Ok(part)
            };
            parts.push(fill().map_err(|source| dataset.unreadable(&RUNS, source))?.lazy());
        }
        let all = concat(parts, UnionArgs::default());
        all.and_then(LazyFrame::collect).map_err(|source| self.datasets.unreadable(&RUNS, source))
    }

    /// What is named of the instances, a row for each.
    fn read_instances(&self) -> Result<DataFrame, AnalyzeError> {
        let made = |named: &Named| match Rows::Instances.place(&named.name)? {
            Place::Instance("instance") => {
                let parts = [col("group"), col("group_seq").cast(DataType::String)];
                Some(concat_str(parts, "/", false).alias(physical(&named.name)))
            }
            Place::Instance(name) => Some(value(&INSTANCES, name).alias(physical(&named.name))),
            Place::Param(key) => Some(frame::entry("params", key).alias(physical(&named.name))),
            Place::Own(_) | Place::Tag(_) | Place::Score(_) | Place::Run(_) | Place::Config(_) => None,
        };
        let all: Vec<&str> = INSTANCES.columns.iter().map(|column| column.name).collect();
        if let Some(scan) = self.datasets.scan(&INSTANCES, &all)? {
            let columns = std::iter::once(col("instance")).chain(self.asked.named.iter().filter_map(made));
            return self.datasets.collect(&INSTANCES, scan.select(columns.collect::<Vec<_>>()));
        }
        let known =
            self.asked.named.iter().filter(|named| Rows::Instances.place(&named.name).is_some_and(is_of_instance));
        let empty = known.map(|named| Column::full_null(physical(&named.name).into(), 0, &data_type(named.kind)));
        let numbers = Column::full_null("instance".into(), 0, &DataType::UInt64);
        DataFrame::new(0, std::iter::once(numbers).chain(empty).collect())
            .map_err(|source| self.datasets.unreadable(&INSTANCES, source))
    }

    /// Every instance, by run and number, and whether it is meant.
    fn read_members(&self) -> Result<Vec<Member>, AnalyzeError> {
        let by: Vec<usize> = (0..self.asked.named.len()).filter(|&at| self.has(Rows::Instances, at)).collect();
        let condition = self.condition(Rows::Instances).unwrap_or_else(|| lit(true));
        let all = self.decorate(Rows::Instances, self.instances.clone().lazy().select([col("instance")]));
        let rows = self.datasets.collect(&INSTANCES, all.with_column(condition.alias("is chosen")))?;
        let read = || -> PolarsResult<_> {
            let (numbers, chosen) = (frame::counts(&rows, "instance")?, frame::flags(&rows, "is chosen")?);
            Ok((numbers, chosen, keys(&rows, &self.named(&by))?))
        };
        let (numbers, chosen, found) = read().map_err(|source| self.datasets.unreadable(&INSTANCES, source))?;
        let mut known: HashMap<u64, (bool, Vec<Key>)> = HashMap::with_capacity(numbers.len());
        for ((number, chosen), found) in numbers.into_iter().zip(chosen).zip(found) {
            let mut keys = vec![Key::Absent; self.asked.named.len()];
            for (&at, key) in by.iter().zip(found) {
                keys[at] = key;
            }
            known.insert(number.unwrap_or_default(), (chosen.unwrap_or(false), keys));
        }
        let mut members = Vec::with_capacity(known.len());
        for (run, (dataset, _)) in self.datasets.each().enumerate() {
            for instance in Instance::read_all(dataset)? {
                let number = Datasets::number(run, instance.number.into());
                // Both were read from the same rows.
                let Some((is_chosen, keys)) = known.remove(&number) else { continue };
                members.push(Member { number, run, instance, is_chosen, keys });
            }
        }
        Ok(members)
    }

    /// Whether the condition or a key of groups is a score.
    pub(super) fn names_scores(&self) -> bool {
        self.asked.named.iter().any(|named| SCORES.contains(&named.name.as_str()))
    }

    /// How many peers lookups are to return, in the order of the numbers, by the runs that know the truth.
    pub(super) fn ks(&self) -> BTreeSet<u32> {
        self.scorers.iter().flatten().map(Scorer::k).collect()
    }

    /// Adds the scores of lookups of one run, and to those that are named the names under which they are looked for.
    /// Where the run does not know the truth, none has a score.
    pub(super) fn with_scores(&self, mut frame: DataFrame) -> PolarsResult<DataFrame> {
        let first = frame.column("query_id")?.strict_cast(&DataType::UInt64)?.u64()?.iter().flatten().next();
        let run = first.map_or(0, |number| Datasets::place(number).0);
        let scores = match self.scorers.get(run) {
            Some(Some(scorer)) => scorer.scores(&frame, |number| Datasets::place(number).1)?,
            Some(None) | None => vec![None; frame.height()],
        };
        for column in score_columns(&scores) {
            frame.with_column(column)?;
        }
        for named in &self.asked.named {
            if let Some(Place::Score(name)) = Rows::Operations.place(&named.name) {
                let column = frame.column(name)?.clone().with_name(physical(&named.name).into());
                frame.with_column(column)?;
            }
        }
        Ok(frame)
    }
}

fn is_of_instance(place: Place<'_>) -> bool {
    matches!(place, Place::Instance(_) | Place::Param(_))
}

fn is_of_run(place: Place<'_>) -> bool {
    matches!(place, Place::Run(_) | Place::Config(_))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::Float64,
        Kind::Text | Kind::Written => DataType::String,
    }
}
