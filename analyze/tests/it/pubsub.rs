//! Pubsub traces of a dataset: the worked values, and what must not count.

use polars::prelude::*;
use tg_analyze::pubsub::{Pubsub, PubsubOptions, pubsub, report};
use tg_analyze::report::{Cell, Report, Section, Table};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

const MS: i64 = 1_000_000;
/// When the traces begin.
const START: i64 = 1_000_000_000;

/// A row of the trace: when in milliseconds, whose, what, the other peer, topic, message.
type Row = (i64, u32, &'static str, Option<u32>, Option<&'static str>, Option<&'static str>);

fn trace(rows: &[Row]) -> DataFrame {
    df!(
        "instance" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "ts" => rows.iter().map(|row| START + row.0 * MS).collect::<Vec<_>>(),
        "name" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "local_idx" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "peer_idx" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "topic" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "msg_id" => rows.iter().map(|row| row.5.map(str::as_bytes)).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Routers 0 to 4 are P, A, B, C and D.
const P: u32 = 0;
const A: u32 = 1;
const B: u32 = 2;
const C: u32 = 3;
const D: u32 = 4;

/// P publishes; A has it after 10 ms from P, B after 20 from P, C after 40 from B; D never. Copies come to A twice and
/// to B once. All are subscribed before.
fn worked() -> Vec<Row> {
    let mut rows: Vec<Row> = (0..5).map(|who| (0, who, "join", None, Some("t"), None)).collect();
    rows.extend([
        (100, P, "publish", None, Some("t"), Some("m")),
        (110, A, "deliver", Some(P), Some("t"), Some("m")),
        (115, A, "duplicate", Some(B), Some("t"), Some("m")),
        (120, B, "deliver", Some(P), Some("t"), Some("m")),
        (125, A, "duplicate", Some(C), Some("t"), Some("m")),
        (130, B, "duplicate", Some(A), Some("t"), Some("m")),
        (140, C, "deliver", Some(B), Some("t"), Some("m")),
    ]);
    rows
}

fn five() -> Written {
    Written::new().instances(&[("first", 3, "ok"), ("second", 2, "ok")])
}

fn of(rows: &[Row]) -> Pubsub {
    with(rows, &PubsubOptions::default())
}

fn with(rows: &[Row], options: &PubsubOptions) -> Pubsub {
    let written = five().table(&table::PUBSUB_TRACE, &trace(rows));
    Pubsub::read(&Dataset::open(written.path()).unwrap(), options).unwrap()
}

fn fact(report: &Report, key: &str) -> Cell {
    let facts = report.sections.iter().filter_map(|section| match section {
        Section::Facts(facts) => Some(&facts.facts),
        Section::Table(_) => None,
    });
    facts.flatten().find(|fact| fact.key == key).unwrap_or_else(|| panic!("no fact {key}")).value.clone()
}

fn found<'a>(report: &'a Report, key: &str) -> &'a Table {
    let found = report.sections.iter().find(|section| section.key() == key);
    let Some(Section::Table(table)) = found else { panic!("no table {key}") };
    table
}

#[track_caller]
fn cell(report: &Report, table: &str, row: usize, key: &str) -> Cell {
    let table = found(report, table);
    let at = table.columns.iter().position(|column| column.key == key).unwrap_or_else(|| panic!("no column {key}"));
    table.rows[row][at].clone()
}

fn notes(report: &Report) -> String {
    report.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_worked_message() {
    let report = report(&of(&worked()));
    assert_eq!((fact(&report, "published"), fact(&report, "expected")), (Cell::Count(1), Cell::Count(4)));
    assert_eq!((fact(&report, "delivered"), fact(&report, "missed")), (Cell::Count(3), Cell::Count(1)));
    assert_eq!(fact(&report, "delivery_ratio"), Cell::ratio(0.75));
    assert_eq!(fact(&report, "deadline_misses"), Cell::Count(1));
    assert_eq!(fact(&report, "duplicates_per_delivery"), Cell::number(1.0));
    assert_eq!(fact(&report, "duplicates_per_subscriber"), Cell::number(0.6));
    assert_eq!(fact(&report, "useful_ratio"), Cell::ratio(0.5));
    assert_eq!(
        (fact(&report, "latency_p50_ns"), fact(&report, "latency_max_ns")),
        (Cell::nanos(20 * MS), Cell::nanos(40 * MS))
    );
    assert_eq!((fact(&report, "hops_mean"), fact(&report, "hops_max")), (Cell::number(4.0 / 3.0), Cell::Count(2)));
    assert_eq!((fact(&report, "fan_out_mean"), fact(&report, "fan_out_max")), (Cell::number(1.5), Cell::Count(2)));
    // P was first to two, B to one: 2·(4·1 + 5·2) / (5·3) − 6/5.
    assert_eq!(fact(&report, "first_gini"), Cell::number(28.0 / 15.0 - 1.2));
    // Of the copies at A 5 and 15 ms later, at B 10.
    assert_eq!(fact(&report, "duplicate_lag_p50_ns"), Cell::nanos(10 * MS));
    // No graft is on record, so nobody can say what came by the mesh; and no RPC.
    for key in ["by_mesh_ratio", "mesh_degree_mean", "control_per_delivery"] {
        assert_eq!(fact(&report, key), Cell::Absent, "{key}");
    }
    for (key, ms) in [("t50_ns", 20), ("t90_ns", 40), ("t100_ns", 40)] {
        assert_eq!(cell(&report, "messages", 0, key), Cell::nanos(ms * MS), "{key}");
    }
    assert_eq!(cell(&report, "messages", 0, "duplicates_per_subscriber"), Cell::number(0.6));
    assert_eq!(cell(&report, "worst_messages", 0, "delivered"), Cell::Of(3, 4));
    assert_eq!(cell(&report, "worst_instances", 0, "instance"), "second/1".into());
    let (ratio, expected) = ("delivery_ratio", "expected");
    assert_eq!(
        (cell(&report, "groups", 0, ratio), cell(&report, "groups", 1, ratio)),
        (Cell::ratio(1.0), Cell::ratio(0.5))
    );
    assert_eq!(
        (cell(&report, "groups", 0, expected), cell(&report, "topics", 0, expected)),
        (Cell::Count(2), Cell::Count(4))
    );
    assert_eq!((cell(&report, "topics", 0, "routers"), found(&report, "mesh").rows.len()), (Cell::Count(5), 0));
    let cdf = &found(&report, "cdf").rows;
    let wanted = [(10.0, 1, 1.0 / 3.0), (20.0, 2, 2.0 / 3.0), (40.0, 3, 1.0)];
    assert_eq!(*cdf, wanted.map(|(ms, n, share)| vec![Cell::number(ms), Cell::Count(n), Cell::ratio(share)]));
    assert_eq!(report.notes, []);
}

#[test]
fn who_was_not_subscribed_or_not_alive_misses_nothing() {
    // D left before, joined only afterwards, or never joined: then 3 of 3 is all.
    for d in [vec![(0, "join"), (50, "leave")], vec![(101, "join")], vec![(0, "recv_rpc")]] {
        let mut rows = worked();
        rows.remove(D as usize);
        rows.extend(
            d.into_iter().map(|(at, name)| -> Row { (at, D, name, None, (name != "recv_rpc").then_some("t"), None) }),
        );
        let report = report(&of(&rows));
        assert_eq!(fact(&report, "delivery_ratio"), Cell::ratio(1.0));
        assert_eq!(rows_of_worst(&report), 0);
    }
    // D was killed before the publish.
    let n = 5_u32;
    let instances = df!(
        "instance" => (0..n).collect::<Vec<u32>>(),
        "group" => vec!["g"; 5],
        "group_seq" => (0..n).collect::<Vec<u32>>(),
        "peer_idx" => (0..n).collect::<Vec<u32>>(),
        "outcome" => ["ok", "ok", "ok", "ok", "killed"],
        "as_expected" => vec![true; 5],
        "start_ts" => vec![START; 5],
        "end_ts" => [9000, 9000, 9000, 9000, 99].map(|ms| START + ms * MS),
    );
    let written =
        Written::new().table(&table::INSTANCES, &instances.unwrap()).table(&table::PUBSUB_TRACE, &trace(&worked()));
    let report = pubsub(&Dataset::open(written.path()).unwrap(), &PubsubOptions::default()).unwrap();
    assert_eq!(fact(&report, "delivery_ratio"), Cell::ratio(1.0));
}

fn rows_of_worst(report: &Report) -> usize {
    found(report, "worst_messages").rows.len() + found(report, "worst_instances").rows.len()
}

#[test]
fn what_a_late_subscriber_gets_is_in_no_ratio() {
    let mut rows = worked();
    rows.remove(D as usize);
    rows.extend([(101, D, "join", None, Some("t"), None), (900, D, "deliver", Some(C), Some("t"), Some("m"))]);
    let report = report(&of(&rows));
    assert_eq!((fact(&report, "expected"), fact(&report, "delivered")), (Cell::Count(3), Cell::Count(3)));
    assert_eq!(fact(&report, "latency_max_ns"), Cell::nanos(40 * MS));
    // It is a delivery all the same: of copies, and of the tree.
    assert_eq!(
        (fact(&report, "duplicates_per_delivery"), fact(&report, "hops_max")),
        (Cell::number(0.75), Cell::Count(3))
    );
    assert!(
        notes(&report).contains("1 delivery is to a router that was not known to be subscribed"),
        "{}",
        notes(&report)
    );
}

#[test]
fn a_publishers_own_delivery_and_a_second_one_do_not_count() {
    let mut rows = worked();
    rows.extend([
        (100, P, "deliver", Some(P), Some("t"), Some("m")),
        (150, C, "deliver", Some(A), Some("t"), Some("m")),
    ]);
    let report = report(&of(&rows));
    assert_eq!((fact(&report, "expected"), fact(&report, "delivered")), (Cell::Count(4), Cell::Count(3)));
    assert_eq!(fact(&report, "latency_p50_ns"), Cell::nanos(20 * MS));
    assert!(notes(&report).contains("1 delivery is of what the router had delivered before"), "{}", notes(&report));
}

#[test]
fn without_a_publish_nothing_is_said_of_who_should_have_got_it() {
    let mut rows = worked();
    rows.retain(|row| row.2 != "publish");
    let report = report(&of(&rows));
    for key in ["delivery_ratio", "latency_p50_ns", "hops_mean"] {
        assert_eq!(fact(&report, key), Cell::Absent, "{key}");
    }
    assert_eq!(cell(&report, "messages", 0, "expected"), Cell::Absent);
    assert_eq!(report.headline.as_ref().unwrap().text, "no message was published, as far as the traces tell");
    assert!(notes(&report).contains("1 message has no publish on record"), "{}", notes(&report));
}

#[test]
fn a_filtered_trace_tells_neither_copies_nor_subscriptions() {
    let mut rows = worked();
    rows.retain(|row| matches!(row.2, "publish" | "deliver"));
    rows.push((50, D, "graft", Some(C), Some("t"), None));
    let report = report(&of(&rows));
    // A, B and C delivered it and D grafted before.
    assert_eq!((fact(&report, "expected"), fact(&report, "delivered")), (Cell::Count(4), Cell::Count(3)));
    for key in ["duplicates", "duplicates_per_delivery", "duplicates_per_subscriber", "useful_ratio"] {
        assert_eq!(fact(&report, key), Cell::Absent, "{key}");
    }
    assert!(
        notes(&report).contains("5 routers wrote publishes, deliveries, grafts and prunes only"),
        "{}",
        notes(&report)
    );
    assert!(notes(&report).contains("4 routers did not say when they subscribed"), "{}", notes(&report));
}

#[test]
fn the_mesh_is_replayed_event_by_event() {
    let graft = |at, who, whom| -> Row { (at, who, "graft", Some(whom), Some("t"), None) };
    let prune = |at, who, whom| -> Row { (at, who, "prune", Some(whom), Some("t"), None) };
    let mut rows: Vec<Row> = (0..5).map(|who| (0, who, "join", None, Some("t"), None)).collect();
    rows.extend([
        // P and A all the time; A and B until 400; C has B, who does not have C.
        graft(0, P, A),
        graft(0, A, P),
        graft(0, A, B),
        graft(0, B, A),
        graft(200, C, B),
        (300, P, "publish", None, Some("t"), Some("m")),
        (310, A, "deliver", Some(P), Some("t"), Some("m")),
        // By gossip: C is not in B's mesh.
        (320, B, "deliver", Some(C), Some("t"), Some("m")),
        prune(400, A, B),
        prune(400, B, A),
        // Within one nanosecond in and out again.
        graft(500, D, P),
        prune(500, D, P),
        (1000, P, "leave", None, Some("t"), None),
    ]);
    let options = PubsubOptions { degree_low: 1, degree_high: 1, ..PubsubOptions::default() };
    let found = with(&rows, &options);
    let mesh = &found.mesh.topics[0];
    assert_eq!((mesh.subscribers, mesh.grafts, mesh.prunes, mesh.open), (5, 6, 3, 2));
    // Places of 1000, 1000, 400, 400, 800 and 0 ms in 5 subscriptions of a second; a nanosecond more to the end.
    assert!((mesh.mean_degree.unwrap() - 3600.0 / 5000.0).abs() < 1e-6, "{:?}", mesh.mean_degree);
    // B 600 ms, C 200 and D 1000 without anybody; A had two for 400.
    assert!((mesh.low_ratio.unwrap() - 1800.0 / 5000.0).abs() < 1e-6, "{:?}", mesh.low_ratio);
    assert!((mesh.high_ratio.unwrap() - 400.0 / 5000.0).abs() < 1e-6, "{:?}", mesh.high_ratio);
    assert_eq!(mesh.lifetimes_ns, [0, 400 * MS, 400 * MS, 1000 * MS]);
    assert!((mesh.changes_per_minute().unwrap() - 9.0 * 60.0 / 5.0).abs() < 1e-3);
    let standing = mesh.standing.as_ref().unwrap();
    assert_eq!(standing.degrees, [0, 1, 1, 1, 2]);
    assert_eq!((standing.parts, standing.one_sided), (2, (1, 5)));
    assert_eq!(found.mesh.course.len(), 12);
    assert_eq!(
        found.mesh.course.iter().map(|slice| (slice.grafts, slice.prunes)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (6, 3)
    );
    let report = report(&found);
    assert_eq!(fact(&report, "by_mesh_ratio"), Cell::ratio(0.5));
    // C did not get it, so nobody knows where it had it from.
    assert_eq!(rows_with(&report, "hops"), [(Cell::Count(1), Cell::Count(1)), (Cell::Absent, Cell::Count(1))]);
}

fn rows_with(report: &Report, table: &str) -> Vec<(Cell, Cell)> {
    found(report, table).rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[test]
fn clocks_that_disagree_are_told() {
    let mut rows = worked();
    rows[6].0 = 90;
    let report = report(&of(&rows));
    assert_eq!(cell(&report, "latency", 0, "latency_ns"), Cell::nanos(-10 * MS));
    assert!(notes(&report).contains("1 delivery is before its publish"), "{}", notes(&report));
}

#[test]
fn a_deadline_and_a_topic_are_obeyed() {
    let mut rows = worked();
    let elsewhere =
        rows.clone().into_iter().map(|row| -> Row { (row.0, row.1, row.2, row.3, Some("u"), row.5.map(|_| "n")) });
    rows.extend(elsewhere.filter(|row| row.1 != C));
    let options = PubsubOptions { deadline_ns: 15 * MS, ..PubsubOptions::default() };
    let both = report(&with(&rows, &options));
    // Of t: B, C too late, D never; of u, whose C is no subscriber: B too late, D never.
    assert_eq!((fact(&both, "expected"), fact(&both, "deadline_misses")), (Cell::Count(7), Cell::Count(5)));
    let one = report(&with(&rows, &PubsubOptions { topic: Some("u".to_owned()), ..PubsubOptions::default() }));
    assert_eq!((fact(&one, "expected"), fact(&one, "delivered")), (Cell::Count(3), Cell::Count(2)));
    assert_eq!(found(&one, "topics").rows.len(), 1);
    let written = five().table(&table::PUBSUB_TRACE, &trace(&rows));
    let unknown = PubsubOptions { topic: Some("v".to_owned()), ..PubsubOptions::default() };
    let error = pubsub(&Dataset::open(written.path()).unwrap(), &unknown).unwrap_err();
    assert!(
        matches!(&error, AnalyzeError::Question(text) if text == "there is no topic `v`: the run has t, u"),
        "{error}"
    );
}

#[test]
fn what_rpcs_held_is_added_up_by_kind_and_group() {
    let frame = df!(
        "instance" => [0_u32, 0, 3, 3],
        "ts" => [0, 1000, 1000, 2000].map(|ms| START + ms * MS),
        "name" => ["recv_rpc", "recv_rpc", "recv_rpc", "send_rpc"],
        "local_idx" => [0_u32, 0, 3, 3],
        "n_msgs" => [Some(1_u16), Some(0), Some(2), None],
        "n_ihave" => [Some(0_u16), Some(65_535), Some(65_535), None],
        "n_iwant" => [Some(0_u16), Some(3), Some(0), None],
        "n_graft" => [Some(1_u16), Some(0), Some(0), None],
        "n_prune" => [Some(0_u16), Some(0), Some(1), None],
        "n_idontwant" => [Some(0_u16), Some(0), Some(0), None],
    );
    let counts = df!(
        "instance" => [0_u32, 3, 3],
        "name" => ["ReceivedRPC.RPCs", "ReceivedRPC.RPCs", "ReceivedRPC.Messages"],
        "count" => [2_u64, 5, 2],
    );
    let written = five().table(&table::PUBSUB_TRACE, &frame.unwrap()).table(&table::PUBSUB_COUNTS, &counts.unwrap());
    let report = pubsub(&Dataset::open(written.path()).unwrap(), &PubsubOptions::default()).unwrap();
    let kinds: Vec<(Cell, Cell)> = rows_with(&report, "control");
    let wanted = [
        ("rpcs", 3),
        ("messages", 3),
        ("ihave", 131_070),
        ("iwant", 3),
        ("graft", 1),
        ("prune", 1),
        ("idontwant", 0),
        ("control", 131_075),
    ];
    assert_eq!(kinds, wanted.map(|(kind, n)| (kind.into(), Cell::Count(n))));
    assert_eq!(cell(&report, "control", 0, "received_per_second"), Cell::number(1.5));
    // What was sent is known by number and not by content.
    assert_eq!(
        (cell(&report, "control", 0, "sent"), cell(&report, "control", 1, "sent")),
        (Cell::Count(1), Cell::Absent)
    );
    assert_eq!(cell(&report, "control_groups", 1, "ihave"), Cell::Count(65_535));
    assert_eq!(
        (cell(&report, "counted", 1, "counted"), cell(&report, "counted", 1, "traced")),
        (Cell::Count(7), Cell::Count(3))
    );
    // One of two counted its messages, and the traces have those of both.
    assert_eq!(
        (cell(&report, "counted", 0, "name"), cell(&report, "counted", 0, "traced")),
        ("ReceivedRPC.Messages".into(), Cell::Absent)
    );
    assert!(
        notes(&report).contains("tracers counted other totals than their traces have: ReceivedRPC.RPCs"),
        "{}",
        notes(&report)
    );
    assert!(notes(&report).contains("3 instances wrote no trace"), "{}", notes(&report));
}

#[test]
fn rejections_are_told_by_reason_and_topic() {
    let rows = [(1, A, "t"), (2, B, "t"), (3, B, "u")]
        .map(|(at, who, topic)| -> Row { (at, who, "reject", Some(P), Some(topic), Some(topic)) });
    let mut frame = trace(&rows);
    frame.with_column(Column::new("reason".into(), ["unwanted", "unwanted", "too old"])).unwrap();
    let written = five().table(&table::PUBSUB_TRACE, &frame);
    let dataset = Dataset::open(written.path()).unwrap();
    let all = pubsub(&dataset, &PubsubOptions::default()).unwrap();
    let wanted = [("unwanted".into(), Cell::Count(2)), ("too old".into(), Cell::Count(1))];
    assert_eq!(rows_with(&all, "rejected"), wanted);
    let of_u = pubsub(&dataset, &PubsubOptions { topic: Some("u".to_owned()), ..PubsubOptions::default() }).unwrap();
    assert_eq!(rows_with(&of_u, "rejected"), wanted[1..]);
}

#[test]
fn a_run_without_traces_has_no_answer() {
    let written = five();
    let error = pubsub(&Dataset::open(written.path()).unwrap(), &PubsubOptions::default()).unwrap_err();
    assert_eq!(error.exit(), Exit::NoData);
    assert!(error.to_string().starts_with("the run recorded no pubsub traces: "), "{error}");
}
