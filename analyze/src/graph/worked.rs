//! Small graphs whose measures are known, as one table: every algorithm must give its column.

use super::assortativity::by_degree as assortativity;
use super::betweenness::betweenness;
use super::clustering::clustering;
use super::connectivity::{edge_connectivity, vertex_connectivity};
use super::cores::core_numbers;
use super::cut::cuts;
use super::distance::distances;
use super::modularity::modularity;
use super::robustness::{by_degree, remove};
use super::spectral::{algebraic_connectivity, spectral_gap, spectral_radius};
use super::{Graph, components};

type Arcs = Vec<(u32, u32)>;

/// W. Zachary, "An information flow model for conflict and fission in small groups", 1977.
#[rustfmt::skip]
const KARATE: [(u32, u32); 78] = [
    (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (0, 8), (0, 10), (0, 11), (0, 12), (0, 13), (0, 17),
    (0, 19), (0, 21), (0, 31), (1, 2), (1, 3), (1, 7), (1, 13), (1, 17), (1, 19), (1, 21), (1, 30), (2, 3), (2, 7),
    (2, 8), (2, 9), (2, 13), (2, 27), (2, 28), (2, 32), (3, 7), (3, 12), (3, 13), (4, 6), (4, 10), (5, 6), (5, 10),
    (5, 16), (6, 16), (8, 30), (8, 32), (8, 33), (9, 33), (13, 33), (14, 32), (14, 33), (15, 32), (15, 33), (18, 32),
    (18, 33), (19, 33), (20, 32), (20, 33), (22, 32), (22, 33), (23, 25), (23, 27), (23, 29), (23, 32), (23, 33),
    (24, 25), (24, 27), (24, 31), (25, 31), (26, 29), (26, 33), (27, 33), (28, 31), (28, 33), (29, 32), (29, 33),
    (30, 32), (30, 33), (31, 32), (31, 33), (32, 33),
];

#[rustfmt::skip]
const PETERSEN: [(u32, u32); 15] = [
    (0, 1), (0, 4), (0, 5), (1, 2), (1, 6), (2, 3), (2, 7), (3, 4), (3, 8), (4, 9), (5, 7), (5, 8), (6, 8), (6, 9),
    (7, 9),
];

fn ring(n: u32) -> Arcs {
    (0..n).map(|i| (i, (i + 1) % n)).collect()
}

fn full(base: u32, n: u32) -> Arcs {
    (0..n).flat_map(|a| (a + 1..n).map(move |b| (base + a, base + b))).collect()
}

fn hypercube() -> Arcs {
    let edge = |a: u32| (0..4).map(move |bit| (a, a ^ (1 << bit)));
    (0..16).flat_map(edge).filter(|(a, b)| a < b).collect()
}

fn two_fours() -> Arcs {
    [full(0, 4), full(4, 4), vec![(3, 4)]].concat()
}

/// n, edges, diameter, mean path, mean clustering, transitivity, triangles, assortativity, degeneracy, greatest
/// betweenness, articulation points, bridges, R by static degree, global efficiency.
type Row = (usize, usize, u32, f64, f64, f64, u64, Option<f64>, u32, f64, usize, usize, Option<f64>, f64);

/// Algebraic connectivity, spectral gap, vertex connectivity, edge connectivity.
type Knit = (f64, f64, u32, u32);

fn near(what: &str, name: &str, value: Option<f64>, wanted: Option<f64>) {
    match (value, wanted) {
        (None, None) => {}
        (Some(value), Some(wanted)) if (value - wanted).abs() < 6e-7 => {}
        // The betweenness of the karate club is given with four digits.
        (Some(value), Some(wanted)) if wanted > 100.0 && (value - wanted).abs() < 6e-5 => {}
        _ => panic!("{what} of {name}: {value:?}, not {wanted:?}"),
    }
}

#[test]
fn every_measure_of_every_graph() {
    let path5: Arcs = (0..4).map(|i| (i, i + 1)).collect();
    let star: Arcs = (1..6).map(|i| (0, i)).collect();
    let third = Some(-1.0 / 3.0);
    #[rustfmt::skip]
    let table: [(&str, Arcs, Row, Knit); 8] = [
        ("path5", path5, (5, 4, 4, 2.0, 0.0, 0.0, 0, third, 1, 4.0, 3, 4, Some(0.28), 0.641_667), (0.381_966, 0.292_893, 1, 1)),
        ("cycle6", ring(6), (6, 6, 3, 1.8, 0.0, 0.0, 0, None, 2, 2.0, 0, 0, None, 0.666_667), (1.0, 0.5, 2, 2)),
        ("star6", star, (6, 5, 2, 1.666_667, 0.0, 0.0, 0, Some(-1.0), 1, 10.0, 1, 5, Some(0.138_889), 0.666_667), (1.0, 1.0, 1, 1)),
        ("K5", full(0, 5), (5, 10, 1, 1.0, 1.0, 1.0, 10, None, 4, 0.0, 0, 0, Some(0.4), 1.0), (5.0, 1.25, 4, 4)),
        ("petersen", PETERSEN.to_vec(),
            (10, 15, 2, 1.666_667, 0.0, 0.0, 0, None, 3, 3.0, 0, 0, None, 0.666_667), (2.0, 0.666_667, 3, 3)),
        ("hypercube4", hypercube(), (16, 32, 4, 2.133_333, 0.0, 0.0, 0, None, 4, 8.5, 0, 0, None, 0.572_222), (2.0, 0.5, 4, 4)),
        ("two K4", two_fours(),
            (8, 13, 3, 1.857_143, 0.875, 0.8, 8, Some(-0.083_333), 3, 12.0, 2, 1, Some(0.296_875), 0.678_571), (0.354_249, 0.113_382, 1, 1)),
        ("karate", KARATE.to_vec(), (34, 78, 5, 2.408_200, 0.570_638, 0.255_682, 45, Some(-0.475_613), 4, 231.071_4,
            1, 1, Some(0.141_869), 0.492_008), (0.468_525, 0.132_272, 1, 1)),
    ];
    for (name, arcs, row, knit) in table {
        let (
            n,
            m,
            diameter,
            mean,
            local,
            transitivity,
            triangles,
            assort,
            core,
            through,
            points,
            bridges,
            r,
            efficiency,
        ) = row;
        let graph = Graph::from_arcs(n, &arcs);
        let both = graph.undirected();
        assert_eq!((graph.nodes(), graph.edges(), components::weak(&graph).sizes.len()), (n, m, 1), "{name}");
        let sources: Vec<u32> = both.ids().collect();
        let found = distances(both, both, &sources);
        assert_eq!(found.diameter(), Some(diameter), "{name}");
        near("mean path", name, found.mean(), Some(mean));
        near("efficiency", name, Some(found.harmonic() / (n * (n - 1)) as f64), Some(efficiency));
        let found = clustering(both);
        assert_eq!(found.triangles, triangles, "{name}");
        near("clustering", name, found.mean(), Some(local));
        near("transitivity", name, found.transitivity(), Some(transitivity));
        near("assortativity", name, assortativity(both), assort);
        assert_eq!(core_numbers(both).into_iter().max(), Some(core), "{name}");
        let most = betweenness(both, &sources).into_iter().fold(0.0, f64::max);
        near("betweenness", name, Some(most), Some(through));
        let found = cuts(both);
        assert_eq!((found.articulations.len(), found.bridges.len()), (points, bridges), "{name}");
        if r.is_some() {
            near("R", name, remove(both, &by_degree(both)).r(), r);
        }
        let (algebraic, gap, nodes, edges) = knit;
        near("algebraic connectivity", name, algebraic_connectivity(both), Some(algebraic));
        near("spectral gap", name, spectral_gap(both), Some(gap));
        let found = (vertex_connectivity(both), edge_connectivity(both));
        assert_eq!(found, (Some(nodes), Some(edges)), "{name}");
    }
}

/// Zachary's own account of which members went with the officer.
#[test]
fn the_clubs_split_has_its_modularity() {
    let went = [9, 14, 15, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33];
    let sides: Vec<bool> = (0..34).map(|member| went.contains(&member)).collect();
    let karate = Graph::from_arcs(34, &KARATE);
    near("modularity", "karate", modularity(karate.undirected(), &sides), Some(0.358_235));
    near("spectral radius", "karate", spectral_radius(karate.undirected()), Some(6.725_698));
}
