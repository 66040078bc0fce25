//! Tools that a test needs and a machine may lack.

#![expect(clippy::print_stderr, reason = "a test that skips says so")]

use std::env;
use std::path::Path;

/// A tool outside of this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The Go toolchain.
    Go,
    /// Node.js with npm.
    Node,
}

impl Tool {
    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Go => &["go"],
            Self::Node => &["node", "npm"],
        }
    }
}

/// Whether a tool is here. If not, the test that asks says by name what is skipped; with `TG_CI=1` it fails instead.
///
/// # Panics
///
/// With `TG_CI=1`, if the tool is missing.
pub fn has(tool: Tool, skipped: &str) -> bool {
    let missing: Vec<&str> = tool.commands().iter().copied().filter(|name| !on_path(name)).collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("{skipped}: skipped, for want of `{}`", missing.join("`, `"));
    assert!(env::var_os("TG_CI").is_none_or(|ci| ci != "1"), "{text}, and TG_CI=1 allows no skips");
    eprintln!("{text}");
    false
}

fn on_path(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| is_program(&dir.join(name))))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}
