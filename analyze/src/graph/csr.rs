//! The compact form that every algorithm runs over, made once.

use petgraph::Directed;
use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef as _;

/// Neighbours of every node, sorted, without loops and repeats, in two flat arrays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Csr {
    starts: Vec<usize>,
    ends: Vec<u32>,
}

impl Csr {
    /// From pairs (from, to) of nodes below `n`. Loops and repeats are dropped.
    ///
    /// Pairs are dealt to their rows by counting, so that nothing but the result is held beside them.
    fn from_pairs(n: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let pairs = pairs.filter(|(from, to)| from != to);
        let mut starts = counted(n, pairs.clone().map(|(from, _)| from));
        let mut ends = vec![0; starts[n]];
        // Rows fill from their ends, so that each start is where it should be when its row is full.
        for row in 0..n {
            starts[row] = starts[row + 1];
        }
        for (from, to) in pairs {
            starts[from as usize] -= 1;
            ends[starts[from as usize]] = to;
        }
        let mut kept = 0;
        for row in 0..n {
            let (begin, end) = (starts[row], starts[row + 1]);
            ends[begin..end].sort_unstable();
            starts[row] = kept;
            for at in begin..end {
                // What is written stands no later than what was read, so nothing unread is lost.
                let one = ends[at];
                if kept == starts[row] || ends[kept - 1] != one {
                    ends[kept] = one;
                    kept += 1;
                }
            }
        }
        starts[n] = kept;
        ends.truncate(kept);
        ends.shrink_to_fit();
        Self { starts, ends }
    }

    /// What is in either of two, row by row.
    fn united(&self, other: &Self) -> Self {
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut ends = Vec::with_capacity(self.arcs() + other.arcs());
        starts.push(0);
        for node in self.ids() {
            let (mut a, mut b) = (self.of(node), other.of(node));
            while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
                ends.push(x.min(y));
                a = &a[usize::from(x <= y)..];
                b = &b[usize::from(y <= x)..];
            }
            ends.extend_from_slice(a);
            ends.extend_from_slice(b);
            starts.push(ends.len());
        }
        ends.shrink_to_fit();
        Self { starts, ends }
    }

    /// How many nodes.
    pub fn nodes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// How many entries: arcs of a directed form, twice the edges of an undirected one.
    pub fn arcs(&self) -> usize {
        self.ends.len()
    }

    /// The neighbours of a node, ascending.
    pub fn of(&self, node: u32) -> &[u32] {
        &self.ends[self.starts[node as usize]..self.starts[node as usize + 1]]
    }

    /// How many neighbours a node has.
    pub fn degree(&self, node: u32) -> u32 {
        // No node has more neighbours than there are nodes, and nodes are numbered with 32 bits.
        u32::try_from(self.of(node).len()).unwrap_or(u32::MAX)
    }

    /// Every node, ascending.
    pub fn ids(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.nodes()).unwrap_or(u32::MAX)
    }

    /// Where the neighbours of each node begin in [`Self::ends`], and where the last ones end.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The neighbours of all nodes, one after another.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// What is left when only some nodes stay, given ascending; they are numbered anew in that order.
    pub(super) fn induced(&self, nodes: &[u32]) -> Self {
        let mut new = vec![None; self.nodes()];
        for (at, &node) in (0_u32..).zip(nodes) {
            new[node as usize] = Some(at);
        }
        let mut starts = vec![0];
        let mut ends = Vec::new();
        for &node in nodes {
            ends.extend(self.of(node).iter().filter_map(|&other| new[other as usize]));
            starts.push(ends.len());
        }
        Self { starts, ends }
    }

    /// Every edge once, at its end of the lower degree, under new numbers; and the old number of each new one. Numbers
    /// ascend with the degree, so that no row is long: none has more than √(2|E|) entries.
    pub(super) fn by_degree(&self) -> (Self, Vec<u32>) {
        let mut old: Vec<u32> = self.ids().collect();
        old.sort_by_key(|&node| self.degree(node));
        let mut new = vec![0; self.nodes()];
        for (at, &node) in (0_u32..).zip(&old) {
            new[node as usize] = at;
        }
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut ends = Vec::with_capacity(self.arcs() / 2);
        starts.push(0);
        for (at, &node) in (0_u32..).zip(&old) {
            ends.extend(self.of(node).iter().map(|&other| new[other as usize]).filter(|&other| other > at));
            starts.push(ends.len());
        }
        (Self { starts, ends }, old)
    }

    /// The same arcs the other way round.
    fn reversed(&self) -> Self {
        let n = self.nodes();
        let mut starts = counted(n, self.ends.iter().copied());
        let mut ends = vec![0; self.ends.len()];
        for row in 0..n {
            starts[row] = starts[row + 1];
        }
        // From the last arc to the first: rows fill from their ends and are ascending.
        for from in self.ids().rev() {
            for &to in self.of(from).iter().rev() {
                starts[to as usize] -= 1;
                ends[starts[to as usize]] = from;
            }
        }
        Self { starts, ends }
    }
}

