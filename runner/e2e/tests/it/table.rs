//! Cases of a plan as rows: what each is expected to come to.

use std::path::Path;

use tg_e2e::{Done, Home, Run};
use tg_model::outcome::{Outcome, Verdict};

/// One case of a plan, run by itself.
pub(crate) struct Row {
    /// The case.
    pub(crate) case: &'static str,
    /// How many instances.
    pub(crate) instances: u32,
    /// Parameters, as `key=value`.
    pub(crate) params: &'static [&'static str],
    /// The outcome of every one of them.
    pub(crate) outcome: Outcome,
    /// Part of the reason in words.
    pub(crate) reason: &'static str,
}

/// A row with one instance and no parameters.
pub(crate) const fn row(case: &'static str, outcome: Outcome, reason: &'static str) -> Row {
    Row { case, instances: 1, params: &[], outcome, reason }
}

/// Runs one case and gives what `tg` said and what it left.
pub(crate) fn run_case(home: &Home, plan: &Path, case: &str, instances: u32, params: &[&str]) -> (Done, Run) {
    let params: Vec<&str> = params.iter().flat_map(|param| ["--param", param]).collect();
    run_with(home, plan, case, instances, &params)
}

/// The same with any flags.
pub(crate) fn run_with(home: &Home, plan: &Path, case: &str, instances: u32, flags: &[&str]) -> (Done, Run) {
    let instances = instances.to_string();
    let mut args = vec!["run", plan.to_str().expect("a plain path"), "--case", case, "--instances", &instances];
    args.extend(flags);
    let before = home.runs().len();
    let done = home.tg(args);
    let mut runs = home.runs();
    assert_eq!(runs.len(), before + 1, "one run more after `{}`:\n{}", done.line, done.stderr);
    // Ids sort by time, so that the last one is the new one.
    let run = runs.pop().expect("a run");
    (done, run)
}

/// Runs every row in one home, so that the plan is built once, and compares.
pub(crate) fn check(home: &Home, plan: &Path, rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows {
        let (done, run) = run_case(home, plan, row.case, row.instances, row.params);
        let (code, verdict) = if row.outcome == Outcome::Ok { (0, Verdict::Passed) } else { (10, Verdict::Failed) };
        let mut problem = |text: String| wrong.push(format!("case `{}`: {text}", row.case));
        if done.code() != code {
            problem(format!("exit code {}, not {code}\n{}{}", done.code(), done.stdout, done.stderr));
        }
        if run.file.verdict != verdict {
            problem(format!("verdict {}, not {verdict}", run.file.verdict));
        }
        let ends = run.ends();
        if ends.len() != row.instances as usize {
            problem(format!("{} ends of {} instances", ends.len(), row.instances));
        }
        for (instance, end) in ends {
            if end.outcome != row.outcome || !end.reason.contains(row.reason) {
                problem(format!(
                    "{instance} is {} ({}), not {} ({}): {:?}",
                    end.outcome, end.reason, row.outcome, row.reason, end.evidence
                ));
            }
        }
        let told: u32 = run.file.tally.values().filter_map(|outcomes| outcomes.get(&row.outcome)).sum();
        if told != row.instances {
            problem(format!("run.json tells of {told} {}", row.outcome));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
