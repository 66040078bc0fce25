//! What comparisons cost, how often they cry wolf, and what they see.
//!
//! ```text
//! cargo bench -p tg-analyze --bench compare -- bootstrap DIR   2 x 1 million values; bootstrap.py does the same from DIR
//! cargo bench -p tg-analyze --bench compare -- alarms [N M]    1,000 comparisons of sides of one kind, by repeats
//! cargo bench -p tg-analyze --bench compare -- power           how often stated effects are found, by repeats
//! ```
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, which prints and may stop")]

mod made;

use std::fs;
use std::path::Path;
use std::time::Instant;

use made::{Variance, normal, side};
use tg_analyze::compare::{CompareOptions, Sample, Statistic, Verdict, bootstrap, compare};
use tg_analyze::graph::random::Random;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["bootstrap", dir] => measure(Path::new(dir)),
        ["alarms"] => alarms(&[(1, 1), (2, 2), (3, 3), (5, 5), (10, 10), (10, 1), (10, 3)]),
        ["alarms", base, new] => alarms(&[(base.parse().unwrap(), new.parse().unwrap())]),
        ["power"] => power(),
        _ => println!("one of: bootstrap DIR, alarms, power"),
    }
}

const INSTANCES: usize = 1000;
const VALUES: usize = 1000;

fn measure(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let mut random = Random::new(7);
    let mut make = |name: &str, factor: f64| {
        let instances: Vec<Vec<f64>> = (0..INSTANCES)
            .map(|_| {
                let typical = factor * (0.3 * normal(&mut random)).exp();
                (0..VALUES).map(|_| typical * (0.5 * normal(&mut random)).exp()).collect()
            })
            .collect();
        let bytes: Vec<u8> = instances.iter().flatten().flat_map(|value: &f64| value.to_le_bytes()).collect();
        fs::write(dir.join(name), bytes).unwrap();
        Sample::new(vec![instances])
    };
    let (base, new) = (make("base.f64", 1.0), make("new.f64", 1.03));
    let statistics = [Statistic::Percentile(0.5), Statistic::Percentile(0.95)];
    for seed in 1..=3 {
        let began = Instant::now();
        let spreads = bootstrap(&base, &new, &statistics, 10_000, seed);
        let took = began.elapsed();
        println!("seed {seed}: {:.3} s", took.as_secs_f64());
        for (statistic, spread) in statistics.iter().zip(spreads) {
            let spread = spread.unwrap();
            println!("  {}: {:.6} to {:.6}", statistic.name(), spread.difference.low, spread.difference.high);
        }
    }
}

const CALM: Variance = Variance { runs: 0.05, instances: 0.2, values: 0.5, slow: 0.0 };
const ROUGH: Variance = Variance { runs: 0.15, instances: 0.3, values: 0.8, slow: 0.15 };

fn options(seed: u64, effect: f64) -> CompareOptions {
    CompareOptions { resamples: 1000, exchanges: 0, seed, effect, share_effect: effect, ..CompareOptions::default() }
}

/// Pairs of sides of the same kind; a false alarm is any verdict but same and unclear in any of the nine rows.
fn alarms(repeats: &[(u32, u32)]) {
    println!("variance  runs a side  effect  false alarms of 1,000  rows called same");
    for (name, variance) in [("calm", CALM), ("rough", ROUGH)] {
        for &(base, new) in repeats {
            // An effect of 0 takes away the protection that the smallest effect of interest gives.
            for effect in [0.05, 0.0] {
                let (mut found, mut same, mut rows) = (0, 0, 0);
                for pair in 0..1000 {
                    let mut random = Random::new(pair * 2_654_435_761);
                    let (ours, theirs) =
                        (side(&mut random, variance, base, 1.0), side(&mut random, variance, new, 1.0));
                    let comparison = compare(&ours, &theirs, &options(pair, effect));
                    rows += comparison.rows.len();
                    same += comparison.count(Verdict::Same);
                    let quiet = comparison.count(Verdict::Same) + comparison.count(Verdict::Unclear);
                    found += u32::from(quiet < comparison.rows.len());
                }
                let share = same as f64 / f64::from(u32::try_from(rows).unwrap()) * 100.0;
                println!("{name:8}  {base:2} and {new:2}   {effect:.2}    {found:4}                   {share:.1} %");
            }
        }
    }
}

/// Times of the new side are longer by the factor, in all four series.
fn power() {
    println!("variance  runs a side  true change  p50: worse  same  unclear   p95: worse  same  unclear");
    for (name, variance) in [("calm", CALM), ("rough", ROUGH)] {
        for repeats in [3, 5, 10] {
            for change in [0.0, 0.10, 0.20, 0.50] {
                let mut counts = [[0_u32; 3]; 2];
                const PAIRS: u64 = 200;
                for pair in 0..PAIRS {
                    let mut random = Random::new(pair * 40_503 + 11);
                    let base = side(&mut random, variance, repeats, 1.0);
                    let new = side(&mut random, variance, repeats, 1.0 + change);
                    let comparison = compare(&base, &new, &options(pair, 0.05));
                    for row in comparison.rows.iter().filter(|row| row.key.name == "a.duration_ns") {
                        let at = usize::from(row.statistic == Statistic::Percentile(0.95));
                        let verdict = match row.verdict {
                            Verdict::Worse => 0,
                            Verdict::Same => 1,
                            Verdict::Unclear => 2,
                            Verdict::Better | Verdict::Higher | Verdict::Lower => continue,
                        };
                        counts[at][verdict] += 1;
                    }
                }
                let share = |at: usize, verdict: usize| f64::from(counts[at][verdict]) / PAIRS as f64 * 100.0;
                println!(
                    "{name:8}  {repeats:2}           {:4.0} %       {:5.1} %   {:5.1} %  {:5.1} %       {:5.1} %   {:5.1} %  {:5.1} %",
                    change * 100.0,
                    share(0, 0),
                    share(0, 1),
                    share(0, 2),
                    share(1, 0),
                    share(1, 1),
                    share(1, 2)
                );
            }
        }
    }
}
