//! The network of a run: its nodes with what is known of them, and who was connected to whom.

use std::collections::BTreeMap;

use polars::prelude::{DataType, LazyFrame, PolarsResult, col, len};
use tg_model::table::{CONN_SNAPSHOTS, CONNECTIONS, PEERS, Table};

use super::csr::Graph;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::run::Instance;

/// A node: a peer, or an instance that never said which peer it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `group/3` for an instance of the run, else the peer's id.
    pub name: String,
    /// The peer's id, if it has one.
    pub peer_id: Option<String>,
    /// The group of its instance; nothing for a foreign peer.
    pub group: Option<String>,
    /// How its instance ended.
    pub outcome: Option<String>,
}

impl Node {
    /// The group, or the word for peers that are no instance of the run.
    pub fn group_or_foreign(&self) -> &str {
        self.group.as_deref().unwrap_or("(foreign)")
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
    pub(crate) times: u64,
}

impl Network {
    /// The connections of a run: those over time, or where there are none the last of the labelled snapshots.
    pub(crate) fn connections(dataset: &Dataset, instances: &[Instance]) -> Result<Self, AnalyzeError> {
        if let Some(scan) = dataset.scan(&CONNECTIONS)? {
            let sightings = read_sightings(dataset, scan)?;
            return Self::build(dataset, instances, &sightings, Connectivity::EverOpen);
        }
        let Some(scan) = dataset.scan(&CONN_SNAPSHOTS)? else {
            return Err(AnalyzeError::NoData(format!(
                "the run recorded no connections: `{}` has neither of the tables `connections` and `conn_snapshots`",
                dataset.dir().display()
            )));
        };
        let (label, sightings) = read_last_snapshot(dataset, scan)?;
        Self::build(dataset, instances, &sightings, Connectivity::Snapshot(label))
    }

