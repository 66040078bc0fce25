//! `exec:node`: a package with its dependencies, installed into a copy. `docker:node` makes an image of that.
//!
//! The copy is cached by the content of the plan's files (all but `node_modules`) and the versions of node and npm.
//! Dependencies of the kind `file:` that lead out of the plan's folder are refused: a copy would not find them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_model::spec::BuildSpec;

use super::artifact::{self, Artifact};
use super::cargo::blocking;
use super::cmd::Cmd;
use super::error::BuildError;
use super::plan::Job;
use super::{sources, tool};
use crate::cancel::Cancel;

/// What `build_config` may hold.
pub(super) const SETTINGS: &[&str] = &["main", "path", "base_image"];

/// A package that is installed.
#[derive(Debug)]
pub(super) struct Installed {
    /// Its folder.
    pub(super) package: PathBuf,
    /// The file of it to run.
    pub(super) main: String,
    /// It was there before.
    pub(super) cached: bool,
}

pub(super) async fn build(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let Installed { package, main, cached } = install(job, cancel).await?;
    Ok((Artifact::program(command(job, &package.join(main))?), cached))
}

pub(super) async fn install(job: &Job, cancel: &Cancel) -> Result<Installed, BuildError> {
    let node = tool::need(job.builder(), "node")?;
    let npm = tool::need(job.builder(), "npm")?;
    if let Some(folder) = job.group.build.extra_sources.first() {
        return Err(job.bad(format!(
            "`extra_sources` cannot be used (`{folder}`): the package is built from a copy of its own folder"
        )));
    }
    let dir = job.text("path")?.map_or_else(|| job.plan_dir.clone(), |path| job.plan_dir.join(path));
    let package = package(job, &dir)?;
    let main = main_file(job, &package)?;
    let version = Cmd::new(job.builder(), &node, &dir).arg("--version").stdout_is_data().run(cancel).await?.stdout;
    let npm_version = Cmd::new(job.builder(), &npm, &dir).arg("--version").stdout_is_data().run(cancel).await?.stdout;
    // An image is made of what is installed here as well.
    let build = BuildSpec { builder: "exec:node".to_owned(), ..job.group.build.clone() };
    let extra = format!("{version:?} {npm_version:?} {}", artifact::text_of(&build));
    let from = dir.clone();
    let key = blocking(move || sources::hash(&from, &extra)).await?;
    let kept = job.cache.join(format!("node-{key}"));
    let cached = kept.is_dir();
    if !cached {
        install_into(job, &npm, &dir, &kept, cancel).await?;
    }
    if !kept.join(&main).is_file() {
        return Err(job.bad(format!("there is no `{main}` in the package; say with `main` which file to run")));
    }
    Ok(Installed { package: kept, main, cached })
}

/// How a script is run: by node itself, with no npm in between that would eat signals.
pub(super) fn command(job: &Job, main: &Path) -> Result<Vec<OsString>, BuildError> {
    Ok(vec![tool::need(job.builder(), "node")?.into(), main.into()])
}

async fn install_into(job: &Job, npm: &Path, dir: &Path, kept: &Path, cancel: &Cancel) -> Result<(), BuildError> {
    let partial = PathBuf::from(format!("{}-{}{}", kept.display(), std::process::id(), tg_model::layout::PARTIAL));
    let (from, to) = (dir.to_owned(), partial.clone());
    let installed = async {
        blocking(move || sources::copy(&from, &to)).await?;
        let how = if partial.join("package-lock.json").is_file() { "ci" } else { "install" };
        let quiet = ["--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
        Cmd::new(job.builder(), npm, &partial).arg(how).args(quiet).env("CI", "true").run(cancel).await?;
        match fs::rename(&partial, kept) {
            // Another tg was faster; what it made is the same.
            Err(_) if kept.is_dir() => Ok(()),
            renamed => renamed.map_err(|source| BuildError::Cache { path: kept.to_owned(), source }),
        }
    }
    .await;
    // Gone if all went well; if not, the first error matters.
    drop(fs::remove_dir_all(&partial));
    installed
}

fn package(job: &Job, dir: &Path) -> Result<Value, BuildError> {
    let path = dir.join("package.json");
    if !path.is_file() {
        return Err(job.bad(format!("there is no package.json in `{}`", dir.display())));
    }
    let text = fs::read(&path).map_err(|source| BuildError::Source { path: path.clone(), source })?;
    let package: Value =
        serde_json::from_slice(&text).map_err(|error| job.bad(format!("`{}` is no JSON: {error}", path.display())))?;
    for kind in ["dependencies", "devDependencies", "optionalDependencies"] {
        for (name, version) in package[kind].as_object().into_iter().flatten() {
            if version.as_str().is_some_and(|version| version.starts_with("file:..") || version.starts_with("file:/")) {
                return Err(job.bad(format!("dependency `{name}` lies outside the plan's folder ({version})")));
            }
        }
    }
    Ok(package)
}

/// The file to run: the setting `main`, the script `start` if it is `node FILE`, the package's `main`, or `index.js`.
fn main_file(job: &Job, package: &Value) -> Result<String, BuildError> {
    if let Some(main) = job.text("main")? {
        return Ok(main.to_owned());
    }
    if let Some(start) = package["scripts"]["start"].as_str() {
        let words: Vec<&str> = start.split_ascii_whitespace().collect();
        return match words[..] {
            ["node", file] => Ok(file.to_owned()),
            _ => Err(
                job.bad(format!("the script `start` is `{start}`, not `node FILE`; say with `main` which file to run"))
            ),
        };
    }
    Ok(package["main"].as_str().unwrap_or("index.js").to_owned())
}
