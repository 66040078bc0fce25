//! Routers with address translation, as RFC 4787 describes them: who maps how, and whom each lets in.
//!
//! A router has an address of the data network; those behind it keep their own, which nobody outside reaches. What they
//! send gets the router's address and a port of it, and what comes back to that port goes to them, if the router lets
//! it in.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use tg_model::network::Nat as Kind;

use super::address::Plan;
use super::packet::HEADER;

/// How long a mapping lives after the last packet from inside (RFC 4787, REQ-5: two minutes at least).
const IDLE_NS: u64 = 120_000_000_000;
/// The first port that a router gives out of its own accord.
const FIRST_PORT: u16 = 32_768;
/// Of so many peers a mapping remembers that it has sent to them.
const MOST_PEERS: usize = 100_000;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const NEEDS_CHECKSUM: u8 = 1;

/// An address and a port; the port of an echo request is its identifier.
pub(super) type End = (Ipv4Addr, u16);

/// What ports a packet names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flow {
    protocol: u8,
    from: End,
    to: End,
}

/// What a packet has to be given on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rewrite {
    from: Option<End>,
    to: Option<End>,
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// To whom has this address, with these changes.
    To(Ipv4Addr, Rewrite),
    /// Nowhere: a router on the way lets it not in, or cannot tell whose it is.
    Kept,
    /// Nobody outside has this address.
    NoHost,
}

/// The routers of a run.
#[derive(Debug)]
pub(crate) struct Routers {
    /// By host: the router that it is behind.
    of: Vec<Option<u32>>,
    routers: Vec<Mutex<Router>>,
}

#[derive(Debug)]
struct Router {
    kind: Kind,
    address: Ipv4Addr,
    /// By protocol, who sent, and, where each destination has its own, to whom.
    mapped: HashMap<(u8, End, Option<End>), u16>,
    /// By protocol and port.
    mappings: HashMap<(u8, u16), Mapping>,
    next: u16,
}

#[derive(Debug)]
struct Mapping {
    inside: End,
    key: Option<End>,
    last_ns: u64,
    peers: HashSet<End>,
}

impl Routers {
    /// For each host the router that it is behind, and the kind of each router.
    pub(crate) fn new(of: Vec<Option<u32>>, kinds: &[Kind]) -> Self {
        let router = |(nth, kind): (u32, &Kind)| {
            Mutex::new(Router {
                kind: *kind,
                address: Plan::router(nth),
                mapped: HashMap::new(),
                mappings: HashMap::new(),
                next: FIRST_PORT,
            })
        };
        Self { of, routers: (0..).zip(kinds).map(router).collect() }
    }

    fn router_of(&self, label: u32) -> Option<u32> {
        self.of.get(label as usize).copied().flatten()
    }

    /// Whether two hosts are behind the same router, or both behind none.
    pub(super) fn are_together(&self, a: u32, b: u32) -> bool {
        self.router_of(a) == self.router_of(b)
    }

    fn lock(&self, nth: u32) -> Option<std::sync::MutexGuard<'_, Router>> {
        Some(self.routers.get(nth as usize)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a packet goes that leaves the network of its sender. `owner` says who has an address inside.
    pub(super) fn pass(&self, label: u32, packet: &[u8], now_ns: u64, owner: impl Fn(Ipv4Addr) -> Option<u32>) -> Gone {
        let Some(flow) = flow(packet) else { return Gone::Kept };
        let mut rewrite = Rewrite::default();
        let mut from = flow.from;
        if let Some(mut router) = self.router_of(label).and_then(|nth| self.lock(nth)) {
            let Some(port) = router.outward(flow, now_ns) else { return Gone::Kept };
            from = (router.address, port);
            rewrite.from = Some(from);
        }
        if let Some(nth) = Plan::is_router(flow.to.0).filter(|nth| (*nth as usize) < self.routers.len()) {
            let inside = self.lock(nth).and_then(|router| router.inward(flow, from, now_ns));
            let Some(inside) = inside else { return Gone::Kept };
            rewrite.to = Some(inside);
            return Gone::To(inside.0, rewrite);
        }
        match owner(flow.to.0) {
            Some(to) if self.router_of(to).is_none() => Gone::To(flow.to.0, rewrite),
            _ => Gone::NoHost,
        }
    }
}

impl Router {
    /// The port by which what is sent is known outside; none if all are taken.
    fn outward(&mut self, flow: Flow, now_ns: u64) -> Option<u16> {
        let key = (self.kind == Kind::Symmetric).then_some(flow.to);
        let full = (flow.protocol, flow.from, key);
        if let Some(&port) = self.mapped.get(&full) {
            if let Some(mapping) = self.mappings.get_mut(&(flow.protocol, port))
                && now_ns.saturating_sub(mapping.last_ns) <= IDLE_NS
            {
                mapping.last_ns = now_ns;
                mapping.remember(flow.to);
                return Some(port);
            }
            self.forget(flow.protocol, port);
        }
        let port = self.free_port(flow, now_ns)?;
        let mut mapping = Mapping { inside: flow.from, key, last_ns: now_ns, peers: HashSet::new() };
        mapping.remember(flow.to);
        self.mappings.insert((flow.protocol, port), mapping);
        self.mapped.insert(full, port);
        Some(port)
    }

