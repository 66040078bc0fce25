//! Makes small runs of real processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tg_model::event::EventKind;
use tg_model::outcome::{Evidence, Expect, Outcome, Verdict};
use tg_model::spec::{BuildSpec, GroupSpec, Resources, RunSpec};
use tg_model::{RunEvent, RunFile, RunId};
use tg_runner::{BuildOptions, Cancel, RunOptions, build_all, execute};
use tokio::sync::mpsc;

/// Says success on stdout.
pub(crate) const OK: &str = r#"ok() { echo "{\"event\":{\"success_event\":{\"group\":\"$TEST_GROUP_ID\"}}}"; }; "#;

/// A home, and what is to be run in it.
pub(crate) struct Bench {
    pub(crate) home: tempfile::TempDir,
    pub(crate) spec: RunSpec,
    pub(crate) options: RunOptions,
    pub(crate) cancel: Cancel,
}

/// What a run left.
pub(crate) struct Ran {
    pub(crate) file: RunFile,
    pub(crate) events: Vec<RunEvent>,
    pub(crate) dir: PathBuf,
}

pub(crate) fn run_id() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let ms = u64::try_from(now.as_millis()).expect("not so late");
    let unique = u64::from(std::process::id()) * 1000 + NEXT.fetch_add(1, Ordering::Relaxed);
    RunId::new(ms, u32::try_from(unique & 0xfffff).expect("20 bits"))
}

/// A group of instances that run a shell script.
pub(crate) fn group(name: &str, count: u32, script: &str) -> GroupSpec {
    let mut config = toml::Table::new();
    let command = ["sh", "-c", &format!("{OK}{script}")].map(|word| toml::Value::String(word.to_owned()));
    config.insert("command".to_owned(), toml::Value::Array(command.to_vec()));
    GroupSpec {
        name: name.parse().expect("a group name"),
        count,
        params: BTreeMap::new(),
        build: BuildSpec {
            builder: "exec:generic".to_owned(),
            config,
            selectors: Vec::new(),
            dependencies: Vec::new(),
            extra_sources: Vec::new(),
        },
        artifact: None,
        profiles: BTreeMap::new(),
        resources: Resources::default(),
        expect: Expect::Ok,
    }
}

pub(crate) fn spec(plan_dir: &Path, groups: Vec<GroupSpec>) -> RunSpec {
    RunSpec {
        plan: "shell".to_owned(),
        plan_dir: plan_dir.to_owned(),
        case: "it".to_owned(),
        backend: "local:exec".to_owned(),
        run_config: toml::Table::new(),
        seed: 7,
        groups,
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

impl Bench {
    pub(crate) fn new(groups: Vec<GroupSpec>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let spec = spec(home.path(), groups);
        let mut options = RunOptions::new(home.path(), run_id());
        options.grace = Duration::from_millis(300);
        options.drain_after_exit = Duration::from_millis(300);
        Self { home, spec, options, cancel: Cancel::new() }
    }

    pub(crate) fn sh(script: &str) -> Self {
        Self::new(vec![group("single", 1, script)])
    }

    /// Runs it; `watch` sees every event as it comes.
    pub(crate) async fn run_watched(&self, mut watch: impl FnMut(&RunEvent)) -> Ran {
        let specs = std::slice::from_ref(&self.spec);
        let (to, mut events) = mpsc::channel(8);
        let options = BuildOptions::new(self.home.path(), specs);
        let (artifacts, ()) = tokio::join!(
            async {
                let to = to;
                build_all(specs, &options, &to, &self.cancel).await.expect("it builds")
            },
            async { while events.recv().await.is_some() {} }
        );
        let (to, mut from) = mpsc::channel(8);
        let mut events = Vec::new();
        let (file, ()) =
            tokio::join!(execute(&self.spec, &artifacts, self.options.clone(), to, self.cancel.clone()), async {
                while let Some(event) = from.recv().await {
                    watch(&event);
                    events.push(event);
                }
            });
        let file = file.expect("it runs");
        let ran = Ran { file, events, dir: tg_model::layout::run_dir(self.home.path(), &self.options.run) };
        ran.check();
        ran
    }

    pub(crate) async fn run(&self) -> Ran {
        self.run_watched(|_| {}).await
    }
}

impl Ran {
    /// What holds for every run.
    fn check(&self) {
        assert!(self.events.windows(2).all(|pair| pair[0].ts <= pair[1].ts), "time goes on");
        assert!(matches!(self.events.first().expect("some").kind, EventKind::RunStarted { .. }));
        let last = &self.events.last().expect("some").kind;
        let EventKind::RunFinished { verdict, tally, .. } = last else { panic!("the last is {last:?}") };
        assert_eq!((*verdict, tally), (self.file.verdict, &self.file.tally));
        let mut finished: Vec<String> = self.finished().map(|(id, ..)| id).collect();
        finished.sort_unstable();
        let mut wanted: Vec<String> = self
            .file
            .groups
            .iter()
            .flat_map(|group| (0..group.count).map(|index| format!("{}/{index}", group.name)))
            .collect();
        wanted.sort_unstable();
        assert_eq!(finished, wanted, "each instance is finished exactly once");
        let stored = std::fs::read_to_string(self.dir.join("events.ndjson")).expect("the log");
        let stored: Vec<RunEvent> = stored.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let numbers: Vec<u64> = stored.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=stored.len() as u64).collect::<Vec<_>>(), "numbers without gaps");
        // The log begins with the builds that the run uses, which were told before.
        let builds = stored.iter().take_while(|event| !matches!(event.kind, EventKind::RunStarted { .. })).count();
        let finished = |event: &&RunEvent| matches!(event.kind, EventKind::BuildFinished { .. });
        let built = stored[..builds].iter().filter(finished).count();
        assert!(built > 0 && builds == 2 * built, "each build has a begin and an end");
        let stored = &stored[builds..];
        assert_eq!(stored, self.events, "the log has what was told");
        let text = std::fs::read_to_string(self.dir.join("run.json")).expect("run.json");
        assert_eq!(serde_json::from_str::<RunFile>(&text).expect("it parses"), self.file);
    }

    pub(crate) fn finished(&self) -> impl Iterator<Item = (String, Outcome, &str, &Evidence)> {
        self.events.iter().filter_map(|event| match &event.kind {
            EventKind::InstanceFinished { instance, outcome, reason, evidence, .. } => {
                Some((instance.to_string(), *outcome, reason.as_str(), evidence))
            }
            _ => None,
        })
    }

    /// The outcome of the only instance, and the reason.
    pub(crate) fn outcome(&self) -> (Outcome, &str) {
        let (_, outcome, reason, _) = self.finished().next().expect("one");
        (outcome, reason)
    }

    /// The reasons of all notes, on instances and the run.
    pub(crate) fn notes(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::InstanceNote { reason, .. } | EventKind::RunNote { reason, .. } => Some(reason.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn log(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.join("logs/single/0").join(name)).expect("a log")
    }

    pub(crate) fn passed(&self) -> bool {
        self.file.verdict == Verdict::Passed
    }
}
