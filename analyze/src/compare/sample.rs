//! What one side of a comparison measured: runs of instances of values.

use super::ranked::Ranked;
use crate::graph::random::Random;

/// The values of one series on one side. Values of one instance depend on one another, and so do instances of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// By run, by instance: the values, all finite. Instances without a value are left out, and so are runs.
    pub runs: Vec<Vec<Vec<f64>>>,
}

impl Sample {
    /// Of the runs that have any value.
    pub fn new(runs: Vec<Vec<Vec<f64>>>) -> Self {
        let full = |run: Vec<Vec<f64>>| -> Vec<Vec<f64>> { run.into_iter().filter(|one| !one.is_empty()).collect() };
        Self { runs: runs.into_iter().map(full).filter(|run| !run.is_empty()).collect() }
    }

    /// How many values.
    pub fn values(&self) -> usize {
        self.instances().map(<[f64]>::len).sum()
    }

    /// The values of each instance, run by run.
    pub(super) fn instances(&self) -> impl Iterator<Item = &[f64]> {
        self.runs.iter().flatten().map(Vec::as_slice)
    }

    /// All values, ascending.
    pub(super) fn sorted(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.instances().flatten().copied().collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// How many instances each run has.
    pub(super) fn shape(&self) -> Vec<u32> {
        self.runs.iter().map(|run| u32::try_from(run.len()).unwrap_or(u32::MAX)).collect()
    }
}

/// What is compared of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// A percentile of all values (type 7), by its share of 1.
    Percentile(f64),
    /// The share of ones among values that are 0 or 1.
    Share,
}

impl Statistic {
    /// The word for it: `p50`, `share`.
    pub fn name(self) -> String {
        match self {
            Self::Percentile(share) => format!("p{}", (share * 1e6).round() / 1e4),
            Self::Share => "share".to_owned(),
        }
    }

    /// Of some clusters of values, each taken once.
    pub(super) fn of<'a>(self, clusters: impl Iterator<Item = &'a [f64]>) -> f64 {
        match self {
            Self::Percentile(share) => {
                let mut values: Vec<f64> = clusters.flatten().copied().collect();
                values.sort_unstable_by(f64::total_cmp);
                crate::percentile(&values, share).unwrap_or(f64::NAN)
            }
            Self::Share => {
                let (sum, n) = clusters.flatten().fold((0.0, 0_u64), |(sum, n), value| (sum + value, n + 1));
                sum / n as f64
            }
        }
    }
}

/// Statistics of one sample for any weights of its instances.
#[derive(Debug)]
pub(super) enum Weighed {
    /// Percentiles at these shares.
    Ranked(Ranked, Vec<f64>),
    /// By instance, the ones and the values.
    Share(Vec<(f64, f64)>),
}

impl Weighed {
    /// Prepares the statistics, which are all percentiles or the one share.
    pub(super) fn new<'a>(statistics: &[Statistic], instances: impl Iterator<Item = &'a [f64]>) -> Self {
        let shares: Vec<f64> = statistics
            .iter()
            .filter_map(|one| match one {
                Statistic::Percentile(share) => Some(*share),
                Statistic::Share => None,
            })
            .collect();
        if shares.is_empty() {
            return Self::Share(instances.map(|values| (values.iter().sum(), values.len() as f64)).collect());
        }
        Self::Ranked(Ranked::new(instances), shares)
    }

    /// How many statistics.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ranked(_, shares) => shares.len(),
            Self::Share(_) => 1,
        }
    }

    /// The statistics for these weights.
    pub(super) fn at(&self, weights: &[u32], out: &mut [f64]) {
        match self {
            Self::Ranked(ranked, shares) => ranked.percentiles(weights, shares, out),
            Self::Share(parts) => {
                let (mut ones, mut n) = (0.0, 0.0);
                for (part, &weight) in parts.iter().zip(weights) {
                    ones += part.0 * f64::from(weight);
                    n += part.1 * f64::from(weight);
                }
                out[0] = ones / n;
            }
        }
    }
}

/// Draws runs with replacement, then from each run drawn as many of its instances as it has; `shape` says how many
/// that are, and `weights` becomes how often each instance was drawn. Of a single run the instances are drawn.
pub(super) fn draw(shape: &[u32], starts: &[u32], random: &mut Random, weights: &mut [u32]) {
    weights.fill(0);
    let runs = u32::try_from(shape.len()).unwrap_or(u32::MAX);
    for _ in 0..runs {
        let run = if runs == 1 { 0 } else { random.below(runs) as usize };
        let first = starts[run] as usize;
        let ours = &mut weights[first..first + shape[run] as usize];
        for _ in 0..shape[run] {
            ours[random.below(shape[run]) as usize] += 1;
        }
    }
}

/// Where the instances of each run begin.
pub(super) fn starts(shape: &[u32]) -> Vec<u32> {
    shape
        .iter()
        .scan(0, |next, &n| {
            let start = *next;
            *next += n;
            Some(start)
        })
        .collect()
}
