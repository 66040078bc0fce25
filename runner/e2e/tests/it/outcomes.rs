//! Ends of a process without any SDK.

use tg_e2e::{Home, plan};
use tg_model::outcome::Outcome;

use crate::table::{Row, check, row};

#[test]
fn every_end_of_a_script_gets_its_outcome() {
    let rows = [
        Row { instances: 3, ..row("ok", Outcome::Ok, "success") },
        row("failed", Outcome::Failed, "the table is wrong"),
        Row { params: &["code=7"], ..row("exit", Outcome::Failed, "exit code 7") },
        Row { params: &["code=0"], ..row("exit", Outcome::Incomplete, "never said") },
        row("told-then-exit-3", Outcome::Failed, "exit code 3"),
        row("told-both", Outcome::Failed, "and then it was not"),
        row("silent", Outcome::Incomplete, "never said"),
        row("segv", Outcome::Crashed, "signal 11"),
        row("kill", Outcome::Killed, "signal 9"),
        row("half-line-success", Outcome::Ok, "success"),
    ];
    check(&Home::new(), &plan("shell"), &rows);
}
