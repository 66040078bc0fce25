//! How many hops a lookup should take.

/// Network sizes of the simulated means, as log2.
const SIZES_LOG2: [f64; 4] = [7.0, 9.0, 11.0, 13.0];

/// Bucket size, and the mean hops at each of the sizes.
const MEAN_HOPS: [(u32, [f64; 4]); 4] = [
    (1, [3.37, 4.53, 5.52, 6.38]),
    (3, [2.19, 2.92, 3.56, 4.10]),
    (8, [1.74, 2.14, 2.65, 3.08]),
    (20, [1.44, 1.79, 2.15, 2.47]),
];

/// How far the simulated means may be off: 400 lookups each.
pub const HOPS_BAND: f64 = 0.1;

/// The mean hops of a greedy lookup on a single path through perfect tables with random buckets of size `k`, among `n`
/// servers.
///
/// Routing time is c·ln n (X. S. Cai, L. Devroye, "A probabilistic analysis of Kademlia networks", arXiv:1309.5866),
/// and c falls with k. The means are simulated for n = 128, 512, 2048, 8192 and k = 1, 3, 8, 20, ±[`HOPS_BAND`];
/// between them they are interpolated in log2 n and log2 k. There is none outside of them, and none is guessed.
///
/// ```
/// use tg_analyze::score::expected_hops;
/// assert_eq!(expected_hops(512, 20), Some(1.79));
/// assert!((expected_hops(1024, 3).unwrap() - (2.92 + 3.56) / 2.0).abs() < 1e-12);
/// assert_eq!(expected_hops(44, 20), None);
/// ```
pub fn expected_hops(n: u64, k: u32) -> Option<f64> {
    let size = (n as f64).log2();
    let below = MEAN_HOPS.iter().rposition(|row| row.0 <= k)?;
    let row = |at: usize| MEAN_HOPS.get(at).and_then(|row| interpolate(&SIZES_LOG2, &row.1, size));
    let one = row(below)?;
    if MEAN_HOPS[below].0 == k {
        return Some(one);
    }
    let (low, high) = (f64::from(MEAN_HOPS[below].0).log2(), f64::from(MEAN_HOPS.get(below + 1)?.0).log2());
    let other = row(below + 1)?;
    Some(one + (other - one) * (f64::from(k).log2() - low) / (high - low))
}

fn interpolate(xs: &[f64], ys: &[f64], x: f64) -> Option<f64> {
    let at = xs.windows(2).position(|pair| pair[0] <= x && x <= pair[1])?;
    let share = (x - xs[at]) / (xs[at + 1] - xs[at]);
    Some(ys[at] + (ys[at + 1] - ys[at]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_means_and_what_lies_between() {
        for (k, means) in MEAN_HOPS {
            for (n, mean) in [128, 512, 2048, 8192].into_iter().zip(means) {
                assert_eq!(expected_hops(n, k), Some(mean));
            }
        }
        let between = expected_hops(128, 5).unwrap();
        assert!(1.74 < between && between < 2.19, "{between}");
        assert_eq!((expected_hops(10_000, 20), expected_hops(512, 21), expected_hops(0, 3)), (None, None, None));
    }
}
