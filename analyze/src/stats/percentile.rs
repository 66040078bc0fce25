//! Rules of percentiles.

use polars::prelude::{Expr, QuantileMethod, lit};

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

impl Percentile {
    fn method(self) -> QuantileMethod {
        match self {
            Self::Type7 => QuantileMethod::Linear,
            Self::Nearest => QuantileMethod::Equiprobable,
            Self::Ps1 => QuantileMethod::Higher,
        }
    }

    /// The percentile of the values that are there.
    pub(crate) fn of(self, values: Expr, share: f64, name: &str) -> Expr {
        values.quantile(lit(share), self.method()).alias(name)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoLazy as _, col, df};

    use super::*;

    #[test]
    fn each_rule_gives_its_rank_at_every_size() {
        for n in (1..=400_u32).chain([1_000, 2_000, 9_999, 10_000]) {
            for percent in [50_u32, 95, 99] {
                let values: Vec<u32> = (0..n).collect();
                let share = f64::from(percent) / 100.0;
                let all = [Percentile::Type7, Percentile::Nearest, Percentile::Ps1];
                let asked = all.map(|rule| rule.of(col("x"), share, &format!("{rule:?}")));
                let found = df!("x" => values).unwrap().lazy().select(asked).collect().unwrap();
                let at = |rule: Percentile| {
                    let name = format!("{rule:?}");
                    found.column(&name).unwrap().get(0).unwrap().try_extract::<f64>().unwrap()
                };
                assert!((at(Percentile::Type7) - share * f64::from(n - 1)).abs() < 1e-6, "type 7 of {n} at {percent}");
                // In whole numbers, so that no rounding hides.
                let nearest = (percent * n).div_ceil(100).max(1) - 1;
                let ps1 = (percent * (n - 1)).div_ceil(100);
                assert!((at(Percentile::Nearest) - f64::from(nearest)).abs() < 0.5, "nearest of {n} at {percent}");
                assert!((at(Percentile::Ps1) - f64::from(ps1)).abs() < 0.5, "ps1 of {n} at {percent}");
            }
        }
    }
}
