//! Eigenvalues that tell how tightly a graph is knit.

use rayon::prelude::*;

use super::components::parts_of;
use super::csr::Csr;
use super::random::Random;
use crate::work::{Stopped, Work};

/// An eigenvalue has settled when the residual of its vector is below this share of the greatest eigenvalue's bound.
pub const TOLERANCE: f64 = 1e-10;
/// After so many steps without it there is no answer.
pub const MOST_STEPS: usize = 3000;
/// Rows that one thread takes at a time.
const ROWS: usize = 2048;

/// Spectral radius: the greatest eigenvalue of the adjacency matrix.
///
/// Definition: F. Chung, *Spectral Graph Theory*; by the method of C. Lanczos, "An iteration method for the solution of
/// the eigenvalue problem of linear differential and integral operators", 1950, to a residual of 1e-10 of its bound. On
/// the undirected projection *U*.
/// Of a disconnected graph it is the greatest of the components'; without edges 0; an empty graph has none, nor has one
/// whose value did not settle within 3,000 steps.
/// Cost: O(|V| + |E|) a step, on all cores; memory four numbers a node.
///
/// ```
/// use tg_analyze::graph::{Graph, spectral::spectral_radius};
/// let star = Graph::from_arcs(5, &[(0, 1), (0, 2), (0, 3), (0, 4)]);
/// assert!((spectral_radius(star.undirected()).unwrap() - 2.0).abs() < 1e-9);
/// ```
pub fn spectral_radius(both: &Csr) -> Option<f64> {
    spectral_radius_within(both, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
pub(super) fn spectral_radius_within(both: &Csr, work: &Work<'_>) -> Result<Option<f64>, Stopped> {
    let apply = |x: &[f64], y: &mut [f64]| rows(both, y, |node| sum(both, node, x));
    if both.arcs() == 0 {
        return Ok((both.nodes() > 0).then_some(0.0));
    }
    Ok(lanczos(both.nodes(), apply, &[], End::Greatest, work)?.map(|(value, _)| value))
}

/// Algebraic connectivity: the second least eigenvalue of the Laplacian D − A.
///
/// Definition: M. Fiedler, "Algebraic connectivity of graphs", 1973; method and tolerance are those of
/// [`spectral_radius`], with the constant vector kept out. On the undirected projection *U*.
/// A disconnected graph has 0; fewer than two nodes have none, nor has a graph whose value did not settle within 3,000
/// steps, as of very long paths. It is at most the vertex connectivity, unless the graph is complete.
/// Cost: O(|V| + |E|) a step, on all cores; memory five numbers a node.
///
/// ```
/// use tg_analyze::graph::{Graph, spectral::algebraic_connectivity};
/// let ring = Graph::from_arcs(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]);
/// assert!((algebraic_connectivity(ring.undirected()).unwrap() - 1.0).abs() < 1e-9);
/// ```
pub fn algebraic_connectivity(both: &Csr) -> Option<f64> {
    algebraic_connectivity_within(both, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
pub(super) fn algebraic_connectivity_within(both: &Csr, work: &Work<'_>) -> Result<Option<f64>, Stopped> {
    let apply = |x: &[f64], y: &mut [f64]| {
        rows(both, y, |node| f64::from(both.degree(node)) * x[node as usize] - sum(both, node, x));
    };
    Ok(second(both, &apply, |_| 1.0, work)?.map(|found| found.value))
}

/// Spectral gap: the second least eigenvalue of the normalised Laplacian I − D^(−1/2) A D^(−1/2).
///
/// Definition: F. Chung, *Spectral Graph Theory*, 1.2; the conductance h of the best cut is between half of it and √(2·gap)
/// (Cheeger's inequality, chapter 2). Method and tolerance are those of [`spectral_radius`], with the vector of the
/// degrees' roots kept out. On the undirected projection *U*.
/// A disconnected graph has 0; fewer than two nodes have none, nor has a graph whose value did not settle within 3,000
/// steps.
/// Cost: O(|V| + |E|) a step, on all cores; memory six numbers a node.
///
/// ```
/// use tg_analyze::graph::{Graph, spectral::spectral_gap};
/// let full = Graph::from_arcs(4, &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
/// assert!((spectral_gap(full.undirected()).unwrap() - 4.0 / 3.0).abs() < 1e-9);
/// ```
pub fn spectral_gap(both: &Csr) -> Option<f64> {
    gap_within(both, &Work::unwatched()).unwrap_or_default().map(|found| found.value)
}

/// The spectral gap, and the cut that its vector leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gap {
    pub(super) value: f64,
    /// Nothing where the graph falls apart anyway.
    pub(super) cut: Option<Sweep>,
}

/// The cut that [`spectral_gap`]'s vector leads to; nothing where the gap is nothing, or the graph is not connected.
///
/// Definition: the sweep of F. Chung, *Spectral Graph Theory*, 2.2, as D. Spielman and S. Teng, "Spectral partitioning
/// works", 1996: nodes by their number in the vector over the root of their degree; of the cuts between the first of them
/// and the others that of the least conductance. It is no higher than √(2·gap), and no cut's is lower than half of the gap.
/// On the undirected projection *U*. Cost: that of [`spectral_gap`] twice, and O(|V| log |V| + |E|).
///
/// ```
/// use tg_analyze::graph::{Graph, spectral::sweep};
/// // Two triangles joined by an edge.
/// let graph = Graph::from_arcs(6, &[(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)]);
/// let cut = sweep(graph.undirected()).unwrap();
/// assert!((cut.conductance - 1.0 / 7.0).abs() < 1e-12);
/// assert!(cut.side == [0, 1, 2] || cut.side == [3, 4, 5]);
/// ```
pub fn sweep(both: &Csr) -> Option<Sweep> {
    gap_within(both, &Work::unwatched()).unwrap_or_default()?.cut
}

/// The same, unless it is stopped.
pub(super) fn gap_within(both: &Csr, work: &Work<'_>) -> Result<Option<Gap>, Stopped> {
    let root = |node: u32| f64::from(both.degree(node)).sqrt();
    let share: Vec<f64> = both.ids().map(|node| 1.0 / root(node)).collect();
    let apply = |x: &[f64], y: &mut [f64]| {
        rows(both, y, |node| {
            let near: f64 = both.of(node).iter().map(|&other| share[other as usize] * x[other as usize]).sum();
            x[node as usize] - share[node as usize] * near
        });
    };
    let Some(found) = second(both, &apply, root, work)? else { return Ok(None) };
    let cut = found.vector().map(|vector| Sweep::along(both, &vector, root));
    Ok(Some(Gap { value: found.value, cut: cut.flatten() }))
}

/// The least eigenvalue when the vector of eigenvalue 0 is kept out.
fn second<'a, F: Fn(&[f64], &mut [f64])>(
    both: &Csr,
    apply: &'a F,
    kernel: impl Fn(u32) -> f64,
    work: &Work<'_>,
) -> Result<Option<Second<'a, F>>, Stopped> {
    if both.nodes() < 2 {
        return Ok(None);
    }
    if parts_of(both).sizes.len() > 1 {
        return Ok(Some(Second { value: 0.0, basis: None, apply, out: Vec::new() }));
    }
    let mut out: Vec<f64> = both.ids().map(kernel).collect();
    normalise(&mut out);
    let found = lanczos(both.nodes(), apply, &out, End::Least, work)?;
    Ok(found.map(|(value, basis)| Second { value, basis: Some(basis), apply, out }))
}

/// A second least eigenvalue, and what its vector can be made of.
struct Second<'a, F> {
    value: f64,
    /// Nothing for a graph that is not connected.
    basis: Option<Tridiagonal>,
    apply: &'a F,
    out: Vec<f64>,
}

