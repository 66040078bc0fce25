//! A service in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// A running service; dropping it ends it.
pub(crate) struct Service {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Service {
    pub(crate) fn start(program: &str) -> Outcome<Self> {
        let mut child =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line)?;
        // The published service logs here and ends where nobody reads it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let addr = line.trim().rsplit('/').next().unwrap_or_default();
        let addr = addr.parse().map_err(|error| format!("`{program}` printed `{}`: {error}", line.trim()))?;
        Ok(Self { child, addr })
    }

    /// The resident memory of the process now.
    pub(crate) fn resident_bytes(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib * 1024.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Whatever is left of it is of no use; one that ended by itself is gone already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
