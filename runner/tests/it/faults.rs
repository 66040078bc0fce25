//! Faults on schedule, on plain processes.

use std::time::Duration;

use tg_model::event::EventKind;
use tg_model::fault::{Action, Fault, Selection, Sides, Trigger, Who};
use tg_model::outcome::{Outcome, Stopped, Verdict};
use tg_model::{At, Exit};
use tg_runner::{Artifacts, Cancel, execute};
use tokio::sync::mpsc;

use crate::harness::{Bench, group};

/// Tells that stage `up` is over.
const UP: &str = r#"echo '{"event":{"stage_end_event":{"name":"up","group":"a"}}}'; "#;

fn fault(trigger: Trigger, action: Action, lasts: Option<Duration>) -> Fault {
    Fault { line: None, trigger, delay: Duration::ZERO, lasts, action }
}

fn up() -> Trigger {
    Trigger::Stage("up".to_owned())
}

fn all_of(group: &str) -> Selection {
    Selection { of: vec![At::nowhere(Who::Group(group.to_owned()))], size: None }
}

#[tokio::test]
async fn those_that_are_drawn_are_killed_as_expected() {
    let mut bench = Bench::new(vec![group("a", 6, &format!("{UP} exec sleep 1000")), group("b", 1, "ok")]);
    let third = Selection { size: Some(tg_model::composition::Size::Share(0.34)), ..all_of("a") };
    bench.spec.faults =
        vec![fault(Trigger::Start, Action::Kill(third), None), fault(up(), Action::Kill(all_of("a")), None)];
    let ran = bench.run_watched(|_| {}).await;
    assert_eq!(ran.file.verdict, Verdict::Passed);
    let mut hit = Vec::new();
    for event in &ran.events {
        match &event.kind {
            EventKind::FaultBegan { action, hit: of, .. } => {
                assert_eq!(action, "kill");
                hit.push(of.len());
            }
            EventKind::InstanceFinished { instance, outcome, as_expected, evidence, .. } => {
                let wanted = if instance.group.as_str() == "a" { Outcome::Killed } else { Outcome::Ok };
                assert_eq!((*outcome, *as_expected), (wanted, true), "{instance}");
                assert_eq!(evidence.stopped.is_some(), wanted == Outcome::Killed);
                assert!(evidence.stopped.is_none_or(|stopped| stopped == Stopped::Fault));
            }
            _ => {}
        }
    }
    assert_eq!(hit, [2, 4]);
}

#[tokio::test]
async fn what_is_paused_goes_on() {
    // Only a process that is told to go on ends.
    let script = format!("trap 'ok; exit 0' CONT; {UP} while :; do sleep 0.01; done");
    let mut bench = Bench::new(vec![group("a", 2, &script)]);
    bench.spec.faults = vec![fault(up(), Action::Pause(all_of("a")), Some(Duration::from_millis(20)))];
    let ran = bench.run_watched(|_| {}).await;
    assert_eq!(ran.file.verdict, Verdict::Passed);
    let has = |wanted: &dyn Fn(&EventKind) -> bool| ran.events.iter().any(|event| wanted(&event.kind));
    assert!(has(&|kind| matches!(kind, EventKind::FaultBegan { fault: 0, hit, .. } if hit.len() == 2)));
    assert!(has(&|kind| matches!(kind, EventKind::FaultEnded { fault: 0 })));
}

#[tokio::test]
async fn one_that_is_paused_can_be_stopped() {
    let mut bench = Bench::new(vec![group("a", 1, &format!("trap 'exit 3' TERM; {UP} while :; do sleep 0.01; done"))]);
    bench.options.grace = Duration::from_mins(5);
    bench.spec.faults = vec![fault(up(), Action::Pause(all_of("a")), None)];
    let cancel = bench.cancel.clone();
    let ran = bench
        .run_watched(|event| {
            if matches!(event.kind, EventKind::FaultBegan { .. }) {
                cancel.ask(tg_model::event::CancelReason::Signal);
            }
        })
        .await;
    assert_eq!(ran.file.verdict, Verdict::Cancelled);
}

#[tokio::test]
async fn a_fault_that_never_comes_is_noted() {
    let mut bench = Bench::new(vec![group("a", 1, "ok")]);
    bench.spec.faults = vec![fault(Trigger::Barrier("never".to_owned()), Action::Kill(all_of("a")), None)];
    let ran = bench.run_watched(|_| {}).await;
    assert_eq!(ran.file.verdict, Verdict::Passed);
    let noted = ran.events.iter().any(|event| {
        matches!(&event.kind, EventKind::RunNote { reason, text } if reason == "fault-not-reached" && text.contains("barrier `never`"))
    });
    assert!(noted);
}

