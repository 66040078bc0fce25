//! `docker:cargo`, `docker:go`, `docker:node` and `docker:generic`: images, made with the Docker engine.
//!
//! The engine's own cache knows whether anything changed; an image's name holds its id, so that a run goes on with the
//! image that it began with. An image is pushed to a registry, or handed to a command that loads it where the cluster
//! finds it, or left in the engine's own store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::artifact::{self, Artifact};
use super::cargo::{self, blocking};
use super::cmd::Cmd;
use super::error::BuildError;
use super::plan::Job;
use super::{go, node, tool};
use crate::cancel::Cancel;

/// What `build_config` may hold.
pub(super) const SETTINGS: &[&str] = &["path", "build_args", "build_base_image"];

/// Where images go after they were built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageOptions {
    /// A registry and what stands before an image's name there, such as `ghcr.io/lab`.
    pub registry: Option<String>,
    /// A command line that reads an image archive, as `docker save` writes it, from its standard input.
    pub load: Option<String>,
}

/// Not shown to the builds of images: what cargo and git leave beside a plan's sources.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

pub(super) async fn cargo(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let (artifact, cached) = Box::pin(cargo::build(job, cancel)).await?;
    of_program(job, artifact, cached, cancel).await
}

pub(super) async fn go(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let (artifact, cached) = Box::pin(go::build(job, cancel)).await?;
    of_program(job, artifact, cached, cancel).await
}

async fn of_program(
    job: &Job,
    artifact: Artifact,
    cached: bool,
    cancel: &Cancel,
) -> Result<(Artifact, bool), BuildError> {
    let Some(program) = artifact.command.first() else { return Err(job.bad("the build made no program")) };
    let maker = Maker { builder: job.builder(), cache: &job.cache, options: &job.images };
    let name = format!("tg-plan/{}", plain(&job.plan));
    let image = maker.of_program(Path::new(program), &name, Beside::default(), cancel).await?;
    Ok((Artifact::image(image), cached))
}

/// Node itself with what it is linked with, and the package that `exec:node` installs, in `/app`.
pub(super) async fn node(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let built = Box::pin(node::install(job, cancel)).await?;
    let (package, main) = (built.package, Path::new("/app").join(&built.main));
    let node = tool::need(job.builder(), "node")?;
    let maker = Maker { builder: job.builder(), cache: &job.cache, options: &job.images };
    let name = format!("tg-plan/{}", plain(&job.plan));
    let beside = Beside { folder: Some((package, main)), ..Beside::default() };
    let image = maker.of_program(&node, &name, beside, cancel).await?;
    Ok((Artifact::image(image), built.cached))
}

/// What an image has besides a program.
#[derive(Debug, Default)]
struct Beside {
    /// Files, which keep their paths.
    files: Vec<PathBuf>,
    /// A folder that becomes `/app`, and the file of it that the program gets as its argument.
    folder: Option<(PathBuf, PathBuf)>,
}

/// Testground's builder of that name: a Dockerfile at `path` in the plan's folder, which the build sees as `plan/`.
pub(super) async fn generic(job: &Job, cancel: &Cancel) -> Result<(Artifact, bool), BuildError> {
    let path = job.text("path")?.unwrap_or_default().trim_matches('/').to_owned();
    let dockerfile = Path::new("plan").join(&path).join("Dockerfile");
    let maker = Maker { builder: job.builder(), cache: &job.cache, options: &job.images };
    let context = Context::new(&job.cache)?;
    let (from, to, extra) = (job.plan_dir.clone(), context.0.join("plan"), job.extra_sources());
    let (sdk, extra_to) = (context.0.join("sdk"), context.0.join("extra"));
    blocking(move || {
        copy(&from, &to, &LEFT_OUT)?;
        make(&sdk)?;
        make(&extra_to)?;
        for folder in extra {
            let name = folder.file_name().map(PathBuf::from).unwrap_or_default();
            copy(&folder, &extra_to.join(name), &LEFT_OUT)?;
        }
        Ok(())
    })
    .await?;
    if !context.0.join(&dockerfile).is_file() {
        return Err(job.bad(format!("there is no Dockerfile in `{}`", job.plan_dir.join(&path).display())));
    }
    let mut args = vec![format!("PLAN_PATH=./{path}")];
    match job.group.build.config.get("build_args") {
        None => {}
        Some(toml::Value::Table(table)) => {
            for (key, value) in table {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                args.push(format!("{key}={text}"));
            }
        }
        Some(other) => return Err(job.bad(format!("`build_args` must be a table, not {other}"))),
    }
    let name = format!("tg-plan/{}", plain(&job.plan));
    let image = maker.build(&context.0, &dockerfile, &args, &name, cancel).await?;
    Ok((Artifact::image(image), false))
}

