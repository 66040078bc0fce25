//! Lookups and other operations one by one: chosen, sorted and listed.

use std::cmp::Reverse;
use std::collections::HashMap;

use polars::prelude::{
    ChunkCompareEq as _, DataFrame, DataType, IntoLazy as _, JoinArgs, JoinType, PolarsResult, col, len, lit,
};
use tg_model::table::QUERIES;

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::filter::Kind;
use crate::frame;
use crate::report::{Cell, Column, Line, Report, Section, Table, Tone, Unit};
use crate::run::{Instance, Run};
use crate::score::{SCORES, Scorer};
use crate::stats::{Of, Scoring, Taken, Wanted};

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
    /// How many peers a lookup is to return, for its scores; else as many as a bucket of the run holds.
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

/// The columns of an operation that is listed. The last three are there where the run knows the truth. A condition may name
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

type Row = Vec<Own>;

fn at(name: &str) -> usize {
    COLUMNS.iter().position(|(known, _)| *known == name).unwrap_or(0)
}

/// The operations of a run that are asked for.
pub fn queries(dataset: &Dataset, options: &QueryOptions) -> Result<Report, AnalyzeError> {
    let total = match dataset.scan(&QUERIES)? {
        Some(scan) => dataset.collect(&QUERIES, scan.select([len().alias("n")]))?,
        None => DataFrame::default(),
    };
    let total = frame::counts(&total, "n").ok().and_then(|n| n.first().copied().flatten()).unwrap_or(0);
    if total == 0 {
        return Err(AnalyzeError::NoData(format!(
            "the run recorded no operations: `{}` has no table `queries`",
            dataset.dir().display()
        )));
    }
    let wanted = Wanted { filter: options.filter.clone(), k: options.k, scoring: Scoring::Always, ..Wanted::default() };
    let taken = Taken::read(dataset, &wanted, Of::Operations)?;
    let mut chosen = choose(&taken, options)?;
    let all = chosen.len();
    match options.sort {
        Sort::Number => chosen.sort_by_key(|one| one.query),
        Sort::Slowest => chosen.sort_by_key(|one| (Reverse(one.duration_ns.unwrap_or(i64::MAX)), one.query)),
        Sort::WorstRecall => {
            chosen.retain(|one| one.recall.is_some());
            chosen.sort_by(|a, b| {
                let key = |one: &One| one.recall.unwrap_or(1.0);
                key(a).total_cmp(&key(b)).then_with(|| a.query.cmp(&b.query))
            });
        }
    }
    let scored = chosen.len();
    chosen.truncate(options.limit.unwrap_or(usize::MAX));
    let numbers: Vec<u64> = chosen.iter().map(|one| one.query).collect();
    let rows = read(dataset, &numbers, &taken)?;
    let (scored, chosen) = (scored as u64, all as u64);
    let title =
        Run::read(dataset)?.map_or_else(|| dataset.dir().display().to_string(), |run| format!("run {}", run.id));
    let mut report = Report::new("queries", format!("Operations of {title}"));
    let listed = match rows.len() as u64 {
        all if all == chosen => format!("{chosen} of {total} operations"),
        some => format!("{some} of the {chosen} chosen of {total} operations"),
    };
    report.headline = Some(Line { text: listed, tone: Tone::Plain });
    if scored < chosen {
        let text = match chosen - scored {
            1 => "1 operation has no score and is not listed".to_owned(),
            some => format!("{some} operations have no score and are not listed"),
        };
        report.note(Tone::Warn, text);
    }
    report.sections.push(Section::Table(table(&rows, taken.has_truth())));
    Ok(report)
}

/// What choosing and sorting takes of an operation.
struct One {
    query: u64,
    duration_ns: Option<i64>,
    recall: Option<f64>,
}

/// The operations that are taken and ended so.
fn choose(taken: &Taken<'_>, options: &QueryOptions) -> Result<Vec<One>, AnalyzeError> {
    let mut chosen = Vec::new();
    let by_recall = options.sort == Sort::WorstRecall && taken.has_truth();
    let columns = ["status", "duration_ns", "recall_alive"];
    taken.operations(&columns[..columns.len() - usize::from(!by_recall)], &mut |frame| {
        let done = frame.column("status")?.str()?.equal("done");
        let recalls = if by_recall { frame::floats(frame, "recall_alive")? } else { vec![None; frame.height()] };
        let rows = frame::counts(frame, "query_id")?.into_iter().zip(frame::ints(frame, "duration_ns")?);
        for (((query, duration_ns), recall), done) in rows.zip(recalls).zip(done.iter()) {
            if let Some(query) = query.filter(|_| options.only == Only::All || done != Some(true)) {
                chosen.push(One { query, duration_ns, recall });
            }
        }
        Ok(())
    })?;
    Ok(chosen)
}

