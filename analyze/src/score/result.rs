//! What a lookup returned, against who was really there.

use std::collections::HashSet;

use super::keyspace::{Keyspace, Member};
use crate::routing::{Place, World};

/// Who was really there: the run's instances, by place.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Instances that others can dial and that are no clients: those that a lookup may return.
    pub servers: Keyspace,
    /// All instances.
    pub all: Keyspace,
}

impl Truth {
    /// Of the instances whose place is known and that were started.
    pub fn new(world: &World) -> Self {
        let (mut servers, mut all) = (Vec::new(), Vec::new());
        for (number, peer) in world.numbers() {
            let Some(place) = peer.place.filter(|_| peer.group.is_some() && peer.from < peer.until) else { continue };
            let member = Member { place, number, from: peer.from, until: peer.until };
            all.push(member);
            if peer.server {
                servers.push(member);
            }
        }
        Self { servers: Keyspace::new(servers), all: Keyspace::new(all) }
    }
}

/// What is asked of one lookup: its target, who asked, when it ended, and what it returned, the nearest first.
#[derive(Debug, Clone, Copy)]
pub struct Returned<'a> {
    /// The target's place.
    pub target: Place,
    /// The peer that asked: nobody expects it in its own answer.
    pub own: Option<u32>,
    /// When the lookup ended, in nanoseconds since the epoch.
    pub end_ns: i64,
    /// The peers that it returned, with their places where they are known.
    pub peers: &'a [(u32, Option<Place>)],
}

/// How good a lookup's result was.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// The share of the k servers nearest to the target, among those alive when the lookup ended, that it returned.
    pub recall_alive: Option<f64>,
    /// The same among all servers of the run, alive or not.
    pub recall_all: Option<f64>,
    /// How many ranks too far the returned peers are, on average, among the servers alive when the lookup ended.
    pub displacement_alive: Option<f64>,
    /// The same among all instances of the run, as plans compute it.
    pub displacement_all: Option<f64>,
    /// How many bits farther than the nearest server alive the nearest returned peer is.
    pub distance_ratio_bits: Option<f64>,
    /// How many peers the network has, as the returned peers' distances tell.
    pub size_estimate: Option<f64>,
}

/// Scores what a lookup returned; its first `k` peers count.
///
/// - recall@k = |returned ∩ the k nearest| / min(k, N), over N servers without the one that asked. A lookup that returned
///   nothing has recall 0; where N is 0 there is no recall.
/// - rank displacement = mean of rank(i) − i over the returned peers i = 0, 1, …: 0 for a perfect result. The rank is
///   the number of peers nearer to the target. It is the mean of what the DHT plan of Testground logs as `Scores`,
///   which ranks among all instances, those that cannot be dialled and the one that asked included; a peer that is
///   none of them has the rank at which it would be inserted.
/// - distance ratio = log2(d returned / d true) of the nearest ones: 0 for a perfect result. There is none where the
///   nearest server is at the target itself and was not returned.
/// - size estimate: see [`size_estimate`].
///
/// Cost: O(log² n) for each returned peer, and a walk to the farthest of them.
///
/// The worked example has 8-bit ids and the target 0x60; F, E, D, A, … is the true order.
///
/// ```
/// use tg_analyze::routing::Place;
/// use tg_analyze::score::{Keyspace, Member, Returned, Truth, score};
/// let place = |first: u8| {
///     let mut bytes = [0; 32];
///     bytes[0] = first;
///     Place::from_slice(&bytes).unwrap()
/// };
/// let ids = [0x00, 0x03, 0x10, 0x20, 0x40, 0x61, 0x80, 0xC0, 0xF0];
/// let members: Vec<Member> =
///     (0..).zip(ids).map(|(number, id)| Member { place: place(id), number, from: 0, until: 9 }).collect();
/// let truth = Truth { servers: Keyspace::new(members.clone()), all: Keyspace::new(members) };
/// let [a, e, f] = [0, 4, 5].map(|number: u32| (number, Some(place(ids[number as usize]))));
/// let returned = Returned { target: place(0x60), own: None, end_ns: 5, peers: &[f, e, a] };
/// let scored = score(&truth, &returned, 3);
/// assert_eq!(scored.recall_alive, Some(2.0 / 3.0));
/// assert_eq!(scored.displacement_all, Some(1.0 / 3.0)); // ranks 0, 1 and 3: Scores 0, 0, 1
/// ```
pub fn score(truth: &Truth, returned: &Returned<'_>, k: u32) -> Score {
    let peers = &returned.peers[..returned.peers.len().min(k as usize)];
    let numbers: HashSet<u32> = peers.iter().map(|peer| peer.0).collect();
    let others = || truth.servers.nearest(returned.target).filter(|member| Some(member.number) != returned.own);
    let alive = || others().filter(|member| member.is_alive(returned.end_ns));
    let nearest_alive = alive().next();
    let nearest = peers.iter().filter_map(|peer| peer.1).map(|place| place.distance(returned.target)).min();
    Score {
        recall_alive: recall(alive(), &numbers, k),
        recall_all: recall(others(), &numbers, k),
        displacement_alive: displacement_alive(alive(), returned.target, peers),
        displacement_all: mean(
            peers
                .iter()
                .enumerate()
                .filter_map(|(at, peer)| Some(truth.all.rank(returned.target, peer.1?) as f64 - at as f64)),
        ),
        distance_ratio_bits: nearest
            .zip(nearest_alive)
            .and_then(|(found, best)| distance_ratio_bits(found, best.place.distance(returned.target))),
        size_estimate: size_estimate(returned.target, peers),
    }
}

