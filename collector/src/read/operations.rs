//! Which metrics of the DHT plan tell of an operation, and what.

use super::At;
use super::facts::Facts;
use super::metrics::Name;
use crate::dataset::asked::{Fact, QUALITY};
use crate::dataset::lookups::StepRow;
use crate::dataset::segment::Segment;

/// The operations that metrics tell of.
pub(crate) const MEASURED: [&str; 6] = ["find_peer", "get_closest_peers", "provide", "find_providers", "put", "get"];

/// Operation, fact, and the status where the name says it.
fn fact(base: &str) -> Option<(&'static str, Fact, Option<&'static str>)> {
    Some(match base {
        "time-to-peer" => ("find_peer", Fact::Duration, Some("done")),
        "time-to-failed-peer" => ("find_peer", Fact::Duration, Some("fail")),
        "time-to-gcp" => ("get_closest_peers", Fact::Duration, Some("done")),
        "gcp-peers-found" => ("get_closest_peers", Fact::Found, Some("done")),
        "time-to-provide" => ("provide", Fact::Duration, Some("done")),
        "time-to-find-first" => ("find_providers", Fact::First, None),
        "time-to-find-last" => ("find_providers", Fact::Last, None),
        "time-to-find" => ("find_providers", Fact::Duration, None),
        "peers-found" => ("find_providers", Fact::Found, None),
        "peers-missing" => ("find_providers", Fact::Missing, None),
        "time-to-put" => ("put", Fact::Duration, Some("done")),
        "time-to-failed-put" => ("put", Fact::Duration, Some("fail")),
        "time-to-get-first" => ("get", Fact::First, None),
        "time-to-get-last" => ("get", Fact::Last, None),
        "time-to-get" => ("get", Fact::Duration, None),
        _ => return None,
    })
}

/// Remembers what a metric says of an operation, beside the row that it has as a metric.
pub(crate) fn tell(segment: &mut Segment, facts: &mut Facts, at: At, ts: i64, name: &Name<'_>, value: f64) {
    let Some((op, fact, status)) = fact(&name.base) else { return };
    let tag = |key: &str| name.tags.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_ref());
    // Times are of use only with their place among the plan's operations.
    let Some(index) = tag("index") else { return };
    let (key_group, status) = (tag("key_group"), status.or_else(|| tag("status")));
    if !value.is_finite() || value.abs() > 9e18 {
        return;
    }
    if let Some(at) = MEASURED.iter().position(|measured| *measured == op) {
        facts.measures |= 1 << at;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it was checked to be in range")]
    let value = value.round() as i64;
    StepRow {
        quality: QUALITY,
        key: &format!("{op} {} {index}", key_group.unwrap_or_default()),
        ts,
        kind: fact.word(),
        rtt_ns: Some(value),
        op: Some(op),
        key_group,
        round: index.parse().ok(),
        status,
        ..StepRow::default()
    }
    .put(segment, at);
}
