//! What a pod uses, from its control group: version 2 and version 1 of them.

use std::fs;
use std::path::{Path, PathBuf};

use tg_model::InstanceId;
use tg_model::machine::{Of, Resources, Traffic};

/// How deep the groups of pods lie below the mount point.
const DEPTH: usize = 5;

/// A pod's control group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Group {
    /// One folder for everything.
    V2(PathBuf),
    /// A folder for each controller.
    V1 { cpuacct: PathBuf, cpu: Option<PathBuf>, memory: Option<PathBuf>, pids: Option<PathBuf> },
}

/// What was counted when it was last looked at.
#[derive(Debug, Clone, Copy)]
struct Before {
    ts: u64,
    cpu_ns: Option<u64>,
    wait_ns: Option<u64>,
    sent: Option<Traffic>,
    received: Option<Traffic>,
}

/// Samples one pod.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    mount: PathBuf,
    proc: PathBuf,
    uid: String,
    group: Option<Group>,
    before: Option<Before>,
}

impl Meter {
    /// For the pod of that id. `mount` is where control groups are, `proc` the node's `/proc`.
    pub(super) fn new(mount: &Path, proc: &Path, uid: &str) -> Self {
        let (mount, proc) = (mount.to_owned(), proc.to_owned());
        Self { mount, proc, uid: uid.to_owned(), group: None, before: None }
    }

    /// What the pod used since the last look; the first look has nothing to compare with.
    pub(super) fn sample(&mut self, instance: &InstanceId, ts: u64) -> Option<Resources> {
        if self.group.is_none() {
            self.group = find(&self.mount, &self.uid);
        }
        let group = self.group.as_ref()?;
        let [sent, received] = traffic(&self.proc, group);
        let now = Before { ts, cpu_ns: group.cpu_ns(), wait_ns: group.wait_ns(), sent, received };
        // A pod that is gone counts nothing any more.
        now.cpu_ns?;
        let before = self.before.replace(now)?;
        let since = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        let through = |now: Option<Traffic>, before: Option<Traffic>| {
            let (now, before) = (now?, before?);
            Some(Traffic {
                packets: now.packets.checked_sub(before.packets)?,
                bytes: now.bytes.checked_sub(before.bytes)?,
            })
        };
        Some(Resources {
            ts,
            span_ns: ts.checked_sub(before.ts).filter(|span| *span > 0)?,
            instance: instance.clone(),
            of: Of::Cgroup,
            cpu_ns: since(now.cpu_ns, before.cpu_ns),
            cpu_wait_ns: since(now.wait_ns, before.wait_ns),
            turns: None,
            memory_bytes: group.memory(),
            processes: group.processes(),
            threads: group.threads(),
            descriptors: None,
            sent: through(now.sent, before.sent),
            received: through(now.received, before.received),
        })
    }
}

impl Group {
    fn cpu_ns(&self) -> Option<u64> {
        match self {
            Self::V2(dir) => field(&dir.join("cpu.stat"), "usage_usec").map(|usec| usec * 1000),
            Self::V1 { cpuacct, .. } => number(&cpuacct.join("cpuacct.usage")),
        }
    }

    /// The time in which some task waited for a processor where the kernel counts that, else the time in which the
    /// group was throttled.
    fn wait_ns(&self) -> Option<u64> {
        match self {
            Self::V2(dir) => {
                let pressure = fs::read_to_string(dir.join("cpu.pressure")).ok();
                let some = pressure.and_then(|text| {
                    text.lines().find(|line| line.starts_with("some "))?.rsplit_once("total=")?.1.trim().parse().ok()
                });
                some.or_else(|| field(&dir.join("cpu.stat"), "throttled_usec")).map(|usec: u64| usec * 1000)
            }
            Self::V1 { cpu, .. } => field(&cpu.as_ref()?.join("cpu.stat"), "throttled_time"),
        }
    }

    /// Anonymous memory and what is mapped of files; the page cache is the kernel's to take back.
    fn memory(&self) -> Option<u64> {
        match self {
            Self::V2(dir) => {
                let file = dir.join("memory.stat");
                Some(field(&file, "anon")? + field(&file, "file_mapped").unwrap_or(0))
            }
            Self::V1 { memory, .. } => {
                let file = memory.as_ref()?.join("memory.stat");
                Some(field(&file, "total_rss")? + field(&file, "total_mapped_file").unwrap_or(0))
            }
        }
    }

    fn folder(&self) -> &Path {
        match self {
            Self::V2(dir) | Self::V1 { cpuacct: dir, .. } => dir,
        }
    }

    /// Its processes, which are in the groups of its containers.
    fn pids(&self) -> Vec<u32> {
        let containers = fs::read_dir(self.folder()).into_iter().flatten().flatten().map(|entry| entry.path());
        let files = containers.filter(|path| path.is_dir()).map(|path| path.join("cgroup.procs"));
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        texts.flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>()).collect()
    }

    /// Without the process that holds the pod's namespaces.
    fn processes(&self) -> Option<u64> {
        (self.pids().len() as u64).checked_sub(1)
    }

    fn threads(&self) -> Option<u64> {
        match self {
            Self::V2(dir) => number(&dir.join("pids.current")),
            Self::V1 { pids, .. } => number(&pids.as_ref()?.join("pids.current")),
        }
        .and_then(|threads| threads.checked_sub(1))
    }
}

