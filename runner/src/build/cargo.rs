//! `exec:cargo`: a package of the plan's own workspace.
//!
//! cargo is always asked: its freshness check is fast and knows path dependencies outside the plan's folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::artifact::{self, Artifact};
use super::cmd::Cmd;
use super::error::BuildError;
use super::plan::Job;
use super::tool;
use crate::cancel::Cancel;

/// What `build_config` may hold.
pub(super) const SETTINGS: &[&str] = &["profile", "bin", "path", "default_features"];

/// A line of cargo's machine-readable output.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    target: Target,
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

pub(super) async fn build(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let cargo = tool::need(job.builder(), "cargo")?;
    let dir = job.text("path")?.map_or_else(|| job.plan_dir.clone(), |path| job.plan_dir.join(path));
    if !dir.join("Cargo.toml").is_file() {
        return Err(job.bad(format!("there is no Cargo.toml in `{}`", dir.display())));
    }
    if let Some(dependency) = job.group.build.dependencies.first() {
        let module = &dependency.module;
        return Err(job.bad(format!("dependencies cannot be replaced (`{module}`); use [patch] in Cargo.toml")));
    }
    let bin = job.text("bin")?;
    let mut command = Cmd::new(job.builder(), &cargo, &dir)
        .args(["build", "--message-format=json-render-diagnostics", "--quiet"])
        .args(["--profile", job.text("profile")?.unwrap_or("dev")]);
    if let Some(bin) = bin {
        command = command.args(["--bin", bin]);
    }
    match job.group.build.config.get("default_features") {
        None | Some(toml::Value::Boolean(true)) => {}
        Some(toml::Value::Boolean(false)) => command = command.arg("--no-default-features"),
        Some(other) => return Err(job.bad(format!("`default_features` must be true or false, not {other}"))),
    }
    if !job.group.build.selectors.is_empty() {
        command = command.args(["--features", &job.group.build.selectors.join(",")]);
    }
    // Builds of one plan with other features write the same file: from here to the copy we are alone.
    let lock = lock(&job.cache, &dir).await?;
    let step = command.stdout_is_data().run(cancel).await?;
    let messages: Vec<Message> = step.stdout.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let fresh = messages.iter().all(|message| message.reason != "compiler-artifact" || message.fresh);
    let program = pick(job, bin, messages)?;
    let cache = job.cache.clone();
    let kept = blocking(move || artifact::keep(&program, &cache)).await;
    drop(lock);
    let (program, _) = kept?;
    Ok((Artifact::program(vec![program.into()]), fresh))
}

/// The one binary, or the one that is named like the plan.
fn pick(job: &Job, bin: Option<&str>, messages: Vec<Message>) -> Result<PathBuf, BuildError> {
    let mut bins: Vec<(String, PathBuf)> = messages
        .into_iter()
        .filter(|message| message.reason == "compiler-artifact" && message.target.kind.iter().any(|kind| kind == "bin"))
        .filter_map(|message| Some((message.target.name, message.executable?)))
        .collect();
    bins.sort_unstable();
    bins.dedup();
    let wanted = bin.unwrap_or(&job.plan);
    if bins.len() > 1
        && let Some(at) = bins.iter().position(|(name, _)| name == wanted)
    {
        return Ok(bins.swap_remove(at).1);
    }
    match bins.len() {
        0 => Err(job.bad("the package has no binary")),
        1 => Ok(bins.swap_remove(0).1),
        _ => {
            let names: Vec<_> = bins.iter().map(|(name, _)| format!("`{name}`")).collect();
            Err(job.bad(format!("the package has several binaries ({}); say which with `bin`", names.join(", "))))
        }
    }
}

/// Waits until no other tg builds in this folder.
async fn lock(cache: &Path, dir: &Path) -> Result<File, BuildError> {
    let name = format!("cargo-{}.lock", artifact::hash(dir.as_os_str().as_encoded_bytes()));
    let (cache, path) = (cache.to_owned(), cache.join(name));
    blocking(move || {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BuildError::Cache { path, source }
        };
        std::fs::create_dir_all(&cache).map_err(failed(&cache))?;
        let file = File::create(&path).map_err(failed(&path))?;
        file.lock().map_err(failed(&path))?;
        Ok(file)
    })
    .await
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| BuildError::Fault(error.to_string()))?
}
