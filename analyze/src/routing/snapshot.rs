//! All routing tables of a snapshot against the true state of the network at that moment.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::density::{Density, density};
use super::place::Place;
use super::read::Dumps;
use super::table::{Bucket, Entry, Health, Server, measure};
use super::world::World;

/// The tables of one labelled snapshot, measured.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its label.
    pub label: String,
    /// When the last entry was written.
    pub moment_ns: i64,
    /// The owners of the tables, by their number.
    pub owners: Vec<Owner>,
    /// Servers that were alive at the moment and whose place is known.
    pub servers: u64,
    /// Entries that are no peers of the run's instances.
    pub foreign: u64,
    /// Entries that are their own owner; they are dropped.
    pub own: u64,
    /// Entries without a place in the keyspace, and all those of owners without one: they are in no bucket.
    pub unplaced: u64,
    /// Owners without a place in the keyspace; their tables are not measured.
    pub owners_unplaced: u64,
    /// How many tables hold each server that was alive at the moment, by its number.
    pub known_by: BTreeMap<u32, u32>,
    /// By common prefix length how many different live servers all the tables hold there.
    pub distinct: Vec<u64>,
    /// Entries whose peer has a table in this snapshot too, and how many of those hold the owner.
    pub mutual: (u64, u64),
    /// Every entry as (owner, entry), ascending.
    pub pairs: Vec<(u32, u32)>,
    /// How tables and connections agree; nothing if the run recorded no connections.
    pub overlap: Option<Overlap>,
    /// How evenly the live servers are spread, by ever more bits.
    pub spread: Vec<Density>,
    /// The same of the different peers in the tables, whoever they are.
    pub spread_of_entries: Vec<Density>,
}

/// A table that was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Whose table it is.
    pub number: u32,
    /// When its last entry was written.
    pub ts: i64,
    /// What it is worth.
    pub health: Health,
}

/// Entries and connections of the owners of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlap {
    /// Entries, each with its owner.
    pub entries: u64,
    /// Entries whose peer the owner was not connected to.
    pub entries_unconnected: u64,
    /// Peers that owners were connected to, counted for each owner.
    pub neighbours: u64,
    /// Those that are not in the owner's table.
    pub neighbours_not_in_table: u64,
    /// Those of them that are live servers, and so could be.
    pub servers_not_in_table: u64,
}

/// A table with the places of its owner and entries.
type Placed = (u32, i64, Place, Vec<(Place, u32, Entry)>);

impl Snapshot {
    /// Measures the tables of a snapshot. `connected` are pairs of peers, the lower number first, ascending.
    pub(super) fn measure(label: &str, dumps: &Dumps, world: &World, connected: Option<&[(u32, u32)]>, k: u32) -> Self {
        let moment_ns = dumps.values().map(|dump| dump.ts).max().unwrap_or(0);
        let first_ns = dumps.values().map(|dump| dump.ts).min().unwrap_or(0);
        let servers = world.servers(moment_ns);
        let mut snapshot = Self {
            label: label.to_owned(),
            moment_ns,
            owners: Vec::new(),
            servers: servers.len() as u64,
            foreign: 0,
            own: 0,
            unplaced: 0,
            owners_unplaced: 0,
            known_by: servers.iter().map(|&(_, number)| (number, 0)).collect(),
            distinct: Vec::new(),
            mutual: (0, 0),
            pairs: Vec::new(),
            overlap: None,
            spread: spreads(&servers.iter().map(|&(place, _)| place).collect::<Vec<_>>()),
            spread_of_entries: Vec::new(),
        };
        let placed = snapshot.place(dumps, world);
        snapshot.owners = measure_all(placed.as_slice(), world, first_ns, moment_ns, k);
        snapshot.count_known(&placed);
        snapshot.count_mutual(dumps);
        snapshot.overlap = connected.map(|connected| overlap(&snapshot.pairs, dumps, world, connected));
        snapshot
    }

    /// Finds the places of owners and entries, and counts those that have none.
    fn place(&mut self, dumps: &Dumps, world: &World) -> Vec<Placed> {
        let mut placed = Vec::with_capacity(dumps.len());
        let mut peers: BTreeMap<u32, Place> = BTreeMap::new();
        for (&owner, dump) in dumps {
            let entries = dump.entries.iter().copied().filter(|&entry| entry != owner);
            self.own += (dump.entries.len() - entries.clone().count()) as u64;
            self.pairs.extend(entries.clone().map(|entry| (owner, entry)));
            self.foreign +=
                entries.clone().filter(|&e| world.peer(e).is_none_or(|peer| peer.group.is_none())).count() as u64;
            let with_place = |entry| Some((world.peer(entry)?.place?, entry, world.judge(entry, dump.ts)));
            let judged: Vec<(Place, u32, Entry)> = entries.clone().filter_map(with_place).collect();
            peers.extend(judged.iter().map(|&(place, number, _)| (number, place)));
            let Some(place) = world.peer(owner).and_then(|peer| peer.place) else {
                self.owners_unplaced += 1;
                self.unplaced += entries.count() as u64;
                continue;
            };
            self.unplaced += (entries.count() - judged.len()) as u64;
            placed.push((owner, dump.ts, place, judged));
        }
        self.spread_of_entries = spreads(&peers.into_values().collect::<Vec<_>>());
        placed
    }