fn recall<'a>(nearest: impl Iterator<Item = &'a Member>, returned: &HashSet<u32>, k: u32) -> Option<f64> {
    let (mut wanted, mut found) = (0_u32, 0_u32);
    for member in nearest.take(k as usize) {
        wanted += 1;
        found += u32::from(returned.contains(&member.number));
    }
    (wanted > 0).then(|| f64::from(found) / f64::from(wanted))
}

/// Walks outwards until it has passed every returned peer.
fn displacement_alive<'a>(
    alive: impl Iterator<Item = &'a Member>,
    target: Place,
    peers: &[(u32, Option<Place>)],
) -> Option<f64> {
    let mut by_distance: Vec<(Place, usize)> =
        peers.iter().enumerate().filter_map(|(at, peer)| Some((peer.1?.distance(target), at))).collect();
    by_distance.sort_unstable();
    let mut alive = alive.map(|member| member.place.distance(target)).peekable();
    let mut rank = 0_u32;
    mean(by_distance.into_iter().map(|(distance, at)| {
        while alive.next_if(|&nearer| nearer < distance).is_some() {
            rank += 1;
        }
        f64::from(rank) - at as f64
    }))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum) = (0_u32, 0.0);
    for value in values {
        n += 1;
        sum += value;
    }
    (n > 0).then(|| sum / f64::from(n))
}

/// log2(d found / d best): how many bits farther than need be. 0 where both are at the target itself.
fn distance_ratio_bits(found: Place, best: Place) -> Option<f64> {
    if found == best {
        return Some(0.0);
    }
    let bits = found.log2() - best.log2();
    bits.is_finite().then_some(bits)
}

