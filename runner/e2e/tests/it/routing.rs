//! `tg analyze routing` on a generated run whose true state is known to the generator.
//!
//! `dht-routing.zip` holds what 60 instances of a DHT plan wrote of their routing tables and connections,
//! `dht-routing.truth.json` what a correct analysis must find.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_e2e::Home;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The generated run, collected: the folder of its dataset as `tg analyze` takes it.
pub(crate) fn collected(home: &Home) -> String {
    let source = format!("zip:{}", fixture("dht-routing.zip").display());
    home.tg(["collect", "simrouting", "--source", &source, "-o", "run"]).expect(0);
    "./run".to_owned()
}

fn ask(home: &Home, dataset: &str, more: &[&str]) -> Value {
    let mut args = vec!["analyze", "routing", dataset, "--format", "json"];
    args.extend(more);
    let done = home.tg(args);
    done.expect(0);
    serde_json::from_str(&done.stdout).expect("the report is JSON")
}

#[track_caller]
fn near(found: &Value, wanted: &Value, what: &str) {
    let (Some(found), Some(wanted)) = (found.as_f64(), wanted.as_f64()) else {
        panic!("{what}: {found} is not {wanted}");
    };
    assert!((found - wanted).abs() < 1e-12, "{what}: {found} is not {wanted}");
}

#[test]
fn every_number_is_that_of_the_generator() {
    let home = Home::new();
    let dataset = collected(&home);
    let text = std::fs::read(fixture("dht-routing.truth.json")).expect("the fixture");
    let truth: Value = serde_json::from_slice(&text).expect("the fixture is JSON");
    let snapshots = truth["routing_tables"].as_object().expect("snapshots");
    assert_eq!(snapshots.len(), 3);
    for (label, wanted) in snapshots {
        let report = ask(&home, &dataset, &["--k", "8", "--snapshot", label]);
        let size = &report["size"];
        assert_eq!(size["snapshot"], **label);
        for (key, known) in [("tables", "owners"), ("entries", "entries"), ("stale_entries", "stale_entries")] {
            assert_eq!(size[key], wanted[known], "{label} {key}");
        }
        near(&size["completeness_ratio"], &wanted["completeness_pooled"], "completeness");
        near(&size["stale_ratio"], &wanted["stale_share"], "stale");
        near(&size["awareness_ratio"], &wanted["awareness"]["mean_share"], "awareness");
        near(&size["know_all_ratio"], &wanted["awareness"]["share_knowing_all"], "know all");

        let known = wanted["awareness"]["known_of_nearest_k"].as_object().expect("a distribution");
        let rows = report["awareness"].as_array().expect("rows");
        assert_eq!(rows.len(), known.len());
        for row in rows {
            assert_eq!(row["tables"], known[&row["known"].to_string()], "{label} {row}");
        }
        let by_bits = wanted["per_cpl"].as_object().expect("buckets");
        let rows = report["fill"].as_array().expect("rows");
        assert_eq!(rows.len(), by_bits.len(), "{label}");
        for row in rows {
            let bucket = &by_bits[&row["shared_bits"].to_string()];
            for (key, known) in [
                ("tables", "owners"),
                ("eligible", "eligible"),
                ("ideal", "ideal"),
                ("live", "live"),
                ("stale", "stale"),
                ("missing", "missing"),
            ] {
                assert_eq!(row[key], bucket[known], "{label} {key} {row}");
            }
            match &bucket["fill_mean"] {
                Value::Null => assert_eq!(row["fill_mean_ratio"], Value::Null),
                fill => near(&row["fill_mean_ratio"], fill, "fill"),
            }
        }
        per_table(&report, wanted);
        let row = report["evolution"].as_array().expect("rows").iter().find(|row| row["snapshot"] == **label);
        near(&row.expect("a row")["completeness_ratio"], &wanted["completeness_pooled"], "evolution");
    }
}

/// Means and extremes over the tables one by one.
fn per_table(report: &Value, wanted: &Value) {
    let nodes = report["nodes"].as_array().expect("rows");
    for (key, known) in
        [("completeness_ratio", "completeness_per_owner"), ("entries", "table_size"), ("depth", "actual_depth")]
    {
        let values: Vec<f64> = nodes.iter().filter_map(|node| node[key].as_f64()).collect();
        let wanted = &wanted[known];
        assert_eq!(wanted["n"], values.len(), "{key}");
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - wanted["mean"].as_f64().expect("a mean")).abs() < 1e-12, "{key}");
        let (min, max) = values.iter().fold((f64::MAX, f64::MIN), |(min, max), &v| (v.min(min), v.max(max)));
        near(&min.into(), &wanted["min"], key);
        near(&max.into(), &wanted["max"], key);
    }
}

#[test]
fn wrong_questions_are_answered_with_what_to_do() {
    let home = Home::new();
    let dataset = collected(&home);
    let done = home.tg(["analyze", "routing", &dataset, "--snapshot", "nope"]);
    done.expect(2);
    assert!(done.stderr.contains("no snapshot `nope`: the run has br, ar, ab"), "{}", done.stderr);
    let done = home.tg(["analyze", "routing", &dataset, "--k", "0"]);
    done.expect(2);
    assert!(done.stderr.contains("--k"), "{}", done.stderr);
}
