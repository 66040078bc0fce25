//! Measures of a network that need more than its edges: roles, regions, links, meshes over time.

use polars::prelude::*;
use tg_analyze::export::Kind;
use tg_analyze::graph::{GraphOptions, Metrics, graph};
use tg_analyze::report::{Cell, Report, Section, Table};
use tg_analyze::work::Unhurried;
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;
use crate::graph::fact;

fn ask(written: &Written, kind: Kind, metrics: &str) -> Result<Report, AnalyzeError> {
    let options = GraphOptions { kind, metrics: Metrics::parse(metrics).unwrap(), ..GraphOptions::default() };
    Ok(graph(&Dataset::open(written.path()).unwrap(), &options, &Unhurried)?.report)
}

fn table_of<'a>(report: &'a Report, key: &str) -> &'a Table {
    let found = report.sections.iter().find(|section| section.key() == key);
    let Some(Section::Table(table)) = found else { panic!("no table {key}") };
    table
}

/// The values of one column, of the rows whose first cells are these.
fn column(table: &Table, first: &[&str], key: &str) -> Vec<Cell> {
    let at = table.columns.iter().position(|column| column.key == key).unwrap_or_else(|| panic!("no column {key}"));
    let is_meant = |row: &&Vec<Cell>| first.iter().zip(&row[..]).all(|(wanted, cell)| *cell == Cell::from(*wanted));
    table.rows.iter().filter(is_meant).map(|row| row[at].clone()).collect()
}

/// Two servers, a bootstrapper that cannot be dialled and two clients; a region for all but the first.
fn with_roles(network: Option<&str>) -> Written {
    let instances = df!(
        "instance" => [0_u32, 1, 2, 3, 4],
        "group" => ["a", "a", "a", "b", "b"],
        "group_seq" => [0_u32, 1, 2, 0, 1],
        "peer_idx" => [0_u32, 1, 2, 3, 4],
        "outcome" => ["ok"; 5],
        "role" => [Some("server"), Some("server"), Some("bootstrapper"), Some("client"), Some("client")],
        "dialable" => [Some(true), None, Some(false), Some(false), None],
        "region" => [None, Some("east"), Some("east"), Some("west"), Some("west")],
    );
    let runs = df!(
        "start_ts" => [1_000_000_000_i64], "end_ts" => [3_500_000_000_i64], "instances" => [5_u32],
        "network" => [network],
    );
    Written::new()
        .table(&table::INSTANCES, &instances.unwrap())
        .table(&table::RUNS, &runs.unwrap())
        // A foreign peer, 9, is in the middle of nothing.
        .connections(&[(3, 0, 2), (4, 0, 2), (0, 1, 2), (1, 2, 2), (3, 2, 2), (9, 0, 2), (3, 0, 2)])
}

#[test]
fn roles_are_told_apart() {
    let report =
        ask(&with_roles(None), Kind::Connections, "size,degrees,reachability,cores,components,bow-tie").unwrap();
    for (key, wanted) in [
        ("not_dialable", Cell::Of(2, 3)),
        // 2 alone: 0 and 1 dial on, and nobody dials 3, 4 and 9.
        ("targets_only", Cell::Count(1)),
        ("repeats", Cell::Count(1)),
        // 0 and 1 are servers; both clients and the bootstrapper, which is no server as nobody can dial it, would have to
        // reach them, and 2 reaches nobody.
        ("servers_from_all", Cell::Of(0, 2)),
        ("client_server_pairs_ratio", Cell::ratio(4.0 / 6.0)),
        ("reached_max", Cell::number(3.0)),
        ("innermost_core_nodes", Cell::Count(4)),
        ("core_other_nodes", Cell::Count(0)),
    ] {
        assert_eq!(fact(&report, key), wanted, "{key}");
    }
    let roles = table_of(&report, "degrees_by_role");
    let mean = |by, class| column(roles, &["undirected", by, class], "mean");
    assert_eq!(mean("server or client", "server"), [Cell::number(3.0)]);
    assert_eq!(mean("role", "client"), [Cell::number(1.5)]);
    assert_eq!(mean("dialable", "yes"), [Cell::number(4.0)]);
    assert_eq!(mean("region", "west"), [Cell::number(1.5)]);
    let histogram = table_of(&report, "degree_histogram");
    assert_eq!(column(histogram, &["undirected"], "degree"), [1, 2, 4].map(|k: u32| Cell::from(k)));
    assert_eq!(column(histogram, &["undirected"], "nodes"), [2, 3, 1].map(|k: u64| Cell::from(k)));
    assert_eq!(column(table_of(&report, "core_shells"), &[], "nodes"), [2, 4].map(|k: u64| Cell::from(k)));
    assert_eq!(column(table_of(&report, "component_sizes"), &[], "nodes"), [Cell::Count(6)]);
    assert_eq!(column(table_of(&report, "strong_component_sizes"), &[], "components"), [Cell::Count(6)]);
    // Where nobody has a role there is none to tell apart.
    let plain = Written::new().instances(&[("a", 3, "ok")]).connections(&[(0, 1, 2)]);
    let report = ask(&plain, Kind::Connections, "degrees,reachability").unwrap();
    assert!(report.sections.iter().all(|section| section.key() != "degrees_by_role"));
}

