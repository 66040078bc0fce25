//! Which hosts are plugged in, and who moves their packets.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use super::capture::Capture;
use super::mover::{Mover, STOP, TIMER};
use super::nat::Routers;
use super::paths::Paths;
use super::port::{LinkCounts, Port, Rules};
use crate::breaks::Breaks;

/// The network of one run. Dropping it unplugs every host.
#[derive(Debug)]
pub(crate) struct Network {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    epoll: Arc<Epoll>,
    /// Closing it ends the thread.
    stop: Option<io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    /// The ways between hosts, if the composition says something of them.
    pub(super) paths: Option<Paths>,
    /// Who is behind a router, if anybody.
    pub(super) routers: Option<Routers>,
    pub(super) began: Instant,
    pub(super) table: RwLock<Table>,
    /// What was counted of hosts that are gone, and not taken yet.
    pub(super) left: Mutex<Vec<Taken>>,
}

impl Shared {
    /// The host that has an address.
    pub(super) fn label(&self, address: IpAddr) -> Option<u32> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.by_address.get(&address).map(|port| port.label)
    }

    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// From which host, to which, and what was counted.
pub(crate) type Taken = (u32, u32, LinkCounts);

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) ports: HashMap<u32, Arc<Port>>,
    pub(super) by_address: HashMap<IpAddr, Arc<Port>>,
    /// What faults have broken, if anything.
    pub(super) breaks: Option<Arc<Breaks>>,
}

impl Network {
    /// A network without hosts.
    pub(crate) fn start(seed: u64, paths: Option<Paths>, routers: Option<Routers>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            seed,
            paths,
            routers,
            began: Instant::now(),
            table: RwLock::default(),
            left: Mutex::default(),
        });
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
        let mut network = Self { shared, workers: Vec::new() };
        for nth in 0..threads {
            let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
            let (stopped, stop) = io::pipe()?;
            epoll.add(&stopped, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
            epoll.add(timer.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
            let mover = Mover::new(Arc::clone(&network.shared), Arc::clone(&epoll), timer, stopped);
            let thread = std::thread::Builder::new().name(format!("net-{nth}")).spawn(move || mover.run())?;
            network.workers.push(Worker { epoll, stop: Some(stop), thread: Some(thread) });
        }
        Ok(network)
    }

    /// Plugs a host in.
    ///
    /// What it sends and receives is captured into a new file, if there is one.
    pub(crate) fn plug(
        &self,
        label: u32,
        device: OwnedFd,
        addresses: &[IpAddr],
        capture: Option<&Path>,
    ) -> io::Result<()> {
        let flags = OFlag::from_bits_retain(fcntl(&device, FcntlArg::F_GETFL)?);
        fcntl(&device, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let capture = capture.map(Capture::create).transpose()?;
        let port = Arc::new(Port::new(label, File::from(device), capture));
        let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            table.by_address.insert(*address, Arc::clone(&port));
        }
        table.ports.insert(label, Arc::clone(&port));
        drop(table);
        self.worker(label).epoll.add(&port.device, EpollEvent::new(EpollFlags::EPOLLIN, label.into()))?;
        Ok(())
    }

    /// Unplugs a host.
    pub(crate) fn unplug(&self, label: u32) {
        let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
        let Some(port) = table.ports.remove(&label) else { return };
        table.by_address.retain(|_, other| other.label != label);
        drop(table);
        // It is gone from the set once it is closed; this only stops it earlier.
        self.worker(label).epoll.delete(&port.device).ok();
        let counted = port.sending().take_counts(usize::MAX, self.shared.now_ns());
        let mut left = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.extend(counted.into_iter().map(|(to, counts)| (label, to, counts)));
    }

    /// What every host that is plugged in has sent and received, packets and bytes.
    pub(crate) fn traffic(&self) -> Vec<(u32, [[u64; 2]; 2])> {
        let table = self.shared.table.read().unwrap_or_else(PoisonError::into_inner);
        table.ports.iter().map(|(&label, port)| (label, port.traffic())).collect()
    }

    /// Takes what was counted of at most so many links since that was last taken; what is left has its turn later.
    pub(crate) fn take_links(&self, most: usize) -> Vec<Taken> {
        let mut left = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        let some = left.len().min(most);
        let mut taken: Vec<Taken> = left.drain(..some).collect();
        drop(left);
        let table = self.shared.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut ports: Vec<_> = table.ports.values().cloned().collect();
        drop(table);
        // Whose turn it is first changes, so that none is always last.
        let turn = usize::try_from(self.shared.now_ns() >> 10).unwrap_or_default();
        let first = turn % ports.len().max(1);
        ports.rotate_left(first);
        for port in ports {
            let counted = port.sending().take_counts(most - taken.len(), self.shared.now_ns());
            taken.extend(counted.into_iter().map(|(to, counts)| (port.label, to, counts)));
        }
        taken
    }

    /// Changes what happens to what a host sends; false if there is no such host.
    pub(crate) fn set_rules(&self, label: u32, rules: Rules) -> bool {
        let table = self.shared.table.read().unwrap_or_else(PoisonError::into_inner);
        table.ports.get(&label).is_some_and(|port| {
            port.set_rules(rules);
            true
        })
    }

    /// Gives a host an address in place of those of the same family that it has. False if another has it, or if
    /// there is no such host.
    pub(crate) fn move_to(&self, label: u32, address: IpAddr) -> bool {
        let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
        let taken = table.by_address.get(&address).is_some_and(|other| other.label != label);
        let Some(port) = table.ports.get(&label).cloned().filter(|_| !taken) else { return false };
        table.by_address.retain(|old, other| other.label != label || old.is_ipv4() != address.is_ipv4());
        table.by_address.insert(address, port);
        true
    }

    /// Breaks what faults break from now on, and nothing else.
    pub(crate) fn set_breaks(&self, breaks: Breaks) {
        let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
        table.breaks = (!breaks.is_empty()).then(|| Arc::new(breaks));
    }

    fn worker(&self, label: u32) -> &Worker {
        &self.workers[label as usize % self.workers.len()]
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.stop = None;
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            // A thread that panicked has nothing more to do either.
            thread.join().ok();
        }
    }
}
