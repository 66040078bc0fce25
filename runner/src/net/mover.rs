//! The threads that move packets.

use std::cmp::{Ordering as Order, Reverse};
use std::collections::BinaryHeap;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::sys::timerfd::{Expiration, TimerFd, TimerSetTimeFlags};

use super::icmp::{self, Why};
use super::nat::{Gone, Rewrite};
use super::packet::{self, Cutter, HEADER, MOST};
use super::port::{Limit, Port, Rules, add};
use super::shape::{Filter, Shape};
use super::switch::Shared;
use crate::breaks::Breaks;

/// Packets that are read from one port before the next has its turn.
const TURN: usize = 64;
/// Bytes that may be under way from the ports of one thread; what comes on top is dropped as by a full queue.
const MOST_UNDER_WAY: usize = 512 << 20;
/// What stands for the end in a thread's set of descriptors, where ports have their numbers.
pub(super) const STOP: u64 = u64::MAX;
/// What stands for the timer there.
pub(super) const TIMER: u64 = u64::MAX - 1;

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
pub(super) struct Mover {
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
    /// Moves packets from now on, once it is run. Its end is when nobody can write to `stopped` any more.
    pub(super) fn new(shared: Arc<Shared>, epoll: Arc<Epoll>, timer: TimerFd, stopped: io::PipeReader) -> Self {
        let (due, cutter) = (BinaryHeap::new(), Cutter::default());
        Self { shared, epoll, timer, due, under_way: 0, next: 0, cutter, _stopped: stopped }
    }

    pub(super) fn run(mut self) {
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
    fn pass(
        &mut self,
        from: &Arc<Port>,
        to: &Arc<Port>,
        address: IpAddr,
        breaks: Option<&Breaks>,
        rewrite: Rewrite,
        packet: &mut [u8],
    ) {
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
            let Some(at) = sending.queue(limit).leaves(now, (packet.len() - HEADER) as u64, shape) else {
                sending.counts(to.label, now).queue_drops += packet::packets(&packet);
                return;
            };
            leaves = at;
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
