//! One lookup: from its steps to its tree of hops and its counts.

use std::collections::{BTreeMap, BTreeSet};

use super::places::Places;
use crate::read::peer::common_prefix;

/// Where a lookup does not say which peers it settled on, it is as many of the nearest as a bucket has: this many, if the
/// run does not say how large its buckets are.
pub(crate) const USUAL_BUCKET: usize = 20;

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    Dial,
    DialError,
    Send,
    Receive,
    Error,
    Adding,
    Result,
    Terminate,
    /// A step that only some formats have; it counts nowhere.
    Other,
}

impl Kind {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "start" => Self::Start,
            "dial" => Self::Dial,
            "dial_error" => Self::DialError,
            "send" => Self::Send,
            "receive" => Self::Receive,
            "error" => Self::Error,
            "adding" => Self::Adding,
            "result" => Self::Result,
            "terminate" => Self::Terminate,
            _ => Self::Other,
        }
    }
}

/// What kind of line a step came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line that tells of requests, dials and all.
    Full,
    /// A line that tells of requests and answers with who led to them.
    Traced,
    /// A line without the lookup's id, beside traced ones: it counts dials, failures and results.
    Beside,
}

/// One step, with the run's numbers for peers.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) origin: Origin,
    pub(crate) kind: Kind,
    pub(crate) word: String,
    pub(crate) file_id: u32,
    pub(crate) line: u32,
    pub(crate) ts: i64,
    pub(crate) peer: Option<u32>,
    pub(crate) source: Option<u32>,
    pub(crate) cause: Option<u32>,
    pub(crate) n_closer: Option<u16>,
    pub(crate) closer: Vec<u32>,
    pub(crate) rtt_ns: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) value: Option<String>,
}

/// What a lookup's steps add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) requests: u32,
    pub(crate) responses: u32,
    pub(crate) dials: u32,
    pub(crate) dial_failures: u32,
    pub(crate) rpc_failures: u32,
    pub(crate) unreachable: u32,
    pub(crate) peers_heard: u32,
    pub(crate) results: u32,
    pub(crate) total_hops: Option<u16>,
    pub(crate) hops_for_closest: Option<u16>,
    pub(crate) hops_first_result: Option<u16>,
    pub(crate) cpl_start: Option<u16>,
    pub(crate) cpl_end: Option<u16>,
    pub(crate) closest: Vec<u32>,
    pub(crate) first_result: Option<i64>,
    pub(crate) last_result: Option<i64>,
    pub(crate) end: Option<i64>,
    /// The hop of each step's peer, as far as it was known then.
    pub(crate) hops: Vec<Option<u16>>,
    /// From the request to the answer, per step.
    pub(crate) rtts: Vec<Option<i64>>,
}

