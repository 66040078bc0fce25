//! A run as it lies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tg_model::event::{EventKind, RunEvent};
use tg_model::layout;
use tg_model::outcome::{Evidence, Outcome};
use tg_model::run::RunFile;

/// A run's folder, read.
#[derive(Debug)]
pub struct Run {
    /// The folder.
    pub dir: PathBuf,
    /// `run.json`.
    pub file: RunFile,
    /// `events.ndjson`.
    pub events: Vec<RunEvent>,
}

/// How one instance ended, as the event log says.
#[derive(Debug, Clone)]
pub struct End {
    /// The outcome.
    pub outcome: Outcome,
    /// Whether the composition expected it.
    pub as_expected: bool,
    /// The reason in words.
    pub reason: String,
    /// What proves it.
    pub evidence: Evidence,
}

impl Run {
    /// Reads a run's folder.
    ///
    /// # Panics
    ///
    /// If a file is missing or makes no sense: that is what the tests are about.
    pub fn open(dir: &Path) -> Self {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
        };
        let file = serde_json::from_str(&read(layout::RUN_FILE)).expect("run.json can be read");
        let parse = |line: &str| {
            serde_json::from_str::<RunEvent>(line).unwrap_or_else(|error| panic!("{error} in the event `{line}`"))
        };
        let events = read(layout::EVENTS_FILE).lines().map(parse).collect();
        Self { dir: dir.to_owned(), file, events }
    }

    /// How every instance ended, by `group/index`.
    ///
    /// # Panics
    ///
    /// If one ended twice.
    pub fn ends(&self) -> BTreeMap<String, End> {
        let mut ends = BTreeMap::new();
        for event in &self.events {
            if let EventKind::InstanceFinished { instance, outcome, as_expected, reason, evidence, .. } = &event.kind {
                let end = End {
                    outcome: *outcome,
                    as_expected: *as_expected,
                    reason: reason.clone(),
                    evidence: evidence.clone(),
                };
                assert!(ends.insert(instance.to_string(), end).is_none(), "`{instance}` ended twice");
            }
        }
        ends
    }

    /// How one instance ended.
    #[track_caller]
    pub fn end(&self, instance: &str) -> End {
        self.ends().remove(instance).unwrap_or_else(|| panic!("no end of `{instance}` in `{}`", self.dir.display()))
    }

    /// The reasons of the notes on one instance.
    pub fn notes(&self, instance: &str) -> Vec<(String, String)> {
        let mut notes = Vec::new();
        for event in &self.events {
            if let EventKind::InstanceNote { instance: whose, reason, text } = &event.kind
                && whose.to_string() == instance
            {
                notes.push((reason.clone(), text.clone()));
            }
        }
        notes
    }

    /// The processes of instances that were started here.
    pub fn pids(&self) -> Vec<u32> {
        let pid = |event: &RunEvent| match event.kind {
            EventKind::InstanceStarted { pid, .. } => pid,
            _ => None,
        };
        self.events.iter().filter_map(pid).collect()
    }

    /// A file that tg kept of what an instance printed.
    pub fn log(&self, instance: &str, name: &str) -> PathBuf {
        layout::logs_dir(&self.dir, &instance.parse().expect("an instance's name")).join(name)
    }

    /// A file that an instance wrote.
    pub fn output(&self, instance: &str, name: &str) -> PathBuf {
        layout::outputs_dir(&self.dir, &instance.parse().expect("an instance's name")).join(name)
    }
}
