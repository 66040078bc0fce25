//! Parts of a graph whose nodes all reach one another along arcs.

use super::components::Parts;
use super::csr::{Csr, Graph};

/// A node that is in no part yet.
const NONE: u32 = u32::MAX;
/// Looking at every node for an arc from where a search has been costs less than following its arcs when these are more
/// than one in so many of those that lead to the nodes left (S. Beamer et al., "Direction-optimizing breadth-first
/// search", 2012).
const FEW: usize = 8;

/// Strongly connected components: sets of nodes each of which reaches every other along arcs.
///
/// Definition: J. Bang-Jensen and G. Gutin, *Digraphs*, 1.5, on the directed projection *D*.
/// Nodes that no arc enters or leaves once those before them are gone are taken off first (W. `McLendon` et al., "Finding
/// strongly connected components in distributed graphs", 2005); then the part of the best connected node is where the
/// searches from it along arcs and against them meet (L. Fleischer, B. Hendrickson, A. Pınar, "On identifying strongly
/// connected components in parallel", 2000); what is left goes through R. Tarjan's search ("Depth-first search and linear
/// graph algorithms", 1972).
/// An empty graph has none; a node on no cycle is a component of its own.
/// Cost: O(|V| + |E|), without recursion.
///
/// ```
/// use tg_analyze::graph::{Graph, strong::strong};
/// let graph = Graph::from_arcs(4, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
/// assert_eq!(strong(&graph).sizes, vec![3, 1]);
/// ```
pub fn strong(graph: &Graph) -> Parts {
    let (out, into) = (graph.outbound(), graph.inbound());
    let n = out.nodes();
    let (mut labels, mut count) = (vec![NONE; n], 0);
    trim(out, into, &mut labels, &mut count);
    // Where most are gone a search of the rest is short anyway.
    if 2 * (count as usize) < n {
        around_the_best(out, into, &mut labels, &mut count);
    }
    search(out, &mut labels, &mut count);
    Parts::number(&labels, count as usize)
}

/// Labels of the strong components in the order in which they are completed: an arc between two components goes from
/// the higher label to the lower.
pub(super) fn completed(out: &Csr) -> (Vec<u32>, usize) {
    let (mut labels, mut count) = (vec![NONE; out.nodes()], 0);
    search(out, &mut labels, &mut count);
    (labels, count as usize)
}

/// A node whose arcs out, or whose arcs in, all belong to nodes that are gone is a part of its own.
fn trim(out: &Csr, into: &Csr, labels: &mut [u32], count: &mut u32) {
    for node in out.ids() {
        let gone = |row: &[u32]| row.iter().all(|&other| labels[other as usize] != NONE);
        if gone(out.of(node)) || gone(into.of(node)) {
            labels[node as usize] = *count;
            *count += 1;
        }
    }
}

/// The part of the node that has most arcs both ways.
fn around_the_best(out: &Csr, into: &Csr, labels: &mut [u32], count: &mut u32) {
    let left = out.ids().filter(|&node| labels[node as usize] == NONE);
    let Some(best) = left.max_by_key(|&node| out.degree(node).min(into.degree(node))) else { return };
    let is_left = |node: u32| labels[node as usize] == NONE;
    let (there, back) = (reached(out, into, &[best], is_left), reached(into, out, &[best], is_left));
    for ((label, there), back) in labels.iter_mut().zip(there).zip(back) {
        if there && back {
            *label = *count;
        }
    }
    *count += 1;
}

/// Which nodes paths of `out` lead to from some nodes, themselves included, by nodes that are allowed alone; `into` is
/// `out` reversed.
pub(super) fn reached(out: &Csr, into: &Csr, from: &[u32], is_allowed: impl Fn(u32) -> bool) -> Vec<bool> {
    let mut seen = vec![false; out.nodes()];
    for &node in from {
        seen[node as usize] = true;
    }
    let (mut fresh, mut next) = (from.to_vec(), Vec::new());
    let arcs_of = |csr: &Csr, nodes: &[u32]| nodes.iter().map(|&node| csr.of(node).len()).sum::<usize>();
    let mut left = into.arcs() - arcs_of(into, from);
    while !fresh.is_empty() {
        if arcs_of(out, &fresh) < left / FEW {
            for &to in fresh.iter().flat_map(|&node| out.of(node)) {
                if !seen[to as usize] && is_allowed(to) {
                    seen[to as usize] = true;
                    next.push(to);
                }
            }
        } else {
            for node in into.ids() {
                let is_new = !seen[node as usize] && is_allowed(node);
                if is_new && into.of(node).iter().any(|&from| seen[from as usize]) {
                    seen[node as usize] = true;
                    next.push(node);
                }
            }
        }
        left -= arcs_of(into, &next);
        fresh.clear();
        std::mem::swap(&mut fresh, &mut next);
    }
    seen
}

