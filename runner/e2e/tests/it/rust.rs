//! Plans on `tg-sdk`.

use tg_e2e::{Home, plan};
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
