//! How much later than its link's latency a packet comes.

use tg_model::link::Distribution;

use super::dice::Dice;
use super::shape::Shape;

/// What delays of a pair remember: the last draw from a standard normal distribution.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Delays {
    last: f64,
}

impl Delays {
    /// The delay of the next packet, in nanoseconds, never below 0.
    pub(super) fn next_ns(&mut self, dice: &mut Dice, shape: &Shape) -> u64 {
        let latency = u64::try_from(shape.latency.as_nanos()).unwrap_or(u64::MAX);
        let jitter = shape.jitter.as_nanos() as f64;
        if jitter <= 0.0 {
            return latency;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a jitter of 292 years is none")]
        let more = (jitter * self.unit(dice, shape)) as i64;
        latency.saturating_add_signed(more)
    }

    /// A draw from the link's distribution, for a jitter of 1.
    ///
    /// A normal draw that follows the one before (`z = ρ·z' + √(1 − ρ²)·g`, an AR(1) process) is turned into the
    /// wanted distribution by its own distribution function, so that a memory does not narrow the delays.
    fn unit(&mut self, dice: &mut Dice, shape: &Shape) -> f64 {
        let rho = shape.jitter_correlation;
        if shape.distribution == Distribution::Uniform && rho <= 0.0 {
            return dice.share().mul_add(2.0, -1.0);
        }
        self.last = rho.mul_add(self.last, (1.0 - rho * rho).max(0.0).sqrt() * normal(dice));
        let z = self.last;
        match shape.distribution {
            Distribution::Uniform => below(z).mul_add(2.0, -1.0),
            Distribution::Normal => z,
            // A Pareto distribution of shape 3 from 1 on has mean 3/2 and standard deviation √3/2.
            Distribution::Pareto => {
                let rest = (1.0 - below(z)).max(1e-6);
                (rest.powf(-1.0 / 3.0) - 1.5) / (3.0_f64.sqrt() / 2.0)
            }
        }
    }
}

/// Box and Muller.
fn normal(dice: &mut Dice) -> f64 {
    let (radius, angle) = (1.0 - dice.share(), dice.share());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The distribution function of the standard normal distribution, to 1e-7 (Abramowitz and Stegun, 7.1.26).
fn below(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / 0.327_591_1_f64.mul_add(x, 1.0);
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let sum = factors.iter().fold(0.0_f64, |sum, factor| sum.mul_add(t, *factor)) * t;
    let erf = sum.mul_add(-(-x * x).exp(), 1.0);
    if z < 0.0 { (1.0 - erf) / 2.0 } else { f64::midpoint(1.0, erf) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Mean and standard deviation in milliseconds, and the correlation of neighbours.
    fn measure(distribution: Distribution, rho: f64) -> (f64, f64, f64) {
        let shape = Shape {
            latency: Duration::from_secs(1),
            jitter: Duration::from_millis(100),
            distribution,
            jitter_correlation: rho,
            ..Shape::default()
        };
        let (mut dice, mut delays) = (Dice::new(3, 0, 1), Delays::default());
        let all: Vec<f64> = (0..200_000).map(|_| delays.next_ns(&mut dice, &shape) as f64 / 1e6).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        let together: f64 = all.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
        (mean, variance.sqrt(), together / all.len() as f64 / variance)
    }

    #[test]
    fn delays_have_the_mean_the_spread_and_the_memory_that_were_asked_for() {
        let near = |a: f64, b: f64, by: f64| (a - b).abs() < by;
        for rho in [0.0, 0.5] {
            // Standard errors of the mean are 0.13 to 0.4 ms.
            let (mean, spread, memory) = measure(Distribution::Uniform, rho);
            assert!(near(mean, 1000.0, 1.0) && near(spread, 100.0 / 3.0_f64.sqrt(), 1.0), "{mean} {spread}");
            // The rank correlation of a normal pair: 6/π·asin(ρ/2).
            let wanted = 6.0 / std::f64::consts::PI * (rho / 2.0_f64).asin();
            assert!(near(memory, wanted, 0.02), "{memory} {wanted}");
            let (mean, spread, memory) = measure(Distribution::Normal, rho);
            assert!(near(mean, 1000.0, 2.0) && near(spread, 100.0, 2.0) && near(memory, rho, 0.02), "{mean} {spread}");
            let (mean, spread, _) = measure(Distribution::Pareto, rho);
            // Its fourth moment is infinite, so the measured spread is rough.
            assert!(near(mean, 1000.0, 3.0) && near(spread, 100.0, 20.0), "{mean} {spread}");
        }
        let none = Shape { latency: Duration::from_millis(3), ..Shape::default() };
        assert_eq!(Delays::default().next_ns(&mut Dice::new(1, 0, 1), &none), 3_000_000);
    }
}
