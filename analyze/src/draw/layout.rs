//! Where nodes stand: by forces between them, or on a circle.

use rayon::prelude::*;

use super::tree::{Point, Tree};
use crate::graph::components::weak;
use crate::graph::random::Random;
use crate::graph::{Csr, Graph};

/// A graph that is no longer made smaller.
const SMALL: usize = 40;
/// How strongly nodes push, against how strongly edges pull.
const PUSH: f64 = 0.2;

/// A graph with masses of nodes and weights of edges, as it shrinks.
#[derive(Debug, Clone)]
struct Level {
    starts: Vec<usize>,
    ends: Vec<(u32, f64)>,
    masses: Vec<f64>,
}

impl Level {
    fn nodes(&self) -> usize {
        self.masses.len()
    }

    fn of(&self, node: usize) -> &[(u32, f64)] {
        &self.ends[self.starts[node]..self.starts[node + 1]]
    }

    /// The part of a graph between some nodes, which are renumbered in their order.
    fn of_members(csr: &Csr, members: &[u32]) -> Self {
        let mut number = vec![u32::MAX; csr.nodes()];
        for (new, &old) in (0..).zip(members) {
            number[old as usize] = new;
        }
        let (mut starts, mut ends) = (vec![0], Vec::new());
        for &member in members {
            let inside = csr.of(member).iter().map(|&other| number[other as usize]).filter(|&other| other != u32::MAX);
            ends.extend(inside.map(|other| (other, 1.0)));
            starts.push(ends.len());
        }
        Self { starts, ends, masses: vec![1.0; members.len()] }
    }

    /// The same with pairs of neighbours made one, and for each node the one that it became part of.
    fn shrink(&self, random: &mut Random) -> (Self, Vec<u32>) {
        let n = self.nodes();
        let mut order: Vec<usize> = (0..n).collect();
        random.shuffle(&mut order);
        let mut became = vec![u32::MAX; n];
        let mut count = 0;
        for node in order {
            if became[node] != u32::MAX {
                continue;
            }
            // The light neighbour by the heavy edge: so that no part grows far above the others.
            let free = self.of(node).iter().filter(|(other, _)| became[*other as usize] == u32::MAX);
            let value = |&(other, weight): &(u32, f64)| weight / self.masses[other as usize];
            let best = free
                .filter(|(other, _)| *other as usize != node)
                .max_by(|a, b| value(a).total_cmp(&value(b)).then(b.0.cmp(&a.0)));
            became[node] = count;
            if let Some(&(other, _)) = best {
                became[other as usize] = count;
            }
            count += 1;
        }
        (self.joined(&became, count as usize), became)
    }

    fn joined(&self, became: &[u32], count: usize) -> Self {
        let mut masses = vec![0.0; count];
        let mut pairs: Vec<(u32, u32, f64)> = Vec::with_capacity(self.ends.len());
        for node in 0..self.nodes() {
            masses[became[node] as usize] += self.masses[node];
            let joined = |&(other, weight): &(u32, f64)| (became[node], became[other as usize], weight);
            pairs.extend(self.of(node).iter().map(joined).filter(|(a, b, _)| a != b));
        }
        pairs.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        let (mut starts, mut ends) = (vec![0; count + 1], Vec::<(u32, f64)>::new());
        let mut last = None;
        for (a, b, weight) in pairs {
            if last == Some((a, b)) {
                if let Some(end) = ends.last_mut() {
                    end.1 += weight;
                }
            } else {
                ends.push((b, weight));
                last = Some((a, b));
            }
            starts[a as usize + 1] = ends.len();
        }
        for at in 1..=count {
            starts[at] = starts[at].max(starts[at - 1]);
        }
        Self { starts, ends, masses }
    }

    /// Moves nodes until they stand still, or for so many rounds.
    ///
    /// Y. Hu, "Efficient, high-quality force-directed graph drawing", 2006: edges pull with distance² / length, nodes
    /// push with length² / distance, and the step grows while it helps.
    fn settle(&self, places: &mut [Point], length: f64, rounds: u32) {
        let (mut step, mut progress, mut before) = (length, 0, f64::MAX);
        for _ in 0..rounds {
            let tree = Tree::new(places, &self.masses);
            let force = |node: usize, stack: &mut Vec<u32>| -> Point {
                let here = places[node];
                let push = tree.push(here, stack);
                let scale = PUSH * length * length * self.masses[node];
                let mut force = [push[0] * scale, push[1] * scale];
                for &(other, weight) in self.of(node) {
                    let there = places[other as usize];
                    let way = [there[0] - here[0], there[1] - here[1]];
                    let pull = weight * (way[0] * way[0] + way[1] * way[1]).sqrt() / length;
                    force = [force[0] + way[0] * pull, force[1] + way[1] * pull];
                }
                force
            };
            let forces: Vec<Point> =
                (0..self.nodes()).into_par_iter().map_init(Vec::new, |s, node| force(node, s)).collect();
            let mut energy = 0.0;
            for (place, force) in places.iter_mut().zip(&forces) {
                let squared = force[0] * force[0] + force[1] * force[1];
                energy += squared;
                let size = squared.sqrt().max(1e-12);
                place[0] += step * force[0] / size;
                place[1] += step * force[1] / size;
            }
            if energy < before {
                progress += 1;
                if progress >= 5 {
                    progress = 0;
                    step /= 0.9;
                }
            } else {
                progress = 0;
                step *= 0.9;
            }
            before = energy;
            if step < length * 1e-3 {
                break;
            }
        }
    }
}