/// The operations of these numbers, in this order.
fn read(dataset: &Dataset, numbers: &[u64], taken: &Taken<'_>) -> Result<Vec<Row>, AnalyzeError> {
    let (Some(scan), Some(low), Some(high)) = (dataset.scan(&QUERIES)?, numbers.iter().min(), numbers.iter().max())
    else {
        return Ok(Vec::new());
    };
    let places: HashMap<u64, usize> = numbers.iter().enumerate().map(|(place, &number)| (number, place)).collect();
    let id = || col("query_id");
    let known = polars::df!("query_id" => numbers).map_err(|source| dataset.unreadable(&QUERIES, source))?.lazy();
    // The range skips what lies around it, and the join takes what is meant.
    let within = scan.filter(id().gt_eq(lit(*low)).and(id().lt_eq(lit(*high))));
    let scan = within.join(known, [id()], [id()], JoinArgs::new(JoinType::Semi));
    let instances: HashMap<u32, Instance> =
        Instance::read_all(dataset)?.into_iter().map(|instance| (instance.number, instance)).collect();
    let plain = |(name, kind): &&(&str, Kind)| *kind == Kind::Number && *name != "query";
    let counts: Vec<&str> =
        COLUMNS[..COLUMNS.len() - SCORES.len()].iter().filter(plain).map(|(name, _)| *name).collect();
    let mut wanted = vec![col("query_id"), col("instance")];
    wanted.extend(TEXTS.map(col));
    let is_more = |name: &&str| !["query_id", "instance", "op"].contains(name);
    wanted.extend(Scorer::COLUMNS.into_iter().filter(|_| taken.has_truth()).filter(is_more).map(col));
    wanted.extend(counts.iter().map(|name| col(*name).cast(DataType::Float64)));
    let frame = dataset.collect(&QUERIES, scan.select(wanted))?;
    let frame = if taken.has_truth() { taken.with_scores(frame) } else { Ok(frame) };
    let frame = frame.map_err(|source| dataset.unreadable(&QUERIES, source))?;
    let fill = || -> PolarsResult<Vec<Row>> {
        let mut rows = vec![vec![Own::Absent; COLUMNS.len()]; numbers.len()];
        let ids = frame::counts(&frame, "query_id")?;
        let places: Vec<Option<usize>> = ids.iter().map(|id| places.get(&(*id)?).copied()).collect();
        let mut set = |name: &str, values: Vec<Own>| {
            let column = at(name);
            for (place, value) in places.iter().zip(values) {
                if let Some(place) = place {
                    rows[*place][column] = value;
                }
            }
        };
        for name in TEXTS {
            let texts = frame::text(&frame, name)?;
            set(name, texts.into_iter().map(|text| text.map_or(Own::Absent, Own::Text)).collect());
        }
        for name in counts {
            let found = frame::floats(&frame, name)?;
            set(name, found.into_iter().map(|number| number.map_or(Own::Absent, Own::Number)).collect());
        }
        set("query", ids.iter().map(|id| id.map_or(Own::Absent, |id| Own::Number(id as f64))).collect());
        let askers = frame::indices(&frame, "instance")?;
        let asker = |number: &Option<u32>| number.and_then(|number| instances.get(&number));
        let name = |number: &Option<u32>| {
            asker(number).map_or_else(|| number.map(|number| number.to_string()), |one| Some(one.name()))
        };
        set("instance", askers.iter().map(|one| name(one).map_or(Own::Absent, Own::Text)).collect());
        let group = |one: &Instance| Own::Text(one.group.clone());
        set("group", askers.iter().map(|one| asker(one).map_or(Own::Absent, group)).collect());
        for name in SCORES.into_iter().filter(|_| taken.has_truth()) {
            let found = frame::floats(&frame, name)?;
            set(name, found.into_iter().map(|number| number.map_or(Own::Absent, Own::Number)).collect());
        }
        Ok(rows)
    };
    fill().map_err(|source| dataset.unreadable(&QUERIES, source))
}

fn table(rows: &[Row], scored: bool) -> Table {
    let names = &COLUMNS[..COLUMNS.len() - if scored { 0 } else { SCORES.len() }];
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
