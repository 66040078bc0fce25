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
    /// Adds values, which are finite, one by one; they are not kept.
    pub(super) fn add(&mut self, values: &[f64]) {
        let Some(&first) = values.first() else { return };
        let (mut min, mut max) = self.range.unwrap_or((first, first));
        for &value in values {
            self.n += 1;
            let sum = self.sum + value;
            self.lost +=
                if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
            self.sum = sum;
            let off = value - self.running;
            self.running += off / self.n as f64;
            self.squares += off * (value - self.running);
            (min, max) = (min.min(value), max.max(value));
        }
        self.range = Some((min, max));
    }

    /// Keeps values; gives the bytes by which what is kept grew.
    pub(super) fn keep(&mut self, values: &[f64]) -> usize {
        let before = self.values.capacity();
        if before - self.values.len() < values.len() {
            // A quarter at a time: what lies idle is bounded as well.
            self.values.reserve_exact(values.len().max(before / 4).max(16));
        }
        self.values.extend_from_slice(values);
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
    ///
    /// Ascending shares are found fastest: what is below a rank is not looked at again for one above it.
    pub(super) fn percentiles(&mut self, rule: Percentile, shares: &[f64]) -> Vec<Option<f64>> {
        let (values, n) = (self.values.as_mut_slice(), self.n);
        // All values before `from` are at most as large as those from there on.
        let mut from = 0;
        let mut at = |rank: u64| {
            let rank = usize::try_from(rank).ok()?;
            if rank < from {
                from = 0;
            }
            let found = *values.get_mut(from..)?.select_nth_unstable_by(rank - from, f64::total_cmp).1;
            from = rank;
            Some(found)
        };
        let mut percentile = |share: &f64| {
            let place = rule.place(*share, n)?;
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
        for values in values.chunks(3) {
            spread.add(values);
            spread.keep(values);
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
