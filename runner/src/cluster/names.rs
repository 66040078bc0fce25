//! What things are called in a cluster: one place, so that what one part writes another finds.

use k8s_openapi::api::core::v1::Pod;
use tg_model::RunId;

/// Who owns the fields that we apply.
pub(super) const MANAGER: &str = "tg";
/// The run of a Job, a pod or a record.
pub(super) const RUN: &str = "tg/run";
/// The number of a group in its run: names of groups need not be good labels.
pub(super) const GROUP_NUMBER: &str = "tg/group-number";
/// The group, the plan and the case, as far as labels can say them: for people with `kubectl`.
pub(super) const GROUP: &str = "tg/group";
pub(super) const PLAN: &str = "tg/plan";
pub(super) const CASE: &str = "tg/case";
/// The label of everything that `tg cluster install` makes.
pub(super) const PART: &str = "tg/part";
/// The group's name as it is.
pub(super) const GROUP_NAME: &str = "tg/group-name";
/// The index of a pod in its Job, which Kubernetes sets.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Keeps a pod's object until the agent of its node has published what it wrote.
pub(super) const FINALIZER: &str = "tg/published";
/// What the agent found: see [`super::report::Report`].
pub(super) const REPORT: &str = "tg/report";
/// What an agent says of the object store, as an annotation of its own pod.
pub(super) const STORE: &str = "tg/store";
/// An annotation of an agent: the fingerprint of what it was told as it started.
pub(super) const TOLD: &str = "tg/told";
/// The one container of a pod.
pub(super) const CONTAINER: &str = "plan";
/// The sync service: published SDKs have this name built in.
pub(super) const SYNC: &str = "testground-sync-service";
/// The agent, its account and its rights.
pub(super) const AGENT: &str = "tg-agent";
/// The settings of the installation.
pub(super) const SETTINGS: &str = "tg-settings";
/// The keys of the object store, if the installation has any.
pub(super) const KEYS: &str = "tg-object-store";
/// Where a node keeps what instances write until it is published.
pub(super) const NODE_ROOT: &str = "/var/lib/tg";

/// Where an agent sees the control groups of its node.
pub(super) const CGROUPS: &str = "/host/cgroup";

/// The Job of a group.
pub(super) fn job(run: &RunId, group: usize) -> String {
    format!("tg-{run}-{group}").to_ascii_lowercase().replace('_', "-")
}

/// The record of a run.
pub(super) fn record(run: &RunId) -> String {
    format!("tg-{run}").to_ascii_lowercase().replace('_', "-")
}

/// A text as a label's value: 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
pub(super) fn label(text: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let text: String = text.chars().map(good).take(63).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// A label of a pod.
pub(super) fn label_of<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// An annotation of a pod.
pub(super) fn annotation_of<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_kubernetes_takes() {
        assert_eq!(label("a/b c"), "a-b-c");
        assert_eq!(label("-x-"), "x");
        assert_eq!(label(&"y".repeat(80)).len(), 63);
        assert_eq!(label("é"), "");
    }

    #[test]
    fn names_of_runs_are_dns_labels() {
        let run: RunId = "20261126-172521123-abcd".parse().expect("an id");
        assert_eq!(job(&run, 2), "tg-20261126-172521123-abcd-2");
        // A pod's name has an index and five letters behind it.
        assert!(job(&run, 999).len() + "-99999-abcde".len() <= 63);
    }
}
