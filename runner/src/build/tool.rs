//! Finding programs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::BuildError;

/// A program in PATH, as an absolute path: what the environment of an instance says must not decide where it is.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|program| is_program(program))
        .and_then(|program| std::path::absolute(program).ok())
}

/// Whether the file can be started.
pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A tool that a builder needs.
pub(super) fn need(builder: &str, tool: &'static str) -> Result<PathBuf, BuildError> {
    let how = match tool {
        "cargo" => "install Rust from https://rustup.rs",
        "go" => "install Go from https://go.dev/dl",
        "docker" => "install Docker's engine, and see that it runs (`docker info`)",
        "node" | "npm" => "install Node.js from https://nodejs.org or your distribution",
        _ => "install it, or put it in PATH",
    };
    find(tool).ok_or_else(|| BuildError::MissingTool { builder: builder.to_owned(), tool, how })
}

/// A program as a manifest names it: with a slash relative to the plan's folder, else in PATH or the plan's folder.
pub(super) fn resolve(builder: &str, plan_dir: &Path, name: &str) -> Result<PathBuf, BuildError> {
    let here = std::path::absolute(plan_dir.join(name)).ok().filter(|path| is_program(path));
    let found = if name.contains('/') { here } else { find(name).or(here) };
    found.ok_or_else(|| BuildError::NoProgram { builder: builder.to_owned(), program: name.to_owned() })
}
