//! What `/proc` says of processes, their threads and the machine.

use std::fs::{self, File};
use std::io::Read as _;

/// Whether a process is there and is not on its way out: one that exits closes its files before its end can be seen.
pub(crate) fn goes_on(pid: u32) -> bool {
    const PF_EXITING: u64 = 0x4;
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name in brackets may hold anything; what follows the last bracket is: state ppid pgrp session tty tpgid flags.
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(7).collect();
    let flags: u64 = fields.get(6).and_then(|flags| flags.parse().ok()).unwrap_or(PF_EXITING);
    fields.first() != Some(&"Z") && flags & PF_EXITING == 0
}

/// What is read of a process in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
}

/// What the scheduler did for a thread since it began: time on a processor, time in run queues, turns.
pub(super) type Turns = [u64; 3];

/// Reads small files into one buffer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    text: String,
}

impl Reader {
    fn read(&mut self, path: &str) -> Option<&str> {
        self.text.clear();
        File::open(path).ok()?.read_to_string(&mut self.text).ok()?;
        Some(&self.text)
    }

    /// Every process that can be seen. One that ends meanwhile is left out.
    pub(super) fn processes(&mut self, into: &mut Vec<Stat>) {
        into.clear();
        for pid in numbers("/proc") {
            into.extend(self.process(pid));
        }
    }

    /// One process.
    pub(super) fn process(&mut self, pid: u32) -> Option<Stat> {
        self.read(&format!("/proc/{pid}/stat")).and_then(stat)
    }

    /// What the scheduler did for each thread of a process.
    pub(super) fn threads(&mut self, process: &Stat, mut each: impl FnMut(u32, Turns)) {
        let pid = process.pid;
        if process.threads == 1 {
            if let Some(turns) = self.read(&format!("/proc/{pid}/schedstat")).and_then(turns) {
                each(pid, turns);
            }
            return;
        }
        for thread in numbers(&format!("/proc/{pid}/task")) {
            if let Some(turns) = self.read(&format!("/proc/{pid}/task/{thread}/schedstat")).and_then(turns) {
                each(thread, turns);
            }
        }
    }

    /// What the scheduler did for the calling thread.
    pub(super) fn own_thread(&mut self) -> Option<Turns> {
        self.read("/proc/thread-self/schedstat").and_then(turns)
    }

    /// Time that the processors were busy, and were taken by other machines, in nanoseconds; and their number.
    pub(super) fn processors(&mut self) -> Option<[u64; 3]> {
        self.read("/proc/stat").and_then(processors)
    }

    /// Memory of the machine, and how much can still be had, in bytes.
    pub(super) fn memory(&mut self) -> Option<[u64; 2]> {
        let text = self.read("/proc/meminfo")?;
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        Some([of("MemTotal:")?, of("MemAvailable:")?])
    }

    /// For how long some and every task waited for `cpu`, `memory` or `io` since the machine began, in nanoseconds.
    pub(super) fn pressure(&mut self, of: &str) -> [Option<u64>; 2] {
        let Some(text) = self.read(&format!("/proc/pressure/{of}")) else { return [None; 2] };
        ["some ", "full "].map(|kind| pressure(text, kind))
    }
}

/// How many descriptors a process has open, if we may know.
pub(super) fn descriptors(pid: u32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let path = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the folder's size is their number.
    match fs::metadata(&path).ok()?.size() {
        0 => Some(fs::read_dir(path).ok()?.count() as u64),
        open => Some(open),
    }
}

/// The entries of a folder that are numbers.
fn numbers(dir: &str) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Reads `/proc/PID/stat` (`proc_pid_stat(5)`). The name in it may hold anything, parentheses included.
fn stat(text: &str) -> Option<Stat> {
    let (pid, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(22).collect();
    let at = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    // A process that has ended and waits to be buried uses nothing.
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: u32::try_from(at(4)?).ok()?,
        group: u32::try_from(at(5)?).ok()?,
        threads: at(20)?,
        resident_pages: at(24)?,
    })
}

fn turns(text: &str) -> Option<Turns> {
    let mut fields = text.split_ascii_whitespace().map(|field| field.parse().ok());
    Some([fields.next()??, fields.next()??, fields.next()??])
}

/// `/proc/stat` counts in ticks of a hundredth of a second (`proc_stat(5)`).
const TICK_NS: u64 = 10_000_000;

fn processors(text: &str) -> Option<[u64; 3]> {
    let mut lines = text.lines();
    let all: Vec<u64> =
        lines.next()?.strip_prefix("cpu ")?.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = all.get(..8)?.try_into().ok()?;
    let busy = [user, nice, system, irq, softirq].iter().sum::<u64>();
    let count = lines.take_while(|line| line.starts_with("cpu")).count() as u64;
    Some([busy * TICK_NS, steal * TICK_NS, count])
}

fn pressure(text: &str, kind: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    let (_, total_us) = line.rsplit_once("total=")?;
    total_us.trim().parse::<u64>().ok().map(|us| us * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let text =
            "71 (a) b (c)) S 12 70 70 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 555 10000000 321 18446744073709551615 1 1";
        let wanted = Stat { pid: 71, parent: 12, group: 70, threads: 9, resident_pages: 321 };
        assert_eq!(stat(text), Some(wanted));
        assert_eq!(stat(&text.replace(" S ", " Z ")), None);
        assert_eq!(stat("71 (x"), None);
        assert_eq!(turns("5 6 7\n"), Some([5, 6, 7]));
        assert_eq!(turns("5 6"), None);
        let text = "cpu  1 2 3 1000 50 4 5 6 7 8\ncpu0 1 1 1\ncpu1 1 1 1\nintr 5\n";
        assert_eq!(processors(text), Some([150_000_000, 60_000_000, 2]));
        let text = "some avg10=0.1 avg60=0.2 avg300=0.3 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n";
        assert_eq!((pressure(text, "some "), pressure(text, "full ")), (Some(12_000), Some(3_000)));
        assert_eq!(pressure("", "some "), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let (mut reader, mut all) = (Reader::default(), Vec::new());
        reader.processes(&mut all);
        let own = all.iter().find(|stat| stat.pid == std::process::id()).expect("this process");
        assert!(own.threads >= 1 && own.resident_pages > 0);
        let mut seen = 0;
        reader.threads(own, |_, turns| seen += usize::from(turns[0] > 0));
        assert!(seen >= 1);
        assert!(descriptors(own.pid).expect("ours to know") >= 3);
        assert!(reader.processors().expect("a machine")[2] >= 1);
        let [all, available] = reader.memory().expect("some memory");
        assert!(all > available && available > 0);
    }
}
