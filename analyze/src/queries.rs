//! Lookups and other operations one by one: chosen, sorted and listed.

use std::collections::HashMap;

use polars::prelude::{DataFrame, DataType, PolarsResult, col};
use tg_model::table::QUERIES;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::filter::Kind;
use crate::frame;
use crate::report::{Cell, Column, Line, Report, Section, Table, Tone, Unit};
use crate::run::{Instance, Run};
use crate::stats::{Chosen, Wanted};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct QueryOptions {
    /// A condition, as [`Filter`](crate::filter::Filter) reads it: only those for which it holds.
    pub filter: Option<String>,
    /// How those ended that are listed.
    pub only: Only,
    /// The order.
    pub sort: Sort,
    /// How many at most; all without a number.
    pub limit: Option<usize>,
    /// How many peers a lookup is to return. Scores are computed where this is said, and where the condition names one.
    pub k: Option<u32>,
}

/// How operations ended that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Only {
    /// In whatever way.
    #[default]
    All,
    /// Not well.
    Failed,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What began first.
    #[default]
    Number,
    /// What took longest; what never ended comes before all.
    Slowest,
    /// What returned the smallest share of the nearest servers alive.
    WorstRecall,
}

/// The columns of an operation that is listed. The last three are there where scores are asked for. A condition may name
/// others too: of the table, of the instance, and of the run.
pub const COLUMNS: [(&str, Kind); 28] = [
    ("query", Kind::Number),
    ("lookup", Kind::Text),
    ("instance", Kind::Text),
    ("group", Kind::Text),
    ("op", Kind::Text),
    ("tag", Kind::Text),
    ("key_group", Kind::Text),
    ("target", Kind::Text),
    ("status", Kind::Text),
    ("term_reason", Kind::Text),
    ("round", Kind::Number),
    ("duration_ns", Kind::Number),
    ("first_result_ns", Kind::Number),
    ("last_result_ns", Kind::Number),
    ("results_found", Kind::Number),
    ("results_expected", Kind::Number),
    ("requests", Kind::Number),
    ("responses", Kind::Number),
    ("dials", Kind::Number),
    ("dial_failures", Kind::Number),
    ("rpc_failures", Kind::Number),
    ("unreachable", Kind::Number),
    ("peers_heard", Kind::Number),
    ("total_hops", Kind::Number),
    ("starved", Kind::Text),
    ("recall_alive", Kind::Number),
    ("recall_all", Kind::Number),
    ("displacement_alive", Kind::Number),
];

/// Scores stand at the end of the columns.
const SCORES: usize = 3;
const TEXTS: [&str; 8] = ["lookup", "op", "tag", "key_group", "target", "status", "term_reason", "starved"];
/// What people see.
const SHOWN: [(&str, &str); 14] = [
    ("query", "query"),
    ("instance", "instance"),
    ("op", "operation"),
    ("key_group", "keys of"),
    ("status", "status"),
    ("term_reason", "ended"),
    ("duration_ns", "took"),
    ("results_found", "results"),
    ("requests", "requests"),
    ("dial_failures", "failed dials"),
    ("unreachable", "unreachable"),
    ("total_hops", "hops"),
    ("starved", "starved"),
    ("recall_alive", "recall"),
];

#[derive(Debug, Clone, PartialEq)]
enum Own {
    Absent,
    Number(f64),
    Text(String),
}

impl Own {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

type Row = Vec<Own>;

fn at(name: &str) -> usize {
    COLUMNS.iter().position(|(known, _)| *known == name).unwrap_or(0)
}

/// The operations of a run that are asked for.
pub fn queries(dataset: &Dataset, options: &QueryOptions) -> Result<Report, AnalyzeError> {
    let mut rows = read(dataset)?;
    if rows.is_empty() {
        return Err(AnalyzeError::NoData(format!(
            "the run recorded no operations: `{}` has no table `queries`",
            dataset.dir().display()
        )));
    }
    let total = rows.len();
    let wanted = Wanted { filter: options.filter.clone(), k: options.k, ..Wanted::default() };
    let Chosen { numbers, scores } = Chosen::read(dataset, &wanted)?;
    if let Some(scores) = &scores {
        add_scores(scores, &mut rows).map_err(|source| dataset.unreadable(&QUERIES, source))?;
    }
    let done = Own::Text("done".to_owned());
    rows.retain(|row| numbers.contains(&id(row)) && (options.only == Only::All || row[at("status")] != done));
    let chosen = rows.len();
    let number = |row: &Row, name: &str| row[at(name)].number();
    let query = |row: &Row| number(row, "query").unwrap_or(0.0);
    match options.sort {
        Sort::Number => {}
        Sort::Slowest => rows.sort_by(|a, b| {
            let took = |row: &Row| number(row, "duration_ns").unwrap_or(f64::INFINITY);
            took(b).total_cmp(&took(a)).then_with(|| query(a).total_cmp(&query(b)))
        }),
        Sort::WorstRecall => {
            rows.retain(|row| number(row, "recall_alive").is_some());
            rows.sort_by(|a, b| {
                let recall = |row: &Row| number(row, "recall_alive").unwrap_or(1.0);
                recall(a).total_cmp(&recall(b)).then_with(|| query(a).total_cmp(&query(b)))
            });
        }
    }
    let scored = rows.len();
    rows.truncate(options.limit.unwrap_or(usize::MAX));
    let title =
        Run::read(dataset)?.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id));
    let mut report = Report::new("queries", format!("Operations of {title}"));
    let listed = match rows.len() {
        all if all == chosen => format!("{chosen} of {total} operations"),
        some => format!("{some} of the {chosen} chosen of {total} operations"),
    };
    report.headline = Some(Line { text: listed, tone: Tone::Plain });
    if scored < chosen {
        report.note(Tone::Warn, format!("{} operations have no score and are not listed", chosen - scored));
    }
    report.sections.push(Section::Table(table(&rows, scores.is_some())));
    Ok(report)
}