#[test]
fn servers_that_every_client_reaches_are_counted() {
    let instances = df!(
        "instance" => [0_u32, 1, 2, 3], "group" => ["a"; 4], "group_seq" => [0_u32, 1, 2, 3],
        "peer_idx" => [0_u32, 1, 2, 3], "outcome" => ["ok"; 4],
        "role" => ["server", "server", "client", "client"],
    );
    let written = Written::new().table(&table::INSTANCES, &instances.unwrap());
    // Both clients dial 0, which dials nobody; one of them dials 1.
    let report =
        ask(&written.connections(&[(2, 0, 2), (3, 0, 2), (3, 1, 2)]), Kind::Connections, "reachability").unwrap();
    assert_eq!(fact(&report, "servers_from_all"), Cell::Of(1, 2));
    assert_eq!(fact(&report, "client_server_pairs_ratio"), Cell::ratio(0.75));
}

#[test]
fn regions_can_go_like_groups() {
    let report = ask(&with_roles(None), Kind::Connections, "robustness").unwrap();
    let table = table_of(&report, "robustness");
    // Without 3 and 4 the rest of six hangs together; without 1 and 2 it does too, by 0.
    for (name, left) in [("all of region west", 4.0), ("all of region east", 4.0), ("all of group a", 1.0)] {
        assert_eq!(column(table, &[name], "largest_at_end_ratio"), [Cell::ratio(left / 6.0)], "{name}");
    }
    let error = column(table, &["at random, mean of 10 orders, seed 0"], "r_error");
    let [Cell::Number(error, _)] = error.as_slice() else { panic!("{error:?}") };
    assert!((1e-4..0.2).contains(error), "{error}");
    assert_eq!(column(table, &["by degree at the begin"], "r_error"), [Cell::Absent]);
}

#[test]
fn the_quickest_paths_follow_the_links_that_were_asked_for() {
    let ms = |ms: u64| ms * 1_000_000;
    // 1 ms everywhere, but 30 ms from a to b and 50 ms back.
    let link = |to: u64| serde_json::json!({ "latency_ns": ms(to) });
    let network = serde_json::json!({
        "link": link(1),
        "links": [
            { "from": ["a"], "to": ["b"], "both_ways": false, "link": link(30) },
            { "from": ["b"], "to": ["a"], "both_ways": false, "link": link(50) },
        ],
    });
    let written = with_roles(Some(&network.to_string()));
    let report = ask(&written, Kind::Connections, "latency").unwrap();
    let ns = |value: f64| Cell::Number(value, tg_analyze::report::Unit::Nanos);
    // From 3 to 4 leads the way by 0: 50 there and 30 on.
    assert_eq!(fact(&report, "latency_diameter_ns"), ns(80e6));
    // 0–1 and 1–2 take 1 ms each way, the three edges to b 80 there and back.
    assert_eq!(fact(&report, "latency_edge_ns"), ns((4.0 + 3.0 * 80.0) / 10.0 * 1e6));
    assert_eq!(
        (fact(&report, "latency_mean_error_ns"), fact(&report, "latency_unknown_edges")),
        (Cell::Absent, Cell::Count(1))
    );
    let without = ask(&with_roles(None), Kind::Connections, "latency").unwrap_err();
    assert_eq!(without.exit(), Exit::NoData);
    assert!(ask(&with_roles(None), Kind::Connections, "all").is_ok());
}

