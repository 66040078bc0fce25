//! Statistics of several runs together, of what a condition takes, and by other groups.

use std::collections::BTreeMap;

use polars::prelude::*;
use tg_analyze::report::{Cell, Report, Section, Table, Unit};
use tg_analyze::stats::{StatsOptions, stats};
use tg_analyze::{AnalyzeError, Dataset, Summary};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::{Written, maps};

/// A run of two groups with four instances, and a ninth instance that the dataset does not know; what it measured
/// follows from the salt.
fn run(id: &'static str, salt: i64, alpha: &str) -> Written {
    let n = 60_i64;
    let all = || 0..n;
    let at = |i: i64| (i * 7919 + salt * 104_729) % 97;
    let queries = df!(
        "query_id" => all().collect::<Vec<_>>(),
        "instance" => all().map(|i| if i == 5 { 8 } else { i % 4 }).collect::<Vec<_>>(),
        "op" => all().map(|i| if i % 3 == 0 { "put" } else { "get" }).collect::<Vec<_>>(),
        "key_group" => all().map(|i| (i % 2 == 0).then_some("even")).collect::<Vec<_>>(),
        "status" => all().map(|i| if at(i) % 5 == 0 { "incomplete" } else { "done" }).collect::<Vec<_>>(),
        "duration_ns" => all().map(|i| (at(i) % 5 != 0).then(|| at(i) * 1_000_000)).collect::<Vec<_>>(),
        "requests" => all().map(|i| (i % 7 != 0).then_some(at(i) % 11)).collect::<Vec<_>>(),
    )
    .unwrap();
    let steps = df!(
        "query_id" => all().collect::<Vec<_>>(),
        "kind" => all().map(|i| if i % 4 == 0 { "error" } else { "receive" }).collect::<Vec<_>>(),
        "peer_idx" => all().map(|i| i % 3).collect::<Vec<_>>(),
    )
    .unwrap();
    let events = df!(
        "instance" => [0_u32, 0, 1, 1],
        "kind" => ["stage_start", "stage_end", "stage_start", "stage_end"],
        "stage" => vec!["find"; 4],
        "ts" => [1_000, 1_000 + salt, 2_000, 2_000 + 3 * salt],
    )
    .unwrap();
    // A point of each instance, tagged by direction; and a counter that each writes twice, the greater value first.
    let tagged = ["sent", "got"];
    let mut metrics = df!(
        "instance" => (0..16_u32).map(|i| i % 4).collect::<Vec<_>>(),
        "source" => vec!["results"; 16],
        "name" => (0..16).map(|i| if i < 8 { "bytes" } else { "total" }).collect::<Vec<_>>(),
        "raw_name" => (0..16).map(|i| format!("x,way={}", tagged[i / 4 % 2])).collect::<Vec<_>>(),
        "type" => (0..16).map(|i| if i < 8 { "point" } else { "counter" }).collect::<Vec<_>>(),
        "measure" => (0..16).map(|i| if i < 8 { "value" } else { "count" }).collect::<Vec<_>>(),
        "value" => (0..16).map(|i| at(i) as f64 + if i >= 12 { 1000.0 } else { 0.0 }).collect::<Vec<_>>(),
        "ts" => (0..16_i64).map(|i| 100 - i).collect::<Vec<_>>(),
    )
    .unwrap();
    let ways: Vec<[(&str, &str); 1]> = (0..16).map(|i| [("way", tagged[i / 4 % 2])]).collect();
    metrics.with_column(maps("tags", &ways.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>())).unwrap();
    let mut instances = df!(
        "instance" => [0_u32, 1, 2, 3],
        "group" => ["a", "a", "b", "b"],
        "group_seq" => [0_u32, 1, 0, 1],
        "peer_idx" => [0_u32, 1, 2, 3],
        "outcome" => ["ok", "ok", "ok", "crashed"],
        "as_expected" => [true, true, true, false],
    )
    .unwrap();
    let params: [&[(&str, &str)]; 4] = [&[("k", "8")], &[("k", "20"), ("my-mode", "x")], &[("k", "8")], &[]];
    instances.with_column(maps("params", &params)).unwrap();
    let mut runs = df!(
        "plan" => ["dht"], "case" => ["find"], "seed" => [u64::MAX - salt.unsigned_abs()], "instances" => [4_u32],
        "verdict" => [if salt == 1 { "passed" } else { "failed" }],
    )
    .unwrap();
    runs.with_column(maps("config", &[&[("alpha", alpha)]])).unwrap();
    let reached = format!("{{\"state\":\"ready\",\"target\":4,\"waited_ns\":{}}}", 10 * salt);
    let run_events = df!("type" => ["barrier_reached"], "text" => [reached]).unwrap();
    Written::of_run(id)
        .table(&table::RUNS, &runs)
        .table(&table::INSTANCES, &instances)
        .table(&table::QUERIES, &queries)
        .table(&table::QUERY_EVENTS, &steps)
        .table(&table::EVENTS, &events)
        .table(&table::METRICS, &metrics)
        .table(&table::RUN_EVENTS, &run_events)
}

