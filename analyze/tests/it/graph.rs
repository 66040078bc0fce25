//! The connection graph of a dataset.

use polars::prelude::*;
use tg_analyze::Dataset;
use tg_analyze::graph::{GraphOptions, graph};
use tg_analyze::report::{Cell, Report, Section};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

fn ask(written: &Written) -> Report {
    graph(&Dataset::open(written.path()).unwrap(), &GraphOptions::default()).unwrap()
}

fn fact(report: &Report, key: &str) -> Cell {
    let facts = report.sections.iter().filter_map(|section| match section {
        Section::Facts(facts) => Some(&facts.facts),
        Section::Table(_) => None,
    });
    facts.flatten().find(|fact| fact.key == key).unwrap_or_else(|| panic!("no fact {key}")).value.clone()
}

#[test]
fn two_fours_joined_by_an_edge() {
    let mut rows = Vec::new();
    for base in [0, 4] {
        for a in 0..4 {
            for b in a + 1..4 {
                // Both ends saw it.
                rows.extend([(base + a, base + b, 2), (base + b, base + a, 1)]);
            }
        }
    }
    rows.extend([(3, 4, 2), (3, 3, 2)]);
    let report = ask(&Written::new().instances(&[("a", 8, "ok")]).connections(&rows));
    assert_eq!(report.headline.as_ref().unwrap().text, "connected: all 8 nodes are in one component");
    for (key, wanted) in [
        ("nodes", Cell::Count(8)),
        ("edges", Cell::Count(13)),
        ("arcs", Cell::Count(13)),
        ("connections", Cell::Count(13)),
        ("loops", Cell::Count(1)),
        ("diameter_hops", Cell::Count(3)),
        ("radius_hops", Cell::Count(2)),
        ("isolated", Cell::Count(0)),
        ("triangles", Cell::Count(8)),
        ("degeneracy", Cell::Count(3)),
        ("articulation_points", Cell::Count(2)),
        ("bridges", Cell::Count(1)),
        ("strong_components", Cell::Count(8)),
        ("assortativity_group", Cell::Absent),
    ] {
        assert_eq!(fact(&report, key), wanted, "{key}");
    }
    for (key, wanted) in [("mean_path_hops", 1.857_143), ("global_efficiency", 0.678_571)] {
        let Cell::Number(value, _) = fact(&report, key) else { panic!("{key}") };
        assert!((value - wanted).abs() < 1e-6, "{key} {value}");
    }
}

#[test]
fn partitions_are_told_with_their_members() {
    // Instances 3 and 4 apart; 5 alone; peer 9 is foreign.
    let report = ask(&Written::new().instances(&[("a", 4, "ok"), ("b", 2, "killed")]).connections(&[
        (0, 1, 2),
        (1, 2, 2),
        (3, 4, 2),
        (0, 9, 0),
    ]));
    let told = "not connected: 3 components, the largest with 4 of 7 nodes (57.1 %); 1 isolated node";
    assert_eq!(report.headline.as_ref().unwrap().text, told);
    let is_components = |section: &&Section| section.key() == "components";
    let Some(Section::Table(components)) = report.sections.iter().find(is_components) else { panic!("no components") };
    assert_eq!(components.rows[0][2..], ["(foreign) 1, a 3", "a/0, a/1, a/2, peer 9"].map(Cell::from));
    assert_eq!(components.rows[1][2..], ["a 1, b 1", "a/3, b/0"].map(Cell::from));
    assert_eq!(components.rows[2][2..], ["b 1", "b/1"].map(Cell::from));
    assert!(report.notes.iter().any(|note| note.text.contains("nobody knows who dialled in 1 of the edges")));
}

#[test]
fn snapshots_serve_where_there_are_no_connections_over_time() {
    let frame = df!(
        "instance" => [0_u32, 1, 0, 0, 0],
        "snapshot" => ["br", "br", "at", "at", "at"],
        "ts" => [1_i64, 2, 8, 9, 9],
        "src_idx" => [0_u32, 1, 0, 1, 0],
        "dst_idx" => [1_u32, 2, 1, 2, 1],
    );
    let written = Written::new().instances(&[("a", 3, "ok")]).table(&table::CONN_SNAPSHOTS, &frame.unwrap());
    let report = ask(&written);
    assert_eq!(fact(&report, "source"), "snapshot at".into());
    assert_eq!((fact(&report, "edges"), fact(&report, "connections")), (Cell::Count(2), Cell::Count(2)));
}

#[test]
fn nothing_to_answer_from_is_said_and_is_not_zero() {
    let none = Written::new().instances(&[("a", 3, "ok")]);
    let why = graph(&Dataset::open(none.path()).unwrap(), &GraphOptions::default()).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    // An empty table is another thing: somebody looked and saw no connection.
    let report = ask(&none.connections(&[]));
    assert_eq!((fact(&report, "isolated"), fact(&report, "diameter_hops")), (Cell::Count(3), Cell::Absent));
    assert_eq!(fact(&report, "mean_path_hops"), Cell::Absent);
    let report = ask(&Written::new().connections(&[]));
    assert_eq!(report.headline.unwrap().text, "empty: there is no node");
}
