//! `tg analyze compare` as a gate: its exit codes, and what it prints for people and for programs.

use std::fs;
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

/// Runs of a plan that wrote round-trip times, one a day, each slower than the one before by `step`.
fn daily(home: &Home, step: i64) {
    const DAY_NS: i64 = 86_400_000_000_000;
    for run in 0..6_i64 {
        for instance in 0..3_i64 {
            let dir = home.path().join(format!("daily/day{run}/single/{instance}"));
            fs::create_dir_all(&dir).expect("a folder");
            let begin = 1_588_000_000_000_000_000 + run * DAY_NS;
            let line = |at: i64, event: &str| {
                format!(
                    "{{\"ts\":{},\"msg\":\"\",\"group_id\":\"single\",\"run_id\":\"day{run}\",\"event\":{event}}}\n",
                    begin + at
                )
            };
            let mut text =
                line(0, "{\"type\":\"start\",\"runenv\":{\"plan\":\"pings\",\"case\":\"quick\",\"run\":\"x\"}}");
            for at in 1..=20_i64 {
                let value = 1000 + step * run + at % 7 + instance;
                for (name, tail) in [("rtt", ""), ("noise", "9")] {
                    let value = if tail.is_empty() { value } else { 1000 + (at * 37 + run * 11) % 5 };
                    let metric = format!("{{\"name\":\"{name}\",\"unit\":\"ns\",\"dir\":-1,\"value\":{value}}}");
                    text += &line(at, &format!("{{\"type\":\"metric\",\"metric\":{metric}}}"));
                }
            }
            text += &line(99, "{\"type\":\"finish\",\"outcome\":\"ok\"}");
            fs::write(dir.join("run.out"), text).expect("a file");
        }
        let source = format!("dir:{}", home.path().join("daily").display());
        home.tg(["collect", &format!("day{run}"), "--source", &source]).expect(0);
    }
}

#[test]
fn a_trend_tells_what_drifts_over_the_days() {
    let home = Home::new();
    daily(&home, 40);
    let ask = |more: &[&str]| home.tg([&["analyze", "compare", "--trend", "day*"], more].concat());
    let done = ask(&["--fail-on", "worse", "--format", "json"]);
    done.expect(31);
    let report: Value = serde_json::from_str(&done.stdout).expect("the report is JSON");
    let verdicts = |name: &str| -> Vec<&str> {
        let rows = report["trend"].as_array().expect("rows").iter().filter(|row| row["name"] == name);
        rows.map(|row| row["verdict"].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(verdicts("rtt"), ["worse"; 2], "{}", done.stdout);
    assert!(verdicts("noise").iter().all(|verdict| *verdict != "worse"), "{}", done.stdout);
    let medians = report["points"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row["name"] == "rtt" && row["statistic"] == "p50");
    let medians: Vec<f64> = medians.map(|row| row["value"].as_f64().expect("a value")).collect();
    assert!(
        medians.len() == 6 && medians.windows(2).all(|pair| (pair[1] - pair[0] - 40.0).abs() < 1e-9),
        "{medians:?}"
    );
    // What does not drift fails nothing, and the same data gives the same text.
    ask(&["--fail-on", "worse", "--metric", "noise"]).expect(0);
    assert_eq!(ask(&["--format", "json"]).stdout, done.stdout);
    let nobody = ask(&["--filter", "group = nobody"]);
    assert!(nobody.expect(0).stdout.contains("0 of 0 drift"), "{}", nobody.stdout);
}

#[test]
fn a_condition_takes_the_same_rows_on_both_sides() {
    let home = Home::new();
    let [dataset, _] = collected(&home);
    let ask = |more: &[&str], code: i32| {
        let done = home.tg([&["analyze", "compare", &dataset, &dataset], more, &FEW, &["--format", "json"]].concat());
        done.expect(code);
        if code == 0 {
            serde_json::from_str::<Value>(&done.stdout).expect("the report is JSON")
        } else {
            done.stderr.into()
        }
    };
    let names = |report: &Value| -> std::collections::BTreeSet<String> {
        let rows = report["comparison"].as_array().expect("rows").iter();
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let all = names(&ask(&[], 0));
    let some = ask(&["--filter", "op = find_providers"], 0);
    let wanted: std::collections::BTreeSet<String> =
        all.iter().filter(|name| name.starts_with("find_providers.")).cloned().collect();
    assert_eq!(names(&some), wanted);
    let notes = some["notes"].to_string();
    assert!(
        notes.contains("op = find_providers") && notes.contains("left out: metrics, which have no `op`"),
        "{notes}"
    );
    // An assertion is held against the rows that are meant.
    let taken = |condition: &str, wanted: i32| {
        let args = ["analyze", "compare", &dataset, "--filter", condition];
        home.tg([&args[..], &["--assert", "count(find_providers.success) > 0"]].concat()).expect(wanted);
    };
    taken("op = find_providers", 0);
    taken("op = provide", 30);
    let wrong = ask(&["--filter", "oop = get"], 2);
    assert!(wrong.to_string().contains("did you mean `op`?"), "{wrong}");
}
