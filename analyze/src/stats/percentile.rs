//! Rules of percentiles.

/// By which rule a percentile at share q of n ascending values x(0) … x(n−1) is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Percentile {
    /// Linear interpolation at rank q·(n − 1): type 7 of R. Hyndman and Y. Fan, "Sample quantiles in statistical
    /// packages", 1996.
    #[default]
    Type7,
    /// The nearest rank, x(⌈q·n⌉ − 1): type 1 of the same paper.
    Nearest,
    /// x(⌈q·(n − 1)⌉), as the scripts of Testground's DHT plan took it.
    Ps1,
}

/// Where a percentile lies among ascending values: so far of the way from one to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// The rank of the value below it, from 0.
    pub(super) low: u64,
    /// The rank of the value above it.
    pub(super) high: u64,
    /// The share of the way between the two.
    part: f64,
}

impl Place {
    /// The percentile, of the values of both ranks.
    pub(super) fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.part
    }
}

impl Percentile {
    /// Where the percentile at a share of n values lies; nothing for no values.
    pub(super) fn place(self, share: f64, n: u64) -> Option<Place> {
        let last = n.checked_sub(1)?;
        let rank = match self {
            Self::Type7 => share * last as f64,
            Self::Nearest => (share * n as f64).ceil() - 1.0,
            Self::Ps1 => (share * last as f64).ceil(),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last rank")]
        let low = (rank.floor().max(0.0) as u64).min(last);
        let part = (rank - low as f64).max(0.0);
        // A rank that is whole has no second value, which may be of another sign or infinite.
        Some(if part > 0.0 && low < last {
            Place { low, high: low + 1, part }
        } else {
            Place { low, high: low, part: 0.0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_gives_its_rank_at_every_size() {
        for n in (1..=400_u32).chain([1_000, 2_000, 9_999, 10_000]) {
            for percent in [50_u32, 95, 99] {
                let share = f64::from(percent) / 100.0;
                let at = |rule: Percentile| {
                    let place = rule.place(share, n.into()).unwrap();
                    place.between(place.low as f64, place.high as f64)
                };
                assert!((at(Percentile::Type7) - share * f64::from(n - 1)).abs() < 1e-6, "type 7 of {n} at {percent}");
                // In whole numbers, so that no rounding hides.
                let nearest = (percent * n).div_ceil(100).max(1) - 1;
                let ps1 = (percent * (n - 1)).div_ceil(100);
                assert!((at(Percentile::Nearest) - f64::from(nearest)).abs() < 0.5, "nearest of {n} at {percent}");
                assert!((at(Percentile::Ps1) - f64::from(ps1)).abs() < 0.5, "ps1 of {n} at {percent}");
            }
        }
        assert_eq!(Percentile::Nearest.place(0.5, 0), None);
    }
}
