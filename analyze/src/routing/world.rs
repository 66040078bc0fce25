//! The true state of the network: which peers there are, where in the keyspace, and from when to when.

use std::collections::HashMap;

use polars::prelude::{DataType, PlHashMap, PolarsResult, col};
use tg_model::table::{INSTANCES, PEERS};

use super::place::Place;
use super::table::{Entry, Server};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::run::{Instance, Life};

/// A peer of the run, or a foreign one that somebody named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `group/3` for an instance of the run, else the peer's id.
    pub name: String,
    /// The peer's id.
    pub id: Option<String>,
    /// The group of its instance; nothing for a foreign peer.
    pub group: Option<String>,
    /// Its place in the keyspace, if it is known.
    pub place: Option<Place>,
    /// Whether others may have it in their tables: its instance is no client and can be dialled.
    pub server: bool,
    /// The first nanosecond of its instance's life.
    pub(crate) from: i64,
    /// The first nanosecond after it.
    pub(crate) until: i64,
}

impl Peer {
    /// Whether its instance was alive. Nobody can say that of a foreign peer: it was not.
    pub fn is_alive(&self, moment_ns: i64) -> bool {
        self.group.is_some() && self.from <= moment_ns && moment_ns < self.until
    }
}

/// All peers, by their number in the dataset.
#[derive(Debug, Clone, Default)]
pub struct World {
    peers: Vec<Peer>,
    at: PlHashMap<u32, u32>,
    /// Servers of the run whose place is not known: they can be missed by nobody.
    pub without_place: u64,
    /// Instances that ended in silence, in a run that tg did not run: they count as alive to the end.
    pub end_unknown: u64,
}

/// What an instance is as a member of the network.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    group: String,
    server: bool,
    from: i64,
    until: i64,
}

impl World {
    /// Reads peers and instances.
    pub(crate) fn read(dataset: &Dataset) -> Result<Self, AnalyzeError> {
        let mut world = Self::default();
        let members = world.read_members(dataset)?;
        let Some(scan) = dataset.scan(&PEERS)? else { return Ok(world) };
        let plan = scan.select(["peer_idx", "peer_id", "kad_id", "instance"].map(col));
        let rows = dataset.collect(&PEERS, plan)?;
        let read = || -> PolarsResult<Vec<(u32, Peer)>> {
            let (ids, places) = (frame::text(&rows, "peer_id")?, frame::bytes(&rows, "kad_id")?);
            let instances = frame::indices(&rows, "instance")?;
            let numbers = frame::indices(&rows, "peer_idx")?.into_iter().flatten();
            let rest = ids.into_iter().zip(places).zip(instances);
            let peers = numbers.zip(rest).map(|(number, ((id, place), instance))| {
                let member = instance.and_then(|instance| members.get(&instance));
                let named = id.clone().unwrap_or_else(|| format!("peer {number}"));
                let peer = Peer {
                    name: member.map_or(named, |member| member.name.clone()),
                    id,
                    group: member.map(|member| member.group.clone()),
                    place: place.and_then(|bytes| Place::from_slice(&bytes)),
                    server: member.is_some_and(|member| member.server),
                    from: member.map_or(i64::MIN, |member| member.from),
                    until: member.map_or(i64::MAX, |member| member.until),
                };
                (number, peer)
            });
            Ok(peers.collect())
        };
        for (number, peer) in read().map_err(|source| dataset.unreadable(&PEERS, source))? {
            world.without_place += u64::from(peer.server && peer.place.is_none());
            world.at.insert(number, u32::try_from(world.peers.len()).unwrap_or(u32::MAX));
            world.peers.push(peer);
        }
        Ok(world)
    }

    fn read_members(&mut self, dataset: &Dataset) -> Result<HashMap<u32, Member>, AnalyzeError> {
        let instances = Instance::read_all(dataset)?;
        let Some(scan) = dataset.scan(&INSTANCES)? else { return Ok(HashMap::new()) };
        let time = |name: &str| col(name).cast(DataType::Int64);
        let plan = scan.select([col("instance"), col("role"), col("dialable"), time("start_ts"), time("end_ts")]);
        let rows = dataset.collect(&INSTANCES, plan)?;
        type Told = (Option<String>, Option<bool>, Option<i64>, Option<i64>);
        let read = || -> PolarsResult<HashMap<u32, Told>> {
            let (roles, dialable) = (frame::text(&rows, "role")?, frame::flags(&rows, "dialable")?);
            let (starts, ends) = (frame::ints(&rows, "start_ts")?, frame::ints(&rows, "end_ts")?);
            let numbers = frame::indices(&rows, "instance")?.into_iter().flatten();
            let rest = roles.into_iter().zip(dialable).zip(starts.into_iter().zip(ends));
            Ok(numbers
                .zip(rest)
                .map(|(n, ((role, dialable), (start, end)))| (n, (role, dialable, start, end)))
                .collect())
        };
        let lives = read().map_err(|source| dataset.unreadable(&INSTANCES, source))?;
        let mut members = HashMap::with_capacity(instances.len());
        for instance in instances {
            let Some((role, dialable, start, end)) = lives.get(&instance.number) else { continue };
            let Life { from, until, end_known } = instance.life(*start, *end);
            self.end_unknown += u64::from(!end_known);
            let client = role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("client"));
            let server = !client && *dialable != Some(false);
            let (name, group) = (instance.name(), instance.group);
            members.insert(instance.number, Member { name, group, server, from, until });
        }
        Ok(members)
    }

    /// A peer by its number in the dataset.
    pub fn peer(&self, number: u32) -> Option<&Peer> {
        self.peers.get(*self.at.get(&number)? as usize)
    }

    /// What a peer is called.
    pub fn name(&self, number: u32) -> String {
        self.peer(number).map_or_else(|| format!("peer {number}"), |peer| peer.name.clone())
    }

    /// What an entry of a table was at a moment.
    pub(super) fn judge(&self, number: u32, moment_ns: i64) -> Entry {
        match self.peer(number) {
            Some(peer) if !peer.is_alive(moment_ns) => Entry::Stale,
            Some(peer) if peer.server => Entry::Live,
            Some(_) => Entry::Client,
            None => Entry::Stale,
        }
    }

    /// The servers that were alive at a moment and whose place is known, by place.
    pub(super) fn servers(&self, moment_ns: i64) -> Vec<Server> {
        let mut servers: Vec<Server> = self
            .numbers()
            .filter_map(|(number, peer)| {
                Some((peer.place?, number)).filter(|_| peer.server && peer.is_alive(moment_ns))
            })
            .collect();
        servers.sort_unstable();
        servers
    }

    /// The moments after `first` and up to `last` at which a server came or went.
    pub(super) fn changes(&self, first: i64, last: i64) -> Vec<i64> {
        let servers = self.peers.iter().filter(|peer| peer.server && peer.group.is_some());
        let mut moments: Vec<i64> = servers.flat_map(|peer| [peer.from, peer.until]).collect();
        moments.retain(|&moment| first < moment && moment <= last);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// Peers with their numbers, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (u32, &Peer)> {
        let mut numbers: Vec<(u32, u32)> = self.at.iter().map(|(&number, &at)| (number, at)).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|(number, at)| (number, &self.peers[at as usize]))
    }
}
