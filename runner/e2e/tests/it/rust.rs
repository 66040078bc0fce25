//! Plans on `tg-sdk`.

use tg_e2e::{Home, Tool, has, plan};
use tg_model::event::EventKind;
use tg_model::outcome::Outcome;

use crate::table::{Row, check, row};

#[test]
fn every_end_of_a_rust_plan_gets_its_outcome() {
    let rows = [
        row("success", Outcome::Ok, "success"),
        row("failure", Outcome::Failed, "the table is wrong"),
        row("panic", Outcome::Crashed, "the floor is gone"),
        row("task-panic", Outcome::Crashed, "the cellar is gone"),
        row("early-exit", Outcome::Incomplete, "never said"),
        Row { instances: 8, params: &["rounds=30", "items=4"], ..row("sync", Outcome::Ok, "success") },
    ];
    check(&Home::new(), &plan("rust-sdk"), &rows);
}

#[test]
fn a_plan_breaks_things_and_hears_what_cannot_be_broken() {
    let home = Home::new();
    let plan = plan("rust-sdk");
    let run = |isolation: &str| {
        let plan = plan.to_str().expect("a plain path");
        home.tg(["run", plan, "--case", "breaks", "--instances", "2", "--isolation", isolation]).expect(0);
        let run = home.runs().pop().expect("a run");
        let began = |event: &tg_model::RunEvent| match &event.kind {
            EventKind::FaultBegan { fault, action, hit, .. } => Some((*fault, action.clone(), hit[0].0.index)),
            _ => None,
        };
        let seen: Vec<_> = run.events.iter().filter_map(began).collect();
        assert_eq!(seen, [(0, "restart".to_owned(), 1)], "{isolation}");
        assert!(run.ends().values().all(|end| end.outcome == Outcome::Ok), "{isolation}");
        // Who asks for what cannot be is noted.
        assert!(run.notes("single/0").iter().any(|(reason, _)| reason == "fault-failed"), "{isolation}");
    };
    run("none");
    if has(Tool::Hosts, "restarts on hosts") {
        run("host");
    }
}