fn two() -> [Written; 2] {
    [run("r1", 1, "3"), run("r2", 2, "10")]
}

fn ask(written: &[Written], filter: Option<&str>, group_by: Option<&str>) -> Result<Report, AnalyzeError> {
    let datasets: Vec<Dataset> = written.iter().map(|one| Dataset::open(one.path()).unwrap()).collect();
    let options = StatsOptions {
        filter: filter.map(str::to_owned),
        group_by: group_by.map(str::to_owned),
        ..StatsOptions::default()
    };
    stats(&datasets, &options)
}

fn part<'a>(report: &'a Report, key: &str) -> Option<&'a Table> {
    report.sections.iter().find_map(|section| match section {
        Section::Table(table) if table.key == key => Some(table),
        _ => None,
    })
}

/// The rows of a part with these columns only.
fn rows(report: &Report, key: &str, columns: &[&str]) -> Vec<Vec<Cell>> {
    let table = part(report, key).unwrap_or_else(|| panic!("no table {key}"));
    let at = |name: &&str| {
        table.columns.iter().position(|column| column.key == *name).unwrap_or_else(|| panic!("{key} has no {name}"))
    };
    table.rows.iter().map(|row| columns.iter().map(|name| row[at(name)].clone()).collect()).collect()
}

fn count(cell: &Cell) -> u64 {
    match cell {
        Cell::Count(n) | Cell::Of(n, _) => *n,
        _ => panic!("{cell:?} is no count"),
    }
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Number(value, _) => *value,
        _ => panic!("{cell:?} is no number"),
    }
}

/// The sum of one column of a part.
fn sum(report: &Report, key: &str, column: &str) -> u64 {
    rows(report, key, &[column]).iter().map(|row| count(&row[0])).sum()
}

fn has_note(report: &Report, text: &str) -> bool {
    report.notes.iter().any(|note| note.text.contains(text))
}