    /// Whose a packet for a port is, if it is let in.
    fn inward(&self, flow: Flow, from: End, now_ns: u64) -> Option<End> {
        let mapping = self.mappings.get(&(flow.protocol, flow.to.1))?;
        let lives = now_ns.saturating_sub(mapping.last_ns) <= IDLE_NS;
        let lets_in = match self.kind {
            Kind::FullCone => true,
            Kind::AddressRestricted => mapping.peers.iter().any(|peer| peer.0 == from.0),
            Kind::PortRestricted | Kind::Symmetric => mapping.peers.contains(&from),
        };
        (lives && lets_in).then_some(mapping.inside)
    }

    fn forget(&mut self, protocol: u8, port: u16) {
        if let Some(old) = self.mappings.remove(&(protocol, port)) {
            self.mapped.remove(&(protocol, old.inside, old.key));
        }
    }

    /// A cone keeps the port if it can; where each destination has its own, they count up.
    fn free_port(&mut self, flow: Flow, now_ns: u64) -> Option<u16> {
        let keeps = self.kind != Kind::Symmetric && flow.from.1 > 0;
        let mut wanted = if keeps { flow.from.1 } else { self.next };
        for _ in 0..=u16::MAX {
            match self.mappings.get(&(flow.protocol, wanted)) {
                None => {
                    self.next = if wanted >= FIRST_PORT { after(wanted) } else { self.next };
                    return Some(wanted);
                }
                Some(old) if now_ns.saturating_sub(old.last_ns) > IDLE_NS => {
                    self.forget(flow.protocol, wanted);
                    return Some(wanted);
                }
                Some(_) => wanted = if wanted < FIRST_PORT { self.next } else { after(wanted) },
            }
        }
        None
    }
}

fn after(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(FIRST_PORT)
}

impl Mapping {
    fn remember(&mut self, peer: End) {
        if self.peers.len() < MOST_PEERS {
            self.peers.insert(peer);
        }
    }
}

/// Where things stand in a packet.
#[derive(Debug, Clone, Copy)]
struct Places {
    /// Of the transport header, in the IP packet.
    transport: usize,
    protocol: u8,
}

fn places(ip: &[u8]) -> Option<Places> {
    if ip.first()? >> 4 != 4 {
        return None;
    }
    let transport = usize::from(ip[0] & 0x0f) * 4;
    // Later fragments name no port.
    let later = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x1fff != 0;
    let protocol = *ip.get(9)?;
    (!later && transport >= 20 && ip.len() >= transport + 8).then_some(Places { transport, protocol })
}

fn flow(packet: &[u8]) -> Option<Flow> {
    let ip = packet.get(HEADER..)?;
    let Places { transport, protocol } = places(ip)?;
    let address = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).map(Ipv4Addr::from).ok();
    let port = |at: usize| u16::from_be_bytes([ip[transport + at], ip[transport + at + 1]]);
    let ports = match (protocol, ip[transport]) {
        (UDP | TCP, _) => (port(0), port(2)),
        (ICMP, 8) => (port(4), 0),
        (ICMP, 0) => (0, port(4)),
        _ => return None,
    };
    Some(Flow { protocol, from: (address(12)?, ports.0), to: (address(16)?, ports.1) })
}

impl Rewrite {
    /// Changes a packet, with its checksums (RFC 1624).
    pub(super) fn apply(self, packet: &mut [u8]) {
        if self == Self::default() || packet.len() < HEADER {
            return;
        }
        let (head, ip) = packet.split_at_mut(HEADER);
        let Some(Places { transport, protocol }) = places(ip) else { return };
        // What the sender left to its device is the sum of the pseudo header only, in which no port is.
        let partial = head[0] & NEEDS_CHECKSUM != 0;
        let sum_at = match protocol {
            TCP => Some(transport + 16),
            UDP if ip[transport + 6..transport + 8] != [0, 0] || partial => Some(transport + 6),
            ICMP => Some(transport + 2),
            _ => None,
        };
        let sum_at = sum_at.filter(|at| ip.len() >= at + 2);
        for (address_at, end, port_at) in [(12, self.from, 0), (16, self.to, 2)] {
            let Some((address, port)) = end else { continue };
            change(
                ip,
                address_at,
                &address.octets(),
                &[(Some(10), true), (sum_at.filter(|_| protocol != ICMP), !partial)],
            );
            let port_at = if protocol == ICMP { 4 } else { port_at };
            change(ip, transport + port_at, &port.to_be_bytes(), &[(sum_at.filter(|_| !partial), true)]);
        }
    }
}

