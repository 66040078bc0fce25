//! What instances say over the sync service, by the address that each alone has. The test speaks for them.

use std::time::Duration;

use tg_model::event::EventKind;
use tg_model::outcome::{Outcome, Verdict};
use tokio::sync::mpsc;

use crate::harness::{Bench, Ran, group};
use crate::sync::client::Client;

/// Leaves its address, says something on stdout and goes on until it is told to end.
const SPEAKER: &str = r#"echo -n "$SYNC_SERVICE_HOST:5050" >"$TEST_OUTPUTS_PATH/addr";
echo '{"event":{"success_event":{"group":"elsewhere"}}}'; until [ -e "$TEST_OUTPUTS_PATH/end" ]; do sleep 0.01; done; "#;

/// One instance as the test plays it.
struct Voice {
    client: Client,
    end: std::path::PathBuf,
    prefix: String,
}

impl Voice {
    async fn publish(&mut self, topic: &str, payload: &str) {
        let topic = format!("{}:{topic}", self.prefix);
        self.client.publish(&topic, payload).await;
    }

    async fn signal(&mut self, state: &str) {
        self.client.signal(&format!("{}:states:{state}", self.prefix)).await;
    }

    async fn barrier(&mut self, state: &str, target: u64) {
        let key = format!("{}:states:{state}", self.prefix);
        self.client.send(format!(r#"{{"id":"{target}","barrier":{{"state":"{key}","target":{target}}}}}"#)).await;
        self.client.settle().await;
    }

    async fn end(self) {
        self.client.close().await;
        std::fs::write(self.end, "").expect("written");
    }
}

/// Runs instances that do nothing, and speaks for them once all are up; `heard` gets what the run tells meanwhile.
async fn speak<F: Future<Output = ()>>(
    bench: &Bench,
    script: impl FnOnce(Vec<Voice>, mpsc::UnboundedReceiver<EventKind>) -> F,
) -> Ran {
    let (to, mut from) = mpsc::unbounded_channel();
    let dir = tg_model::layout::run_dir(bench.home.path(), &bench.options.run);
    let play = async {
        let mut up = Vec::new();
        while up.len() < bench.spec.instances() as usize {
            // A success in a foreign name is noted at once: then it has written its address.
            if let EventKind::InstanceNote { instance, .. } = from.recv().await.expect("the run goes on") {
                up.push(instance);
            }
        }
        up.sort_unstable();
        let mut voices = Vec::new();
        for instance in up {
            let outputs = tg_model::layout::outputs_dir(&dir, &instance);
            let addr = std::fs::read_to_string(outputs.join("addr")).expect("it wrote it");
            let client = Client::dial(addr.parse().expect("an address")).await;
            let prefix = tg_model::sync::key_prefix(bench.options.run.as_str(), &bench.spec.plan, &bench.spec.case);
            voices.push(Voice { client, end: outputs.join("end"), prefix });
        }
        script(voices, from).await;
    };
    let run = bench.run_watched(|event| {
        // Nobody listens any more once the script is over.
        to.send(event.kind.clone()).ok();
    });
    tokio::join!(run, play).0
}

async fn heard(from: &mut mpsc::UnboundedReceiver<EventKind>, wanted: impl Fn(&EventKind) -> bool) -> EventKind {
    loop {
        let kind = from.recv().await.expect("the run goes on");
        if wanted(&kind) {
            return kind;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_belong_to_the_connection_that_made_them() {
    let bench = Bench::new(vec![group("a", 2, SPEAKER), group("b", 1, SPEAKER)]);
    let ran = speak(&bench, |mut voices, _| async move {
        voices[0].publish("run_events", r#"{"success_event":{"group":"a"}}"#).await;
        voices[0].publish("run_events", r#"{"success_event":{"group":"a"}}"#).await;
        // In another group's name: no success for anyone.
        voices[1].publish("run_events", r#"{"success_event":{"group":"b"}}"#).await;
        voices[2].publish("run_events", r#"{"failure_event":{"group":"a","error":"its own"}}"#).await;
        for voice in voices {
            voice.end().await;
        }
    })
    .await;
    let mut outcomes: Vec<_> =
        ran.finished().map(|(id, outcome, _, evidence)| (id, outcome, evidence.successes)).collect();
    outcomes.sort_unstable();
    let wanted = [("a/0", Outcome::Ok, 2), ("a/1", Outcome::Incomplete, 0), ("b/0", Outcome::Failed, 0)];
    assert_eq!(outcomes, wanted.map(|(id, outcome, successes)| (id.to_owned(), outcome, successes)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_channels_together_count_once() {
    let bench = Bench::new(vec![group("a", 1, &format!("{SPEAKER} ok"))]);
    let ran = speak(&bench, |mut voices, _| async move {
        voices[0].publish("run_events", r#"{"success_event":{"group":"a"}}"#).await;
        voices.remove(0).end().await;
    })
    .await;
    let (_, outcome, _, evidence) = ran.finished().next().expect("one");
    assert_eq!((outcome, evidence.successes), (Outcome::Ok, 1));
    assert_eq!(ran.events.iter().filter(|event| matches!(event.kind, EventKind::InstanceSaid { .. })).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_request_is_answered_with_the_truth() {
    let bench = Bench::new(vec![group("a", 1, &format!("{SPEAKER} ok"))]);
    let ran = speak(&bench, |mut voices, mut from| async move {
        voices[0].publish("topics:network:host-1", r#"{"network":"default","callback_state":"done"}"#).await;
        voices[0].barrier("done", 1).await;
        heard(
            &mut from,
            |kind| matches!(kind, EventKind::InstanceNote { reason, .. } if reason == "network-not-applied"),
        )
        .await;
        heard(&mut from, |kind| matches!(kind, EventKind::BarrierOpened { state, count: 0, .. } if state == "done"))
            .await;
        voices.remove(0).end().await;
    })
    .await;
    assert!(
        !ran.events.iter().any(|event| matches!(event.kind, EventKind::BarrierReached { .. })),
        "not as if applied"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_run_says_who_is_missing() {
    let mut bench = Bench::new(vec![group("a", 3, SPEAKER), group("b", 2, &format!("{SPEAKER} exit 3"))]);
    bench.options.stall_after = Duration::from_millis(100);
    let ran = speak(&bench, |mut voices, mut from| async move {
        let waiting_for = |kind| match kind {
            EventKind::Stalled { waiting_for, .. } => waiting_for,
            other => panic!("{other:?}"),
        };
        let stalled = |kind: &EventKind| matches!(kind, EventKind::Stalled { .. });
        voices.remove(3).end().await;
        heard(&mut from, |kind| matches!(kind, EventKind::InstanceFinished { .. })).await;
        for voice in voices.iter_mut().take(2) {
            voice.signal("ready").await;
            voice.barrier("ready", 5).await;
        }
        let told = loop {
            let told = waiting_for(heard(&mut from, stalled).await);
            // It may have been quiet before anybody came to the barrier.
            if told != ["the end of 4 instances, none of which waits at a barrier"] {
                break told;
            }
        };
        assert_eq!(told, ["barrier `ready`: 2 of 5, missing a/2, b/0 (failed), b/1"]);
        // A barrier of one group: the others are not meant.
        voices[1].barrier("ready", 3).await;
        let told = loop {
            let told = waiting_for(heard(&mut from, stalled).await);
            if told.len() == 2 {
                break told;
            }
        };
        assert_eq!(told[0], "barrier `ready`: 2 of 3, missing a/2");
        voices[2].signal("ready").await;
        heard(&mut from, |kind| matches!(kind, EventKind::BarrierReached { target: 3, .. })).await;
        for voice in voices {
            voice.end().await;
        }
    })
    .await;
    assert_eq!(ran.file.verdict, Verdict::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_do_not_meet() {
    let benches = [Bench::new(vec![group("a", 2, SPEAKER)]), Bench::new(vec![group("a", 2, SPEAKER)])];
    let play = |bench| {
        speak(bench, |mut voices, _| async move {
            for voice in &mut voices {
                voice.signal("ready").await;
                voice.publish("run_events", r#"{"success_event":{"group":"a"}}"#).await;
            }
            for voice in voices {
                voice.end().await;
            }
        })
    };
    let (first, second) = tokio::join!(play(&benches[0]), play(&benches[1]));
    assert!(first.passed() && second.passed());
}
