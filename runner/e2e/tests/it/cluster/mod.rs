//! Runs on a real Kubernetes: the one that `runner/e2e/cluster/cluster up` starts.

mod matrix;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tg_e2e::{Done, Home, Run, Tool, finish, has, object_store, plan};
use tg_model::event::EventKind;
use tg_model::outcome::Outcome;

/// There is one cluster: tests of it take turns.
static MACHINE: Mutex<()> = Mutex::new(());

/// The cluster's network, an object store in it, and a home.
struct Cluster {
    space: String,
    store: Child,
    endpoint: String,
    keys: [String; 2],
    home: Home,
}

impl Cluster {
    fn new() -> Self {
        let get = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"));
        let space = format!("--net={}", get("TG_CLUSTER_NETNS"));
        let mut store = Command::new("nsenter")
            .arg(&space)
            .arg(object_store())
            .arg(format!("{}:0", get("TG_CLUSTER_ADDRESS")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the store starts");
        let mut line = String::new();
        let stdout = store.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut next = || words.next().expect("address and keys");
        Self { space, store, endpoint: next(), keys: [next(), next()], home: Home::new() }
    }

    /// `tg` in the cluster's network.
    fn tg(&self, args: &[&str]) -> Done {
        finish(&mut self.inside(&self.home.command(args)))
    }

    fn inside(&self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(&self.space).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TG_S3_ENDPOINT", &self.endpoint);
        command.env("AWS_ACCESS_KEY_ID", &self.keys[0]).env("AWS_SECRET_ACCESS_KEY", &self.keys[1]);
        if let Some(dir) = inner.get_current_dir() {
            command.current_dir(dir);
        }
        command
    }

    fn kubectl(&self, args: &[&str]) -> String {
        let done = Command::new("nsenter").arg(&self.space).arg("kubectl").args(args).output().expect("kubectl runs");
        assert!(done.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// The last run.
    fn last(&self) -> Run {
        self.home.runs().pop().expect("a run")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.store.kill());
        drop(self.store.wait());
    }
}

fn outcomes(run: &Run) -> BTreeMap<Outcome, usize> {
    let mut outcomes = BTreeMap::new();
    for end in run.ends().values() {
        *outcomes.entry(end.outcome).or_default() += 1;
    }
    outcomes
}

/// A file of an instance from the archive, which was made from what is in the store.
fn in_archive(run: &Run, dir: &Path, file: &str) -> String {
    let id = run.dir.file_name().and_then(|name| name.to_str()).expect("an id");
    let python = "import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())";
    let entry = format!("{id}/{file}");
    let mut command = Command::new("python3");
    command.args(["-c", python]).arg(run.dir.join("outputs.zip")).arg(&entry).current_dir(dir);
    let read = command.output().expect("python3 runs");
    assert!(read.status.success(), "{entry}: {}", String::from_utf8_lossy(&read.stderr));
    String::from_utf8_lossy(&read.stdout).into_owned()
}

#[test]
fn a_cluster_from_install_to_uninstall() {
    if !has(Tool::Cluster, "runs on Kubernetes") {
        return;
    }
    let _one_at_a_time = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::new();
    let image = cluster.tg(&["cluster", "image"]).expect(0).stdout.trim().to_owned();
    let namespace = "tg-e2e";
    let place = ["--namespace", namespace];
    let with = |args: &[&str]| cluster.tg(&[args, &place].concat());
    with(&["cluster", "status"])
        .expect(14)
        .says("tg is not installed in namespace `tg-e2e`")
        .says("tg cluster install");
    let install = [
        "cluster",
        "install",
        "--outputs",
        "s3://lab/runs",
        "--image",
        &image,
        "--pull",
        "never",
        "--credentials",
        "env",
    ];
    with(&[&install[..], &["--dry-run"]].concat()).expect(0);
    with(&["cluster", "status"]).expect(14);
    // What somebody else made would go with all that is in it.
    cluster.kubectl(&["create", "namespace", "somebody-else"]);
    let theirs = [&install[..], &["--namespace", "somebody-else"]].concat();
    cluster.tg(&theirs).expect(2).says("namespace `somebody-else` was not made by `tg cluster install`");
    cluster.tg(&["cluster", "uninstall", "--namespace", "somebody-else"]).expect(2).says("left alone");
    cluster.kubectl(&["delete", "namespace", "somebody-else", "--wait=false"]);
    // Nothing of a run would be kept where the agents cannot put it: none begins.
    let nowhere = [&install[..], &place, &["--s3-endpoint", "http://127.0.0.1:9", "--wait", "40s"]].concat();
    cluster.tg(&nowhere).expect(14).says("1 of 1 agents cannot reach them");
    let status = with(&["cluster", "status"]).expect(14).stdout.clone();
    assert!(status.contains("1 of 1 agents cannot reach them"), "{status}");
    let shell = plan("shell");
    let shell = shell.to_str().expect("UTF-8");
    with(&["run", shell, "--case", "third-crashes", "-n", "4", "--backend", "cluster:k8s"])
        .expect(14)
        .says("what the instances write would not be kept");

    with(&install).expect(0);
    with(&["cluster", "status"]).expect(0);
    // Again, and nothing is replaced.
    let before = cluster.kubectl(&["-n", namespace, "get", "pods", "-o", "name"]);
    with(&install).expect(0);
    assert_eq!(cluster.kubectl(&["-n", namespace, "get", "pods", "-o", "name"]), before);

    one_crashes(&cluster, shell, &with);
    memory(&cluster, shell, &with);
    deleted(&cluster, shell);
    late(&cluster, shell, &with);

    with(&["cluster", "uninstall"]).expect(0);
    with(&["cluster", "status"]).expect(14);
    let spaces = cluster.kubectl(&["get", "namespaces", "-o", "name"]);
    assert!(!spaces.contains(namespace), "{spaces}");
}

/// The third of twenty crashes at once, the others end well, and none runs twice.
fn one_crashes(cluster: &Cluster, shell: &str, with: &dyn Fn(&[&str]) -> Done) {
    let backend = ["--backend", "cluster:k8s"];
    with(&[&["run", shell, "--case", "third-crashes", "-n", "20", "--collect"], &backend[..]].concat()).expect(10);
    let run = cluster.last();
    assert_eq!(outcomes(&run), BTreeMap::from([(Outcome::Ok, 19), (Outcome::Crashed, 1)]));
    assert_eq!(run.end("single/3").outcome, Outcome::Crashed);
    assert!(run.end("single/3").reason.contains("the third falls over"));
    let started = run.events.iter().filter(|event| matches!(event.kind, EventKind::InstanceStarted { .. })).count();
    assert_eq!(started, 20);
    let dir = cluster.home.path();
    assert!(in_archive(&run, &dir, "single/3/stdout.log").contains("the third falls over"));
    assert!(in_archive(&run, &dir, "single/19/stdout.log").contains("success_event"));
    assert!(run.file.outputs.as_deref() == Some("s3://lab/runs"));

    // The same by a Job next to the bucket, which leaves archive and dataset there.
    let id = run.dir.file_name().and_then(|name| name.to_str()).expect("an id").to_owned();
    let done = with(&["collect", &id, "--in-cluster"]).expect(0).stdout.clone();
    let published = format!("s3://lab/runs/{id}");
    assert!(done.contains(&format!("tg analyze stats {published}")), "{done}");
    let here = cluster.tg(&["analyze", "stats", &id, "--format", "json"]).expect(0).stdout.clone();
    let there = cluster.tg(&["analyze", "stats", &published, "--format", "json"]).expect(0).stdout.clone();
    assert_eq!(here, there);
}

/// An instance that eats more than it may have is told apart from one that fails, and what it wrote is there.
fn memory(cluster: &Cluster, shell: &str, with: &dyn Fn(&[&str]) -> Done) {
    let text = format!(
        "[global]\nplan = \"{shell}\"\ncase = \"eat-memory\"\nbuilder = \"docker:generic\"\nrunner = \"cluster:k8s\"\n\
         [[groups]]\nid = \"small\"\ninstances = {{ count = 1 }}\nresources = {{ memory = \"64Mi\", cpu = \"50m\" }}\n"
    );
    let file = cluster.home.file("memory.toml", &text);
    with(&["run", file.to_str().expect("UTF-8"), "--collect"]).expect(10);
    let run = cluster.last();
    assert_eq!(run.end("small/0").outcome, Outcome::Oom);
    assert_eq!(in_archive(&run, &cluster.home.path(), "small/0/before.txt"), "before\n");

    let greedy = text.replace("64Mi", "900Gi");
    let file = cluster.home.file("greedy.toml", &greedy);
    with(&["run", file.to_str().expect("UTF-8")]).expect(14).says("no room for the run").says("MiB of memory");
}

/// A run that takes too long is stopped, and what its instances wrote until then is there.
fn late(cluster: &Cluster, shell: &str, with: &dyn Fn(&[&str]) -> Done) {
    let args = ["run", shell, "--case", "pause", "--param", "seconds=600", "-n", "2", "--backend", "cluster:k8s"];
    with(&[&args[..], &["--deadline", "2s", "--grace", "1s", "--collect"]].concat()).expect(12);
    let run = cluster.last();
    assert_eq!(outcomes(&run), BTreeMap::from([(Outcome::TimedOut, 2)]));
    assert_eq!(in_archive(&run, &cluster.home.path(), "single/1/stdout.log"), "before the pause\n");
}

/// A pod that somebody deletes: its instance is killed, the others are not, and nothing that it wrote is missing.
fn deleted(cluster: &Cluster, shell: &str) {
    let args = [
        "run",
        shell,
        "--case",
        "pause",
        "--param",
        "seconds=8",
        "-n",
        "3",
        "--backend",
        "cluster:k8s",
        "--collect",
        "--namespace",
        "tg-e2e",
        "--progress",
        "lines",
    ];
    let mut command = cluster.inside(&cluster.home.command(args));
    let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("tg starts");
    let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
    let mut lines = stderr.lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.contains("3 of 3 instances started")), "all are started");
    let selector = "tg/case=pause,batch.kubernetes.io/job-completion-index=1";
    cluster.kubectl(&["-n", "tg-e2e", "delete", "pod", "-l", selector, "--wait=false"]);
    lines.for_each(drop);
    assert_eq!(process.wait().expect("it ends").code(), Some(10));
    let run = cluster.last();
    let ends: Vec<Outcome> = run.ends().values().map(|end| end.outcome).collect();
    assert_eq!(ends, [Outcome::Ok, Outcome::Killed, Outcome::Ok]);
    assert!(run.notes("single/1").iter().any(|(reason, _)| reason == "pod-deleted"));
    let dir: PathBuf = cluster.home.path();
    assert_eq!(in_archive(&run, &dir, "single/1/before.txt"), "before\n");
    assert_eq!(in_archive(&run, &dir, "single/1/stdout.log"), "before the pause\n");
    assert!(fs::metadata(run.dir.join("dataset/_dataset.json")).is_ok());
}
