//! What the object of a pod says of its instance. Facts only, and no waiting: what has to be waited for is a state.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use tg_model::outcome::Ended;

use super::names;
use super::report::Report;

/// Reasons for which a container waits that do not go away by themselves within a moment.
const STUCK: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// It has no node, or its container is being made.
    Coming {
        /// Why it may never come, in the cluster's words, if there is a reason.
        stuck: Option<String>,
    },
    /// Its process runs.
    Running,
    /// Its node was told to give it up, for this reason, and has not said that its process ended.
    Leaving(String),
    /// Its process has ended, or will never begin.
    Over(Box<Over>),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Over {
    pub(super) ended: Option<Ended>,
    pub(super) oom: bool,
    pub(super) evicted: bool,
    /// It never ran.
    pub(super) not_started: Option<String>,
    /// Nobody can tell any more.
    pub(super) lost: Option<String>,
    /// Somebody deleted the pod while it ran.
    pub(super) deleted: bool,
    pub(super) elapsed: Option<Duration>,
    /// What the cluster says of it beyond the exit code.
    pub(super) words: Option<String>,
}

/// Reads a pod.
pub(super) fn standing(pod: &Pod) -> Standing {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let container = container(pod);
    let deleted = pod.metadata.deletion_timestamp.is_some();
    let disruption =
        status.conditions.iter().flatten().find(|it| it.type_ == "DisruptionTarget" && it.status == "True");
    let disrupted = disruption.and_then(|it| it.reason.as_deref());
    let words = disruption.and_then(|it| it.message.clone()).or_else(|| status.message.clone());
    // A node that was told to give a pod up for its taints may be well, or gone: then the pod never ends.
    let leaving = disrupted == Some("DeletionByTaintManager");
    let evicted = leaving
        || status.reason.as_deref() == Some("Evicted")
        || matches!(disrupted, Some("EvictionByEvictionAPI" | "PreemptionByScheduler" | "TerminationByKubelet"));
    let gone = status.reason.as_deref() == Some("NodeLost") || disrupted == Some("DeletionByPodGC");
    if let Some(terminated) = container.and_then(|it| it.state.as_ref()?.terminated.as_ref()) {
        return Standing::Over(Box::new(over(terminated, evicted, deleted, words)));
    }
    if gone {
        let why = words.unwrap_or_else(|| "its node is gone".to_owned());
        return Standing::Over(Box::new(Over { lost: Some(why), ..Over::default() }));
    }
    if phase == "Failed" || phase == "Succeeded" {
        // It was removed before it had a container, or its node knows no more of it.
        let why = words.or(status.reason).unwrap_or_else(|| "its pod ended without a container".to_owned());
        let over = if evicted { Over { evicted, words: Some(why), ..Over::default() } } else { never(&why) };
        return Standing::Over(Box::new(over));
    }
    if container.is_some_and(|it| it.state.as_ref().is_some_and(|state| state.running.is_some())) {
        let why = || words.unwrap_or_else(|| "its node was told to give it up, and is not heard from".to_owned());
        return if leaving { Standing::Leaving(why()) } else { Standing::Running };
    }
    if deleted && pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        return Standing::Over(Box::new(never("its pod was deleted before it had a node")));
    }
    Standing::Coming { stuck: stuck(pod, container) }
}

fn never(why: &str) -> Over {
    Over { not_started: Some(why.to_owned()), ..Over::default() }
}

fn over(terminated: &ContainerStateTerminated, evicted: bool, deleted: bool, words: Option<String>) -> Over {
    let reason = terminated.reason.as_deref().unwrap_or_default();
    let elapsed = match (&terminated.started_at, &terminated.finished_at) {
        (Some(from), Some(to)) => Duration::try_from(to.0.duration_since(from.0)).ok(),
        _ => None,
    };
    match reason {
        "StartError" | "ContainerCannotRun" => {
            let why = terminated.message.clone().unwrap_or_else(|| reason.to_owned());
            return never(&why);
        }
        "ContainerStatusUnknown" => {
            let why = terminated.message.clone().unwrap_or_else(|| "its node can no longer tell".to_owned());
            return Over { lost: Some(why), evicted, ..Over::default() };
        }
        _ => {}
    }
    Over {
        ended: Some(ended(terminated)),
        oom: reason == "OOMKilled",
        evicted,
        deleted,
        elapsed,
        words,
        ..Over::default()
    }
}

/// Container runtimes tell a signal as 128 and its number.
fn ended(terminated: &ContainerStateTerminated) -> Ended {
    if let Some(signal) = terminated.signal.filter(|signal| *signal > 0) {
        return Ended::Signal(signal);
    }
    match terminated.exit_code {
        code @ 129..=159 => Ended::Signal(code - 128),
        code => Ended::Code(code),
    }
}

fn stuck(pod: &Pod, container: Option<&ContainerStatus>) -> Option<String> {
    let waiting = container.and_then(|it| it.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = waiting
        && let Some(reason) = waiting.reason.as_deref().filter(|reason| STUCK.contains(reason))
    {
        return Some(match waiting.message.as_deref() {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        });
    }
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let unscheduled = conditions.iter().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    let reason = unscheduled.reason.as_deref().unwrap_or("Unschedulable");
    Some(format!("{reason}: {}", unscheduled.message.as_deref().unwrap_or("no node takes it")))
}

/// The status of the plan's container.
pub(super) fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|it| it.name == names::CONTAINER)
}

