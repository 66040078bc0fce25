//! Where a host is plugged in: its device, its rules, and what its links have done to its packets.

use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::capture::Capture;
use super::delay::Delays;
use super::dice::{Coin, Dice};
use super::loss::Spell;
use super::queue::Queue;
use super::shape::{Shape, Subnet};

/// What happens to what a host sends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules {
    /// Whether it is plugged in at all.
    pub(crate) enabled: bool,
    pub(crate) default: Shape,
    /// By destination; the longest prefix counts, and of equals the last.
    pub(crate) by_subnet: Vec<(Subnet, Shape)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { enabled: true, default: Shape::default(), by_subnet: Vec::new() }
    }
}

impl Rules {
    /// The shape for a destination, and what limits its bandwidth; `way` is the way to that host as the composition
    /// has it.
    ///
    /// A default that only filters leaves the way's shape as it is, and a rule that only filters that of the default.
    pub(super) fn of(&self, to: IpAddr, label: u32, way: Shape) -> (Limit, Shape) {
        let (limit, default) = if self.default.is_plain() {
            (Limit::Way(label), Shape { filter: self.default.filter, ..way })
        } else {
            (Limit::Rule(0), self.default)
        };
        let found = self.by_subnet.iter().enumerate().filter(|(_, (subnet, _))| subnet.holds(to));
        match found.max_by_key(|(at, (subnet, _))| (subnet.prefix(), *at)) {
            None => (limit, default),
            Some((_, (_, shape))) if shape.is_plain() => (limit, Shape { filter: shape.filter, ..default }),
            Some((at, (_, shape))) => (Limit::Rule(at + 1), *shape),
        }
    }
}

/// What a host has sent that got through, and what it has received. Bytes count from the IP header on.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) received_bytes: AtomicU64,
}

/// What became of the packets from one host to another since that was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LinkCounts {
    /// When the first of them was sent, in the time of the network.
    pub(super) began_ns: u64,
    /// From then until this was asked.
    pub(crate) span_ns: u64,
    /// Packets that got through; a large segment counts as those that it stands for.
    pub(crate) packets: u64,
    /// Their bytes, from the IP header on.
    pub(crate) bytes: u64,
    /// Packets that were lost because a link's loss was asked for.
    pub(crate) lost: u64,
    /// Packets that found the queue of their link full.
    pub(crate) queue_drops: u64,
    /// Packets that a filter refused or dropped, and those from or for a host that is not plugged in.
    pub(crate) filtered: u64,
    /// Packets that the receiver's device did not take.
    pub(crate) not_taken: u64,
    /// By how much the latest packet came after its time.
    pub(crate) late_max_ns: u64,
}

/// The state of a pair of hosts, in one direction.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) dice: Dice,
    pub(super) delays: Delays,
    pub(super) spell: Spell,
    pub(super) corrupt: Coin,
    pub(super) reorder: Coin,
    pub(super) duplicate: Coin,
}

/// What only the thread that reads a port touches.
#[derive(Debug, Default)]
pub(super) struct Sending {
    links: HashMap<u32, Link>,
    /// By what limits the bandwidth.
    queues: HashMap<Limit, Queue>,
    /// The rules that the queues of rules belong to.
    rules: Arc<Rules>,
    /// By receiver.
    counts: HashMap<u32, LinkCounts>,
}

/// What limits the bandwidth of a packet: packets of one host under the same limit share a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    /// The way to another host: each has a queue of its own.
    Way(u32),
    /// A rule that the host's plan asked for, by its place.
    Rule(usize),
    /// A link that a fault has made worse, by the fault.
    Fault(u32),
}

