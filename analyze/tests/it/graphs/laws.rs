//! What a change of a graph may change in its measures, and how.

use proptest::prelude::*;
use tg_analyze::graph::Graph;

use super::measured::{Measured, Value};

/// One for each node.
const BY_NODE: [&str; 3] = ["core", "betweenness", "pagerank"];
/// These name nodes, or break ties by their number.
const BY_NUMBER: [&str; 7] =
    ["articulations", "bridges", "r_static", "r_adaptive", "bow_tie", "algebraic_connectivity", "spectral_gap"];
/// These look at the largest component, of equal ones at that with the lowest node.
const OF_LARGEST: [&str; 4] = ["diameter", "radius", "mean_path", "effective_diameter"];

type Arcs = Vec<(u32, u32)>;

/// Up to a dozen nodes and any arcs, loops and repeats among them.
fn graphs() -> impl Strategy<Value = (u32, Arcs)> {
    (1_u32..12).prop_flat_map(|n| (Just(n), prop::collection::vec((0..n, 0..n), 0..30)))
}

fn measured(n: u32, arcs: &[(u32, u32)]) -> Measured {
    let groups: Vec<u32> = (0..n).map(|node| node % 2).collect();
    Measured::of(&Graph::from_arcs(n as usize, arcs), &groups)
}

fn many(value: &Value) -> &[f64] {
    match value {
        Value::Many(list) => list,
        Value::One(one) => panic!("a single {one:?}"),
    }
}

/// Whether several components share the greatest size, so that it is by chance which one is the largest.
fn is_tied(measured: &Measured) -> bool {
    let same = |key: &str| matches!(many(measured.get(key)), [a, b, ..] if (a - b).abs() < 0.5);
    same("weak") || same("strong")
}

