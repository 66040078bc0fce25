//! Plans on the published Go SDK.

use serde_json::Value;
use tg_e2e::{Home, Tool, has, plan};
use tg_model::outcome::Outcome;

use crate::shipped::{counted, shipped};
use crate::table::{Row, check, row, run_case};

#[test]
fn every_end_of_a_go_plan_gets_its_outcome() {
    if !has(Tool::Go, "outcomes of plans on the Go SDK") {
        return;
    }
    let rows = [
        row("success", Outcome::Ok, "success"),
        row("failure", Outcome::Failed, "the table is wrong"),
        // The SDK recovers it and exits with 0.
        row("panic", Outcome::Crashed, "told of a crash"),
        row("goroutine-panic", Outcome::Crashed, "the cellar is gone"),
        Row { instances: 8, params: &["rounds=30", "items=4"], ..row("sync", Outcome::Ok, "success") },
        row("success-twice", Outcome::Ok, "success"),
        row("silent", Outcome::Incomplete, "never said"),
        row("plain", Outcome::Ok, "success"),
        row("exit-3", Outcome::Failed, "exit code 3"),
    ];
    check(&Home::new(), &plan("go-sdk"), &rows);
}

#[test]
fn the_files_of_a_go_plan_are_kept() {
    if !has(Tool::Go, "output files of plans on the Go SDK") {
        return;
    }
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("go-sdk"), "metrics", 2, &[]);
    done.expect(0);
    for instance in ["single/0", "single/1"] {
        let results = std::fs::read_to_string(run.output(instance, "results.out")).expect("results.out");
        assert_eq!(results.lines().count(), 10, "{results}");
        let events = std::fs::read_to_string(run.output(instance, "run.out")).expect("run.out");
        let stdout = std::fs::read_to_string(run.log(instance, "stdout.log")).expect("stdout.log");
        assert!(events.contains("success_event") && stdout.contains("success_event"));
    }
}

fn asked(home: &Home, args: &[&str]) -> Value {
    let done = home.tg([args, &["latest", "--format", "json"]].concat());
    done.expect(0);
    serde_json::from_str(&done.stdout).expect("the report is JSON")
}

/// The rows of operations, and how many lookups there are of each kind.
fn operations(home: &Home) -> Vec<Value> {
    asked(home, &["analyze", "stats"])["operations"].as_array().expect("operations").clone()
}

fn of<'a>(rows: &'a [Value], op: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| row["op"] == op)
}

fn sum<'a>(rows: impl Iterator<Item = &'a Value>, column: &str) -> u64 {
    rows.filter_map(|row| row[column].as_u64()).sum()
}

const OPS: [&str; 7] = ["bootstrap", "find_peer", "find_providers", "get", "get_closest_peers", "provide", "put"];

#[test]
fn what_go_nodes_of_the_dht_did_is_read_from_the_files_of_the_old_plan() {
    if !has(Tool::Go, "nodes of the DHT in Go") {
        return;
    }
    let home = Home::new();
    let params = ["clients=1", "bootstrappers=1", "lookups=3", "records=1"];
    let (done, run) = run_case(&home, &shipped("dht-go"), "all", 5, &params);
    done.expect(0);
    // Every line of every file has its place.
    home.tg(["collect", "latest", "--strict"]).expect(0);
    let rows = operations(&home);
    // What was made is what is told of, no lookup twice and none under another name.
    for op in OPS {
        let made = counted(&run, &format!("lookups_made,op={op}"));
        assert_eq!(sum(of(&rows, op), "done"), made, "{op}: {rows:?}");
        // The library may begin a lookup for a value that the node has, after the operation is over; and on a busy
        // machine it tells of any lookup only then. Such a one stands alone, without a time.
        assert_eq!(sum(of(&rows, op), "n") - sum(of(&rows, op), "no_time"), made, "{op}: {rows:?}");
    }
    // With five nodes that all know each other, the truth is what everybody finds.
    let tables = asked(&home, &["analyze", "routing"]);
    assert_eq!((&tables["size"]["tables"], &tables["size"]["client_entries"]), (&Value::from(5), &Value::from(0)));
    assert_eq!(tables["size"]["completeness_ratio"], 1.0, "{}", tables["size"]);
    let snapshots = tables["evolution"].as_array().expect("snapshots");
    assert_eq!(snapshots.len(), 5, "{snapshots:?}");
    let lookups = asked(&home, &["analyze", "lookup"]);
    let found = lookups["lookups"].as_array().expect("lookups");
    assert!(found.iter().any(|one| one["recall_all_ratio"] == 1.0));
    assert_eq!(asked(&home, &["analyze", "graph"])["size"]["nodes"], 5);
}

#[test]
fn nodes_in_rust_and_in_go_find_what_the_others_have() {
    if !has(Tool::Go, "one network of nodes in Rust and in Go") {
        return;
    }
    let home = Home::new();
    let composition = shipped("dht-go").join("compositions/mixed.toml");
    home.tg(["run", composition.to_str().expect("a plain path")]).expect(0);
    let run = home.run();
    home.tg(["collect", "latest", "--strict"]).expect(0);
    let rows = operations(&home);
    for op in ["find_peer", "find_providers", "get", "get_closest_peers", "provide", "put"] {
        let made = counted(&run, &format!("lookups_made,op={op}"));
        assert!(sum(of(&rows, op), "n") >= made && made > 0, "{op}: {rows:?}");
        for group in ["go", "rust"] {
            let done = sum(of(&rows, op).filter(|row| row["group"] == group), "done");
            assert!(done > 0, "{op} by {group}: {rows:?}");
        }
    }
    // Tables of both hold nodes of both, and one truth scores all of them.
    let tables = asked(&home, &["analyze", "routing"]);
    assert_eq!((&tables["size"]["tables"], &tables["size"]["servers"]), (&Value::from(12), &Value::from(12)));
    let text = std::fs::read_to_string(run.output("go/0", "dht_rt.out")).expect("the table of a node in Go");
    let rust = std::fs::read_to_string(run.output("rust/0", "tg.peers.ndjson")).expect("who a node in Rust is");
    let rust: Value = serde_json::from_str(rust.lines().next().expect("a line")).expect("a record");
    assert!(text.contains(rust["peer"].as_str().expect("a peer id")), "no node in Go knows {rust}");
}
