//! What is left of the network when nodes go away.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::csr::Csr;
use super::random::Random;

/// How large the largest component is as nodes are removed one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The size of the largest component after q removals, from q = 0 to the last one.
    pub largest: Vec<u32>,
    /// How many nodes there were.
    pub nodes: usize,
}

/// The curve for one order of removal.
///
/// Definition: C. Schneider et al., "Mitigation of malicious attacks on networks", PNAS 2011: S(q) is the share of all
/// nodes that is in the largest component after q removals. On the undirected projection *U*. An order that does not
/// name every node (a group, for instance) ends the curve early.
/// Of an empty graph the curve is a single 0. Components are those of what is left; removed nodes are in none.
/// Cost: O((|V| + |E|)·α): nodes are put back in reverse and united.
///
/// ```
/// use tg_analyze::graph::{Graph, robustness::remove};
/// let star = Graph::from_arcs(5, &[(0, 1), (0, 2), (0, 3), (0, 4)]);
/// let curve = remove(star.undirected(), &[0, 1, 2, 3, 4]);
/// assert_eq!(curve.largest, vec![5, 1, 1, 1, 1, 0]);
/// assert_eq!((curve.r(), curve.below_half()), (Some(0.16), Some(1)));
/// ```
pub fn remove(both: &Csr, order: &[u32]) -> Curve {
    let n = both.nodes();
    let mut here = vec![true; n];
    for &node in order {
        here[node as usize] = false;
    }
    let mut sets = Sets { parent: both.ids().collect(), size: vec![1; n] };
    let mut largest = 0;
    for node in both.ids().filter(|&node| here[node as usize]) {
        largest = largest.max(sets.join_all(both, node, &here));
    }
    let mut curve = Vec::with_capacity(order.len() + 1);
    curve.push(largest);
    for &node in order.iter().rev() {
        here[node as usize] = true;
        largest = largest.max(sets.join_all(both, node, &here));
        curve.push(largest);
    }
    curve.reverse();
    Curve { largest: curve, nodes: n }
}

struct Sets {
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Sets {
    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let above = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = above;
            node = above;
        }
        node
    }

    /// Joins a node with its neighbours that are here; the size of what it is in then.
    fn join_all(&mut self, both: &Csr, node: u32, here: &[bool]) -> u32 {
        let mut own = self.root(node);
        for &next in both.of(node).iter().filter(|&&next| here[next as usize]) {
            let other = self.root(next);
            if other != own {
                let (small, large) =
                    if self.size[own as usize] < self.size[other as usize] { (own, other) } else { (other, own) };
                self.parent[small as usize] = large;
                self.size[large as usize] += self.size[small as usize];
                own = large;
            }
        }
        self.size[own as usize]
    }
}

impl Curve {
    /// The share of all nodes in the largest component after a share of the nodes was removed; nothing past the end
    /// of the order, or for an empty graph.
    pub fn at(&self, removed: f64) -> Option<f64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count of nodes")]
        let q = (removed * self.nodes as f64).round() as usize;
        (self.nodes > 0).then_some(())?;
        self.largest.get(q).map(|&size| f64::from(size) / self.nodes as f64)
    }

    /// R = (1/n) Σ S(q) over q from 1 to n: at most about 0.5. Nothing unless every node was removed.
    pub fn r(&self) -> Option<f64> {
        let n = self.nodes as f64;
        let whole = self.nodes > 0 && self.largest.len() == self.nodes + 1;
        whole.then(|| self.largest[1..].iter().map(|&size| f64::from(size)).sum::<f64>() / (n * n))
    }

    /// The first number of removals after which less than half of all nodes is in the largest component.
    pub fn below_half(&self) -> Option<usize> {
        self.largest.iter().position(|&size| 2 * (size as usize) < self.nodes)
    }
}

/// A random order of all nodes.
pub fn random_order(both: &Csr, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = both.ids().collect();
    Random::new(seed).shuffle(&mut order);
    order
}

/// The nodes by a score, the highest first; equal ones by number.
pub fn by_score(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0_u32..).zip(scores).map(|(node, _)| node).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
    order
}

/// The nodes by the degree that they have at the begin, the highest first; equal ones by number.
pub fn by_degree(both: &Csr) -> Vec<u32> {
    let mut order: Vec<u32> = both.ids().collect();
    order.sort_by_key(|&node| (Reverse(both.degree(node)), node));
    order
}

/// The nodes by the degree that they still have when their turn comes, the highest first; equal ones by number.
///
/// Cost: O((|V| + |E|) log |V|).
///
/// ```
/// use tg_analyze::graph::{Graph, robustness::{by_degree, by_degree_adaptive}};
/// let path = Graph::from_arcs(5, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
/// assert_eq!(by_degree(path.undirected()), vec![1, 2, 3, 0, 4]);
/// assert_eq!(by_degree_adaptive(path.undirected()), vec![1, 3, 0, 2, 4]);
/// ```
pub fn by_degree_adaptive(both: &Csr) -> Vec<u32> {
    let mut degree: Vec<u32> = both.ids().map(|node| both.degree(node)).collect();
    let mut gone = vec![false; both.nodes()];
    let mut heap: BinaryHeap<(u32, Reverse<u32>)> =
        both.ids().map(|node| (degree[node as usize], Reverse(node))).collect();
    let mut order = Vec::with_capacity(both.nodes());
    while let Some((at, Reverse(node))) = heap.pop() {
        // An entry with an old degree is not the node's last one.
        if gone[node as usize] || degree[node as usize] != at {
            continue;
        }
        gone[node as usize] = true;
        order.push(node);
        for &next in both.of(node).iter().filter(|&&next| !gone[next as usize]) {
            degree[next as usize] -= 1;
            heap.push((degree[next as usize], Reverse(next)));
        }
    }
    order
}
