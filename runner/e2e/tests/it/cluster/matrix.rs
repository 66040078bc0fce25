//! What may happen to a run on Kubernetes, each for real. It takes many minutes: `just cluster` runs it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tg_e2e::{Done, Run, Tool, has, plan};
use tg_model::event::EventKind;
use tg_model::outcome::Outcome;

use super::{Cluster, MACHINE, in_archive, outcomes};

const NAMESPACE: &str = "tg-matrix";

/// `tg run` on the cluster, in the background.
struct Going {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Going {
    /// Reads what it says until it says this.
    fn until(&mut self, text: &str) {
        let mut said = Vec::new();
        let found = self.lines.by_ref().map_while(Result::ok).any(|line| {
            said.push(line.clone());
            line.contains(text)
        });
        assert!(found, "tg never said `{text}`, but:\n{}", said.join("\n"));
    }

    fn end(mut self) -> Option<i32> {
        self.lines.by_ref().map_while(Result::ok).for_each(drop);
        self.process.wait().expect("it ends").code()
    }
}

/// An installation, and how runs begin there.
struct Lab {
    cluster: Cluster,
}

impl Lab {
    fn new() -> Self {
        let cluster = Cluster::new();
        let image = cluster.tg(&["cluster", "image"]).expect(0).stdout.trim().to_owned();
        let more = ["--image", &image, "--pull", "never", "--credentials", "env", "--outputs", "s3://lab/runs"];
        cluster.tg(&[&["cluster", "install", "--namespace", NAMESPACE], &more[..]].concat()).expect(0);
        Self { cluster }
    }

    fn args<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["run"], args, &["--backend", "cluster:k8s", "--collect", "--namespace", NAMESPACE]].concat()
    }

    fn run(&self, args: &[&str]) -> Done {
        self.cluster.tg(&Self::args(args))
    }

    fn start(&self, args: &[&str]) -> Going {
        let args = [&Self::args(args)[..], &["--progress", "lines"]].concat();
        let mut command = self.cluster.inside(&self.cluster.home.command(args));
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("tg starts");
        let lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        Going { process, lines }
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(&[&["-n", NAMESPACE], args].concat())
    }

    /// What an instance wrote, from the archive.
    fn file(&self, run: &Run, path: &str) -> String {
        in_archive(run, &self.cluster.home.path(), path)
    }

    /// Five instances that write before and after a pause of so many seconds.
    fn pause(&self, seconds: &str) -> Going {
        let shell = plan("shell");
        let param = format!("seconds={seconds}");
        let mut going = self.start(&[shell.to_str().expect("UTF-8"), "--case", "pause", "-n", "5", "--param", &param]);
        going.until("5 of 5 instances started");
        going
    }

    /// All five ended well, and nothing that they wrote or said is missing.
    fn whole(&self) -> Run {
        let run = self.cluster.last();
        assert_eq!(outcomes(&run), BTreeMap::from([(Outcome::Ok, 5)]));
        for index in 0..5 {
            assert_eq!(self.file(&run, &format!("single/{index}/before.txt")), "before\n");
            let said = self.file(&run, &format!("single/{index}/stdout.log"));
            assert!(said.starts_with("before the pause\nafter the pause\n"), "{said}");
        }
        run
    }
}

type Case = fn(&Lab);

#[test]
#[ignore = "takes many minutes; `just cluster` runs it"]
fn whatever_happens_every_instance_has_one_outcome_and_nothing_is_missing() {
    if !has(Tool::Cluster, "runs on Kubernetes") {
        return;
    }
    let _one_at_a_time = MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = Lab::new();
    let cases: [(&str, Case); 12] = [
        ("200 MiB of stdout at full speed", flood),
        ("lines of 1 MiB", long_lines),
        ("the agent is killed", agent_killed),
        ("the API server is restarted", api_restarted),
        ("the object store refuses for a minute", store_refuses),
        ("the runner is killed and another attaches", reattached),
        ("what was written is published while instances run", published_so_far),
        ("an eviction", evicted),
        ("the sync service is killed", sync_killed),
        ("an image that does not exist", no_image),
        ("plans on the published SDKs", published_sdks),
        ("the demo's plan, and the barriers that it waits at", mesh),
    ];
    let only = std::env::var("TG_CLUSTER_ONLY").unwrap_or_default();
    for (name, case) in cases {
        if name.contains(&only) {
            let began = Instant::now();
            case(&lab);
            note(&format!("{name}: {} s", began.elapsed().as_secs()));
        }
    }
    lab.cluster.tg(&["cluster", "uninstall", "--namespace", NAMESPACE]).expect(0);
}

#[expect(clippy::print_stderr, reason = "a test says which case it is at")]
fn note(text: &str) {
    eprintln!("{text}");
}

