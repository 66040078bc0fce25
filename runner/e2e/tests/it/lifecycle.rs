//! Runs that are stopped, killed, late, or not alone.

use nix::sys::signal::Signal;
use tg_e2e::{Home, Pipe, Run, Running, plan};
use tg_model::event::{CancelReason, EventKind};
use tg_model::outcome::{Outcome, Verdict};

/// A composition for a case of the plan `shell`.
fn composition(home: &Home, name: &str, case: &str, count: u32, pipe: &Pipe, global: &str) -> String {
    let text = format!(
        r#"
[global]
plan = "{plan}"
case = "{case}"
builder = "exec:generic"
runner = "local:exec"
{global}

[global.run.test_params]
pipe = "{pipe}"

[[groups]]
id = "single"
instances = {{ count = {count} }}
"#,
        plan = plan("shell").display(),
        pipe = pipe.param().trim_start_matches("pipe="),
    );
    home.file(&format!("{name}.toml"), &text).to_str().expect("a plain path").to_owned()
}

fn start(home: &Home, case: &str, count: u32, global: &str) -> (Running, Pipe) {
    let pipe = Pipe::new(&home.path().with_file_name("pipe"));
    let composition = composition(home, "composition", case, count, &pipe, global);
    let running = home.start(["run", &composition]);
    pipe.wait_for(count as usize);
    (running, pipe)
}

fn outcomes(run: &Run) -> Vec<Outcome> {
    run.ends().into_values().map(|end| end.outcome).collect()
}

fn reasons(run: &Run) -> Vec<CancelReason> {
    let reason = |kind: &EventKind| match kind {
        EventKind::CancelBegan { reason } => Some(*reason),
        _ => None,
    };
    run.events.iter().filter_map(|event| reason(&event.kind)).collect()
}

#[test]
fn an_interrupt_asks_and_every_instance_still_gets_its_outcome() {
    let home = Home::new();
    let (running, pipe) = start(&home, "hang", 4, "");
    running.signal(Signal::SIGINT);
    let done = running.wait();
    done.expect(11);
    pipe.wait_for_end();
    let run = home.run();
    assert_eq!(outcomes(&run), [Outcome::Cancelled; 4]);
    assert_eq!(run.file.verdict, Verdict::Cancelled);
    assert_eq!(reasons(&run), [CancelReason::Signal]);
    for instance in run.ends().keys() {
        let notes = run.notes(instance);
        assert!(notes.iter().all(|(reason, _)| reason != "ignored-sigterm"), "{instance} was not asked: {notes:?}");
    }
    assert!(matches!(run.events.last().map(|event| &event.kind), Some(EventKind::RunFinished { .. })));
}

#[test]
fn a_second_interrupt_kills_what_ignores_the_first() {
    let home = Home::new();
    let (running, pipe) = start(&home, "ignore-term", 2, "");
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGTERM);
    running.wait().expect(11);
    pipe.wait_for_end();
    assert_eq!(outcomes(&home.run()), [Outcome::Cancelled; 2]);
}

#[test]
fn what_was_told_before_a_cancel_still_counts() {
    let home = Home::new();
    let (running, _pipe) = start(&home, "told-then-hang", 1, "");
    running.signal(Signal::SIGINT);
    running.wait().expect(11);
    assert_eq!(outcomes(&home.run()), [Outcome::Failed]);
}

#[test]
fn a_deadline_ends_a_run_even_if_sigterm_is_ignored() {
    let home = Home::new();
    let (running, pipe) = start(&home, "ignore-term", 2, "deadline = \"2s\"");
    running.wait().expect(12);
    pipe.wait_for_end();
    let run = home.run();
    assert_eq!(outcomes(&run), [Outcome::TimedOut; 2]);
    assert_eq!(reasons(&run), [CancelReason::Deadline]);
}

#[test]
fn when_tg_is_killed_its_instances_die_with_it() {
    let home = Home::new();
    let (running, pipe) = start(&home, "ignore-term", 6, "");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code(), -1);
    pipe.wait_for_end();
    // What is left can be looked at: the run has no end, and nothing pretends that it has.
    let run = home.run();
    assert_eq!(run.file.verdict, Verdict::Unknown);
    assert_eq!(run.file.ended_ns, None);
    home.tg(["runs", "list"]).expect(0);
}

#[test]
fn a_child_that_outlives_its_instance_ends_with_the_run() {
    let home = Home::new();
    let (running, pipe) = start(&home, "orphan", 2, "");
    running.wait().expect(0);
    pipe.wait_for_end();
    assert_eq!(outcomes(&home.run()), [Outcome::Ok; 2]);
}

#[test]
fn two_runs_at_once_do_not_see_each_other() {
    let home = Home::new();
    let (first, second) = (home.path().with_file_name("one"), home.path().with_file_name("two"));
    let (first, second) = (Pipe::new(&first), Pipe::new(&second));
    let one = home.start(["run", &composition(&home, "one-run", "hang", 3, &first, "")]);
    let two = home.start(["run", &composition(&home, "two-run", "hang", 3, &second, "")]);
    first.wait_for(3);
    second.wait_for(3);
    one.signal(Signal::SIGINT);
    one.wait().expect(11);
    first.wait_for_end();
    assert_eq!(home.runs().iter().filter(|run| run.file.ended_ns.is_none()).count(), 1, "the other one goes on");
    two.signal(Signal::SIGINT);
    two.wait().expect(11);
    second.wait_for_end();
    assert_eq!(home.runs().len(), 2);
}
