//! Who may reach whom: random graphs over the instances of a run.

use std::collections::BTreeSet;

use crate::fault::Dice;

/// A kind of random graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Every graph with so many edges is equally likely (P. Erdős and A. Rényi, "On random graphs I", 1959): as many
    /// edges as give this mean degree.
    Random {
        /// How many others an instance reaches in the mean.
        degree: f64,
    },
    /// One after the other joins and reaches this many of those that are there, with a probability that grows with how
    /// many they reach (A.-L. Barabási and R. Albert, "Emergence of scaling in random networks", 1999). The first are
    /// one more than that and reach one another.
    ScaleFree {
        /// How many each newcomer reaches.
        edges: u32,
    },
}

impl Kind {
    /// The word for it in compositions and in `run.json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Random { .. } => "random",
            Self::ScaleFree { .. } => "scale-free",
        }
    }

    /// The edges of a graph over so many instances, each once with the smaller number first, ascending.
    pub(crate) fn draw(self, instances: u32, dice: &mut Dice) -> Vec<[u32; 2]> {
        let all = u64::from(instances) * u64::from(instances.saturating_sub(1)) / 2;
        let mut out: BTreeSet<[u32; 2]> = BTreeSet::new();
        match self {
            Self::Random { degree } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number of edges above 0; the cast saturates"
                )]
                let wanted = ((degree * f64::from(instances) / 2.0).round() as u64).min(all);
                // Of a dense graph the edges that are missing are fewer.
                let few = wanted.min(all - wanted);
                while (out.len() as u64) < few {
                    let (a, b) = (below(dice, instances), below(dice, instances));
                    if a != b {
                        out.insert([a.min(b), a.max(b)]);
                    }
                }
                if few < wanted {
                    out = pairs(instances).filter(|pair| !out.contains(pair)).collect();
                }
            }
            Self::ScaleFree { edges } => {
                // Who joins when is drawn as well: the first are not always the same.
                let mut order: Vec<u32> = (0..instances).collect();
                dice.shuffle(&mut order);
                let first = (edges.saturating_add(1)).min(instances);
                // Each instance is here as often as it has edges.
                let mut ends: Vec<u32> = Vec::new();
                let mut join = |a: u32, b: u32, ends: &mut Vec<u32>| {
                    out.insert([a.min(b), a.max(b)]);
                    ends.extend([a, b]);
                };
                for [a, b] in pairs(first) {
                    join(order[a as usize], order[b as usize], &mut ends);
                }
                for newcomer in order.iter().skip(first as usize) {
                    let mut chosen = BTreeSet::new();
                    while chosen.len() < edges as usize {
                        chosen.insert(ends[dice.below(ends.len())]);
                    }
                    for other in chosen {
                        join(*newcomer, other, &mut ends);
                    }
                }
            }
        }
        out.into_iter().collect()
    }
}

/// From 0 to below `n`.
fn below(dice: &mut Dice, n: u32) -> u32 {
    u32::try_from(dice.below(n as usize)).unwrap_or(0)
}

/// All pairs of so many.
fn pairs(n: u32) -> impl Iterator<Item = [u32; 2]> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| [a, b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(instances: u32, edges: &[[u32; 2]]) -> Vec<u32> {
        let mut out = vec![0; instances as usize];
        for end in edges.iter().flatten() {
            out[*end as usize] += 1;
        }
        out
    }

    fn is_whole(instances: u32, edges: &[[u32; 2]]) -> bool {
        let mut seen = BTreeSet::from([0]);
        while let Some([a, b]) = edges.iter().find(|[a, b]| seen.contains(a) != seen.contains(b)) {
            seen.extend([*a, *b]);
        }
        seen.len() == instances as usize
    }

    #[test]
    fn random_graphs_have_the_edges_that_were_asked_for() {
        for (instances, degree, wanted) in [(10, 4.0, 20), (10, 8.6, 43), (10, 9.0, 45), (10, 20.0, 45), (3, 0.4, 1)] {
            let edges = Kind::Random { degree }.draw(instances, &mut Dice::new(7));
            assert_eq!(edges.len(), wanted, "{instances} {degree}");
            assert!(edges.iter().all(|[a, b]| a < b && *b < instances));
        }
        let drawn = |seed| Kind::Random { degree: 4.0 }.draw(30, &mut Dice::new(seed));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn scale_free_graphs_are_whole_and_have_hubs() {
        for (instances, m, wanted) in [(200_u32, 2, 3 + 197 * 2), (4, 3, 6), (3, 5, 3), (1, 2, 0)] {
            let edges = Kind::ScaleFree { edges: m }.draw(instances, &mut Dice::new(7));
            assert_eq!(edges.len(), wanted, "{instances} {m}");
            assert!(is_whole(instances, &edges));
        }
        let edges = Kind::ScaleFree { edges: 2 }.draw(200, &mut Dice::new(7));
        let mut degrees = degrees(200, &edges);
        degrees.sort_unstable();
        // Of 100 random graphs with this mean degree, not one has anybody with as many as 15 among 200.
        assert!(degrees[0] >= 2 && degrees[199] >= 15, "{degrees:?}");
    }
}