/// R. Tarjan's search over the nodes without a label: it labels all of them.
fn search(out: &Csr, labels: &mut [u32], count: &mut u32) {
    if !labels.contains(&NONE) {
        return;
    }
    let n = out.nodes();
    let (mut order, mut low) = (vec![NONE; n], vec![0_u32; n]);
    let mut visited = 0_u32;
    let mut open: Vec<u32> = Vec::new();
    let mut path: Vec<(u32, usize)> = Vec::new();
    for start in out.ids() {
        if labels[start as usize] != NONE {
            continue;
        }
        path.push((start, 0));
        'deeper: while let Some((node, at)) = path.last_mut() {
            let (own, row) = (*node as usize, out.of(*node));
            if *at == 0 {
                order[own] = visited;
                low[own] = visited;
                visited += 1;
                open.push(*node);
            }
            let mut lowest = low[own];
            while let Some(&next) = row.get(*at) {
                *at += 1;
                let there = next as usize;
                if labels[there] != NONE {
                    continue;
                }
                if order[there] != NONE {
                    // Of a node that is done it is as low as it gets, of one on the path no lower than that.
                    lowest = lowest.min(low[there]);
                } else if out.of(next).is_empty() {
                    // Nothing leads on from there: it is a component of its own.
                    labels[there] = *count;
                    *count += 1;
                } else {
                    low[own] = lowest;
                    path.push((next, 0));
                    continue 'deeper;
                }
            }
            let node = *node;
            path.pop();
            low[own] = lowest;
            if lowest == order[own] {
                while let Some(member) = open.pop() {
                    labels[member as usize] = *count;
                    if member == node {
                        break;
                    }
                }
                *count += 1;
            }
            if let Some(&(parent, _)) = path.last() {
                low[parent as usize] = low[parent as usize].min(lowest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::random::Random;

    #[test]
    fn the_directed_test_graph() {
        let arcs = [(1, 2), (2, 3), (3, 1), (3, 4), (5, 1), (4, 6), (7, 8)].map(|(a, b)| (a - 1, b - 1));
        let parts = strong(&Graph::from_arcs(8, &arcs));
        assert_eq!((parts.sizes.clone(), parts.members(0)), (vec![3, 1, 1, 1, 1, 1], vec![0, 1, 2]));
        assert_eq!(strong(&Graph::from_arcs(0, &[])), Parts::default());
    }

    #[test]
    fn long_paths_need_no_stack() {
        let arcs: Vec<_> = (0..200_000).map(|i| (i, i + 1)).chain([(200_000, 0)]).collect();
        assert_eq!(strong(&Graph::from_arcs(200_001, &arcs)).sizes, vec![200_001]);
        assert_eq!(strong(&Graph::from_arcs(200_001, &arcs[..200_000])).sizes, vec![1; 200_001]);
    }

    /// From each node alone.
    fn by_trying(graph: &Graph) -> Parts {
        let out = graph.outbound();
        let from = |start: u32| {
            let (mut seen, mut queue) = (vec![false; out.nodes()], vec![start]);
            while let Some(node) = queue.pop() {
                if !std::mem::replace(&mut seen[node as usize], true) {
                    queue.extend(out.of(node));
                }
            }
            seen
        };
        let reach: Vec<Vec<bool>> = out.ids().map(from).collect();
        let first = |a: usize| (0..out.nodes()).find(|&b| reach[a][b] && reach[b][a]).unwrap();
        let labels: Vec<u32> = (0..out.nodes()).map(|a| u32::try_from(first(a)).unwrap()).collect();
        let mut used = labels.clone();
        used.sort_unstable();
        used.dedup();
        let place = |label: &u32| u32::try_from(used.binary_search(label).unwrap()).unwrap();
        Parts::number(&labels.iter().map(place).collect::<Vec<_>>(), used.len())
    }

    #[test]
    fn every_way_of_finding_parts_agrees_with_trying() {
        let mut random = Random::new(9);
        // How many parts there are besides the largest, and whether that holds most: each of the three ways must have
        // had something to find.
        let (mut mostly_one, mut mostly_alone, mut several) = (0, 0, 0);
        for round in 0..200 {
            let n = 1 + random.below(60);
            let m = random.below(1 + n * (1 + round % 5));
            let mut arcs: Vec<_> = (0..m).map(|_| (random.below(n), random.below(n))).collect();
            // Rings that nothing joins are parts of middling size.
            arcs.extend(
                (0..n).filter(|_| round % 3 == 0).map(|a| (a, a - a % 7 + (a + 1) % 7)).filter(|&(_, b)| b < n),
            );
            let graph = Graph::from_arcs(n as usize, &arcs);
            let (found, wanted) = (strong(&graph), by_trying(&graph));
            assert_eq!(found, wanted, "{n} {arcs:?}");
            let (labels, count) = completed(graph.outbound());
            assert_eq!(Parts::number(&labels, count), wanted, "{n} {arcs:?}");
            let down = |&(a, b): &(u32, u32)| labels[a as usize] >= labels[b as usize];
            assert!(arcs.iter().all(down), "labels are in the order of completion: {n} {arcs:?}");
            let largest = found.sizes[0];
            mostly_one += u32::from(2 * largest > n && n > 10);
            mostly_alone += u32::from(found.sizes.len() > 10 && largest == 1);
            several += u32::from(found.sizes.iter().filter(|&&size| size > 2).count() > 1);
        }
        assert!(mostly_one > 10 && mostly_alone > 10 && several > 10, "{mostly_one} {mostly_alone} {several}");
    }

    #[test]
    fn searches_go_by_allowed_nodes_alone() {
        // A path of 40, and a full graph of 30 behind its end: both ways of going on are taken.
        let mut arcs: Vec<(u32, u32)> = (0..39).map(|i| (i, i + 1)).collect();
        arcs.extend((40..70).flat_map(|a| (40..70).map(move |b| (a, b))));
        arcs.push((39, 40));
        let graph = Graph::from_arcs(70, &arcs);
        let count = |from: &[u32], but: u32| {
            let seen = reached(graph.outbound(), graph.inbound(), from, |node| node != but);
            seen.into_iter().filter(|&one| one).count()
        };
        assert_eq!((count(&[0], 99), count(&[0], 20), count(&[0], 40), count(&[45, 3], 39)), (70, 20, 40, 66));
        let back = reached(graph.inbound(), graph.outbound(), &[50], |_| true);
        assert!(back.into_iter().all(|one| one));
    }
}
