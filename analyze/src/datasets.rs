//! Several datasets read as one: their rows side by side, and numbers that keep the runs apart.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;

use polars::prelude::{
    DataFrame, DataType, Expr, LazyFrame, PolarsError, PolarsResult, UnionArgs, all, col, concat, lit,
};
use tg_model::table::Table;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::run::Run;

/// Numbers that count within one run: of instances, of peers, of operations.
const NUMBERS: [&str; 3] = ["instance", "peer_idx", "query_id"];

/// Of several datasets, the numbers of the nth run count from this many times n, so that a number names one thing of
/// one run. No run has as many of anything.
const APART: u64 = 1 << 40;

/// No more pieces than this are worked on at once, however many processors there are.
const MOST_AT_ONCE: usize = 4;

/// Lets `work` be done on every piece by some threads, and tells of what comes of it in the order of the pieces.
fn in_order<P: Sync, T: Send, E: Send>(
    pieces: &[P],
    workers: usize,
    work: &(impl Fn(&P) -> Result<T, E> + Sync),
    told: &mut dyn FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        // Each worker takes every so-manieth piece, and is at most one ahead of whoever hears of them.
        let worker = |first: usize| {
            let (sender, receiver) = sync_channel(0);
            scope.spawn(move || {
                // Whoever listens stops at the first error.
                pieces.iter().skip(first).step_by(workers).map(work).try_for_each(|made| sender.send(made)).ok();
            });
            receiver
        };
        let receivers: Vec<_> = (0..workers).map(worker).collect();
        let mut in_turn = (0..pieces.len()).map_while(|at| receivers[at % workers].recv().ok());
        in_turn.try_for_each(|made| told(made?))
    })
}

/// Columns of a table of the nth run, with numbers kept apart.
fn apart(run: usize, columns: &[&str]) -> Vec<Expr> {
    let column = |name: &&str| {
        if NUMBERS.contains(name) {
            (col(*name).cast(DataType::UInt64) + lit(run as u64 * APART)).alias(*name)
        } else {
            col(*name)
        }
    };
    columns.iter().map(column).collect()
}

/// The datasets of different runs.
#[derive(Debug)]
pub(crate) struct Datasets<'a> {
    all: &'a [Dataset],
    runs: Vec<Option<Run>>,
}

impl<'a> Datasets<'a> {
    /// Reads what the datasets say of their runs. Two of one run are refused: its samples would count twice.
    pub(crate) fn new(all: &'a [Dataset]) -> Result<Self, AnalyzeError> {
        if all.is_empty() {
            return Err(AnalyzeError::Question("no run is named".to_owned()));
        }
        let runs = all.iter().map(Run::read).collect::<Result<Vec<_>, _>>()?;
        let mut known: BTreeMap<&str, &Dataset> = BTreeMap::new();
        for (run, dataset) in runs.iter().zip(all) {
            let Some(id) = run.as_ref().map(|run| run.id.as_str()) else { continue };
            if let Some(other) = known.insert(id, dataset) {
                return Err(AnalyzeError::Question(format!(
                    "run `{id}` would count twice: `{}` and `{}` are both of it",
                    other.dir().display(),
                    dataset.dir().display()
                )));
            }
        }
        Ok(Self { all, runs })
    }

