//! The record of a run in the cluster: what another tg needs to pick it up. A `ConfigMap` that goes with the run's Jobs.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tg_model::spec::{BuildSpec, GroupSpec, Resources, RunSpec};
use tg_model::{RunFile, RunId};

use super::client::Cluster;
use super::error::ClusterError;
use super::names;

/// The key of the record in the `ConfigMap`.
const KEY: &str = "run.json";

/// What the cluster knows of a run besides its Jobs and pods.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) file: RunFile,
    pub(super) deadline_ns: Option<u64>,
}

impl Record {
    pub(super) fn new(file: &RunFile, deadline: Option<Duration>) -> Self {
        let deadline_ns = deadline.map(|deadline| u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX));
        Self { file: file.clone(), deadline_ns }
    }

    /// Writes it; `jobs` are those it goes with.
    pub(super) async fn write(&self, cluster: &Cluster, jobs: &[Job]) -> Result<(), ClusterError> {
        let owners: Vec<_> = jobs
            .iter()
            .map(|job| {
                let (name, uid) = (&job.metadata.name, &job.metadata.uid);
                json!({"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid})
            })
            .collect();
        let text = serde_json::to_string(self)
            .map_err(|error| ClusterError::Setting(format!("the run cannot be described: {error}")))?;
        let name = names::record(&self.file.run);
        let map: ConfigMap = super::job::read(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {names::RUN: self.file.run.as_str()}, "ownerReferences": owners},
            "data": {KEY: text},
        }))?;
        let created = cluster.api::<ConfigMap>().create(&PostParams::default(), &map).await;
        created.map(drop).map_err(ClusterError::api(format!("write the record `{name}`")))
    }

    /// That of a run.
    pub(super) async fn of(cluster: &Cluster, run: &RunId) -> Result<Self, ClusterError> {
        let name = names::record(run);
        let found = cluster.api::<ConfigMap>().get_opt(&name).await;
        let found = found.map_err(ClusterError::api(format!("read the record `{name}`")))?;
        let text = found.and_then(|map| map.data?.remove(KEY)).ok_or_else(|| ClusterError::NoRun(run.to_string()))?;
        serde_json::from_str(&text)
            .map_err(|error| ClusterError::Setting(format!("the record `{name}` cannot be read: {error}")))
    }

    /// As much of the run's description as it takes to follow it.
    pub(super) fn spec(&self) -> RunSpec {
        let file = &self.file;
        let group = |group: &tg_model::run::RunGroup| GroupSpec {
            name: group.name.clone(),
            count: group.count,
            params: group.params.clone(),
            build: BuildSpec {
                builder: group.builder.clone(),
                config: toml::Table::new(),
                selectors: Vec::new(),
                dependencies: Vec::new(),
                extra_sources: Vec::new(),
            },
            artifact: None,
            profiles: std::collections::BTreeMap::new(),
            resources: Resources::default(),
            expect: group.expect,
        };
        RunSpec {
            plan: file.plan.clone(),
            plan_dir: std::path::PathBuf::new(),
            case: file.case.clone(),
            backend: file.backend.clone(),
            run_config: toml::Table::new(),
            seed: file.seed,
            groups: file.groups.iter().map(group).collect(),
            faults: Vec::new(),
            network: None,
            disable_metrics: false,
            concurrent_builds: 0,
            deadline: self.deadline_ns.map(Duration::from_nanos),
            composition: file.composition.clone(),
            config: std::collections::BTreeMap::new(),
            repeat: 0,
            repeats: 1,
        }
    }
}
