//! `exec:go`: a Go module, as Testground's builder of that name takes it.
//!
//! go is always asked: its own build cache is keyed by content and knows replaced modules outside the plan's folder.

use std::fs;
use std::path::{Path, PathBuf};

use tg_model::spec::Dependency;

use super::artifact::{self, Artifact};
use super::cargo::blocking;
use super::cmd::Cmd;
use super::error::BuildError;
use super::plan::Job;
use super::tool;
use crate::cancel::Cancel;

/// What `build_config` may hold.
pub(super) const SETTINGS: &[&str] = &["module_path", "exec_pkg", "path", "fresh_gomod"];

pub(super) async fn build(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    // `module_path` told Testground where it was in GOPATH; a module says so itself.
    if job.group.build.config.get("fresh_gomod").is_some_and(|fresh| fresh.as_bool() != Some(false)) {
        return Err(job.bad("`fresh_gomod` is not supported: the plan's own go.mod is used"));
    }
    let go = tool::need(job.builder(), "go")?;
    let dir = job.text("path")?.map_or_else(|| job.plan_dir.clone(), |path| job.plan_dir.join(path));
    if !dir.join("go.mod").is_file() {
        return Err(job.bad(format!("there is no go.mod in `{}`", dir.display())));
    }
    let work = Work::new(job)?;
    let program = work.0.join("plan");
    let mut command = Cmd::new(job.builder(), &go, &dir).arg("build").arg("-o").arg(&program);
    if !job.group.build.dependencies.is_empty() {
        let modfile = replace(job, &go, &dir, &work.0, cancel).await?;
        command = command.arg("-mod=mod").arg(format!("-modfile={}", modfile.display()));
    }
    if !job.group.build.selectors.is_empty() {
        command = command.arg("-tags").arg(job.group.build.selectors.join(","));
    }
    let package = match job.text("exec_pkg")? {
        None | Some("" | ".") => ".".to_owned(),
        Some(package) if package.starts_with("./") => package.to_owned(),
        // Testground's manifests name it relative to the module.
        Some(package) => format!("./{package}"),
    };
    command.arg(package).run(cancel).await?;
    if !tool::is_program(&program) {
        return Err(job.bad("the package is no `main` package, so there is nothing to run"));
    }
    let cache = job.cache.clone();
    let (program, cached) = blocking(move || artifact::keep(&program, &cache)).await?;
    Ok((Artifact::program(vec![program.into()]), cached))
}

/// A folder of one build, removed with it.
struct Work(PathBuf);

impl Work {
    fn new(job: &Job) -> Result<Self, BuildError> {
        let name = artifact::hash(format!("{}\n{}", job.plan_dir.display(), artifact::text_of(&job.group.build)));
        let path = job.cache.join(format!("go-{name}-{}{}", std::process::id(), tg_model::layout::PARTIAL));
        fs::create_dir_all(&path).map_err(|source| BuildError::Cache { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed is seen by its name to be no result.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Makes a second go.mod with other dependencies; the plan's own stays as it is.
async fn replace(job: &Job, go: &Path, dir: &Path, work: &Path, cancel: &Cancel) -> Result<PathBuf, BuildError> {
    let modfile = work.join("go.mod");
    let copied = fs::copy(dir.join("go.mod"), &modfile).and_then(|_| match dir.join("go.sum") {
        sums if sums.is_file() => fs::copy(sums, work.join("go.sum")),
        _ => Ok(0),
    });
    copied.map_err(|source| BuildError::Cache { path: modfile.clone(), source })?;
    let go = |subcommand: &str| Cmd::new(job.builder(), go, dir).args(subcommand.split(' '));
    for Dependency { module, target, version } in &job.group.build.dependencies {
        match (target, version) {
            (None, Some(version)) => {
                let file = format!("-modfile={}", modfile.display());
                go("get").arg(file).arg(format!("{module}@{version}")).run(cancel).await?;
            }
            (Some(target), version) => {
                let version = version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
                go("mod edit").arg(format!("-replace={module}={target}{version}")).arg(&modfile).run(cancel).await?;
            }
            (None, None) => return Err(job.bad(format!("dependency `{module}` has neither a target nor a version"))),
        }
    }
    Ok(modfile)
}
