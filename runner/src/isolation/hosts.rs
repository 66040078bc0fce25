//! What the hosts of a run have in common, and how one is made.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tg_model::machine::Traffic;
use tg_model::spec::RunSpec;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::SYNC_NAME;
use crate::breaks::Breaks;
use crate::host::{self, Handed, HostError, HostSpec, SYNC_ADDR};
use crate::net::{AddressPlan, Network, Paths, Routers, Taken};
use crate::sidecar::{Refused, Registry, SharedHost, Sidecar};
use crate::spawn::Folders;
use crate::sync::{Door, Hub};

/// The largest packets on the data network.
const MTU: u16 = 1500;
/// The longest name of a host, which is a label of a domain name.
const NAME_BYTES: usize = 63;

/// What the hosts of a run share.
#[derive(Debug)]
pub(crate) struct Hosts {
    launcher: Vec<OsString>,
    network: Arc<Network>,
    registry: Arc<Registry>,
    names: Vec<String>,
    names_file: PathBuf,
    plan_dir: PathBuf,
    hub: Hub,
    door: Door,
    prefix: String,
    /// The files for captures, by the hosts whose packets are captured.
    captures: BTreeMap<u32, PathBuf>,
}

/// Finds out whether hosts can be made, by making one. Blocks for some milliseconds.
pub fn probe(launcher: &[OsString], dir: &Path) -> Result<(), String> {
    let tmp = dir.join("probe");
    let hosts_file = dir.join("probe-hosts");
    let made = std::fs::create_dir_all(&tmp).and_then(|()| std::fs::write(&hosts_file, "127.0.0.1 localhost\n"));
    made.map_err(|error| format!("cannot write below `{}`: {error}", dir.display()))?;
    let spec = HostSpec {
        hostname: "probe".to_owned(),
        hosts_file,
        tmp,
        veiled: None,
        keep: Vec::new(),
        ipv4: AddressPlan::v4(0),
        ipv4_prefix: AddressPlan::PREFIX_V4,
        ipv6: AddressPlan::v6(0),
        ipv6_prefix: AddressPlan::PREFIX_V6,
        mtu: MTU,
        command: Vec::new(),
        env: Vec::new(),
        work: PathBuf::from("/"),
    };
    let outcome = UnixStream::pair().and_then(|(ours, theirs)| {
        let child = command(launcher, theirs)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok((ours, child))
    });
    let (ours, mut child) = outcome.map_err(|error| format!("cannot start its launcher: {error}"))?;
    let stood = host::greet(ours, &spec).map(drop);
    // The socket is closed by now, so the host ends by itself.
    child.wait().map_err(|error| format!("its launcher is lost: {error}"))?;
    stood.map_err(|error| because(&error))
}

/// An error with what can be done about it, as far as its kind tells.
fn because(error: &HostError) -> String {
    let HostError::Failed { doing, code, .. } = error else { return error.to_string() };
    let hint = match code {
        Some(libc::EPERM | libc::EACCES) if doing.contains("/dev/net/tun") => {
            " (an ordinary user needs read and write permission for `/dev/net/tun`)"
        }
        Some(libc::ENOENT | libc::ENODEV) if doing.contains("/dev/net/tun") => {
            " (the kernel has no TUN devices: `modprobe tun`, or a container without `--device /dev/net/tun`)"
        }
        Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::EINVAL) if doing == "making namespaces" => {
            " (the kernel or a container keeps ordinary users from making them: see `user.max_user_namespaces`, \
             `kernel.unprivileged_userns_clone` and `kernel.apparmor_restrict_unprivileged_userns`)"
        }
        Some(libc::EPERM) if doing.contains("/proc") => {
            " (in a container, parts of `/proc` are masked; plain processes work there)"
        }
        _ => "",
    };
    format!("{error}{hint}")
}

