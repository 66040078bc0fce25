//! The connection graph of a dataset.

use std::time::Duration;

use polars::prelude::*;
use tg_analyze::export::{Kind, When};
use tg_analyze::graph::{Answer, GraphOptions, Metric, Metrics, evolution, graph};
use tg_analyze::report::{Cell, Report, Section};
use tg_analyze::work::{Unhurried, Watch};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

fn ask(written: &Written) -> Report {
    ask_for(written, Kind::Connections, When::Whole).unwrap()
}

pub(crate) fn fact(report: &Report, key: &str) -> Cell {
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
    let why = ask_for(&none, Kind::Connections, When::Whole).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    // An empty table is another thing: somebody looked and saw no connection.
    let report = ask(&none.connections(&[]));
    assert_eq!((fact(&report, "isolated"), fact(&report, "diameter_hops")), (Cell::Count(3), Cell::Absent));
    assert_eq!(fact(&report, "mean_path_hops"), Cell::Absent);
    let report = ask(&Written::new().connections(&[]));
    assert_eq!(report.headline.unwrap().text, "empty: there is no node");
}

fn ask_for(written: &Written, kind: Kind, when: When) -> Result<Report, AnalyzeError> {
    let options = GraphOptions { kind, when, ..GraphOptions::default() };
    Ok(graph(&Dataset::open(written.path()).unwrap(), &options, &Unhurried)?.report)
}

/// So many steps of 40 ms after the begin of the run, which lasts 62.5 of them.
fn moment(steps: i64) -> i64 {
    1_000_000_000 + steps * 40_000_000
}

#[test]
fn connections_are_asked_for_at_a_time_of_the_run() {
    // In steps: 0–1 from 10 to 20; 1–2 from the begin, as nobody saw it open; 2–3 from 30, never closed.
    let frame = df!(
        "instance" => [0_u32, 1, 2],
        "local_idx" => [0_u32, 1, 2],
        "remote_idx" => [1_u32, 2, 3],
        "direction" => [2_u32, 2, 2],
        "open_ts" => [Some(moment(10)), None, Some(moment(30))],
        "close_ts" => [Some(moment(20)), Some(moment(40)), None],
    );
    let written = Written::new().instances(&[("a", 4, "ok")]).table(&table::CONNECTIONS, &frame.unwrap());
    let at = |written: &Written, s: u64| ask_for(written, Kind::Connections, When::At(Duration::from_millis(40 * s)));
    for (s, edges) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 1), (30, 2), (40, 1), (60, 1)] {
        assert_eq!(fact(&at(&written, s).unwrap(), "edges"), Cell::Count(edges), "after {s} steps");
    }
    assert_eq!(at(&written, 63).unwrap_err().exit(), Exit::Usage);
    assert_eq!(fact(&ask(&written), "edges"), Cell::Count(3));
}

#[test]
fn a_mesh_is_what_was_grafted_and_not_pruned() {
    let frame = df!(
        "instance" => [0_u32, 0, 1, 0, 1, 0],
        "ts" => [1, 1, 2, 5, 7, 9].map(moment),
        "name" => ["graft", "graft", "graft", "prune", "leave", "remove_peer"],
        "local_idx" => [0_u32, 0, 1, 0, 1, 0],
        "peer_idx" => [Some(1_u32), Some(2), Some(0), Some(1), None, Some(2)],
        "topic" => ["t"; 5].into_iter().map(Some).chain([None]).collect::<Vec<_>>(),
    );
    let written = Written::new().instances(&[("a", 3, "ok")]);
    let none = ask_for(&written, Kind::Mesh, When::Whole).unwrap_err();
    assert_eq!(none.exit(), Exit::NoData);
    let written = written.table(&table::PUBSUB_TRACE, &frame.unwrap());
    for (s, arcs, edges) in [(0, 0, 0), (1, 2, 2), (2, 3, 2), (5, 2, 2), (7, 1, 1), (9, 0, 0)] {
        let report = ask_for(&written, Kind::Mesh, When::At(Duration::from_millis(40 * s))).unwrap();
        let wanted = (Cell::Count(arcs), Cell::Count(edges));
        assert_eq!((fact(&report, "arcs"), fact(&report, "edges")), wanted, "after {s} steps");
    }
    assert_eq!(fact(&ask_for(&written, Kind::Mesh, When::Whole).unwrap(), "arcs"), Cell::Count(3));
    let label = When::Snapshot("x".to_owned());
    assert_eq!(ask_for(&written, Kind::Mesh, label).unwrap_err().exit(), Exit::Usage);
}