fn close(value: f64, wanted: f64) -> bool {
    (value - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
}

/// An operation: (instance, operation, key group, time).
type Operation = (i64, &'static str, Option<&'static str>, Option<f64>);

/// The operations of a run as its definition says.
fn operations(salt: i64) -> Vec<Operation> {
    let at = |i: i64| (i * 7919 + salt * 104_729) % 97;
    let time = |i: i64| (at(i) % 5 != 0).then(|| at(i) as f64 * 1e6);
    let op = |i: i64| if i % 3 == 0 { "put" } else { "get" };
    (0..60).map(|i| (if i == 5 { 8 } else { i % 4 }, op(i), (i % 2 == 0).then_some("even"), time(i))).collect()
}

#[test]
fn two_runs_together_are_the_numbers_of_both_and_not_the_mean_of_two() {
    let written = two();
    let report = ask(&written, None, None).unwrap();
    let all: Vec<_> = [1, 2].into_iter().flat_map(operations).collect();
    type Times = Vec<Option<f64>>;
    let mut wanted: BTreeMap<(&str, &str, Option<&str>), Times> = BTreeMap::new();
    for (instance, op, keys, time) in all {
        let group = ["a", "a", "b", "b"].get(usize::try_from(instance).unwrap()).copied().unwrap_or("(unknown)");
        wanted.entry((op, group, keys)).or_default().push(time);
    }
    let found = rows(&report, "operations", &["op", "group", "key_group", "n", "no_time", "duration_p95_ns"]);
    assert_eq!(found.len(), wanted.len());
    for row in found {
        let text = |cell: &Cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None };
        let (op, group, keys) = (text(&row[0]).unwrap(), text(&row[1]).unwrap(), text(&row[2]));
        let times = &wanted[&(op.as_str(), group.as_str(), keys.as_deref())];
        let summary = Summary::of(times.iter().flatten().copied().collect()).unwrap();
        assert_eq!((count(&row[3]), count(&row[4])), (times.len() as u64, (times.len() - summary.n) as u64));
        assert!(close(number(&row[5]), summary.p95), "{op} {group} {keys:?}");
    }
    // Instances of the same number are different instances, and so are peers.
    assert_eq!(sum(&report, "outcomes", "instances"), 8);
    assert_eq!(
        report.headline.as_ref().unwrap().text,
        "2 runs, 1 failed, 1 passed: 6 of 8 instances ended as expected"
    );
    let metrics = rows(&report, "metrics", &["metric", "group", "instances", "n"]);
    assert_eq!(metrics[0], [Cell::from("bytes"), "a".into(), Cell::Of(4, 4), Cell::Count(8)]);
    assert_eq!(metrics[2], [Cell::from("total"), "a".into(), Cell::Of(4, 4), Cell::Count(8)]);
    let hurtful = rows(&report, "hurtful_peers", &["run_id", "instance", "lookups"]);
    assert_eq!(hurtful.len(), 5);
    assert_eq!(hurtful[0], [Cell::from("r1"), "a/0".into(), Cell::Count(5)]);
    assert_eq!(hurtful[3], [Cell::from("r2"), "a/0".into(), Cell::Count(5)]);
    assert_eq!(
        rows(&report, "barriers", &["run_id", "waited_ns"]),
        [[Cell::from("r2"), Cell::nanos(20)], [Cell::from("r1"), Cell::nanos(10)]]
    );
    // From the first begin in one run to the last end in another is no time that anything took.
    assert_eq!(rows(&report, "stages", &["n", "max_ns", "wall_ns"]), [[Cell::Count(4), Cell::nanos(6), Cell::Absent]]);
    assert_eq!(rows(&report, "runs", &["run_id", "instances"]).len(), 2);
    assert!(has_note(&report, "they differ in config alpha"), "{:?}", report.notes);
    assert!(has_note(&report, "are pooled"));
}

#[test]
fn runs_kept_apart_say_what_each_says_alone() {
    let written = two();
    let together = ask(&written, None, Some("run_id,group,key_group")).unwrap();
    let columns = ["op", "group", "key_group", "n", "done", "duration_p50_ns", "requests_mean", "success_interval"];
    for (at, id) in ["r1", "r2"].into_iter().enumerate() {
        let alone = ask(&written[at..=at], None, None).unwrap();
        let with_run: Vec<&str> = std::iter::once("run_id").chain(columns).collect();
        let found = rows(&together, "operations", &with_run);
        let ours: Vec<&[Cell]> = found.iter().filter(|row| row[0] == id.into()).map(|row| &row[1..]).collect();
        assert_eq!(ours, rows(&alone, "operations", &columns), "{id}");
    }
    assert!(!has_note(&together, "are pooled"));
    let stages = ask(&written, None, Some("run_id")).unwrap();
    assert_eq!(
        rows(&stages, "stages", &["run_id", "wall_ns"]),
        [[Cell::from("r1"), Cell::nanos(1_003)], [Cell::from("r2"), Cell::nanos(1_006)]]
    );
}

