//! Operations one by one: what is chosen, and in which order.

use polars::prelude::*;
use tg_analyze::queries::{Only, QueryOptions, Sort, queries};
use tg_analyze::report::{Cell, Report, Section};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::table;

use crate::dataset::Written;

fn written() -> Written {
    let rows = df!(
        "query_id" => (0_u64..6).collect::<Vec<_>>(),
        "instance" => [0_u32, 0, 1, 1, 9, 2],
        "op" => ["get", "put", "get", "find_peer", "get", "get"],
        "status" => ["done", "fail", "incomplete", "done", "done", "error"],
        "duration_ns" => [Some(3_000_000_000_i64), Some(5), None, Some(700), Some(4_000_000_000), Some(-1)],
        "requests" => [Some(3_u32), None, Some(7), Some(2), Some(9), Some(0)],
    );
    Written::new().instances(&[("a", 2, "ok"), ("b", 1, "ok")]).table(&table::QUERIES, &rows.unwrap())
}

fn ask(options: &QueryOptions) -> Result<Report, AnalyzeError> {
    let written = written();
    queries(&Dataset::open(written.path()).unwrap(), options)
}

fn listed(options: &QueryOptions) -> Vec<u64> {
    let report = ask(options).unwrap();
    let Section::Table(table) = &report.sections[0] else { panic!("a table") };
    let number = |row: &Vec<Cell>| match row[0] {
        Cell::Count(number) => number,
        _ => panic!("{row:?}"),
    };
    table.rows.iter().map(number).collect()
}

#[test]
fn conditions_and_orders_choose_rows() {
    let of = |text: &str| QueryOptions { filter: Some(text.to_owned()), ..QueryOptions::default() };
    for (text, wanted) in [
        ("op = get", &[0_u64, 2, 4, 5][..]),
        ("op = get and duration_ns > 2s", &[0, 4]),
        ("duration_ns is null or requests is null", &[1, 2]),
        ("instance = a/1", &[2, 3]),
        ("group = b", &[5]),
        // An instance that the dataset does not know has a number and no group.
        ("group is null", &[4]),
        ("instance = 9", &[4]),
        ("status in [fail, error] or not requests < 9", &[1, 4, 5]),
        ("op = nothing", &[]),
        ("outcome = ok and run_id = r", &[0, 1, 2, 3, 5]),
    ] {
        assert_eq!(listed(&of(text)), wanted, "{text}");
    }
    let slowest = QueryOptions { sort: Sort::Slowest, limit: Some(3), ..QueryOptions::default() };
    assert_eq!(listed(&slowest), [2, 4, 0], "what never ended comes first");
    assert_eq!(listed(&QueryOptions { only: Only::Failed, ..of("group = a") }), [1, 2]);
    // Nobody knows where the servers of this run are, so no lookup has a score; a condition may name one all the same.
    let recalls = |text: &str| match &ask(&of(text)).unwrap().sections[0] {
        Section::Table(table) => table.columns.iter().any(|column| column.key == "recall_alive"),
        Section::Facts(_) => panic!("a table"),
    };
    assert!(!recalls("op = get") && !recalls("recall_alive < 1") && listed(&of("recall_alive < 1")).is_empty());
    // Metrics have this column, and operations have not.
    let AnalyzeError::Condition { why, .. } = ask(&of("op = get or value > 2")).unwrap_err() else { panic!("a place") };
    assert_eq!(why.at, 12);
}

#[test]
fn a_run_without_operations_says_so() {
    let none = Written::new().instances(&[("a", 1, "ok")]);
    let error = queries(&Dataset::open(none.path()).unwrap(), &QueryOptions::default()).unwrap_err();
    assert!(matches!(error, AnalyzeError::NoData(_)), "{error}");
}
