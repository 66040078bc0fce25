//! The threads that move packets.

use std::cmp::{Ordering as Order, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::capture::Capture;
use super::icmp::{self, Why};
use super::nat::{Gone, Rewrite, Routers};
use super::packet::{self, Cutter, HEADER, MOST};
use super::paths::Paths;
use super::port::{Limit, LinkCounts, Port, Rules, add};
use super::shape::{Filter, Shape};
use crate::breaks::Breaks;

/// Packets that are read from one port before the next has its turn.
const TURN: usize = 64;
/// Bytes that may be under way from the ports of one thread; what comes on top is dropped as by a full queue.
const MOST_UNDER_WAY: usize = 512 << 20;
const STOP: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

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
struct Shared {
    seed: u64,
    /// The ways between hosts, if the composition says something of them.
    paths: Option<Paths>,
    /// Who is behind a router, if anybody.
    routers: Option<Routers>,
    began: Instant,
    table: RwLock<Table>,
    /// What was counted of hosts that are gone, and not taken yet.
    left: Mutex<Vec<Taken>>,
}

impl Shared {
    /// The host that has an address.
    fn label(&self, address: IpAddr) -> Option<u32> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.by_address.get(&address).map(|port| port.label)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// From which host, to which, and what was counted.
pub(crate) type Taken = (u32, u32, LinkCounts);

#[derive(Debug, Default)]
struct Table {
    ports: HashMap<u32, Arc<Port>>,
    by_address: HashMap<IpAddr, Arc<Port>>,
    /// What faults have broken, if anything.
    breaks: Option<Arc<Breaks>>,
}

impl Network {
    /// A network without hosts.
    pub(crate) fn start(seed: u64, paths: Option<Paths>, routers: Option<Routers>) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { seed, paths, routers, began: Instant::now(), table: RwLock::default(), left: Mutex::default() });
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
        let mut network = Self { shared, workers: Vec::new() };
        for nth in 0..threads {
            let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
            let (stopped, stop) = io::pipe()?;
            epoll.add(&stopped, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
            epoll.add(timer.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
            let mover = Mover {
                shared: Arc::clone(&network.shared),
                epoll: Arc::clone(&epoll),
                timer,
                due: BinaryHeap::new(),
                under_way: 0,
                next: 0,
                cutter: Cutter::default(),
                _stopped: stopped,
            };
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
        let first = self.shared.now_ns() as usize % ports.len().max(1);
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

/// A packet on its way.
struct Due {
    at_ns: u64,
    nth: u64,
    from: Arc<Port>,
    to: Arc<Port>,
    packet: Box<[u8]>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Order::Equal
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Order {
        (self.at_ns, self.nth).cmp(&(other.at_ns, other.nth))
    }
}

/// One thread: reads from its ports, and delivers what is due.
struct Mover {
    shared: Arc<Shared>,
    epoll: Arc<Epoll>,
    timer: TimerFd,
    due: BinaryHeap<Reverse<Due>>,
    under_way: usize,
    next: u64,
    cutter: Cutter,
    _stopped: io::PipeReader,
}

impl Mover {
    fn run(mut self) {
        // Delays are to be kept to the microsecond; the usual slack of timers is 50 of them.
        nix::sys::prctl::set_timerslack(1).ok();
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0; MOST];
        loop {
            let waiting = self.deliver();
            let timeout = if waiting { EpollTimeout::NONE } else { EpollTimeout::ZERO };
            let ready = match self.epoll.wait(&mut events, timeout) {
                Ok(ready) => ready,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return,
            };
            for event in &events[..ready] {
                match event.data() {
                    STOP => return,
                    TIMER => drop(self.timer.wait()),
                    label => self.read_port(u32::try_from(label).unwrap_or(u32::MAX), &mut buffer),
                }
            }
        }
    }

    /// Delivers what is due and sets the timer for what is next; false if more has become due meanwhile.
    fn deliver(&mut self) -> bool {
        let now = self.shared.now_ns();
        while let Some(Reverse(first)) = self.due.peek() {
            if first.at_ns > now {
                let wait = Duration::from_nanos(first.at_ns.saturating_sub(self.shared.now_ns()));
                if wait.is_zero() {
                    return false;
                }
                let wait = TimeSpec::nanoseconds(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
                return self.timer.set(Expiration::OneShot(wait), TimerSetTimeFlags::empty()).is_ok();
            }
            if let Some(Reverse(due)) = self.due.pop() {
                self.under_way -= due.packet.len();
                hand_over(&due.from, &due.to, &due.packet, now, now - due.at_ns);
            }
        }
        true
    }

    fn read_port(&mut self, label: u32, buffer: &mut [u8]) {
        let table = self.shared.table.read().unwrap_or_else(PoisonError::into_inner);
        let Some(port) = table.ports.get(&label).cloned() else { return };
        drop(table);
        for _ in 0..TURN {
            match (&port.device).read(buffer) {
                Ok(read) if read > HEADER => self.sent(&port, &mut buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing more to read; or the device is down, or its host is gone and it will be unplugged.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// A host has sent a packet.
    fn sent(&mut self, port: &Arc<Port>, packet: &mut [u8]) {
        port.capture(packet, epoch_ns);
        let Some(way) = packet::way(packet) else { return };
        if !port.enabled.load(Ordering::Relaxed) {
            if let Some(to) = self.shared.label(way.to) {
                port.count(to, self.shared.now_ns(), |it| it.filtered += packet::packets(packet));
            }
            return;
        }
        let shared = Arc::clone(&self.shared);
        let table = shared.table.read().unwrap_or_else(PoisonError::into_inner);
        let breaks = table.breaks.clone();
        let found = table.by_address.get(&way.to).cloned();
        let together = |to: u32| shared.routers.as_ref().is_none_or(|routers| routers.are_together(port.label, to));
        if let Some(to) = found.clone().filter(|to| together(to.label)) {
            drop(table);
            self.pass(port, &to, way.to, breaks.as_deref(), Rewrite::default(), packet);
        } else if goes_to_all(way.to) {
            let others = |other: &&Arc<Port>| other.label != port.label && together(other.label);
            let others: Vec<_> = table.ports.values().filter(others).cloned().collect();
            drop(table);
            for to in others {
                self.pass(port, &to, way.to, breaks.as_deref(), Rewrite::default(), &mut packet.to_vec());
            }
        } else {
            let owner = |address| table.by_address.get(&IpAddr::V4(address)).map(|port| port.label);
            let gone = match (&shared.routers, way.to) {
                (Some(routers), IpAddr::V4(_)) => routers.pass(port.label, packet, shared.now_ns(), owner),
                // Routers have no way for IPv6.
                _ => Gone::NoHost,
            };
            let to = match gone {
                Gone::To(address, rewrite) => {
                    table.by_address.get(&IpAddr::V4(address)).cloned().map(|to| (to, rewrite))
                }
                Gone::Kept => return,
                Gone::NoHost => None,
            };
            drop(table);
            match to {
                Some((to, rewrite)) => self.pass(port, &to, way.to, breaks.as_deref(), rewrite, packet),
                None if is_local_chatter(way.to) => {}
                None => refuse(port, packet, Why::NoHost),
            }
        }
    }

    /// Does to a packet what the way between the two and the sender's rules say, and what is broken.
    fn pass(&mut self, from: &Arc<Port>, to: &Arc<Port>, address: IpAddr, breaks: Option<&Breaks>, rewrite: Rewrite, packet: &mut [u8]) {
        let now = self.shared.now_ns();
        let keep = |packet: &[u8]| from.count(to.label, now, |it| it.filtered += packet::packets(packet));
        if breaks.is_some_and(|breaks| breaks.cut(from.label, to.label)) {
            return keep(packet);
        }
        let rules = from.rules();
        let way = self.shared.paths.as_ref().map(|paths| paths.shape(from.label, to.label)).unwrap_or_default();
        let (mut limit, mut shape) = rules.of(address, to.label, way);
        if way.filter != Filter::Accept {
            // No rule of a host makes a way where there is none.
            shape.filter = way.filter;
        }
        // The earlier a fault, the further below it lies.
        let worse: Vec<_> = breaks.into_iter().flat_map(|breaks| breaks.worse(from.label, to.label)).collect();
        for one in worse.into_iter().rev() {
            shape = shape.changed(&one.link);
            if one.link.bandwidth_bits_per_s.is_some() {
                limit = Limit::Fault(one.fault);
            }
        }
        match shape.filter {
            Filter::Accept => {}
            Filter::Drop => return keep(packet),
            Filter::Reject => {
                keep(packet);
                return refuse(from, packet, Why::Prohibited);
            }
        }
        rewrite.apply(packet);
        if shape.is_plain() {
            return hand_over(from, to, packet, now, 0);
        }
        if shape.counts_packets() && packet::is_large(packet) {
            let mut cutter = std::mem::take(&mut self.cutter);
            if let Ok(parts) = cutter.cut(packet) {
                for part in parts {
                    self.shape(from, to, &rules, limit, &shape, part);
                }
            }
            self.cutter = cutter;
        } else {
            self.shape(from, to, &rules, limit, &shape, packet);
        }
    }

    fn shape(
        &mut self,
        from: &Arc<Port>,
        to: &Arc<Port>,
        rules: &Arc<Rules>,
        limit: Limit,
        shape: &Shape,
        packet: &[u8],
    ) {
        let now = self.shared.now_ns();
        let mut sending = from.sending();
        sending.under(rules);
        let link = sending.link(self.shared.seed, from.label, to.label);
        // Under one shape every packet draws as often, so that the n-th draw of a pair is that of its n-th packet.
        let lost = match &shape.spells {
            Some(spells) => link.spell.loses(&mut link.dice, spells),
            None => link.dice.share() < shape.loss,
        };
        let bits = link.dice.bits();
        let delay = link.delays.next_ns(&mut link.dice, shape);
        let corrupt = link.corrupt.toss(&mut link.dice, shape.corrupt, shape.corrupt_correlation);
        let overtakes = link.reorder.toss(&mut link.dice, shape.reorder, shape.reorder_correlation);
        let twice = link.duplicate.toss(&mut link.dice, shape.duplicate, shape.duplicate_correlation);
        if lost {
            sending.counts(to.label, now).lost += packet::packets(packet);
            return;
        }
        let mut packet: Box<[u8]> = packet.into();
        if corrupt {
            packet::damage(&mut packet, bits);
        }
        let mut leaves = now;
        if shape.bandwidth_bits_per_s > 0 {
            match sending.queue(limit).leaves(now, (packet.len() - HEADER) as u64, shape) {
                Some(at) => leaves = at,
                None => {
                    sending.counts(to.label, now).queue_drops += packet::packets(&packet);
                    return;
                }
            }
        }
        drop(sending);
        let delay = if overtakes { 0 } else { delay };
        if twice {
            self.put(from, to, (now, leaves + delay), packet.clone());
        }
        self.put(from, to, (now, leaves + delay), packet);
    }

    fn put(&mut self, from: &Arc<Port>, to: &Arc<Port>, (now, at_ns): (u64, u64), packet: Box<[u8]>) {
        if self.under_way + packet.len() > MOST_UNDER_WAY {
            return from.count(to.label, now, |it| it.queue_drops += packet::packets(&packet));
        }
        self.under_way += packet.len();
        let nth = self.next;
        self.next += 1;
        self.due.push(Reverse(Due { at_ns, nth, from: Arc::clone(from), to: Arc::clone(to), packet }));
    }
}

/// Writes a packet to its receiver's device, `late_ns` after its time.
fn hand_over(from: &Port, to: &Port, packet: &[u8], now_ns: u64, late_ns: u64) {
    let (packets, bytes) = (packet::packets(packet), (packet.len() - HEADER) as u64);
    if !to.enabled.load(Ordering::Relaxed) {
        return from.count(to.label, now_ns, |it| it.filtered += packets);
    }
    if nix::unistd::write(&to.device, packet).is_err() {
        // Its host is down or gone, or has no room: as on any network, nobody is told.
        return from.count(to.label, now_ns, |it| it.not_taken += packets);
    }
    to.capture(packet, epoch_ns);
    from.count(to.label, now_ns, |it| {
        it.packets += packets;
        it.bytes += bytes;
        it.late_max_ns = it.late_max_ns.max(late_ns);
    });
    add(&from.counters.sent, packets);
    add(&from.counters.sent_bytes, bytes);
    add(&to.counters.received, packets);
    add(&to.counters.received_bytes, bytes);
}

/// Nanoseconds since the epoch.
fn epoch_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Tells a sender that its packet did not get through.
fn refuse(port: &Port, packet: &[u8], why: Why) {
    if let Some(answer) = icmp::answer(packet, why) {
        port.capture(&answer, epoch_ns);
        // A sender that is gone need not know.
        nix::unistd::write(&port.device, &answer).ok();
    }
}

/// Whether a packet is for every host of the network.
fn goes_to_all(to: IpAddr) -> bool {
    match to {
        IpAddr::V4(to) => to.is_broadcast() || to.octets() == [16, 0, 255, 255] || (to.is_multicast() && !is_igmp(to)),
        IpAddr::V6(to) => to.is_multicast() && !is_local_chatter(to.into()),
    }
}

fn is_igmp(to: std::net::Ipv4Addr) -> bool {
    matches!(to.octets(), [224, 0, 0, 1 | 2 | 22])
}

/// What a kernel says of its own accord to routers, of which there are none here.
fn is_local_chatter(to: IpAddr) -> bool {
    match to {
        IpAddr::V4(to) => is_igmp(to),
        IpAddr::V6(to) => {
            let [first, .., last] = to.segments();
            first == 0xff02 && matches!(last, 1 | 2 | 0x16)
        }
    }
}
