//! `tg analyze lookup` on a generated run whose true state is known to the generator.
//!
//! `dht-lookups.zip` holds what 44 instances of a DHT plan wrote of their lookups, with k = 8, two that are not to be
//! dialled and one that was killed; `dht-lookups.truth.json` what a correct analysis must find.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_e2e::Home;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn collected(home: &Home) -> String {
    let source = format!("zip:{}", fixture("dht-lookups.zip").display());
    home.tg(["collect", "simlookups", "--source", &source, "-o", "run"]).expect(0);
    "./run".to_owned()
}

fn ask(home: &Home, more: &[&str]) -> Value {
    let done = home.tg([&["analyze", "lookup"], more, &["--k", "8", "--format", "json"]].concat());
    done.expect(0);
    serde_json::from_str(&done.stdout).expect("the report is JSON")
}

#[track_caller]
fn near(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().expect("a number");
    assert!((found - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "{what}: {found} is not {wanted}");
}

#[test]
fn every_number_is_that_of_the_generator() {
    let home = Home::new();
    let dataset = collected(&home);
    let report = ask(&home, &[&dataset]);
    let text = std::fs::read(fixture("dht-lookups.truth.json")).expect("the fixture");
    let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    let mut by_op: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for lookup in report["lookups"].as_array().expect("rows") {
        by_op.entry(lookup["op"].as_str().expect("an operation")).or_default().push(lookup);
    }
    let parts = [
        ("bootstrap", "*/bootstrap/"),
        ("find_peer", "*/find_peer/"),
        ("find_providers", "*/find_providers/providers"),
        ("get_closest_peers", "*/gcp/"),
        ("provide", "*/provide/"),
    ];
    assert_eq!(by_op.keys().copied().collect::<Vec<_>>(), parts.map(|part| part.0));
    for (op, key) in parts {
        let (lookups, wanted) = (&by_op[op], &truth["queries"][key]);
        let sum = |column: &str| lookups.iter().filter_map(|lookup| lookup[column].as_f64()).sum::<f64>();
        let n = lookups.len() as f64;
        near(n, &wanted["lookups"], op);
        near(sum("wasted"), &wanted["wasted_requests_sum"], op);
        near(sum("requests"), &wanted["requests"]["sum"], op);
        near(sum("responses"), &wanted["responses_sum"], op);
        near(sum("failed"), &wanted["unreachable_sum"], op);
        near(sum("heard") / n, &wanted["peers_heard"]["mean"], op);
        near(sum("hops") / n, &wanted["hops"]["total_hops"]["mean"], op);
    }
    // The generator's recall is among all servers, of completed lookups of this operation; nobody left before the end.
    let wanted = &truth["queries"]["*/gcp/"];
    let operations = report["operations"].as_array().expect("rows");
    let completed = |row: &&Value| row["op"] == "get_closest_peers" && row["ended"] == "completed";
    let row = operations.iter().find(completed).expect("a row");
    assert_eq!((&row["lookups"], &row["scored"]), (&wanted["recall_at_k"]["n"], &wanted["rank_displacement"]["n"]));
    for (column, known) in [
        ("recall_all_ratio", "recall_at_k"),
        ("recall_alive_ratio", "recall_at_k"),
        ("displacement_all", "rank_displacement"),
    ] {
        near(row[column].as_f64().expect("a mean"), &wanted[known]["mean"], column);
    }
    // Those that the plan gave up on are scored too.
    let scored: u64 = operations.iter().filter_map(|row| row["scored"].as_u64()).sum();
    assert_eq!(scored, 124);
}

#[test]
fn wrong_questions_are_answered_with_what_to_do() {
    let home = Home::new();
    let dataset = collected(&home);
    let done = home.tg(["analyze", "lookup", &dataset, "--k", "0"]);
    done.expect(2);
    assert!(done.stderr.contains("--k"), "{}", done.stderr);
}
