//! Samples what the machine does to a run while it goes on, into `machine.ndjson` beside the run.
//!
//! One thread looks at every instance, the machine and the network in turn. It takes as long a break as keeps it under
//! a hundredth of a processor, and its file grows ever more slowly, so that neither a large run nor a long one pays
//! much for it. Where there is no `/proc`, nothing is sampled and there is no file.

mod ledger;
mod log;
mod proc;
mod sampler;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tg_model::InstanceId;

use crate::clock::Clock;
use crate::instance::Shared;
use log::Log;
pub(crate) use proc::goes_on;
use sampler::Sampler;

/// The break after the first sample; it doubles until it is the usual one, so that short runs are seen as well.
const FIRST: Duration = Duration::from_millis(50);
/// The usual break.
const USUAL: Duration = Duration::from_millis(500);
/// A break is this many times as long as the processor time of the sample before it.
const TIMES_COST: u32 = 100;

/// The instances that are sampled: their processes, and when these began.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<BTreeMap<u32, Process>>);

/// The process of an instance on this machine.
#[derive(Debug, Clone, Copy)]
struct Process {
    pid: u32,
    began_ns: u64,
}

impl Watched {
    pub(crate) fn began(&self, clock: Clock, label: u32, pid: u32) {
        self.all().insert(label, Process { pid, began_ns: clock.now_ns() });
    }

    pub(crate) fn ended(&self, label: u32) {
        self.all().remove(&label);
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that samples.
#[derive(Debug)]
pub(crate) struct Machine {
    stop: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Machine {
    /// Samples from now on, into the run's folder. `ids` are the instances by their numbers.
    pub(crate) fn start(shared: Arc<Shared>, ids: Vec<InstanceId>, run_dir: &Path) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let log = Log::new(run_dir.join(tg_model::layout::MACHINE_FILE));
        let work = move || {
            let mut sampler = Sampler::new(shared, ids, log);
            let (mut pause, mut usual) = (FIRST, FIRST);
            loop {
                let wait = stopped.recv_timeout(pause);
                match wait {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return sampler.finish(),
                }
                let cost = sampler.sample()?;
                usual = (usual * 2).min(USUAL);
                pause = usual.max(cost * TIMES_COST) * sampler.thinner();
            }
        };
        let thread = std::thread::Builder::new().name("machine".to_owned()).spawn(work)?;
        Ok(Self { stop, thread })
    }

    /// Takes a last sample and ends. Blocks for some milliseconds.
    pub(crate) fn finish(self) -> io::Result<()> {
        // A thread that is gone has its reason in what it returned.
        self.stop.send(()).ok();
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that samples the machine is gone")))
    }
}
