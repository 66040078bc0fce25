//! Whole plan processes: this test program starts itself again as an instance.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tg_sdk::{Direction, Env, Link, LookupStart, LookupStatus, PeerFacts, Plan, RoutingEntry};

use crate::server::{Manner, Service};

/// Runs the plan below if this process was started as an instance, and never returns then.
#[test]
#[expect(clippy::exit, reason = "a test's own exit code would hide that of the plan")]
fn instance() {
    if std::env::var_os("TG_SDK_TEST_INSTANCE").is_none() {
        // Without an environment the plan has to refuse; this is the only path of the ordinary test run.
        let code = runtime().block_on(plan().run());
        assert_eq!(code, std::process::ExitCode::from(2));
        return;
    }
    let code = runtime().block_on(plan().run());
    let codes = [0, 1, 2, 101].into_iter().find(|&n| code == std::process::ExitCode::from(n));
    std::process::exit(codes.map_or(99, i32::from));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn plan() -> Plan {
    Plan::new()
        .case("good", good)
        .case("bad", |_| async { Err::<(), _>(std::io::Error::other("no luck")) })
        .case("panics", panics)
        .case("task-panics", task_panics)
        .case("unwinds", unwinds)
        .case("full-disk", full_disk)
        .case("shapes-network", crate::network::shapes)
        .solo_case("solo", solo)
        .solo_case("records", records)
        .solo_case("writes-on", crate::kill::writes_on)
}

async fn panics(_: Env) -> tg_sdk::Result {
    let nothing: Option<u32> = None;
    assert!(nothing.is_some(), "it was none");
    Ok(())
}

async fn unwinds(_: Env) -> tg_sdk::Result {
    std::panic::resume_unwind(Box::new("past the hook"))
}

async fn solo(env: Env) -> tg_sdk::Result {
    env.message("alone");
    assert!(env.sync().signal("x").await.is_err());
    Ok(())
}

#[derive(serde::Serialize)]
struct Gossip<'a> {
    topic: &'a str,
    hops: u32,
}

async fn records(env: Env) -> tg_sdk::Result {
    env.diagnostics().counter("late").inc(1);
    env.me(&PeerFacts {
        peer: "alice",
        role: Some("server"),
        dialable: Some(true),
        kad: None,
        addrs: &["/ip4/127.0.0.1"],
    });
    env.peer(&PeerFacts { peer: "bob", ..PeerFacts::default() });
    let lookup =
        env.lookup(&LookupStart { op: "find_peer", target: "carol", round: Some(2), ..LookupStart::default() });
    lookup.dial("bob");
    lookup.dial_error("bob", "refused");
    lookup.send("bob");
    lookup.receive("bob", Duration::from_millis(12), &["carol"]);
    lookup.error("dan", "late");
    lookup.adding("carol", Some("bob"));
    lookup.result(Some("carol"), None);
    lookup.end(LookupStatus::Done, &["carol", "bob"]);
    env.lookup(&LookupStart { op: "get", target: "key", ..LookupStart::default() }).fail("nobody");
    let link = Link { local: "alice", remote: "bob", dir: Direction::Out, transport: Some("tcp"), ..Link::default() };
    env.connection(&link).close(Some("done"));
    let entry = RoutingEntry { peer: "bob".to_owned(), bucket: Some(0), added_ts: None, last_useful_ts: None };
    env.routing_table("end", "alice", vec![entry]);
    env.table("gossip")?.row_now(&Gossip { topic: "news", hops: 2 })?;
    let plain = env.table("plain")?;
    plain.row(&Gossip { topic: "olds", hops: 9 })?;
    assert!(plain.row(&7).is_err() && plain.row_now(&serde_json::json!({"ts": 1})).is_err());
    assert!(env.table("../x").is_err() && env.table("X").is_err());
    env.asset("notes.txt")?.write_all(b"as it is")?;
    assert!(env.asset("notes.txt").is_err(), "it is there already");
    assert!(env.asset("run.out").is_err());
    Ok(())
}

async fn good(env: Env) -> tg_sdk::Result {
    let rounds = env.params(|p| p.get::<u32>("rounds"))?;
    let stage = env.stage("work");
    env.wait_for_all("ready").await?;
    env.message(format_args!("{rounds} rounds as {}, seed {}", env.name(), env.seed()));
    stage.end();
    Ok(())
}

async fn task_panics(env: Env) -> tg_sdk::Result {
    let task = tokio::spawn(async { panic!("in a task") });
    // Nobody looks at the task, and the barrier is never reached.
    env.sync().barrier("never", 99u32).await?;
    task.await?;
    Ok(())
}

async fn full_disk(env: Env) -> tg_sdk::Result {
    env.message("this line has nowhere to go");
    Ok(())
}