    fn count_known(&mut self, placed: &[Placed]) {
        let mut by_bits: Vec<(u32, u32)> = Vec::new();
        for (_, _, owner, entries) in placed {
            for &(place, number, kind) in entries {
                if let Some(known) = self.known_by.get_mut(&number) {
                    *known += 1;
                }
                if kind == Entry::Live {
                    by_bits.push((owner.shared_bits(place).min(Place::BITS - 1), number));
                }
            }
        }
        by_bits.par_sort_unstable();
        by_bits.dedup();
        for (bits, _) in by_bits {
            if self.distinct.len() <= bits as usize {
                self.distinct.resize(bits as usize + 1, 0);
            }
            self.distinct[bits as usize] += 1;
        }
    }

    fn count_mutual(&mut self, dumps: &Dumps) {
        let both = |&(owner, entry): &(u32, u32)| {
            let other = dumps.get(&entry)?;
            Some(other.entries.binary_search(&owner).is_ok())
        };
        let found: Vec<bool> = self.pairs.iter().filter_map(both).collect();
        self.mutual = (found.len() as u64, found.iter().filter(|&&mutual| mutual).count() as u64);
    }

    /// The table of a peer, if it was measured.
    pub fn owner(&self, number: u32) -> Option<&Owner> {
        let at = self.owners.binary_search_by_key(&number, |owner| owner.number).ok()?;
        self.owners.get(at)
    }

    /// The sums over all tables by common prefix length.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut sums: Vec<Bucket> = Vec::new();
        for owner in &self.owners {
            sums.resize(sums.len().max(owner.health.buckets.len()), Bucket::default());
            for (sum, bucket) in sums.iter_mut().zip(&owner.health.buckets) {
                sum.eligible += bucket.eligible;
                sum.live += bucket.live;
                sum.stale += bucket.stale;
                sum.clients += bucket.clients;
            }
        }
        sums
    }

    /// The sum of a count over all tables.
    pub fn sum(&self, of: impl Fn(&Health) -> u32) -> u64 {
        self.owners.iter().map(|owner| u64::from(of(&owner.health))).sum()
    }

    /// What tables hold of what they should, over all of them; nothing where there is nothing to hold.
    pub fn completeness(&self, k: u32) -> Option<f64> {
        share(self.sum(|health| health.have(k)), self.sum(|health| health.ideal(k)))
    }

    /// The share of entries that are not alive.
    pub fn stale_share(&self) -> Option<f64> {
        share(self.sum(Health::stale), self.sum(Health::entries))
    }

    /// The mean share of the nearest servers that tables hold.
    pub fn awareness(&self) -> Option<f64> {
        let shares: Vec<f64> = self.owners.iter().filter_map(|owner| owner.health.awareness()).collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }

    /// The share of tables that hold all of the nearest servers.
    pub fn know_all(&self) -> Option<f64> {
        let some = self.owners.iter().filter(|owner| owner.health.nearest > 0);
        let all = some.clone().filter(|owner| owner.health.missing_nearest.is_empty()).count();
        share(all as u64, some.count() as u64)
    }
}

/// A share of a whole; nothing of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Measures tables, each against the servers that were alive when it was written.
fn measure_all(placed: &[Placed], world: &World, first_ns: i64, last_ns: i64, k: u32) -> Vec<Owner> {
    // Between two changes the servers are the same: one list serves all tables of that time.
    let mut starts = vec![first_ns];
    starts.extend(world.changes(first_ns, last_ns));
    let mut owners = Vec::with_capacity(placed.len());
    for (at, &start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(i64::MAX);
        let of_time: Vec<&Placed> = placed.iter().filter(|(_, ts, ..)| (start..end).contains(ts)).collect();
        if of_time.is_empty() {
            continue;
        }
        let servers: Vec<Server> = world.servers(start);
        owners.par_extend(of_time.par_iter().map(|(number, ts, place, entries)| Owner {
            number: *number,
            ts: *ts,
            health: measure(*place, entries, &servers, k),
        }));
    }
    owners.sort_unstable_by_key(|owner| owner.number);
    owners
}

/// By two bits more each time, as long as a part should have at least one peer; at most 16 bits.
fn spreads(places: &[Place]) -> Vec<Density> {
    (2..=16).step_by(2).take_while(|&bits| places.len() >= 1 << bits).filter_map(|bits| density(places, bits)).collect()
}

fn overlap(pairs: &[(u32, u32)], dumps: &Dumps, world: &World, connected: &[(u32, u32)]) -> Overlap {
    let joined = |a: u32, b: u32| connected.binary_search(&(a.min(b), a.max(b))).is_ok();
    let unconnected = pairs.iter().filter(|&&(owner, entry)| !joined(owner, entry)).count();
    let mut overlap =
        Overlap { entries: pairs.len() as u64, entries_unconnected: unconnected as u64, ..Overlap::default() };
    for (owner, neighbour) in connected.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
        let Some(dump) = dumps.get(&owner) else { continue };
        overlap.neighbours += 1;
        if dump.entries.binary_search(&neighbour).is_err() {
            overlap.neighbours_not_in_table += 1;
            overlap.servers_not_in_table += u64::from(world.judge(neighbour, dump.ts) == Entry::Live);
        }
    }
    overlap
}
