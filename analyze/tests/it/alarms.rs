//! How often comparisons cry wolf: sides of the same kind, whose runs vary as real ones do.

use std::collections::BTreeMap;

use tg_analyze::compare::{CompareOptions, Key, Origin, RunValues, Runs, Verdict, compare};
use tg_analyze::graph::random::Random;
use tg_analyze::report::{Direction, Unit};

fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

/// Two series of times whose runs differ by a tenth and whose instances by a fifth, one of them in whole numbers, and
/// successes: a family of five.
fn run(random: &mut Random, factor: f64) -> RunValues {
    let mut found = RunValues::new();
    for (name, typical, better) in
        [("a", 1e8, Direction::Lower), ("b", 9.0, Direction::Lower), ("ok", 0.0, Direction::Higher)]
    {
        let key = Key {
            origin: Origin::Operation,
            name: name.to_owned(),
            group: "g".to_owned(),
            key_group: None,
            source: None,
            is_share: better == Direction::Higher,
            unit: Unit::None,
            better: Some(better),
        };
        let of_run = 0.1 * normal(random);
        let mut instances = BTreeMap::new();
        for instance in 0..3 {
            let level = of_run + 0.2 * normal(random);
            let mut draw = || match better {
                Direction::Higher => f64::from(u8::from(random.unit() < 0.9 + level / 5.0)),
                Direction::Lower => (typical * factor * (level + 0.5 * normal(random)).exp()).round(),
            };
            instances.insert(instance, (0..4).map(|_| draw()).collect());
        }
        found.insert(key, instances);
    }
    found
}

fn side(random: &mut Random, repeats: u32, factor: f64) -> Runs {
    Runs { values: (0..repeats).map(|_| run(random, factor)).collect(), ..Runs::default() }
}

/// How many of the pairs have any row that is neither same nor unclear, and how many a row that is worse.
fn alarms(pairs: u64, repeats: u32, factor: f64, effect: f64) -> (u32, u32) {
    let (mut any, mut worse) = (0, 0);
    for pair in 0..pairs {
        let mut random = Random::new(pair * 7919);
        let (base, new) = (side(&mut random, repeats, 1.0), side(&mut random, repeats, factor));
        let options = CompareOptions {
            resamples: 60,
            exchanges: 0,
            seed: pair,
            effect,
            share_effect: effect,
            ..CompareOptions::default()
        };
        let found = compare(&base, &new, &options);
        assert_eq!(found.rows.len(), 5);
        any += u32::from(found.count(Verdict::Same) + found.count(Verdict::Unclear) < found.rows.len());
        worse += u32::from(found.count(Verdict::Worse) > 0);
    }
    (any, worse)
}

#[test]
fn a_thousand_sides_of_the_same_kind_raise_at_most_fifty_alarms() {
    // No smallest effect of interest: nothing but the correction keeps alarms down.
    let (any, _) = alarms(1000, 3, 1.0, 0.0);
    assert!(any <= 50, "{any} false alarms of 1000");
}

#[test]
fn what_takes_twice_as_long_is_found() {
    let (_, worse) = alarms(60, 6, 2.0, 0.05);
    assert!(worse >= 54, "{worse} of 60 found");
}
