//! Makes, looks at and removes what tg has in a cluster.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use super::client::Cluster;
use super::error::ClusterError;
use super::manifests::{self, Keys, Wanted};
use super::settings::Settings;
use super::{names, pod};

/// What to install.
#[derive(Debug, Clone, Default)]
pub struct InstallOptions {
    /// What everyone is told.
    pub settings: Settings,
    /// The keys of the object store; without them the agent has those of its identity.
    pub keys: Option<Keys>,
    /// Annotations of the agent's account, for workload identity.
    pub account: Vec<(String, String)>,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
}

/// What is there.
#[derive(Debug, Clone)]
pub struct Status {
    /// The API server's version.
    pub kubernetes: String,
    /// What the installation was told.
    pub settings: Settings,
    /// Whether the sync service is ready, and if not, why.
    pub sync: Result<(), String>,
    /// Nodes that are to have an agent, and those whose agent is ready.
    pub agents: (u32, u32),
    /// Why agents are not ready.
    pub trouble: Vec<String>,
    /// Whether the agents reach the object store, in words; nothing if none has said so yet.
    pub store: Option<Result<String, String>>,
    /// Nodes: name, whether ready, pods that fit in, pods that are there.
    pub nodes: Vec<NodeRoom>,
}

/// The room of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeRoom {
    /// Its name.
    pub name: String,
    /// Whether it is ready and takes pods.
    pub ready: bool,
    /// How many pods it may have.
    pub pods: u32,
    /// How many it has.
    pub used: u32,
    /// Its processors, in thousandths, and how many are promised.
    pub cpu_milli: (u64, u64),
    /// Its memory in bytes, and how much is promised.
    pub memory: (u64, u64),
}

impl InstallOptions {
    fn objects(&self, namespace: &str) -> Vec<Value> {
        manifests::all(&Wanted {
            namespace,
            settings: &self.settings,
            keys: self.keys.as_ref(),
            account: &self.account,
            pull_policy: &self.pull_policy,
        })
    }

    /// The manifests as one JSON list, which `kubectl apply -f -` takes.
    pub fn manifests(&self, namespace: &str) -> Value {
        serde_json::json!({"apiVersion": "v1", "kind": "List", "items": self.objects(namespace)})
    }
}