    /// Each dataset with its run, if it knows that.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'a Dataset, Option<&Run>)> {
        self.all.iter().zip(self.runs.iter().map(Option::as_ref))
    }

    /// How many runs.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is more than one run.
    pub(crate) fn are_many(&self) -> bool {
        self.all.len() > 1
    }

    /// What a run is called: its id, else the folder of its dataset.
    pub(crate) fn name(&self, run: usize) -> String {
        match &self.runs[run] {
            Some(run) => run.id.clone(),
            None => self.all[run].dir().display().to_string(),
        }
    }

    /// The number of a thing of a run among the things of all runs.
    pub(crate) fn number(run: usize, number: u64) -> u64 {
        run as u64 * APART + number
    }

    /// The run of a number, and the number in that run.
    pub(crate) fn place(number: u64) -> (usize, u64) {
        let run = usize::try_from(number / APART).unwrap_or(usize::MAX);
        (run, number % APART)
    }

    /// The place of the run in the order of runs, from a number that is kept apart.
    pub(crate) fn run_of(number: Expr) -> Expr {
        number.cast(DataType::UInt64).floor_div(lit(APART))
    }

    /// The number within its run.
    pub(crate) fn within(number: Expr) -> Expr {
        number.clone().cast(DataType::UInt64) - Self::run_of(number) * lit(APART)
    }

    /// Columns of a table of all runs, with numbers kept apart; nothing if no run has the table.
    pub(crate) fn scan(&self, table: &Table, columns: &[&str]) -> Result<Option<LazyFrame>, AnalyzeError> {
        let mut parts = Vec::new();
        for (run, dataset) in self.all.iter().enumerate() {
            let Some(scan) = dataset.scan(table)? else { continue };
            parts.push(scan.select(apart(run, columns)));
        }
        match parts.len() {
            0 => Ok(None),
            1 => Ok(parts.pop()),
            _ => concat(parts, UnionArgs::default()).map(Some).map_err(|source| self.unreadable(table, source)),
        }
    }

    /// Whether any run has the table.
    pub(crate) fn has(&self, table: &Table) -> Result<bool, AnalyzeError> {
        self.all.iter().try_fold(false, |any, dataset| Ok(any || dataset.has(table)?))
    }

    /// Reads these columns of a table of all runs, with numbers kept apart, piece by piece: `work` makes something of
    /// each piece, several at once, and `told` hears of that in the order of the pieces. A handful is in memory.
    pub(crate) fn each_chunk<T: Send>(
        &self,
        table: &Table,
        columns: &[&str],
        work: &(dyn Fn(DataFrame) -> PolarsResult<T> + Sync),
        told: &mut dyn FnMut(T) -> PolarsResult<()>,
    ) -> Result<(), AnalyzeError> {
        let mut pieces = Vec::new();
        for (run, dataset) in self.all.iter().enumerate() {
            let chunks = dataset.chunks(table)?;
            pieces.extend(chunks.into_iter().map(|chunk| chunk.select(apart(run, columns))));
        }
        // What lies in a store is read in larger pieces.
        let most = if self.all.iter().any(Dataset::is_stored) { MOST_AT_ONCE / 2 } else { MOST_AT_ONCE };
        let workers = rayon::current_num_threads().min(most).min(pieces.len());
        let heard = if workers < 2 {
            pieces.into_iter().try_for_each(|piece| told(work(piece.collect()?)?))
        } else {
            in_order(&pieces, workers, &|piece: &LazyFrame| work(piece.clone().collect()?), told)
        };
        heard.map_err(|source| self.unreadable(table, source))
    }

    /// Reads what a plan over a table asks for.
    pub(crate) fn collect(&self, table: &Table, plan: LazyFrame) -> Result<DataFrame, AnalyzeError> {
        plan.collect().map_err(|source| self.unreadable(table, source))
    }

    /// The error for a table that is not as its format says, of the dataset in which it is not.
    pub(crate) fn unreadable(&self, table: &Table, source: PolarsError) -> AnalyzeError {
        let is_whole = |dataset: &&Dataset| {
            let names = || table.columns.iter().map(|column| col(column.name).count());
            let counted = |scan: LazyFrame| scan.select([all().as_expr().count()]).collect().is_ok();
            let known = |scan: LazyFrame| scan.select(names().collect::<Vec<_>>()).collect().is_ok();
            match dataset.scan(table) {
                Ok(Some(scan)) => counted(scan.clone()) && known(scan),
                Ok(None) => true,
                Err(_) => false,
            }
        };
        let broken = if self.are_many() { self.all.iter().find(|dataset| !is_whole(dataset)) } else { None };
        broken.unwrap_or(&self.all[0]).unreadable(table, source)
    }

    /// The runs that lack a table, by their names.
    pub(crate) fn without(&self, table: &Table) -> Result<Vec<String>, AnalyzeError> {
        let mut found = Vec::new();
        for (run, dataset) in self.all.iter().enumerate() {
            if !dataset.has(table)? {
                found.push(self.name(run));
            }
        }
        Ok(found)
    }
}
