//! Takes samples, one after the other.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tg_model::InstanceId;
use tg_model::machine::{HostLoad, LinkLoad, Of, Resources, Sample, Traffic};

use super::Process;
use super::ledger::Ledger;
use super::log::Log;
use super::proc::{Reader, Stat, Turns, descriptors};
use crate::instance::Shared;

/// So many pairs are told of in one sample; the others have their turn later, with nothing lost.
const MOST_LINKS: usize = 2000;

/// What was found of an instance in one sample.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    turns: Turns,
    scheduled: bool,
    memory_bytes: u64,
    processes: u64,
    threads: u64,
    descriptors: Option<u64>,
}

/// What the sample before knew.
#[derive(Debug, Default)]
struct Before {
    ts: u64,
    /// By instance: what it had sent and received.
    traffic: HashMap<u32, [Traffic; 2]>,
    host: Totals,
}

/// Counters of the machine since it began.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    processors: Option<[u64; 3]>,
    pressure: [[Option<u64>; 2]; 3],
}

#[derive(Debug)]
pub(super) struct Sampler {
    shared: Arc<Shared>,
    ids: Vec<InstanceId>,
    log: Log,
    reader: Reader,
    ledger: Ledger,
    processes: Vec<Stat>,
    before: Before,
    page_bytes: u64,
    last_cost_ns: Option<u64>,
}