/// The number of the pod's group, and its index there.
pub(super) fn place(pod: &Pod) -> Option<(usize, u32)> {
    let group = names::label_of(pod, names::GROUP_NUMBER)?.parse().ok()?;
    let index = names::label_of(pod, names::INDEX).or_else(|| names::annotation_of(pod, names::INDEX))?;
    Some((group, index.parse().ok()?))
}

/// What the agent told of it, if it did.
pub(super) fn report(pod: &Pod) -> Option<Report> {
    let text = names::annotation_of(pod, names::REPORT)?;
    // Whoever may write pods can write this; nonsense is no report.
    serde_json::from_str(text).ok()
}

/// Whether the agent still has to publish what it wrote.
pub(super) fn held(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == names::FINALIZER)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"labels": {"tg/group-number": "1", "batch.kubernetes.io/job-completion-index": "7"}},
            "spec": {"nodeName": "n", "containers": []},
            "status": status,
        }))
        .expect("a pod")
    }

    fn with(state: &Value) -> Pod {
        pod(&json!({"phase": "Running", "containerStatuses": [
            {"name": "plan", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]}))
    }

    fn ends(state: &Value) -> Over {
        match standing(&with(&json!({ "terminated": state }))) {
            Standing::Over(over) => *over,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exits_signals_and_want_of_memory_are_told_apart() {
        let times = ("2026-11-26T10:00:00Z", "2026-11-26T10:00:07Z");
        let over = ends(&json!({"exitCode": 0, "reason": "Completed", "startedAt": times.0, "finishedAt": times.1}));
        assert_eq!((over.ended, over.elapsed), (Some(Ended::Code(0)), Some(Duration::from_secs(7))));
        assert_eq!(ends(&json!({"exitCode": 3, "reason": "Error"})).ended, Some(Ended::Code(3)));
        assert_eq!(ends(&json!({"exitCode": 139, "reason": "Error"})).ended, Some(Ended::Signal(11)));
        assert_eq!(ends(&json!({"exitCode": 255, "reason": "Error"})).ended, Some(Ended::Code(255)));
        let over = ends(&json!({"exitCode": 137, "reason": "OOMKilled"}));
        assert_eq!((over.oom, over.ended), (true, Some(Ended::Signal(9))));
        assert!(ends(&json!({"exitCode": 128, "reason": "StartError", "message": "no /plan"})).not_started.is_some());
        assert!(ends(&json!({"exitCode": 137, "reason": "ContainerStatusUnknown"})).lost.is_some());
    }

    #[test]
    fn evictions_lost_nodes_and_deletions_are_told_apart() {
        let condition = |reason: &str| {
            json!({"phase": "Failed", "conditions": [
                {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"}]})
        };
        let rows = [("EvictionByEvictionAPI", true), ("PreemptionByScheduler", true), ("DeletionByPodGC", false)];
        for (reason, evicted) in rows {
            let Standing::Over(over) = standing(&pod(&condition(reason))) else { panic!("{reason}") };
            assert_eq!((over.evicted, over.lost.is_some()), (evicted, !evicted), "{reason}");
        }
        // While the process of one with a taint on its node runs, nobody knows whether the node will tell of its end.
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"});
        let tainted = |state: Value| {
            pod(&json!({"phase": "Running", "conditions": [condition], "containerStatuses": [
                {"name": "plan", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]}))
        };
        assert!(matches!(standing(&tainted(json!({"running": {}}))), Standing::Leaving(_)));
        let Standing::Over(over) = standing(&tainted(json!({"terminated": {"exitCode": 143}}))) else { panic!() };
        assert!(over.evicted && over.lost.is_none());
        let Standing::Over(over) = standing(&pod(&json!({"phase": "Failed", "reason": "Evicted", "message": "disk"})))
        else {
            panic!()
        };
        assert_eq!((over.evicted, over.words.as_deref()), (true, Some("disk")));
    }

    #[test]
    fn what_cannot_come_says_why() {
        assert_eq!(standing(&pod(&json!({"phase": "Pending"}))), Standing::Coming { stuck: None });
        let pulling = with(&json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}));
        assert_eq!(standing(&pulling), Standing::Coming { stuck: Some("ImagePullBackOff: no such image".to_owned()) });
        assert_eq!(
            standing(&with(&json!({"waiting": {"reason": "ContainerCreating"}}))),
            Standing::Coming { stuck: None }
        );
        let unscheduled = pod(&json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}));
        assert_eq!(standing(&unscheduled), Standing::Coming { stuck: Some("Unschedulable: 0/1 nodes".to_owned()) });
        assert_eq!(standing(&with(&json!({"running": {}}))), Standing::Running);
    }

    #[test]
    fn a_pod_knows_its_place() {
        assert_eq!(place(&pod(&json!({}))), Some((1, 7)));
        assert_eq!(report(&pod(&json!({}))), None);
    }
}