fn read(dataset: &Dataset) -> Result<Vec<Row>, AnalyzeError> {
    let Some(scan) = dataset.scan(&QUERIES)? else { return Ok(Vec::new()) };
    let instances: HashMap<u32, Instance> =
        Instance::read_all(dataset)?.into_iter().map(|instance| (instance.number, instance)).collect();
    let plain = |(name, kind): &&(&str, Kind)| *kind == Kind::Number && *name != "query";
    let numbers: Vec<&str> = COLUMNS[..COLUMNS.len() - SCORES].iter().filter(plain).map(|(name, _)| *name).collect();
    let mut wanted = vec![col("query_id"), col("instance")];
    wanted.extend(TEXTS.map(col));
    wanted.extend(numbers.iter().map(|name| col(*name).cast(DataType::Float64)));
    let frame = dataset.collect(&QUERIES, scan.select(wanted))?;
    let fill = || -> PolarsResult<Vec<Row>> {
        let mut rows = vec![vec![Own::Absent; COLUMNS.len()]; frame.height()];
        for name in TEXTS {
            for (row, text) in rows.iter_mut().zip(frame::text(&frame, name)?) {
                row[at(name)] = text.map_or(Own::Absent, Own::Text);
            }
        }
        for name in &numbers {
            for (row, number) in rows.iter_mut().zip(frame::floats(&frame, name)?) {
                row[at(name)] = number.map_or(Own::Absent, Own::Number);
            }
        }
        let (ids, numbers) = (frame::counts(&frame, "query_id")?, frame::indices(&frame, "instance")?);
        for ((row, id), number) in rows.iter_mut().zip(ids).zip(numbers) {
            row[at("query")] = id.map_or(Own::Absent, |id| Own::Number(id as f64));
            let instance = number.and_then(|number| instances.get(&number));
            let name = instance.map_or_else(|| number.map(|number| number.to_string()), |one| Some(one.name()));
            row[at("instance")] = name.map_or(Own::Absent, Own::Text);
            row[at("group")] = instance.map_or(Own::Absent, |one| Own::Text(one.group.clone()));
        }
        Ok(rows)
    };
    fill().map_err(|source| dataset.unreadable(&QUERIES, source))
}

/// The number of an operation in its run.
fn id(row: &Row) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a count")]
    let id = row[at("query")].number().unwrap_or(-1.0) as u64;
    id
}

fn add_scores(scores: &DataFrame, rows: &mut [Row]) -> PolarsResult<()> {
    let places: HashMap<u64, usize> = rows.iter().enumerate().map(|(place, row)| (id(row), place)).collect();
    let lookups = frame::counts(scores, "query_id")?;
    for (name, _) in &COLUMNS[COLUMNS.len() - SCORES..] {
        for (lookup, value) in lookups.iter().zip(frame::floats(scores, name)?) {
            if let Some(&place) = lookup.as_ref().and_then(|lookup| places.get(lookup)) {
                rows[place][at(name)] = value.map_or(Own::Absent, Own::Number);
            }
        }
    }
    Ok(())
}

fn table(rows: &[Row], scored: bool) -> Table {
    let names = &COLUMNS[..COLUMNS.len() - if scored { 0 } else { SCORES }];
    let starved = rows.iter().any(|row| row[at("starved")] == Own::Text("true".to_owned()));
    let columns = names
        .iter()
        .map(|(name, _)| match SHOWN.iter().find(|(shown, _)| shown == name) {
            Some((_, title)) if matches!(*name, "query" | "instance" | "op" | "status" | "duration_ns") => {
                Column::new(name, title)
            }
            Some((_, title)) if *name != "starved" => Column::when_used(name, title),
            // That none did need not be said of each.
            Some((_, title)) if starved => Column::new(name, title),
            Some(_) | None => Column::hidden(name),
        })
        .collect();
    let mut table = Table::new("queries", "", columns);
    "no operation is as was asked".clone_into(&mut table.empty);
    for row in rows {
        let cell = |(at, (name, _)): (usize, &(&str, Kind))| match &row[at] {
            Own::Absent => Cell::Absent,
            Own::Text(text) if *name == "status" => {
                let tone = match text.as_str() {
                    "done" => Tone::Good,
                    "incomplete" => Tone::Warn,
                    _ => Tone::Bad,
                };
                Cell::Word(text.clone(), tone)
            }
            Own::Text(text) if *name == "starved" => Cell::Flag(text == "true"),
            Own::Text(text) => Cell::Text(text.clone()),
            Own::Number(number) if name.ends_with("_ns") => Cell::Number(*number, Unit::Nanos),
            Own::Number(number) if name.starts_with("recall") => Cell::ratio(*number),
            Own::Number(number) if name.starts_with("displacement") => Cell::number(*number),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these columns hold counts")]
            Own::Number(number) => Cell::Count(*number as u64),
        };
        table.rows.push(names.iter().enumerate().map(cell).collect());
    }
    table
}