#[test]
fn every_snapshot_is_a_row_with_its_turnover() {
    let frame = df!(
        "instance" => [0_u32, 1, 0, 0, 0, 1],
        "snapshot" => ["z", "z", "at", "at", "at", "at"],
        "ts" => [1_i64, 2, 8, 9, 9, 9],
        "src_idx" => [0_u32, 1, 1, 2, 0, 3],
        "dst_idx" => [1_u32, 2, 0, 0, 2, 2],
    );
    let written = Written::new().instances(&[("a", 4, "ok")]).table(&table::CONN_SNAPSHOTS, &frame.unwrap());
    let dataset = Dataset::open(written.path()).unwrap();
    let report = evolution(&dataset, Kind::Connections, 0, None, &Unhurried).unwrap().report;
    assert_eq!(report.headline.unwrap().text, "not connected in 1 of 2 snapshots");
    let [Section::Table(rows)] = report.sections.as_slice() else { panic!("one table") };
    let value = |row: usize, key: &str| {
        let at = rows.columns.iter().position(|column| column.key == key).unwrap();
        rows.rows[row][at].clone()
    };
    assert_eq!((value(0, "snapshot"), value(1, "snapshot")), ("z".into(), "at".into()));
    assert_eq!(
        (value(0, "edges"), value(0, "isolated"), value(0, "overlap_ratio")),
        (2_u64.into(), 1_u64.into(), Cell::Absent)
    );
    // From {0–1, 1–2} to {0–1, 0–2, 2–3}.
    assert_eq!((value(1, "edges_new"), value(1, "edges_gone")), (2_u64.into(), 1_u64.into()));
    assert_eq!(value(1, "overlap_ratio"), Cell::ratio(0.25));
    let why = evolution(&dataset, Kind::RoutingTables, 0, None, &Unhurried).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    // Metrics that are chosen get a table each, with the rows of both snapshots.
    let some = Metrics::parse("distances,robustness").unwrap();
    let Answer { report, unfit } = evolution(&dataset, Kind::Connections, 0, Some(&some), &Unhurried).unwrap();
    assert_eq!((keys(&report), unfit), (vec!["snapshots", "distances", "robustness"], vec![]));
    let [_, Section::Table(distances), Section::Table(robustness)] = report.sections.as_slice() else {
        panic!("tables")
    };
    let diameter = distances.columns.iter().position(|column| column.key == "diameter_hops").unwrap();
    let rows: Vec<_> = distances.rows.iter().map(|row| (row[0].clone(), row[diameter].clone())).collect();
    assert_eq!(rows, [("z".into(), 2_u32.into()), ("at".into(), 3_u32.into())]);
    assert_eq!(robustness.rows.len(), 8);
    let whole = Metrics::parse("lifetimes").unwrap();
    let why = evolution(&dataset, Kind::Connections, 0, Some(&whole), &Unhurried).unwrap_err();
    assert_eq!(why.exit(), Exit::Usage);
    let why = ask_for(&written, Kind::Connections, When::Snapshot("y".to_owned())).unwrap_err();
    assert_eq!((why.exit(), why.to_string().as_str()), (Exit::Usage, "there is no snapshot `y`: the run has z, at"));
}

