//! The network of a run: its nodes with what is known of them, and who was connected to whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{LazyFrame, PolarsResult, col};
use rayon::prelude::*;
use tg_model::table::{PEERS, Table};

use super::csr::Graph;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::run::Instance;

/// A node: a peer, or an instance that never said which peer it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `group/3` for an instance of the run, else the peer's id.
    pub name: Arc<str>,
    /// The peer's id, if it has one.
    pub peer_id: Option<Arc<str>>,
    /// What is known of its instance; nothing for a foreign peer.
    pub member: Option<Arc<Member>>,
    /// The peer's number in the dataset: it is the same in every network of a run.
    pub(super) peer: Option<u32>,
}

/// What is known of a node that is an instance of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The group.
    pub group: String,
    /// How the instance ended.
    pub outcome: String,
    /// Its role, in the plan's word.
    pub role: Option<String>,
    /// Whether others can dial it, if it said so.
    pub dialable: Option<bool>,
    /// The region that the composition put it into.
    pub region: Option<String>,
    /// The number of the instance in the group.
    pub(super) index: u32,
}

impl Member {
    fn of(one: &Instance) -> Self {
        Self {
            group: one.group.clone(),
            outcome: one.outcome.clone(),
            role: one.role.clone(),
            dialable: one.dialable,
            region: one.region.clone(),
            index: one.group_seq,
        }
    }

    /// Whether others are meant to have it in their tables: it is no client and did not say that it cannot be dialled.
    pub fn is_server(&self) -> bool {
        self.role.as_deref() != Some("client") && self.dialable != Some(false)
    }
}

impl Node {
    /// The group of its instance; nothing for a foreign peer.
    pub fn group(&self) -> Option<&str> {
        self.member.as_deref().map(|member| member.group.as_str())
    }

    /// The group, or the word for peers that are no instance of the run.
    pub fn group_or_foreign(&self) -> &str {
        self.group().unwrap_or("(foreign)")
    }

    /// How its instance ended.
    pub fn outcome(&self) -> Option<&str> {
        self.member.as_deref().map(|member| member.outcome.as_str())
    }
}

/// Where the edges come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connectivity {
    /// Whatever was there at any time.
    EverOpen,
    /// A snapshot, by its label.
    Snapshot(String),
    /// What was there at a time after the run's begin.
    At(std::time::Duration),
}

/// A network: nodes, and a graph whose node numbers are indices into them.
#[derive(Debug, Clone)]
pub struct Network {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Who was connected to whom.
    pub graph: Graph,
    /// Where the edges come from.
    pub source: Connectivity,
    /// Connections between different nodes, each counted once although both ends may have seen it.
    pub connections: u64,
    /// Pairs of nodes whose connections have no known direction; they are in the undirected projection only.
    pub undirected_pairs: u64,
    /// Instances that never said which peer they are; each is an isolated node.
    pub without_peer: u64,
}

/// What one end saw of the connections between two peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) local: u32,
    pub(crate) remote: u32,
    /// 0 unknown, 1 in, 2 out.
    pub(crate) direction: u8,
    pub(crate) times: u32,
}

/// A peer that the dataset knows.
struct Known {
    peer: u32,
    id: Option<Arc<str>>,
    instance: Option<u32>,
}

/// Where a peer is among those that are known, ascending: mostly at its own number.
fn place(known: &[Known], peer: u32) -> Option<usize> {
    match known.get(peer as usize) {
        Some(one) if one.peer == peer => Some(peer as usize),
        _ => known.binary_search_by_key(&peer, |one| one.peer).ok(),
    }
}

impl Network {
    /// From what was seen of edges between peers: nodes are the instances of the run and whoever was seen with one.
    pub(crate) fn build(
        dataset: &Dataset,
        instances: &[Instance],
        mut sightings: Vec<Sighting>,
        source: Connectivity,
    ) -> Result<Self, AnalyzeError> {
        let known = known_peers(read_peers(dataset)?, instances, &sightings);
        let mut is_linked = vec![false; known.len()];
        for peer in sightings.iter().flat_map(|one| [one.local, one.remote]) {
            if let Some(at) = place(&known, peer) {
                is_linked[at] = true;
            }
        }
        // A foreign peer that somebody only heard of is no part of the network; an instance always is.
        let is_part = |at: usize| known[at].instance.is_some() || is_linked[at];
        let mut number = 0_u32;
        let numbers: Vec<u32> = (0..known.len())
            .map(|at| {
                number += u32::from(is_part(at));
                number.wrapping_sub(1)
            })
            .collect();
        for one in &mut sightings {
            let new = |peer| place(&known, peer).map_or(0, |at| numbers[at]);
            (one.local, one.remote) = (new(one.local), new(one.remote));
        }
        let parts = known.into_iter().zip(is_linked).filter(|(one, linked)| one.instance.is_some() || *linked);
        let (nodes, without_peer) = nodes(parts.map(|(one, _)| one).collect(), instances);
        let (arcs, edges, connections) = merge(sightings);
        let graph = Graph::from_arcs_and_edges(nodes.len(), &arcs, &edges);
        Ok(Self { nodes, graph, source, connections, undirected_pairs: edges.len() as u64, without_peer })
    }
}

