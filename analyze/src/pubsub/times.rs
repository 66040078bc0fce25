//! Rules of times that belong to pubsub alone.

/// The shares of the receivers whose times are told of each message.
pub const SPREAD: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 1.0];

/// The time until a share of those who got a message had it: of n ascending times, the one at rank ⌈share·n⌉, from 1.
/// Nothing for no times.
///
/// This is the nearest rank, type 1 of R. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996: a time at
/// which really somebody got it.
///
/// ```
/// use tg_analyze::pubsub::nearest_rank;
/// assert_eq!(nearest_rank(&[10, 20, 40], 0.5), Some(20));
/// assert_eq!(nearest_rank(&[10, 20, 40], 1.0), Some(40));
/// assert_eq!(nearest_rank(&[], 0.5), None);
/// ```
pub fn nearest_rank(sorted: &[i64], share: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Nanoseconds as whole milliseconds, half a millisecond downwards: as `tracestat` of go-libp2p-pubsub-tracer rounds
/// delays before it counts them.
///
/// ```
/// use tg_analyze::pubsub::whole_ms;
/// assert_eq!([500_000, 500_001, 1_500_000, 0, -1_000_000].map(whole_ms), [0, 1, 1, 0, -1]);
/// ```
pub fn whole_ms(ns: i64) -> i64 {
    ns.saturating_add(499_999).div_euclid(1_000_000)
}