/// A launcher's command, with its end of the control socket as standard input.
fn command(launcher: &[OsString], theirs: UnixStream) -> io::Result<Command> {
    let (program, arguments) = launcher.split_first().ok_or_else(|| io::Error::other("its command is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    Ok(command)
}

impl Hosts {
    /// Starts the network and writes what all hosts share below `scratch`.
    pub(crate) fn new(
        launcher: Vec<OsString>,
        spec: &RunSpec,
        scratch: &Path,
        hub: Hub,
        door: Door,
        prefix: &str,
        captures: BTreeMap<u32, PathBuf>,
    ) -> io::Result<Self> {
        let names = names(spec);
        let mut text =
            format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{SYNC_ADDR} {SYNC_NAME}\n");
        for (label, name) in (0..).zip(&names) {
            let (v4, v6) = (AddressPlan::v4(label), AddressPlan::v6(label));
            // Writing to a string does not fail.
            writeln!(text, "{v4} {name}\n{v6} {name}").ok();
        }
        let names_file = scratch.join("hosts");
        std::fs::write(&names_file, text)?;
        let laid = tg_model::network::lay(spec);
        let paths = laid.as_ref().map(|laid| Paths::new(laid, &spec.groups));
        let routers = laid.as_ref().filter(|laid| !laid.routers.is_empty()).map(|laid| {
            let (of, kinds) = laid.behind(spec.groups.iter().map(|group| (group.name.as_str(), group.count)));
            Routers::new(of, &kinds)
        });
        let network = Arc::new(Network::start(spec.seed, paths, routers)?);
        let registry = Arc::default();
        let plan_dir = std::path::absolute(&spec.plan_dir)?;
        Ok(Self {
            launcher,
            network,
            registry,
            names,
            names_file,
            plan_dir,
            hub,
            door,
            prefix: prefix.to_owned(),
            captures,
        })
    }

    /// The name of an instance's host.
    pub(crate) fn name(&self, label: u32) -> &str {
        self.names.get(label as usize).map_or("", String::as_str)
    }

    /// The launcher's command for tokio, and our end of the control socket.
    pub(crate) fn launcher(&self) -> io::Result<(Command, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((command(&self.launcher, theirs)?, ours))
    }

    /// Makes the host with a launcher that has been started, plugs it in, and starts the plan. Blocks.
    pub(crate) fn launch(
        &self,
        label: u32,
        control: UnixStream,
        command: &[OsString],
        env: &[(String, OsString)],
        folders: &Folders,
    ) -> Result<SharedHost, String> {
        let (v4, v6) = (AddressPlan::v4(label), AddressPlan::v6(label));
        let mut keep = vec![folders.outputs.clone(), folders.work(), folders.temp()];
        keep.extend(command.iter().map(Path::new).chain([self.plan_dir.as_path()]).filter_map(below_tmp));
        keep.dedup();
        let spec = HostSpec {
            hostname: self.name(label).to_owned(),
            hosts_file: self.names_file.clone(),
            tmp: folders.tmp(),
            // Its outputs are in `outputs/GROUP/INDEX` of it.
            veiled: folders.outputs.ancestors().nth(3).map(|run| (run.to_owned(), folders.veil())),
            keep,
            ipv4: v4,
            ipv4_prefix: AddressPlan::PREFIX_V4,
            ipv6: v6,
            ipv6_prefix: AddressPlan::PREFIX_V6,
            mtu: MTU,
            command: command.to_vec(),
            env: env.to_vec(),
            work: folders.work(),
        };
        let (mut host, Handed { device, listener }) = host::greet(control, &spec).map_err(|error| because(&error))?;
        self.network
            .plug(label, device, &[IpAddr::V4(v4), IpAddr::V6(v6)], self.captures.get(&label).map(PathBuf::as_path))
            .map_err(|error| format!("cannot plug its host in: {error}"))?;
        self.door.open(listener, Some(label)).map_err(|error| format!("cannot listen for it: {error}"))?;
        host.go().map_err(|error| because(&error))?;
        let host = Arc::new(Mutex::new(host));
        self.registry.add(self.name(label), label, Arc::clone(&host));
        Sidecar::initialized(&self.hub, &self.prefix);
        Ok(host)
    }

    /// Breaks what faults break from now on, and nothing else.
    pub(crate) fn set_breaks(&self, breaks: Breaks) {
        self.network.set_breaks(breaks);
    }

    /// Takes an instance that has ended off the network.
    pub(crate) fn ended(&self, label: u32) {
        self.registry.remove(self.name(label));
        self.network.unplug(label);
    }

    /// What every host that stands has sent and received.
    pub(crate) fn traffic(&self) -> impl Iterator<Item = (u32, [Traffic; 2])> {
        let both = |[packets, bytes]: [u64; 2]| Traffic { packets, bytes };
        self.network.traffic().into_iter().map(move |(label, ways)| (label, ways.map(both)))
    }

    /// Takes what was counted of at most so many links; what is left has its turn later.
    pub(crate) fn take_links(&self, most: usize) -> Vec<Taken> {
        self.network.take_links(most)
    }
}

/// Answers the network requests of a run's instances from now on. `refused` hears what cannot be applied.
pub(crate) fn start_sidecar(hosts: &Hosts, refused: mpsc::Sender<Refused>) -> JoinHandle<()> {
    let (network, registry) = (Arc::clone(&hosts.network), Arc::clone(&hosts.registry));
    let sidecar = Sidecar::new(hosts.hub.clone(), hosts.prefix.clone(), network, registry);
    let watch = sidecar.watch();
    tokio::spawn(sidecar.serve(watch, refused))
}

/// For a path below `/tmp`: the folder there that it lies in, as what a program needs may lie anywhere in it.
fn below_tmp(path: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix("/tmp").ok()?.components().next()?;
    Some(Path::new("/tmp").join(first))
}

/// `<group>-<index>` in the letters that a host's name may have, each once.
fn names(spec: &RunSpec) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for group in &spec.groups {
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let base: String = group.name.as_str().chars().map(letters).collect();
        for index in 0..group.count {
            let mut end = format!("-{index}");
            loop {
                let most = NAME_BYTES - end.len();
                let name = format!("{}{end}", base[..base.len().min(most)].trim_start_matches('-'));
                if taken.insert(name.clone()) {
                    names.push(name);
                    break;
                }
                end = format!("-{}{end}", names.len());
            }
        }
    }
    names
}