/// Follows the steps in their order.
///
/// A peer that was known from the begin is at hop 1, one that was first heard of in the answer of a peer at hop `h` is
/// at hop `h + 1`; it was heard of at hop `h`.
#[expect(clippy::too_many_lines, reason = "one walk over the steps, whose sets each step may touch")]
pub(crate) fn grow(steps: &[Step], me: Option<u32>, target: Option<&[u8; 32]>, places: &Places, bucket: usize) -> Tree {
    let mut tree = Tree::default();
    let mut hop: BTreeMap<u32, u16> = BTreeMap::new();
    let mut heard: BTreeMap<u32, u16> = BTreeMap::new();
    let (mut asked, mut answered, mut dead) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut dialled, mut dial_failed, mut failed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut sent: BTreeMap<u32, i64> = BTreeMap::new();
    let mut results: BTreeSet<(Option<u32>, i64)> = BTreeSet::new();
    let mut at_start: Option<u16> = None;
    let mut settled: Option<Vec<u32>> = None;
    let near = |peer: u32| Some(common_prefix(target?, &places.get(peer)?));
    if let Some(me) = me {
        hop.insert(me, 0);
    }
    for step in steps {
        let mut rtt = step.rtt_ns;
        let beside = step.origin == Origin::Beside;
        if step.peer.is_none() && step.kind == Kind::Receive {
            // What the node's own table held.
            for &closer in &step.closer {
                heard.entry(closer).or_insert(0);
            }
        }
        if let Some(peer) = step.peer {
            // The lookup's own node answers with what its table held: those are its seeds.
            let own = Some(peer) == me;
            if step.origin == Origin::Traced && step.kind == Kind::Send {
                let from = step.source.map_or(0, |source| hop.get(&source).copied().unwrap_or(0));
                if asked.insert(peer) {
                    hop.insert(peer, from.saturating_add(1));
                }
            } else if step.origin == Origin::Full
                && !own
                && matches!(step.kind, Kind::Dial | Kind::Send | Kind::Adding | Kind::DialError | Kind::Error)
            {
                let from = step.source.and_then(|source| hop.get(&source)).or_else(|| heard.get(&peer)).copied();
                heard.entry(peer).or_insert(from.unwrap_or(0));
                if step.kind != Kind::Adding {
                    hop.entry(peer).or_insert(from.unwrap_or(0).saturating_add(1));
                }
            }
            match step.kind {
                Kind::Dial => drop(dialled.insert((peer, step.ts))),
                Kind::DialError => {
                    dial_failed.insert((peer, step.ts));
                    if !beside {
                        dead.insert(peer);
                    }
                }
                Kind::Send => {
                    sent.insert(peer, step.ts);
                    if !beside {
                        asked.insert(peer);
                    }
                }
                Kind::Error => {
                    // A traced line does not say whether it was the dial or the request that failed.
                    if step.origin != Origin::Traced {
                        failed.insert((peer, step.ts));
                    }
                    if !beside {
                        dead.insert(peer);
                    }
                }
                Kind::Receive if beside => {
                    rtt = rtt.or_else(|| sent.get(&peer).map(|&at| step.ts - at)).filter(|&rtt| rtt >= 0);
                }
                Kind::Receive => {
                    if !own {
                        if at_start.is_none() {
                            at_start = heard.keys().filter_map(|&peer| near(peer)).max();
                        }
                        answered.insert(peer);
                        rtt = rtt.or_else(|| sent.get(&peer).map(|&at| step.ts - at)).filter(|&rtt| rtt >= 0);
                    }
                    let from = hop.get(&peer).copied().unwrap_or(0);
                    for &closer in &step.closer {
                        heard.entry(closer).or_insert(from);
                    }
                }
                Kind::Start | Kind::Adding | Kind::Result | Kind::Terminate | Kind::Other => {}
            }
        }
        match step.kind {
            Kind::Result => {
                // A line that was written twice is one result.
                if step.closer.is_empty() {
                    results.insert((step.peer, step.ts));
                } else {
                    results.extend(step.closer.iter().map(|&peer| (Some(peer), 0)));
                }
                if tree.first_result.is_none() {
                    tree.first_result = Some(step.ts);
                    tree.hops_first_result =
                        step.peer.and_then(|peer| hop.get(&peer).or_else(|| heard.get(&peer)).copied());
                }
                tree.last_result = Some(step.ts);
            }
            Kind::Terminate => {
                tree.end = Some(step.ts);
                if !step.closer.is_empty() {
                    settled = Some(step.closer.clone());
                }
            }
            _ => {}
        }
        let known = step.peer.and_then(|peer| hop.get(&peer).copied());
        tree.hops.push(known);
        tree.rtts.push(rtt);
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    tree.requests = count(asked.len());
    tree.responses = count(answered.len());
    tree.dials = count(dialled.len());
    tree.dial_failures = count(dial_failed.len());
    tree.rpc_failures = count(failed.len());
    tree.unreachable = count(dead.len());
    tree.peers_heard = count(heard.len());
    tree.results = count(results.len());
    tree.total_hops = answered.iter().filter_map(|peer| hop.get(peer)).max().copied();
    tree.closest = settled.unwrap_or_else(|| nearest(&heard, &dead, target, places, bucket));
    tree.hops_for_closest = tree.closest.iter().filter_map(|peer| heard.get(peer)).max().copied();
    tree.cpl_start =
        at_start.or_else(|| heard.iter().filter(|(_, hop)| **hop == 0).filter_map(|(&peer, _)| near(peer)).max());
    tree.cpl_end = tree.closest.iter().filter_map(|&peer| near(peer)).max();
    tree
}

/// The peers nearest to the target among those that were heard of and did not fail.
fn nearest(
    heard: &BTreeMap<u32, u16>,
    dead: &BTreeSet<u32>,
    target: Option<&[u8; 32]>,
    places: &Places,
    bucket: usize,
) -> Vec<u32> {
    let Some(target) = target else { return Vec::new() };
    let mut by_distance: Vec<([u8; 32], u32)> = heard
        .keys()
        .filter(|peer| !dead.contains(peer))
        .filter_map(|&peer| {
            let mut distance = places.get(peer)?;
            distance.iter_mut().zip(target).for_each(|(a, b)| *a ^= b);
            Some((distance, peer))
        })
        .collect();
    by_distance.sort_unstable();
    by_distance.truncate(bucket);
    by_distance.into_iter().map(|(_, peer)| peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: Kind, peer: u32, source: Option<u32>, closer: &[u32]) -> Step {
        Step {
            origin: Origin::Full,
            kind,
            word: String::new(),
            file_id: 1,
            line: 1,
            ts: 0,
            peer: Some(peer),
            source,
            cause: None,
            n_closer: None,
            closer: closer.to_vec(),
            rtt_ns: None,
            error: None,
            value: None,
        }
    }

    /// The worked lookup: S asks its seeds A and B; A answers {C, D}; B is unreachable; C answers {E}; E answers {}.
    #[test]
    fn a_worked_lookup_has_its_known_numbers() {
        const S: u32 = 0;
        const A: u32 = 1;
        const B: u32 = 2;
        const C: u32 = 3;
        const D: u32 = 4;
        const E: u32 = 5;
        let mut end = step(Kind::Terminate, S, None, &[E, C, A]);
        end.peer = None;
        let seeds = step(Kind::Receive, S, None, &[A, B]);
        let rest = [
            step(Kind::Send, A, Some(S), &[]),
            step(Kind::Send, B, Some(S), &[]),
            step(Kind::Receive, A, Some(A), &[C, D]),
            step(Kind::Error, B, Some(B), &[]),
            step(Kind::Send, C, Some(A), &[]),
            step(Kind::Receive, C, Some(C), &[E]),
            step(Kind::Send, E, Some(C), &[]),
            step(Kind::Receive, E, Some(E), &[]),
            end,
        ];
        // With the seeds named by the node itself, or known only by being asked.
        let with: Vec<Step> = std::iter::once(seeds).chain(rest.clone()).collect();
        for (steps, me) in [(with.as_slice(), Some(S)), (rest.as_slice(), None)] {
            let tree = grow(steps, me, None, &Places::of(Vec::new()), USUAL_BUCKET);
            assert_eq!((tree.requests, tree.responses, tree.unreachable, tree.peers_heard), (4, 3, 1, 5), "{me:?}");
            assert_eq!((tree.total_hops, tree.hops_for_closest), (Some(3), Some(2)), "{me:?}");
            assert_eq!(tree.closest, [E, C, A]);
        }
    }

    #[test]
    fn without_an_end_the_nearest_that_did_not_fail_are_the_closest() {
        let place = |first: u8| {
            let mut place = [0; 32];
            place[0] = first;
            Some(place)
        };
        let places = [place(0), place(0x80), place(0x40), place(0x20)];
        let steps = [
            step(Kind::Send, 1, None, &[]),
            step(Kind::Receive, 1, None, &[2, 3]),
            step(Kind::DialError, 3, None, &[]),
        ];
        let tree = grow(&steps, None, places[0].as_ref(), &Places::of(places.to_vec()), USUAL_BUCKET);
        assert_eq!(tree.closest, [2, 1]);
        assert_eq!((tree.cpl_start, tree.cpl_end), (Some(0), Some(1)));
        assert_eq!((tree.dial_failures, tree.rpc_failures, tree.total_hops), (1, 0, Some(1)));
    }
}