#[test]
fn a_group_that_carries_all_leaves_nothing() {
    // b/0 is the centre of a star with five of group a.
    let rows: Vec<_> = (0..5).map(|leaf| (leaf, 5, 2)).collect();
    let report = ask(&Written::new().instances(&[("a", 5, "ok"), ("b", 1, "ok")]).connections(&rows));
    assert_eq!(fact(&report, "percolation_threshold_ratio"), Cell::ratio(0.5));
    let is_robustness = |section: &&Section| section.key() == "robustness";
    let Some(Section::Table(table)) = report.sections.iter().find(is_robustness) else { panic!("no robustness") };
    let last = |name: &str| {
        let row = table.rows.iter().find(|row| row[0] == name.into()).unwrap_or_else(|| panic!("no row {name}"));
        (row[1].clone(), row[row.len() - 1].clone())
    };
    assert_eq!(last("all of group b"), (Cell::Absent, Cell::ratio(1.0 / 6.0)));
    assert_eq!(last("all of group a"), (Cell::Absent, Cell::ratio(1.0 / 6.0)));
    let (Cell::Number(r, _), end) = last("by betweenness at the begin") else { panic!("no R") };
    assert!((r - 5.0 / 36.0).abs() < 1e-12 && end == Cell::Absent, "{r}");
}

fn ask_metrics(written: &Written, kind: Kind, metrics: &str) -> Result<Report, AnalyzeError> {
    let metrics = Metrics::parse(metrics).unwrap();
    let options = GraphOptions { kind, metrics, ..GraphOptions::default() };
    Ok(graph(&Dataset::open(written.path()).unwrap(), &options, &Unhurried)?.report)
}

fn keys(report: &Report) -> Vec<&str> {
    report.sections.iter().map(Section::key).collect()
}

#[test]
fn only_what_is_wanted_is_measured() {
    // Two groups of three, each a triangle, joined by one connection; and routing tables.
    let rows = [(0, 1, 2), (1, 2, 2), (2, 0, 2), (3, 4, 2), (4, 5, 2), (5, 3, 2), (2, 3, 2)];
    let written = Written::new().instances(&[("a", 3, "ok"), ("b", 3, "ok")]).connections(&rows);
    let of = |metrics| ask_metrics(&written, Kind::Connections, metrics).unwrap();
    assert_eq!(keys(&of("cuts")), ["shape"]);
    let report = of("connectivity,spectral,modularity,small-world");
    assert_eq!(keys(&report), ["cohesion"]);
    for (key, wanted) in [("vertex_connectivity", 1_u64), ("edge_connectivity", 1)] {
        assert_eq!(fact(&report, key), Cell::Count(wanted), "{key}");
    }
    for (key, wanted) in
        [("modularity_group", 6.0 / 7.0 - 0.5), ("algebraic_connectivity", 0.438_447), ("spectral_radius", 2.414_214)]
    {
        let Cell::Number(value, _) = fact(&report, key) else { panic!("{key}") };
        assert!((value - wanted).abs() < 6e-7, "{key} {value}");
    }
    let spread = ["degree_histogram", "component_sizes", "strong_component_sizes", "core_shells"];
    let over_time = ["lifetimes", "lifetime_cdf", "sessions", "node_classes", "session_cdf", "arrival_cdf"];
    let after = [&spread[..], &over_time].concat();
    let shape = ["size", "degrees", "shape", "cohesion", "directed", "central"];
    assert_eq!(keys(&of("fast")), [&shape[..], &after].concat());
    let report = of("all");
    let shape = ["size", "distances", "degrees", "shape", "cohesion", "directed", "central", "robustness"];
    assert_eq!(keys(&report), [&shape[..], &after, &["temporal"]].concat());
    let is_central = |section: &&Section| section.key() == "central";
    let Some(Section::Table(central)) = report.sections.iter().find(is_central) else { panic!("no central nodes") };
    // 2 and 3 carry all six pairs across and two more each; equal ones by number.
    assert_eq!(central.rows[0][..5], ["a/2".into(), "a".into(), 3_u32.into(), Cell::number(6.0), Cell::ratio(0.6)]);
    assert_eq!(central.rows[1][0], "b/0".into());
}

