//! The wall clock, as the records want it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the epoch, UTC: the `ts` of every record.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