/// Every peer that the dataset names, an instance is, or somebody saw; ascending.
fn known_peers(mut known: Vec<Known>, instances: &[Instance], sightings: &[Sighting]) -> Vec<Known> {
    known.sort_unstable_by_key(|one| one.peer);
    known.dedup_by_key(|one| one.peer);
    let own: BTreeMap<u32, u32> = instances.iter().filter_map(|one| Some((one.peer_idx?, one.number))).collect();
    let unnamed = |&peer: &u32| place(&known, peer).is_none();
    let ends = sightings.iter().flat_map(|one| [one.local, one.remote]);
    let mut more: Vec<u32> = own.keys().copied().chain(ends).filter(unnamed).collect();
    more.sort_unstable();
    more.dedup();
    if !more.is_empty() {
        known.extend(more.into_iter().map(|peer| Known { peer, id: None, instance: None }));
        known.sort_unstable_by_key(|one| one.peer);
    }
    for (&peer, &instance) in &own {
        if let Some(at) = place(&known, peer) {
            known[at].instance.get_or_insert(instance);
        }
    }
    known
}

/// The nodes that peers are, and those of instances without a peer, of which there are so many.
fn nodes(known: Vec<Known>, instances: &[Instance]) -> (Vec<Node>, u64) {
    let members: BTreeMap<u32, (&Instance, Arc<Member>)> =
        instances.iter().map(|one| (one.number, (one, Arc::new(Member::of(one))))).collect();
    let mut peers_of: BTreeMap<u32, u32> = BTreeMap::new();
    for instance in known.iter().filter_map(|one| one.instance) {
        *peers_of.entry(instance).or_insert(0) += 1;
    }
    let mut nodes = Vec::with_capacity(known.len());
    for Known { peer, id, instance } in known {
        let owner = instance.and_then(|instance| members.get(&instance));
        let id_text = || id.clone().unwrap_or_else(|| format!("peer {peer}").into());
        let name = match owner {
            Some((one, _)) if peers_of.get(&one.number) == Some(&1) => one.name().into(),
            Some((one, _)) => format!("{} ({})", one.name(), id_text()).into(),
            None => id_text(),
        };
        nodes.push(Node { name, peer_id: id, member: owner.map(|(_, member)| member.clone()), peer: Some(peer) });
    }
    let mut without_peer = 0;
    for (one, member) in members.values().filter(|(one, _)| !peers_of.contains_key(&one.number)) {
        without_peer += 1;
        nodes.push(Node { name: one.name().into(), peer_id: None, member: Some(member.clone()), peer: None });
    }
    (nodes, without_peer)
}

type Pairs = Vec<(u32, u32)>;

/// What an end told of connections between a and b: from a to b where `known`, else between the lower and the higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    a: u32,
    b: u32,
    known: bool,
    side: u8,
    times: u32,
}

/// Merges what both ends saw: each connection counts once, however many ends told of it. Gives arcs (loops among
/// them), edges without a known direction, and how many connections join different nodes.
fn merge(sightings: Vec<Sighting>) -> (Pairs, Pairs, u64) {
    let one = |Sighting { local, remote, direction, times }| {
        let (low, high) = (local.min(remote), local.max(remote));
        match direction {
            2 => Told { a: local, b: remote, known: true, side: 0, times },
            1 => Told { a: remote, b: local, known: true, side: 1, times },
            _ => Told { a: low, b: high, known: false, side: u8::from(local > remote), times },
        }
    };
    let mut told: Vec<Told> = sightings.into_iter().map(one).collect();
    told.par_sort_unstable();
    let is_same = |one: &Told, other: &Told| (one.a, one.b, one.known) == (other.a, other.b, other.known);
    let most = |of: &[Told]| {
        let side = |side| of.iter().filter(|one| one.side == side).map(|one| u64::from(one.times)).sum::<u64>();
        if of[0].a == of[0].b { 0 } else { side(0).max(side(1)) }
    };
    let pairs = |known: bool| told.chunk_by(is_same).filter(move |of| of[0].known == known);
    let (mut arcs, mut connections): (Pairs, u64) = (Vec::new(), 0);
    for of in pairs(true) {
        arcs.push((of[0].a, of[0].b));
        connections += most(of);
    }
    let mut edges = Vec::new();
    for of in pairs(false) {
        let (a, b) = (of[0].a, of[0].b);
        // An end that does not know who dialled has seen what the other end may have told with its direction.
        if arcs.binary_search(&(a, b)).is_err() && arcs.binary_search(&(b, a)).is_err() {
            edges.push((a, b));
            connections += most(of);
        }
    }
    (arcs, edges, connections)
}

