//! Metrics: seven types, in the lines that Testground's SDKs write, so that one reader serves all.
//!
//! Points are written at once. The other types gather values, and their line is written each second (results) or
//! every five seconds (diagnostics) if anything changed, and at the end in any case. Such a line tells about
//! everything since the start of the instance, so the last line of a metric is the one that counts. (Counters of the
//! Go SDK start from 0 again with each line; ours do not.)
//!
//! Tags ride in the name: `rtt_ns,region=eu`. A name ends in its unit, such as `_ns` or `_bytes`.

mod handles;
mod measure;
mod registry;

pub use handles::{Counter, Ewma, Gauge, Histogram, Meter, Timer};
pub(crate) use registry::Both;
pub use registry::Metrics;
