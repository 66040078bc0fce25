//! Plans on the published JavaScript SDK.

use tg_e2e::{Home, Tool, has, plan};
use tg_model::outcome::Outcome;

use crate::table::{Row, check, row};

#[test]
fn every_end_of_a_javascript_plan_gets_its_outcome() {
    if !has(Tool::Node, "outcomes of plans on the JavaScript SDK") {
        return;
    }
    let rows = [
        row("success", Outcome::Ok, "success"),
        row("plain", Outcome::Ok, "success"),
        row("failure", Outcome::Failed, "the table is wrong"),
        row("crash-told", Outcome::Crashed, "the floor is gone"),
        // Node.js says on stderr what was thrown; for the outcome it is a nonzero exit.
        row("uncaught", Outcome::Crashed, "Error"),
        Row { instances: 6, params: &["rounds=30", "items=4"], ..row("sync", Outcome::Ok, "success") },
        row("success-twice", Outcome::Ok, "success"),
        row("silent", Outcome::Incomplete, "never said"),
        row("exit-3", Outcome::Failed, "exit code 3"),
    ];
    check(&Home::new(), &plan("js-sdk"), &rows);
}