/// An image with nothing in it but this program and what it is linked with, and, where there are any, the system's
/// certificates. Gives the image's name.
pub async fn image_of_program(
    program: &Path,
    name: &str,
    cache: &Path,
    options: &ImageOptions,
    cancel: &Cancel,
) -> Result<String, BuildError> {
    let maker = Maker { builder: "image", cache, options };
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let files = certificates.is_file().then(|| certificates.to_owned()).into_iter().collect();
    maker.of_program(program, name, Beside { files, folder: None }, cancel).await
}

struct Maker<'a> {
    builder: &'a str,
    cache: &'a Path,
    options: &'a ImageOptions,
}

impl Maker<'_> {
    async fn of_program(
        &self,
        program: &Path,
        name: &str,
        beside: Beside,
        cancel: &Cancel,
    ) -> Result<String, BuildError> {
        let context = Context::new(self.cache)?;
        let root = context.0.join("root");
        let mut files: Vec<(PathBuf, PathBuf)> = vec![(program.to_owned(), root.join("plan"))];
        for file in self.libraries(program, cancel).await?.into_iter().chain(beside.files) {
            let to = root.join(file.strip_prefix("/").unwrap_or(&file));
            files.push((file, to));
        }
        let dockerfile = context.0.join("Dockerfile");
        blocking(move || {
            make(&root.join("tmp"))?;
            for (from, to) in files {
                make(to.parent().unwrap_or(&root))?;
                fs::copy(&from, &to).map_err(|source| BuildError::Source { path: from, source })?;
            }
            let mut entry = vec!["/plan".to_owned()];
            if let Some((folder, argument)) = beside.folder {
                copy(&folder, &root.join("app"), &[])?;
                entry.push(argument.display().to_string());
            }
            let text = format!("FROM scratch\nCOPY root/ /\nWORKDIR /tmp\nENTRYPOINT {entry:?}\n");
            fs::write(&dockerfile, text).map_err(|source| BuildError::Cache { path: dockerfile, source })
        })
        .await?;
        self.build(&context.0, Path::new("Dockerfile"), &[], name, cancel).await
    }

    /// What the program is linked with, the loader among it; nothing for a static program.
    async fn libraries(&self, program: &Path, cancel: &Cancel) -> Result<Vec<PathBuf>, BuildError> {
        let ldd = tool::need(self.builder, "ldd")?;
        let listed = Cmd::new(self.builder, &ldd, Path::new("/")).arg(program).stdout_is_data().run(cancel).await;
        let lines = match listed {
            Ok(step) => step.stdout,
            // It says so of a static program, and of nothing else that has just been built.
            Err(BuildError::Failed { output, .. }) if output.contains("not a dynamic executable") => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(lines.iter().filter_map(|line| linked(line)).collect())
    }

    async fn build(
        &self,
        context: &Path,
        dockerfile: &Path,
        args: &[String],
        name: &str,
        cancel: &Cancel,
    ) -> Result<String, BuildError> {
        let docker = tool::need(self.builder, "docker")?;
        let docker = |args: &[&str]| Cmd::new(self.builder, &docker, context).args(args);
        let mut build = docker(&["build", "--quiet", "--file"]).arg(context.join(dockerfile));
        for arg in args {
            build = build.arg("--build-arg").arg(arg);
        }
        let built = build.arg(context).stdout_is_data().run(cancel).await?;
        let id = built.stdout.iter().rev().find_map(|line| line.trim().strip_prefix("sha256:")).unwrap_or_default();
        if id.len() < 12 {
            let text = format!("`docker build --quiet` printed no id: {}", built.stdout.join(" "));
            return Err(BuildError::Config { builder: self.builder.to_owned(), text });
        }
        let prefix =
            self.options.registry.as_deref().map_or_else(String::new, |at| format!("{}/", at.trim_end_matches('/')));
        let image = format!("{prefix}{name}:{}", &id[..12]);
        docker(&["tag", &format!("sha256:{id}"), &image]).run(cancel).await?;
        if self.options.registry.is_some() {
            docker(&["push", "--quiet", &image]).run(cancel).await?;
        }
        if let Some(load) = &self.options.load {
            let file = context.join("image.tar");
            docker(&["save", "--output"]).arg(&file).arg(&image).run(cancel).await?;
            let shell = tool::need(self.builder, "sh")?;
            // The file is an argument, so that no character of its name means anything to the shell.
            let line = format!("{load} < \"$1\"");
            Cmd::new(self.builder, &shell, context).args(["-c", &line, "sh"]).arg(&file).run(cancel).await?;
        }
        Ok(image)
    }
}

