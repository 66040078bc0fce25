//! The Job of a group.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tg_model::spec::{GroupSpec, RunSpec};
use tg_model::{RunId, env};

use super::error::ClusterError;
use super::names;
use crate::environment::{Common, pack};

/// Where a plan finds its outputs and its temporary folder.
const OUTPUTS: &str = "/outputs";
const TEMP: &str = "/temp";
/// A Job whose runner is gone is removed so long after it ended.
const KEEP_ENDED: Duration = Duration::from_hours(1);
/// What a run without a deadline may take, if its runner is gone.
const LONGEST: Duration = Duration::from_hours(24);
/// What it may take until all pods run, which a run's deadline does not count.
const STARTING: Duration = Duration::from_mins(30);

/// Settings of `[runners."cluster:k8s"]` in a manifest or composition.
#[derive(Debug, Clone, Default)]
pub(super) struct PodSettings {
    node_selector: Option<Value>,
    tolerations: Option<Value>,
    image_pull_secrets: Vec<Value>,
    image_pull_policy: String,
    cpu: Option<String>,
    memory: Option<String>,
    /// How long the run may take, where nothing else says so.
    pub(super) deadline: Option<Duration>,
}

impl PodSettings {
    const KNOWN: [&str; 8] = [
        "enabled",
        "node_selector",
        "tolerations",
        "image_pull_secrets",
        "image_pull_policy",
        "testplan_pod_cpu",
        "testplan_pod_memory",
        "run_timeout_min",
    ];

    /// Reads them, and complains of what it does not know.
    pub(super) fn read(config: &toml::Table) -> Result<Self, ClusterError> {
        let bad = |text: String| ClusterError::Setting(format!("[runners.\"cluster:k8s\"]: {text}"));
        if let Some(key) = config.keys().find(|key| !Self::KNOWN.contains(&key.as_str())) {
            return Err(bad(format!("there is no setting `{key}`; there are {}", Self::KNOWN.join(", "))));
        }
        let text = |key: &str| match config.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(bad(format!("`{key}` must be a text, not {other}"))),
        };
        let any = |key: &str| config.get(key).map(|value| serde_json::to_value(value).unwrap_or_default());
        let secrets = match config.get("image_pull_secrets") {
            None => Vec::new(),
            Some(toml::Value::Array(names)) => names.iter().map(|name| json!({"name": name.as_str()})).collect(),
            Some(other) => return Err(bad(format!("`image_pull_secrets` must be a list of names, not {other}"))),
        };
        let deadline = match config.get("run_timeout_min") {
            None => None,
            Some(toml::Value::Integer(minutes @ 1..=100_000)) => Some(Duration::from_mins(minutes.unsigned_abs())),
            Some(other) => return Err(bad(format!("`run_timeout_min` must be a number of minutes, not {other}"))),
        };
        Ok(Self {
            deadline,
            node_selector: any("node_selector"),
            tolerations: any("tolerations"),
            image_pull_secrets: secrets,
            image_pull_policy: text("image_pull_policy")?.unwrap_or_else(|| "IfNotPresent".to_owned()),
            cpu: text("testplan_pod_cpu")?,
            memory: text("testplan_pod_memory")?,
        })
    }
}

/// What all groups of a run share.
#[derive(Debug)]
pub(super) struct JobMaker<'a> {
    pub(super) run: &'a RunId,
    pub(super) spec: &'a RunSpec,
    pub(super) common: &'a Common,
    pub(super) pods: &'a PodSettings,
    /// The address of the sync service, for the names that SDKs have built in.
    pub(super) sync: &'a str,
    /// The network that all pods are in.
    pub(super) subnet: &'a str,
    pub(super) grace: Duration,
    pub(super) deadline: Option<Duration>,
}

