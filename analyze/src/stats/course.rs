//! Where the wall time went: stages of the plan, and barriers.

use std::collections::BTreeMap;

use polars::prelude::{DataType, PolarsResult, col, lit};
use serde::Deserialize;
use tg_model::table::{EVENTS, RUN_EVENTS};

use super::columns::{Rows, physical};
use super::key::{Key, keys, with_keys};
use super::screen::Screen;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Column, Table, Unit};
use crate::summary::Summary;

/// Stages and barriers that are listed at most, the longest.
const MOST: usize = 15;

fn nanos(value: f64) -> Cell {
    Cell::Number(value, Unit::Nanos)
}

/// How long stages took each instance, and all together. A stage that an instance began and did not end is counted.
pub(super) fn stages(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    let Some(scan) = screen.datasets.scan(&EVENTS, &["instance", "kind", "stage", "ts"])? else { return Ok(None) };
    let is = |word: &str| col("kind").eq(lit(word));
    let ts = || col("ts").cast(DataType::Int64);
    let times = scan
        .filter((is("stage_start").or(is("stage_end"))).and(col("stage").is_not_null()))
        .group_by(["instance", "stage"].map(col))
        .agg([ts().filter(is("stage_start")).min().alias("began"), ts().filter(is("stage_end")).max().alias("ended")])
        .with_column(col("stage").alias(physical("stage")));
    let by = screen.by(Rows::Stages, &["stage"]);
    let by = screen.named(&by);
    let rows = screen.datasets.collect(&EVENTS, screen.choose(Rows::Stages, times))?;
    let read = || -> PolarsResult<_> {
        let (names, keys) = (frame::text(&rows, "stage")?, keys(&rows, &by)?);
        Ok((names, keys, frame::ints(&rows, "began")?, frame::ints(&rows, "ended")?))
    };
    let (names, keys, began, ended) = read().map_err(|source| screen.datasets.unreadable(&EVENTS, source))?;

    #[derive(Default)]
    struct Stage {
        took: Vec<f64>,
        began: Option<i64>,
        ended: Option<i64>,
        unended: u64,
    }
    let mut stages: BTreeMap<(&str, &[Key]), Stage> = BTreeMap::new();
    for at in 0..rows.height() {
        let stage = stages.entry((names[at].as_deref().unwrap_or_default(), &keys[at])).or_default();
        let (from, to) = (began[at], ended[at]);
        stage.began = [stage.began, from].into_iter().flatten().min();
        stage.ended = stage.ended.max(to);
        match (from, to) {
            (Some(from), Some(to)) if to >= from => stage.took.push((to - from) as f64),
            (Some(_), _) => stage.unended += 1,
            (None, _) => {}
        }
    }
    let columns = vec![
        Column::new("n", "n"),
        Column::when_used("unended", "never ended"),
        Column::new("p50_ns", "p50"),
        Column::new("p95_ns", "p95"),
        Column::new("max_ns", "max"),
        Column::new("wall_ns", "first begin to last end"),
    ];
    let mut columns = with_keys(&by, &columns);
    columns.insert(0, Column::new("stage", "stage"));
    let mut table = Table::new("stages", "Stages", columns);
    // From begin to end is a time of one run: there is none of several together.
    let is_of_one = !screen.datasets.are_many() || screen.is_by_run();
    let mut stages: Vec<_> = stages.into_iter().collect();
    // In the order in which the run came to them.
    stages.sort_by_key(|(key, stage)| (stage.began, *key));
    if stages.len() > MOST {
        table.title = format!("Stages, the first {MOST} of {}", stages.len());
    }
    for ((name, keys), Stage { took, began, ended, unended }) in stages.into_iter().take(MOST) {
        let summary = Summary::of(took);
        let of = |value: fn(&Summary) -> f64| Cell::from(summary.as_ref().map(value).map(nanos));
        let mut row: Vec<Cell> = vec![name.into()];
        row.extend(by.iter().zip(keys).map(|(named, key)| named.cell(key)));
        row.extend([
            summary.as_ref().map_or(0, |summary| summary.n).into(),
            unended.into(),
            of(|summary| summary.p50),
            of(|summary| summary.p95),
            of(|summary| summary.max),
            began.zip(ended).filter(|_| is_of_one).map(|(from, to)| Cell::nanos(to - from)).into(),
        ]);
        table.rows.push(row);
    }
    Ok(Some(table).filter(|table| !table.rows.is_empty()))
}

/// What a `barrier_reached` event says.
#[derive(Deserialize)]
struct Reached {
    state: String,
    target: u64,
    waited_ns: u64,
}

/// How long barriers held, from the first that waited to the release: the longest first.
pub(super) fn barriers(screen: &Screen<'_>) -> Result<Option<Table>, AnalyzeError> {
    let chosen = screen.chosen_runs()?;
    let mut all: Vec<(Reached, usize)> = Vec::new();
    for (run, (dataset, _)) in screen.datasets.each().enumerate().filter(|(run, _)| chosen.contains(run)) {
        let Some(scan) = dataset.scan(&RUN_EVENTS)? else { continue };
        let plan = scan.filter(col("type").eq(lit("barrier_reached"))).select([col("text")]);
        let rows = dataset.collect(&RUN_EVENTS, plan)?;
        let texts = frame::text(&rows, "text").map_err(|source| dataset.unreadable(&RUN_EVENTS, source))?;
        let reached = texts.iter().flatten().filter_map(|text| serde_json::from_str(text).ok());
        all.extend(reached.map(|reached| (reached, run)));
    }
    all.sort_by(|(a, run_a), (b, run_b)| {
        b.waited_ns.cmp(&a.waited_ns).then_with(|| a.state.cmp(&b.state)).then_with(|| run_a.cmp(run_b))
    });
    let columns = vec![
        screen.run_column(),
        Column::new("barrier", "barrier"),
        Column::new("target", "signals"),
        Column::new("waited_ns", "first waiter to release"),
    ];
    let mut table = Table::new("barriers", "Barriers that held longest", columns);
    for (reached, run) in all.into_iter().take(MOST) {
        let waited = i64::try_from(reached.waited_ns).unwrap_or(i64::MAX);
        let run = screen.datasets.name(run);
        table.rows.push(vec![run.into(), reached.state.into(), reached.target.into(), Cell::nanos(waited)]);
    }
    Ok(Some(table).filter(|table| !table.rows.is_empty()))
}
