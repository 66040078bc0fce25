//! What a launcher is told, and what it answers: one JSON value a line on the control socket.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the sync service listens in each host: a loopback address that nobody else takes.
pub(crate) const SYNC_ADDR: Ipv4Addr = Ipv4Addr::new(127, 192, 18, 1);
/// The name of the data network's device in each host.
pub(crate) const DEVICE: &str = "data0";

/// A host and what runs in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSpec {
    pub(crate) hostname: String,
    /// The file that is put over `/etc/hosts`.
    pub(crate) hosts_file: PathBuf,
    /// The folder that is put over `/tmp`.
    pub(crate) tmp: PathBuf,
    /// The run's folder, and the one that is put over it: an instance has no business with what others wrote.
    pub(crate) veiled: Option<(PathBuf, PathBuf)>,
    /// Folders and files that stay reachable although they lie below `/tmp` or the run's folder.
    pub(crate) keep: Vec<PathBuf>,
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv4_prefix: u8,
    pub(crate) ipv6: Ipv6Addr,
    pub(crate) ipv6_prefix: u8,
    pub(crate) mtu: u16,
    pub(crate) command: Vec<OsString>,
    pub(crate) env: Vec<(String, OsString)>,
    pub(crate) work: PathBuf,
}

/// What tg asks of an init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    /// Start the plan.
    Go,
    /// Kill every process but init, and start nothing until told to.
    Halt,
    /// Stop every process but init.
    Pause,
    /// Let them go on.
    Resume,
    /// Give the device this address in place of the one that it has.
    Ipv4(Ipv4Addr),
}

/// What a launcher or an init answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The host stands; the device and the listener come with this message.
    Ready,
    /// Done as asked.
    Done,
    /// It could not be done.
    Failed { doing: String, why: String, code: Option<i32> },
    /// Nobody told, but worth knowing: the plan has closed its standard output and goes on.
    Silent,
    /// The plan's process is gone; so many others were still there and go now.
    Ended { left: u32 },
}
