//! `tg analyze stats` on several runs, of what a condition takes, and by other groups.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tg_e2e::Home;

/// Two generated runs, collected into the home, and the folder of a third that nobody collected.
fn home() -> Home {
    let home = Home::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../collector/tests/fixtures");
    for (generation, run) in [("a", "simA"), ("b", "simB")] {
        let source = format!("zip:{}", fixtures.join(format!("dht-generation-{generation}.zip")).display());
        home.tg(["collect", run, "--source", &source]).expect(0);
    }
    fs::create_dir_all(home.path().join("runs/simC")).expect("a folder");
    home
}

fn json(home: &Home, args: &[&str]) -> Value {
    let done = home.tg([&["analyze", "stats"], args, &["--format", "json"]].concat());
    done.expect(0);
    serde_json::from_str(&done.stdout).expect("the report is JSON")
}

/// The sum of a column of a part.
fn sum(report: &Value, part: &str, column: &str) -> u64 {
    let rows = report[part].as_array().unwrap_or_else(|| panic!("no part {part}"));
    rows.iter().map(|row| row[column].as_u64().expect("a count")).sum()
}

#[test]
fn runs_are_named_one_by_one_by_a_pattern_or_all_and_each_counts_once() {
    let home = home();
    let [a, b] = ["simA", "simB"].map(|run| json(&home, &[run]));
    let wanted = sum(&a, "operations", "n") + sum(&b, "operations", "n");
    let left_out = "left out: 1 run, which has no dataset: simC; `tg collect RUN` makes it";
    let mut pooled = Vec::new();
    for (args, is_left_out) in [
        (&["simA", "simB"][..], false),
        (&["simA", "simB", "simA"], false),
        (&["sim*"], true),
        (&["simB", "sim?"], true),
        (&["--all"], true),
    ] {
        let report = json(&home, args);
        assert_eq!(sum(&report, "operations", "n"), wanted, "{args:?}");
        assert_eq!(report["runs"].as_array().expect("runs").len(), 2, "{args:?}");
        let notes = report["notes"].as_array().expect("notes");
        assert_eq!(notes.iter().any(|note| note == left_out), is_left_out, "{args:?}: {notes:?}");
        pooled.push(report["operations"].clone());
    }
    assert!(pooled.iter().all(|one| *one == pooled[0]), "the order of the names changes nothing");
    // Each run says alone what it says kept apart from the other.
    let apart = json(&home, &["--all", "--group-by", "run_id"]);
    for (id, alone) in [("simA", &a), ("simB", &b)] {
        let rows = apart["operations"].as_array().expect("rows").iter().filter(|row| row["run_id"] == id);
        assert_eq!(rows.map(|row| row["n"].as_u64().expect("a count")).sum::<u64>(), sum(alone, "operations", "n"));
    }
    home.tg(["analyze", "stats", "simA", "simC"]).expect(30).says("`tg collect simC`");
    home.tg(["analyze", "stats", "simC*"]).expect(30).says("has a dataset");
    home.tg(["analyze", "stats", "x*"]).expect(20).says("no run matches `x*`");
    home.tg(["analyze", "stats", "--all", "simA"]).expect(2);
    home.tg(["analyze", "stats"]).expect(2).says("<RUN>");
    home.tg(["analyze", "stats", "simA", "./copy"]).expect(30).says("./copy");
}

#[test]
fn a_run_parted_by_a_condition_adds_up_to_the_whole() {
    let home = home();
    let whole = json(&home, &["simA"]);
    for condition in ["op = find_providers", "duration_ns > 100ms", "group = searchers", "status = done and dials >= 1"]
    {
        let parts = [condition.to_owned(), format!("not ({condition})")];
        let parts = parts.map(|text| json(&home, &["simA", "--filter", &text]));
        assert!(sum(&parts[0], "operations", "n") > 0, "{condition}");
        let both: u64 = parts.iter().map(|part| sum(part, "operations", "n")).sum();
        assert_eq!(both, sum(&whole, "operations", "n"), "{condition}");
        // What one command takes is what the other lists.
        let done = home.tg(["analyze", "queries", "simA", "--filter", condition, "--format", "json"]);
        done.expect(0);
        let listed: Value = serde_json::from_str(&done.stdout).expect("the report is JSON");
        let listed = listed["queries"].as_array().expect("rows").len() as u64;
        assert_eq!(listed, sum(&parts[0], "operations", "n"), "{condition}");
    }
}

#[test]
fn what_cannot_be_asked_is_one_error_that_shows_the_place() {
    let home = home();
    let wrong = |args: &[&str], why: &str| {
        let done = home.tg([&["analyze"], args].concat());
        done.expect(2).says(why);
        assert_eq!(done.stderr.matches("error: ").count(), 1, "{}", done.stderr);
        assert!(done.stdout.is_empty(), "{}", done.stdout);
    };
    let text = "group = searchers and oop = get";
    let shown = format!("  {text}\n  {}^", " ".repeat(22));
    wrong(&["stats", "simA", "--filter", text], "there is no column `oop`, did you mean `op`?");
    wrong(&["stats", "simA", "--filter", text], &shown);
    wrong(&["queries", "simA", "--filter", text], &shown);
    wrong(&["stats", "simA", "--group-by", "group,stauts"], "`--group-by`: there is no column `stauts`");
    wrong(&["stats", "simA", "--filter", "op = get and name = x"], "no table has all of `name` and `op`");
    wrong(&["queries", "simA", "--filter", "measure = p95"], "there is no column `measure`");
    // A name that would move the cursor of a terminal does not.
    wrong(&["stats", "simA", "--filter", "`\u{1b}[2J` = 1"], "there is no column `\\u{1b}[2J`");
}
