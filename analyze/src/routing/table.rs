//! One routing table against the true state of the network.

use std::ops::Range;

use super::place::Place;

/// A server that is alive: where it is, and its number.
pub type Server = (Place, u32);

/// What an entry of a routing table turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A server that was alive.
    Live,
    /// It was not alive any more, not yet, or never part of the run.
    Stale,
    /// Alive, but a client or not to be dialled: it should not be in any table.
    Client,
}

/// The entries of one table at one common prefix length, and the servers that could be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Live servers, the owner excluded, that share exactly so many bits with it.
    pub eligible: u32,
    /// Entries that are live servers.
    pub live: u32,
    /// Entries that are not alive.
    pub stale: u32,
    /// Entries that are clients.
    pub clients: u32,
}

impl Bucket {
    /// How many live entries there should be.
    pub fn ideal(&self, k: u32) -> u32 {
        self.eligible.min(k)
    }

    /// How many of them there are; what is above the ideal does not count.
    pub fn have(&self, k: u32) -> u32 {
        self.live.min(self.ideal(k))
    }

    /// The share of the ideal that is there; nothing where nothing could be there.
    pub fn fill(&self, k: u32) -> Option<f64> {
        (self.eligible > 0).then(|| f64::from(self.have(k)) / f64::from(self.ideal(k)))
    }
}

/// What one routing table is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// By common prefix length, from 0; as long as the last that has anything.
    pub buckets: Vec<Bucket>,
    /// How many of the nearest live servers the table should hold: k, or all if there are fewer.
    pub nearest: u32,
    /// The nearest live servers that it does not hold: rank from 1, and number.
    pub missing_nearest: Vec<(u32, u32)>,
    /// The rank of the nearest live server that it does not hold; nothing if it holds all.
    pub first_missing: Option<u32>,
    /// The longest common prefix with a live server, plus 1; 0 without any.
    pub ideal_depth: u32,
    /// The same as plans log it, which leave the owner out of the servers that are known.
    pub ideal_depth_of_plan: u32,
    /// The longest common prefix with an entry, plus 1; 0 without any.
    pub depth: u32,
}

impl Health {
    /// Entries that were judged.
    pub fn entries(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket.live + bucket.stale + bucket.clients).sum()
    }

    /// How many live entries there should be, over all buckets.
    pub fn ideal(&self, k: u32) -> u32 {
        self.buckets.iter().map(|bucket| bucket.ideal(k)).sum()
    }

    /// How many of them there are.
    pub fn have(&self, k: u32) -> u32 {
        self.buckets.iter().map(|bucket| bucket.have(k)).sum()
    }

    /// How many are missing.
    pub fn missing(&self, k: u32) -> u32 {
        self.ideal(k) - self.have(k)
    }

    /// Entries that are not alive.
    pub fn stale(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket.stale).sum()
    }

    /// Entries that are clients.
    pub fn clients(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket.clients).sum()
    }

    /// The share of what could be known that is known; nothing where the owner is alone.
    pub fn completeness(&self, k: u32) -> Option<f64> {
        let ideal = self.ideal(k);
        (ideal > 0).then(|| f64::from(self.have(k)) / f64::from(ideal))
    }

    /// How many of the nearest live servers the table holds.
    pub fn known_nearest(&self) -> u32 {
        self.nearest - u32::try_from(self.missing_nearest.len()).unwrap_or(u32::MAX)
    }

    /// The share of the nearest live servers that it holds; nothing where the owner is alone.
    pub fn awareness(&self) -> Option<f64> {
        (self.nearest > 0).then(|| f64::from(self.known_nearest()) / f64::from(self.nearest))
    }
}

