//! The arithmetic of the types that gather values. Time comes in as the time since the metric began.

use std::time::Duration;

use crate::rng::Rng;

/// How often moving averages move on.
const TICK: Duration = Duration::from_secs(5);

/// An average rate per second that forgets exponentially, moved on every five seconds as `go-metrics` does:
/// `rate += alpha * (rate of the last five seconds - rate)`, begun with the rate of the first five seconds. Before
/// those are over it is the plain rate so far.
#[derive(Debug, Clone)]
pub(crate) struct Average {
    alpha: f64,
    total: u64,
    fresh: u64,
    ticks: u64,
    rate: Option<f64>,
}

impl Average {
    pub(crate) fn new(alpha: f64) -> Self {
        Self { alpha, total: 0, fresh: 0, ticks: 0, rate: None }
    }

    /// The average of the last so many minutes: after that time an old value weighs 1/e.
    pub(crate) fn minutes(minutes: f64) -> Self {
        Self::new(1.0 - (-TICK.as_secs_f64() / 60.0 / minutes).exp())
    }

    fn move_on(&mut self, now: Duration) {
        let due = u64::try_from(now.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX);
        while self.ticks < due {
            let last = self.fresh as f64 / TICK.as_secs_f64();
            self.rate = Some(self.rate.map_or(last, |rate| rate + self.alpha * (last - rate)));
            self.fresh = 0;
            self.ticks += 1;
        }
    }

    pub(crate) fn add(&mut self, n: u64, now: Duration) {
        self.move_on(now);
        self.total += n;
        self.fresh += n;
    }

    /// Per second; none at the very beginning, when there is no time to divide by.
    pub(crate) fn rate(&mut self, now: Duration) -> Option<f64> {
        self.move_on(now);
        self.rate.or_else(|| plain_rate(self.total, now))
    }
}

fn plain_rate(total: u64, now: Duration) -> Option<f64> {
    (now > Duration::ZERO).then(|| total as f64 / now.as_secs_f64())
}

/// How often something happened, and at which rates.
#[derive(Debug, Clone)]
pub(crate) struct Rates {
    pub(crate) count: u64,
    averages: [Average; 3],
}

/// What [`Rates`] come to: per second, over 1, 5 and 15 minutes, and over all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RatesNow {
    pub(crate) m1: f64,
    pub(crate) m5: f64,
    pub(crate) m15: f64,
    pub(crate) mean: f64,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self { count: 0, averages: [1.0, 5.0, 15.0].map(Average::minutes) }
    }

    pub(crate) fn mark(&mut self, n: u64, now: Duration) {
        self.count += n;
        for average in &mut self.averages {
            average.add(n, now);
        }
    }

    pub(crate) fn now(&mut self, now: Duration) -> Option<RatesNow> {
        let [m1, m5, m15] = &mut self.averages;
        Some(RatesNow { m1: m1.rate(now)?, m5: m5.rate(now)?, m15: m15.rate(now)?, mean: plain_rate(self.count, now)? })
    }
}

/// The most values that a sample keeps.
pub(crate) const KEPT: usize = 10_000;

/// Values, and what can be said of them.
///
/// Count, least, greatest, mean and variance are of all values (Welford). Percentiles are exact up to [`KEPT`] values,
/// and beyond those come from a uniform random choice of that many (Vitter's algorithm R).
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    m2: f64,
    kept: Vec<f64>,
    rng: Rng,
}

/// What a [`Sample`] comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    /// 0.5, 0.75, 0.95, 0.99, 0.999, 0.9999.
    pub(crate) percentiles: [f64; 6],
}

impl Sample {
    pub(crate) fn new() -> Self {
        // A fixed seed: the same values in the same order give the same line.
        Self {
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            m2: 0.0,
            kept: Vec::new(),
            rng: Rng::new(1),
        }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.m2 += delta * (value - self.mean);
        if self.kept.len() < KEPT {
            self.kept.push(value);
        } else if let Ok(place) = usize::try_from(self.rng.below(self.count))
            && let Some(kept) = self.kept.get_mut(place)
        {
            *kept = value;
        }
    }

    /// None without values: a percentile of nothing is not zero.
    pub(crate) fn summary(&self) -> Option<Summary> {
        if self.count == 0 {
            return None;
        }
        let mut sorted = self.kept.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Summary {
            count: self.count,
            min: self.min,
            max: self.max,
            mean: self.mean,
            variance: self.m2 / self.count as f64,
            percentiles: [0.5, 0.75, 0.95, 0.99, 0.999, 0.9999].map(|p| percentile(&sorted, p)),
        })
    }
}