impl Sampler {
    pub(super) fn new(shared: Arc<Shared>, ids: Vec<InstanceId>, log: Log) -> Self {
        let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let page_bytes = page_bytes.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096);
        let mut sampler = Self {
            shared,
            ids,
            log,
            reader: Reader::default(),
            ledger: Ledger::default(),
            processes: Vec::new(),
            before: Before::default(),
            page_bytes,
            last_cost_ns: None,
        };
        // What was before the run is not counted.
        sampler.before.ts = sampler.shared.clock.now_ns();
        sampler.before.host = sampler.totals();
        sampler.own();
        sampler.ledger.turn();
        sampler
    }

    /// How many times rarer samples are to be than they would be.
    pub(super) fn thinner(&self) -> u32 {
        self.log.thinner()
    }

    /// Takes a last sample, with every pair.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.take(usize::MAX)?;
        self.log.finish()
    }

    /// Takes a sample. Gives the processor time that it took, as far as that can be known.
    pub(super) fn sample(&mut self) -> io::Result<Duration> {
        let began = self.reader.own_thread();
        self.take(MOST_LINKS)?;
        let spent = self.reader.own_thread().zip(began).map(|(end, began)| end[0].saturating_sub(began[0]));
        self.last_cost_ns = spent;
        Ok(Duration::from_nanos(spent.unwrap_or_default()))
    }

    fn take(&mut self, most_links: usize) -> io::Result<()> {
        let watched = self.shared.watched.all().clone();
        let ts = self.shared.clock.now_ns();
        self.instances(&watched, ts)?;
        self.links(most_links, ts)?;
        self.host(ts)?;
        self.ledger.turn();
        self.before.ts = ts;
        self.log.flush()
    }

    /// Whose process each is, by the processes' numbers; what only makes a host is nobody's.
    fn owners(&self, watched: &BTreeMap<u32, Process>) -> HashMap<u32, u32> {
        let roots: HashMap<u32, u32> = watched.iter().map(|(&label, process)| (process.pid, label)).collect();
        let parents: HashMap<u32, u32> = self.processes.iter().map(|one| (one.pid, one.parent)).collect();
        let on_hosts = self.shared.hosts.is_some();
        let mut owners = HashMap::new();
        for one in &self.processes {
            // A launcher and its child, the init of a host, are tg's own.
            if on_hosts && (roots.contains_key(&one.pid) || roots.contains_key(&one.parent)) {
                continue;
            }
            // What left its process group is found by who started it.
            let mut at = one.pid;
            let mut found = roots.get(&one.group).copied();
            for _ in 0..64 {
                found = found.or_else(|| roots.get(&at).copied());
                match parents.get(&at) {
                    Some(&parent) if found.is_none() && parent > 1 => at = parent,
                    _ => break,
                }
            }
            if let Some(label) = found {
                owners.insert(one.pid, label);
            }
        }
        owners
    }

    fn instances(&mut self, watched: &BTreeMap<u32, Process>, ts: u64) -> io::Result<()> {
        if watched.is_empty() {
            return Ok(());
        }
        self.reader.processes(&mut self.processes);
        let owners = self.owners(watched);
        let mut found: BTreeMap<u32, Found> = BTreeMap::new();
        for one in &self.processes {
            let Some(label) = owners.get(&one.pid) else { continue };
            let now = found.entry(*label).or_default();
            now.processes += 1;
            now.threads += one.threads;
            now.memory_bytes += one.resident_pages * self.page_bytes;
            if let Some(open) = descriptors(one.pid) {
                *now.descriptors.get_or_insert(0) += open;
            }
            let ledger = &mut self.ledger;
            self.reader.threads(one, |thread, turns| {
                now.scheduled = true;
                let grown = ledger.grown(thread, turns);
                now.turns.iter_mut().zip(grown).for_each(|(sum, more)| *sum += more);
            });
        }
        let traffic = self.traffic();
        for (label, process) in watched {
            let (Some(now), Some(id)) = (found.get(label), self.ids.get(*label as usize)) else { continue };
            let begins = self.before.ts.max(process.began_ns);
            let counted = |of: usize| now.scheduled.then_some(now.turns[of]);
            let flow = |of: usize| {
                let new = traffic.get(label)?[of];
                let old = self.before.traffic.get(label).map(|both| both[of]).unwrap_or_default();
                Some(Traffic {
                    packets: new.packets.saturating_sub(old.packets),
                    bytes: new.bytes.saturating_sub(old.bytes),
                })
            };
            self.log.put(&Sample::Resources(Resources {
                ts,
                span_ns: ts.saturating_sub(begins),
                instance: id.clone(),
                of: Of::Processes,
                cpu_ns: counted(0),
                cpu_wait_ns: counted(1),
                turns: counted(2),
                memory_bytes: Some(now.memory_bytes),
                processes: Some(now.processes),
                threads: Some(now.threads),
                descriptors: now.descriptors,
                sent: flow(0),
                received: flow(1),
            }))?;
        }
        self.before.traffic = traffic;
        Ok(())
    }

    /// What every host has sent and received so far.
    fn traffic(&self) -> HashMap<u32, [Traffic; 2]> {
        self.shared.hosts.as_ref().map(|hosts| hosts.traffic().collect()).unwrap_or_default()
    }

    fn links(&mut self, most: usize, ts: u64) -> io::Result<()> {
        let Some(hosts) = &self.shared.hosts else { return Ok(()) };
        for (from, to, counts) in hosts.take_links(most) {
            let (Some(from), Some(to)) = (self.ids.get(from as usize), self.ids.get(to as usize)) else { continue };
            self.log.put(&Sample::Link(LinkLoad {
                ts,
                span_ns: counts.span_ns,
                from: from.clone(),
                to: to.clone(),
                passed: Traffic { packets: counts.packets, bytes: counts.bytes },
                lost: counts.lost,
                queue_drops: counts.queue_drops,
                filtered: counts.filtered,
                not_taken: counts.not_taken,
                late_max_ns: counts.late_max_ns,
            }))?;
        }
        Ok(())
    }

    /// Counters of the machine.
    fn totals(&mut self) -> Totals {
        let pressure = ["cpu", "memory", "io"].map(|of| self.reader.pressure(of));
        Totals { processors: self.reader.processors(), pressure }
    }

    /// What the scheduler did for tg itself, and its resident memory.
    fn own(&mut self) -> Option<(Turns, u64)> {
        let stat = self.reader.process(std::process::id())?;
        let (ledger, mut sum) = (&mut self.ledger, Turns::default());
        self.reader.threads(&stat, |thread, turns| {
            let grown = ledger.grown(thread, turns);
            sum.iter_mut().zip(grown).for_each(|(sum, more)| *sum += more);
        });
        Some((sum, stat.resident_pages * self.page_bytes))
    }

    fn host(&mut self, ts: u64) -> io::Result<()> {
        let now = self.totals();
        if now.processors.is_none() {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.before.host, now);
        let grown = |new: Option<u64>, old: Option<u64>| new.zip(old).map(|(new, old)| new.saturating_sub(old));
        let busy = |of: usize| grown(now.processors.map(|all| all[of]), before.processors.map(|all| all[of]));
        let stalled = |of: usize, kind: usize| grown(now.pressure[of][kind], before.pressure[of][kind]);
        let memory = self.reader.memory();
        let tg = self.own();
        self.log.put(&Sample::Host(HostLoad {
            ts,
            span_ns: ts.saturating_sub(self.before.ts),
            node: None,
            cpus: now.processors.map(|all| all[2]),
            busy_ns: busy(0),
            steal_ns: busy(1),
            memory_bytes: memory.map(|[all, _]| all),
            available_bytes: memory.map(|[_, available]| available),
            cpu_some_ns: stalled(0, 0),
            memory_some_ns: stalled(1, 0),
            memory_full_ns: stalled(1, 1),
            io_some_ns: stalled(2, 0),
            io_full_ns: stalled(2, 1),
            tg_cpu_ns: tg.map(|(turns, _)| turns[0]),
            tg_wait_ns: tg.map(|(turns, _)| turns[1]),
            tg_memory_bytes: tg.map(|(_, bytes)| bytes),
            sampling_ns: self.last_cost_ns,
        }))
    }
}
