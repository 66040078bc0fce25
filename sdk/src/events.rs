//! What an instance tells of itself: lines on stdout and in `run.out`, and items on the run's topic of events.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;

use crate::clock::now_ns;
use crate::lines::{Lines, Losses};
use crate::sync::SyncClient;
use crate::vars::Vars;

/// An event. On the wire it is an object of exactly one key: `{"success_event":{"group":"g"}}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "these are the keys that Testground's SDKs write")]
pub(crate) enum Event<'a> {
    StartEvent { runenv: Box<RunEnv<'a>> },
    MessageEvent { message: &'a str },
    SuccessEvent { group: &'a str },
    FailureEvent { group: &'a str, error: &'a str },
    CrashEvent { group: &'a str, error: &'a str, stacktrace: &'a str },
    StageStartEvent { name: &'a str, group: &'a str },
    StageEndEvent { name: &'a str, group: &'a str },
}

/// The environment as the start event repeats it.
#[derive(Debug, Serialize)]
pub(crate) struct RunEnv<'a> {
    plan: &'a str,
    case: &'a str,
    run: &'a str,
    params: &'a BTreeMap<String, String>,
    instances: u64,
    outputs_path: String,
    temp_path: String,
    network: &'a str,
    group: &'a str,
    group_instances: u64,
    role: &'a str,
    test_sidecar: bool,
    start_time: &'a str,
    capture_profiles: &'a str,
    disable_metrics: bool,
    repo: &'a str,
    branch: &'a str,
    tag: &'a str,
}

impl<'a> RunEnv<'a> {
    pub(crate) fn new(vars: &'a Vars) -> Self {
        Self {
            plan: &vars.plan,
            case: &vars.case,
            run: &vars.run,
            params: &vars.params,
            instances: vars.instances,
            outputs_path: vars.outputs.display().to_string(),
            temp_path: vars.temp.display().to_string(),
            network: &vars.subnet,
            group: &vars.group,
            group_instances: vars.group_instances,
            role: &vars.other.role,
            test_sidecar: vars.sidecar,
            start_time: &vars.start_time,
            capture_profiles: &vars.other.capture_profiles,
            disable_metrics: vars.disable_metrics,
            repo: &vars.other.repo,
            branch: &vars.other.branch,
            tag: &vars.other.tag,
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    ts: u64,
    msg: &'a str,
    group_id: &'a str,
    run_id: &'a str,
    event: &'a Event<'a>,
}

/// Where events go.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) run: String,
    pub(crate) group: String,
    stdout: Lines,
    run_out: Lines,
    sync: OnceLock<SyncClient>,
}

/// For how long the end of an instance waits until the service has its last event.
const LAST_WORD: Duration = Duration::from_secs(5);

impl Events {
    pub(crate) fn open(vars: &Vars, losses: &Arc<Losses>) -> std::io::Result<Self> {
        // A stdout that nobody reads any more loses nothing: the same lines stand in `run.out`.
        let stdout = Lines::stdout(Arc::default())?;
        let run_out = Lines::open(&vars.outputs.join(tg_model::record::RUN_OUT), Arc::clone(losses))?;
        Ok(Self { run: vars.run.clone(), group: vars.group.clone(), stdout, run_out, sync: OnceLock::new() })
    }

    /// From now on events are published as well.
    pub(crate) fn publish_with(&self, sync: SyncClient) {
        drop(self.sync.set(sync));
    }

    /// The client that publishes events, if there is one.
    pub(crate) fn published_with(&self) -> Option<SyncClient> {
        self.sync.get().cloned()
    }

    fn write(&self, event: &Event<'_>) {
        let line = Line { ts: now_ns(), msg: "", group_id: &self.group, run_id: &self.run, event };
        self.run_out.own(&line);
        self.stdout.own(&line);
    }

    /// Writes an event, and publishes it without waiting. Messages are not published: nobody waits for them, and the
    /// service keeps every item until the run ends.
    pub(crate) fn record(&self, event: &Event<'_>) {
        self.write(event);
        if let Some(sync) = self.sync.get()
            && !matches!(event, Event::MessageEvent { .. })
        {
            sync.post_event(event);
        }
    }

    /// Writes the last event of an instance, and gives the service some time to take it.
    pub(crate) async fn record_last(&self, event: &Event<'_>) {
        self.write(event);
        if let Some(sync) = self.sync.get() {
            // Whoever runs the plan has this event from stdout as well; a service that is gone is no new failure.
            drop(sync.within(LAST_WORD).publish_event(event).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::tests::complete;

    #[test]
    fn events_have_the_shape_of_testground() {
        let dir = tempfile::tempdir().expect("a folder");
        let map = complete(dir.path().to_str().expect("text"));
        let vars = Vars::read(&|name| map.get(name).cloned()).expect("complete");
        let events = Events::open(&vars, &Arc::default()).expect("it opens");
        let g = "g";
        for event in [
            Event::MessageEvent { message: "hi \"you\"\n" },
            Event::SuccessEvent { group: g },
            Event::FailureEvent { group: g, error: "no" },
            Event::CrashEvent { group: g, error: "oh", stacktrace: "at" },
            Event::StageStartEvent { name: "dial", group: g },
            Event::StageEndEvent { name: "dial", group: g },
            Event::StartEvent { runenv: Box::new(RunEnv::new(&vars)) },
        ] {
            events.record(&event);
        }
        let text = std::fs::read_to_string(dir.path().join("run.out")).expect("text");
        let mut shapes = Vec::new();
        for line in text.lines() {
            let (ts, rest) = line.strip_prefix("{\"ts\":").and_then(|l| l.split_once(',')).expect("ts comes first");
            assert!(ts.parse::<u64>().expect("ns") > 1_700_000_000_000_000_000);
            shapes.push(rest.to_owned());
        }
        let head = r#""msg":"","group_id":"g","run_id":"r","event":"#;
        let expected = [
            r#"{"message_event":{"message":"hi \"you\"\n"}}}"#,
            r#"{"success_event":{"group":"g"}}}"#,
            r#"{"failure_event":{"group":"g","error":"no"}}}"#,
            r#"{"crash_event":{"group":"g","error":"oh","stacktrace":"at"}}}"#,
            r#"{"stage_start_event":{"name":"dial","group":"g"}}}"#,
            r#"{"stage_end_event":{"name":"dial","group":"g"}}}"#,
        ];
        for (shape, tail) in shapes.iter().zip(expected) {
            assert_eq!(*shape, format!("{head}{tail}"));
        }
        let start: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        let runenv = &start["event"]["start_event"]["runenv"];
        assert_eq!(runenv["params"]["rounds"], "10");
        assert_eq!(runenv["instances"], 3);
    }
}