impl<F: Fn(&[f64], &mut [f64])> Second<'_, F> {
    /// The eigenvector, by the same steps once more: keeping those of the first time would take a vector for each.
    fn vector(&self) -> Option<Vec<f64>> {
        let basis = self.basis.as_ref()?;
        let (weights, _) = basis.vector(self.value)?;
        let n = self.out.len();
        let mut now = start(n, &self.out);
        let (mut before, mut next, mut sum) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        for (step, weight) in weights.into_iter().enumerate() {
            sum.iter_mut().zip(&now).for_each(|(sum, now)| *sum += weight * now);
            let Some(&beta) = basis.off.get(step) else { break };
            (self.apply)(&now, &mut next);
            let above = if step == 0 { 0.0 } else { basis.off[step - 1] };
            less(&mut next, basis.diagonal[step], &now, above, &before);
            keep_out(&mut next, &self.out);
            scale(&mut next, 1.0 / beta);
            std::mem::swap(&mut before, &mut now);
            std::mem::swap(&mut now, &mut next);
        }
        Some(sum)
    }
}

/// A cut of a connected graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Edges across it, over the sum of the degrees on the side where that is less.
    pub conductance: f64,
    /// The nodes of that side, ascending.
    pub side: Vec<u32>,
}

impl Sweep {
    fn along(both: &Csr, vector: &[f64], root: impl Fn(u32) -> f64) -> Option<Self> {
        let mut order: Vec<u32> = both.ids().collect();
        let at: Vec<f64> = both.ids().map(|node| vector[node as usize] / root(node)).collect();
        order.sort_by(|&a, &b| at[a as usize].total_cmp(&at[b as usize]).then(a.cmp(&b)));
        let mut is_in = vec![false; both.nodes()];
        let (mut across, mut within) = (0, 0);
        let mut best: Option<(f64, usize)> = None;
        for (count, &node) in order.iter().enumerate().take(both.nodes().saturating_sub(1)) {
            let inner = both.of(node).iter().filter(|&&other| is_in[other as usize]).count();
            // What led to it leads no longer across; what else it has does now.
            across = across + both.of(node).len() - 2 * inner;
            within += both.of(node).len();
            is_in[node as usize] = true;
            let conductance = across as f64 / within.min(both.arcs() - within) as f64;
            if best.is_none_or(|(least, _)| conductance < least) {
                best = Some((conductance, count + 1));
            }
        }
        let (conductance, count) = best?;
        let (one, other) = order.split_at(count);
        let degrees = |nodes: &[u32]| nodes.iter().map(|&node| both.of(node).len()).sum::<usize>();
        let mut side = if degrees(one) <= degrees(other) { one } else { other }.to_vec();
        side.sort_unstable();
        Some(Self { conductance, side })
    }
}

