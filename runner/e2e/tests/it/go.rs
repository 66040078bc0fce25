//! Plans on the published Go SDK.

use tg_e2e::{Home, Tool, has, plan};
use tg_model::outcome::Outcome;

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