impl Sending {
    /// Queues of rules that hold no more are empty.
    pub(super) fn under(&mut self, rules: &Arc<Rules>) {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.rules = Arc::clone(rules);
            self.queues.retain(|limit, _| !matches!(limit, Limit::Rule(_)));
        }
    }

    /// What is counted of packets to a host.
    pub(super) fn counts(&mut self, to: u32, now_ns: u64) -> &mut LinkCounts {
        self.counts.entry(to).or_insert_with(|| LinkCounts { began_ns: now_ns, ..LinkCounts::default() })
    }

    /// Takes what was counted of at most so many links, and begins these anew.
    pub(super) fn take_counts(&mut self, most: usize, now_ns: u64) -> Vec<(u32, LinkCounts)> {
        let some: Vec<u32> = self.counts.keys().copied().take(most).collect();
        let take = |to: u32| Some((to, self.counts.remove(&to)?));
        let spanned = |(to, counts): (u32, LinkCounts)| {
            (to, LinkCounts { span_ns: now_ns.saturating_sub(counts.began_ns), ..counts })
        };
        some.into_iter().filter_map(take).map(spanned).collect()
    }

    pub(super) fn queue(&mut self, limit: Limit) -> &mut Queue {
        self.queues.entry(limit).or_default()
    }

    pub(super) fn link(&mut self, seed: u64, from: u32, to: u32) -> &mut Link {
        self.links.entry(to).or_insert_with(|| Link {
            dice: Dice::new(seed, from, to),
            delays: Delays::default(),
            spell: Spell::default(),
            corrupt: Coin::default(),
            reorder: Coin::default(),
            duplicate: Coin::default(),
        })
    }
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) label: u32,
    pub(super) device: File,
    rules: RwLock<Arc<Rules>>,
    pub(super) enabled: AtomicBool,
    sending: Mutex<Sending>,
    pub(super) counters: Counters,
    /// What passes here is written down.
    capture: Option<Mutex<Capture>>,
}

impl Port {
    pub(super) fn new(label: u32, device: File, capture: Option<Capture>) -> Self {
        Self {
            label,
            device,
            rules: RwLock::default(),
            enabled: AtomicBool::new(true),
            sending: Mutex::default(),
            counters: Counters::default(),
            capture: capture.map(Mutex::new),
        }
    }

    /// Writes a packet down, if that is wanted here. `now_ns` is since the epoch.
    pub(super) fn capture(&self, packet: &[u8], now_ns: impl FnOnce() -> u64) {
        if let Some(capture) = &self.capture {
            // On a full disk a capture ends; the run does not suffer from it.
            capture.lock().unwrap_or_else(PoisonError::into_inner).put(packet, now_ns()).ok();
        }
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_rules(&self, rules: Rules) {
        self.enabled.store(rules.enabled, Ordering::Relaxed);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// What it has sent and received, packets and bytes.
    pub(super) fn traffic(&self) -> [[u64; 2]; 2] {
        let Counters { sent, sent_bytes, received, received_bytes } = &self.counters;
        [[sent, sent_bytes], [received, received_bytes]].map(|both| both.map(|one| one.load(Ordering::Relaxed)))
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts packets to a host.
    pub(super) fn count(&self, to: u32, now_ns: u64, what: impl FnOnce(&mut LinkCounts)) {
        what(self.sending().counts(to, now_ns));
    }
}

/// What only grows.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::shape::Filter;
    use super::*;

    #[test]
    fn the_longest_prefix_counts_and_a_mere_filter_keeps_the_shape() {
        let late = |ms| Shape { latency: Duration::from_millis(ms), ..Shape::default() };
        let subnet = |text: &str| text.parse::<Subnet>().expect("a subnet");
        let rules = Rules {
            enabled: true,
            default: late(10),
            by_subnet: vec![
                (subnet("16.0.2.0/24"), Shape { filter: Filter::Drop, ..Shape::default() }),
                (subnet("16.0.0.0/16"), late(50)),
                (subnet("16.0.2.7"), late(1)),
            ],
        };
        let of = |rules: &Rules, text: &str| rules.of(text.parse().expect("an address"), 9, late(80));
        assert_eq!(of(&rules, "16.1.0.1"), (Limit::Rule(0), late(10)));
        assert_eq!(of(&rules, "16.0.1.1"), (Limit::Rule(2), late(50)));
        assert_eq!(of(&rules, "16.0.2.1"), (Limit::Rule(0), Shape { filter: Filter::Drop, ..late(10) }));
        assert_eq!(of(&rules, "16.0.2.7"), (Limit::Rule(3), late(1)));
        // Without a default of its own the host's packets go the composition's way, filtered or not.
        let open = Rules { default: Shape::default(), ..rules };
        assert_eq!(of(&open, "16.1.0.1"), (Limit::Way(9), late(80)));
        assert_eq!(of(&open, "16.0.2.1"), (Limit::Way(9), Shape { filter: Filter::Drop, ..late(80) }));
        assert_eq!(of(&open, "16.0.1.1"), (Limit::Rule(2), late(50)));
        let shut = Rules { default: Shape { filter: Filter::Reject, ..Shape::default() }, ..Rules::default() };
        assert_eq!(of(&shut, "16.1.0.1"), (Limit::Way(9), Shape { filter: Filter::Reject, ..late(80) }));
    }
}
