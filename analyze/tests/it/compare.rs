//! Comparisons: what a run says against itself, against a slower one, and against one of another plan.

use polars::prelude::*;
use tg_analyze::Dataset;
use tg_analyze::compare::{CompareOptions, Comparison, Runs, Statistic, Verdict, Wanted, compare, report};
use tg_model::table;

use crate::dataset::Written;

const INSTANCES: u32 = 20;

/// Operations of 20 instances; every `nth` fails, and those that are done take `base` to `base + 19` times the factor.
fn run(base: i64, fails: u32, plan: &str) -> Written {
    let rows = INSTANCES * 10;
    let at = || 0..rows;
    let done = |row: u32| fails == 0 || !row.is_multiple_of(fails);
    let duration =
        |row: u32| done(row).then(|| base * 1000 + i64::from(row / 10 * 7 % 20) * base + i64::from(row % 10));
    let frame = df!(
        "query_id" => at().map(u64::from).collect::<Vec<_>>(),
        "instance" => at().map(|row| row / 10).collect::<Vec<_>>(),
        "op" => vec!["get"; rows as usize],
        "status" => at().map(|row| if done(row) { "done" } else { "fail" }).collect::<Vec<_>>(),
        "duration_ns" => at().map(duration).collect::<Vec<_>>(),
    );
    let written = Written::new().instances(&[("a", INSTANCES, "ok")]).table(&table::QUERIES, &frame.unwrap());
    let head =
        df!("run_id" => [format!("r{base}")], "plan" => [plan], "verdict" => ["passed"], "instances" => [INSTANCES]);
    std::fs::remove_dir_all(written.path().join("runs")).unwrap();
    written.table(&table::RUNS, &head.unwrap())
}

fn side(runs: &[&Written]) -> Runs {
    let datasets: Vec<Dataset> = runs.iter().map(|one| Dataset::open(one.path()).unwrap()).collect();
    Runs::read(&datasets, &Wanted::default()).unwrap()
}

fn options() -> CompareOptions {
    CompareOptions { resamples: 400, ..CompareOptions::default() }
}

fn verdict(comparison: &Comparison, name: &str, statistic: Statistic) -> Verdict {
    let found = comparison.rows.iter().find(|row| row.key.name == name && row.statistic == statistic);
    found.unwrap_or_else(|| panic!("no row {name}")).verdict
}

#[test]
fn a_run_is_never_worse_than_itself() {
    let one = run(100, 9, "p");
    let found = compare(&side(&[&one]), &side(&[&one]), &options());
    assert!(!found.rows.is_empty());
    for row in &found.rows {
        assert!(matches!(row.verdict, Verdict::Same | Verdict::Unclear), "{row:?}");
        assert!((row.base - row.new).abs() < f64::EPSILON, "{row:?}");
    }
    assert!(found.is_single() && found.obstacles.is_empty());
    assert!(found.warnings.iter().any(|text| text == "r100 is on both sides"), "{:?}", found.warnings);
}

#[test]
fn repeats_that_are_slower_are_worse_and_fail_more_often() {
    let base: Vec<Written> = (100..105).map(|base| run(base, 0, "p")).collect();
    let new: Vec<Written> = (130..135).map(|base| run(base, 4, "p")).collect();
    let (base, new) = (side(&base.iter().collect::<Vec<_>>()), side(&new.iter().collect::<Vec<_>>()));
    let found = compare(&base, &new, &options());
    let p95 = Statistic::Percentile(0.95);
    assert_eq!(verdict(&found, "get.duration_ns", p95), Verdict::Worse);
    let back = compare(&new, &base, &options());
    assert_eq!(verdict(&back, "get.duration_ns", p95), Verdict::Better);
    // Every run fails as often as its repeats: there is no variance to test with, and five exchanges of five are few
    // enough for the level of three tests.
    assert_eq!(verdict(&found, "get.success", Statistic::Share), Verdict::Worse);
    let row = found.rows.iter().find(|row| row.statistic == p95).unwrap();
    assert_eq!((row.sizes[0].runs, row.sizes[0].instances, row.sizes[0].values), (5, 100, 1000));
    // What failed has no time: 2 or 3 of every 10 are missing.
    assert_eq!(row.sizes[1].values, 750);
    assert!((row.new / row.base - 1.3).abs() < 0.02, "{row:?}");
}

#[test]
fn a_small_change_is_the_same() {
    let base: Vec<Written> = (1000..1004).map(|base| run(base, 0, "p")).collect();
    let new: Vec<Written> = (1010..1014).map(|base| run(base, 0, "p")).collect();
    let found = compare(&side(&base.iter().collect::<Vec<_>>()), &side(&new.iter().collect::<Vec<_>>()), &options());
    assert_eq!(verdict(&found, "get.duration_ns", Statistic::Percentile(0.5)), Verdict::Same);
}

#[test]
fn the_same_data_and_seed_give_the_same_report() {
    let (one, other) = (run(100, 7, "p"), run(103, 5, "p"));
    let ask = |seed| {
        let options = CompareOptions { seed, ..options() };
        report(&compare(&side(&[&one]), &side(&[&other]), &options))
    };
    assert_eq!(ask(1), ask(1));
    assert_ne!(ask(1), ask(2));
}

#[test]
fn runs_of_different_plans_are_not_to_be_compared() {
    let (one, other) = (run(100, 0, "p"), run(101, 0, "q"));
    let found = compare(&side(&[&one]), &side(&[&other]), &options());
    assert_eq!(found.obstacles, ["the sides have different plans: q against p"]);
    // A dataset without anything in common is told apart from one that is the same.
    let empty = Written::new().instances(&[("a", 1, "ok")]);
    let found = compare(&side(&[&one]), &side(&[&empty]), &options());
    assert!(found.rows.is_empty());
    assert!(found.obstacles.iter().any(|text| text.contains("nothing") || text.contains("in common")));
    assert!(found.warnings.iter().any(|text| text.starts_with("only the base has get.")), "{:?}", found.warnings);
}
