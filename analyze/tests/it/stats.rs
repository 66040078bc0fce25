//! Statistics: what counts as a sample, and what a dataset without data says.

use std::fs;

use polars::prelude::*;
use tg_analyze::report::{Cell, Direction, Report, Section, Table, Unit};
use tg_analyze::stats::{Detail, Percentile, StatsOptions, stats};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

fn ask(written: &Written) -> Report {
    stats(&[Dataset::open(written.path()).unwrap()], &StatsOptions::default()).unwrap()
}

fn table<'a>(report: &'a Report, key: &str) -> &'a Table {
    let found = report.sections.iter().find_map(|section| match section {
        Section::Table(table) if table.key == key => Some(table),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no table {key}"))
}

/// The cells of the row whose first cells of the given columns are these words.
fn row(table: &Table, metric: &str, group: &str) -> std::collections::BTreeMap<String, Cell> {
    let at = |key: &str| table.columns.iter().position(|column| column.key == key).unwrap();
    let (metric_at, group_at) = (at("metric"), at("group"));
    let found = table.rows.iter().find(|row| row[metric_at] == metric.into() && row[group_at] == group.into());
    let found = found.unwrap_or_else(|| panic!("no row {metric} {group} in {:?}", table.rows));
    table.columns.iter().map(|column| column.key.clone()).zip(found.iter().cloned()).collect()
}

/// One record of a metric: (instance, name, type, measure, value, unit, direction, time).
type Record<'a> = (u32, &'a str, &'a str, &'a str, f64, Option<&'a str>, Option<i32>, i64);

fn metrics(rows: &[Record<'_>]) -> DataFrame {
    df!(
        "instance" => rows.iter().map(|r| r.0).collect::<Vec<_>>(),
        "source" => vec!["results"; rows.len()],
        "name" => rows.iter().map(|r| r.1.split(',').next().unwrap()).collect::<Vec<_>>(),
        "raw_name" => rows.iter().map(|r| r.1).collect::<Vec<_>>(),
        "type" => rows.iter().map(|r| r.2).collect::<Vec<_>>(),
        "measure" => rows.iter().map(|r| r.3).collect::<Vec<_>>(),
        "value" => rows.iter().map(|r| r.4).collect::<Vec<_>>(),
        "unit" => rows.iter().map(|r| r.5).collect::<Vec<_>>(),
        "dir" => rows.iter().map(|r| r.6).collect::<Vec<_>>(),
        "ts" => rows.iter().map(|r| r.7).collect::<Vec<_>>(),
    )
    .unwrap()
}

#[test]
fn points_are_samples_and_aggregates_count_once() {
    let mut rows: Vec<Record<'_>> =
        (1..=10).map(|i| (i % 2, "rtt", "point", "value", f64::from(i) * 10.0, Some("ns"), Some(-1), 5)).collect();
    rows.push((0, "rtt", "point", "value", f64::NAN, Some("ns"), Some(-1), 6));
    // A counter repeats: the last record by time counts, also where the lines stand in another order.
    rows.extend([
        (0, "sent", "counter", "count", 100.0, None, None, 9),
        (0, "sent", "counter", "count", 40.0, None, None, 3),
        (1, "sent", "counter", "count", 300.0, None, None, 9),
        (2, "sent", "counter", "count", 7.0, None, None, 1),
        // Another set of tags is another series.
        (2, "sent,kind=x", "counter", "count", 9.0, None, None, 1),
    ]);
    let written = Written::new().instances(&[("a", 2, "ok"), ("b", 2, "ok")]).table(&table::METRICS, &metrics(&rows));
    let report = ask(&written);
    let found = row(table(&report, "metrics"), "rtt", "a");
    let ns = |value| Cell::Number(value, Unit::Nanos);
    assert_eq!((&found["n"], &found["not_finite"]), (&Cell::Count(10), &Cell::Count(1)));
    assert_eq!((&found["mean"], &found["p50"]), (&ns(55.0), &ns(55.0)));
    let Cell::Number(p95, Unit::Nanos) = found["p95"] else { panic!("{:?}", found["p95"]) };
    assert!((p95 - 95.5).abs() < 1e-9, "{p95}");
    assert_eq!((&found["min"], &found["max"], &found["unit"]), (&ns(10.0), &ns(100.0), &"ns".into()));
    assert_eq!((&found["better"], &found["instances"]), (&Cell::Better(Direction::Lower), &Cell::Of(2, 2)));
    let Cell::Number(sd, Unit::Nanos) = found["sd"] else { panic!("{:?}", found["sd"]) };
    assert!((sd - 30.276_503_540_974_915).abs() < 1e-9, "{sd}");
    let found = row(table(&report, "metrics"), "sent", "a");
    assert_eq!((&found["n"], &found["mean"]), (&Cell::Count(2), &Cell::number(200.0)));
    let found = row(table(&report, "metrics"), "sent", "b");
    assert_eq!(
        (&found["n"], &found["mean"], &found["instances"]),
        (&Cell::Count(2), &Cell::number(8.0), &Cell::Of(1, 2))
    );
    assert!(report.notes.iter().any(|note| note.text.contains("1 of 4 instances wrote no metrics (b/1)")));
}

#[test]
fn one_value_has_no_deviation_and_units_do_not_mix() {
    let rows = [
        (0, "t", "point", "value", 1.0, Some("ms"), None, 1),
        (0, "t", "point", "value", 5.0, Some("s"), None, 1),
        (0, "size_bytes", "gauge", "value", 4096.0, None, None, 1),
    ];
    let written = Written::new().instances(&[("a", 1, "ok")]).table(&table::METRICS, &metrics(&rows));
    let report = ask(&written);
    let metrics = table(&report, "metrics");
    assert_eq!(metrics.rows.len(), 3);
    let found = row(metrics, "t", "a");
    assert_eq!(
        (&found["n"], &found["sd"], &found["p99"]),
        (&Cell::Count(1), &Cell::Absent, &Cell::Number(1.0, Unit::Millis))
    );
    assert_eq!(row(metrics, "size_bytes", "a")["mean"], Cell::Number(4096.0, Unit::Bytes));
}

#[test]
fn a_split_dataset_answers_the_same() {
    let rows: Vec<Record<'_>> =
        (0..100_u32).map(|i| (i % 3, "x", "point", "value", f64::from(i * 7919 % 101), None, None, 1)).collect();
    let groups = [("a", 2, "ok"), ("b", 1, "ok")];
    let whole = Written::new().instances(&groups).table(&table::METRICS, &metrics(&rows));
    let split = rows
        .chunks(7)
        .fold(Written::new().instances(&groups), |written, part| written.table(&table::METRICS, &metrics(part)));
    assert_eq!(table(&ask(&whole), "metrics"), table(&ask(&split), "metrics"));
}

#[test]
fn the_head_tells_outcomes_and_failures() {
    let written = Written::new().instances(&[("a", 3, "ok"), ("b", 2, "crashed"), ("c", 1, "strange")]);
    let report = ask(&written);
    assert_eq!(report.headline.as_ref().unwrap().text, "failed: 3 of 6 instances ended as expected");
    let outcomes = table(&report, "outcomes");
    let at = |key: &str| outcomes.columns.iter().position(|column| column.key == key).unwrap();
    assert_eq!(outcomes.rows[1][at("crashed")], Cell::Count(2));
    assert_eq!(outcomes.rows[2][at("other")], Cell::Count(1));
    let failures = table(&report, "failures");
    assert_eq!(failures.rows[0][3..], [Cell::from("b/0, b/1"), Cell::from("no route")]);
    assert_eq!(table(&report, "metrics").empty, "no instance wrote a metric");
}

#[test]
fn patterns_choose_metrics_and_detail_adds_measures() {
    let rows = [
        (0, "h", "histogram", "p95", 1.0, None, None, 1),
        (0, "h", "histogram", "stddev", 1.0, None, None, 1),
        (0, "other", "point", "value", 1.0, None, None, 1),
    ];
    let written = Written::new().instances(&[("a", 1, "ok")]).table(&table::METRICS, &metrics(&rows));
    let dataset = Dataset::open(written.path()).unwrap();
    let count = |metrics: &[&str], detail| {
        let options = StatsOptions {
            metrics: metrics.iter().map(|&one| one.to_owned()).collect(),
            detail,
            ..StatsOptions::default()
        };
        table(&stats(std::slice::from_ref(&dataset), &options).unwrap(), "metrics").rows.len()
    };
    assert_eq!(count(&[], Detail::Main), 2);
    assert_eq!(count(&[], Detail::All), 3);
    assert_eq!(count(&["h"], Detail::Main), 2);
    assert_eq!(count(&["h.p9?"], Detail::Main), 1);
    assert_eq!(count(&["nothing*"], Detail::Main), 0);
}

#[test]
fn what_cannot_be_read_is_refused_by_its_own_code() {
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(Dataset::open(nothing.path()).unwrap_err().exit(), Exit::NoData);
    assert_eq!(Dataset::open(&nothing.path().join("no/where")).unwrap_err().exit(), Exit::NoData);
    for text in ["{", "[]", r#"{"format":{"major":2,"minor":0}}"#, "\u{0}"] {
        fs::write(nothing.path().join("_dataset.json"), text).unwrap();
        assert_eq!(Dataset::open(nothing.path()).unwrap_err().exit(), Exit::Format, "{text}");
    }
    let empty = Written::new();
    let why = stats(&[Dataset::open(empty.path()).unwrap()], &StatsOptions::default()).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);

    let broken = Written::new().instances(&[("a", 1, "ok")]);
    fs::write(broken.path().join("instances/part-0000.parquet"), "PAR1 no table").unwrap();
    let why = stats(&[Dataset::open(broken.path()).unwrap()], &StatsOptions::default()).unwrap_err();
    assert!(matches!(why, AnalyzeError::Table { ref table, .. } if table == "instances"), "{why}");
    assert_eq!(why.exit(), Exit::Format);
}

#[test]
fn empty_tables_give_a_screen() {
    let written = Written::new().instances(&[]).table(&table::METRICS, &metrics(&[]));
    let report = ask(&written);
    assert!(table(&report, "outcomes").rows.is_empty() && table(&report, "metrics").rows.is_empty());
}

/// Operations: (instance, operation, time, status).
fn queries(rows: &[(u32, &str, Option<i64>, &str)]) -> DataFrame {
    df!(
        "query_id" => (0_u64..).take(rows.len()).collect::<Vec<_>>(),
        "instance" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "op" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "duration_ns" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "status" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
    )
    .unwrap()
}

#[test]
fn operations_count_those_without_a_time_and_set_impossible_times_apart() {
    let mut rows: Vec<(u32, &str, Option<i64>, &str)> = (1..=8).map(|i| (0, "get", Some(i * 10), "done")).collect();
    rows.extend([(0, "get", None, "incomplete"), (0, "get", Some(-5), "error")]);
    rows.extend([(1, "put", None, "incomplete"), (9, "put", Some(7), "done")]);
    let written = Written::new().instances(&[("a", 1, "ok"), ("b", 1, "ok")]).table(&table::QUERIES, &queries(&rows));
    let report = ask(&written);
    let operations = table(&report, "operations");
    let cell = |row: usize, key: &str| {
        operations.rows[row][operations.columns.iter().position(|column| column.key == key).unwrap()].clone()
    };
    let ns = |value| Cell::Number(value, Unit::Nanos);
    assert_eq!((cell(0, "n"), cell(0, "done"), cell(0, "no_time")), (Cell::Count(10), Cell::Count(8), Cell::Count(1)));
    assert_eq!((cell(0, "negative_time"), cell(0, "duration_p50_ns")), (Cell::Count(1), ns(45.0)));
    assert_eq!(cell(0, "success_interval"), "49.0–94.3 %".into());
    // Rows are by operation and group; an instance that nobody knows is not left out.
    let keys: Vec<Cell> = operations.rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(keys, ["a", "(unknown)", "b"].map(Cell::from));
    assert_eq!((cell(1, "duration_p99_ns"), cell(2, "duration_p50_ns")), (ns(7.0), Cell::Absent));
    assert_eq!((cell(2, "success_ratio"), cell(2, "dials_mean")), (Cell::ratio(0.0), Cell::Absent));
    assert_eq!(table(&report, "failed_operations").rows.len(), 3);

    let empty = Written::new().instances(&[("a", 1, "ok")]).table(&table::QUERIES, &queries(&[]));
    assert!(table(&ask(&empty), "operations").rows.is_empty());
}

#[test]
fn the_screen_says_who_hurt_lookups_who_was_slow_and_where_the_time_went() {
    let n = 8_u32;
    let second = 1_000_000_000_i64;
    let queries = df!(
        "query_id" => (0..u64::from(2 * n)).collect::<Vec<_>>(),
        "instance" => (0..2 * n).map(|at| at % n).collect::<Vec<_>>(),
        "op" => vec!["get"; 2 * n as usize],
        "status" => (0..2 * n).map(|at| if at == 0 { "fail" } else { "done" }).collect::<Vec<_>>(),
        "duration_ns" => (0..2 * n).map(|at| Some(second * i64::from(at % n)).filter(|_| at != 1)).collect::<Vec<_>>(),
    )
    .unwrap();
    // Peer 3 fails two lookups, peer 4 one of them twice, and an answer hurts nobody.
    let steps = df!(
        "query_id" => [0_u64, 1, 1, 1, 2],
        "seq" => [0_u32, 0, 1, 2, 0],
        "ts" => [1_i64, 1, 2, 3, 1],
        "kind" => ["dial_error", "error", "error", "error", "receive"],
        "peer_idx" => [3_u32, 3, 4, 4, 5],
    )
    .unwrap();
    let events = df!(
        "instance" => [0_u32, 0, 1, 1, 2],
        "kind" => ["stage_start", "stage_end", "stage_start", "stage_end", "stage_start"],
        "stage" => vec!["find"; 5],
        "ts" => [second, 3 * second, 2 * second, 6 * second, 2 * second],
    )
    .unwrap();
    let reached = |state: &str, waited: u64| {
        format!(
            "{{\"seq\":1,\"ts\":1,\"type\":\"barrier_reached\",\"state\":\"{state}\",\"target\":8,\"waited_ns\":{waited}}}"
        )
    };
    let run_events = df!(
        "seq" => [1_u64, 2, 3],
        "ts" => [1_i64, 2, 3],
        "type" => ["barrier_reached", "run_finished", "barrier_reached"],
        "text" => [reached("ready", 5), "{}".to_owned(), reached("done", 70)],
    )
    .unwrap();
    let written = Written::new()
        .instances(&[("a", n, "ok")])
        .table(&table::QUERIES, &queries)
        .table(&table::QUERY_EVENTS, &steps)
        .table(&table::EVENTS, &events)
        .table(&table::RUN_EVENTS, &run_events);
    let report = ask(&written);
    let shown = |key: &str, columns: &[&str]| -> Vec<Vec<Cell>> {
        let table = table(&report, key);
        let at = |name: &&str| table.columns.iter().position(|column| column.key == *name).unwrap();
        table.rows.iter().map(|row| columns.iter().map(|name| row[at(name)].clone()).collect()).collect()
    };
    assert_eq!(
        shown("hurtful_peers", &["peer", "instance", "lookups", "dial_errors", "request_errors"]),
        [
            vec!["Qm3".into(), "a/3".into(), Cell::Count(2), Cell::Count(1), Cell::Count(1)],
            vec!["Qm4".into(), "a/4".into(), Cell::Count(1), Cell::Count(0), Cell::Count(2)],
        ]
    );
    let slow = shown("slow_instances", &["instance", "n", "p50_ns"]);
    assert_eq!(slow.len(), 5);
    assert_eq!(slow[0], [Cell::from("a/7"), Cell::Count(2), Cell::nanos(7 * second)]);
    assert_eq!(
        shown("stages", &["stage", "n", "unended", "p50_ns", "max_ns", "wall_ns"]),
        [[
            "find".into(),
            Cell::Count(2),
            Cell::Count(1),
            Cell::nanos(3 * second),
            Cell::nanos(4 * second),
            Cell::nanos(5 * second)
        ]]
    );
    assert_eq!(
        shown("barriers", &["barrier", "target", "waited_ns"]),
        [vec!["done".into(), Cell::Count(8), Cell::nanos(70)], vec!["ready".into(), Cell::Count(8), Cell::nanos(5)]]
    );
}

#[test]
fn the_rule_of_percentiles_is_the_one_that_was_asked_for() {
    let rows: Vec<Record<'_>> =
        (1..=10).map(|i| (0, "rtt", "point", "value", f64::from(i) * 10.0, Some("ns"), Some(-1), 5)).collect();
    let written = Written::new().instances(&[("a", 1, "ok")]).table(&table::METRICS, &metrics(&rows));
    for (percentile, p50, p95) in
        [(Percentile::Type7, 55.0, 95.5), (Percentile::Nearest, 50.0, 100.0), (Percentile::Ps1, 60.0, 100.0)]
    {
        let options = StatsOptions { percentile, ..StatsOptions::default() };
        let report = stats(&[Dataset::open(written.path()).unwrap()], &options).unwrap();
        let found = row(table(&report, "metrics"), "rtt", "a");
        for (key, wanted) in [("p50", p50), ("p95", p95)] {
            let Cell::Number(value, Unit::Nanos) = found[key] else { panic!("{:?}", found[key]) };
            assert!((value - wanted).abs() < 1e-9, "{percentile:?} {key}: {value}");
        }
    }
}

#[test]
fn a_limit_of_memory_changes_no_number_and_one_that_is_too_low_is_refused() {
    let rows: Vec<Record<'_>> =
        (0..500_u32).map(|i| (i % 2, "x", "point", "value", f64::from(i * 7919 % 1009), None, None, 1)).collect();
    let written = Written::new().instances(&[("a", 2, "ok")]).table(&table::METRICS, &metrics(&rows));
    let dataset = [Dataset::open(written.path()).unwrap()];
    let ask = |memory_limit| stats(&dataset, &StatsOptions { memory_limit, ..StatsOptions::default() });
    assert_eq!(ask(Some(1 << 30)).unwrap(), ask(None).unwrap());
    let why = ask(Some(100 << 20)).unwrap_err();
    assert_eq!((why.exit(), why.to_string().contains("100 MiB")), (Exit::Usage, true), "{why}");
}
