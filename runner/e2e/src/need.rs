//! Tools that a test needs and a machine may lack.

#![expect(clippy::print_stderr, reason = "a test that skips says so")]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// A tool outside of this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The Go toolchain.
    Go,
    /// Node.js with npm.
    Node,
    /// Graphviz: the program of it that reads DOT and writes it again.
    Graphviz,
    /// Python with networkx and pydot.
    Networkx,
}

impl Tool {
    /// Modules of Python that it takes.
    fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Networkx => &["networkx", "pydot"],
            Self::Go | Self::Node | Self::Graphviz => &[],
        }
    }

    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Go => &["go"],
            Self::Node => &["node", "npm"],
            Self::Graphviz => &["nop"],
            Self::Networkx => &["python3"],
        }
    }
}

/// Whether a tool is here. If not, the test that asks says by name what is skipped; with `TG_CI=1` it fails instead.
///
/// # Panics
///
/// With `TG_CI=1`, if the tool is missing.
pub fn has(tool: Tool, skipped: &str) -> bool {
    let mut missing: Vec<&str> = tool.commands().iter().copied().filter(|name| !on_path(name)).collect();
    if missing.is_empty() {
        missing.extend(tool.modules().iter().copied().filter(|name| !has_module(name)));
    }
    if missing.is_empty() {
        return true;
    }
    let text = format!("{skipped}: skipped, for want of `{}`", missing.join("`, `"));
    assert!(env::var_os("TG_CI").is_none_or(|ci| ci != "1"), "{text}, and TG_CI=1 allows no skips");
    eprintln!("{text}");
    false
}

fn has_module(name: &str) -> bool {
    let import = Command::new("python3").args(["-c", &format!("import {name}")]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success())
}

fn on_path(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| is_program(&dir.join(name))))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}