#[test]
fn a_disconnected_network_has_the_cohesion_of_its_largest_part() {
    let written =
        Written::new().instances(&[("a", 6, "ok")]).connections(&[(0, 1, 2), (1, 2, 2), (2, 0, 2), (3, 4, 2)]);
    let report = ask_metrics(&written, Kind::Connections, "connectivity,spectral").unwrap();
    assert_eq!(
        (fact(&report, "vertex_connectivity"), fact(&report, "edge_connectivity")),
        (0_u64.into(), 0_u64.into())
    );
    let Cell::Number(value, _) = fact(&report, "algebraic_connectivity") else { panic!("no number") };
    assert!((value - 3.0).abs() < 1e-6, "{value}");
    let none = Written::new().connections(&[]);
    let report = ask_metrics(&none, Kind::Connections, "all").unwrap();
    for key in
        ["vertex_connectivity", "spectral_radius", "algebraic_connectivity", "modularity_group", "small_world_sigma"]
    {
        assert_eq!(fact(&report, key), Cell::Absent, "{key}");
    }
    assert_eq!((fact(&report, "lifetimes"), fact(&report, "lifetime_p50_ns")), (0_u64.into(), Cell::Absent));
}

#[test]
fn lifetimes_are_of_edges_and_say_what_was_cut_off() {
    // In steps: 0–1 from 5 to 15, seen by both ends, and again from 20 to 26; 1–2 from 10 to the end, where 2 was killed
    // and saw no opening; 0–2 from 1, open at the end; 2–3 from 3 to 7 and, by another connection, 6 to 9; 3–0 ended
    // before anyone saw it begin.
    let at = |step: i64| (step >= 0).then(|| moment(step));
    let rows = [
        (0_u32, 1_u32, 2_u8, 5, 14),
        (1, 0, 1, 6, 15),
        (0, 1, 2, 20, 26),
        (1, 2, 2, 10, -1),
        (2, 1, 1, -1, -1),
        (0, 2, 2, 1, -1),
        (2, 3, 2, 3, 7),
        (3, 2, 2, 6, 9),
        (3, 0, 0, -1, 4),
        (3, 3, 2, 1, 60),
    ];
    let frame = df!(
        "instance" => rows.map(|row| row.0),
        "local_idx" => rows.map(|row| row.0),
        "remote_idx" => rows.map(|row| row.1),
        "direction" => rows.map(|row| row.2),
        "open_ts" => rows.map(|row| at(row.3)),
        "close_ts" => rows.map(|row| at(row.4)),
    );
    let written = Written::new().instances(&[("a", 4, "ok")]).table(&table::CONNECTIONS, &frame.unwrap());
    let report = ask_metrics(&written, Kind::Connections, "lifetimes").unwrap();
    for (key, wanted) in
        [("pairs", 5), ("lifetimes", 6), ("pairs_again", 1), ("closed", 3), ("censored", 2), ("opening_unseen", 1)]
    {
        assert_eq!(fact(&report, key), Cell::Count(wanted), "{key}");
    }
    // Lifetimes are 6, 6 and 10 steps, and more than 52.5 and 61.5: two fifths outlast 10.
    let ns = |steps: i64| Cell::nanos(steps * 40_000_000);
    assert_eq!((fact(&report, "lifetime_p50_ns"), fact(&report, "lifetime_p95_ns")), (ns(10), Cell::Absent));
    let Cell::Number(churn, _) = fact(&report, "churn_per_minute") else { panic!("no churn") };
    let minutes = (6.0 + 6.0 + 10.0 + 52.5 + 61.5) * 0.04 / 60.0;
    assert!((churn - 3.0 / minutes).abs() < 1e-9, "{churn}");
    // Of a snapshot nobody knows how long it lasted: left out, and an error to whoever asks for it.
    let frame =
        df!("instance" => [0_u32], "snapshot" => ["s"], "ts" => [1_i64], "src_idx" => [0_u32], "dst_idx" => [1_u32]);
    let written = Written::new().instances(&[("a", 2, "ok")]).table(&table::CONN_SNAPSHOTS, &frame.unwrap());
    assert!(!keys(&ask_metrics(&written, Kind::Connections, "all").unwrap()).contains(&"lifetimes"));
    assert_eq!(ask_metrics(&written, Kind::Connections, "all,lifetimes").unwrap_err().exit(), Exit::NoData);
    assert_eq!(ask_metrics(&written, Kind::Connections, "overlap").unwrap_err().exit(), Exit::NoData);
}