/// An instance that is about to start.
pub(crate) fn command(case: &str, outputs: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "process::instance", "--nocapture", "--quiet"])
        .env_clear()
        .env("TG_SDK_TEST_INSTANCE", "1")
        .env("TEST_PLAN", "p")
        .env("TEST_CASE", case)
        .env("TEST_RUN", "r")
        .env("TEST_GROUP_ID", "g")
        .env("TEST_INSTANCE_COUNT", "1")
        .env("TEST_GROUP_INSTANCE_COUNT", "1")
        .env("TEST_INSTANCE_PARAMS", "rounds=3")
        .env("TEST_OUTPUTS_PATH", outputs)
        .env("TG_SEED", "42")
        .env("TG_INSTANCE_INDEX", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Starts an instance and waits for its end.
pub(crate) async fn start(service: Option<&Service>, case: &str, outputs: &Path) -> Output {
    let mut command = command(case, outputs);
    if let Some(service) = service {
        command.env("SYNC_SERVICE_HOST", service.addr.ip().to_string());
        command.env("SYNC_SERVICE_PORT", service.addr.port().to_string());
    }
    command.output().await.expect("it runs")
}

/// The events in a text, each as its kind and its content.
pub(crate) fn events(text: &str) -> Vec<(String, Value)> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| {
            let (kind, content) = line["event"].as_object()?.iter().next()?;
            Some((kind.clone(), content.clone()))
        })
        .collect()
}

fn kinds(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test]
async fn every_ending_has_its_events_and_its_exit_code() {
    for (case, code, expected, published) in [
        (
            "good",
            0,
            &["start_event", "stage_start_event", "message_event", "stage_end_event", "success_event"][..],
            &["stage_start_event", "stage_end_event", "success_event"][..],
        ),
        ("bad", 1, &["start_event", "failure_event"], &["failure_event"]),
        ("panics", 101, &["start_event", "crash_event"], &["crash_event"]),
        ("task-panics", 101, &["start_event", "crash_event"], &["crash_event"]),
        ("unwinds", 1, &["start_event", "failure_event"], &["failure_event"]),
        ("unknown", 1, &["start_event", "failure_event"], &[]),
    ] {
        let service = Service::start(Manner::Good).await;
        let dir = tempfile::tempdir().expect("a folder");
        let output = start(Some(&service), case, dir.path()).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{case}: {stderr}");
        let stdout = events(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(kinds(&stdout), expected, "{case}");
        let file = std::fs::read_to_string(dir.path().join("run.out")).expect("run.out");
        assert_eq!(events(&file), stdout, "{case}: the same on stdout and in the file");
        let topic = service.topic("run:r:plan:p:case:c:run_events".replace(":c:", &format!(":{case}:")).as_str());
        let topic: Vec<_> = topic.iter().map(|item| item.as_object().and_then(|o| o.keys().next().cloned())).collect();
        let topic: Vec<_> = topic.iter().flatten().map(String::as_str).collect();
        assert_eq!(topic, published, "{case}");
        let last = &stdout.last().expect("an event").1;
        match case {
            "good" => assert_eq!(stdout[2].1["message"], "3 rounds as g/0, seed 42"),
            "bad" => assert_eq!(last["error"], "no luck"),
            "unwinds" => assert_eq!(last["error"], "the case was unwound without a panic"),
            "panics" => assert!(last["error"].as_str().expect("text").starts_with("it was none (at "), "{last}"),
            "task-panics" => {
                assert!(last["error"].as_str().expect("text").starts_with("in a task (at sdk/tests"), "{last}");
                assert!(last["stacktrace"].as_str().expect("text").contains("task_panics"), "{last}");
            }
            _ => assert_eq!(
                last["error"],
                "this plan has no case `unknown`; it has `bad`, `full-disk`, `good`, `panics`, `records`, `shapes-network`, `solo`, `task-panics`, `unwinds`, `writes-on`"
            ),
        }
    }
}

#[tokio::test]
async fn a_solo_case_needs_no_service() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = start(None, "solo", dir.path()).await;
    assert_eq!(output.status.code(), Some(0));
    let seen = events(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(kinds(&seen), ["start_event", "message_event", "success_event"]);
}

#[tokio::test]
async fn an_instance_that_cannot_write_its_lines_fails() {
    let service = Service::start(Manner::Good).await;
    let dir = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/full", dir.path().join("run.out")).expect("a link");
    let output = start(Some(&service), "full-disk", dir.path()).await;
    assert_eq!(output.status.code(), Some(1));
    let seen = events(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(kinds(&seen), ["start_event", "message_event", "failure_event"]);
    let error = seen[2].1["error"].as_str().expect("text");
    assert!(error.starts_with("2 lines could not be written, the first of them to `run.out`: No space"), "{error}");
}

#[tokio::test]
async fn an_instance_without_a_place_for_its_outputs_says_so() {
    let output = start(None, "solo", Path::new("/no/such/folder")).await;
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("`TEST_OUTPUTS_PATH` is no folder: `/no/such/folder`"), "{stderr}");
}