/// Places the nodes of one component by forces, from its coarsest outline to all its nodes.
fn component(level: &Level, random: &mut Random) -> Vec<Point> {
    let mut levels = vec![level.clone()];
    let mut joins = Vec::new();
    while let Some(last) = levels.last()
        && last.nodes() > SMALL
    {
        let (smaller, became) = last.shrink(random);
        if smaller.nodes() as f64 > 0.9 * last.nodes() as f64 {
            break;
        }
        levels.push(smaller);
        joins.push(became);
    }
    let Some(coarsest) = levels.pop() else { return Vec::new() };
    let side = (coarsest.nodes() as f64).sqrt();
    let mut places: Vec<Point> = (0..coarsest.nodes()).map(|_| [random.unit() * side, random.unit() * side]).collect();
    let mut length = mean_length(&coarsest, &places).unwrap_or(1.0);
    coarsest.settle(&mut places, length, 400);
    while let Some((finer, became)) = levels.pop().zip(joins.pop()) {
        // Twice the nodes want the double room; halves of a pair begin side by side.
        length *= 0.75;
        let jitter = length * 0.1;
        places =
            became.iter().map(|&whole| places[whole as usize].map(|at| at + jitter * (random.unit() - 0.5))).collect();
        let rounds = if finer.nodes() > 2000 { 70 } else { 120 };
        finer.settle(&mut places, length, rounds);
    }
    places
}

fn mean_length(level: &Level, places: &[Point]) -> Option<f64> {
    let mut sum = 0.0;
    for node in 0..level.nodes() {
        for &(other, _) in level.of(node) {
            let (here, there) = (places[node], places[other as usize]);
            sum += ((here[0] - there[0]) * (here[0] - there[0]) + (here[1] - there[1]) * (here[1] - there[1])).sqrt();
        }
    }
    (!level.ends.is_empty()).then(|| sum / level.ends.len() as f64)
}

/// Places all nodes by forces, in the unit square. Components are placed one by one and set side by side, each with
/// room for its nodes; nodes without an edge stand in rows.
///
/// The same graph and seed give the same places on every machine. Cost: about O((|V| log |V| + |E|) · rounds).
pub fn force_directed(graph: &Graph, seed: u64) -> Vec<[f64; 2]> {
    let both = graph.undirected();
    let parts = weak(graph);
    let mut random = Random::new(seed);
    let mut places = vec![[0.5, 0.5]; both.nodes()];
    let mut boxes = Vec::new();
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); parts.sizes.len()];
    for node in both.ids() {
        members[parts.of[node as usize] as usize].push(node);
    }
    let (single, joined): (Vec<_>, Vec<_>) = members.into_iter().partition(|members| members.len() == 1);
    for members in &joined {
        let mut own = component(&Level::of_members(both, members), &mut random);
        turn(&mut own);
        boxes.push((own, members.clone()));
    }
    let single: Vec<u32> = single.into_iter().flatten().collect();
    pack(&boxes, &single, &mut places);
    places
}

/// Turns points so that they are widest from left to right, and sets them into the unit square.
fn turn(points: &mut [Point]) {
    let n = points.len() as f64;
    let middle = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for point in points.iter_mut() {
        *point = [point[0] - middle[0], point[1] - middle[1]];
        xx += point[0] * point[0];
        xy += point[0] * point[1];
        yy += point[1] * point[1];
    }
    // The first axis of the covariance, found without trigonometry: machines differ in that.
    let spread = ((xx - yy) * (xx - yy) + 4.0 * xy * xy).sqrt();
    let axis = if spread > 1e-12 { [xx - yy + spread, 2.0 * xy] } else { [1.0, 0.0] };
    let size = (axis[0] * axis[0] + axis[1] * axis[1]).sqrt();
    let (cos, sin) = if size > 1e-12 { (axis[0] / size, axis[1] / size) } else { (0.0, 1.0) };
    for point in points.iter_mut() {
        *point = [point[0] * cos + point[1] * sin, point[1] * cos - point[0] * sin];
    }
    let low = [0, 1].map(|axis| points.iter().map(|point| point[axis]).fold(f64::MAX, f64::min));
    let high = [0, 1].map(|axis| points.iter().map(|point| point[axis]).fold(f64::MIN, f64::max));
    let side = (high[0] - low[0]).max(high[1] - low[1]).max(1e-12);
    for point in points.iter_mut() {
        for axis in 0..2 {
            let gap = (side - (high[axis] - low[axis])) / 2.0;
            point[axis] = (point[axis] - low[axis] + gap) / side;
        }
    }
}