    /// From what was seen of edges between peers: nodes are the instances of the run and whoever was seen with one.
    pub(crate) fn build(
        dataset: &Dataset,
        instances: &[Instance],
        sightings: &[Sighting],
        source: Connectivity,
    ) -> Result<Self, AnalyzeError> {
        let peers = read_peers(dataset)?;
        let by_instance: BTreeMap<u32, &Instance> = instances.iter().map(|one| (one.number, one)).collect();
        let own_peer: BTreeMap<u32, u32> =
            instances.iter().filter_map(|one| Some((one.peer_idx?, one.number))).collect();
        let mut known: BTreeMap<u32, (Option<String>, Option<u32>)> = BTreeMap::new();
        for (peer, id, instance) in peers {
            let instance = instance.or_else(|| own_peer.get(&peer).copied());
            known.insert(peer, (id, instance));
        }
        for (&peer, &instance) in &own_peer {
            known.entry(peer).or_insert((None, Some(instance)));
        }
        let seen = |peer: u32, known: &mut BTreeMap<u32, _>| {
            known.entry(peer).or_insert((None, None));
        };
        let mut linked = std::collections::BTreeSet::new();
        for sighting in sightings {
            seen(sighting.local, &mut known);
            seen(sighting.remote, &mut known);
            linked.extend([sighting.local, sighting.remote]);
        }
        // A foreign peer that somebody only heard of is no part of the network; an instance always is.
        known.retain(|peer, (_, instance)| instance.is_some() || linked.contains(peer));

        let mut peers_of: BTreeMap<u32, u32> = BTreeMap::new();
        for instance in known.values().filter_map(|(_, instance)| *instance) {
            *peers_of.entry(instance).or_insert(0) += 1;
        }
        let mut number: BTreeMap<u32, u32> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(known.len());
        for (peer, (id, instance)) in known {
            number.insert(peer, u32::try_from(nodes.len()).unwrap_or(u32::MAX));
            let owner = instance.and_then(|instance| by_instance.get(&instance));
            let id_text = id.clone().unwrap_or_else(|| format!("peer {peer}"));
            let name = match owner {
                Some(one) if peers_of.get(&one.number) == Some(&1) => one.name(),
                Some(one) => format!("{} ({id_text})", one.name()),
                None => id_text,
            };
            nodes.push(Node {
                name,
                peer_id: id,
                group: owner.map(|one| one.group.clone()),
                outcome: owner.map(|one| one.outcome.clone()),
            });
        }
        let mut without_peer = 0;
        for one in instances.iter().filter(|one| !peers_of.contains_key(&one.number)) {
            without_peer += 1;
            nodes.push(Node {
                name: one.name(),
                peer_id: None,
                group: Some(one.group.clone()),
                outcome: Some(one.outcome.clone()),
            });
        }
        let (arcs, edges, connections) = merge(sightings, &number);
        let graph = Graph::from_arcs_and_edges(nodes.len(), &arcs, &edges);
        let undirected_pairs = edges.len() as u64;
        Ok(Self { nodes, graph, source, connections, undirected_pairs, without_peer })
    }
}

type Pairs = Vec<(u32, u32)>;

/// Merges what both ends saw: each connection counts once, however many ends told of it. Gives arcs (loops among
/// them), edges without a known direction, and how many connections join different nodes.
fn merge(sightings: &[Sighting], number: &BTreeMap<u32, u32>) -> (Pairs, Pairs, u64) {
    /// How often each end told of a connection.
    type BySide = [u64; 2];
    let mut arcs: BTreeMap<(u32, u32), BySide> = BTreeMap::new();
    let mut unknown: BTreeMap<(u32, u32), BySide> = BTreeMap::new();
    for &Sighting { local, remote, direction, times } in sightings {
        let (local, remote) = (number[&local], number[&remote]);
        match direction {
            2 => arcs.entry((local, remote)).or_default()[0] += times,
            1 => arcs.entry((remote, local)).or_default()[1] += times,
            _ => {
                let side = usize::from(local > remote);
                unknown.entry((local.min(remote), local.max(remote))).or_default()[side] += times;
            }
        }
    }
    let most = |sides: &BySide| sides[0].max(sides[1]);
    // An end that does not know who dialled has seen what the other end may have told with its direction.
    unknown.retain(|&(a, b), _| !arcs.contains_key(&(a, b)) && !arcs.contains_key(&(b, a)));
    let between = |(pair, sides): (&(u32, u32), &BySide)| if pair.0 == pair.1 { 0 } else { most(sides) };
    let connections = arcs.iter().map(between).sum::<u64>() + unknown.iter().map(between).sum::<u64>();
    (arcs.into_keys().collect(), unknown.into_keys().collect(), connections)
}

type PeerRow = (u32, Option<String>, Option<u32>);

fn read_peers(dataset: &Dataset) -> Result<Vec<PeerRow>, AnalyzeError> {
    let Some(scan) = dataset.scan(&PEERS)? else { return Ok(Vec::new()) };
    let rows = dataset.collect(&PEERS, scan.select([col("peer_idx"), col("peer_id"), col("instance")]))?;
    let read = || -> PolarsResult<Vec<PeerRow>> {
        let ids = frame::text(&rows, "peer_id")?;
        let instances = frame::indices(&rows, "instance")?;
        let peers = frame::indices(&rows, "peer_idx")?.into_iter().map(Option::unwrap_or_default);
        Ok(peers.zip(ids).zip(instances).map(|((peer, id), instance)| (peer, id, instance)).collect())
    };
    read().map_err(|source| dataset.unreadable(&PEERS, source))
}

fn read_sightings(dataset: &Dataset, scan: LazyFrame) -> Result<Vec<Sighting>, AnalyzeError> {
    let keys = ["local_idx", "remote_idx", "direction"].map(col);
    let plan = scan.group_by(keys).agg([len().alias("times")]);
    sightings(dataset, &CONNECTIONS, plan, ["local_idx", "remote_idx"])
}

/// The snapshot whose last record is the latest; of several the one whose label sorts last.
fn read_last_snapshot(dataset: &Dataset, scan: LazyFrame) -> Result<(String, Vec<Sighting>), AnalyzeError> {
    let table = &CONN_SNAPSHOTS;
    let times = scan.clone().group_by([col("snapshot")]).agg([col("ts").cast(DataType::Int64).max().alias("last")]);
    let rows = dataset.collect(table, times)?;
    let read = || Ok((frame::text(&rows, "snapshot")?, frame::ints(&rows, "last")?));
    let (labels, times) = read().map_err(|source| dataset.unreadable(table, source))?;
    let Some((_, label)) = times.into_iter().zip(labels.into_iter().flatten()).max() else {
        return Err(AnalyzeError::NoData("the run's snapshots of connections are empty".to_owned()));
    };
    let of_label = scan.filter(col("snapshot").eq(polars::prelude::lit(label.clone())));
    // Whoever writes a snapshot twice, for instance after a failed refresh, has not twice as many connections.
    let plan = of_label
        .group_by(["src_idx", "dst_idx"].map(col))
        .agg([polars::prelude::lit(1_u32).alias("times"), polars::prelude::lit(2_u32).alias("direction")]);
    Ok((label, sightings(dataset, table, plan, ["src_idx", "dst_idx"])?))
}

fn sightings(
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
            Some(Sighting { local: locals[at]?, remote: remotes[at]?, direction, times: times[at].unwrap_or(1) })
        });
        Ok(all.collect())
    };
    read().map_err(|source| dataset.unreadable(table, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_both_ends_saw_is_one() {
        let number: BTreeMap<u32, u32> = (0..5).map(|i| (i, i)).collect();
        let sighting = |local, remote, direction, times| Sighting { local, remote, direction, times };
        let seen = [
            sighting(0, 1, 2, 2), // 0 dialled 1 twice,
            sighting(1, 0, 1, 1), // of which 1 saw one;
            sighting(1, 0, 2, 1), // and 1 dialled 0 once.
            sighting(0, 1, 0, 1), // 0 also tells of one without a direction.
            sighting(2, 3, 0, 1), // Nobody knows who dialled,
            sighting(3, 2, 0, 1), // but both saw it.
            sighting(4, 4, 2, 1), // A loop.
        ];
        let (arcs, edges, connections) = merge(&seen, &number);
        assert_eq!((arcs, edges, connections), (vec![(0, 1), (1, 0), (4, 4)], vec![(2, 3)], 4));
    }
}