/// What passed the devices of the pod's network, but for the loopback: sent and received.
fn traffic(proc: &Path, group: &Group) -> [Option<Traffic>; 2] {
    // A pid of 0 is that of a process which this agent cannot see.
    let text = group
        .pids()
        .into_iter()
        .filter(|pid| *pid > 0)
        .find_map(|pid| fs::read_to_string(proc.join(pid.to_string()).join("net/dev")).ok());
    let Some(text) = text else { return [None; 2] };
    let (mut sent, mut received) = (Traffic::default(), Traffic::default());
    for line in text.lines().skip(2) {
        let Some((name, counts)) = line.split_once(':') else { continue };
        let counts: Vec<u64> = counts.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
        if name.trim() != "lo"
            && let [bytes_in, packets_in, _, _, _, _, _, _, bytes_out, packets_out, ..] = counts[..]
        {
            received = Traffic { packets: received.packets + packets_in, bytes: received.bytes + bytes_in };
            sent = Traffic { packets: sent.packets + packets_out, bytes: sent.bytes + bytes_out };
        }
    }
    [Some(sent), Some(received)]
}

/// The group of a pod: a folder that is called by its id, with dashes or, as systemd wants it, underscores.
fn find(mount: &Path, uid: &str) -> Option<Group> {
    if mount.join("cgroup.controllers").is_file() {
        return below(mount, uid, DEPTH).map(Group::V2);
    }
    let of = |controller: &str| below(&mount.join(controller), uid, DEPTH);
    // Several controllers in one place have names such as `cpu,cpuacct`, with links for each.
    Some(Group::V1 { cpuacct: of("cpuacct")?, cpu: of("cpu"), memory: of("memory"), pids: of("pids") })
}

fn below(dir: &Path, uid: &str, depth: usize) -> Option<PathBuf> {
    let wanted = [format!("pod{uid}"), format!("pod{}", uid.replace('-', "_"))];
    let entries = fs::read_dir(dir).ok()?.flatten();
    let folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(found) = folders.iter().find(|path| wanted.iter().any(|uid| name(path).contains(uid.as_str()))) {
        return Some(found.clone());
    }
    let holds_pods =
        |path: &PathBuf| ["kubepods", "burstable", "besteffort"].iter().any(|word| name(path).contains(word));
    let mut deeper = folders.into_iter().filter(|path| depth > 0 && holds_pods(path));
    deeper.find_map(|path| below(&path, uid, depth - 1))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a word in a file of such lines.
fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "1d2c-3b4a";

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn meter(&self) -> Meter {
            Meter::new(&self.0.path().join("cgroup"), &self.0.path().join("proc"), UID)
        }
    }

    fn id() -> InstanceId {
        "a/1".parse().expect("an id")
    }

    #[test]
    fn version_2_as_systemd_names_it() {
        let tree = Tree::new();
        let pod = "cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1d2c_3b4a.slice";
        tree.put("cgroup/cgroup.controllers", "cpu memory\n");
        let counts = |cpu: u64, wait: u64, bytes: u64| {
            tree.put(&format!("{pod}/cpu.stat"), &format!("usage_usec {cpu}\nthrottled_usec 7\n"));
            let pressure = format!("some avg10=0.00 avg60=0.00 avg300=0.00 total={wait}\nfull avg10=0.00 total=1\n");
            tree.put(&format!("{pod}/cpu.pressure"), &pressure);
            let head = "Inter-| Receive\n face |bytes\n";
            let line = format!("  eth0: {bytes} 3 0 0 0 0 0 0 {} 5 0 0 0 0 0 0\n", 2 * bytes);
            tree.put("proc/41/net/dev", &format!("{head}    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n{line}"));
        };
        tree.put(&format!("{pod}/memory.stat"), "anon 4096\nfile 1000000\nfile_mapped 100\n");
        tree.put(&format!("{pod}/pids.current"), "5\n");
        tree.put(&format!("{pod}/cri-one.scope/cgroup.procs"), "41\n42\n");
        tree.put(&format!("{pod}/cri-pause.scope/cgroup.procs"), "40\n");
        counts(10, 20, 100);
        let mut meter = tree.meter();
        assert!(meter.sample(&id(), 1_000).is_none(), "there is nothing to compare with");
        counts(16, 21, 150);
        let sample = meter.sample(&id(), 3_000).expect("a sample");
        assert_eq!((sample.span_ns, sample.cpu_ns, sample.cpu_wait_ns), (2_000, Some(6_000), Some(1_000)));
        assert_eq!((sample.memory_bytes, sample.processes, sample.threads), (Some(4196), Some(2), Some(4)));
        assert_eq!(sample.received, Some(Traffic { packets: 0, bytes: 50 }));
        assert_eq!(sample.sent, Some(Traffic { packets: 0, bytes: 100 }));
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let tree = Tree::new();
        let pod = |controller: &str| format!("cgroup/{controller}/kubepods/besteffort/pod{UID}");
        tree.put(&format!("{}/memory.stat", pod("memory")), "rss 1\ntotal_rss 8192\ntotal_mapped_file 8\n");
        tree.put(&format!("{}/cpu.stat", pod("cpu")), "nr_periods 0\nthrottled_time 50\n");
        tree.put(&format!("{}/cpuacct.usage", pod("cpuacct")), "1000\n");
        let mut meter = tree.meter();
        assert!(meter.sample(&id(), 10).is_none());
        tree.put(&format!("{}/cpuacct.usage", pod("cpuacct")), "1700\n");
        let sample = meter.sample(&id(), 20).expect("a sample");
        assert_eq!((sample.cpu_ns, sample.cpu_wait_ns, sample.memory_bytes), (Some(700), Some(0), Some(8200)));
        // Nobody can be seen, so nothing is said of the network.
        assert_eq!((sample.sent, sample.threads), (None, None));
    }

    #[test]
    fn a_pod_without_a_group_has_no_samples() {
        let tree = Tree::new();
        tree.put("cgroup/cgroup.controllers", "cpu\n");
        assert!(tree.meter().sample(&id(), 1).is_none());
    }
}