/// Measures a table: of each common prefix length how many servers could be there and how many are, and which of the
/// `k` servers nearest to the owner it holds.
///
/// Definitions: P. Maymounkov, D. Mazières, "Kademlia", 2002. With N servers, about N·2^−(i+1) share exactly i bits
/// with the owner. `servers` are all live ones, ascending; the owner may be among them and is left out. `entries` are
/// distinct and without the owner, ascending by number, each with its place and with what it is.
/// A last bucket that holds everything near is taken apart by prefix. Without servers nothing is missing.
/// Cost: O(entries + b log N) for b common prefix lengths, and a sort of the few nearest servers.
pub fn measure(owner: Place, entries: &[(Place, u32, Entry)], servers: &[Server], k: u32) -> Health {
    let ranges = ranges(owner, servers);
    let mut buckets = vec![Bucket::default(); ranges.len()];
    for (bucket, range) in buckets.iter_mut().zip(&ranges) {
        bucket.eligible = u32::try_from(range.len()).unwrap_or(u32::MAX);
    }
    let mut depth = 0;
    for &(place, _, kind) in entries {
        let shared = owner.shared_bits(place).min(Place::BITS - 1);
        depth = depth.max(shared + 1);
        let at = shared as usize;
        if at >= buckets.len() {
            buckets.resize(at + 1, Bucket::default());
        }
        match kind {
            Entry::Live => buckets[at].live += 1,
            Entry::Stale => buckets[at].stale += 1,
            Entry::Client => buckets[at].clients += 1,
        }
    }
    while buckets.last() == Some(&Bucket::default()) {
        buckets.pop();
    }
    let holds = |server: &Server| entries.binary_search_by_key(&server.1, |entry| entry.1).is_ok();
    let (nearest, missing_nearest) = nearest(owner, servers, &ranges, k, holds);
    let deepest = |wanted: u32| {
        let mut seen = 0;
        let reached = buckets.iter().rposition(|bucket| {
            seen += bucket.eligible;
            seen >= wanted
        });
        reached.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX))
    };
    let ideal_depth = deepest(1).unwrap_or(0);
    // The owner's place branches off where the second nearest server does; plans count at least one.
    let ideal_depth_of_plan = deepest(2).unwrap_or(1);
    let first_missing = first_missing(owner, servers, &ranges, holds);
    Health { buckets, nearest, missing_nearest, first_missing, ideal_depth, ideal_depth_of_plan, depth }
}

/// For each common prefix length the servers that share exactly so many bits with the owner; up to the last that has
/// any. Servers at the owner's own place are left out.
fn ranges(owner: Place, servers: &[Server]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut low, mut high) = (0, servers.len());
    for bit in 0..Place::BITS {
        if servers[low..high].iter().all(|(place, _)| *place == owner) {
            break;
        }
        let middle = low + servers[low..high].partition_point(|(place, _)| !place.bit(bit));
        if owner.bit(bit) {
            ranges.push(low..middle);
            low = middle;
        } else {
            ranges.push(middle..high);
            high = middle;
        }
    }
    ranges
}

/// How many the `k` nearest are, and which of them the table does not hold, with their ranks.
fn nearest(
    owner: Place,
    servers: &[Server],
    ranges: &[Range<usize>],
    k: u32,
    holds: impl Fn(&Server) -> bool,
) -> (u32, Vec<(u32, u32)>) {
    let (mut rank, mut missing) = (0, Vec::new());
    // Whoever shares more bits is nearer.
    for range in ranges.iter().rev() {
        let wanted = (k - rank) as usize;
        if wanted == 0 {
            break;
        }
        let mut some: Vec<&Server> = servers[range.clone()].iter().collect();
        let by_distance = |server: &&Server| (server.0.distance(owner), server.1);
        if some.len() > wanted {
            some.select_nth_unstable_by_key(wanted - 1, by_distance);
            some.truncate(wanted);
        }
        some.sort_unstable_by_key(by_distance);
        for server in some {
            rank += 1;
            if !holds(server) {
                missing.push((rank, server.1));
            }
        }
    }
    (rank, missing)
}