impl Cluster {
    /// Makes or upgrades the installation; whatever is there already and as it should be stays.
    ///
    /// A namespace that somebody else made is left alone: `uninstall` would delete it with all that is in it.
    pub async fn install(&self, options: &InstallOptions) -> Result<(), ClusterError> {
        let space = self.space().await?;
        if space.as_ref().is_some_and(|found| found.metadata.deletion_timestamp.is_some()) {
            return Err(ClusterError::Setting(format!(
                "namespace `{}` is still being deleted: wait until it is gone, or see what holds it with \
                 `kubectl get pods --namespace {}`",
                self.namespace, self.namespace
            )));
        }
        if space.is_some_and(|found| !is_ours(&found)) {
            return Err(ClusterError::Setting(format!(
                "namespace `{}` was not made by `tg cluster install`: name one that does not exist yet",
                self.namespace
            )));
        }
        for object in options.objects(&self.namespace) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let what = format!("apply {} `{name}`", object["kind"].as_str().unwrap_or("object"));
            let api = dynamic(&self.client, &self.namespace, &object);
            let params = PatchParams::apply(names::MANAGER).force();
            api.patch(&name, &params, &Patch::Apply(&object)).await.map_err(ClusterError::api(what))?;
        }
        if options.keys.is_none() {
            self.forget_keys().await?;
        }
        Ok(())
    }

    /// Removes the keys of an earlier installation, which agents would go on using.
    async fn forget_keys(&self) -> Result<(), ClusterError> {
        match self.api::<Secret>().delete(names::KEYS, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(ClusterError::api("remove the former keys of the object store")(error)),
        }
    }

    /// Waits until the sync service and every agent are ready. `tell` hears what it waits for when that changes.
    pub async fn ready(&self, wait: Duration, tell: &mut (dyn FnMut(&str) + Send)) -> Result<(), ClusterError> {
        let began = Instant::now();
        let mut before = String::new();
        loop {
            let status = self.status().await?;
            let missing = status.missing();
            if missing.is_empty() {
                return Ok(());
            }
            let what = missing.join("; ");
            if what != before {
                tell(&what);
                before.clone_from(&what);
            }
            if began.elapsed() >= wait {
                return Err(ClusterError::NotReady { what, waited: wait });
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Looks at the installation.
    pub async fn status(&self) -> Result<Status, ClusterError> {
        let settings = Settings::of(self).await?;
        let version = self.client.apiserver_version().await.map_err(ClusterError::api("ask for the version"))?;
        let deployment = self.api::<Deployment>().get_opt(names::SYNC).await;
        let deployment = deployment.map_err(ClusterError::api("look at the sync service"))?;
        let daemons = self.api::<DaemonSet>().get_opt(names::AGENT).await;
        let daemons = daemons.map_err(ClusterError::api("look at the agents"))?;
        let pods = self.own_pods().await?;
        let why = |part: &str| -> Vec<String> {
            let of_part = pods.iter().filter(|pod| names::label_of(pod, names::PART) == Some(part));
            of_part.filter_map(trouble).collect()
        };
        let current = |generation: Option<i64>, seen: Option<i64>| generation.is_none() || seen >= generation;
        let sync = match &deployment {
            None => Err("it is not there".to_owned()),
            Some(it) => {
                let status = it.status.clone().unwrap_or_default();
                let up = current(it.metadata.generation, status.observed_generation)
                    && status.ready_replicas.unwrap_or(0) >= 1
                    && status.updated_replicas.unwrap_or(0) >= 1;
                if up { Ok(()) } else { Err(first_of(why("sync"), "its pod is not ready")) }
            }
        };
        let agents = daemons.as_ref().map_or((0, 0), |it| {
            let status = it.status.clone().unwrap_or_default();
            let wanted = if current(it.metadata.generation, status.observed_generation) {
                status.desired_number_scheduled
            } else {
                // The controller has not looked yet.
                status.desired_number_scheduled.max(1)
            };
            let ready = status.number_ready.min(status.updated_number_scheduled.unwrap_or(0));
            (u32::try_from(wanted).unwrap_or(0), u32::try_from(ready).unwrap_or(0))
        });
        Ok(Status {
            kubernetes: version.git_version,
            settings,
            sync,
            agents,
            trouble: why("agent"),
            store: store(&pods),
            nodes: self.nodes().await?,
        })
    }

    /// The pods of the installation itself.
    async fn own_pods(&self) -> Result<Vec<Pod>, ClusterError> {
        let own = ListParams::default().labels(names::PART);
        let pods = self.api::<Pod>().list(&own).await.map_err(ClusterError::api("list the pods of tg"))?;
        Ok(pods.items)
    }

    /// Fails if an agent says that it cannot put outputs where they belong: a run would end with nothing published.
    pub(super) async fn reaches_store(&self) -> Result<(), ClusterError> {
        match store(&self.own_pods().await?) {
            Some(Err(words)) => Err(ClusterError::Outputs(words)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// The nodes and their room.
    pub(super) async fn nodes(&self) -> Result<Vec<NodeRoom>, ClusterError> {
        let nodes = Api::<Node>::all(self.client.clone()).list(&ListParams::default()).await;
        let nodes = nodes.map_err(ClusterError::api("list the nodes"))?;
        let pods = Api::<Pod>::all(self.client.clone());
        let going = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let pods = pods.list(&going).await.map_err(ClusterError::api("list the pods"))?;
        Ok(super::room::of(&nodes.items, &pods.items))
    }

    /// Removes everything, the namespace last, and waits until it is gone.
    pub async fn uninstall(&self, wait: Duration) -> Result<(), ClusterError> {
        let spaces: Api<Namespace> = Api::all(self.client.clone());
        let found = self.space().await?.ok_or_else(|| ClusterError::NotInstalled(self.namespace.clone()))?;
        if !is_ours(&found) {
            return Err(ClusterError::Setting(format!(
                "namespace `{}` was not made by `tg cluster install`, so it is left alone",
                self.namespace
            )));
        }
        spaces
            .delete(&self.namespace, &DeleteParams::background())
            .await
            .map_err(ClusterError::api("delete the namespace"))?;
        let began = Instant::now();
        loop {
            // The agents go with the rest, and then nobody lets the pods of runs go but us.
            self.let_go(None).await?;
            if self.space().await?.is_none() {
                return Ok(());
            }
            if began.elapsed() >= wait {
                let what = format!("namespace `{}` is still being deleted", self.namespace);
                return Err(ClusterError::NotReady { what, waited: wait });
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn space(&self) -> Result<Option<Namespace>, ClusterError> {
        let spaces: Api<Namespace> = Api::all(self.client.clone());
        spaces.get_opt(&self.namespace).await.map_err(ClusterError::api("look at the namespace"))
    }

    /// Takes our finalizer from the pods that still have it: of a run, or of all.
    pub(super) async fn let_go(&self, run: Option<&tg_model::RunId>) -> Result<u32, ClusterError> {
        let selector = run.map_or_else(|| names::RUN.to_owned(), |run| format!("{}={run}", names::RUN));
        let pods = self.api::<Pod>();
        let held = pods.list(&ListParams::default().labels(&selector)).await;
        let held = held.map_err(ClusterError::api("list the pods of runs"))?;
        let mut let_go = 0;
        for name in held.items.iter().filter(|it| pod::held(it)).filter_map(|it| it.metadata.name.as_deref()) {
            match pods.patch(name, &PatchParams::default(), &Patch::Strategic(without_finalizer())).await {
                Ok(_) => let_go += 1,
                // It is gone, which is what was wanted.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(ClusterError::api(format!("let pod `{name}` go"))(error)),
            }
        }
        Ok(let_go)
    }
}

impl Status {
    /// What is not ready, and why; empty if everything is.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if let Err(why) = &self.sync {
            missing.push(format!("the sync service: {why}"));
        }
        let (wanted, ready) = self.agents;
        if wanted == 0 {
            missing.push("the agents: no node is to have one".to_owned());
        } else if ready < wanted {
            let mut text = format!("the agents: {ready} of {wanted} are ready");
            for why in self.trouble.iter().take(3) {
                write!(text, ", {why}").ok();
            }
            missing.push(text);
        }
        let unsaid = self.store.is_none() && wanted > 0 && ready >= wanted;
        if unsaid || matches!(self.store, Some(Err(_))) {
            missing.push(format!("the outputs: {}", self.outputs()));
        }
        missing
    }

    /// Whether outputs get where they belong, in words.
    pub fn outputs(&self) -> &str {
        match &self.store {
            Some(Ok(words) | Err(words)) => words,
            None => "no agent has said yet whether it reaches them",
        }
    }
}

fn is_ours(space: &Namespace) -> bool {
    let labels = space.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app.kubernetes.io/managed-by")).is_some_and(|by| by == names::MANAGER)
}

/// What the agents say of the object store; an error if any does not reach it.
fn store(pods: &[Pod]) -> Option<Result<String, String>> {
    let staying = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let said: Vec<&str> = staying.filter_map(|pod| names::annotation_of(pod, names::STORE)).collect();
    let mut not = said.iter().filter(|words| **words != super::agent::REACHED);
    let agents = said.len();
    match not.next() {
        Some(words) => Some(Err(format!("{} of {agents} agents cannot reach them: {words}", 1 + not.count()))),
        None if said.is_empty() => None,
        None => Some(Ok(format!("reached by {agents} of {agents} agents"))),
    }
}

/// A patch that lets the object of a pod go.
pub(super) fn without_finalizer() -> Value {
    serde_json::json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [names::FINALIZER]}})
}

fn first_of(texts: Vec<String>, otherwise: &str) -> String {
    texts.into_iter().next().unwrap_or_else(|| otherwise.to_owned())
}

/// Why a pod is not ready.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if let Some(container) = status.container_statuses.iter().flatten().find(|container| !container.ready) {
        let state = container.state.clone().unwrap_or_default();
        let what = match (state.waiting, state.terminated) {
            (Some(waiting), _) => {
                let message = waiting.message.map(|message| format!(" ({message})")).unwrap_or_default();
                format!("{}{message}", waiting.reason.unwrap_or_default())
            }
            (None, Some(ended)) => format!("ended with code {}", ended.exit_code),
            (None, None) => "not ready yet".to_owned(),
        };
        return Some(format!("{name}: {what}"));
    }
    let condition = status.conditions.iter().flatten().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    Some(format!("{name}: {}", condition.message.as_deref().unwrap_or("no node takes it")))
}

/// An API for an object of any kind that we make.
fn dynamic(client: &Client, namespace: &str, object: &Value) -> Api<DynamicObject> {
    let version = object["apiVersion"].as_str().unwrap_or("v1");
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = object["kind"].as_str().unwrap_or_default();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if kind == "Namespace" {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}
