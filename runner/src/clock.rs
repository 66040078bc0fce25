//! Time of a run: the wall clock is read once, and a steady clock counts from there.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the epoch that never go backwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    wall_ns: u64,
    from: Instant,
}

/// A duration in nanoseconds, cut off at what fits.
pub(crate) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_ns: ns(wall), from: Instant::now() }
    }

    pub(crate) fn started_ns(self) -> u64 {
        self.wall_ns
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.from.elapsed()
    }

    pub(crate) fn now_ns(self) -> u64 {
        self.wall_ns.saturating_add(ns(self.elapsed()))
    }
}
