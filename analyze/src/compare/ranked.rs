//! Percentiles of a sample whose clusters are taken some number of times each, without making the sample.

/// Entries of the table of counts at most: 16 MiB of it stay in the caches near the ranks that are asked for.
const ENTRIES: usize = 4 << 20;
/// No block is shorter: walking a block costs what a look into the table costs.
const SHORTEST: usize = 64;

/// The values of all clusters in order, with the cluster of each, and how many values of each cluster lie before every
/// block of them.
///
/// A resample of clusters is a list of weights, how often each cluster was drawn. The value of rank `r` in the resample
/// lies in the last block before which the weighted counts do not exceed `r`; within the block the weights of the
/// values are added one by one. A percentile so costs about `k·c + s` steps for `c` clusters, `s` values in a block
/// and `k` looks into the table, three as a rule and never more than the logarithm of the number of blocks, where the
/// resample itself has as many values as the sample.
#[derive(Debug)]
pub(super) struct Ranked {
    values: Vec<f64>,
    clusters: Vec<u32>,
    sizes: Vec<u32>,
    block: usize,
    /// Row `b` holds for each cluster how many of its values lie before block `b`; the last row holds the sizes.
    before: Vec<u32>,
}

impl Ranked {
    /// Of the values of each cluster, which are finite.
    pub(super) fn new<'a>(clusters: impl Iterator<Item = &'a [f64]>) -> Self {
        let mut pairs: Vec<(f64, u32)> = Vec::new();
        let mut sizes = Vec::new();
        for (cluster, values) in (0_u32..).zip(clusters) {
            pairs.extend(values.iter().map(|&value| (value, cluster)));
            sizes.push(u32::try_from(values.len()).unwrap_or(u32::MAX));
        }
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let block = (pairs.len() * sizes.len().max(1)).div_ceil(ENTRIES).max(SHORTEST);
        let mut counts = vec![0_u32; sizes.len()];
        let mut before = Vec::with_capacity((pairs.len().div_ceil(block) + 1) * sizes.len());
        for chunk in pairs.chunks(block) {
            before.extend_from_slice(&counts);
            for &(_, cluster) in chunk {
                counts[cluster as usize] += 1;
            }
        }
        before.extend_from_slice(&counts);
        let (values, clusters) = pairs.into_iter().unzip();
        Self { values, clusters, sizes, block, before }
    }

    /// The percentiles (type 7) at ascending or any other shares, of each cluster taken as often as its weight says;
    /// NaN where that is no value at all.
    pub(super) fn percentiles(&self, weights: &[u32], shares: &[f64], out: &mut [f64]) {
        let total = dot(weights, &self.sizes);
        for (share, out) in shares.iter().zip(out) {
            *out = if total == 0 { f64::NAN } else { self.percentile(weights, total, *share) };
        }
    }

    fn percentile(&self, weights: &[u32], total: u64, share: f64) -> f64 {
        let exact = share.clamp(0.0, 1.0) * (total - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last rank")]
        let rank = exact.floor() as u64;
        let (at, passed) = self.find(weights, total, rank);
        let low = self.values[at];
        let fraction = exact - rank as f64;
        if fraction == 0.0 || passed > rank + 1 || rank + 1 >= total {
            return low;
        }
        let next = (at + 1..self.values.len()).find(|&next| weights[self.clusters[next] as usize] > 0);
        next.map_or(low, |next| low + (self.values[next] - low) * fraction)
    }

    /// Where the value of a rank stands, and how many values of the resample stand there or before.
    fn find(&self, weights: &[u32], total: u64, rank: u64) -> (usize, u64) {
        let blocks = self.values.len().div_ceil(self.block);
        // Before block `low` there are at most `rank` values, before block `high` more.
        let (mut low, mut under, mut high, mut over) = (0, 0, blocks, total);
        let mut look = 0;
        while high - low > 1 {
            // Where the rank stands if the values lie evenly between; every third time the middle, lest a step be tiny.
            let ahead = (rank - under) as f64 / (over - under) as f64 * (high - low) as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the blocks")]
            let guess = if look % 3 == 2 { usize::midpoint(low, high) } else { low + ahead.round() as usize };
            let guess = guess.clamp(low + 1, high - 1);
            let row = &self.before[guess * self.sizes.len()..(guess + 1) * self.sizes.len()];
            let count = dot(weights, row);
            if count <= rank {
                (low, under) = (guess, count);
            } else {
                (high, over) = (guess, count);
            }
            look += 1;
        }
        let first = low * self.block;
        let mut passed = under;
        for (at, &cluster) in self.clusters.iter().enumerate().skip(first) {
            passed += u64::from(weights[cluster as usize]);
            if passed > rank {
                return (at, passed);
            }
        }
        (self.values.len() - 1, passed)
    }
}

fn dot(weights: &[u32], counts: &[u32]) -> u64 {
    weights.iter().zip(counts).map(|(&weight, &count)| u64::from(weight) * u64::from(count)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::percentile;

    fn by_hand(clusters: &[Vec<f64>], weights: &[u32], share: f64) -> Option<f64> {
        let mut values: Vec<f64> = clusters
            .iter()
            .zip(weights)
            .flat_map(|(values, &weight)| std::iter::repeat_n(values, weight as usize).flatten().copied())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        percentile(&values, share)
    }

    proptest! {
        #[test]
        fn a_weighted_percentile_is_that_of_the_resample(
            clusters in prop::collection::vec((prop::collection::vec(-50_i32..50, 0..90), 0_u32..4), 1..9),
            share in 0.0_f64..=1.0,
        ) {
            let weights: Vec<u32> = clusters.iter().map(|one| one.1).collect();
            let values: Vec<Vec<f64>> =
                clusters.iter().map(|one| one.0.iter().map(|&v| f64::from(v) / 4.0).collect()).collect();
            let ranked = Ranked::new(values.iter().map(Vec::as_slice));
            let mut found = [0.0; 3];
            let shares = [share, 0.5, 1.0];
            ranked.percentiles(&weights, &shares, &mut found);
            for (found, share) in found.into_iter().zip(shares) {
                match by_hand(&values, &weights, share) {
                    None => prop_assert!(found.is_nan()),
                    Some(wanted) => prop_assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}"),
                }
            }
        }
    }
}
