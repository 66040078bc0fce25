//! What an instance can do, good and bad, and what becomes of it. Every row is a real process.

use std::time::Duration;

use tg_model::event::{CancelReason, EventKind};
use tg_model::outcome::{Expect, Outcome, Verdict};

use crate::harness::{Bench, group};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_end_gives_its_outcome_and_its_notes() {
    // Script, outcome, notes.
    let rows: &[(&str, Outcome, &[&str])] = &[
        ("ok", Outcome::Ok, &[]),
        ("ok; ok", Outcome::Ok, &[]),
        (":", Outcome::Incomplete, &[]),
        ("exit 3", Outcome::Failed, &[]),
        ("ok; exit 3", Outcome::Failed, &[]),
        (r#"echo '{"event":{"failure_event":{"group":"single","error":"no"}}}'"#, Outcome::Failed, &[]),
        (r#"ok; echo '{"event":{"crash_event":{"groups":"single","error":"no"}}}'"#, Outcome::Crashed, &[]),
        ("echo 'panic: boom' >&2; exit 2", Outcome::Crashed, &[]),
        ("kill -SEGV $$", Outcome::Crashed, &[]),
        ("kill -KILL $$", Outcome::Killed, &[]),
        (r#"echo '{"event":{"success_event":{"group":"other"}}}'"#, Outcome::Incomplete, &["wrong-group"]),
        (r#"echo '{"event":{"failure_event":{"group":"other"}}}'"#, Outcome::Failed, &["wrong-group"]),
        (r#"echo '{"event":{"dance_event":{}}}'; ok"#, Outcome::Ok, &["unknown-event"]),
        (r#"echo '{"event":{"success_event":7}}'"#, Outcome::Incomplete, &["malformed-event"]),
        (r#"echo '{"event":{"success_event":null}}'; ok"#, Outcome::Ok, &["malformed-event"]),
        (r"printf '\377\376\n'; ok", Outcome::Ok, &["invalid-utf8"]),
        ("ok; printf 'half a li'", Outcome::Ok, &["half-line"]),
        (r#"printf '{"event":{"success_ev'"#, Outcome::Incomplete, &["half-line"]),
        ("head -c 2000000 /dev/zero | tr '\\0' x; echo; ok", Outcome::Ok, &["long-line"]),
        ("rm -rf \"$TEST_OUTPUTS_PATH\"; ok", Outcome::Ok, &["outputs-deleted"]),
        ("ok; exec >&-; exec sleep 0.2", Outcome::Ok, &["closed-stdout"]),
        ("ok; exec >&- 2>&-; exec sleep 0.2", Outcome::Ok, &["closed-stdout"]),
        ("sleep 600 & ok", Outcome::Ok, &["left-processes"]),
        (
            "setsid sh -c 'echo >up; exec sleep 600' & until [ -e up ]; do sleep 0.01; done; ok",
            Outcome::Ok,
            &["pipe-held", "left-processes"],
        ),
        ("rm -rf \"$TEST_TEMP_PATH\" \"$PWD\"; ok", Outcome::Ok, &[]),
    ];
    for (script, outcome, notes) in rows {
        let bench = Bench::sh(script);
        let ran = bench.run().await;
        assert_eq!(ran.outcome().0, *outcome, "{script}: {}", ran.outcome().1);
        assert_eq!(ran.notes(), *notes, "{script}");
        assert_eq!(ran.passed(), *outcome == Outcome::Ok, "{script}");
        assert!(ran.dir.join("outputs/single/0").is_dir(), "{script}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_started_says_why() {
    let mut bench = Bench::sh("ok");
    let program = bench.home.path().join("plan");
    std::fs::write(&program, "#!/no/such/interpreter\n").expect("written");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    bench.spec.groups[0].artifact = Some("plan".to_owned());
    let ran = bench.run().await;
    let (outcome, reason) = ran.outcome();
    assert_eq!(outcome, Outcome::NotStarted);
    assert!(reason.starts_with("cannot start `") && reason.contains("No such file"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_goes_to_the_log_whole_and_hides_nothing() {
    const BYTES: usize = 64 << 20;
    let script = format!("ok; yes 0123456789abcde | head -c {BYTES}; yes err | head -c {BYTES} >&2");
    let bench = Bench::sh(&script);
    let ran = bench.run().await;
    assert_eq!(ran.outcome().0, Outcome::Ok);
    let out = ran.log("stdout.log");
    assert!(out.len() > BYTES && out.ends_with(b"0123456789abcde\n"), "{}", out.len());
    assert_eq!(ran.log("stderr.log").len(), BYTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_gets_the_environment_of_the_contract_and_nothing_else() {
    let mut bench = Bench::sh(
        "env | sort > \"$TEST_OUTPUTS_PATH/env\"; pwd > \"$TEST_OUTPUTS_PATH/cwd\"; touch \"$TEST_TEMP_PATH/x\" here; ok",
    );
    bench.spec.groups[0].params = [("b", "2"), ("a", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let ran = bench.run().await;
    assert!(ran.passed());
    let outputs = ran.dir.join("outputs/single/0");
    let env = std::fs::read_to_string(outputs.join("env")).expect("it wrote it");
    let names: Vec<&str> = env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let wanted = "HOSTNAME INFLUXDB_URL PATH PWD REDIS_HOST SYNC_SERVICE_HOST TEST_BRANCH TEST_CAPTURE_PROFILES TEST_CASE \
        TEST_DISABLE_METRICS TEST_GROUP_ID TEST_GROUP_INSTANCE_COUNT TEST_INSTANCE_COUNT TEST_INSTANCE_PARAMS \
        TEST_INSTANCE_ROLE TEST_OUTPUTS_PATH TEST_PLAN TEST_REPO TEST_RUN TEST_SIDECAR TEST_START_TIME TEST_SUBNET TEST_TAG \
        TEST_TEMP_PATH TG_INSTANCE_INDEX TG_SEED";
    // The shell itself adds PWD, and some shells more of the kind.
    let names: Vec<&str> = names.into_iter().filter(|name| !matches!(*name, "_" | "SHLVL" | "OLDPWD")).collect();
    assert_eq!(names.join(" "), wanted);
    for line in
        ["TEST_INSTANCE_PARAMS=a=1|b=2", "TEST_SIDECAR=false", "TEST_SUBNET=127.1.0.0/16", "TEST_GROUP_ID=single"]
    {
        assert!(env.lines().any(|found| found == line), "{line} in {env}");
    }
    let temp = env.lines().find_map(|line| line.strip_prefix("TEST_TEMP_PATH=")).expect("set");
    let cwd = std::fs::read_to_string(outputs.join("cwd")).expect("it wrote it");
    assert!(
        !std::path::Path::new(temp).exists() && !std::path::Path::new(cwd.trim()).exists(),
        "removed after the run"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expectations_make_the_verdict() {
    let mut bench =
        Bench::new(vec![group("good", 2, "ok"), group("three", 1, "exit 3"), group("dead", 1, "kill -9 $$")]);
    bench.spec.groups[1].expect = Expect::Exit(3);
    bench.spec.groups[2].expect = Expect::Killed;
    let ran = bench.run().await;
    assert!(ran.passed());
    assert_eq!(ran.file.tally[&"good".parse().expect("a name")][&Outcome::Ok], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_cancel_asks_and_who_does_not_listen_is_killed() {
    let bench = Bench::new(vec![
        group("polite", 1, "trap 'exit 0' TERM; ok; while :; do sleep 0.05; done"),
        group("deaf", 1, "trap '' TERM; ok; while :; do sleep 0.05; done"),
    ]);
    let started = std::cell::Cell::new(0);
    let ran = bench
        .run_watched(|event| {
            // Having said something it has set its trap.
            if let EventKind::InstanceSaid { .. } = event.kind {
                started.set(started.get() + 1);
                if started.get() == 2 {
                    bench.cancel.ask(CancelReason::Signal);
                }
            }
        })
        .await;
    assert_eq!(ran.file.verdict, Verdict::Cancelled);
    assert!(ran.finished().all(|(_, outcome, ..)| outcome == Outcome::Cancelled));
    assert!(ran.notes().contains(&"ignored-sigterm"), "{:?}", ran.notes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_cancel_kills_at_once() {
    let mut bench = Bench::new(vec![group("deaf", 2, "trap '' TERM; sleep 600")]);
    bench.options.grace = Duration::from_mins(10);
    let ran = bench
        .run_watched(|event| match event.kind {
            EventKind::InstanceStarted { .. } | EventKind::CancelBegan { reason: CancelReason::Signal } => {
                bench.cancel.ask(CancelReason::Signal);
            }
            _ => {}
        })
        .await;
    assert_eq!(ran.file.verdict, Verdict::Cancelled);
    assert!(ran.events.iter().any(|event| event.kind == EventKind::CancelBegan { reason: CancelReason::SecondSignal }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_ends_what_still_runs() {
    let mut bench = Bench::new(vec![group("quick", 1, "ok"), group("slow", 1, "sleep 600")]);
    bench.options.deadline = Some(Duration::from_millis(300));
    let ran = bench.run().await;
    assert_eq!(ran.file.verdict, Verdict::Failed);
    let mut outcomes: Vec<_> = ran.finished().map(|(id, outcome, ..)| (id, outcome)).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [("quick/0".to_owned(), Outcome::Ok), ("slow/0".to_owned(), Outcome::TimedOut)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_took_no_less_than_it_measured_itself() {
    let script = r#"from=$(date +%s%N); ok; echo "$(($(date +%s%N) - from))" >"$TEST_OUTPUTS_PATH/took""#;
    let bench = Bench::new(vec![group("single", 8, script)]);
    let ran = bench.run().await;
    let mut seen = 0;
    for event in &ran.events {
        if let EventKind::InstanceFinished { instance, elapsed_ns, .. } = &event.kind {
            let path = tg_model::layout::outputs_dir(&ran.dir, instance).join("took");
            let own_ns: u64 = std::fs::read_to_string(path).expect("a file").trim().parse().expect("a number");
            assert!(elapsed_ns.is_some_and(|ns| ns >= own_ns), "{instance}: {elapsed_ns:?}, by itself {own_ns}");
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}
