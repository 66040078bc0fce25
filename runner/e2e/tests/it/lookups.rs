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

/// The statistics of the run by operation and kind of key, with flags.
fn screen(home: &Home, dataset: &str, more: &[&str]) -> BTreeMap<String, Value> {
    let flags = ["--group-by", "key_group", "--table", "operations", "--format", "json"];
    let done = home.tg([&["analyze", "stats", dataset][..], &flags, more].concat());
    done.expect(0);
    let report: Value = serde_json::from_str(&done.stdout).expect("the report is JSON");
    let rows = report["operations"].as_array().cloned().expect("rows");
    rows.into_iter().map(|row| (row["op"].as_str().expect("an operation").to_owned(), row)).collect()
}

#[test]
fn the_screen_has_the_numbers_of_the_generator_by_every_rule_of_percentiles() {
    let home = Home::new();
    let dataset = collected(&home);
    let text = std::fs::read(fixture("dht-lookups.truth.json")).expect("the fixture");
    let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    for rule in ["type7", "nearest", "ps1"] {
        let rows = screen(&home, &dataset, &["--percentile", rule]);
        assert_eq!(rows.len(), 5, "{rows:?}");
        for (op, row) in &rows {
            let wanted = match op.as_str() {
                "find_providers" => &truth["queries"]["*/find_providers/providers"],
                "get_closest_peers" => &truth["queries"]["*/gcp/"],
                op => &truth["queries"][format!("*/{op}/")],
            };
            let number = |column: &str| row[column].as_f64().unwrap_or_else(|| panic!("{op} {column}: {row}"));
            assert_eq!(row["n"], wanted["lookups"], "{op}");
            near(number("requests_mean"), &wanted["requests"]["mean"], op);
            near(number("requests_p95"), &wanted["requests"][rule]["p95"], op);
            near(number("dial_failures"), &wanted["query_events"]["dial_failures"], op);
            for hops in ["total_hops", "hops_for_closest"] {
                // The generator counts no hop where nobody answered, which is no number of hops here.
                let (n, mean) = (&wanted["hops"][hops]["n"], &wanted["hops"][hops]["mean"]);
                let sum = n.as_f64().expect("a count") * mean.as_f64().expect("a mean");
                near(number(&format!("{hops}_n")) * number(&format!("{hops}_mean")), &sum.into(), op);
            }
            // Bootstrap lookups have no operation that the plan would have measured.
            if op == "bootstrap" {
                continue;
            }
            assert_eq!(row["done"], wanted["success"], "{op}");
            let times = [
                ("duration", "duration_ns_all"),
                ("first_result", "time_to_first_ns"),
                ("last_result", "time_to_last_ns"),
            ];
            for (time, known) in times {
                let known = &wanted[known][rule];
                for (share, known) in known.as_object().into_iter().flatten().filter(|(share, _)| *share != "p5") {
                    near(number(&format!("{time}_{share}_ns")), known, &format!("{op} {time} {share} {rule}"));
                }
            }
        }
    }
    // Scored against the buckets of the run, without being asked; the generator scored completed lookups.
    let rows = screen(&home, &dataset, &["--filter", "op = get_closest_peers and term_reason = completed"]);
    let (row, wanted) = (&rows["get_closest_peers"], &truth["queries"]["*/gcp/"]["recall_at_k"]);
    assert_eq!(row["scored"], wanted["n"]);
    near(row["recall_all_ratio"].as_f64().expect("a mean"), &wanted["mean"], "recall");
}

#[test]
fn one_lookup_is_told_in_full() {
    let home = Home::new();
    let dataset = collected(&home);
    let all = ask(&home, &[&dataset]);
    for lookup in all["lookups"].as_array().expect("rows") {
        let number = lookup["query_id"].to_string();
        let id = lookup["lookup"].as_str().expect("an id");
        // By its number, and some by a prefix of the id, which is unique with so many digits.
        let wanted = if number.ends_with('5') { &id[..8] } else { &number };
        if !number.ends_with(['0', '5']) {
            continue;
        }
        let report = ask(&home, &[&dataset, wanted]);
        assert_eq!(report["lookup"]["id"], id);
        assert_eq!(report["lookup"]["recall_alive_ratio"], lookup["recall_alive_ratio"], "{id}");
        let tree = report["tree"].as_array().expect("rows");
        let asked = tree.iter().filter(|row| !row["asked_after_ns"].is_null()).count();
        assert_eq!(lookup["requests"], asked, "{id}");
        let wasted = tree.iter().filter(|row| row["use"] == "wasted").count() as u64;
        assert!(wasted <= lookup["wasted"].as_u64().expect("a count"), "{id}");
        // A peer stands below the one that told of it.
        for (at, row) in tree.iter().enumerate().filter(|(_, row)| row["told_by"] != "own table") {
            assert!(tree[..at].iter().any(|above| above["peer"] == row["told_by"]), "{id}: {row}");
        }
        let time = &report["time"];
        if time["tail_ns"].is_number() {
            let parts = ["path_request_ns", "path_wait_ns", "tail_ns"].map(|key| time[key].as_f64().expect("a time"));
            assert!(parts.iter().all(|&part| part >= 0.0), "{id}: {time}");
            near(parts.iter().sum(), &time["took_ns"], id);
        }
        // Of the nearest as many were returned as the recall says.
        let nearest = report["nearest"].as_array().expect("rows");
        let ranked = nearest.iter().filter(|row| row["rank"].as_u64().is_some_and(|rank| rank <= 8));
        let found = ranked.filter(|row| row["returned"] == "yes").count() as f64;
        near(found / 8.0, &lookup["recall_alive_ratio"], id);
    }
}

