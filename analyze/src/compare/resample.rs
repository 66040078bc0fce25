//! Resampling: the bootstrap over runs and instances, and the exchange of instances between two runs.

use std::num::NonZero;
use std::thread;

use super::sample::{Sample, Statistic, Weighed, draw, starts};
use crate::graph::random::Random;

/// A range of values, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What the bootstrap says of one statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// 95 % of the differences, new less base.
    pub difference: Interval,
    /// 95 % of the ratios, new to base; absent unless every resample of both sides is above 0.
    pub ratio: Option<Interval>,
    /// The standard deviation of the differences, or of the logarithms of the ratios where there are any.
    pub error: f64,
}

/// The hierarchical bootstrap (A. Davison and D. Hinkley, "Bootstrap methods and their application", 1997, section
/// 3.8): resamples of either side draw runs with replacement and then, from each run drawn, instances with
/// replacement; an instance brings all of its values. The interval goes from the 2.5th to the 97.5th percentile (type
/// 7) of what `resamples` of them give. One entry for each statistic.
///
/// The same seed gives the same interval on any number of threads: each resample has a seed of its own.
pub fn bootstrap(
    base: &Sample,
    new: &Sample,
    statistics: &[Statistic],
    resamples: u32,
    seed: u64,
) -> Vec<Option<Spread>> {
    let sides = [(base, 0x6261_7365), (new, 0x006e_6577)].map(|(sample, side)| {
        let weighed = Weighed::new(statistics, sample.instances());
        let (shape, size) = (sample.shape(), sample.instances().count());
        let first = starts(&shape);
        each(
            resamples,
            weighed.len(),
            || vec![0_u32; size],
            |nth, weights, out| {
                draw(&shape, &first, &mut Random::new(seed_of(seed ^ side, nth)), weights);
                weighed.at(weights, out);
            },
        )
    });
    let [base, new] = sides;
    let width = statistics.len().max(1);
    (0..statistics.len())
        .map(|at| {
            let of = |side: &[f64]| -> Vec<f64> { side.iter().skip(at).step_by(width).copied().collect() };
            spread(&of(&base), &of(&new))
        })
        .collect()
}

fn spread(base: &[f64], new: &[f64]) -> Option<Spread> {
    let pairs = || base.iter().zip(new);
    let mut differences: Vec<f64> = pairs().map(|(base, new)| new - base).collect();
    if differences.is_empty() || differences.iter().any(|one| !one.is_finite()) {
        return None;
    }
    let above = pairs().all(|(&base, &new)| base > 0.0 && new > 0.0);
    let mut ratios: Vec<f64> = if above { pairs().map(|(base, new)| new / base).collect() } else { Vec::new() };
    let error = if above {
        deviation(&ratios.iter().map(|ratio| ratio.ln()).collect::<Vec<_>>())
    } else {
        deviation(&differences)
    };
    Some(Spread { difference: middle(&mut differences)?, ratio: middle(&mut ratios), error })
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}

/// From the 2.5th to the 97.5th percentile.
fn middle(values: &mut [f64]) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    Some(Interval { low: crate::percentile(values, 0.025)?, high: crate::percentile(values, 0.975)? })
}

/// How likely a difference as large as the one seen is if the instances of the two sides are of one kind: the share of
/// `permutations` exchanges of instances between the sides that give one as large, the one seen counted among them
/// (B. Phipson and G. Smyth, "Permutation p-values should never be zero", 2010). One entry for each statistic.
///
/// It sees nothing of what differs between runs; for one run on either side.
pub(super) fn exchange(
    base: &Sample,
    new: &Sample,
    statistics: &[Statistic],
    permutations: u32,
    seed: u64,
) -> Vec<f64> {
    let (ours, theirs) = (base.instances().count(), new.instances().count());
    let weighed = Weighed::new(statistics, base.instances().chain(new.instances()));
    let width = weighed.len();
    let difference = |order: &[u32], weights: &mut [u32], out: &mut [f64]| {
        let mut other = [0.0; 8];
        weights.fill(0);
        for &one in &order[..ours] {
            weights[one as usize] = 1;
        }
        weighed.at(weights, &mut other[..width]);
        for weight in weights.iter_mut() {
            *weight = 1 - *weight;
        }
        weighed.at(weights, out);
        out.iter_mut().zip(other).for_each(|(new, base)| *new = (*new - base).abs());
    };
    let order: Vec<u32> = (0_u32..).take(ours + theirs).collect();
    let mut seen = vec![0.0; width];
    difference(&order, &mut vec![0; order.len()], &mut seen);
    let state = || (order.clone(), vec![0_u32; order.len()]);
    let all = each(permutations, width, state, |nth, (shuffled, weights), out| {
        shuffled.copy_from_slice(&order);
        Random::new(seed_of(seed ^ 0x6578_6368, nth)).shuffle(shuffled);
        difference(shuffled, weights, out);
    });
    (0..width)
        .map(|at| {
            // Sums in another order differ in the last digits.
            let least = seen[at] - 1e-12 * seen[at].abs();
            let as_large = all.iter().skip(at).step_by(width).filter(|one| **one >= least).count();
            (as_large + 1) as f64 / f64::from(permutations + 1)
        })
        .collect()
}

/// A seed for the `nth` draw that shares nothing with its neighbours'.
pub(super) fn seed_of(seed: u64, nth: u32) -> u64 {
    Random::new(seed.wrapping_add(u64::from(nth).wrapping_mul(0xd6e8_feb8_6659_fd93))).bits()
}

/// Calls for each number below `n`, on all processors, and gives the `width` numbers of each call, in order.
fn each<S>(
    n: u32,
    width: usize,
    state: impl Fn() -> S + Sync,
    call: impl Fn(u32, &mut S, &mut [f64]) + Sync,
) -> Vec<f64> {
    let mut out = vec![0.0; n as usize * width];
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = (n as usize).div_ceil(threads).max(64);
    thread::scope(|scope| {
        for (part, rows) in out.chunks_mut((share * width).max(1)).enumerate() {
            let (state, call) = (&state, &call);
            scope.spawn(move || {
                let mut state = state();
                let first = u32::try_from(part * share).unwrap_or(u32::MAX);
                for (nth, row) in (first..).zip(rows.chunks_mut(width)) {
                    call(nth, &mut state, row);
                }
            });
        }
    });
    out
}