/// Where rows begin that hold so many entries as their numbers occur, and where the last one ends.
fn counted(n: usize, rows: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut starts = vec![0; n + 1];
    for row in rows {
        starts[row as usize + 1] += 1;
    }
    for at in 0..n {
        starts[at + 1] += starts[at];
    }
    starts
}

/// A graph in both projections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    out: Csr,
    into: Csr,
    both: Csr,
    loops: u64,
    repeats: u64,
}

impl Graph {
    /// From arcs between nodes below `n`. Loops and repeated arcs are counted and dropped.
    pub fn from_arcs(n: usize, arcs: &[(u32, u32)]) -> Self {
        Self::from_arcs_and_edges(n, arcs, &[])
    }

    /// From arcs and from edges without a known direction; those are only in the undirected projection.
    pub fn from_arcs_and_edges(n: usize, arcs: &[(u32, u32)], edges: &[(u32, u32)]) -> Self {
        let is_loop = |&&(from, to): &&(u32, u32)| from == to;
        let [arc_loops, edge_loops] = [arcs, edges].map(|some| some.iter().filter(is_loop).count());
        let out = Csr::from_pairs(n, arcs.iter().copied());
        let repeats = arcs.len() - arc_loops - out.arcs();
        let into = out.reversed();
        let mut both = out.united(&into);
        if !edges.is_empty() {
            both = both.united(&Csr::from_pairs(n, edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)])));
        }
        Self { out, into, both, loops: (arc_loops + edge_loops) as u64, repeats: repeats as u64 }
    }

    /// From petgraph's structure; nodes keep their index.
    pub fn from_petgraph<N, E>(graph: &petgraph::Graph<N, E, Directed, u32>) -> Self {
        let arc = |edge: petgraph::graph::EdgeReference<'_, E, u32>| (edge.source().index(), edge.target().index());
        let narrow = |(from, to)| (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(to).unwrap_or(u32::MAX));
        let arcs: Vec<(u32, u32)> = graph.edge_references().map(arc).map(narrow).collect();
        Self::from_arcs(graph.node_count(), &arcs)
    }

    /// As petgraph's structure, without weights: the directed projection.
    pub fn to_petgraph(&self) -> DiGraph<(), ()> {
        let mut graph = DiGraph::with_capacity(self.nodes(), self.out.arcs());
        for _ in self.out.ids() {
            graph.add_node(());
        }
        for from in self.out.ids() {
            for &to in self.out.of(from) {
                graph.add_edge(from.into(), to.into(), ());
            }
        }
        graph
    }

    /// How many nodes.
    pub fn nodes(&self) -> usize {
        self.both.nodes()
    }

    /// How many edges the undirected projection has.
    pub fn edges(&self) -> usize {
        self.both.arcs() / 2
    }

    /// The directed projection: to whom each node has an arc.
    pub fn outbound(&self) -> &Csr {
        &self.out
    }

    /// The directed projection: who has an arc to each node.
    pub fn inbound(&self) -> &Csr {
        &self.into
    }

    /// The undirected projection.
    pub fn undirected(&self) -> &Csr {
        &self.both
    }

    /// Loops that were dropped.
    pub fn loops(&self) -> u64 {
        self.loops
    }

    /// Arcs that were dropped because the same arc was there already.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_and_repeats_are_counted_and_dropped() {
        let graph = Graph::from_arcs_and_edges(4, &[(0, 1), (1, 0), (0, 1), (2, 2)], &[(3, 1), (1, 3)]);
        assert_eq!((graph.loops(), graph.repeats(), graph.edges()), (1, 1, 2));
        assert_eq!(
            (graph.outbound().of(0), graph.outbound().of(1), graph.inbound().of(0)),
            (&[1][..], &[0][..], &[1][..])
        );
        assert_eq!(graph.undirected().of(1), &[0, 3]);
        assert_eq!(graph.undirected().degree(2), 0);
    }

    #[test]
    fn a_part_keeps_its_edges_under_new_numbers() {
        let graph = Graph::from_arcs(5, &[(0, 1), (1, 3), (3, 4), (4, 1)]);
        let part = graph.undirected().induced(&[1, 3, 4]);
        assert_eq!(&part, Graph::from_arcs(3, &[(0, 1), (1, 2), (2, 0)]).undirected());
        assert_eq!((graph.undirected().induced(&[]).nodes(), graph.undirected().induced(&[2, 3]).arcs()), (0, 0));
    }

    #[test]
    fn petgraph_is_the_border_both_ways() {
        let graph = Graph::from_arcs(3, &[(2, 0), (0, 1)]);
        assert_eq!(Graph::from_petgraph(&graph.to_petgraph()), graph);
        let none = Graph::from_arcs(0, &[]);
        assert_eq!((none.nodes(), Graph::from_petgraph(&none.to_petgraph())), (0, none));
    }
}
