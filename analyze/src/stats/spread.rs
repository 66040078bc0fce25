//! The spread of the values of one group: what can be added up value by value, and the values themselves.

use super::percentile::Percentile;

/// Number, mean, deviation and range of values, added one by one.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread {
    /// How many.
    pub(super) n: u64,
    /// The sum, and what its rounding lost: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
    /// Summen", 1974.
    sum: f64,
    lost: f64,
    /// The mean so far and the sum of squares of differences from it: B. P. Welford, "Note on a method for calculating
    /// corrected sums of squares and products", 1962.
    running: f64,
    squares: f64,
    /// The least and the greatest.
    pub(super) range: Option<(f64, f64)>,
    /// The values, as long as there is room for them.
    pub(super) values: Vec<f64>,
}

impl Spread {
    /// Adds a value, which is finite; it is not kept.
    pub(super) fn add(&mut self, value: f64) {
        self.n += 1;
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
        let off = value - self.running;
        self.running += off / self.n as f64;
        self.squares += off * (value - self.running);
        self.range = Some(self.range.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
    }

    /// Keeps a value; gives the bytes by which what is kept grew.
    pub(super) fn keep(&mut self, value: f64) -> usize {
        let before = self.values.capacity();
        if self.values.len() == before {
            // A quarter at a time: what lies idle is bounded as well.
            self.values.reserve_exact((before / 4).max(16));
        }
        self.values.push(value);
        (self.values.capacity() - before) * size_of::<f64>()
    }

    /// The mean.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| (self.sum + self.lost) / self.n as f64)
    }

    /// The standard deviation of the sample; absent for one value.
    pub(super) fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares.max(0.0) / (self.n - 1) as f64).sqrt())
    }

    /// The percentiles at these shares, of the values that were kept.
    pub(super) fn percentiles(&mut self, rule: Percentile, shares: &[f64]) -> Vec<Option<f64>> {
        let values = self.values.as_mut_slice();
        let mut at = |rank: u64| {
            let rank = usize::try_from(rank).ok()?;
            Some(*values.select_nth_unstable_by(rank, f64::total_cmp).1)
        };
        let mut percentile = |share: &f64| {
            let place = rule.place(*share, self.n)?;
            Some(place.between(at(place.low)?, at(place.high)?))
        };
        shares.iter().map(&mut percentile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        let mut spread = Spread::default();
        for &value in values {
            spread.add(value);
            spread.keep(value);
        }
        spread
    }

    #[test]
    fn what_is_added_value_by_value_is_what_it_is_of_all() {
        let tens: Vec<f64> = (1..=10).map(|i| f64::from(10 * i)).collect();
        let mut found = spread(&tens);
        assert_eq!((found.n, found.mean(), found.range), (10, Some(55.0), Some((10.0, 100.0))));
        assert!((found.sd().unwrap() - 30.276_503_540_974_915).abs() < 1e-12);
        assert_eq!(found.percentiles(Percentile::Nearest, &[0.95, 0.5]), [Some(100.0), Some(50.0)]);
        let type7 = found.percentiles(Percentile::Type7, &[0.5, 0.95]);
        assert!((type7[1].unwrap() - 95.5).abs() < 1e-9 && type7[0] == Some(55.0), "{type7:?}");
        let mut none = spread(&[]);
        assert_eq!((none.mean(), none.sd(), none.range), (None, None, None));
        assert_eq!(none.percentiles(Percentile::Type7, &[0.5]), [None]);
        assert_eq!(spread(&[7.0]).sd(), None);
    }

    #[test]
    fn large_values_with_a_small_spread_keep_it() {
        let moments: Vec<f64> = (0..1000_u32).map(|i| 1.76e18 + f64::from(i % 2) * 1024.0).collect();
        let found = spread(&moments);
        let wanted = 512.0 * (1000.0_f64 / 999.0).sqrt();
        assert!((found.sd().unwrap() / wanted - 1.0).abs() < 1e-3, "{:?}", found.sd());
        assert_eq!(spread(&[1e16, 1.0, -1e16]).mean(), Some(1.0 / 3.0));
    }
}
