//! Whether the instances of a run get hosts of their own.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod hosts;

use std::ffi::OsString;
use std::path::Path;

use tg_model::spec::RunSpec;

#[cfg(target_os = "linux")]
pub use crate::host::enter;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{Host, Hosts, Refused, SharedHost, start_sidecar};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{enter, probe};
#[cfg(target_os = "linux")]
pub use hosts::probe;
#[cfg(target_os = "linux")]
pub(crate) use {
    crate::host::Host,
    crate::sidecar::{Refused, SharedHost},
    hosts::{Hosts, start_sidecar},
};

/// The data network of instances with hosts of their own, as `TEST_SUBNET` tells it.
pub(crate) const SUBNET: &str = "16.0.0.0/16";
/// How many hosts it has room for: without its own address, a router's, and the one for all.
pub(crate) const MOST_HOSTS: u32 = (1 << 16) - 3;
/// The name under which the published SDKs look for the sync service, on hosts.
pub(crate) const SYNC_NAME: &str = "testground-sync-service";

/// Whether each instance gets a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Yes, where the system lets us; else plain processes, and the run says why.
    #[default]
    Auto,
    /// Yes, or the run does not begin.
    Host,
    /// No: plain processes that share the machine's network.
    None,
}

/// What was decided for a run before anything of it was made.
#[derive(Debug)]
pub(crate) enum Decided {
    Hosts {
        launcher: Vec<OsString>,
    },
    /// Plain processes, and why, if that was not asked for.
    Plain(Option<String>),
}

/// Decides for a run. Blocks.
pub(crate) fn decide(
    wanted: Isolation,
    launcher: Option<&[OsString]>,
    spec: &RunSpec,
    dir: &Path,
) -> Result<Decided, String> {
    let outcome = match (wanted, launcher) {
        (Isolation::None, _) | (Isolation::Auto, None) => return Ok(Decided::Plain(None)),
        (Isolation::Host, None) => Err("this program has no launcher for them".to_owned()),
        (_, Some(_)) if spec.instances() > MOST_HOSTS => {
            Err(format!("the data network has room for {MOST_HOSTS} hosts"))
        }
        (_, Some(launcher)) => probe(launcher, dir).map(|()| launcher.to_vec()),
    };
    match outcome {
        Ok(launcher) => Ok(Decided::Hosts { launcher }),
        Err(why) if wanted == Isolation::Host => Err(why),
        Err(why) => Ok(Decided::Plain(Some(why))),
    }
}