#[tokio::test]
async fn plain_processes_have_no_network_to_break() {
    let mut bench = Bench::new(vec![group("a", 2, "ok")]);
    bench.spec.faults = vec![fault(Trigger::Start, Action::Partition(Sides::Drawn(2)), None)];
    let specs = std::slice::from_ref(&bench.spec);
    let (to, mut from) = mpsc::channel(8);
    let artifacts: Artifacts =
        tg_runner::build_all(specs, &tg_runner::BuildOptions::new(bench.home.path(), specs), &to, &Cancel::new())
            .await
            .expect("it builds");
    from.close();
    let error = execute(&bench.spec, &artifacts, bench.options.clone(), to, Cancel::new()).await.expect_err("no hosts");
    assert_eq!(error.exit(), Exit::Environment);
    assert!(error.to_string().contains("the fault `partition` needs a host"), "{error}");
}

/// Ends well in its second life; in its first it says that it is up, and waits for its end.
const TWO_LIVES: &str = r#"echo life >>$TEST_OUTPUTS_PATH/lives; echo "life $(wc -l <$TEST_OUTPUTS_PATH/lives)"; "#;

fn restarted(rest: &str, lasts: Duration) -> Bench {
    let script =
        format!("{TWO_LIVES} if [ $(wc -l <$TEST_OUTPUTS_PATH/lives) -ge 2 ]; then {rest}; fi; {UP} exec sleep 1000");
    let mut bench = Bench::new(vec![group("single", 1, &script.replace("\"a\"", "\"single\""))]);
    let single = Selection { of: vec![At::nowhere(Who::Group("single".to_owned()))], size: None };
    bench.spec.faults = vec![fault(up(), Action::Restart(single), Some(lasts))];
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_restarted_is_judged_by_the_last_end() {
    for (rest, wanted, verdict) in [
        ("ok; exit 0", Outcome::Ok, Verdict::Passed),
        ("exit 3", Outcome::Failed, Verdict::Failed),
        ("exit 0", Outcome::Incomplete, Verdict::Failed),
        ("kill -9 $$", Outcome::Killed, Verdict::Failed),
    ] {
        let bench = restarted(rest, Duration::from_millis(10));
        let ran = bench.run().await;
        assert_eq!((ran.outcome().0, ran.file.verdict), (wanted, verdict), "{rest}");
        let has = |wanted: &dyn Fn(&EventKind) -> bool| ran.events.iter().any(|event| wanted(&event.kind));
        assert!(has(&|kind| matches!(kind, EventKind::FaultBegan { action, .. } if action == "restart")));
        assert!(has(&|kind| matches!(kind, EventKind::FaultEnded { fault: 0 })));
        // Both lives are in one log and one folder.
        let log = String::from_utf8(ran.log("stdout.log")).expect("text");
        assert!(log.starts_with("life 1\n") && log.contains("life 2\n"), "{log}");
        assert_eq!(ran.notes(), [""; 0], "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_before_a_restart_counts() {
    let told = r#"echo '{"event":{"failure_event":{"group":"single","error":"no"}}}'; "#;
    let mut bench = restarted("ok; exit 0", Duration::ZERO);
    let config = &mut bench.spec.groups[0].build.config;
    let Some(toml::Value::Array(command)) = config.get_mut("command") else { panic!("a command") };
    let script = command[2].as_str().expect("a script").replace("exec sleep", &format!("{told} exec sleep"));
    // Only once it has told it does it say that it is up.
    command[2] = toml::Value::String(
        script
            .replace(&UP.replace("\"a\"", "\"single\""), "")
            .replace("exec sleep", &format!("{} exec sleep", UP.replace("\"a\"", "\"single\""))),
    );
    assert_eq!(bench.run().await.outcome().0, Outcome::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_down_can_be_stopped() {
    let bench = restarted("ok", Duration::from_hours(1));
    let cancel = bench.cancel.clone();
    let ran = bench
        .run_watched(|event| {
            if matches!(event.kind, EventKind::FaultBegan { .. }) {
                cancel.ask(tg_model::event::CancelReason::Signal);
            }
        })
        .await;
    assert_eq!((ran.file.verdict, ran.outcome().0), (Verdict::Cancelled, Outcome::Cancelled));
}
