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
    lanczos(both.nodes(), apply, &[], End::Greatest, work)
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
    second(both, apply, |_| 1.0, work)
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
    spectral_gap_within(both, &Work::unwatched()).unwrap_or_default()
}

/// The same, unless it is stopped.
pub(super) fn spectral_gap_within(both: &Csr, work: &Work<'_>) -> Result<Option<f64>, Stopped> {
    let root = |node: u32| f64::from(both.degree(node)).sqrt();
    let share: Vec<f64> = both.ids().map(|node| 1.0 / root(node)).collect();
    let apply = |x: &[f64], y: &mut [f64]| {
        rows(both, y, |node| {
            let near: f64 = both.of(node).iter().map(|&other| share[other as usize] * x[other as usize]).sum();
            x[node as usize] - share[node as usize] * near
        });
    };
    second(both, apply, root, work)
}

/// The least eigenvalue when the vector of eigenvalue 0 is kept out.
fn second(
    both: &Csr,
    apply: impl Fn(&[f64], &mut [f64]),
    kernel: impl Fn(u32) -> f64,
    work: &Work<'_>,
) -> Result<Option<f64>, Stopped> {
    if both.nodes() < 2 {
        return Ok(None);
    }
    if parts_of(both).sizes.len() > 1 {
        return Ok(Some(0.0));
    }
    let mut out: Vec<f64> = both.ids().map(kernel).collect();
    normalise(&mut out);
    lanczos(both.nodes(), apply, &out, End::Least, work)
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
) -> Result<Option<f64>, Stopped> {
    // Any start will do that is not orthogonal to the vector sought; the same one every time, so that a report is too.
    let mut random = Random::new(0);
    let mut now: Vec<f64> = (0..n).map(|_| random.unit() - 0.5).collect();
    keep_out(&mut now, out);
    normalise(&mut now);
    let (mut before, mut next) = (vec![0.0; n], vec![0.0; n]);
    let mut found = Tridiagonal::default();
    let mut look = 1;
    for step in 1..=MOST_STEPS {
        work.step()?;
        apply(&now, &mut next);
        let alpha = dot(&now, &next);
        let beta = found.off.last().copied().unwrap_or(0.0);
        for ((next, now), before) in next.iter_mut().zip(&now).zip(&before) {
            *next -= alpha * now + beta * before;
        }
        keep_out(&mut next, out);
        let beta = dot(&next, &next).sqrt();
        found.diagonal.push(alpha);
        let bound = found.bound().max(beta);
        if step >= look || beta <= TOLERANCE * bound {
            look = step + 1 + step / 8;
            let value = found.extreme(end);
            if found.residual(value, beta) <= TOLERANCE * bound {
                return Ok(Some(value));
            }
        }
        found.off.push(beta);
        scale(&mut next, 1.0 / beta);
        std::mem::swap(&mut before, &mut now);
        std::mem::swap(&mut now, &mut next);
    }
    Ok(None)
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
    /// The vector is that of T, found from both of its ends (I. Dhillon and B. Parlett, "Orthogonal eigenvectors and
    /// relative gaps", 2003): they meet in the row that is left with the least. What the operator adds to T is `last` times
    /// the vector's last number.
    fn residual(&self, value: f64, last: f64) -> f64 {
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
        let Some(meet) = (0..count).min_by(|&a, &b| left(a).total_cmp(&left(b))) else { return f64::INFINITY };
        let (mut square, mut one) = (1.0, 1.0);
        for at in (0..meet).rev() {
            one *= -self.off[at] / down[at];
            square += one * one;
        }
        one = 1.0;
        for (off, up) in self.off.iter().zip(&up[1..]).skip(meet) {
            one *= -off / up;
            square += one * one;
        }
        (left(meet) + last * one.abs()) / square.sqrt()
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
}