/// Puts bytes in their place and what they change into sums: each of them complemented, or the bare sum.
fn change(ip: &mut [u8], at: usize, new: &[u8], sums: &[(Option<usize>, bool)]) {
    for &(sum_at, complemented) in sums {
        let Some(sum_at) = sum_at else { continue };
        let old_sum = u16::from_be_bytes([ip[sum_at], ip[sum_at + 1]]);
        let mut sum = u32::from(if complemented { !old_sum } else { old_sum });
        for (old, new) in ip[at..at + new.len()].chunks(2).zip(new.chunks(2)) {
            sum += u32::from(!u16::from_be_bytes([old[0], old[1]])) + u32::from(u16::from_be_bytes([new[0], new[1]]));
        }
        sum = (sum >> 16) + (sum & 0xffff);
        sum = (sum >> 16) + (sum & 0xffff);
        let sum = u16::try_from(sum).unwrap_or_default();
        let sum = if complemented { !sum } else { sum };
        ip[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    ip[at..at + new.len()].copy_from_slice(new);
}

#[cfg(test)]
mod tests {
    use tun_rs::checksum;

    use super::*;

    fn end(last: u8, port: u16) -> End {
        (Ipv4Addr::new(16, 0, 0, last), port)
    }

    /// A datagram with its checksums, as a host without offloads sends it.
    fn datagram(from: End, to: End) -> Vec<u8> {
        let mut packet = vec![0; HEADER + 28 + 5];
        let ip = &mut packet[HEADER..];
        ip[0] = 0x45;
        ip[3] = 33;
        ip[9] = UDP;
        ip[12..16].copy_from_slice(&from.0.octets());
        ip[16..20].copy_from_slice(&to.0.octets());
        let sum = !checksum(&ip[..20], 0);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip[20..22].copy_from_slice(&from.1.to_be_bytes());
        ip[22..24].copy_from_slice(&to.1.to_be_bytes());
        ip[25] = 13;
        ip[28..33].copy_from_slice(b"hello");
        let sum = !checksum(&ip[20..], pseudo(ip));
        ip[26..28].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn pseudo(ip: &[u8]) -> u64 {
        u64::from(checksum(&ip[12..20], 0)) + u64::from(UDP) + 13
    }

    /// Host 0 behind a router of this kind, hosts 1 and 2 outside.
    fn routers(kind: Kind) -> Routers {
        Routers::new(vec![Some(0), None, None], &[kind])
    }

    fn owner(address: Ipv4Addr) -> Option<u32> {
        (2..5).find(|last| address.octets()[3] == *last).map(|last| u32::from(last) - 2)
    }

    /// The port by which host 0 is known when it sends from `port` to `to`.
    fn sent(routers: &Routers, port: u16, to: End, now: u64) -> End {
        let packet = datagram(end(2, port), to);
        let Gone::To(at, rewrite) = routers.pass(0, &packet, now, owner) else { panic!("it goes out") };
        assert_eq!((at, rewrite.to), (to.0, None));
        let mut packet = packet;
        rewrite.apply(&mut packet);
        let flow = flow(&packet).expect("a datagram");
        assert_eq!((Some(flow.from), flow.to), (rewrite.from, to));
        flow.from
    }

    /// Whether a datagram from outside comes to `inside`.
    fn comes(routers: &Routers, from: End, to: End, inside: End, now: u64) -> bool {
        let label = u32::from(from.0.octets()[3]) - 2;
        match routers.pass(label, &datagram(from, to), now, owner) {
            Gone::To(at, rewrite) => {
                assert_eq!((at, rewrite), (inside.0, Rewrite { from: None, to: Some(inside) }));
                true
            }
            Gone::Kept => false,
            Gone::NoHost => panic!("there is a router"),
        }
    }

    #[test]
    fn each_kind_maps_and_filters_as_its_name_says() {
        // Whom host 0 has sent to: port 7 of host 1. Who sends: the same, another port of it, and another host.
        for (kind, one_for_all, lets_in) in [
            (Kind::FullCone, true, [true, true, true]),
            (Kind::AddressRestricted, true, [true, true, false]),
            (Kind::PortRestricted, true, [true, false, false]),
            (Kind::Symmetric, false, [true, false, false]),
        ] {
            let routers = routers(kind);
            let known = sent(&routers, 5000, end(3, 7), 1);
            assert_eq!(sent(&routers, 5000, end(3, 7), 2), known, "a flow keeps its port");
            let found = [end(3, 7), end(3, 8), end(4, 7)].map(|from| comes(&routers, from, known, end(2, 5000), 3));
            assert_eq!(found, lets_in, "{kind:?}");
            let others = [end(3, 8), end(4, 7)].map(|to| sent(&routers, 5000, to, 4) == known);
            assert_eq!(others, [one_for_all; 2], "{kind:?}");
            assert_ne!(sent(&routers, 5001, end(3, 7), 5), known);
            assert!(!comes(&routers, end(3, 7), (known.0, 9), end(2, 9), 6), "a port that nobody uses");
            // Nothing was sent for two minutes.
            assert!(!comes(&routers, end(3, 7), known, end(2, 5000), IDLE_NS + 10));
        }
    }

    #[test]
    fn addresses_inside_are_no_addresses_outside_and_two_routers_meet() {
        let routers = Routers::new(vec![Some(0), None, Some(1)], &[Kind::FullCone, Kind::FullCone]);
        assert_eq!(routers.pass(1, &datagram(end(3, 7), end(2, 5000)), 1, owner), Gone::NoHost);
        assert!(!routers.are_together(0, 2) && routers.are_together(1, 7));
        let a = sent(&routers, 5000, end(3, 7), 1);
        let Gone::To(_, out) = routers.pass(2, &datagram(end(4, 6000), end(3, 7)), 1, owner) else { panic!("out") };
        let b = out.from.expect("translated");
        // From inside of one to inside of the other, both translated.
        let wanted = Rewrite { from: Some(b), to: Some(end(2, 5000)) };
        assert_eq!(routers.pass(2, &datagram(end(4, 6000), a), 2, owner), Gone::To(end(2, 5000).0, wanted));
    }

    #[test]
    fn checksums_hold_after_a_change_whoever_finishes_them() {
        let rewrite = Rewrite { from: Some((Ipv4Addr::new(16, 0, 255, 254), 40_000)), to: Some(end(9, 1)) };
        let mut packet = datagram(end(2, 5000), end(3, 7));
        rewrite.apply(&mut packet);
        let ip = &packet[HEADER..];
        assert_eq!((checksum(&ip[..20], 0), checksum(&ip[20..], pseudo(ip))), (0xffff, 0xffff));
        // Left to the device: the field holds the sum of the pseudo header, and the device adds the rest.
        let mut packet = datagram(end(2, 5000), end(3, 7));
        packet[0] = NEEDS_CHECKSUM;
        let bare = checksum(&[], pseudo(&packet[HEADER..]));
        packet[HEADER + 26..HEADER + 28].copy_from_slice(&bare.to_be_bytes());
        rewrite.apply(&mut packet);
        let ip = &packet[HEADER..];
        assert_eq!(u16::from_be_bytes([ip[26], ip[27]]), checksum(&[], pseudo(ip)));
        assert_eq!(checksum(&ip[..20], 0), 0xffff);
    }

    #[test]
    fn what_names_no_port_does_not_pass_a_router_and_pings_do() {
        let routers = routers(Kind::PortRestricted);
        let mut fragment = datagram(end(2, 1), end(3, 1));
        fragment[HEADER + 7] = 9;
        assert_eq!(routers.pass(0, &fragment, 1, owner), Gone::Kept);
        let mut ping = datagram(end(2, 0), end(3, 0));
        ping[HEADER + 9] = ICMP;
        ping[HEADER + 20..HEADER + 26].copy_from_slice(&[8, 0, 0, 0, 1, 2]);
        let Gone::To(_, rewrite) = routers.pass(0, &ping, 1, owner) else { panic!("out") };
        let (router, id) = rewrite.from.expect("translated");
        let mut pong = datagram(end(3, 0), (router, 0));
        pong[HEADER + 9] = ICMP;
        pong[HEADER + 20..HEADER + 24].fill(0);
        pong[HEADER + 24..HEADER + 26].copy_from_slice(&id.to_be_bytes());
        let back = Rewrite { from: None, to: Some(end(2, 0x0102)) };
        assert_eq!(routers.pass(1, &pong, 2, owner), Gone::To(end(2, 0).0, back));
    }

    #[test]
    fn ports_are_given_once_and_again_when_they_are_idle() {
        let routers = Routers::new(vec![Some(0), None, None, Some(0)], &[Kind::FullCone]);
        let owner = |address: Ipv4Addr| Some(u32::from(address.octets()[3]) - 2);
        let known = |label: u8, now| {
            let packet = datagram(end(label + 2, 5000), end(3, 7));
            match routers.pass(u32::from(label), &packet, now, owner) {
                Gone::To(_, rewrite) => rewrite.from.expect("translated").1,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((known(0, 1), known(3, 2)), (5000, FIRST_PORT));
        assert_eq!(known(3, IDLE_NS * 2), 5000, "the first is idle");
    }
}
