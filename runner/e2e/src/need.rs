//! Tools that a test needs and a machine may lack.

#![expect(clippy::print_stderr, reason = "a test that skips says so")]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::tg_binary;

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
    /// The object store of the collector's examples, which a build of the workspace's tests makes.
    ObjectStore,
    /// A system that lets us make hosts: namespaces and TUN devices.
    Hosts,
    /// The reader of captures.
    Tcpdump,
    /// Ordinary programs of the network: ping, iperf3 and curl, and Python for a server.
    NetworkPrograms,
    /// A Kubernetes that tests may use as they like, and the object store.
    Cluster,
}

impl Tool {
    /// What of it is missing here.
    fn missing(self) -> Vec<String> {
        let lacks = |names: &[&str], is_there: fn(&str) -> bool| -> Vec<String> {
            names.iter().filter(|name| !is_there(name)).map(|name| format!("`{name}`")).collect()
        };
        match self {
            Self::Go => lacks(&["go"], on_path),
            Self::Node => lacks(&["node", "npm"], on_path),
            Self::Graphviz => lacks(&["nop"], on_path),
            Self::Networkx => lacks(&["networkx", "pydot"], has_module),
            Self::ObjectStore if object_store().is_file() => Vec::new(),
            Self::ObjectStore => vec!["`s3_store`; `cargo build -p tg-collector --examples` makes it".to_owned()],
            Self::Hosts => hosts(),
            Self::Tcpdump => lacks(&["tcpdump"], on_path),
            Self::NetworkPrograms => lacks(&["ping", "iperf3", "curl", "python3"], on_path),
            Self::Cluster => {
                let up = env::var_os("TG_CLUSTER_NETNS").is_some_and(|space| Path::new(&space).exists());
                let hint = "a cluster; `runner/e2e/cluster/cluster up` starts one, and `eval` its `cluster env`";
                let cluster = (!up).then(|| hint.to_owned());
                cluster.into_iter().chain(Self::ObjectStore.missing()).collect()
            }
        }
    }
}

/// Whether a tool is here. If not, the test that asks says by name what is skipped; with `TG_CI=1` it fails instead.
///
/// # Panics
///
/// With `TG_CI=1`, if the tool is missing.
pub fn has(tool: Tool, skipped: &str) -> bool {
    let missing = tool.missing();
    if missing.is_empty() {
        return true;
    }
    let text = format!("{skipped}: skipped, for want of {}", missing.join(", "));
    assert!(env::var_os("TG_CI").is_none_or(|ci| ci != "1"), "{text}, and TG_CI=1 allows no skips");
    eprintln!("{text}");
    false
}

/// Whether Python is here and has a module.
fn has_module(name: &str) -> bool {
    let import = Command::new("python3").args(["-c", &format!("import {name}")]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success())
}

/// Asks tg itself, which makes a host to find out.
fn hosts() -> Vec<String> {
    let doctor = Command::new(tg_binary()).args(["doctor", "--format", "json"]).output().expect("tg doctor runs");
    let told = String::from_utf8_lossy(&doctor.stdout);
    let found: serde_json::Value = serde_json::from_str(&told).expect("tg doctor speaks JSON");
    let checks = found["checks"].as_array().expect("a list of checks");
    let hosts = checks.iter().find(|check| check["check"] == "hosts").expect("a check of hosts");
    if hosts["state"] == "ok" { Vec::new() } else { vec![format!("hosts ({})", hosts["found"])] }
}

fn on_path(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| is_program(&dir.join(name))))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Where the object store for tests is.
pub fn object_store() -> std::path::PathBuf {
    tg_binary().with_file_name("examples").join("s3_store")
}
