//! A generated run of a DHT plan with faults in its files, against what its generator knows of it.
//!
//! `*.zip` hold the files as the plan would leave them, `*.truth.json` the exact counts. Each kind of fault is in each
//! of the two that are named by their generation of the SDK.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_collector::{CollectOptions, ZipFile};
use tokio_util::sync::CancellationToken;

use crate::accounting::{Table, prove};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// How many lines made rows of a table, by the text of some of its columns.
fn lines_by(table: &Table, columns: &[&str]) -> BTreeMap<String, u64> {
    let mut lines: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
    let at = table.u32s("file_id").into_iter().zip(table.u32s("line"));
    for (key, at) in table.show(columns).into_iter().zip(at) {
        lines.entry(key).or_default().insert(at);
    }
    lines.into_iter().map(|(key, lines)| (key, lines.len() as u64)).collect()
}

fn counts(value: &Value) -> BTreeMap<String, u64> {
    let object = value.as_object().expect("counts by name");
    object.iter().map(|(key, n)| (key.clone(), n.as_u64().expect("a count"))).collect()
}

#[tokio::test]
async fn rows_and_notes_of_a_run_with_faults_are_exactly_those_that_are_known() {
    for (name, run) in [("dht-faults", "simfx"), ("dht-generation-a", "simA"), ("dht-generation-b", "simB")] {
        hold_against_truth(name, run).await;
    }
}

