//! What tg itself costs for each instance of a run.
//!
//! `exit`: 500 instances that exit at once; processor time of this process alone (the instances' own is their
//! children's) and wall time, beside a bare loop that starts and awaits the same processes as many at a time.
//! `quiet`: 500 instances that sleep; resident memory of this process with all of them up, less that before.
//!
//! `cargo bench -p tg-runner --bench run [-- INSTANCES]`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tg_model::event::{CancelReason, EventKind};
use tg_model::outcome::Expect;
use tg_model::spec::{BuildSpec, GroupSpec, Resources, RunSpec};
use tg_model::{RunEvent, RunId};
use tg_runner::{Artifacts, BuildOptions, Cancel, RunOptions, build_all, execute};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

fn spec(dir: &Path, instances: u32, command: &[&str]) -> RunSpec {
    let command = command.iter().map(|word| toml::Value::String((*word).to_owned())).collect();
    let config = [("command".to_owned(), toml::Value::Array(command))].into_iter().collect();
    let build = BuildSpec {
        builder: "exec:generic".to_owned(),
        config,
        selectors: Vec::new(),
        dependencies: Vec::new(),
        extra_sources: Vec::new(),
    };
    let group = GroupSpec {
        name: "single".parse().expect("a group name"),
        count: instances,
        params: BTreeMap::new(),
        build,
        artifact: None,
        profiles: BTreeMap::new(),
        resources: Resources::default(),
        expect: Expect::Anything,
    };
    RunSpec {
        plan: "bench".to_owned(),
        plan_dir: dir.to_owned(),
        case: "run".to_owned(),
        backend: "local:exec".to_owned(),
        run_config: toml::Table::new(),
        seed: 1,
        groups: vec![group],
        faults: Vec::new(),
        network: None,
        disable_metrics: true,
        concurrent_builds: 0,
        deadline: None,
        composition: None,
        config: BTreeMap::new(),
        repeat: 0,
        repeats: 1,
    }
}

async fn drain(mut from: mpsc::Receiver<RunEvent>, mut each: impl FnMut(&RunEvent)) {
    while let Some(event) = from.recv().await {
        each(&event);
    }
}

async fn run(home: &Path, name: &str, spec: &RunSpec, cancel: &Cancel, each: impl FnMut(&RunEvent)) {
    let specs = std::slice::from_ref(spec);
    let (to, from) = mpsc::channel(64);
    let options = BuildOptions::new(home, specs);
    let building = async {
        let to = to;
        build_all(specs, &options, &to, cancel).await
    };
    let (artifacts, ()) = tokio::join!(building, drain(from, |_| {}));
    let artifacts: Artifacts = artifacts.expect("it builds");
    let run: RunId = name.parse().expect("an id");
    let (to, from) = mpsc::channel(64);
    let (file, ()) =
        tokio::join!(execute(spec, &artifacts, RunOptions::new(home, run), to, cancel.clone()), drain(from, each));
    file.expect("it runs");
}

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("Linux knows");
    let time = |value: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(value.tv_sec() * 1_000_000 + value.tv_usec()).unwrap_or_default())
    };
    time(usage.user_time()) + time(usage.system_time())
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

fn report(what: &str, instances: u32, wall: Duration, cpu: Duration) {
    let each = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(instances);
    println!("{what}: {instances} instances, per instance {:.2} ms wall, {:.2} ms processor", each(wall), each(cpu));
}

/// Starts and awaits the same processes with nothing around them.
async fn bare(instances: u32, at_once: usize) {
    let mut running = JoinSet::new();
    for _ in 0..instances {
        if running.len() >= at_once {
            running.join_next().await;
        }
        let child = tokio::process::Command::new("/bin/true").spawn().expect("it starts");
        running.spawn(async move {
            let mut child = child;
            child.wait().await
        });
    }
    while running.join_next().await.is_some() {}
}

/// Must be measured first: memory that an earlier run has given back would hide what this one takes.
async fn quiet(home: &Path, instances: u32) {
    let before = resident_bytes();
    let cancel = Cancel::new();
    let (mut up, mut with_all) = (0, 0);
    let spec = spec(home, instances, &["/bin/sleep", "3600"]);
    let wall = Instant::now();
    run(home, "quiet", &spec, &cancel, |event| {
        if let EventKind::InstanceStarted { .. } = event.kind {
            up += 1;
            if up == instances {
                with_all = resident_bytes();
                println!("quiet: all {instances} up after {:.2} s", wall.elapsed().as_secs_f64());
                cancel.ask(CancelReason::Signal);
            }
        }
    })
    .await;
    let more = with_all.saturating_sub(before);
    println!(
        "quiet: {:.1} KiB resident per instance ({:.1} MiB before, {:.1} MiB with all)",
        more as f64 / 1024.0 / f64::from(instances),
        before as f64 / 1_048_576.0,
        with_all as f64 / 1_048_576.0
    );
}

async fn measure(instances: u32) {
    let home = tempfile::tempdir().expect("a folder");
    quiet(home.path(), instances).await;
    let at_once = RunOptions::new(home.path(), "x".parse().expect("an id")).max_starting;
    for round in 0..3 {
        let (wall, cpu) = (Instant::now(), processor_time());
        bare(instances, at_once).await;
        report("bare", instances, wall.elapsed(), processor_time().saturating_sub(cpu));
        let (wall, cpu) = (Instant::now(), processor_time());
        let spec = spec(home.path(), instances, &["/bin/true"]);
        run(home.path(), &format!("exit-{round}"), &spec, &Cancel::new(), |_| {}).await;
        report("exit", instances, wall.elapsed(), processor_time().saturating_sub(cpu));
    }
}

fn main() {
    // cargo adds `--bench`.
    let instances = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(500);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(instances));
}