impl JobMaker<'_> {
    /// The Job of the group with this number.
    pub(super) fn job(&self, number: usize, group: &GroupSpec, image: &str) -> Result<Job, ClusterError> {
        let labels = json!({
            "app.kubernetes.io/managed-by": "tg",
            names::RUN: self.run.as_str(),
            names::PLAN: names::label(&self.spec.plan),
            names::CASE: names::label(&self.spec.case),
            names::GROUP: names::label(group.name.as_str()),
            names::GROUP_NUMBER: number.to_string(),
        });
        let longest = self.deadline.map_or(LONGEST, |deadline| deadline + STARTING);
        let spec = json!({
            "completionMode": "Indexed",
            "completions": group.count,
            "parallelism": group.count,
            // One failure must not touch the others, and nothing may run twice: with `backoffLimit` the first failed
            // pod would end the whole group.
            "backoffLimitPerIndex": 0,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": longest.as_secs().max(1),
            "ttlSecondsAfterFinished": KEEP_ENDED.as_secs(),
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {names::GROUP_NAME: group.name.as_str()},
                    "finalizers": [names::FINALIZER],
                },
                "spec": self.pod(group, image),
            },
        });
        read(json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": names::job(self.run, number), "labels": labels},
            "spec": spec,
        }))
    }

    fn pod(&self, group: &GroupSpec, image: &str) -> Value {
        let outputs = format!("{}/runs/{}/outputs/{}", names::NODE_ROOT, self.run, group.name);
        let mut spec = json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            // Links to every service would be in every environment.
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": self.grace.as_secs().max(1),
            // 10,000 pods would ask the cluster's DNS for the same name; not every cluster has one, either.
            "hostAliases": [{"ip": self.sync, "hostnames": [names::SYNC]}],
            "containers": [{
                "name": names::CONTAINER,
                "image": image,
                "imagePullPolicy": self.pods.image_pull_policy,
                "env": self.env(group),
                "resources": self.resources(group),
                "volumeMounts": [
                    {"name": "outputs", "mountPath": OUTPUTS, "subPathExpr": format!("$({})", env::TG_INSTANCE_INDEX)},
                    {"name": "temp", "mountPath": TEMP},
                ],
            }],
            "volumes": [
                {"name": "outputs", "hostPath": {"path": outputs, "type": "DirectoryOrCreate"}},
                {"name": "temp", "emptyDir": {}},
            ],
        });
        if let Some(selector) = &self.pods.node_selector {
            spec["nodeSelector"] = selector.clone();
        }
        if let Some(tolerations) = &self.pods.tolerations {
            spec["tolerations"] = tolerations.clone();
        }
        if !self.pods.image_pull_secrets.is_empty() {
            spec["imagePullSecrets"] = json!(self.pods.image_pull_secrets);
        }
        spec
    }

    fn env(&self, group: &GroupSpec) -> Vec<Value> {
        let plain = |name: &str, value: &str| json!({"name": name, "value": escaped(value)});
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
        let flag = |on: bool| if on { "true" } else { "false" };
        let common = self.common;
        let mut vars = vec![
            // First, since the path of the outputs is made of it.
            field(env::TG_INSTANCE_INDEX, &format!("metadata.labels['{}']", names::INDEX)),
            field("POD_IP", "status.podIP"),
            field("HOST_IP", "status.hostIP"),
            plain(env::TEST_PLAN, &common.plan),
            plain(env::TEST_CASE, &common.case),
            plain(env::TEST_RUN, self.run.as_str()),
            plain(env::TEST_INSTANCE_COUNT, &self.spec.instances().to_string()),
            plain(env::TEST_GROUP_ID, group.name.as_str()),
            plain(env::TEST_GROUP_INSTANCE_COUNT, &group.count.to_string()),
            plain(env::TEST_INSTANCE_PARAMS, &pack(&group.params)),
            plain(env::TEST_CAPTURE_PROFILES, &pack(&group.profiles)),
            plain(env::TEST_OUTPUTS_PATH, OUTPUTS),
            plain(env::TEST_TEMP_PATH, TEMP),
            plain(env::TEST_SIDECAR, "true"),
            plain(env::TEST_SUBNET, self.subnet),
            plain(env::TEST_START_TIME, &common.start_time),
            plain(env::TEST_DISABLE_METRICS, flag(self.spec.disable_metrics)),
            plain(env::REDIS_HOST, "localhost"),
            plain(env::SYNC_SERVICE_HOST, names::SYNC),
            plain(env::TG_RUN_SEED, &self.spec.seed.to_string()),
        ];
        for name in [env::INFLUXDB_URL, env::TEST_REPO, env::TEST_BRANCH, env::TEST_TAG, env::TEST_INSTANCE_ROLE] {
            vars.push(plain(name, ""));
        }
        vars
    }

    /// What is asked for of processors and memory; memory is a limit, too.
    fn resources(&self, group: &GroupSpec) -> Value {
        let (mut requests, mut limits) = (json!({}), json!({}));
        if let Some(cpu) = group.resources.cpu.as_ref().or(self.pods.cpu.as_ref()) {
            requests["cpu"] = json!(cpu);
        }
        if let Some(memory) = group.resources.memory.as_ref().or(self.pods.memory.as_ref()) {
            requests["memory"] = json!(memory);
            limits["memory"] = json!(memory);
        }
        json!({"requests": requests, "limits": limits})
    }
}

/// Kubernetes fills in `$(NAME)`; a plan's parameter is to arrive as it was written.
fn escaped(value: &str) -> String {
    value.replace("$(", "$$(")
}

/// An object of a known kind from what was written down for it.
pub(super) fn read<T: DeserializeOwned>(object: Value) -> Result<T, ClusterError> {
    serde_json::from_value(object).map_err(|error| {
        ClusterError::Setting(format!("[runners.\"cluster:k8s\"]: a setting is not what it should be: {error}"))
    })
}