async fn hold_against_truth(name: &str, id: &str) {
    let text = std::fs::read(fixture(&format!("{name}.truth.json"))).expect("the fixture");
    let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    let known = &truth["tables"];
    let dir = tempfile::tempdir().expect("a folder for the test");
    let run = id.parse().expect("a good id");
    let source = ZipFile::new(fixture(&format!("{name}.zip")));
    tg_collector::collect(&source, &run, dir.path(), &CollectOptions::default(), &|_| {}, CancellationToken::new())
        .await
        .expect("it can be collected");
    let tables = prove(dir.path(), id);

    let rejected: BTreeSet<String> = truth["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .filter(|fault| fault["expect"] == "reject")
        .map(|fault| {
            let path = fault["path"].as_str().expect("a path").splitn(3, '/').nth(2).expect("below the run");
            format!("{path} {}", fault["line"])
        })
        .collect();
    assert!(rejected.len() > 10, "the fixture has faults");
    assert_eq!(tables["notes"].show(&["path", "line"]).into_iter().collect::<BTreeSet<_>>(), rejected);
    assert_eq!(tables["files"].rows() as u64, truth["totals"]["files"].as_u64().expect("a count"));
    assert_eq!(tables["files"].u64s("lines").iter().sum::<u64>(), truth["totals"]["lines"].as_u64().expect("a count"));

    let mut events = counts(&known["events"]);
    events.remove("metric");
    assert_eq!(lines_by(&tables["events"], &["kind"]), events);
    let metrics: BTreeMap<String, u64> = lines_by(&tables["metrics"], &["source", "name", "type"])
        .into_iter()
        .map(|(k, n)| (k.replace(' ', "/"), n))
        .collect();
    assert_eq!(metrics, counts(&known["metrics_by_source_name_type"]));
    assert_eq!(tables["metrics"].rows() as u64, known["metric_measure_rows"].as_u64().expect("a count"));
    assert_eq!(lines_by(&tables["conn_snapshots"], &["snapshot"]), counts(&known["conn_snapshot_rows"]));
    assert_eq!(lines_by(&tables["routing_table"], &["snapshot"]), counts(&known["routing_table_rows"]));
    let traced = counts(&known["lookup_events"]).values().sum::<u64>();
    let loose = known["query_event_rows"].as_u64().expect("a count");
    assert_eq!(lines_by(&tables["query_events"], &[]).values().sum::<u64>(), traced + loose);
    let lookups = tables["queries"].texts("lookup").iter().filter(|lookup| *lookup != "-").count() as u64;
    assert_eq!(lookups, known["lookups"].as_u64().expect("a count"));

    // The generator has a word of its own for an instance without a `run.out`; ours is a closed list.
    let word = |outcome: &Value| match outcome.as_str() {
        Some("missing") => "incomplete".to_owned(),
        word => word.unwrap_or_default().to_owned(),
    };
    let outcomes: BTreeSet<String> = truth["instances"]["rows"]
        .as_array()
        .expect("instances")
        .iter()
        .map(|row| format!("{} {} {}", row[1].as_str().unwrap_or_default(), row[2], word(&row[6])))
        .collect();
    assert_eq!(
        tables["instances"].show(&["group", "group_seq", "outcome"]).into_iter().collect::<BTreeSet<_>>(),
        outcomes
    );
}

/// What the lines of a lookup say of its operation: without a metric, a search for providers and the search for where
/// to provide look alike.
fn tag(op: &str) -> &str {
    if matches!(op, "provide" | "find_providers") { "provider-records" } else { op }
}

/// One operation of the truth file: searchers' group, operation, providers' group.
type Operation = (String, String, String);

#[tokio::test]
async fn operations_are_as_the_plan_measured_them() {
    for (name, id) in [("dht-generation-a", "simA"), ("dht-generation-b", "simB")] {
        let text = std::fs::read(fixture(&format!("{name}.truth.json"))).expect("the fixture");
        let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
        let dir = tempfile::tempdir().expect("a folder for the test");
        let source = ZipFile::new(fixture(&format!("{name}.zip")));
        let run = id.parse().expect("a good id");
        tg_collector::collect(&source, &run, dir.path(), &CollectOptions::default(), &|_| {}, CancellationToken::new())
            .await
            .expect("it can be collected");
        let tables = prove(dir.path(), id);
        let groups: BTreeMap<String, String> =
            tables["instances"].texts("instance").into_iter().zip(tables["instances"].texts("group")).collect();
        let queries = &tables["queries"];
        let columns = [
            "instance",
            "op",
            "key_group",
            "status",
            "duration_ns",
            "first_result_ns",
            "last_result_ns",
            "lookup",
            "hops_for_closest",
        ];
        let cells: Vec<Vec<String>> = columns.iter().map(|name| queries.texts(name)).collect();
        let mut found: BTreeMap<Operation, BTreeMap<String, Vec<i64>>> = BTreeMap::new();
        let mut lookups: BTreeMap<(String, String), u64> = BTreeMap::new();
        // The sum of the hops at which the closest were heard of, and of how many lookups it is.
        let mut closest: BTreeMap<(String, String), (f64, i64)> = BTreeMap::new();
        let rows = (0..queries.rows()).map(|row| cells.iter().map(|cells| cells[row].as_str()).collect::<Vec<_>>());
        for row in rows {
            let cell = |name: &str| row[columns.iter().position(|c| *c == name).expect("a column")];
            let op = if cell("op") == "get_closest_peers" { "gcp" } else { cell("op") };
            if op == "bootstrap" {
                continue;
            }
            let group = groups[cell("instance")].clone();
            if let (true, Ok(hops)) = (cell("lookup") != "-", cell("hops_for_closest").parse::<f64>()) {
                let of = closest.entry((group.clone(), tag(op).to_owned())).or_default();
                of.0 += hops;
                of.1 += 1;
            }
            if cell("lookup") != "-" {
                *lookups.entry((group.clone(), tag(op).to_owned())).or_default() += 1;
            }
            let key_group = if cell("key_group") == "-" { "" } else { cell("key_group") };
            let of = found.entry((group, op.to_owned(), key_group.to_owned())).or_default();
            for (what, column) in
                [("first", "first_result_ns"), ("last", "last_result_ns"), (cell("status"), "duration_ns")]
            {
                if let Ok(value) = cell(column).parse() {
                    of.entry(what.to_owned()).or_default().push(value);
                }
            }
        }

        let mut compared = 0;
        let mut known: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (key, stats) in truth["queries"]["by_searcher_group_op_key_group"].as_object().expect("operations") {
            let parts: Vec<&str> = key.split('/').collect();
            let [group, op, key_group] = parts[..] else { panic!("{key}") };
            if group == "*" || op == "bootstrap" {
                continue;
            }
            let hops = &stats["hops"]["hops_for_closest"];
            let n = hops["n"].as_i64().unwrap_or(0);
            let all = closest.entry((group.to_owned(), tag(op).to_owned())).or_default();
            all.0 -= hops["mean"].as_f64().unwrap_or(0.0) * n as f64;
            all.1 -= n;
            *known.entry((group.to_owned(), tag(op).to_owned())).or_default() +=
                stats["lookups"].as_u64().expect("a count");
            let of = found.remove(&(group.to_owned(), op.to_owned(), key_group.to_owned())).unwrap_or_default();
            let mut compare = |what: &str, described: &Value| {
                let mut values = of.get(what).cloned().unwrap_or_default();
                values.sort_unstable();
                let n = described["n"].as_u64().unwrap_or(0);
                assert_eq!(values.len() as u64, n, "{name}: n of {key}, {what}");
                if n > 0 {
                    let number = |name: &str| described[name].as_f64().expect("a number");
                    assert_eq!(values.first().map(|v| *v as f64), Some(number("min")), "{name}: min of {key}, {what}");
                    assert_eq!(values.last().map(|v| *v as f64), Some(number("max")), "{name}: max of {key}, {what}");
                    let mean = values.iter().map(|v| *v as f64).sum::<f64>() / values.len() as f64;
                    assert!((mean / number("mean") - 1.0).abs() < 1e-9, "{name}: mean of {key}, {what}: {mean}");
                    compared += 1;
                }
            };
            for status in ["done", "fail", "incomplete"] {
                compare(status, &stats["duration_ns"][status]);
            }
            compare("first", &stats["time_to_first_ns"]);
            compare("last", &stats["time_to_last_ns"]);
        }
        assert!(compared > 1, "{name}: {compared}");
        assert!(
            closest.values().all(|(hops, n)| hops.abs() < 1e-6 && *n == 0),
            "{name}: hops to the closest are off by {closest:?}"
        );
        lookups.retain(|_, n| *n > 0);
        known.retain(|_, n| *n > 0);
        assert_eq!(lookups, known, "{name}: lookups");
        let left: Vec<_> = found.iter().filter(|(_, of)| !of.is_empty()).collect();
        assert!(left.is_empty(), "{name}: operations that nobody made: {left:?}");
    }
}