/// The file that a line of `ldd` names: `libc.so.6 => /lib/libc.so.6 (0x…)`, or `/lib64/ld-linux.so.2 (0x…)`.
fn linked(line: &str) -> Option<PathBuf> {
    let line = line.trim();
    let rest = line.split_once("=> ").map_or(line, |(_, rest)| rest);
    let path = rest.split(" (").next()?;
    path.starts_with('/').then(|| path.into())
}

/// As much of a name as an image's may have.
fn plain(name: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(good).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "plan".to_owned() } else { name }
}

/// The folder that a build sees, removed with it.
struct Context(PathBuf);

impl Context {
    fn new(cache: &Path) -> Result<Self, BuildError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = cache.join(format!("image-{}-{nth}{}", std::process::id(), tg_model::layout::PARTIAL));
        // An absolute one, since commands run elsewhere.
        let path = std::path::absolute(&path).map_err(|source| BuildError::Cache { path, source })?;
        make(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // What cannot be removed lies in a cache, under a name that says what it is.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn make(folder: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(folder).map_err(|source| BuildError::Cache { path: folder.to_owned(), source })
}

/// Copies a folder, without what has one of these names.
fn copy(from: &Path, to: &Path, left_out: &[&str]) -> Result<(), BuildError> {
    let unreadable = |source| BuildError::Source { path: from.to_owned(), source };
    make(to)?;
    for entry in fs::read_dir(from).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(unreadable)?);
        if kind.is_dir() {
            if !left_out.iter().any(|left| *left == name) {
                copy(&entry.path(), &to.join(&name), left_out)?;
            }
        } else if entry.path().is_file() {
            let path = entry.path();
            fs::copy(&path, to.join(&name)).map_err(|source| BuildError::Source { path, source })?;
        }
    }
    Ok(())
}

impl Job {
    /// An image that is ready: its name is all that there is to it.
    pub(super) fn ready_image(&self) -> Option<Artifact> {
        let ready = self.group.artifact.as_ref().filter(|_| self.builder().starts_with("docker:"))?;
        Some(artifact::Artifact::image(ready.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_the_words_of_ldd() {
        let rows = [
            ("\tlinux-vdso.so.1 (0x00007ffd)", None),
            (
                "\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f)",
                Some("/lib/x86_64-linux-gnu/libgcc_s.so.1"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tstatically linked", None),
            ("\tlibx.so => not found", None),
        ];
        for (line, wanted) in rows {
            assert_eq!(linked(line), wanted.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn names_of_images_are_plain() {
        assert_eq!(plain("My/Plan_1"), "my-plan-1");
        assert_eq!(plain("///"), "plan");
    }
}