/// Sets squares side by side in rows, the largest first, and single nodes in rows below.
fn pack(boxes: &[(Vec<Point>, Vec<u32>)], single: &[u32], places: &mut [Point]) {
    let sides: Vec<f64> = boxes.iter().map(|(points, _)| (points.len() as f64).sqrt() + 0.6).collect();
    let area: f64 = sides.iter().map(|side| side * side).sum::<f64>() + single.len() as f64 * 0.35;
    let width = sides.iter().copied().fold(area.sqrt(), f64::max);
    let (mut x, mut y, mut row) = (0.0, 0.0, 0.0_f64);
    for ((points, members), side) in boxes.iter().zip(&sides) {
        if x + side > width * 1.001 && x > 0.0 {
            (x, y, row) = (0.0, y + row, 0.0);
        }
        let inner = side - 0.5;
        for (&member, point) in members.iter().zip(points) {
            places[member as usize] = [x + 0.25 + inner * point[0], y + 0.25 + inner * point[1]];
        }
        x += side;
        row = row.max(*side);
    }
    y += row;
    if !single.is_empty() {
        let gap =
            if boxes.is_empty() { width / (single.len() as f64).sqrt().ceil() } else { 0.59_f64.min(width / 3.0) };
        let (mut x, mut at) = (gap / 2.0, y + gap / 2.0);
        for &node in single {
            if x > width {
                (x, at) = (gap / 2.0, at + gap);
            }
            places[node as usize] = [x, at];
            x += gap;
        }
        y = at + gap / 2.0;
    }
    // The middle of the unit square, whatever came out.
    let side = width.max(y).max(1e-12);
    for place in places.iter_mut() {
        *place = [(place[0] + (side - width) / 2.0) / side, (place[1] + (side - y) / 2.0) / side];
    }
}

/// Places nodes on a circle in the unit square, in the order given, the first at the top.
pub fn circular(order: &[u32]) -> Vec<[f64; 2]> {
    let n = order.len().max(1) as f64;
    let mut places = vec![[0.5, 0.5]; order.len()];
    for (at, &node) in order.iter().enumerate() {
        let angle = std::f64::consts::TAU * at as f64 / n;
        places[node as usize] = [0.5 + 0.5 * angle.sin(), 0.5 - 0.5 * angle.cos()];
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: Point, b: Point) -> f64 {
        (a[0] - b[0]).hypot(a[1] - b[1])
    }

    /// A ring of 300, a grid of 10 × 10 and five lone nodes.
    fn parts() -> Graph {
        let mut arcs: Vec<(u32, u32)> = (0..300).map(|i| (i, (i + 1) % 300)).collect();
        for i in 0..100_u32 {
            arcs.extend((i % 10 < 9).then_some((300 + i, 301 + i)));
            arcs.extend((i < 90).then_some((300 + i, 310 + i)));
        }
        Graph::from_arcs(405, &arcs)
    }

    #[test]
    fn the_same_seed_gives_the_same_places_and_all_are_in_the_square() {
        let graph = parts();
        let places = force_directed(&graph, 3);
        assert_eq!(places, force_directed(&graph, 3));
        assert_ne!(places, force_directed(&graph, 4));
        for (node, place) in places.iter().enumerate() {
            assert!(place.iter().all(|at| (0.0..=1.0).contains(at)), "{node} {place:?}");
        }
    }

    #[test]
    fn neighbours_stand_near_and_strangers_far() {
        let places = force_directed(&parts(), 1);
        let mean = |pairs: &mut dyn Iterator<Item = (usize, usize)>| {
            let all: Vec<f64> = pairs.map(|(a, b)| distance(places[a], places[b])).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let near = mean(&mut (0..300).map(|i| (i, (i + 1) % 300)));
        let far = mean(&mut (0..150).map(|i| (i, i + 150)));
        assert!(far > 15.0 * near, "a ring is open: {near} {far}");
        let corners = distance(places[300], places[399]);
        let beside = mean(&mut (300..309).map(|i| (i, i + 1)));
        assert!(corners > 8.0 * beside, "a grid is flat: {beside} {corners}");
    }

    #[test]
    fn small_and_odd_graphs_have_places() {
        for (n, arcs) in [(0, vec![]), (1, vec![]), (2, vec![(0, 1)]), (3, vec![]), (2, vec![(1, 1)])] {
            let places = force_directed(&Graph::from_arcs(n, &arcs), 0);
            assert_eq!(places.len(), n);
            assert!(places.iter().flatten().all(|at| at.is_finite()), "{places:?}");
        }
        // All stand apart, also those that begin in one pair.
        let complete: Vec<(u32, u32)> = (0..60).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
        let places = force_directed(&Graph::from_arcs(60, &complete), 0);
        for a in 0..60 {
            for b in 0..a {
                assert!(distance(places[a], places[b]) > 1e-3, "{a} {b}");
            }
        }
    }

    #[test]
    fn a_circle_begins_at_the_top() {
        let places = circular(&[2, 0, 1, 3]);
        assert!(distance(places[2], [0.5, 0.0]) < 1e-9 && distance(places[0], [1.0, 0.5]) < 1e-9);
    }
}
