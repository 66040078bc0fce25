//! `tg analyze compare` as a gate: its exit codes, and what it prints for people and for programs.

use std::path::Path;

use serde_json::Value;
use tg_e2e::Home;

/// Few draws: what is looked at here does not depend on them.
const FEW: [&str; 2] = ["--resamples", "200"];

/// A generated run of the two generations of plans, collected: the folders of their datasets.
fn collected(home: &Home) -> [String; 2] {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../collector/tests/fixtures");
    [("a", "simA"), ("b", "simB")].map(|(generation, run)| {
        let source = format!("zip:{}", fixtures.join(format!("dht-generation-{generation}.zip")).display());
        let folder = format!("./run-{generation}");
        home.tg(["collect", run, "--source", &source, "-o", &folder]).expect(0);
        folder
    })
}

#[test]
fn a_run_against_itself_is_never_worse() {
    let home = Home::new();
    let [dataset, other] = collected(&home);
    drop(other);
    let mut args = vec!["analyze", "compare", &dataset, &dataset, "--format", "json"];
    args.extend(["--fail-on", "worse", "--allow-single"]);
    args.extend(FEW);
    let done = home.tg(args.clone());
    done.expect(0);
    let report: Value = serde_json::from_str(&done.stdout).expect("the report is JSON");
    let rows = report["comparison"].as_array().expect("rows");
    assert!(!rows.is_empty());
    for row in rows {
        assert!(["same", "unclear"].contains(&row["verdict"].as_str().expect("a verdict")), "{row}");
        assert_eq!(row["base"], row["new"]);
    }
    assert_eq!(home.tg(args).stdout, done.stdout, "the same data and seed give the same text");
}

#[test]
fn the_exit_code_says_what_came_of_it() {
    let home = Home::new();
    let [dataset, other] = collected(&home);
    let ask = |more: &[&str], code: i32| {
        let mut args = vec!["analyze", "compare", &dataset];
        args.extend(more);
        args.extend(FEW);
        let done = home.tg(args);
        done.expect(code);
        done
    };
    // One run a side gates nothing unless told to.
    ask(&[&dataset, "--fail-on", "worse"], 30).says("--allow-single");
    ask(&["--assert", "count(find_providers.success) > 0"], 0);
    let both = ["--assert", "count(find_providers.success) > 0", "--assert", "p95(bootstrap.duration_ns) < 1ns"];
    let broken = ask(&[&both[..], &["--format", "junit"]].concat(), 31);
    assert!(broken.stdout.contains("tests=\"2\" failures=\"1\""), "{}", broken.stdout);
    broken.says("broken: p95(bootstrap.duration_ns) < 1ns (it is ");
    ask(&["--assert", "p50(no-such-metric) < 1"], 30).says("there is no `no-such-metric`");
    ask(&["--assert", "p50(bootstrap.durationns) < 1s"], 30).says("did you mean `bootstrap.duration_ns`?");
    let wrong = ask(&["--assert", "p50(rtt) < 2 parsecs"], 2);
    assert!(wrong.stderr.contains("\n                 ^"), "{}", wrong.stderr);
    ask(&["--assert", "p50(rtt"], 2);
    ask(&[&other, "--trend"], 30).says("a trend needs three points");
    // A run twice on one side would count twice.
    ask(&[&dataset, "--against", &other], 32).says("names a run twice");
}
