//! Runs made from a seed: values vary within an instance, between instances of a run, and between runs.

use std::collections::BTreeMap;

use tg_analyze::compare::{Key, Origin, RunValues, Runs};
use tg_analyze::graph::random::Random;
use tg_analyze::report::{Direction, Unit};

/// How the runs of a side vary; deviations of logarithms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variance {
    pub(crate) runs: f64,
    pub(crate) instances: f64,
    pub(crate) values: f64,
    /// The share of runs that something slows by a quarter.
    pub(crate) slow: f64,
}

/// A standard normal number (G. Box and M. Muller, 1958).
pub(crate) fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

fn key(name: &str, better: Direction, unit: Unit) -> Key {
    Key {
        origin: Origin::Operation,
        name: name.to_owned(),
        group: "all".to_owned(),
        key_group: None,
        source: None,
        is_share: better == Direction::Higher,
        unit,
        better: Some(better),
    }
}

/// One run: four series of times and one of successes, all of whose runs share half of their variance; a family of
/// nine tests. Times are `factor` times as long.
fn run(random: &mut Random, variance: Variance, instances: u32, values: u32, factor: f64) -> RunValues {
    let mut found = RunValues::new();
    let slow = if random.unit() < variance.slow { 1.25 } else { 1.0 };
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let shared = normal(random);
    for (name, typical) in
        [("a.duration_ns", 1e8), ("b.duration_ns", 2e8), ("c.first_result_ns", 5e7), ("d.requests", 9.0)]
    {
        let of_run = variance.runs * half * (shared + normal(random));
        let mut by_instance = BTreeMap::new();
        for instance in 0..instances {
            let of_instance = of_run + variance.instances * normal(random);
            let mut draw = || typical * factor * slow * (of_instance + variance.values * normal(random)).exp();
            // Requests are whole numbers: ties are the rule.
            let draw = || if typical < 100.0 { draw().round() } else { draw() };
            by_instance.insert(instance, std::iter::repeat_with(draw).take(values as usize).collect());
        }
        found.insert(key(name, Direction::Lower, Unit::Nanos), by_instance);
    }
    let odds = 3.0 + 4.0 * variance.runs * normal(random);
    let mut by_instance = BTreeMap::new();
    for instance in 0..instances {
        let share = 1.0 / (1.0 + (-(odds + normal(random) * 0.5)).exp());
        let ones = std::iter::repeat_with(|| f64::from(u8::from(random.unit() < share)));
        by_instance.insert(instance, ones.take(values as usize).collect());
    }
    found.insert(key("a.success", Direction::Higher, Unit::Ratio), by_instance);
    found
}

/// The repeats of one side.
pub(crate) fn side(random: &mut Random, variance: Variance, repeats: u32, factor: f64) -> Runs {
    let values = (0..repeats).map(|_| run(random, variance, 10, 20, factor)).collect();
    Runs { values, ..Runs::default() }
}