#[test]
fn meshes_have_lifetimes_sessions_and_reachability_in_time() {
    // In steps of 40 ms: 0 has 1 in its mesh from 0 to 10, 1 has 0 from 5 to 20: together they are joined from 0 to 20.
    // 1 has 2 from 30, which nothing ends; 2 leaves the topic at 40 and has nobody then.
    let at = |step: i64| 1_000_000_000 + step * 40_000_000;
    let rows = [
        (0_u32, 0, "graft", Some(1_u32)),
        (1, 5, "graft", Some(0)),
        (0, 10, "prune", Some(1)),
        (1, 20, "remove_peer", Some(0)),
        (1, 30, "graft", Some(2)),
        (2, 31, "graft", Some(1)),
        (2, 40, "leave", None),
    ];
    let frame = df!(
        "instance" => rows.map(|row| row.0),
        "ts" => rows.map(|row| at(row.1)),
        "name" => rows.map(|row| row.2),
        "local_idx" => rows.map(|row| row.0),
        "peer_idx" => rows.map(|row| row.3),
        "topic" => rows.map(|row| (row.2 != "remove_peer").then_some("t")),
    );
    let written = Written::new().instances(&[("a", 4, "ok")]).table(&table::PUBSUB_TRACE, &frame.unwrap());
    let report = ask(&written, Kind::Mesh, "lifetimes,sessions,temporal").unwrap();
    for (key, wanted) in [("pairs", 2), ("lifetimes", 2), ("censored", 1), ("session_nodes", 3), ("sessions", 4)] {
        assert_eq!(fact(&report, key), Cell::Count(wanted), "{key}");
    }
    assert_eq!(fact(&report, "lifetime_p50_ns"), Cell::nanos(20 * 40_000_000));
    // 0 was told of by 1 before 1 met 2; 2 cannot tell 0.
    assert_eq!(fact(&report, "temporal_pairs_ratio"), Cell::ratio(5.0 / 12.0));
    // The window begins after 6.25 of 62.5 steps: 0 left, 1 went and came, 2 came and stayed, 3 met nobody.
    let classes = table_of(&report, "node_classes");
    for (class, nodes) in [("left", 1_u64), ("dangling", 1), ("entered", 1), ("offline", 1), ("online", 0)] {
        assert_eq!(column(classes, &[class], "nodes"), [Cell::Count(nodes)], "{class}");
    }
    let why = ask(&written, Kind::RoutingTables, "lifetimes").unwrap_err();
    assert!(matches!(why.exit(), Exit::Usage | Exit::NoData), "{why}");
}

#[test]
fn what_is_sampled_says_how_far_it_may_be_off() {
    // A ring of 2,100 with a hub for every hundredth.
    let n = 2100_u32;
    let rows: Vec<_> = (0..n).map(|i| (i, (i + 1) % n, 2)).chain((1..21).map(|i| (0, 100 * i, 2))).collect();
    let written = Written::new().instances(&[("a", n, "ok")]).connections(&rows);
    let report = ask(&written, Kind::Connections, "betweenness,robustness").unwrap();
    let central = table_of(&report, "central");
    assert!(central.title.contains("from 2048 nodes"), "{}", central.title);
    let number = |cell: &Cell| if let Cell::Number(value, _) = cell { *value } else { panic!("{cell:?}") };
    let (scores, errors) = (column(central, &[], "betweenness"), column(central, &[], "betweenness_error"));
    for (score, error) in scores.iter().zip(&errors) {
        // Nearly all were drawn.
        assert!(number(error) > 0.0 && number(error) < 0.05 * number(score), "{score:?} {error:?}");
    }
    let error = column(table_of(&report, "robustness"), &["by betweenness from 2048 nodes, seed 0"], "r_error");
    assert!(number(&error[0]) > 0.0, "{error:?}");
}
