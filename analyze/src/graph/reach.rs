//! Who reaches whom along arcs.

use super::csr::{Csr, Graph};
use super::network::{Member, Network, Node};
use super::strong::completed;
use crate::work::{Stopped, Work};

const WORDS: usize = 8;
const BLOCK: usize = WORDS * 64;

/// How many other nodes each node reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// For each node, the number of other nodes that it reaches.
    pub of: Vec<u64>,
}

/// Reachability: for each node the number of other nodes to which a directed path leads.
///
/// Definition: descendants in the directed projection *D* (J. Bang-Jensen and G. Gutin, *Digraphs*, 2.3).
/// An empty graph has none; an isolated node reaches 0.
/// Cost: O(|V| + |E|) for the strong components, then O(C·(C + E')/512) words over the C components and E' arcs
/// between them.
///
/// ```
/// use tg_analyze::graph::{Graph, reach::reach};
/// let graph = Graph::from_arcs(4, &[(0, 1), (1, 0), (1, 2)]);
/// let found = reach(&graph);
/// assert_eq!((found.of.clone(), found.pair_ratio()), (vec![2, 2, 0, 0], Some(4.0 / 12.0)));
/// ```
pub fn reach(graph: &Graph) -> Reach {
    reach_within(graph, &Work::unwatched()).unwrap_or_default()
}

/// For each node how many of some nodes, itself aside, it reaches along arcs.
pub(super) fn reach_of(out: &Csr, counts: &[bool], work: &Work<'_>) -> Result<Vec<u64>, Stopped> {
    let (labels, count) = completed(out);
    let mut sizes = vec![0_u64; count];
    for (&label, &counts) in labels.iter().zip(counts) {
        sizes[label as usize] += u64::from(counts);
    }
    let totals = totals(out, &labels, &sizes, work)?;
    let own = labels.iter().zip(counts);
    Ok(own.map(|(&label, &counts)| totals[label as usize] - u64::from(counts)).collect())
}

/// How many steps [`reach_within`] takes at most, of so many nodes.
pub(super) fn steps(nodes: usize) -> usize {
    nodes.div_ceil(BLOCK)
}

/// The same, unless it is stopped.
pub(super) fn reach_within(graph: &Graph, work: &Work<'_>) -> Result<Reach, Stopped> {
    Ok(Reach { of: reach_of(graph.outbound(), &vec![true; graph.nodes()], work)? })
}

/// What each component reaches, its own nodes included, if components count as `sizes` say.
fn totals(out: &Csr, labels: &[u32], sizes: &[u64], work: &Work<'_>) -> Result<Vec<u64>, Stopped> {
    let count = sizes.len();
    let mut between: Vec<(u32, u32)> = out
        .ids()
        .flat_map(|from| out.of(from).iter().map(move |&to| (from, to)))
        .map(|(from, to)| (labels[from as usize], labels[to as usize]))
        .filter(|(from, to)| from != to)
        .collect();
    between.sort_unstable();
    between.dedup();
    let mut totals = vec![0_u64; count];
    let mut masks = vec![[0_u64; WORDS]; count];
    for start in (0..count).step_by(BLOCK) {
        work.step()?;
        let end = (start + BLOCK).min(count);
        let mut arcs = between.iter().peekable();
        // Labels are in reverse topological order: whatever a component has arcs to was done before it.
        for at in 0..count {
            let mut mask = [0_u64; WORDS];
            if (start..end).contains(&at) {
                mask[(at - start) / 64] |= 1 << ((at - start) % 64);
            }
            while let Some(&(_, to)) = arcs.next_if(|&&(from, _)| from as usize == at) {
                for (word, more) in mask.iter_mut().zip(masks[to as usize]) {
                    *word |= more;
                }
            }
            masks[at] = mask;
            totals[at] += weight(&mask, &sizes[start..end]);
        }
    }
    Ok(totals)
}

/// Who reaches whom in a network.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    /// From each node.
    pub(super) from: Reach,
    /// Which clients reach which servers; nothing without either.
    pub(super) servers: Option<Served>,
}

/// Servers and the clients that reach them along arcs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) servers: u64,
    pub(super) clients: u64,
    /// Servers that every client reaches.
    pub(super) by_all: u64,
    /// Pairs of a client and a server that it reaches.
    pub(super) pairs: u64,
}

/// Reachability, and that of servers from clients.
pub(super) fn reached_within(network: &Network, work: &Work<'_>) -> Result<Reached, Stopped> {
    let graph = &network.graph;
    let from = reach_within(graph, work)?;
    let is_server = |node: &Node| node.member.as_deref().map(Member::is_server);
    let of = |wanted| network.nodes.iter().map(move |node| is_server(node) == Some(wanted));
    let (servers, clients): (Vec<bool>, Vec<bool>) = (of(true).collect(), of(false).collect());
    if !servers.contains(&true) || !clients.contains(&true) {
        return Ok(Reached { from, servers: None });
    }
    let all = clients.iter().filter(|&&one| one).count() as u64;
    // Against the arcs: how many clients come to each node.
    let come = reach_of(graph.inbound(), &clients, work)?;
    let of_servers: Vec<u64> = come.into_iter().zip(&servers).filter(|(_, server)| **server).map(|(n, _)| n).collect();
    let served = Served {
        servers: of_servers.len() as u64,
        clients: all,
        by_all: of_servers.iter().filter(|&&come| come == all).count() as u64,
        pairs: of_servers.iter().sum(),
    };
    Ok(Reached { from, servers: Some(served) })
}

fn weight(mask: &[u64; WORDS], sizes: &[u64]) -> u64 {
    let mut total = 0;
    for (word, chunk) in mask.iter().zip(sizes.chunks(64)) {
        let mut left = *word;
        while left != 0 {
            total += chunk[left.trailing_zeros() as usize];
            left &= left - 1;
        }
    }
    total
}

impl Reach {
    /// The share of ordered pairs of nodes that a directed path joins; nothing for fewer than two nodes.
    pub fn pair_ratio(&self) -> Option<f64> {
        let n = self.of.len() as f64;
        (self.of.len() > 1).then(|| self.of.iter().sum::<u64>() as f64 / (n * (n - 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::distance::distances;
    use crate::graph::random::Random;

    #[test]
    fn the_directed_test_graph() {
        let arcs = [(1, 2), (2, 3), (3, 1), (3, 4), (5, 1), (4, 6), (7, 8)].map(|(a, b)| (a - 1, b - 1));
        let found = reach(&Graph::from_arcs(8, &arcs));
        assert_eq!(found.of, vec![4, 4, 4, 1, 5, 0, 1, 0]);
        assert_eq!(found.pair_ratio(), Some(19.0 / 56.0));
        assert_eq!(reach(&Graph::from_arcs(0, &[])).pair_ratio(), None);
    }

    #[test]
    fn it_agrees_with_the_searches() {
        let mut random = Random::new(11);
        for m in [500, 1500, 4000] {
            let arcs: Vec<_> = (0..m).map(|_| (random.below(1500), random.below(1500))).collect();
            let graph = Graph::from_arcs(1500, &arcs);
            let sources: Vec<u32> = (0..1500).collect();
            let pairs = distances(graph.outbound(), graph.inbound(), &sources).reached();
            assert_eq!(reach(&graph).of.iter().sum::<u64>(), pairs, "{m} arcs");
        }
    }
}