fn sum(both: &Csr, node: u32, x: &[f64]) -> f64 {
    both.of(node).iter().map(|&other| x[other as usize]).sum()
}

fn rows(both: &Csr, y: &mut [f64], row: impl Fn(u32) -> f64 + Sync) {
    y.par_iter_mut().zip(both.ids().into_par_iter()).with_min_len(ROWS).for_each(|(y, node)| *y = row(node));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Greatest,
}

/// The least or greatest eigenvalue of a symmetric operator on `n` numbers, of those whose vectors are orthogonal to
/// `out`, which has length 1 or is empty.
fn lanczos(
    n: usize,
    apply: impl Fn(&[f64], &mut [f64]),
    out: &[f64],
    end: End,
    work: &Work<'_>,
) -> Result<Option<(f64, Tridiagonal)>, Stopped> {
    let mut now = start(n, out);
    let (mut before, mut next) = (vec![0.0; n], vec![0.0; n]);
    let mut found = Tridiagonal::default();
    let mut look = 1;
    for step in 1..=MOST_STEPS {
        work.step()?;
        apply(&now, &mut next);
        let alpha = dot(&now, &next);
        let beta = found.off.last().copied().unwrap_or(0.0);
        less(&mut next, alpha, &now, beta, &before);
        keep_out(&mut next, out);
        let beta = dot(&next, &next).sqrt();
        found.diagonal.push(alpha);
        let bound = found.bound().max(beta);
        if step >= look || beta <= TOLERANCE * bound {
            look = step + 1 + step / 8;
            let value = found.extreme(end);
            if found.residual(value, beta) <= TOLERANCE * bound {
                return Ok(Some((value, found)));
            }
        }
        found.off.push(beta);
        scale(&mut next, 1.0 / beta);
        std::mem::swap(&mut before, &mut now);
        std::mem::swap(&mut now, &mut next);
    }
    Ok(None)
}

/// Any start will do that is not orthogonal to the vector sought; the same one every time, so that a report is too.
fn start(n: usize, out: &[f64]) -> Vec<f64> {
    let mut random = Random::new(0);
    let mut start: Vec<f64> = (0..n).map(|_| random.unit() - 0.5).collect();
    keep_out(&mut start, out);
    normalise(&mut start);
    start
}