fn read_peers(dataset: &Dataset) -> Result<Vec<Known>, AnalyzeError> {
    let Some(scan) = dataset.scan(&PEERS)? else { return Ok(Vec::new()) };
    let rows = dataset.collect(&PEERS, scan.select([col("peer_idx"), col("peer_id"), col("instance")]))?;
    let read = || -> PolarsResult<Vec<Known>> {
        let (ids, instances) = (frame::shared_text(&rows, "peer_id")?, frame::indices(&rows, "instance")?);
        let peers = frame::indices(&rows, "peer_idx")?.into_iter().map(Option::unwrap_or_default);
        let all = peers.zip(ids).zip(instances);
        Ok(all.map(|((peer, id), instance)| Known { peer, id, instance }).collect())
    };
    read().map_err(|source| dataset.unreadable(&PEERS, source))
}

/// What ends saw, by the columns of a plan: the two peers, `direction` and `times`.
pub(crate) fn sightings(
    dataset: &Dataset,
    table: &Table,
    plan: LazyFrame,
    [local, remote]: [&str; 2],
) -> Result<Vec<Sighting>, AnalyzeError> {
    let rows = dataset.collect(table, plan)?;
    let read = || -> PolarsResult<Vec<Sighting>> {
        let (locals, remotes) = (frame::indices(&rows, local)?, frame::indices(&rows, remote)?);
        let (directions, times) = (frame::counts(&rows, "direction")?, frame::counts(&rows, "times")?);
        let all = (0..rows.height()).filter_map(|at| {
            let direction = u8::try_from(directions[at].unwrap_or(0)).unwrap_or(0);
            let times = u32::try_from(times[at].unwrap_or(1)).unwrap_or(u32::MAX);
            Some(Sighting { local: locals[at]?, remote: remotes[at]?, direction, times })
        });
        Ok(all.collect())
    };
    read().map_err(|source| dataset.unreadable(table, source))
}

/// Arcs that are known from one end, each once.
pub(crate) fn arcs_of(pairs: Vec<(u32, u32)>) -> Vec<Sighting> {
    pairs.into_iter().map(|(local, remote)| Sighting { local, remote, direction: 2, times: 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_both_ends_saw_is_one() {
        let sighting = |local, remote, direction, times| Sighting { local, remote, direction, times };
        let seen = vec![
            sighting(0, 1, 2, 2), // 0 dialled 1 twice,
            sighting(1, 0, 1, 1), // of which 1 saw one;
            sighting(1, 0, 2, 1), // and 1 dialled 0 once.
            sighting(0, 1, 0, 1), // 0 also tells of one without a direction.
            sighting(2, 3, 0, 1), // Nobody knows who dialled,
            sighting(3, 2, 0, 1), // but both saw it.
            sighting(4, 4, 2, 1), // A loop.
        ];
        let (arcs, edges, connections) = merge(seen);
        assert_eq!((arcs, edges, connections), (vec![(0, 1), (1, 0), (4, 4)], vec![(2, 3)], 4));
    }

    #[test]
    fn peers_are_known_by_table_by_instance_and_by_sight() {
        let of = |peers: &[(u32, Option<u32>)], seen: &[(u32, u32)]| {
            let known = peers.iter().map(|&(peer, instance)| Known { peer, id: None, instance }).collect();
            known_peers(known, &[], &arcs_of(seen.to_vec()))
        };
        let known = of(&[(7, Some(1)), (0, None), (2, None), (7, None)], &[(9, 2), (1, 9)]);
        assert_eq!(known.iter().map(|one| one.peer).collect::<Vec<_>>(), [0, 1, 2, 7, 9]);
        assert_eq!(
            [0, 1, 2, 7, 9, 3].map(|peer| place(&known, peer)),
            [Some(0), Some(1), Some(2), Some(3), Some(4), None]
        );
        assert_eq!(known[3].instance, Some(1));
    }
}
