//! The distribution of some values in a few numbers.

/// Mean, deviation and percentiles of finite values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The standard deviation of the sample; absent for one value.
    pub sd: Option<f64>,
    /// The least.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// Of values that are all finite; nothing for no values.
    ///
    /// ```
    /// use tg_analyze::Summary;
    /// let tens = Summary::of((1..=10).map(|i| f64::from(10 * i)).collect()).unwrap();
    /// assert_eq!((tens.mean, tens.p50, tens.max), (55.0, 55.0, 100.0));
    /// assert!((tens.p95 - 95.5).abs() < 1e-9);
    /// assert!((tens.sd.unwrap() - 30.276504).abs() < 1e-6);
    /// assert_eq!(Summary::of(vec![]), None);
    /// ```
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let at = |share| percentile(&values, share).unwrap_or(max);
        Some(Self { n, mean, sd, min, p50: at(0.5), p95: at(0.95), p99: at(0.99), max })
    }
}

/// The percentile of ascending values by linear interpolation between ranks (type 7 of R. Hyndman and Y. Fan, "Sample
/// quantiles in statistical packages", 1996); nothing for no values.
///
/// ```
/// use tg_analyze::percentile;
/// assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.5));
/// assert_eq!(percentile(&[7.0], 0.95), Some(7.0));
/// ```
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = share.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    let low = rank.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (rank - low as f64))
}