/// Takes so much of two vectors from a third.
fn less(next: &mut [f64], alpha: f64, now: &[f64], beta: f64, before: &[f64]) {
    for ((next, now), before) in next.iter_mut().zip(now).zip(before) {
        *next -= alpha * now + beta * before;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn scale(x: &mut [f64], by: f64) {
    for one in x {
        *one *= by;
    }
}

fn normalise(x: &mut [f64]) {
    let length = dot(x, x).sqrt();
    scale(x, 1.0 / length);
}

fn keep_out(x: &mut [f64], out: &[f64]) {
    let along = dot(x, out);
    x.iter_mut().zip(out).for_each(|(x, out)| *x -= along * out);
}

/// What the method makes of the operator: its extreme eigenvalues come near to those of the operator.
#[derive(Debug, Default)]
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// One less than the diagonal has, once a step is complete.
    off: Vec<f64>,
}

impl Tridiagonal {
    /// Each row: what stands on the diagonal, and the square of what stands left of it.
    fn rows(&self) -> impl Iterator<Item = (f64, f64)> {
        self.diagonal.iter().copied().zip(std::iter::once(0.0).chain(self.off.iter().map(|off| off * off)))
    }

    /// No eigenvalue is farther from 0 (S. Gershgorin, 1931).
    fn bound(&self) -> f64 {
        let beside = |at: usize| self.off.get(at).map_or(0.0, |off| off.abs());
        let row = |at: usize| self.diagonal[at].abs() + beside(at) + at.checked_sub(1).map_or(0.0, beside);
        (0..self.diagonal.len()).map(row).fold(f64::MIN_POSITIVE, f64::max)
    }

    /// How many eigenvalues are below x: the negative pivots of T − x (Sturm's sequence).
    fn below(&self, x: f64) -> usize {
        let mut pivot = 1.0_f64;
        let mut count = 0;
        for (at, square) in self.rows() {
            pivot = at - x - square / pivot;
            if pivot == 0.0 {
                pivot = f64::MIN_POSITIVE;
            }
            count += usize::from(pivot < 0.0);
        }
        count
    }

    /// The least or the greatest eigenvalue, by halving, from the outside.
    fn extreme(&self, end: End) -> f64 {
        let bound = self.bound();
        let (mut low, mut high) = (-bound - f64::EPSILON * bound, bound * (1.0 + 2.0 * f64::EPSILON));
        let wanted = match end {
            End::Least => 1,
            End::Greatest => self.diagonal.len(),
        };
        loop {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                return match end {
                    End::Least => low,
                    End::Greatest => high,
                };
            }
            if self.below(middle) >= wanted { high = middle } else { low = middle }
        }
    }

    /// How far the operator times a vector of length 1 is from `value` times it: some eigenvalue is no farther away.
    ///
    /// What the operator adds to T is `last` times the vector's last number.
    fn residual(&self, value: f64, last: f64) -> f64 {
        self.vector(value).map_or(f64::INFINITY, |(vector, left)| left + last * vector[vector.len() - 1].abs())
    }

    /// The vector of length 1 that T turns most nearly into `value` times itself, and how far it is from that.
    ///
    /// It is found from both of its ends (I. Dhillon and B. Parlett, "Orthogonal eigenvectors and relative gaps", 2003):
    /// they meet in the row that is left with the least.
    fn vector(&self, value: f64) -> Option<(Vec<f64>, f64)> {
        let count = self.diagonal.len();
        let least = f64::EPSILON * f64::EPSILON * self.bound();
        let away_from_zero = |pivot: f64| if pivot.abs() < least { least } else { pivot };
        let (mut down, mut up) = (vec![0.0; count], vec![0.0; count]);
        for at in 0..count {
            let above = if at == 0 { 0.0 } else { self.off[at - 1].powi(2) / down[at - 1] };
            down[at] = away_from_zero(self.diagonal[at] - value - above);
        }
        for at in (0..count).rev() {
            let below = if at + 1 == count { 0.0 } else { self.off[at].powi(2) / up[at + 1] };
            up[at] = away_from_zero(self.diagonal[at] - value - below);
        }
        let left = |at: usize| (down[at] + up[at] - (self.diagonal[at] - value)).abs();
        let meet = (0..count).min_by(|&a, &b| left(a).total_cmp(&left(b)))?;
        let mut vector = vec![1.0; count];
        for at in (0..meet).rev() {
            vector[at] = -vector[at + 1] * self.off[at] / down[at];
        }
        for at in meet + 1..count {
            vector[at] = -vector[at - 1] * self.off[at - 1] / up[at];
        }
        let length = dot(&vector, &vector).sqrt();
        scale(&mut vector, 1.0 / length);
        Some((vector, left(meet) / length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn nothing_has_no_spectrum_and_parts_have_zero() {
        let both = |n, arcs: &[(u32, u32)]| Graph::from_arcs(n, arcs).undirected().clone();
        let all = |graph: &Csr| (spectral_radius(graph), algebraic_connectivity(graph), spectral_gap(graph));
        assert_eq!(all(&both(0, &[])), (None, None, None));
        assert_eq!(all(&both(1, &[])), (Some(0.0), None, None));
        assert_eq!(all(&both(2, &[])), (Some(0.0), Some(0.0), Some(0.0)));
        let (radius, connectivity, gap) = all(&both(5, &[(0, 1), (2, 3), (3, 4)]));
        assert!((radius.unwrap() - 2_f64.sqrt()).abs() < 1e-9, "that of the path of three");
        assert_eq!((connectivity, gap), (Some(0.0), Some(0.0)));
        let (radius, connectivity, gap) = all(&both(2, &[(0, 1)]));
        let wanted = [(radius, 1.0), (connectivity, 2.0), (gap, 2.0)];
        assert!(wanted.iter().all(|(value, wanted)| (value.unwrap() - wanted).abs() < 1e-9), "{wanted:?}");
    }

    #[test]
    fn long_paths_and_rings_have_their_formulas() {
        let path = |n: u32| (0..n - 1).map(|i| (i, i + 1)).collect::<Vec<_>>();
        for n in [50, 700] {
            let graph = Graph::from_arcs(n as usize, &path(n));
            let pi = std::f64::consts::PI;
            let wanted = 2.0 - 2.0 * (pi / f64::from(n)).cos();
            let found = algebraic_connectivity(graph.undirected()).unwrap();
            assert!((found - wanted).abs() < 1e-8, "{n}: {found}, not {wanted}");
            let wanted = 2.0 * (pi / f64::from(n + 1)).cos();
            let found = spectral_radius(graph.undirected()).unwrap();
            assert!((found - wanted).abs() < 1e-8, "{n}: {found}, not {wanted}");
        }
        // A path whose value is too near to its neighbours is not guessed at.
        assert_eq!(algebraic_connectivity(Graph::from_arcs(5000, &path(5000)).undirected()), None);
    }

    #[test]
    fn a_sweep_lies_between_the_bounds_of_cheeger() {
        let mut random = Random::new(8);
        let mut best = 0;
        for round in 0..60 {
            let n = 4 + round % 9;
            let arcs: Vec<_> = (1..n).map(|a| (a, random.below(a))).collect();
            let more: Vec<_> = (0..random.below(2 * n)).map(|_| (random.below(n), random.below(n))).collect();
            let graph = Graph::from_arcs(n as usize, &[arcs, more].concat());
            let both = graph.undirected();
            let (gap, cut) = (spectral_gap(both).unwrap(), sweep(both).unwrap());
            let conductance = |side: u32| {
                let is_in = |node: u32| side >> node & 1 == 1;
                let inside: Vec<u32> = both.ids().filter(|&node| is_in(node)).collect();
                let across: usize = inside.iter().flat_map(|&a| both.of(a)).filter(|&&b| !is_in(b)).count();
                let within: usize = inside.iter().map(|&a| both.of(a).len()).sum();
                across as f64 / within.min(both.arcs() - within) as f64
            };
            let side = cut.side.iter().map(|&node| 1_u32 << node).sum();
            assert!((conductance(side) - cut.conductance).abs() < 1e-12, "{cut:?}");
            let least = (1..(1_u32 << n) - 1).map(conductance).fold(f64::MAX, f64::min);
            assert!(gap / 2.0 - 1e-9 <= least && least <= cut.conductance + 1e-12, "{gap} {least} {cut:?}");
            assert!(cut.conductance <= (2.0 * gap).sqrt() + 1e-9, "{gap} {cut:?}");
            best += u32::from((cut.conductance - least).abs() < 1e-12);
        }
        assert!(best > 40, "mostly it is the best cut: {best}");
        assert_eq!(sweep(Graph::from_arcs(4, &[(0, 1), (2, 3)]).undirected()), None);
        assert_eq!(sweep(Graph::from_arcs(1, &[]).undirected()), None);
    }
}