#[test]
fn what_a_condition_takes_and_what_it_leaves_are_all() {
    let written = two();
    let whole = ask(&written, None, None).unwrap();
    for condition in [
        "group = a or group is null",
        "instance = a/1 and run_id = r1",
        "op = get or status in [incomplete] and duration_ns > 40ms",
        "requests is null or key_group = even",
        "params.k > 8 or outcome != ok",
        "`params.my-mode` = x or params.my-mode is null",
        "config.alpha >= 5",
        "as_expected = true",
        "seed = 18446744073709551614",
    ] {
        let parts = [condition.to_owned(), format!("not ({condition})")];
        let parts =
            parts.map(|text| ask(&written, Some(&text), None).unwrap_or_else(|error| panic!("{text}: {error}")));
        for (key, column) in [("operations", "n"), ("operations", "done"), ("operations", "scored")] {
            let both: u64 = parts.iter().map(|part| sum(part, key, column)).sum();
            assert_eq!(both, sum(&whole, key, column), "{condition}: {column}");
        }
        let failed =
            |report: &Report| part(report, "failed_operations").map_or(0, |_| sum(report, "failed_operations", "n"));
        assert_eq!(parts.iter().map(failed).sum::<u64>(), failed(&whole), "{condition}");
        if part(&parts[0], "outcomes").is_some() {
            for (key, column) in [("outcomes", "instances"), ("metrics", "n")] {
                let both: u64 = parts.iter().map(|part| sum(part, key, column)).sum();
                assert_eq!(both, sum(&whole, key, column), "{condition}: {key}");
            }
        } else {
            assert!(has_note(&parts[0], "left out: outcomes, failures"), "{condition}: {:?}", parts[0].notes);
        }
    }
}

#[test]
fn conditions_take_what_they_say() {
    let written = two();
    let n = |condition: &str, key: &str| sum(&ask(&written, Some(condition), None).unwrap(), key, "n");
    let all: Vec<_> = [1, 2].into_iter().flat_map(operations).collect();
    let truth = |takes: &dyn Fn(&Operation) -> bool| all.iter().filter(|row| takes(row)).count() as u64;
    assert_eq!(n("op = get", "operations"), truth(&|row| row.1 == "get"));
    assert_eq!(n("duration_ns > 40ms", "operations"), truth(&|row| row.3.is_some_and(|time| time > 40e6)));
    assert_eq!(n("not duration_ns > 40ms", "operations"), truth(&|row| row.3.is_none_or(|time| time <= 40e6)));
    assert_eq!(n("params.k = 8", "operations"), truth(&|row| [0, 2].contains(&row.0)));
    assert_eq!(n("params.k is null", "operations"), truth(&|row| [3, 8].contains(&row.0)));
    // The instance that the dataset does not know has a number and no group.
    assert_eq!(n("group is null", "operations"), 2);
    assert_eq!(n("instance = 8", "operations"), 2);
    assert_eq!(n("config.alpha > 5", "operations"), 60);
    assert_eq!(n("tags.way = sent", "metrics"), 16);
    assert_eq!(n("tags.way = sent and group = b", "metrics"), 8);
    // The last record of an aggregate is looked for before the condition is.
    let report = ask(&written, Some("name = total and value < 900"), None).unwrap();
    assert_eq!(sum(&report, "metrics", "n"), 8);
    assert!(part(&report, "operations").is_none());
    assert!(has_note(&report, "which have no `name` and no `value`"), "{:?}", report.notes);
}