#[test]
fn sessions_and_what_they_let_through() {
    // In steps: 0–1 from 0 to 10, 1–2 from 20 to 30, 0–3 from 5 to 15, 2–3 from 25 to the end; 4 is never connected.
    let rows = [(0_u32, 1_u32, 0, 10), (1, 2, 20, 30), (0, 3, 5, 15), (2, 3, 25, -1)];
    let frame = df!(
        "instance" => rows.map(|row| row.0),
        "local_idx" => rows.map(|row| row.0),
        "remote_idx" => rows.map(|row| row.1),
        "direction" => [2_u8; 4],
        "open_ts" => rows.map(|row| moment(row.2)),
        "close_ts" => rows.map(|row| (row.3 >= 0).then(|| moment(row.3))),
    );
    let written = Written::new().instances(&[("a", 5, "ok")]).table(&table::CONNECTIONS, &frame.unwrap());
    let report = ask_metrics(&written, Kind::Connections, "sessions,temporal").unwrap();
    // 0: 0 to 15; 1: 0 to 10, 20 to 30; 2: 20 to the end; 3: 5 to 15, 25 to the end.
    let of_sessions = [("session_nodes", 4), ("sessions", 6), ("nodes_again", 2), ("closed", 4), ("censored", 2)];
    for (key, wanted) in of_sessions {
        assert_eq!(fact(&report, key), Cell::Count(wanted), "{key}");
    }
    // 10, 10, 10, 15 and more than 37.5 and 42.5: half outlasts 10. Away 10 and 10; arrivals at 0, 0, 5, 20, 20, 25.
    let ns = |steps: i64| Cell::nanos(steps * 40_000_000);
    assert_eq!((fact(&report, "session_p50_ns"), fact(&report, "session_p95_ns")), (ns(10), Cell::Absent));
    let is_cdf = |section: &&Section| section.key() == "session_cdf";
    let Some(Section::Table(cdf)) = report.sections.iter().find(is_cdf) else { panic!("no distribution") };
    // Half ended within 10 steps, a third of the rest within 15, and of two nobody saw the end.
    let row = |percent: usize| cdf.rows[percent - 1][1].clone();
    assert_eq!([1, 50, 51, 66, 67, 100].map(row), [ns(10), ns(10), ns(15), ns(15), Cell::Absent, Cell::Absent]);
    assert_eq!((fact(&report, "away_p50_ns"), fact(&report, "arrival_p50_ns")), (ns(10), ns(5)));
    // All four are joined, but 2 meets others only when 0 has gone: 0 hears from 1 and 3 alone.
    assert_eq!(fact(&report, "joined_pairs_ratio"), Cell::ratio(12.0 / 20.0));
    assert_eq!(fact(&report, "temporal_pairs_ratio"), Cell::ratio(11.0 / 20.0));
    assert_eq!(ask_metrics(&written, Kind::RoutingTables, "temporal").unwrap_err().exit(), Exit::NoData);
}

/// Lets a number of steps begin.
struct Steps(std::sync::atomic::AtomicI64);

impl Watch for Steps {
    fn is_over(&self) -> bool {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 0
    }

