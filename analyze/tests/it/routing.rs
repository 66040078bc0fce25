//! Routing tables of a dataset against its own truth.

use polars::prelude::*;
use tg_analyze::Dataset;
use tg_analyze::report::{Cell, Report, Section, Table};
use tg_analyze::routing::{Routing, RoutingOptions, report};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

/// The worked table: A to I are peers 0 to 8, X is 9, a client is 10, and 11 is foreign.
const PLACES: [u8; 12] = [0x00, 0x03, 0x10, 0x20, 0x40, 0x61, 0x80, 0xC0, 0xF0, 0xA0, 0xA8, 0x90];
const X: u32 = 9;
const CLIENT: u32 = 10;
const FOREIGN: u32 = 11;

/// Instances 0 to 10 with their peers. Instance 9 ended at 50, 8 began at 200.
fn written() -> Written {
    let n = 11_u32;
    let all = || (0..n).collect::<Vec<u32>>();
    let each = |special: u32, value: i64, other: i64| -> Vec<i64> {
        (0..n).map(|i| if i == special { value } else { other }).collect()
    };
    let instances = df!(
        "instance" => all(),
        "group" => (0..n).map(|i| if i < 5 { "near" } else { "far" }).collect::<Vec<_>>(),
        "group_seq" => (0..n).map(|i| i % 5).collect::<Vec<_>>(),
        "peer_idx" => all(),
        "role" => (0..n).map(|i| if i == CLIENT { Some("Client") } else { None }).collect::<Vec<_>>(),
        "outcome" => (0..n).map(|i| if i == X { "killed" } else { "ok" }).collect::<Vec<_>>(),
        "as_expected" => vec![true; n as usize],
        "start_ts" => each(8, 200, 0),
        "end_ts" => each(X, 50, 1000),
    );
    let bytes: Vec<[u8; 32]> =
        PLACES.iter().map(|&first| std::array::from_fn(|at| if at == 0 { first } else { 0 })).collect();
    let peers = df!(
        "peer_idx" => (0..=n).collect::<Vec<u32>>(),
        "peer_id" => (0..=n).map(|i| format!("Qm{i}")).collect::<Vec<_>>(),
        "kad_id" => bytes.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>(),
        "instance" => (0..=n).map(|i| (i < n).then_some(i)).collect::<Vec<_>>(),
    );
    Written::new().table(&table::INSTANCES, &instances.unwrap()).table(&table::PEERS, &peers.unwrap())
}

/// Entries: (snapshot, when, owner, entry).
fn entries(rows: &[(&str, i64, u32, u32)]) -> DataFrame {
    df!(
        "snapshot" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "ts" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "owner_idx" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "entry_idx" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
    )
    .unwrap()
}

fn measured(written: &Written, k: u32) -> Routing {
    let options = RoutingOptions { k, ..RoutingOptions::default() };
    Routing::read(&Dataset::open(written.path()).unwrap(), &options).unwrap()
}

fn fact(report: &Report, key: &str) -> Cell {
    let facts = report.sections.iter().filter_map(|section| match section {
        Section::Facts(facts) => Some(&facts.facts),
        Section::Table(_) => None,
    });
    facts.flatten().find(|fact| fact.key == key).unwrap_or_else(|| panic!("no fact {key}")).value.clone()
}

fn rows<'a>(report: &'a Report, key: &str) -> &'a Table {
    let found = report.sections.iter().find(|section| section.key() == key);
    let Some(Section::Table(table)) = found else { panic!("no table {key}") };
    table
}

#[test]
fn the_worked_table_with_lives_and_clients() {
    let a = |entry| ("end", 300, 0, entry);
    // Twice the same entry, and the owner itself.
    let table = entries(&[a(2), a(3), a(4), a(6), a(X), a(6), a(0)]);
    let report = report(&measured(&written().table(&table::ROUTING_TABLE, &table), 2));
    assert_eq!(fact(&report, "servers"), Cell::Count(9));
    assert_eq!((fact(&report, "entries"), fact(&report, "stale_entries")), (Cell::Count(5), Cell::Count(1)));
    assert_eq!(fact(&report, "completeness_ratio"), Cell::ratio(4.0 / 7.0));
    assert_eq!(
        (fact(&report, "missing_entries"), fact(&report, "depth_gap_bits")),
        (Cell::Count(3), Cell::number(3.0))
    );
    let fills: Vec<&Cell> = rows(&report, "fill").rows.iter().map(|row| &row[10]).collect();
    assert_eq!(fills, [0.5, 0.5, 1.0, 1.0, 0.0].map(Cell::ratio).iter().collect::<Vec<_>>());
    let worst = &rows(&report, "worst").rows[0];
    assert_eq!((&worst[0], &worst[1], &worst[8]), (&"near/0".into(), &Cell::Of(1, 2), &"1 near/1".into()));
    assert!(report.notes.iter().any(|note| note.text == "1 entry is the owner itself and was dropped"));
}

