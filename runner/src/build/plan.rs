//! Builds what the groups of several runs need, each thing once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tg_model::event::EventKind;
use tg_model::spec::{GroupSpec, RunSpec};
use tg_model::{GroupName, RunEvent};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::artifact::{self, Artifact, Artifacts};
use super::error::BuildError;
use super::image::{self, ImageOptions};
use super::{cargo, generic, go, node, tool};
use crate::cancel::Cancel;
use crate::clock::{Clock, ns};

/// Where and how to build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The folder of the build cache, `<home>/cache/builds`.
    pub cache: PathBuf,
    /// How many builds may go on at once.
    pub limit: usize,
    /// Where images go.
    pub images: ImageOptions,
}

impl BuildOptions {
    /// The cache below tg's home, and the limit that the composition or the machine gives.
    pub fn new(home: &Path, specs: &[RunSpec]) -> Self {
        let wanted = specs.iter().map(|spec| spec.concurrent_builds).filter(|limit| *limit > 0).min();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let limit = wanted.map_or(processors, |limit| limit as usize);
        Self { cache: home.join("cache").join("builds"), limit, images: ImageOptions::default() }
    }
}

/// One thing to build.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) plan_dir: PathBuf,
    pub(super) plan: String,
    pub(super) group: GroupSpec,
    pub(super) cache: PathBuf,
    pub(super) images: ImageOptions,
}

impl Job {
    pub(super) fn builder(&self) -> &str {
        &self.group.build.builder
    }

    pub(super) fn bad(&self, text: impl Into<String>) -> BuildError {
        BuildError::Config { builder: self.builder().to_owned(), text: text.into() }
    }

    /// A setting that is a text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, BuildError> {
        match self.group.build.config.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(format!("`{key}` must be a text, not {other}"))),
        }
    }

    /// A setting that is a list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, BuildError> {
        let Some(value) = self.group.build.config.get(key) else { return Ok(None) };
        let texts =
            value.as_array().and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts
            .map(Some)
            .ok_or_else(|| self.bad(format!("`{key}` must be a list of texts, such as [\"sh\", \"run.sh\"]")))
    }

    /// Folders outside the plan's that the build needs.
    pub(super) fn extra_sources(&self) -> Vec<PathBuf> {
        self.group.build.extra_sources.iter().map(|folder| self.plan_dir.join(folder)).collect()
    }
}

/// Complains of settings that a group's builder does not have.
fn only_known(group: &GroupSpec) -> Result<(), BuildError> {
    let known = match group.build.builder.as_str() {
        "exec:cargo" | "docker:cargo" => cargo::SETTINGS,
        "exec:go" | "docker:go" => go::SETTINGS,
        "exec:node" | "docker:node" => node::SETTINGS,
        "exec:generic" => generic::SETTINGS,
        "docker:generic" => image::SETTINGS,
        // That there is no such builder is told when one is looked for.
        _ => return Ok(()),
    };
    match group.build.config.keys().find(|key| *key != "enabled" && !known.contains(&key.as_str())) {
        Some(key) => Err(BuildError::Setting {
            builder: group.build.builder.clone(),
            group: group.name.to_string(),
            key: key.clone(),
            hint: match tg_model::problem::nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            },
        }),
        None => Ok(()),
    }
}

/// Checks, before anything is built, that the builders of these runs have the settings that are made.
pub fn check_settings(specs: &[RunSpec]) -> Result<(), BuildError> {
    specs.iter().flat_map(|spec| &spec.groups).try_for_each(only_known)
}