#[test]
fn the_last_record_counts_whether_the_condition_takes_it_or_not() {
    // The last record is 50; a condition that only the first meets takes nothing.
    let metrics = df!(
        "instance" => [0_u32, 0],
        "source" => ["results", "results"],
        "name" => ["sent", "sent"],
        "raw_name" => ["sent", "sent"],
        "type" => ["gauge", "gauge"],
        "measure" => ["value", "value"],
        "value" => [10.0, 50.0],
        "ts" => [1_i64, 2],
    )
    .unwrap();
    let written = [Written::new().instances(&[("a", 1, "ok")]).table(&table::METRICS, &metrics)];
    assert!(rows(&ask(&written, Some("value < 20"), None).unwrap(), "metrics", &["n"]).is_empty());
    let report = ask(&written, Some("value > 20"), None).unwrap();
    assert_eq!(rows(&report, "metrics", &["n", "mean"]), [[Cell::Count(1), Cell::number(50.0)]]);
}

#[test]
fn groups_are_columns_parameters_and_tags() {
    let written = two();
    let report = ask(&written, None, Some("params.k")).unwrap();
    let keys = |key: &str| -> Vec<Cell> { rows(&report, key, &["params.k"]).into_iter().flatten().collect() };
    // Absent before numbers, and these in their order although they are texts.
    assert_eq!(keys("outcomes"), [Cell::Absent, "8".into(), "20".into()]);
    assert_eq!(sum(&report, "operations", "n"), 120);
    let report = ask(&written, None, Some("tags.way, group")).unwrap();
    let found = rows(&report, "metrics", &["metric", "tags.way", "group", "instances"]);
    assert_eq!(found[0], [Cell::from("bytes"), "got".into(), "a".into(), Cell::Of(4, 4)]);
    assert!(part(&report, "operations").is_none() && part(&report, "outcomes").is_none());
    assert!(has_note(
        &report,
        "left out: outcomes, failures, operations, failed operations and stages, which have no `tags.way`"
    ));
    // Lists of single things are not grouped.
    assert!(part(&report, "hurtful_peers").is_some());
    let report = ask(&written, None, Some("status,requests")).unwrap();
    assert!(rows(&report, "operations", &["op", "status", "requests", "n"]).len() > 8);
    assert_eq!(sum(&report, "operations", "n"), 120);
    // What a table is grouped by anyway stands there once, and a key does not hide a column of its name.
    let report = ask(&written, None, Some("op,dial_failures")).unwrap();
    let table = part(&report, "operations").unwrap();
    let titles: Vec<&str> = table.columns.iter().take(3).map(|column| column.key.as_str()).collect();
    assert_eq!(titles, ["op", "by_dial_failures", "n"]);
    let report = ask(&written, None, Some("group,config.alpha,seed")).unwrap();
    assert_eq!(
        rows(&report, "outcomes", &["group", "config.alpha", "seed"])[0],
        [Cell::from("a"), "3".into(), "18446744073709551614".into()]
    );
}

#[test]
fn scores_may_be_named_and_are_those_of_the_run() {
    let written = two();
    // Nothing of these lookups can be scored: there are no places.
    let report = ask(&written, Some("recall_alive is null"), None).unwrap();
    assert_eq!(sum(&report, "operations", "n"), 120);
    assert!(rows(&ask(&written, Some("recall_alive < 2"), None).unwrap(), "operations", &["n"]).is_empty());
}

#[test]
fn nothing_that_is_as_was_asked_gives_a_screen() {
    let report = ask(&two(), Some("group = nobody"), None).unwrap();
    assert_eq!(
        report.headline.as_ref().unwrap().text,
        "2 runs, 1 failed, 1 passed: 0 of 0 chosen instances ended with outcome ok"
    );
    for (key, empty) in [
        ("outcomes", "no instance is as was asked"),
        ("operations", "no operation is as was asked"),
        ("metrics", "no metric is as was asked"),
    ] {
        let table = part(&report, key).unwrap();
        assert!(table.rows.is_empty() && table.empty == empty, "{key}: {}", table.empty);
    }
    for key in ["failures", "failed_operations", "hurtful_peers", "stages"] {
        assert!(part(&report, key).is_none(), "{key}");
    }
}

