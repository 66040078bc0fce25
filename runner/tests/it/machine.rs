//! What the machine can refuse, and what becomes of a run when tg dies.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tg_model::Exit;
use tg_model::event::{CancelReason, EventKind};
use tg_model::outcome::{Outcome, Verdict};
use tg_runner::{Artifacts, BuildOptions, Keeper, RunError, build_all, execute};
use tokio::sync::mpsc;

use crate::harness::{Bench, group};

async fn built(bench: &Bench) -> Artifacts {
    let specs = std::slice::from_ref(&bench.spec);
    let (to, mut from) = mpsc::channel(8);
    let options = BuildOptions::new(bench.home.path(), specs);
    let build = async {
        let to = to;
        build_all(specs, &options, &to, &bench.cancel).await
    };
    tokio::join!(build, async { while from.recv().await.is_some() {} }).0.expect("it builds")
}

async fn refused(bench: &Bench) -> RunError {
    let artifacts = built(bench).await;
    let (to, _from) = mpsc::channel(8);
    execute(&bench.spec, &artifacts, bench.options.clone(), to, bench.cancel.clone()).await.expect_err("refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_is_a_file_is_one_clear_error() {
    let mut bench = Bench::sh("ok");
    let file = bench.home.path().join("file");
    std::fs::write(&file, "").expect("written");
    bench.options.home.clone_from(&file);
    let error = refused(&bench).await;
    assert_eq!(error.exit(), Exit::Environment);
    assert_eq!(error.to_string(), format!("cannot write `{}/runs`", file.display()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_takes_no_files_is_one_clear_error_with_a_hint() {
    let mut bench = Bench::sh("ok");
    // Nobody can make a folder there, root included.
    bench.options.home = "/sys/tg".into();
    let error = refused(&bench).await;
    assert_eq!(error.exit(), Exit::Environment);
    assert_eq!(error.to_string(), "cannot write `/sys/tg/runs`");
    assert!(error.hint().expect("a hint").contains("TG_HOME"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_cannot_be_used_twice() {
    let bench = Bench::sh("ok");
    assert!(bench.run().await.passed());
    assert_eq!(refused(&bench).await.exit(), Exit::Fault);
    let file = tg_model::layout::run_dir(bench.home.path(), &bench.options.run).join("run.json");
    assert!(std::fs::read_to_string(file).expect("still there").contains("\"passed\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_goes_away_cancels_the_run_which_still_ends_well() {
    let bench = Bench::new(vec![group("a", 3, "exec sleep 600")]);
    let artifacts = built(&bench).await;
    let (to, mut from) = mpsc::channel(1);
    let run = execute(&bench.spec, &artifacts, bench.options.clone(), to, bench.cancel.clone());
    let (file, ()) = tokio::join!(run, async move {
        from.recv().await;
    });
    let file = file.expect("it ends well");
    assert_eq!(file.verdict, Verdict::Cancelled);
    let dir = tg_model::layout::run_dir(bench.home.path(), &bench.options.run);
    let log = std::fs::read_to_string(dir.join("events.ndjson")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.contains("instance_finished")).count(), 3);
    assert!(log.lines().last().expect("a line").contains("run_finished"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_cancelled_before_starts_nothing() {
    let bench = Bench::new(vec![group("a", 3, "ok")]);
    let artifacts = built(&bench).await;
    bench.cancel.ask(CancelReason::Signal);
    let (to, mut from) = mpsc::channel(64);
    let run = execute(&bench.spec, &artifacts, bench.options.clone(), to, bench.cancel.clone());
    let mut finished = 0;
    let (file, ()) = tokio::join!(run, async {
        while let Some(event) = from.recv().await {
            if let EventKind::InstanceFinished { outcome, .. } = event.kind {
                assert_eq!(outcome, Outcome::NotStarted);
                finished += 1;
            }
        }
    });
    assert_eq!((file.expect("it ends well").verdict, finished), (Verdict::Cancelled, 3));
}

/// Says that this process is to be the keeper.
const KEEPER: &str = "TG_TEST_KEEPER";
/// Says that this process is to be a tg that runs instances, and what they shall do.
const VICTIM: &str = "TG_TEST_VICTIM";

fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command
}

/// Not a test by itself: the process that the runs of these tests have as their keeper.
#[test]
fn keeper_process() {
    if std::env::var_os(KEEPER).is_some() {
        tg_runner::keeper::keep(std::io::stdin().lock()).expect("it keeps");
    }
}

/// Not a test by itself: a process that runs instances until it is killed.
#[expect(clippy::print_stderr, reason = "its parent waits for a line")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim_process() {
    let Some(script) = std::env::var_os(VICTIM) else { return };
    let mut bench = Bench::new(vec![group("a", 3, script.to_str().expect("a text"))]);
    let keeper = this_test("machine::keeper_process");
    bench.options.keeper = Some(Keeper {
        command: std::iter::once(keeper.get_program()).chain(keeper.get_args()).map(ToOwned::to_owned).collect(),
        env: vec![(KEEPER.into(), "1".into())],
    });
    let mut said = 0;
    bench
        .run_watched(|event| {
            said += usize::from(matches!(event.kind, EventKind::InstanceSaid { .. }));
            if said == 3 {
                // The parent waits for this line.
                eprintln!("all up in {}", bench.home.path().display());
            }
        })
        .await;
}

#[test]
fn instances_die_with_a_tg_that_is_killed() {
    let scratch = tempfile::tempdir().expect("a folder");
    let pids = scratch.path().join("pids");
    // A shell with a child, and a child in a session of its own.
    let script = format!(
        "setsid sh -c 'echo $$ >>{pids}; exec sleep 600' & sleep 600 & echo $! $$ >>{pids}; until [ $(wc -w <{pids}) -ge 9 ]; do sleep 0.01; done; ok; wait",
        pids = pids.display()
    );
    let mut victim = this_test("machine::victim_process")
        .env(VICTIM, script)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(victim.stderr.take().expect("piped")).lines();
    let home = lines
        .map(|line| line.expect("a line"))
        .find_map(|line| line.strip_prefix("all up in ").map(str::to_owned))
        .expect("it comes up");
    victim.kill().expect("killed");
    victim.wait().expect("reaped");
    let text = std::fs::read_to_string(&pids).expect("they wrote them");
    let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
    assert_eq!(pids.len(), 9);
    let alive = |pid: &i32| {
        // A zombie that nobody has reaped yet is dead.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    // The keeper needs a moment; the test ends in failure only if it never comes.
    let gone = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        !pids.iter().any(alive)
    });
    assert!(gone, "{:?} live on", pids.iter().filter(|pid| alive(pid)).collect::<Vec<_>>());
    std::fs::remove_dir_all(home).expect("removed");
}
