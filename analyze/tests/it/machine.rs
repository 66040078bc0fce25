//! What the head says of the machine, and what is not to be trusted for it.

use std::fs;

use polars::prelude::*;
use tg_analyze::Dataset;
use tg_analyze::queries::{QueryOptions, queries};
use tg_analyze::report::{Cell, Report, Section, Unit};
use tg_analyze::stats::{StatsOptions, stats};
use tg_model::table::{self, Table};

use crate::dataset::Written;

fn ask(written: &Written) -> Report {
    stats(&[Dataset::open(written.path()).unwrap()], &StatsOptions::default()).unwrap()
}

fn fact<'a>(report: &'a Report, key: &str) -> Option<(&'a Cell, &'a str)> {
    let facts = report.sections.iter().find_map(|section| match section {
        Section::Facts(facts) => Some(&facts.facts),
        Section::Table(_) => None,
    });
    let found = facts.unwrap().iter().find(|fact| fact.key == key)?;
    Some((&found.value, found.remark.as_deref().unwrap_or_default()))
}

/// Windows of these lengths, and whether the instance starved in them.
fn resources(windows: &[(i64, Option<bool>)]) -> DataFrame {
    df!(
        "span_ns" => windows.iter().map(|one| one.0).collect::<Vec<_>>(),
        "starved" => windows.iter().map(|one| one.1).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn host() -> DataFrame {
    df!(
        "span_ns" => [1_000_i64, 3_000], "cpus" => [2_i64, 2], "busy_ns" => [2_200_i64, 1_800],
        "memory_full_ns" => [Some(400_i64), None], "tg_wait_ns" => [Some(100_i64), Some(700)],
    )
    .unwrap()
}

/// So many operations of 1, 2, … ms, the slowest of them under contention, and one of which nothing is known.
fn operations(all: i64, starved: i64) -> DataFrame {
    df!(
        "query_id" => (0..=all).collect::<Vec<_>>(),
        "instance" => vec![0_u32; usize::try_from(all).unwrap() + 1],
        "op" => vec!["get"; usize::try_from(all).unwrap() + 1],
        "status" => vec!["done"; usize::try_from(all).unwrap() + 1],
        "duration_ns" => (0..=all).map(|at| (at + 1) * 1_000_000).collect::<Vec<_>>(),
        "starved" => (0..=all).map(|at| (at < all).then_some(at >= all - starved)).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn note(report: &Report) -> String {
    report.notes.iter().map(|note| note.text.as_str()).find(|text| text.contains("contention")).unwrap_or("").to_owned()
}

#[test]
fn the_head_says_how_far_a_run_may_be_believed() {
    let windows = [(1_000, Some(false)), (500, Some(true)), (1_000, Some(false)), (9_000, None)];
    let written = Written::new()
        .instances(&[("a", 1, "ok")])
        .table(&table::RESOURCES, &resources(&windows))
        .table(&table::HOST, &host());
    let report = ask(&written);
    let (value, remark) = fact(&report, "starved_ratio").unwrap();
    assert_eq!(*value, Cell::ratio(0.2));
    // 4 of 8 µs, and in the first window more than there is: the machine counts in ticks.
    assert_eq!(remark, "of the instances' time; 2 processors, 50 % busy, 100 % at most");
    assert_eq!(
        note(&report),
        "20.0 % of the instances' time was under CPU contention; of what instances measured, percentiles above p80 are not to be trusted"
    );
    assert!(report.notes.iter().any(|note| note.text == "everything waited for memory 40 % of the time"));
    assert_eq!(fact(&report, "late_max_ns"), None, "there was no network of tg's own");

    // Of 100 known operations 12 ran under contention: what is above the 88th of 1 … 100 ms may be theirs.
    let with = |all, starved| {
        ask(&Written::new()
            .instances(&[("a", 1, "ok")])
            .table(&table::RESOURCES, &resources(&windows))
            .table(&table::QUERIES, &operations(all, starved)))
    };
    assert_eq!(
        note(&with(100, 12)),
        "20.0 % of the instances' time was under CPU contention; 12 of 100 operations ran while their instance starved; not to be trusted: `get` above p88 (88.1 ms)"
    );
    // One in a hundred touches no percentile that is shown.
    assert!(note(&with(100, 1)).ends_with("1 of 100 operations ran while their instance starved"));
    assert!(note(&with(10, 10)).ends_with("not to be trusted: `get` at all"));
}

#[test]
fn a_calm_run_and_one_that_was_not_sampled_have_no_doubts() {
    let calm = Written::new()
        .instances(&[("a", 1, "ok")])
        .table(&table::RESOURCES, &resources(&[(1_000, Some(false))]))
        .table(&table::LINKS, &df!("late_max_ns" => [900_000_i64, 5]).unwrap());
    let report = ask(&calm);
    assert_eq!(fact(&report, "starved_ratio").unwrap().0, &Cell::ratio(0.0));
    assert_eq!(fact(&report, "late_max_ns").unwrap().0, &Cell::Number(900_000.0, Unit::Nanos));
    assert_eq!(report.notes.len(), 0, "{:?}", report.notes);
    let unknown = ask(&Written::new().instances(&[("a", 1, "ok")]));
    assert_eq!(fact(&unknown, "starved_ratio"), None);
    let late = calm.table(&table::LINKS, &df!("late_max_ns" => [12_000_000_i64]).unwrap()).table(&table::HOST, &host());
    let report = ask(&late);
    let text = "packets came up to 12.0 ms later than their links have it; a millisecond or more in 1 of 3 windows of pairs: the network itself waited for a processor 20 % of the time";
    assert!(report.notes.iter().any(|note| note.text == text), "{:?}", report.notes);
}

#[test]
fn marks_are_listed_and_chosen_and_a_dataset_from_before_has_none() {
    let written = Written::new().instances(&[("a", 1, "ok")]).table(&table::QUERIES, &operations(10, 2));
    let listed = |written: &Written, filter: &str| {
        let options = QueryOptions { filter: Some(filter.to_owned()), ..QueryOptions::default() };
        let report = queries(&Dataset::open(written.path()).unwrap(), &options).unwrap();
        let Some(Section::Table(table)) = report.sections.first().cloned() else { panic!("a table") };
        let at = table.columns.iter().position(|column| column.key == "starved").unwrap();
        table.rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&written, "starved = true"), [Cell::Flag(true), Cell::Flag(true)]);
    assert_eq!(listed(&written, "starved is null"), [Cell::Absent]);
    // Before the mark there was a column less.
    let columns: &'static [table::Column] = &table::QUERIES.columns[..table::QUERIES.columns.len() - 1];
    let older = Table { columns, ..table::QUERIES };
    let written = Written::new().instances(&[("a", 1, "ok")]);
    fs::write(written.path().join("_dataset.json"), r#"{"format":{"major":1,"minor":1}}"#).unwrap();
    let written = written.table(&older, &operations(3, 0).drop("starved").unwrap());
    assert_eq!(listed(&written, "op = get"), vec![Cell::Absent; 4]);
    assert_eq!(note(&ask(&written)), "");
}
