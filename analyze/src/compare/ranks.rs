//! How far two sets of numbers lie apart by their order alone.

use super::sample::Sample;
use crate::graph::random::Random;

/// Measures of order between two sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// H. Mann and D. Whitney's U of the first set ("On a test of whether one of two random variables is
    /// stochastically larger than the other", 1947): pairs in which the first is greater, ties as one half.
    pub u: f64,
    /// N. Cliff's delta ("Dominance statistics", 1993): pairs in which the second is greater less those in which the
    /// first is, as a share of all; -1 to 1.
    pub delta: f64,
    /// A. Kolmogorov and N. Smirnov's distance: the largest gap between the two cumulative distributions.
    pub distance: f64,
}

impl Order {
    /// Of two sets, neither empty. Costs a sort.
    ///
    /// ```
    /// use tg_analyze::compare::Order;
    /// let order = Order::of(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]).unwrap();
    /// assert_eq!((order.u, order.delta, order.distance), (2.0, 0.75, 0.5));
    /// assert_eq!(Order::of(&[], &[1.0]), None);
    /// ```
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let mut tagged: Vec<(f64, bool)> = first.iter().map(|&value| (value, true)).collect();
        tagged.extend(second.iter().map(|&value| (value, false)));
        tagged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let values: Vec<f64> = tagged.iter().map(|one| one.0).collect();
        let ours: Vec<bool> = tagged.iter().map(|one| one.1).collect();
        Self::of_sorted(&values, &ours)
    }

    /// Of ascending values, with which of them belong to the first set.
    fn of_sorted(values: &[f64], ours: &[bool]) -> Option<Self> {
        let n = ours.iter().filter(|one| **one).count();
        let m = ours.len() - n;
        if n == 0 || m == 0 {
            return None;
        }
        let (mut below, mut ours_below, mut u, mut distance) = (0.0, 0.0, 0.0, 0.0_f64);
        let mut at = 0;
        while at < values.len() {
            let mut end = at;
            let (mut tied_ours, mut tied) = (0.0, 0.0);
            #[expect(clippy::float_cmp, reason = "ties are equal values")]
            while end < values.len() && values[end] == values[at] {
                if ours[end] {
                    tied_ours += 1.0;
                } else {
                    tied += 1.0;
                }
                end += 1;
            }
            u += tied_ours * (below + tied / 2.0);
            below += tied;
            ours_below += tied_ours;
            distance = distance.max((ours_below / n as f64 - below / m as f64).abs());
            at = end;
        }
        let pairs = n as f64 * m as f64;
        Some(Self { u, delta: 1.0 - 2.0 * u / pairs, distance })
    }
}

/// The order of the instances' own summaries, with how likely each measure is by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceOrder {
    /// The measures.
    pub order: Order,
    /// How likely a Cliff's delta as far from 0 is.
    pub delta_p: f64,
    /// How likely a Kolmogorov-Smirnov distance as large is.
    pub distance_p: f64,
}

/// Compares one number per instance. What is exchanged between the sides is what was drawn independently: whole runs
/// where a side has several, else instances.
pub(super) fn instance_order(
    base: &Sample,
    new: &Sample,
    of: impl Fn(&[f64]) -> f64,
    permutations: u32,
    seed: u64,
) -> Option<InstanceOrder> {
    let several = base.runs.len() > 1 || new.runs.len() > 1;
    let mut numbers: Vec<(f64, u32)> = Vec::new();
    let mut units = 0_u32;
    let mut first_units = 0;
    for (side, sample) in [base, new].into_iter().enumerate() {
        for run in &sample.runs {
            for instance in run {
                numbers.push((of(instance), units));
                units += u32::from(!several);
            }
            units += u32::from(several);
        }
        if side == 0 {
            first_units = units as usize;
        }
    }
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let values: Vec<f64> = numbers.iter().map(|one| one.0).collect();
    let measure = |is_first: &[bool]| {
        let ours: Vec<bool> = numbers.iter().map(|one| is_first[one.1 as usize]).collect();
        Order::of_sorted(&values, &ours)
    };
    let mut sides: Vec<bool> = (0..units as usize).map(|unit| unit < first_units).collect();
    let order = measure(&sides)?;
    let mut random = Random::new(seed);
    let (mut deltas, mut distances) = (1.0, 1.0);
    for _ in 0..permutations {
        random.shuffle(&mut sides);
        if let Some(other) = measure(&sides) {
            deltas += f64::from(u8::from(other.delta.abs() >= order.delta.abs() - 1e-12));
            distances += f64::from(u8::from(other.distance >= order.distance - 1e-12));
        }
    }
    let all = f64::from(permutations + 1);
    Some(InstanceOrder { order, delta_p: deltas / all, distance_p: distances / all })
}