/// Builds everything that the groups of these runs need, each thing once, some at a time.
///
/// Events are `BuildStarted`, `BuildFinished` and `BuildFailed`, with numbers of their own: they belong to no run yet.
/// The first failure ends the other builds.
pub async fn build_all(
    specs: &[RunSpec],
    options: &BuildOptions,
    events: &mpsc::Sender<RunEvent>,
    cancel: &Cancel,
) -> Result<Artifacts, BuildError> {
    check_settings(specs)?;
    let mut jobs: BTreeMap<String, (Job, Vec<GroupName>)> = BTreeMap::new();
    for spec in specs {
        for group in &spec.groups {
            let job = || Job {
                plan_dir: spec.plan_dir.clone(),
                plan: spec.plan.clone(),
                group: group.clone(),
                cache: options.cache.clone(),
                images: options.images.clone(),
            };
            let (_, groups) = jobs.entry(artifact::key(spec, group)).or_insert_with(|| (job(), Vec::new()));
            if !groups.contains(&group.name) {
                groups.push(group.name.clone());
            }
        }
    }
    let permits = Arc::new(Semaphore::new(options.limit.max(1)));
    // Groups of one plan with different features share cargo's target folder, and its lock.
    let mut building = JoinSet::new();
    let mut teller = Teller { clock: Clock::start(), seq: 0, to: events.clone() };
    let (began, mut begins) = mpsc::channel(1);
    let mut all_groups = BTreeMap::new();
    for (key, (job, groups)) in jobs {
        all_groups.insert(key.clone(), (job.builder().to_owned(), groups));
        let (permits, began, cancel) = (Arc::clone(&permits), began.clone(), cancel.clone());
        building.spawn(async move {
            let _permit = permits.acquire_owned().await;
            // Nobody listens any more after a failure.
            drop(began.send(key.clone()).await);
            let clock = Clock::start();
            let built = build(&job, &cancel).await;
            (key, built, clock.elapsed())
        });
    }
    drop(began);
    let mut artifacts = Artifacts::default();
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            Some(key) = begins.recv() => {
                let (builder, groups) = all_groups.get(&key).cloned().unwrap_or_default();
                let event = teller.tell(EventKind::BuildStarted { builder, groups }).await;
                told.insert(key, event);
            }
            joined = building.join_next() => {
                let Some(joined) = joined else { return Ok(artifacts) };
                let (key, built, elapsed) = joined.map_err(|error| BuildError::Fault(error.to_string()))?;
                let (builder, groups) = all_groups.get(&key).cloned().unwrap_or_default();
                match built {
                    Ok((artifact, cached)) => {
                        let elapsed_ns = ns(elapsed);
                        let ended = teller.tell(EventKind::BuildFinished { builder, groups, cached, elapsed_ns }).await;
                        let told = told.remove(&key).into_iter().chain([ended]).collect();
                        artifacts.insert(key, artifact, told);
                    }
                    Err(error) => {
                        building.shutdown().await;
                        if let BuildError::Failed { command, output, .. } = &error {
                            let (command, output) = (command.clone(), output.clone());
                            teller.tell(EventKind::BuildFailed { builder, groups, command, output }).await;
                        }
                        return Err(error);
                    }
                }
            }
        }
    }
}

struct Teller {
    clock: Clock,
    seq: u64,
    to: mpsc::Sender<RunEvent>,
}

impl Teller {
    async fn tell(&mut self, kind: EventKind) -> RunEvent {
        self.seq += 1;
        // A reporter that is gone does not spoil a build.
        let event = RunEvent { seq: self.seq, ts: self.clock.now_ns(), kind };
        drop(self.to.send(event.clone()).await);
        event
    }
}

/// Builds one thing; returns it and whether nothing had changed.
async fn build(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    if cancel.reason().is_some() {
        return Err(BuildError::Cancelled);
    }
    if let Some(ready) = job.ready_image() {
        return Ok((ready, true));
    }
    if let Some(ready) = &job.group.artifact {
        let program = tool::resolve(job.builder(), &job.plan_dir, ready)?;
        let command = match job.builder() {
            "exec:node" => node::command(job, &program)?,
            _ => vec![program.into()],
        };
        return Ok((Artifact::program(command), true));
    }
    for (folder, named) in job.extra_sources().iter().zip(&job.group.build.extra_sources) {
        if !folder.is_dir() {
            return Err(job.bad(format!("`extra_sources` of the manifest names `{named}`, which is no folder")));
        }
    }
    match job.builder() {
        "exec:cargo" => Box::pin(cargo::build(job, cancel)).await,
        "exec:go" => Box::pin(go::build(job, cancel)).await,
        "exec:node" => Box::pin(node::build(job, cancel)).await,
        "exec:generic" => Box::pin(generic::build(job, cancel)).await,
        "docker:cargo" => Box::pin(image::cargo(job, cancel)).await,
        "docker:go" => Box::pin(image::go(job, cancel)).await,
        "docker:node" => Box::pin(image::node(job, cancel)).await,
        "docker:generic" => Box::pin(image::generic(job, cancel)).await,
        other => Err(BuildError::Unknown(other.to_owned())),
    }
}
