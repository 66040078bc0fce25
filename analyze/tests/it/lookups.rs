//! Lookups of a dataset against its own truth: what became of records, and what there is no answer to.

use polars::prelude::*;
use tg_analyze::Dataset;
use tg_analyze::score::{LookupOptions, Retrieved, Scored, lookup, lookups, records};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

const SECOND: i64 = 1_000_000_000;
const KEY: u8 = 0x60;
const OTHER: u8 = 0x80;

fn bytes(first: u8) -> [u8; 32] {
    std::array::from_fn(|at| if at == 0 { first } else { 0 })
}

/// Peers 0 to 3 at 0x00, 0x40, 0x61 and 0xC0; 2 is gone after 20 s.
fn written() -> Written {
    let n = 4_u32;
    let instances = df!(
        "instance" => (0..n).collect::<Vec<u32>>(),
        "group" => ["core"; 4],
        "group_seq" => (0..n).collect::<Vec<u32>>(),
        "peer_idx" => (0..n).collect::<Vec<u32>>(),
        "outcome" => ["ok"; 4],
        "as_expected" => [true; 4],
        "start_ts" => [0_i64; 4],
        "end_ts" => [9999 * SECOND, 9999 * SECOND, 20 * SECOND, 9999 * SECOND],
    );
    let places = [0x00, 0x40, 0x61, 0xC0].map(bytes);
    let peers = df!(
        "peer_idx" => (0..n).collect::<Vec<u32>>(),
        "peer_id" => (0..n).map(|i| format!("Qm{i}")).collect::<Vec<_>>(),
        "kad_id" => places.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>(),
        "instance" => (0..n).collect::<Vec<u32>>(),
    );
    Written::new().table(&table::INSTANCES, &instances.unwrap()).table(&table::PEERS, &peers.unwrap())
}

/// A lookup: (operation, key, begin and end in seconds, status, the closest set).
type Row = (&'static str, u8, i64, Option<i64>, &'static str, &'static [u32]);

fn queries(rows: &[Row]) -> DataFrame {
    let keys: Vec<[u8; 32]> = rows.iter().map(|row| bytes(row.1)).collect();
    let n = u64::try_from(rows.len()).unwrap();
    let closest: Vec<Series> = rows.iter().map(|row| Series::new("".into(), row.5)).collect();
    df!(
        "query_id" => (0..n).collect::<Vec<u64>>(),
        "instance" => vec![0_u32; rows.len()],
        "op" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "target_kad" => keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>(),
        "start_ts" => rows.iter().map(|row| row.2 * SECOND).collect::<Vec<_>>(),
        "end_ts" => rows.iter().map(|row| row.3.map(|end| end * SECOND)).collect::<Vec<_>>(),
        "status" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "closest_idx" => closest,
        "id_quality" => vec!["own"; rows.len()],
    )
    .unwrap()
}

#[test]
fn records_are_followed_from_their_first_placement() {
    let rows: [Row; 7] = [
        // Before there is a record, and of a key that nobody provides: no retrieval.
        ("find_providers", KEY, 0, Some(1), "fail", &[]),
        // To 2 and 1, which are the two nearest; then to 1 and 3 when 2 is gone, and the nearest alive are 1 and 3.
        ("provide", KEY, 1, Some(2), "done", &[2, 1]),
        ("find_providers", KEY, 3, Some(4), "done", &[2]),
        ("provide", KEY, 29, Some(30), "done", &[1, 3]),
        ("find_providers", KEY, 50, Some(60), "incomplete", &[]),
        ("find_providers", KEY, 30 + 601, None, "done", &[]),
        ("get", OTHER, 50, Some(51), "done", &[]),
    ];
    let written = written().table(&table::QUERIES, &queries(&rows));
    let scored = Scored::read(&Dataset::open(written.path()).unwrap(), 2).unwrap();
    let found = records(&scored);
    assert_eq!((found.keys, found.placements, found.placement_recall), (1, 2, Some(1.0)));
    let of = |age, n, done, alive| Retrieved { age, n, done, holders_alive: Some(alive) };
    // Holders are 2 and 1, later 3 too; 2 is dead from 20 s on.
    let wanted = [of("up to 10 s", 1, 1, 1.0), of("up to 1 min", 1, 0, 2.0 / 3.0), of("up to 1 h", 1, 1, 2.0 / 3.0)];
    assert_eq!(found.ages, wanted);
    // The last but one never ended: it has no score, and is no recall of 0.
    let recalls: Vec<Option<f64>> =
        scored.lookups.iter().map(|lookup| lookup.score.and_then(|score| score.recall_alive)).collect();
    assert_eq!(recalls[4..6], [Some(0.0), None]);
}

#[test]
fn without_lookups_or_steps_it_is_said() {
    let options = LookupOptions::default();
    let none = written();
    let why = lookups(&Dataset::open(none.path()).unwrap(), &options).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    let bare = none.table(&table::QUERIES, &queries(&[("get", KEY, 0, Some(1), "done", &[])]));
    let dataset = Dataset::open(bare.path()).unwrap();
    let report = lookup(&dataset, "0", &options).unwrap();
    assert!(report.notes[0].text.starts_with("no step of this lookup was written"));
    assert!(lookups(&dataset, &options).is_ok());
    assert_eq!(lookup(&dataset, "1", &options).unwrap_err().exit(), Exit::Usage);
}