    fn at(&self, _what: &'static str, _done: u64, _of: u64) {}
}

#[test]
fn what_does_not_fit_into_the_budget_is_named() {
    let rows = [(0, 1, 2), (1, 2, 2), (2, 0, 2), (3, 4, 2), (4, 5, 2), (5, 3, 2), (2, 3, 2)];
    let written = Written::new().instances(&[("a", 3, "ok"), ("b", 3, "ok")]).connections(&rows);
    let dataset = Dataset::open(written.path()).unwrap();
    let of = |steps, metrics| {
        let options = GraphOptions { metrics: Metrics::parse(metrics).unwrap(), ..GraphOptions::default() };
        graph(&dataset, &options, &Steps(std::sync::atomic::AtomicI64::new(steps))).unwrap()
    };
    let Answer { report, unfit } = of(0, "all");
    // Nobody asked for a network here, so there are no latencies to measure.
    let is_dear = |metric: &Metric| !metric.is_fast() && *metric != Metric::Latency;
    let dear: Vec<Metric> = Metric::ALL.into_iter().filter(is_dear).collect();
    let mut named = unfit.clone();
    named.sort();
    assert_eq!(named, dear, "the fast ones are there in any case");
    assert_eq!((fact(&report, "triangles"), fact(&report, "diameter_hops")), (2_u64.into(), Cell::Absent));
    let told = &report.notes.last().unwrap().text;
    assert!(dear.iter().all(|metric| told.contains(&format!("`{}` (", metric.name()))), "{told}");
    assert!(told.contains("`distances` (not begun)") && told.contains("`robustness` (it needs betweenness)"), "{told}");
    // Distances take one step here, and small worlds eleven.
    let Answer { report, unfit } = of(6, "distances,small-world");
    assert_eq!((unfit, fact(&report, "diameter_hops")), (vec![Metric::SmallWorld], 3_u32.into()));
    assert!(report.notes.last().unwrap().text.ends_with("`small-world` (stopped after 5 of 11 steps)"));
    let Answer { report, unfit } = of(1000, "all");
    assert_eq!((unfit, report.notes), (vec![], vec![]));
}

#[test]
fn connections_and_tables_are_held_against_one_another() {
    let connections = df!(
        "instance" => [0_u32, 1, 0],
        "snapshot" => ["s"; 3],
        "ts" => [1_i64; 3],
        "src_idx" => [0_u32, 1, 0],
        "dst_idx" => [1_u32, 0, 2],
    );
    // 0 has 1, 1 has 2, 3 has 0 and 2.
    let tables = df!(
        "instance" => [0_u32, 1, 3, 3],
        "snapshot" => ["s"; 4],
        "ts" => [1_i64; 4],
        "owner_idx" => [0_u32, 1, 3, 3],
        "entry_idx" => [1_u32, 2, 0, 2],
    );
    let written = Written::new()
        .instances(&[("a", 4, "ok")])
        .table(&table::CONN_SNAPSHOTS, &connections.unwrap())
        .table(&table::ROUTING_TABLE, &tables.unwrap());
    for kind in [Kind::Connections, Kind::RoutingTables] {
        let report = ask_metrics(&written, kind, "overlap").unwrap();
        assert_eq!(fact(&report, "overlap_ratio"), Cell::ratio(0.2), "{kind:?}");
        let counts = ["edges_both", "edges_connection_only", "edges_table_only"].map(|key| fact(&report, key));
        assert_eq!(counts, [1_u64, 1, 3].map(Cell::from), "{kind:?}");
        assert_eq!(fact(&report, "connections_in_table_ratio"), Cell::ratio(0.5));
        assert_eq!(fact(&report, "entries_connected_ratio"), Cell::ratio(0.25));
    }
    assert_eq!(ask_metrics(&written, Kind::Mesh, "overlap").unwrap_err().exit(), Exit::NoData);
    let when = When::At(Duration::from_millis(40));
    let report = ask_for(&written, Kind::Connections, when);
    assert_eq!(report.unwrap_err().exit(), Exit::NoData, "no connections over time");
}