#[test]
fn what_cannot_be_asked_is_told_with_its_place() {
    let written = two();
    let wrong = |filter, group_by| ask(&written, filter, group_by).unwrap_err();
    for (filter, group_by, at, text) in [
        (Some("group = a and oop = get"), None, 14, "`--filter`: there is no column `oop`, did you mean `op`?"),
        (Some("duration_ns > long"), None, 14, "`duration_ns` holds numbers"),
        (Some("k = 8"), None, 0, "did you mean `params.k`?"),
        (Some("way = sent"), None, 0, "did you mean `tags.way`?"),
        (Some("tags.wya = sent"), None, 0, "did you mean `tags.way`?"),
        (None, Some("run_id, gruop"), 8, "`--group-by`: there is no column `gruop`, did you mean `group`?"),
        (None, Some("group,"), 6, "`--group-by`: the name of a column must stand here"),
    ] {
        let error = wrong(filter, group_by);
        assert_eq!(error.exit(), Exit::Usage);
        let AnalyzeError::Condition { ref why, .. } = error else { panic!("{error}") };
        assert!(why.at == at && error.to_string().contains(text), "{error} at {}", why.at);
    }
    let error = wrong(Some("op = get and name = bytes"), None);
    assert_eq!((error.exit(), error.to_string()), (Exit::Usage, "no table has all of `name` and `op`".to_owned()));
    let twice = [run("r1", 1, "3"), run("r1", 2, "3")];
    let error = ask(&twice, None, None).unwrap_err();
    assert!(error.exit() == Exit::Usage && error.to_string().starts_with("run `r1` would count twice"), "{error}");
}

#[test]
fn a_table_that_one_of_the_runs_lacks_or_that_is_broken_is_told_by_its_run() {
    let lean = || Written::of_run("lean").instances(&[("a", 2, "ok")]);
    let written = [run("r1", 1, "3"), lean()];
    let report = ask(&written, None, None).unwrap();
    assert!(has_note(&report, "1 of 2 runs recorded no operations: lean"), "{:?}", report.notes);
    assert!(has_note(&report, "2 of 6 instances wrote no metrics (lean a/0, lean a/1)"), "{:?}", report.notes);
    assert_eq!(sum(&report, "operations", "n"), 60);
    std::fs::create_dir(written[1].path().join("queries")).unwrap();
    std::fs::write(written[1].path().join("queries/part-0000.parquet"), "PAR1 no table").unwrap();
    let error = ask(&written, None, None).unwrap_err();
    assert!(matches!(&error, AnalyzeError::Table { table, dir, .. } if table == "queries" && dir == written[1].path()));
    assert_eq!(error.exit(), Exit::Format);
}

#[test]
fn one_run_says_the_same_whether_its_groups_are_named_or_not() {
    let written = [run("r1", 1, "3")];
    let (plain, named) = (ask(&written, None, None).unwrap(), ask(&written, None, Some("group,key_group")).unwrap());
    let columns = ["op", "group", "key_group", "n", "duration_p99_ns", "requests_mean"];
    assert_eq!(rows(&plain, "operations", &columns), rows(&named, "operations", &columns));
    let ns = |row: &[Cell]| matches!(row[4], Cell::Number(_, Unit::Nanos));
    assert!(rows(&plain, "operations", &columns).iter().any(|row| ns(row)));
}

#[test]
fn the_size_of_a_bucket_is_what_instances_were_told() {
    let of = |params: &[&[(&str, &str)]]| {
        let numbers: Vec<u32> = (0..).take(params.len()).collect();
        let groups = vec!["a"; params.len()];
        let instances = df!("instance" => numbers.clone(), "group" => groups, "group_seq" => numbers);
        let mut instances = instances.unwrap();
        instances.with_column(maps("params", params)).unwrap();
        let written = Written::of_run("r").table(&table::INSTANCES, &instances);
        Dataset::open(written.path()).unwrap().bucket_size().unwrap()
    };
    assert_eq!(of(&[&[("k", "8")], &[("bucket_size", "5"), ("k", "9")], &[]]), 8);
    assert_eq!(of(&[&[], &[("k", "many")]]), 20);
    assert_eq!(of(&[&[("K", "0")]]), 20);
}
