//! `exec:generic`: a command, or a ready artifact, or what a build command makes.

use std::ffi::OsString;
use std::path::Path;

use super::artifact::{self, Artifact};
use super::cargo::blocking;
use super::cmd::Cmd;
use super::error::BuildError;
use super::plan::Job;
use super::{sources, tool};
use crate::cancel::Cancel;

/// What `build_config` may hold.
pub(super) const SETTINGS: &[&str] = &["command", "artifact", "build"];

/// Stands for the plan's folder in `command`.
const PLAN_DIR: &str = "{plan_dir}";

pub(super) async fn build(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let plan_dir = std::path::absolute(&job.plan_dir)
        .map_err(|source| BuildError::Source { path: job.plan_dir.clone(), source })?;
    let command = job.texts("command")?;
    let ready = job.text("artifact")?;
    let build = job.texts("build")?;
    match (command, ready) {
        (Some(_), Some(_)) => Err(job.bad("`command` and `artifact` cannot be given both")),
        (None, None) => Err(job.bad("give `command = [\"program\", \"argument\"]` or `artifact = \"path\"`")),
        (Some(command), None) => {
            // What the step makes is named by the command in ways that we cannot know, so it is made every time.
            if let Some(build) = &build {
                step(job, &plan_dir, build, cancel).await?;
            }
            Ok((Artifact::program(fill_in(job, &plan_dir, &command)?), build.is_none()))
        }
        (None, Some(ready)) => match build {
            Some(build) => cached(job, &plan_dir, ready, &build, cancel).await,
            None => Ok((Artifact::program(vec![tool::resolve(job.builder(), &plan_dir, ready)?.into()]), true)),
        },
    }
}

fn fill_in(job: &Job, plan_dir: &Path, command: &[String]) -> Result<Vec<OsString>, BuildError> {
    let Some((program, arguments)) = command.split_first() else { return Err(job.bad("`command` is empty")) };
    let dir = plan_dir.to_string_lossy();
    let program = tool::resolve(job.builder(), plan_dir, &program.replace(PLAN_DIR, &dir))?;
    let arguments = arguments.iter().map(|argument| argument.replace(PLAN_DIR, &dir).into());
    Ok(std::iter::once(program.into()).chain(arguments).collect())
}

async fn step(job: &Job, plan_dir: &Path, build: &[String], cancel: &Cancel) -> Result<(), BuildError> {
    let Some((program, arguments)) = build.split_first() else { return Err(job.bad("`build` is empty")) };
    let program = tool::resolve(job.builder(), plan_dir, program)?;
    Cmd::new(job.builder(), &program, plan_dir).args(arguments).run(cancel).await?;
    Ok(())
}

/// Builds unless the sources are those of an earlier build whose artifact is still kept.
async fn cached(
    job: &Job,
    plan_dir: &Path,
    ready: &str,
    build: &[String],
    cancel: &Cancel,
) -> Result<(Artifact, bool), BuildError> {
    let made = plan_dir.join(ready);
    let extra = format!("{}\n{}", plan_dir.display(), artifact::text_of(&job.group.build));
    let (dir, skip, more) = (plan_dir.to_owned(), made.clone(), job.extra_sources());
    // What the build makes is no source, although it may lie among them.
    let key = blocking(move || {
        let mut extra = extra;
        for folder in more {
            extra = format!("{extra}\n{}", sources::hash(&folder, "")?);
        }
        sources::hash_without(&dir, &skip, &extra)
    })
    .await?;
    let name = Path::new(ready).file_name().map_or_else(|| OsString::from("plan"), OsString::from);
    let kept = job.cache.join(format!("generic-{key}")).join(name);
    if tool::is_program(&kept) {
        return Ok((Artifact::program(vec![kept.into()]), true));
    }
    step(job, plan_dir, build, cancel).await?;
    if !tool::is_program(&made) {
        return Err(job.bad(format!("`build` went well but left no program `{ready}`")));
    }
    let to = kept.clone();
    blocking(move || artifact::put(&made, &to)).await?;
    Ok((Artifact::program(vec![kept.into()]), false))
}
