//! From intervals and tests to a word.

use super::resample::{Interval, Spread};
use super::student::{Means, quantile};

/// False alarms of a family of comparisons at most, and what an interval leaves out.
pub const ALPHA: f64 = 0.05;
/// How often the smallest effect that could be shown is shown.
pub const POWER: f64 = 0.8;
/// More repeats than this are not asked for.
const MOST_REPEATS: u32 = 1000;

/// How the new side compares with the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Worse by more than the smallest effect of interest.
    Worse,
    /// Better by more than that.
    Better,
    /// Higher by more than that, where nothing says which way is better.
    Higher,
    /// Lower by more than that, where nothing says which way is better.
    Lower,
    /// Any difference is smaller than that.
    Same,
    /// The data does not say.
    Unclear,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Same => "same",
            Self::Unclear => "unclear",
        }
    }

    /// Every verdict, the most pressing first.
    pub const ALL: [Self; 6] = [Self::Worse, Self::Better, Self::Higher, Self::Lower, Self::Unclear, Self::Same];
}

/// On which scale two sides are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// By the logarithm of the ratio: both sides lie above 0.
    Ratio,
    /// By the difference.
    Difference,
}

/// What is known of one statistic of two sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) scale: Scale,
    /// The difference on the scale.
    pub(super) effect: f64,
    /// The smallest effect of interest on the scale.
    pub(super) tolerance: f64,
    /// The bootstrap.
    pub(super) spread: Spread,
    /// The runs' own statistics against one another, where a side has several.
    pub(super) runs: Option<Means>,
    /// Of shares, the interval of all values as if they were independent.
    pub(super) values: Option<Interval>,
    /// How many runs the sides have.
    pub(super) repeats: (usize, usize),
    /// How many instances the sides have.
    pub(super) instances: (usize, usize),
}

impl Evidence {
    fn bootstrap(&self) -> Interval {
        match (self.scale, self.spread.ratio) {
            (Scale::Ratio, Some(ratio)) => Interval { low: ratio.low.ln(), high: ratio.high.ln() },
            (Scale::Ratio | Scale::Difference, _) => self.spread.difference,
        }
    }

    /// What the verdict is taken from: the bootstrap's interval and that of the runs together. The bootstrap of a
    /// handful of runs is too narrow, and the test of runs alone does not see how few instances there were. Where all of
    /// some values are ones, neither sees that the next might not be.
    fn interval(&self) -> Interval {
        let runs = self.runs.map(|runs| runs.interval(1.0 - ALPHA));
        runs.into_iter()
            .chain(self.values)
            .fold(self.bootstrap(), |all, one| Interval { low: all.low.min(one.low), high: all.high.max(one.high) })
    }

    /// Where the new side lies, given the probability after correction for the family.
    pub(super) fn side(&self, adjusted_p: f64) -> Side {
        // One instance of one run says nothing of how instances vary, and a bootstrap of it nothing at all.
        if self.runs.is_none() && (self.instances.0 < 2 || self.instances.1 < 2) {
            return Side::Unclear;
        }
        let Interval { low, high } = self.interval();
        // Logarithms and their inverses lose the last digit.
        let room = self.tolerance * (1.0 + 1e-12);
        if low >= -room && high <= room {
            return Side::Same;
        }
        if adjusted_p > ALPHA {
            return Side::Unclear;
        }
        if low > self.tolerance {
            Side::Higher
        } else if high < -self.tolerance {
            Side::Lower
        } else {
            Side::Unclear
        }
    }

    /// The smallest effect on the scale that data like this shows as better or worse four times in five, in a family
    /// of this size; absent where nothing varies.
    pub(super) fn detectable(&self, family: usize) -> Option<f64> {
        let (error, freedom) = match self.runs {
            Some(runs) => (runs.error.max(self.spread.error), runs.freedom),
            None => (self.spread.error, 1e6),
        };
        if error <= 1e-9 * self.effect.abs().max(self.tolerance) || !error.is_finite() {
            return None;
        }
        let power = quantile(POWER, freedom);
        let alone = (quantile(1.0 - ALPHA / 2.0, freedom) + power) * error + self.tolerance;
        let corrected = (quantile(1.0 - ALPHA / 2.0 / family.max(1) as f64, freedom) + power) * error;
        Some(alone.max(corrected))
    }