fn first_missing(
    owner: Place,
    servers: &[Server],
    ranges: &[Range<usize>],
    holds: impl Fn(&Server) -> bool,
) -> Option<u32> {
    let mut nearer = 0;
    for range in ranges.iter().rev() {
        let all = &servers[range.clone()];
        let far = |server: &Server| server.0.distance(owner);
        if let Some(gap) = all.iter().filter(|server| !holds(server)).map(far).min() {
            let before = all.iter().filter(|server| far(server) < gap).count();
            return Some(nearer + u32::try_from(before).unwrap_or(u32::MAX) + 1);
        }
        nearer += u32::try_from(all.len()).unwrap_or(u32::MAX);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place whose first byte is given and whose other bits are 0.
    fn at(first: u8) -> Place {
        let mut bytes = [0; 32];
        bytes[0] = first;
        Place::from_slice(&bytes).unwrap()
    }

    const IDS: [u8; 9] = [0x00, 0x03, 0x10, 0x20, 0x40, 0x61, 0x80, 0xC0, 0xF0];
    const A: u32 = 0;
    const DEAD: u32 = 9;

    fn servers() -> Vec<Server> {
        (0..).zip(IDS).map(|(number, id)| (at(id), number)).collect()
    }

    /// A's table is C, D, E, G and X, which is dead.
    fn entries() -> Vec<(Place, u32, Entry)> {
        let live = [2, 3, 4, 6].map(|number: u32| (at(IDS[number as usize]), number, Entry::Live));
        live.into_iter().chain([(at(0xA0), DEAD, Entry::Stale)]).collect()
    }

    #[test]
    fn the_worked_table() {
        let health = measure(at(IDS[A as usize]), &entries(), &servers(), 2);
        let bucket = |eligible, live, stale| Bucket { eligible, live, stale, clients: 0 };
        let wanted = [
            bucket(3, 1, 1),
            bucket(2, 1, 0),
            bucket(1, 1, 0),
            bucket(1, 1, 0),
            Bucket::default(),
            Bucket::default(),
            bucket(1, 0, 0),
        ];
        assert_eq!(health.buckets, wanted);
        let fills: Vec<Option<f64>> = health.buckets.iter().map(|bucket| bucket.fill(2)).collect();
        assert_eq!(fills, [Some(0.5), Some(0.5), Some(1.0), Some(1.0), None, None, Some(0.0)]);
        assert!((health.completeness(2).unwrap() - 4.0 / 7.0).abs() < 1e-12);
        assert_eq!((health.ideal(2), health.missing(2), health.stale(), health.entries()), (7, 3, 1, 5));
        assert_eq!((health.ideal_depth, health.ideal_depth_of_plan, health.depth), (7, 4, 4));
    }

    #[test]
    fn the_nearest_and_their_ranks() {
        let health = measure(at(0), &entries(), &servers(), 3);
        assert_eq!((health.nearest, health.known_nearest(), &health.missing_nearest), (3, 2, &vec![(1, 1)]));
        assert!((health.awareness().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(health.first_missing, Some(1));
        // With B it lacks F first: B, C, D and E are nearer.
        let mut more = entries();
        more.insert(0, (at(0x03), 1, Entry::Live));
        assert_eq!(measure(at(0), &more, &servers(), 3).first_missing, Some(5));
    }

    #[test]
    fn nobody_misses_what_does_not_exist() {
        let alone = measure(at(5), &[], &[(at(5), 0)], 20);
        assert_eq!((alone.completeness(20), alone.awareness(), alone.first_missing), (None, None, None));
        assert_eq!((alone.ideal_depth, alone.depth, alone.entries()), (0, 0, 0));
        let nobody = measure(at(5), &[(at(6), 1, Entry::Stale)], &[], 20);
        assert_eq!((nobody.completeness(20), nobody.stale(), nobody.buckets.len()), (None, 1, 7));
        // Servers that claim the owner's own place are not near it: they are refused.
        let twins = measure(at(5), &[], &[(at(5), 0), (at(5), 1), (at(9), 2)], 20);
        assert_eq!((twins.ideal(20), twins.nearest), (1, 1));
    }

    /// The same by sorting all servers for every table.
    #[test]
    fn ranges_find_what_sorting_finds() {
        let mut random = crate::graph::random::Random::new(3);
        let mut place = || {
            let bytes: Vec<u8> = (0..32).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
            Place::from_slice(&bytes).unwrap()
        };
        let mut servers: Vec<Server> = (0..200).map(|number| (place(), number)).collect();
        let strangers: Vec<Place> = (0..20).map(|_| place()).collect();
        servers.sort_unstable();
        for owner in servers.iter().map(|server| server.0).chain(strangers) {
            let mut sorted: Vec<&Server> = servers.iter().filter(|server| server.0 != owner).collect();
            sorted.sort_by_key(|server| server.0.distance(owner));
            let mut known: Vec<u32> = sorted.iter().skip(1).step_by(3).map(|server| server.1).collect();
            known.extend([sorted[0].1, sorted[2].1]);
            known.sort_unstable();
            let of = |number: u32| servers.iter().find(|server| server.1 == number).unwrap().0;
            let entries: Vec<_> = known.iter().map(|&number| (of(number), number, Entry::Live)).collect();
            let health = measure(owner, &entries, &servers, 20);
            let by_hand: Vec<(u32, u32)> = (1..)
                .zip(&sorted)
                .take(20)
                .filter(|(_, s)| !known.contains(&s.1))
                .map(|(rank, s)| (rank, s.1))
                .collect();
            assert_eq!(health.missing_nearest, by_hand);
            assert_eq!(health.first_missing, Some(by_hand[0].0));
            for (bits, bucket) in (0..).zip(&health.buckets) {
                let eligible = sorted.iter().filter(|server| server.0.shared_bits(owner) == bits).count();
                assert_eq!(bucket.eligible as usize, eligible);
            }
        }
    }
}
