//! Collects runs of any size whose files are made up as they are read, and says what that took: resident memory, disk,
//! time. Each run is collected by a process of its own, so that its peak is its own.
//!
//! `cargo bench -p tg-collector --bench memory -- CASE MIB [INSTANCES] [JOBS]`; the README beside it has the cases.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tg_collector::{Body, CollectError, CollectOptions, Entry, Listing, Owner, Source, Task};
use tg_model::{InstanceId, RunId};
use tokio_util::sync::CancellationToken;

const START_NS: u64 = 1_700_000_000_000_000_000;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Events,
    Connections,
    Routing,
    Own,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Events, "run.out"),
    (Kind::Own, "samples.ndjson"),
    (Kind::Connections, "tg.connections.ndjson"),
    (Kind::Routing, "tg.routing.ndjson"),
];

/// A line of a file. All lines of a kind have one length; no two name the same peer or say the same, and their times
/// come in no order.
fn line(kind: Kind, instance: u32, at: u64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let ts = START_NS + (at.wrapping_mul(7_919_000_003) % 1_000_000_000_000_000);
    let me = format!("instance-{instance:010}");
    let other = format!("peer-{instance:010}-{at:012}");
    let wrote = match kind {
        Kind::Events => writeln!(
            out,
            r#"{{"ts":{ts},"msg":"","group_id":"g","run_id":"r","event":{{"message_event":{{"message":"line {at:012} of {me}"}}}}}}"#
        ),
        Kind::Own => writeln!(out, r#"{{"ts":{ts},"name":"sample {at:012} of {me}","value":0.{at:012}1}}"#),
        Kind::Connections => writeln!(
            out,
            r#"{{"v":1,"ts":{ts},"kind":"open","conn":"{at:012}","local":"{me}","remote":"{other}","dir":"out"}}"#
        ),
        Kind::Routing => writeln!(
            out,
            r#"{{"v":1,"ts":{ts},"snapshot":"s","owner":"{me}","entries":[{{"peer":"{other}","bucket":3}}]}}"#
        ),
    };
    wrote.expect("memory can be written");
}

struct Lines {
    kind: Kind,
    instance: u32,
    at: u64,
    count: u64,
    waiting: Vec<u8>,
    taken: usize,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.waiting.len() {
            self.waiting.clear();
            self.taken = 0;
            while self.waiting.len() < 64 << 10 && self.at < self.count {
                line(self.kind, self.instance, self.at, &mut self.waiting);
                self.at += 1;
            }
        }
        let n = buffer.len().min(self.waiting.len() - self.taken);
        buffer[..n].copy_from_slice(&self.waiting[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }
}

/// A run of so many instances with so many bytes each.
struct Made {
    instances: u32,
    bytes_each: u64,
}

impl Made {
    fn lines(&self, kind: Kind) -> (u64, u64) {
        let mut one = Vec::new();
        line(kind, 0, 0, &mut one);
        let length = one.len() as u64;
        ((self.bytes_each / KINDS.len() as u64 / length).max(1), length)
    }
}

impl Source for Made {
    fn place(&self) -> String {
        "thin air".to_owned()
    }

    fn list<'a>(&'a self, _run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(async move {
            let mut entries = Vec::new();
            for instance in 0..self.instances {
                for (kind, name) in KINDS {
                    let (count, length) = self.lines(kind);
                    let id: InstanceId = format!("g/{instance}").parse().expect("a good name");
                    entries.push(Entry {
                        owner: Owner::Instance(id),
                        name: name.to_owned(),
                        size: count * length,
                        locator: instance.to_string(),
                        version: Some("1".to_owned()),
                    });
                }
            }
            Ok(Listing { entries, notes: Vec::new() })
        })
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        Box::pin(async move {
            let (kind, _) = KINDS
                .into_iter()
                .find(|(_, name)| *name == entry.name)
                .ok_or_else(|| CollectError::Fault(format!("no file `{}`", entry.name)))?;
            let instance = entry.locator.parse().expect("a number");
            let (count, _) = self.lines(kind);
            Ok(Box::new(Lines { kind, instance, at: 0, count, waiting: Vec::new(), taken: 0 }) as Body)
        })
    }
}

fn used(dir: &Path) -> u64 {
    let Ok(children) = std::fs::read_dir(dir) else { return 0 };
    children
        .filter_map(Result::ok)
        .map(|child| match child.metadata() {
            Ok(meta) if meta.is_dir() => used(&child.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A figure of `/proc/self/status`, in MiB.
fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}

/// Processor time of this process in seconds.
fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |at: usize| args.get(at).and_then(|word| word.parse::<u64>().ok());
    let (Some(mib), instances) = (number(0), number(1).unwrap_or(100)) else {
        println!("give the MiB of all outputs together, the number of instances, and the number of threads");
        return;
    };
    let jobs = number(2).and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(2);
    let instances = u32::try_from(instances.max(1)).expect("few");
    let made = Made { instances, bytes_each: (mib << 20) / u64::from(instances) };
    let base = std::env::var_os("TG_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let into = base.join(format!("tg-bench-memory-{}", std::process::id()));
    let over = Arc::new(AtomicBool::new(false));
    let peak = Arc::new(AtomicU64::new(0));
    let watch = {
        let (over, peak, into) = (over.clone(), peak.clone(), into.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(used(&into), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(200));
            }
        })
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run: RunId = "r".parse().expect("a good id");
    let begun = Instant::now();
    let options = CollectOptions { jobs, ..CollectOptions::default() };
    let archived = std::sync::Mutex::new((0.0, 0.0));
    let progress = |at: tg_collector::Progress| {
        if at.phase == tg_collector::Phase::Archive
            && let Ok(mut archived) = archived.lock()
        {
            *archived = (begun.elapsed().as_secs_f64(), status("VmHWM:"));
        }
    };
    let collected = runtime
        .block_on(tg_collector::collect(&made, &run, &into, &options, &progress, CancellationToken::new()))
        .expect("it can be collected");
    let wall = begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    watch.join().expect("the watch ends");
    let mib_of = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (archive_s, archive_mib) = *archived.lock().expect("no panic");
    println!(
        "{} instances, {} files, {:.0} MiB, {} lines, {} peers, {jobs} threads: {wall:.1} s ({archive_s:.1} s archive), \
         {:.1} s of processor, {:.0} MiB/s; resident {:.0} MiB at most ({archive_mib:.0} MiB archive); \
         archive {:.0} MiB, dataset {:.0} MiB, disk {:.0} MiB at most",
        instances,
        collected.files,
        mib_of(collected.bytes),
        collected.lines,
        collected.rows.get("peers").copied().unwrap_or(0),
        processor_s(),
        mib_of(collected.bytes) / wall,
        status("VmHWM:"),
        mib_of(collected.archive_bytes),
        mib_of(used(&into.join("dataset"))),
        mib_of(peak.load(Ordering::Relaxed)),
    );
    std::fs::remove_dir_all(&into).expect("it can be removed");
}
