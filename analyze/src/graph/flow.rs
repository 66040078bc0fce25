//! Flows through networks whose arcs take one unit each.

use super::csr::Csr;

const UNSEEN: u32 = u32::MAX;

/// A network of unit capacities through which one flow after another is sent.
///
/// E. Dinic, "Algorithm for solution of a problem of maximum flow in networks", 1970: rounds of shortest paths; with unit
/// capacities a round costs O(|E|).
#[derive(Clone)]
pub(super) struct Flow {
    starts: Vec<usize>,
    ends: Vec<u32>,
    /// Where the same arc stands the other way round.
    back: Vec<usize>,
    capacity: Vec<u8>,
    room: Vec<u8>,
    level: Vec<u32>,
    /// The next arc to try from each node.
    next: Vec<usize>,
    queue: Vec<u32>,
    trail: Vec<usize>,
}

impl Flow {
    fn new(starts: Vec<usize>, ends: Vec<u32>, back: Vec<usize>, capacity: Vec<u8>) -> Self {
        let n = starts.len() - 1;
        let room = capacity.clone();
        let (level, next) = (vec![UNSEEN; n], vec![0; n]);
        Self { starts, ends, back, capacity, room, level, next, queue: Vec::new(), trail: Vec::new() }
    }

    /// Every edge takes one unit, either way.
    pub(super) fn by_edges(both: &Csr) -> Self {
        let mirror = mirror(both);
        Self::new(both.starts().to_vec(), both.ends().to_vec(), mirror, vec![1; both.arcs()])
    }

    /// Every node lets one unit through: node v is in two halves, 2v and 2v + 1, with an arc between them.
    pub(super) fn by_nodes(both: &Csr) -> Self {
        let mirror = mirror(both);
        let starts = both.starts();
        // Each half has the arc between the halves first, and then one for each neighbour.
        let first = |half: u32| {
            let (node, second) = ((half / 2) as usize, half as usize % 2);
            2 * (starts[node] + node) + second * (starts[node + 1] - starts[node] + 1)
        };
        let n = u32::try_from(2 * both.nodes()).unwrap_or(u32::MAX);
        let all: Vec<usize> = (0..n).map(first).chain([2 * (both.arcs() + both.nodes())]).collect();
        let size = 2 * (both.arcs() + both.nodes());
        let (mut ends, mut back, mut capacity) =
            (Vec::with_capacity(size), Vec::with_capacity(size), Vec::with_capacity(size));
        for half in 0..n {
            let (node, second) = (half / 2, half % 2);
            ends.push(half ^ 1);
            back.push(all[(half ^ 1) as usize]);
            capacity.push(u8::from(second == 0));
            let row = starts[node as usize]..starts[node as usize + 1];
            for (&other, &mirrored) in both.of(node).iter().zip(&mirror[row]) {
                let there = 2 * other + (1 - second);
                ends.push(there);
                back.push(all[there as usize] + 1 + mirrored - starts[other as usize]);
                capacity.push(u8::from(second == 1));
            }
        }
        Self::new(all, ends, back, capacity)
    }

    /// The greatest flow from one node to another, or `limit` if it is no less.
    pub(super) fn most(&mut self, from: u32, to: u32, limit: u32) -> u32 {
        self.room.copy_from_slice(&self.capacity);
        let mut flow = 0;
        while flow < limit && self.reaches(from, to) {
            let n = self.next.len();
            self.next.copy_from_slice(&self.starts[..n]);
            while flow < limit && self.send(from, to) {
                flow += 1;
            }
        }
        flow
    }

    /// Sets levels by breadth-first search along arcs with room.
    fn reaches(&mut self, from: u32, to: u32) -> bool {
        self.level.fill(UNSEEN);
        self.queue.clear();
        self.queue.push(from);
        self.level[from as usize] = 0;
        let mut head = 0;
        while let Some(&node) = self.queue.get(head) {
            head += 1;
            for at in self.starts[node as usize]..self.starts[node as usize + 1] {
                let there = self.ends[at];
                if self.room[at] > 0 && self.level[there as usize] == UNSEEN {
                    self.level[there as usize] = self.level[node as usize] + 1;
                    if there == to {
                        return true;
                    }
                    self.queue.push(there);
                }
            }
        }
        false
    }

    /// Sends a unit along a path on which every step goes one level up.
    fn send(&mut self, from: u32, to: u32) -> bool {
        self.trail.clear();
        let mut node = from;
        while node != to {
            let at = self.next[node as usize];
            if at == self.starts[node as usize + 1] {
                let Some(arc) = self.trail.pop() else { return false };
                node = self.ends[self.back[arc]];
                self.next[node as usize] += 1;
                continue;
            }
            let there = self.ends[at];
            let up = self.level[there as usize] == self.level[node as usize].wrapping_add(1);
            if self.room[at] > 0 && up {
                self.trail.push(at);
                node = there;
            } else {
                self.next[node as usize] += 1;
            }
        }
        for &arc in &self.trail {
            self.room[arc] -= 1;
            self.room[self.back[arc]] += 1;
        }
        true
    }
}

/// For each entry of an undirected graph, where the same edge stands at its other end.
fn mirror(both: &Csr) -> Vec<usize> {
    let mut next = both.starts().to_vec();
    let mut mirror = Vec::with_capacity(both.arcs());
    // Neighbours are sorted, so whoever comes later has its edges in the order of the nodes.
    for node in both.ids() {
        for &other in both.of(node) {
            mirror.push(next[other as usize]);
            next[other as usize] += 1;
        }
    }
    mirror
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn every_arc_has_its_other_way() {
        let graph = Graph::from_arcs(5, &[(0, 3), (1, 0), (3, 1), (4, 3), (2, 4)]);
        for flow in [Flow::by_edges(graph.undirected()), Flow::by_nodes(graph.undirected())] {
            for node in 0..flow.starts.len() - 1 {
                for at in flow.starts[node]..flow.starts[node + 1] {
                    assert_eq!((flow.back[flow.back[at]], flow.ends[flow.back[at]] as usize), (at, node));
                }
            }
        }
    }

    #[test]
    fn a_path_may_have_to_give_way() {
        // From 0 to 5 two paths, of which the shortest (0 2 3 5 goes over the middle) takes an edge of both.
        let graph = Graph::from_arcs(6, &[(0, 1), (1, 3), (0, 2), (2, 3), (2, 4), (3, 5), (4, 5)]);
        let mut flow = Flow::by_edges(graph.undirected());
        assert_eq!((flow.most(0, 5, 9), flow.most(0, 5, 1), flow.most(0, 5, 9)), (2, 1, 2));
        let mut flow = Flow::by_nodes(graph.undirected());
        assert_eq!(flow.most(1, 10, 9), 2);
    }
}
