//! Nodes and edges without which the network falls apart.

use super::csr::Csr;

/// What holds the graph together alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cuts {
    /// Nodes whose removal adds a component, ascending.
    pub articulations: Vec<u32>,
    /// Edges whose removal adds a component, ascending, the lower node first.
    pub bridges: Vec<(u32, u32)>,
}

/// Articulation points and bridges.
///
/// Definition: J. Hopcroft and R. Tarjan, "Algorithm 447: efficient algorithms for graph manipulation", 1973, on the
/// undirected projection *U*; a connection that was repeated counts as one edge and may be a bridge.
/// An empty graph and isolated nodes have none; components are looked at one by one.
/// Cost: O(|V| + |E|), without recursion.
///
/// ```
/// use tg_analyze::graph::{Graph, cut::cuts};
/// let graph = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]);
/// let found = cuts(graph.undirected());
/// assert_eq!((found.articulations, found.bridges), (vec![2, 3], vec![(2, 3), (3, 4)]));
/// ```
pub fn cuts(both: &Csr) -> Cuts {
    const NONE: u32 = u32::MAX;
    let n = both.nodes();
    let mut order = vec![NONE; n];
    let mut low = vec![0_u32; n];
    let mut parent = vec![NONE; n];
    let mut articulation = vec![false; n];
    let mut bridges = Vec::new();
    let mut visited = 0_u32;
    let mut path: Vec<(u32, usize)> = Vec::new();
    for root in both.ids() {
        if order[root as usize] != NONE {
            continue;
        }
        let mut branches = 0;
        path.push((root, 0));
        while let Some((node, at)) = path.pop() {
            let own = node as usize;
            if at == 0 {
                order[own] = visited;
                low[own] = visited;
                visited += 1;
            }
            if let Some(&next) = both.of(node).get(at) {
                path.push((node, at + 1));
                if order[next as usize] == NONE {
                    parent[next as usize] = node;
                    path.push((next, 0));
                } else if next != parent[own] {
                    low[own] = low[own].min(order[next as usize]);
                }
                continue;
            }
            let above = parent[own];
            if above == NONE {
                continue;
            }
            low[above as usize] = low[above as usize].min(low[own]);
            if low[own] > order[above as usize] {
                bridges.push((node.min(above), node.max(above)));
            }
            if above == root {
                branches += 1;
            } else if low[own] >= order[above as usize] {
                articulation[above as usize] = true;
            }
        }
        articulation[root as usize] = branches > 1;
    }
    bridges.sort_unstable();
    let articulations = both.ids().filter(|&node| articulation[node as usize]).collect();
    Cuts { articulations, bridges }
}