/// The rule of `go-metrics`: the value at place `p * (n + 1)` counted from 1, between two values in proportion, and
/// never beyond the first and the last.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() as f64 + 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place is small and not negative")]
    let below = place as usize;
    if below < 1 {
        sorted[0]
    } else if below >= sorted.len() {
        sorted[sorted.len() - 1]
    } else {
        let (low, high) = (sorted[below - 1], sorted[below]);
        low + (place - below as f64) * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    fn all_close(a: [f64; 6], b: [f64; 6]) -> bool {
        a.into_iter().zip(b).all(|(a, b)| close(a, b))
    }

    #[test]
    fn a_sample_of_four_by_hand() {
        let mut sample = Sample::new();
        assert_eq!(sample.summary(), None);
        for value in [4.0, 1.0, 3.0, 2.0] {
            sample.add(value);
        }
        let summary = sample.summary().expect("values");
        assert_eq!((summary.count, summary.min, summary.max), (4, 1.0, 4.0));
        assert!(close(summary.mean, 2.5) && close(summary.variance, 1.25), "{summary:?}");
        // Places 2.5, 3.75, 4.75, …: halfway between 2 and 3, three quarters between 3 and 4, and then the last.
        assert!(all_close(summary.percentiles, [2.5, 3.75, 4.0, 4.0, 4.0, 4.0]), "{summary:?}");
    }

    #[test]
    fn percentiles_of_a_thousand_values() {
        let mut sample = Sample::new();
        (1..=1000).rev().for_each(|n| sample.add(f64::from(n)));
        let summary = sample.summary().expect("values");
        assert!(all_close(summary.percentiles, [500.5, 750.75, 950.95, 990.99, 999.999, 1000.0]), "{summary:?}");
        assert!(close(summary.variance, (1_000_000.0 - 1.0) / 12.0));
    }

    #[test]
    fn one_value_is_every_percentile() {
        let mut sample = Sample::new();
        sample.add(7.0);
        let summary = sample.summary().expect("a value");
        assert!(all_close(summary.percentiles, [7.0; 6]), "{summary:?}");
        assert!(close(summary.variance, 0.0));
    }

    #[test]
    fn many_values_keep_exact_moments_and_near_percentiles() {
        let mut sample = Sample::new();
        let n = 200_000;
        (0..n).for_each(|i| sample.add(f64::from(i)));
        assert_eq!(sample.kept.len(), KEPT);
        let summary = sample.summary().expect("values");
        assert_eq!((summary.count, summary.min, summary.max), (200_000, 0.0, 199_999.0));
        assert!(close(summary.mean, 99_999.5));
        // The error of the median of 10,000 chosen values is half a percent of the range (one standard deviation).
        assert!((summary.percentiles[0] / 200_000.0 - 0.5).abs() < 0.025, "{summary:?}");
        assert!((summary.percentiles[3] / 200_000.0 - 0.99).abs() < 0.005, "{summary:?}");
    }

    #[test]
    fn averages_move_as_in_go_metrics() {
        let at = Duration::from_secs;
        let mut average = Average::minutes(1.0);
        assert_eq!(average.rate(Duration::ZERO), None);
        average.add(3, Duration::ZERO);
        assert!(close(average.rate(at(2)).expect("some time"), 1.5), "the plain rate at first");
        // The worked values of go-metrics' own test of its one-minute average.
        assert!(close(average.rate(at(5)).expect("a rate"), 0.6));
        assert!(close(average.rate(at(65)).expect("a rate"), 0.220_727_664_702_865_5));
        assert!(close(average.rate(at(125)).expect("a rate"), 0.081_201_169_941_967_72));
        let mut five = Average::minutes(5.0);
        five.add(3, Duration::ZERO);
        assert!(close(five.rate(at(65)).expect("a rate"), 0.491_238_451_846_789_1));
    }

    #[test]
    fn rates_count_and_divide() {
        let mut rates = Rates::new();
        for second in 0..10 {
            rates.mark(2, Duration::from_secs(second));
        }
        let now = rates.now(Duration::from_secs(10)).expect("some time");
        assert_eq!(rates.count, 20);
        for rate in [now.m1, now.m5, now.m15, now.mean] {
            assert!(close(rate, 2.0), "{now:?}");
        }
    }
}
