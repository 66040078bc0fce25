//! Records: whether they were put where they belong, and whether they could be got back.

use std::collections::{BTreeMap, BTreeSet};

use super::lookups::{Lookup, Scored};
use crate::routing::Place;

/// Ages of records up to which retrievals are counted together, in nanoseconds; the last has no limit.
const AGES: [(&str, i64); 5] = [
    ("up to 10 s", 10_000_000_000),
    ("up to 1 min", 60_000_000_000),
    ("up to 10 min", 600_000_000_000),
    ("up to 1 h", 3_600_000_000_000),
    ("older", i64::MAX),
];

/// What became of the records of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    /// Keys under which something was put or provided.
    pub keys: u64,
    /// Lookups that put or provided something, and were scored.
    pub placements: u64,
    /// Their mean recall among the servers alive: the share of the k nearest that were given the record.
    pub placement_recall: Option<f64>,
    /// Retrievals of those keys by age of the record; only ages that occur.
    pub ages: Vec<Retrieved>,
}

/// Retrievals of records of about the same age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retrieved {
    /// The age in words.
    pub age: &'static str,
    /// Retrievals.
    pub n: u64,
    /// Those that found something.
    pub done: u64,
    /// The mean share of the record's holders that were alive when the retrieval began.
    pub holders_alive: Option<f64>,
}

/// Follows every key from its first placement on.
///
/// Operations `provide` and `put` give the record to their final closest set: these are its holders, and the recall of
/// the lookup is that of the placement. Operations `find_providers` and `get` of the same key retrieve it, if they
/// began after a placement had ended; the record's age is counted from the last such. Retrievability is the share of
/// them whose status is done: one that timed out is none. Retrievals before any placement are of a record that does not
/// exist and are left out.
pub fn records(scored: &Scored) -> Records {
    let is = |lookup: &&Lookup, ops: [&str; 2]| ops.contains(&lookup.op.as_str());
    // Of each key the moments at which it was placed, with the holders.
    let mut placed: BTreeMap<Place, Vec<(i64, &[u32])>> = BTreeMap::new();
    let mut recalls = Vec::new();
    for lookup in scored.lookups.iter().filter(|lookup| is(lookup, ["provide", "put"])) {
        recalls.extend(lookup.score.and_then(|score| score.recall_alive));
        let (Some(key), Some(end_ns)) = (lookup.place, lookup.end_ns.or(lookup.settled_ns)) else { continue };
        placed.entry(key).or_default().push((end_ns, lookup.returned(scored.k)));
    }
    let mut ages: Vec<(u64, u64, Vec<f64>)> = vec![(0, 0, Vec::new()); AGES.len()];
    for lookup in scored.lookups.iter().filter(|lookup| is(lookup, ["find_providers", "get"])) {
        let (Some(key), Some(start_ns)) = (lookup.place, lookup.start_ns) else { continue };
        let before = placed.get(&key).into_iter().flatten().filter(|placement| placement.0 <= start_ns);
        let before: Vec<&(i64, &[u32])> = before.collect();
        let Some(last) = before.iter().map(|placement| placement.0).max() else { continue };
        let age = AGES.iter().position(|age| start_ns - last <= age.1).unwrap_or(AGES.len() - 1);
        ages[age].0 += 1;
        ages[age].1 += u64::from(lookup.is_done());
        let holders: BTreeSet<u32> = before.iter().flat_map(|placement| placement.1).copied().collect();
        let is_alive = |holder: &&u32| scored.world.peer(**holder).is_some_and(|peer| peer.is_alive(start_ns));
        if !holders.is_empty() {
            ages[age].2.push(holders.iter().filter(is_alive).count() as f64 / holders.len() as f64);
        }
    }
    let ages = AGES.iter().zip(ages).filter(|(_, (n, ..))| *n > 0);
    Records {
        keys: placed.len() as u64,
        placements: recalls.len() as u64,
        placement_recall: mean(&recalls),
        ages: ages
            .map(|(age, (n, done, alive))| Retrieved { age: age.0, n, done, holders_alive: mean(&alive) })
            .collect(),
    }
}

/// The mean; nothing of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
