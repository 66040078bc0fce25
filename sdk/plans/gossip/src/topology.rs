//! Who is connected to whom, and who wants which topic: every node computes it for itself, from the same seed.

use std::collections::BTreeSet;

use tg_sdk::Rng;

use crate::settings::Topology;

/// The connections among so many nodes, as pairs with the lower number first.
pub fn pairs(topology: Topology, nodes: usize, seed: u64) -> BTreeSet<(usize, usize)> {
    let partners = |a: usize| -> Vec<usize> {
        match topology {
            Topology::Full => (a + 1..nodes).collect(),
            Topology::Ring => vec![(a + 1) % nodes],
            Topology::Random(degree) => {
                let mut others: Vec<usize> = (0..nodes).filter(|&b| b != a).collect();
                Rng::new(seed ^ (a as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d)).shuffle(&mut others);
                others.truncate(degree);
                others
            }
        }
    };
    let all = (0..nodes).flat_map(|a| partners(a).into_iter().map(move |b| (a.min(b), a.max(b))));
    all.filter(|(a, b)| a != b).collect()
}

/// The topics of a node: so many of all, from its own on. Nodes have these by turns; in a ring neighbours have the same,
/// because a topic whose nodes are not connected reaches nobody.
pub fn topics_of(topology: Topology, seq: usize, nodes: usize, topics: usize, subscriptions: usize) -> Vec<usize> {
    let first = match topology {
        Topology::Ring => seq * topics / nodes.max(1),
        Topology::Full | Topology::Random(_) => seq % topics,
    };
    let mut mine: Vec<usize> = (0..subscriptions.min(topics)).map(|next| (first + next) % topics).collect();
    mine.sort_unstable();
    mine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topologies_have_the_pairs_that_they_say() {
        assert_eq!(pairs(Topology::Full, 5, 1).len(), 10);
        assert_eq!(pairs(Topology::Ring, 4, 1), BTreeSet::from([(0, 1), (1, 2), (2, 3), (0, 3)]));
        // A ring of two is one connection.
        assert_eq!(pairs(Topology::Ring, 2, 1).len(), 1);
        let random = pairs(Topology::Random(3), 40, 1);
        assert_eq!(random, pairs(Topology::Random(3), 40, 1));
        assert_ne!(random, pairs(Topology::Random(3), 40, 2));
        for node in 0..40 {
            let degree = random.iter().filter(|&&(a, b)| a == node || b == node).count();
            assert!(degree >= 3, "{node} has {degree}");
        }
        // No more than there are.
        assert_eq!(pairs(Topology::Random(9), 4, 1).len(), 6);
    }

    #[test]
    fn every_topic_has_its_nodes() {
        let mine = |topology| (0..6).map(|seq| topics_of(topology, seq, 6, 3, 1)).collect::<Vec<_>>();
        assert_eq!(mine(Topology::Ring), [[0], [0], [1], [1], [2], [2]]);
        assert_eq!(mine(Topology::Full), [[0], [1], [2], [0], [1], [2]]);
        assert_eq!(topics_of(Topology::Ring, 5, 6, 3, 2), [0, 2]);
        assert_eq!(topics_of(Topology::Full, 0, 6, 2, 9), [0, 1]);
    }
}