#[test]
fn wrong_questions_are_answered_with_what_to_do() {
    let home = Home::new();
    let dataset = collected(&home);
    let done = home.tg(["analyze", "lookup", &dataset, "--k", "0"]);
    done.expect(2);
    assert!(done.stderr.contains("--k"), "{}", done.stderr);
    let done = home.tg(["analyze", "lookup", "run"]);
    done.expect(20);
    assert!(done.stderr.contains("write `./run`"), "{}", done.stderr);
    for (wanted, why) in [
        ("nope", "there is no lookup `nope`: the run has 0 to 123"),
        ("124", "there is no lookup `124`: "),
        ("8a77b88x", "near it are `8a77b88c-a1e6-45f2-a733-7d4985d44dee` (5 of clients/1)"),
        ("a", "`a` means 5 lookups: `aae7c128-5be6-4985-afda-b895cea1ee3b` (3 of clients/0), "),
    ] {
        let done = home.tg(["analyze", "lookup", &dataset, wanted]);
        done.expect(2);
        assert!(done.stderr.contains(why), "{}", done.stderr);
    }
}

/// The operations of the generator, as `--group-by key_group` has them: the name here and the key there.
const OPERATIONS: [(&str, &str); 4] = [
    ("find_peer", "*/find_peer/"),
    ("find_providers", "*/find_providers/providers"),
    ("get_closest_peers", "*/gcp/"),
    ("provide", "*/provide/"),
];

#[test]
fn the_table_of_operations_is_that_of_the_generator() {
    let home = Home::new();
    let dataset = collected(&home);
    let text = std::fs::read(fixture("dht-lookups.truth.json")).expect("the fixture");
    let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    for rule in ["type7", "nearest", "ps1"] {
        let mut args = vec!["analyze", "stats", &dataset, "--k", "8", "--group-by", "key_group"];
        args.extend(["--percentile", rule, "--format", "json"]);
        let done = home.tg(args);
        done.expect(0);
        let report: Value = serde_json::from_str(&done.stdout).expect("the report is JSON");
        let rows = report["operations"].as_array().expect("rows");
        for (op, key) in OPERATIONS {
            let row = rows.iter().find(|row| row["op"] == op).expect("a row");
            let wanted = &truth["queries"][key];
            let number = |column: &str| row[column].as_f64().unwrap_or_else(|| panic!("{op} has no {column}"));
            let same = |column: &str, wanted: &Value| {
                if wanted.is_null() {
                    return;
                }
                near(number(column), wanted, &format!("{op} {column} {rule}"));
            };
            same("n", &wanted["lookups"]);
            same("done", &wanted["success"]);
            same("success_ratio", &wanted["success_per_lookup"]);
            same("dial_failures", &wanted["query_events"]["dial_failures"]);
            same("requests_mean", &wanted["requests"]["mean"]);
            same("requests_n", &wanted["requests"]["n"]);
            same("requests_p95", &wanted["requests"][rule]["p95"]);
            for (time, known) in [
                ("duration", "duration_ns_all"),
                ("first_result", "time_to_first_ns"),
                ("last_result", "time_to_last_ns"),
            ] {
                for share in ["p50", "p95", "p99"] {
                    same(&format!("{time}_{share}_ns"), &wanted[known][rule][share]);
                }
            }
            near(number("dials_mean") * number("dials_n"), &wanted["query_events"]["dials"], op);
            near(number("dial_failures_ratio") * number("dials_mean") * number("dials_n"), &row["dial_failures"], op);
            for hops in ["total_hops", "hops_for_closest"] {
                // A lookup that nobody answered has no hops here and 0 in the generator: the sums agree.
                let known = &wanted["hops"][hops];
                let (mean, n) = (known["mean"].as_f64().expect("a mean"), known["n"].as_f64().expect("a count"));
                let mean_of = number(&format!("{hops}_mean"));
                near(mean_of * number(&format!("{hops}_n")), &Value::from(mean * n), op);
                if number("total_hops_n") >= n {
                    near(number(&format!("{hops}_p95")), &known[rule]["p95"], &format!("{op} {hops} {rule}"));
                }
            }
            let failed = report["failed_operations"].as_array().expect("rows").iter().filter(|row| row["op"] == op);
            let mut by_status: BTreeMap<&str, u64> = BTreeMap::new();
            for row in failed {
                *by_status.entry(row["status"].as_str().expect("a status")).or_default() +=
                    row["n"].as_u64().expect("n");
            }
            // Those without a metric are incomplete here and nothing there.
            for (status, n) in wanted["status"].as_object().expect("by status").iter().filter(|(key, _)| *key == "fail")
            {
                assert_eq!(by_status.get(status.as_str()), n.as_u64().as_ref(), "{op} {status}");
            }
        }
    }
}