#[test]
fn who_was_alive_depends_on_when_the_table_was_written() {
    // At 40 X is alive and I is not there yet; at 300 it is the other way round.
    let table = entries(&[("s", 40, 0, X), ("s", 40, 0, 8), ("s", 300, 1, X), ("s", 300, 1, 8)]);
    let routing = measured(&written().table(&table::ROUTING_TABLE, &table), 20);
    let health = |owner| &routing.snapshot().owner(owner).unwrap().health;
    assert_eq!((health(0).buckets[0].eligible, health(0).buckets[0].live, health(0).stale()), (3, 1, 1));
    assert_eq!((health(1).buckets[0].eligible, health(1).buckets[0].live, health(1).stale()), (3, 1, 1));
    // In-degrees are of those alive at the last moment.
    assert_eq!(routing.snapshot().known_by.get(&8), Some(&2));
    assert_eq!(routing.snapshot().known_by.get(&X), None);
}

#[test]
fn clients_and_strangers_are_told_apart() {
    let table = entries(&[("s", 300, 0, CLIENT), ("s", 300, 0, FOREIGN), ("s", 300, 0, 6), ("s", 300, 6, 0)]);
    let report = report(&measured(&written().table(&table::ROUTING_TABLE, &table), 20));
    assert_eq!((fact(&report, "client_entries"), fact(&report, "stale_entries")), (Cell::Count(1), Cell::Count(1)));
    // 0 holds 6 and 6 holds 0; nobody can ask the others.
    assert_eq!(fact(&report, "symmetric_ratio"), Cell::ratio(1.0));
    let told = "1 entry is a client or cannot be dialled: no table should hold it";
    assert!(report.notes.iter().any(|note| note.text == told), "{:?}", report.notes);
}

#[test]
fn a_whole_table_on_a_line_replaces_the_one_before_and_may_be_empty() {
    let mut table = entries(&[("s", 10, 0, 1), ("s", 20, 0, 2), ("s", 20, 1, 3)]);
    table.with_column(Column::new("line".into(), [1_u32, 2, 3])).unwrap();
    let dumps = df!(
        "snapshot" => ["s", "s", "s", "s"],
        "ts" => [10_i64, 20, 20, 25],
        "owner_idx" => [0_u32, 0, 1, 2],
        "line" => [1_u32, 2, 3, 4],
        "entries" => [1_u32, 1, 1, 0],
    );
    let written = written().table(&table::ROUTING_TABLE, &table).table(&table::RT_DUMPS, &dumps.unwrap());
    let routing = measured(&written, 20);
    assert_eq!(routing.snapshot().pairs, [(0, 2), (1, 3)]);
    let empty = &routing.snapshot().owner(2).unwrap().health;
    assert_eq!((empty.completeness(20), empty.entries(), empty.first_missing), (Some(0.0), 0, Some(1)));
}

#[test]
fn tables_and_connections_are_compared_by_label_or_by_time() {
    let table = entries(&[("s", 300, 0, 1), ("s", 300, 0, 2)]);
    let written = written().table(&table::ROUTING_TABLE, &table);
    assert_eq!(measured(&written, 20).snapshot().overlap, None);
    let open = df!(
        "local_idx" => [1_u32, 0, 0, 0],
        "remote_idx" => [0_u32, 1, 2, CLIENT],
        "direction" => [1_u32, 2, 2, 2],
        "open_ts" => [Some(100_i64), Some(100), Some(100), None],
        "close_ts" => [None, None, Some(200_i64), None],
    );
    let written = written.table(&table::CONNECTIONS, &open.unwrap());
    let overlap = measured(&written, 20).snapshot().overlap.unwrap();
    // 0 has an entry for 2, whose connection is closed, and a connection to a client that may not be in the table.
    assert_eq!((overlap.entries, overlap.entries_unconnected), (2, 1));
    assert_eq!((overlap.neighbours, overlap.neighbours_not_in_table, overlap.servers_not_in_table), (2, 1, 0));
    let labelled = df!("snapshot" => ["s"], "ts" => [300_i64], "src_idx" => [2_u32], "dst_idx" => [0_u32]);
    let overlap = measured(&written.table(&table::CONN_SNAPSHOTS, &labelled.unwrap()), 20).snapshot().overlap.unwrap();
    assert_eq!((overlap.neighbours, overlap.entries_unconnected), (1, 1));
}

#[test]
fn snapshots_follow_one_another_in_time() {
    let table = entries(&[("z", 10, 0, 1), ("z", 10, 0, 2), ("a", 20, 0, 2), ("a", 20, 0, 3)]);
    let report = report(&measured(&written().table(&table::ROUTING_TABLE, &table), 20));
    let evolution = &rows(&report, "evolution").rows;
    assert_eq!((&evolution[0][0], &evolution[1][0]), (&"z".into(), &"a".into()));
    assert_eq!(evolution[1][10..], [Cell::Count(1), Cell::Count(1), Cell::ratio(1.0 / 3.0)]);
    assert_eq!(fact(&report, "snapshot"), "a".into());
}

#[test]
fn nothing_to_answer_from_is_said() {
    let none = written();
    let why = Routing::read(&Dataset::open(none.path()).unwrap(), &RoutingOptions::default()).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    // Nobody's place is known, as where instances have names and no peer ids.
    let table = entries(&[("s", 1, 0, 1)]);
    let nameless = Written::new().instances(&[("a", 2, "ok")]).table(&table::ROUTING_TABLE, &table);
    let report = report(&measured(&nameless, 20));
    assert!(report.headline.unwrap().text.starts_with("nothing to measure against"));
    assert!(report.notes.iter().any(|note| note.text.starts_with("1 table is not measured")));
}
