//! Who dials whom: a random graph that every instance computes for itself, from the same seed.

use std::collections::BTreeSet;

use tg_sdk::Rng;

/// The edges of a mesh of `n` instances, as (who dials, who is dialled).
///
/// It is the union of rings, each through all instances in a random order, and of a random pairing if the degree is
/// odd. So it is always connected for a degree of at least 2, and every instance has `degree` connections, or fewer
/// where two rings share an edge. Such unions are well-known expanders: short ways, no centre.
pub fn edges(n: usize, degree: usize, seed: u64) -> BTreeSet<(usize, usize)> {
    let mut rng = Rng::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    let mut edges = BTreeSet::new();
    let mut add = |from: usize, to: usize| {
        if from != to && !edges.contains(&(to, from)) {
            edges.insert((from, to));
        }
    };
    for _ in 0..degree / 2 {
        rng.shuffle(&mut order);
        for (i, &from) in order.iter().enumerate() {
            add(from, order[(i + 1) % n]);
        }
    }
    if degree % 2 == 1 {
        rng.shuffle(&mut order);
        for pair in order.chunks_exact(2) {
            add(pair[0], pair[1]);
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(n: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<usize> {
        (0..n).map(|v| edges.iter().filter(|&&(a, b)| a == v || b == v).count()).collect()
    }

    fn reached(n: usize, edges: &BTreeSet<(usize, usize)>) -> usize {
        let mut seen = vec![false; n];
        let mut todo = vec![0];
        while let Some(v) = todo.pop() {
            if !std::mem::replace(&mut seen[v], true) {
                todo.extend(edges.iter().filter_map(|&(a, b)| (a == v).then_some(b).or((b == v).then_some(a))));
            }
        }
        seen.into_iter().filter(|&seen| seen).count()
    }

    #[test]
    fn every_mesh_is_connected_and_no_degree_too_high() {
        for (n, degree) in [(2, 2), (2, 4), (3, 2), (20, 4), (20, 5), (100, 3), (500, 8)] {
            for seed in 0..5 {
                let edges = edges(n, degree, seed);
                assert_eq!(reached(n, &edges), n, "{n} {degree} {seed}");
                assert!(degrees(n, &edges).into_iter().all(|d| (1..=degree).contains(&d)), "{n} {degree} {seed}");
                assert!(edges.iter().all(|&(a, b)| a != b && !edges.contains(&(b, a))));
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(edges(20, 4, 7), edges(20, 4, 7));
        assert_ne!(edges(20, 4, 7), edges(20, 4, 8));
        assert!(edges(1, 4, 1).is_empty());
    }
}