    /// How many runs a side would settle the verdict if the difference and the variance stay what they are; absent
    /// where one run a side hides the variance, or where a thousand runs would not do.
    pub(super) fn repeats(&self, family: usize) -> Option<u32> {
        let runs = self.runs?;
        let (n, m) = (self.repeats.0 as f64, self.repeats.1 as f64);
        let variance = runs.error.powi(2) / (1.0 / n + 1.0 / m);
        let beyond = self.effect.abs() - self.tolerance;
        let settles = |repeats: u32| {
            let freedom = f64::from(2 * repeats - 2);
            let error = (variance * 2.0 / f64::from(repeats)).sqrt();
            let half = quantile(1.0 - ALPHA / 2.0, freedom) * error;
            let corrected = quantile(1.0 - ALPHA / 2.0 / family.max(1) as f64, freedom) * error;
            half < beyond.abs() && (beyond < 0.0 || corrected < self.effect.abs())
        };
        if variance <= 0.0 || !settles(MOST_REPEATS) {
            return None;
        }
        let (mut low, mut high) = (1, MOST_REPEATS);
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if settles(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

/// Where the new side lies, before anyone says which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Higher,
    Lower,
    Same,
    Unclear,
}

/// S. Holm's correction ("A simple sequentially rejective multiple test procedure", 1979): probabilities that may be
/// held against the level of the whole family, whatever depends on what. In the order given.
pub(super) fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let mut adjusted = vec![1.0; probabilities.len()];
    let mut least = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        least = least.max(probabilities[at] * (probabilities.len() - rank) as f64).min(1.0);
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_is_that_of_the_paper() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
        assert!(holm(&[]).is_empty());
    }

    fn evidence(low: f64, high: f64) -> Evidence {
        let difference = Interval { low, high };
        let spread = Spread { difference, ratio: None, error: (high - low) / 4.0 };
        let effect = f64::midpoint(low, high);
        Evidence {
            scale: Scale::Difference,
            effect,
            tolerance: 1.0,
            spread,
            runs: None,
            values: None,
            repeats: (1, 1),
            instances: (9, 9),
        }
    }

    #[test]
    fn a_side_is_taken_only_outside_the_smallest_effect() {
        for (low, high, p, wanted) in [
            (-0.5, 0.5, 0.5, Side::Same),
            (0.2, 0.9, 0.001, Side::Same),
            (1.1, 2.0, 0.01, Side::Higher),
            (1.1, 2.0, 0.06, Side::Unclear),
            (0.9, 2.0, 0.01, Side::Unclear),
            (-3.0, -1.5, 0.01, Side::Lower),
            (-3.0, 3.0, 0.9, Side::Unclear),
        ] {
            assert_eq!(evidence(low, high).side(p), wanted, "{low} {high} {p}");
        }
    }

    #[test]
    fn more_variance_asks_for_more_repeats() {
        let of = |a: &[f64], b: &[f64]| {
            let runs = Means::compare(a, b);
            let effect = runs.map_or(0.0, |runs| runs.difference);
            Evidence { runs, effect, repeats: (a.len(), b.len()), ..evidence(-1.0, 5.0) }
        };
        let calm = of(&[0.0, 0.5, 1.0], &[2.0, 2.5, 3.0]);
        let wild = of(&[-2.0, 0.5, 3.0], &[0.0, 2.5, 5.0]);
        assert!(calm.repeats(1).unwrap() < wild.repeats(1).unwrap());
        assert!(calm.repeats(1).unwrap() <= calm.repeats(20).unwrap());
        assert!(calm.detectable(1).unwrap() < wild.detectable(1).unwrap());
        assert_eq!(evidence(-1.0, 5.0).repeats(1), None);
    }
}
