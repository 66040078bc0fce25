//! A collect as a Job of the cluster: next to the outputs, with the installation's own image and its access to the store.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use tg_model::RunId;
use tokio::time::{Instant, sleep_until};

use super::client::Cluster;
use super::error::ClusterError;
use super::pod::{self, Standing};
use super::settings::Settings;
use super::{job, names};

/// How long the pod may fail to start.
const STUCK_FOR: Duration = Duration::from_mins(2);
/// A Job that nobody follows is removed so long after it ended.
const KEEP_ENDED: Duration = Duration::from_hours(1);
const WORK: &str = "/scratch";

/// One collect.
#[derive(Debug, Clone, Copy)]
pub struct CollectJob<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Where its outputs are, and where archive and dataset go: `s3://bucket/prefix`.
    pub outputs: &'a str,
    /// More flags for `tg collect`.
    pub more: &'a [String],
}

/// How it went.
#[derive(Debug, Clone)]
pub struct CollectDone {
    /// The exit code of `tg collect`.
    pub code: i32,
    /// What it printed.
    pub said: String,
}

impl CollectJob<'_> {
    /// Makes the Job, or takes up one that is at it already, and waits for its end. `tell` hears what it waits for.
    pub async fn run(
        &self,
        cluster: &Cluster,
        tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<CollectDone, ClusterError> {
        let settings = Settings::of(cluster).await?;
        let jobs = cluster.api::<Job>();
        let name = format!("{}-collect", names::record(self.run));
        match jobs.create(&PostParams::default(), &self.job(&name, &settings)?).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                tell(&format!("a collect of `{}` is in the cluster already; following that", self.run));
            }
            Err(error) => return Err(ClusterError::api(format!("create the Job `{name}`"))(error)),
        }
        let done = self.follow(cluster, &name, tell).await?;
        match jobs.delete(&name, &DeleteParams::background()).await {
            Ok(_) => Ok(done),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(done),
            Err(error) => Err(ClusterError::api(format!("remove the Job `{name}`"))(error)),
        }
    }

    fn job(&self, name: &str, settings: &Settings) -> Result<Job, ClusterError> {
        let labels = json!({"app.kubernetes.io/managed-by": "tg", names::PART: "collect"});
        let mut args = vec!["collect", self.run.as_str(), "--source", self.outputs, "--publish", self.outputs];
        args.extend(["--output", "/scratch/collected"]);
        args.extend(self.more.iter().map(String::as_str));
        job::read(json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "backoffLimit": 0, "ttlSecondsAfterFinished": KEEP_ENDED.as_secs(),
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "restartPolicy": "Never",
                        // The agents' account may be one that the store knows.
                        "serviceAccountName": names::AGENT, "automountServiceAccountToken": false,
                        "enableServiceLinks": false,
                        "containers": [{
                            "name": names::CONTAINER, "image": settings.image, "imagePullPolicy": "IfNotPresent",
                            "args": args,
                            "env": [{"name": "TG_HOME", "value": WORK}, {"name": "NO_COLOR", "value": "1"}],
                            "envFrom": [
                                {"configMapRef": {"name": names::SETTINGS}},
                                {"secretRef": {"name": names::KEYS, "optional": true}},
                            ],
                            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
                            "volumeMounts": [{"name": "work", "mountPath": WORK}],
                        }],
                        "volumes": [{"name": "work", "emptyDir": {}}],
                    },
                },
            },
        }))
    }

    async fn follow(
        &self,
        cluster: &Cluster,
        job: &str,
        tell: &mut (dyn FnMut(&str) + Send),
    ) -> Result<CollectDone, ClusterError> {
        let config = watcher::Config::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        let mut pods = pin!(watcher(cluster.api::<Pod>(), config).default_backoff());
        let mut stuck: Option<(String, Instant)> = None;
        let mut told = "";
        loop {
            let late = stuck.as_ref().map_or_else(|| Instant::now() + STUCK_FOR, |(_, since)| *since + STUCK_FOR);
            let pod = tokio::select! {
                event = pods.next() => match event {
                    Some(Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => pod,
                    Some(Ok(watcher::Event::Delete(_))) | None => {
                        return Err(self.failed("somebody removed its pod".to_owned()));
                    }
                    // It begins anew by itself.
                    Some(Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_)) => continue,
                },
                () = sleep_until(late), if stuck.is_some() => {
                    let why = stuck.map(|(why, _)| why).unwrap_or_default();
                    drop(cluster.api::<Job>().delete(job, &DeleteParams::background()).await);
                    return Err(self.failed(format!("its pod did not start: {why}")));
                }
            };
            let mut say = |text: &'static str| {
                if std::mem::replace(&mut told, text) != text {
                    tell(text);
                }
            };
            match pod::standing(&pod) {
                Standing::Coming { stuck: why } => {
                    say("waiting for the pod that collects");
                    let since = stuck.take().map(|(_, since)| since);
                    stuck = why.map(|why| (why, since.unwrap_or_else(Instant::now)));
                }
                Standing::Running | Standing::Leaving(_) => {
                    stuck = None;
                    say("collecting");
                }
                Standing::Over(over) => {
                    let name = pod.metadata.name.unwrap_or_default();
                    let code = match over.ended {
                        Some(tg_model::outcome::Ended::Code(code)) if !over.oom => code,
                        _ => {
                            let why = match (over.oom, over.not_started.or(over.lost).or(over.words)) {
                                (true, _) => "its node ran out of memory for it".to_owned(),
                                (false, Some(why)) => why,
                                (false, None) => "its pod was killed".to_owned(),
                            };
                            drop(cluster.api::<Job>().delete(job, &DeleteParams::background()).await);
                            return Err(self.failed(why));
                        }
                    };
                    let said = cluster.api::<Pod>().logs(&name, &LogParams::default()).await;
                    let said = said.map_err(ClusterError::api("read what the collect printed"))?;
                    return Ok(CollectDone { code, said });
                }
            }
        }
    }

    fn failed(&self, why: String) -> ClusterError {
        ClusterError::Collect { run: self.run.to_string(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_collects_from_the_bucket_into_the_bucket_and_holds_no_key() {
        let run: RunId = "20261126-172521123-abcd".parse().expect("an id");
        let settings = Settings { image: "tg:1".to_owned(), ..Settings::default() };
        let more = ["--strict".to_owned()];
        let collect = CollectJob { run: &run, outputs: "s3://lab/runs", more: &more };
        let job = collect.job("tg-x-collect", &settings).expect("a Job");
        let spec = job.spec.expect("a spec").template.spec.expect("a pod");
        let container = &spec.containers[0];
        let args = container.args.clone().unwrap_or_default().join(" ");
        let wanted = "collect 20261126-172521123-abcd --source s3://lab/runs --publish s3://lab/runs";
        assert_eq!(args, format!("{wanted} --output /scratch/collected --strict"));
        assert_eq!(container.image.as_deref(), Some("tg:1"));
        assert_eq!(spec.automount_service_account_token, Some(false));
    }
}