fn sum(a: &Value, b: &Value) -> Value {
    let (a, b) = (many(a), many(b));
    let at = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(0.0);
    Value::Many((0..a.len().max(b.len())).map(|i| at(a, i) + at(b, i)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn names_do_not_matter((n, arcs) in graphs(), seed in any::<u64>()) {
        let mut new: Vec<u32> = (0..n).collect();
        tg_analyze::graph::random::Random::new(seed).shuffle(&mut new);
        let moved: Arcs = arcs.iter().map(|&(a, b)| (new[a as usize], new[b as usize])).collect();
        let mut groups = vec![0; n as usize];
        (0..n).for_each(|node| groups[new[node as usize] as usize] = node % 2);
        let (before, after) = (measured(n, &arcs), Measured::of(&Graph::from_arcs(n as usize, &moved), &groups));
        for (key, value) in &before.all {
            let other = after.get(key);
            if BY_NODE.contains(key) {
                let of = |node: u32| many(other)[new[node as usize] as usize];
                prop_assert!(Value::Many((0..n).map(of).collect()).is_near(value), "{key}");
            } else if !(BY_NUMBER.contains(key) || OF_LARGEST.contains(key) && is_tied(&before)) {
                prop_assert!(other.is_near(value), "{key}: {other:?}, was {value:?}");
            }
        }
        if !is_tied(&before) {
            for key in ["bow_tie", "algebraic_connectivity", "spectral_gap"] {
                prop_assert!(after.get(key).is_near(before.get(key)), "{key}");
            }
        }
        let sizes = ["articulations", "bridges"].map(|key| (many(before.get(key)).len(), many(after.get(key)).len()));
        prop_assert!(sizes.iter().all(|(before, after)| before == after), "{sizes:?}");
    }

    #[test]
    fn arcs_turned_round_change_what_is_directed_alone((n, arcs) in graphs()) {
        let turned: Arcs = arcs.iter().map(|&(a, b)| (b, a)).collect();
        let (before, after) = (measured(n, &arcs), measured(n, &turned));
        for (key, value) in &before.all {
            match *key {
                "gini_in" | "pagerank" => {}
                "assortativity_out_out" => prop_assert!(after.get("assortativity_in_in").is_near(value)),
                "assortativity_in_in" => prop_assert!(after.get("assortativity_out_out").is_near(value)),
                "bow_tie" => {
                    let old = many(value);
                    let swapped = Value::Many(vec![old[0], old[2], old[1], old[3]]);
                    prop_assert_eq!(after.get(key), &swapped);
                }
                _ => prop_assert!(after.get(key).is_near(value), "{key}: {:?}, was {value:?}", after.get(key)),
            }
        }
    }

    #[test]
    fn a_node_alone_is_a_part_and_nothing_else((n, arcs) in graphs()) {
        let (before, after) = (measured(n, &arcs), measured(n + 1, &arcs));
        for key in ["weak", "strong"] {
            let wanted = [many(before.get(key)), &[1.0]].concat();
            prop_assert_eq!(many(after.get(key)), wanted.as_slice());
        }
        for key in ["core", "betweenness"] {
            let wanted = Value::Many([many(before.get(key)), &[0.0]].concat());
            prop_assert!(after.get(key).is_near(&wanted), "{key}");
        }
        for key in [
            "edges", "arcs", "articulations", "bridges", "transitivity", "triangles", "reciprocity", "assortativity",
            "assortativity_group", "assortativity_out_in", "assortativity_in_out", "modularity", "distances",
            "distances_directed", "diameter", "radius", "mean_path", "effective_diameter", "spectral_radius",
            "algebraic_connectivity", "spectral_gap",
        ] {
            prop_assert!(after.get(key).is_near(before.get(key)), "{key}: {:?}", after.get(key));
        }
        for key in ["vertex_connectivity", "edge_connectivity"] {
            prop_assert_eq!(after.get(key), &Value::One(Some(0.0)));
        }
        // Means over nodes, and over pairs, are of more of them.
        let n = f64::from(n);
        for (key, share) in [("clustering", n / (n + 1.0)), ("efficiency", (n - 1.0) / (n + 1.0)), ("reachable", (n - 1.0) / (n + 1.0))] {
            if let Value::One(Some(old)) = before.get(key) {
                prop_assert!(after.get(key).is_near(&Value::One(Some(old * share))), "{key}");
            }
        }
    }

    #[test]
    fn two_graphs_side_by_side_are_each_what_they_were((n, arcs) in graphs(), (k, more) in graphs()) {
        let beside: Arcs = arcs.iter().copied().chain(more.iter().map(|&(a, b)| (n + a, n + b))).collect();
        let groups: Vec<u32> = (0..n + k).map(|node| u32::from(node >= n)).collect();
        let (one, other) = (measured(n, &arcs), measured(k, &more));
        let all = Measured::of(&Graph::from_arcs((n + k) as usize, &beside), &groups);
        for key in ["core", "betweenness"] {
            let wanted = Value::Many([many(one.get(key)), many(other.get(key))].concat());
            prop_assert!(all.get(key).is_near(&wanted), "{key}");
        }
        for key in ["articulations", "bridges"] {
            let moved: Vec<f64> = many(other.get(key)).iter().map(|node| node + f64::from(n)).collect();
            let wanted = [many(one.get(key)), &moved].concat();
            prop_assert_eq!(many(all.get(key)), wanted.as_slice());
        }
        for key in ["weak", "strong"] {
            let mut wanted = [many(one.get(key)), many(other.get(key))].concat();
            wanted.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(many(all.get(key)), wanted.as_slice());
        }
        for key in ["distances", "distances_directed"] {
            prop_assert_eq!(all.get(key), &sum(one.get(key), other.get(key)));
        }
        let number = |measured: &Measured, key: &str| match measured.get(key) {
            Value::One(one) => *one,
            Value::Many(_) => None,
        };
        for key in ["edges", "arcs", "triangles"] {
            prop_assert_eq!(number(&all, key), number(&one, key).zip(number(&other, key)).map(|(a, b)| a + b));
        }
        let greatest = number(&one, "spectral_radius").zip(number(&other, "spectral_radius")).map(|(a, b)| a.max(b));
        prop_assert!(all.get("spectral_radius").is_near(&Value::One(greatest)));
        for key in ["vertex_connectivity", "edge_connectivity"] {
            prop_assert_eq!(number(&all, key), Some(0.0));
        }
        // All edges are within the two groups: Q is what is left of 1.
        let edges: Vec<f64> = [&one, &other].into_iter().filter_map(|of| number(of, "edges")).collect();
        let whole = edges[0] + edges[1];
        let q = (whole > 0.0).then(|| 1.0 - edges.iter().map(|m| (m / whole).powi(2)).sum::<f64>());
        prop_assert!(all.get("modularity").is_near(&Value::One(q)));
    }
}