fn flood(lab: &Lab) {
    let shell = plan("shell");
    lab.run(&[shell.to_str().expect("UTF-8"), "--case", "flood", "-n", "1", "--param", "bytes=209715200"]).expect(0);
    let run = lab.cluster.last();
    let said = lab.file(&run, "single/0/stdout.log");
    assert!(said.len() > 209_715_200 && said.ends_with("}\n"), "{} bytes", said.len());
}

fn long_lines(lab: &Lab) {
    let shell = plan("shell");
    lab.run(&[shell.to_str().expect("UTF-8"), "--case", "long-lines", "-n", "2"]).expect(0);
    let said = lab.file(&lab.cluster.last(), "single/1/stdout.log");
    let lengths: Vec<usize> = said.lines().map(str::len).collect();
    assert_eq!(lengths.len(), 3);
    assert_eq!(lengths[0], 1 << 20);
    assert!(lengths[1] > 1 << 20);
}

fn agent_killed(lab: &Lab) {
    let going = lab.pause("12");
    lab.kubectl(&["delete", "pod", "-l", "tg/part=agent", "--grace-period=0", "--force"]);
    assert_eq!(going.end(), Some(0));
    lab.whole();
}

fn api_restarted(lab: &Lab) {
    let going = lab.pause("12");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster");
    let done = Command::new(script).arg("restart-api").status().expect("the script runs");
    assert!(done.success());
    assert_eq!(going.end(), Some(0));
    lab.whole();
}

fn store_refuses(lab: &Lab) {
    let going = lab.pause("5");
    let port = lab.cluster.endpoint.rsplit(':').next().expect("a port").to_owned();
    let rule = |what: &str| {
        let rule = ["-p", "tcp", "--dport", &port, "-j", "REJECT", "--reject-with", "tcp-reset"];
        let mut command = Command::new("nsenter");
        command.arg(&lab.cluster.space).args(["iptables", what, "INPUT"]).args(rule);
        assert!(command.status().expect("iptables runs").success());
    };
    rule("-I");
    sleep(Duration::from_mins(1));
    rule("-D");
    assert_eq!(going.end(), Some(0));
    let run = lab.whole();
    let told = run.events.iter().any(|event| {
        matches!(&event.kind, EventKind::RunNote { reason, text } if reason == "publishing" && text.starts_with("5 instances"))
    });
    assert!(told, "the run says what it waits for");
}