/// How many peers a network has, by how near the nearest of them are: N = Σi² / Σ(i·dᵢ) − 1 for the i-th nearest at
/// distance dᵢ, as a share of the keyspace: the least squares fit of dᵢ = i / (N + 1).
///
/// Package `netsize` of `go-libp2p-kad-dht` fits the same line. It needs two peers whose places are known; a peer at
/// the target itself, as when a peer is looked up, was not put there by chance, so there is no estimate.
///
/// ```
/// use tg_analyze::routing::Place;
/// use tg_analyze::score::size_estimate;
/// let place = |first: u8| {
///     let mut bytes = [0; 32];
///     bytes[0] = first;
///     Some(Place::from_slice(&bytes).unwrap())
/// };
/// // At 1/8, 2/8 and 3/8 of the keyspace: 7 peers cut it into eighths.
/// let peers = [(0, place(0x20)), (1, place(0x40)), (2, place(0x60))];
/// assert_eq!(size_estimate(place(0).unwrap(), &peers), Some(7.0));
/// assert_eq!(size_estimate(place(0).unwrap(), &peers[..1]), None);
/// ```
pub fn size_estimate(target: Place, peers: &[(u32, Option<Place>)]) -> Option<f64> {
    let mut distances: Vec<Place> =
        peers.iter().filter_map(|peer| peer.1).map(|place| place.distance(target)).collect();
    distances.sort_unstable();
    let (mut squares, mut products) = (0.0, 0.0);
    for (rank, distance) in (1_u32..).zip(&distances) {
        let share = distance.share();
        if share == 0.0 {
            return None;
        }
        squares += f64::from(rank).powi(2);
        products += f64::from(rank) * share;
    }
    (distances.len() > 1).then(|| squares / products - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u8 = 0x60;
    /// A to I are peers 0 to 8; nearest to 0x60 are F(5), E(4), D(3), A(0), B(1), C(2), I(8), H(7), G(6) with the ids
    /// of the worked routing table.
    const IDS: [u8; 9] = [0x00, 0x03, 0x10, 0x20, 0x40, 0x61, 0x80, 0xC0, 0xF0];

    fn place(first: u8) -> Place {
        let mut bytes = [0; 32];
        bytes[0] = first;
        Place::from_slice(&bytes).unwrap()
    }

    fn member(number: u32, from: i64, until: i64) -> Member {
        Member { place: place(IDS[number as usize]), number, from, until }
    }

    /// All alive, but for those whose life is given.
    fn truth(lives: &[(u32, i64, i64)], clients: &[u32]) -> Truth {
        let life = |number| lives.iter().find(|life| life.0 == number).map_or((0, 100), |life| (life.1, life.2));
        let all: Vec<Member> = (0..9).map(|n| member(n, life(n).0, life(n).1)).collect();
        let servers = all.iter().filter(|member| !clients.contains(&member.number)).copied().collect();
        Truth { servers: Keyspace::new(servers), all: Keyspace::new(all) }
    }

    fn scored(truth: &Truth, numbers: &[u32], own: Option<u32>, end_ns: i64, k: u32) -> Score {
        let peers: Vec<(u32, Option<Place>)> =
            numbers.iter().map(|&n| (n, IDS.get(n as usize).map(|&id| place(id)))).collect();
        score(truth, &Returned { target: place(TARGET), own, end_ns, peers: &peers }, k)
    }

    fn recalls(score: Score) -> (Option<f64>, Option<f64>) {
        (score.recall_alive, score.recall_all)
    }

    #[test]
    fn the_worked_result() {
        let found = scored(&truth(&[], &[]), &[5, 4, 0], None, 50, 3);
        assert_eq!(recalls(found), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!((found.displacement_alive, found.displacement_all), (Some(1.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!(found.distance_ratio_bits, Some(0.0));
        // E is 32 times as far as F.
        assert_eq!(scored(&truth(&[], &[]), &[4], None, 50, 3).distance_ratio_bits, Some(5.0));
    }

    #[test]
    fn who_left_before_the_end_is_not_missed_and_who_left_after_it_is() {
        // D left at 40, before the lookup ended at 50: A is the third nearest that was alive.
        let left = truth(&[(3, 0, 40)], &[]);
        assert_eq!(recalls(scored(&left, &[5, 4, 0], None, 50, 3)), (Some(1.0), Some(2.0 / 3.0)));
        assert_eq!(scored(&left, &[5, 4, 0], None, 50, 3).displacement_alive, Some(0.0));
        // At the moment of its end it is gone; a nanosecond earlier it was there.
        assert_eq!(scored(&left, &[5, 4, 0], None, 40, 3).recall_alive, Some(1.0));
        assert_eq!(scored(&left, &[5, 4, 0], None, 39, 3).recall_alive, Some(2.0 / 3.0));
    }

    #[test]
    fn who_came_after_the_end_is_not_missed() {
        let came = truth(&[(5, 51, 100)], &[]);
        assert_eq!(recalls(scored(&came, &[4, 3, 0], None, 50, 3)), (Some(1.0), Some(2.0 / 3.0)));
        assert_eq!(recalls(scored(&came, &[4, 3, 0], None, 51, 3)), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
    }

    #[test]
    fn returning_the_dead_is_no_recall_and_displaces_nobody_alive() {
        // F is dead at the end. It would be inserted at rank 0; E after it is at rank 0 too, one nearer than its place.
        let dead = truth(&[(5, 0, 10)], &[]);
        let found = scored(&dead, &[5, 4, 3], None, 50, 3);
        assert_eq!(recalls(found), (Some(2.0 / 3.0), Some(1.0)));
        assert_eq!(found.displacement_alive, Some(-2.0 / 3.0));
    }

    #[test]
    fn clients_and_the_one_that_asked_are_nobody_to_find() {
        let clients = truth(&[], &[4]);
        let found = scored(&clients, &[5, 3, 0], None, 50, 3);
        assert_eq!((found.recall_alive, found.displacement_alive), (Some(1.0), Some(0.0)));
        // The plan's own scores rank among everybody: 0, 2, 3.
        assert_eq!(found.displacement_all, Some(2.0 / 3.0));
        let own = scored(&truth(&[], &[]), &[4, 3, 0], Some(5), 50, 3);
        assert_eq!((recalls(own), own.displacement_alive), ((Some(1.0), Some(1.0)), Some(0.0)));
    }

    #[test]
    fn small_networks_and_empty_results() {
        // Only two are alive: both is all.
        let lives: Vec<(u32, i64, i64)> = (0..7).map(|n| (n, 0, 1)).collect();
        assert_eq!(scored(&truth(&lives, &[]), &[8, 7], None, 50, 20).recall_alive, Some(1.0));
        let nothing = scored(&truth(&[], &[]), &[], None, 50, 20);
        assert_eq!(nothing, Score { recall_alive: Some(0.0), recall_all: Some(0.0), ..Score::default() });
        assert_eq!(scored(&Truth::default(), &[1], None, 50, 20).recall_alive, None);
        // A stranger whose place nobody knows counts as returned, and has no rank.
        let stranger = scored(&truth(&[], &[]), &[99, 5], None, 50, 2);
        assert_eq!((stranger.recall_alive, stranger.displacement_alive), (Some(0.5), Some(-1.0)));
    }
}