fn reattached(lab: &Lab) {
    let going = lab.pause("15");
    let pid = i32::try_from(going.process.id()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is there");
    assert_eq!(going.end(), None);
    let run = lab.cluster.last();
    let id = run.dir.file_name().and_then(|name| name.to_str()).expect("an id").to_owned();
    lab.cluster.tg(&["runs", "attach", &id, "--collect", "--namespace", NAMESPACE]).expect(0);
    lab.whole();
    lab.cluster.tg(&["runs", "show", &id]).expect(0);
}

fn published_so_far(lab: &Lab) {
    let going = lab.pause("60");
    let id = lab.cluster.last().dir.file_name().and_then(|name| name.to_str()).expect("an id").to_owned();
    // A run that goes on, collected by somebody else.
    let elsewhere = lab.cluster.home.path().join("so-far");
    let collected = || {
        let out = elsewhere.to_str().expect("UTF-8");
        let source = ["--source", "s3://lab/runs", "-o", out];
        lab.cluster.tg(&[&["collect", &id], &source[..]].concat());
        let archive = elsewhere.join("outputs.zip");
        std::fs::read(archive).is_ok_and(|bytes| bytes.windows(10).any(|window| window == b"before.txt"))
    };
    let until = Instant::now() + Duration::from_secs(50);
    while !collected() {
        assert!(Instant::now() < until, "nothing is published while the instances run");
        sleep(Duration::from_secs(5));
    }
    assert_eq!(going.end(), Some(0));
    let run = lab.whole();
    // And what they used meanwhile was sampled.
    assert!(rows(&run)["resources"] >= 5 * 30, "{:?}", rows(&run));
}

fn evicted(lab: &Lab) {
    let going = lab.pause("15");
    let selector = "tg/case=pause,batch.kubernetes.io/job-completion-index=2";
    let pod = lab.kubectl(&["get", "pods", "-l", selector, "-o", "jsonpath={.items[0].metadata.name}"]);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction");
    let object = format!(
        r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{pod}","namespace":"{NAMESPACE}"}}}}"#
    );
    let file = lab.cluster.home.file("eviction.json", &object);
    lab.kubectl(&["create", "--raw", &path, "-f", file.to_str().expect("UTF-8")]);
    assert_eq!(going.end(), Some(10));
    let run = lab.cluster.last();
    assert_eq!(outcomes(&run), BTreeMap::from([(Outcome::Ok, 4), (Outcome::Evicted, 1)]));
    assert_eq!(run.end("single/2").outcome, Outcome::Evicted);
    assert_eq!(lab.file(&run, "single/2/before.txt"), "before\n");
}

/// Instances lose their connection and end as their SDK has it; the others and the next run are not touched.
fn sync_killed(lab: &Lab) {
    let rust = plan("rust-sdk");
    let rust = rust.to_str().expect("UTF-8");
    let mut going = lab.start(&[rust, "--case", "sync", "-n", "4", "--param", "rounds=4000000"]);
    going.until("4 of 4 instances started");
    lab.kubectl(&["delete", "pod", "-l", "tg/part=sync", "--grace-period=0", "--force"]);
    assert_eq!(going.end(), Some(10));
    let run = lab.cluster.last();
    let ends = run.ends();
    assert_eq!(ends.len(), 4);
    for (instance, end) in ends {
        assert!(matches!(end.outcome, Outcome::Failed | Outcome::Crashed), "{instance}: {:?}", end.outcome);
    }
    lab.kubectl(&["rollout", "status", "deployment/testground-sync-service", "--timeout=60s"]);
    lab.run(&[rust, "--case", "sync", "-n", "4"]).expect(0);
}

fn no_image(lab: &Lab) {
    let text = "[global]\nplan = \"PLAN\"\ncase = \"ok\"\nbuilder = \"docker:generic\"\nrunner = \"cluster:k8s\"\n\
                [[groups]]\nid = \"none\"\ninstances = { count = 2 }\nrun = { artifact = \"nowhere.example/none:1\" }\n\
                [[groups]]\nid = \"some\"\ninstances = { count = 2 }\n";
    let shell = plan("shell");
    let file = lab.cluster.home.file("none.toml", &text.replace("PLAN", shell.to_str().expect("UTF-8")));
    lab.run(&[file.to_str().expect("UTF-8")]).expect(10);
    let run = lab.cluster.last();
    assert_eq!(outcomes(&run), BTreeMap::from([(Outcome::NotStarted, 2), (Outcome::Ok, 2)]));
    assert!(run.end("none/0").reason.contains("for 120 s"), "{}", run.end("none/0").reason);
}

/// Each plan here and there: the same outcomes, tables and counts.
fn published_sdks(lab: &Lab) {
    let rows = [
        ("go-sdk", "sync", "exec:go", "docker:go"),
        ("js-sdk", "sync", "exec:node", "docker:node"),
        ("testground-rust", "success", "exec:cargo", "docker:cargo"),
    ];
    for (name, case, here, there) in rows {
        let path = plan(name);
        let path = path.to_str().expect("UTF-8");
        let common = ["--case", case, "-n", "20", "--seed", "7", "--builder"];
        let home = &lab.cluster.home;
        home.tg([&["run", path], &common[..], &[here, "--collect"]].concat()).expect(0);
        let local = lab.cluster.last();
        lab.run(&[&[path], &common[..], &[there]].concat()).expect(0);
        let cluster = lab.cluster.last();
        assert_eq!(outcomes(&local), outcomes(&cluster), "{name}");
        assert_eq!(tables(&local), tables(&cluster), "{name}");
        let failing = ["--case", "failure", "-n", "2", "--builder", there];
        lab.run(&[&[path], &failing[..]].concat()).expect(10);
        assert_eq!(outcomes(&lab.cluster.last()), BTreeMap::from([(Outcome::Failed, 2)]), "{name}");
    }
}

/// The tables of a dataset, with their numbers of rows.
fn rows(run: &Run) -> BTreeMap<String, u64> {
    let text = std::fs::read(run.dir.join("dataset/_dataset.json")).expect("a dataset");
    let about: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let tables = about["tables"].as_object().expect("tables").iter();
    tables.map(|(name, table)| (name.clone(), table["rows"].as_u64().expect("rows"))).collect()
}

/// Those of what instances wrote: what the machine did, and what Kubernetes says, are not the plan's.
fn tables(run: &Run) -> BTreeMap<String, u64> {
    let of_plan = ["instances", "events", "metrics", "connections"];
    rows(run).into_iter().filter(|(name, _)| of_plan.contains(&name.as_str())).collect()
}

fn mesh(lab: &Lab) {
    let mesh = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/plans/mesh");
    lab.run(&[mesh, "--case", "mesh", "-n", "20", "--seed", "7", "--builder", "docker:cargo"]).expect(0);
    let run = lab.cluster.last();
    let reached: Vec<_> = run
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::BarrierReached { state, target, .. } => Some((state.clone(), *target)),
            _ => None,
        })
        .collect();
    assert!(reached.iter().any(|(_, target)| *target == 20), "{reached:?}");
    let graph = lab.cluster.tg(&["analyze", "graph", "latest", "--format", "json"]).expect(0).stdout.clone();
    assert!(graph.contains("connected"), "{graph}");
}
