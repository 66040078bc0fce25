//! Tables of what was delivered, when, and over how many hops.

use std::collections::BTreeMap;

use super::{Part, Totals, nanos, number, ratio, share};
use crate::pubsub::times::{SPREAD, whole_ms};
use crate::pubsub::{Pubsub, TopicMesh};
use crate::report::{Cell, Column, Table};
use crate::summary::{Summary, percentile};

/// The columns that topics and groups share, after their own first one.
fn columns(first: &str) -> Vec<Column> {
    vec![
        Column::new(first, first),
        Column::new("routers", "routers"),
        Column::new("published", "published"),
        Column::new("expected", "expected"),
        Column::new("delivered", "delivered"),
        Column::new("delivery_ratio", "ratio"),
        Column::when_used("deadline_misses", "late or missed"),
        Column::new("latency_p50_ns", "p50"),
        Column::new("latency_p95_ns", "p95"),
        Column::new("latency_p99_ns", "p99"),
        Column::new("latency_max_ns", "max"),
        Column::new("hops_mean", "hops"),
        Column::new("duplicates_per_delivery", "duplicates each"),
        Column::new("by_mesh_ratio", "by mesh"),
        Column::when_used("others", "not subscribed"),
        Column::hidden("duplicates"),
    ]
}

fn row(name: &str, routers: u64, sums: &Totals, known: bool) -> Vec<Cell> {
    vec![
        name.into(),
        routers.into(),
        sums.published.into(),
        sums.expected.into(),
        sums.delivered.into(),
        ratio(sums.delivery_ratio()),
        sums.late().into(),
        sums.latency(0.5),
        sums.latency(0.95),
        sums.latency(0.99),
        sums.latency(1.0),
        number(sums.mean_hops()),
        number(sums.duplicates_per_delivery()),
        ratio(share(sums.by_mesh, sums.by_mesh_known)),
        sums.others.into(),
        known.then_some(sums.duplicates).into(),
    ]
}

/// One row for each topic that anybody was subscribed to or published in.
pub(super) fn topics(pubsub: &Pubsub) -> Table {
    let mut table = Table::new("topics", "By topic", columns("topic"));
    "no topic is on record".clone_into(&mut table.empty);
    let known = pubsub.routers.iter().any(|router| router.whole);
    let mut order: Vec<(u32, &String, &TopicMesh)> =
        (0..).zip(&pubsub.topics).zip(&pubsub.mesh.topics).map(|((at, name), mesh)| (at, name, mesh)).collect();
    order.sort_by_key(|&(_, name, _)| name);
    for (at, name, mesh) in order {
        let sums = Totals::part(pubsub, Part::Topic(at));
        if pubsub.options.topic.as_ref().is_none_or(|only| only == name) {
            table.rows.push(row(name, mesh.subscribers, &sums, known));
        }
    }
    table
}

/// One row for each group of receivers.
pub(super) fn groups(pubsub: &Pubsub) -> Table {
    let mut table = Table::new("groups", "By group of the receivers", columns("group"));
    "no router is on record".clone_into(&mut table.empty);
    let mut groups: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for router in &pubsub.routers {
        let (routers, known) = groups.entry(&router.group).or_default();
        (*routers, *known) = (*routers + 1, *known || router.whole);
    }
    for (group, (routers, known)) in groups {
        let sums = Totals::part(pubsub, Part::Group(group));
        table.rows.push(row(group, routers, &sums, known));
    }
    table
}

/// The distribution of the latencies of all expected deliveries.
pub(super) fn latency(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("share_ratio", "share of the deliveries"),
        Column::new("latency_ns", "within"),
        Column::new("expected_ratio", "of the expected"),
    ];
    let mut table = Table::new("latency", "Latency, publish to first delivery", columns);
    "no delivery has a latency".clone_into(&mut table.empty);
    let sums = Totals::of(pubsub);
    if sums.latencies_ns.is_empty() {
        return table;
    }
    for share in [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0] {
        let of_expected = sums.delivery_ratio().map(|delivered| share * delivered);
        table.rows.push(vec![Cell::ratio(share), sums.latency(share), ratio(of_expected)]);
    }
    table
}

/// How long messages took to reach shares of those that got them.
pub(super) fn spread(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("share_ratio", "time until of the receivers"),
        Column::new("messages", "messages"),
        Column::new("mean_ns", "mean"),
        Column::new("min_ns", "min"),
        Column::new("p50_ns", "p50"),
        Column::new("p95_ns", "p95"),
        Column::new("max_ns", "max"),
    ];
    let mut table = Table::new("spread", "Spread of a message, over all messages", columns);
    "no message was delivered".clone_into(&mut table.empty);
    let times: Vec<[i64; 5]> = pubsub.messages.all.iter().filter_map(|message| message.spread_ns).collect();
    for (at, share) in SPREAD.into_iter().enumerate() {
        let Some(summary) = Summary::of(times.iter().map(|times| times[at] as f64).collect()) else { continue };
        let mut row = vec![Cell::ratio(share), summary.n.into()];
        row.extend([summary.mean, summary.min, summary.p50, summary.p95, summary.max].map(|ns| nanos(Some(ns))));
        table.rows.push(row);
    }
    table
}

/// Deliveries by the hops that the message went.
pub(super) fn hops(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("hops", "hops"),
        Column::new("deliveries", "deliveries"),
        Column::new("ratio", "share"),
        Column::new("latency_p50_ns", "p50"),
        Column::new("latency_p95_ns", "p95"),
    ];
    let mut table = Table::new("hops", "Hops from the publisher", columns);
    "no path leads to a publisher".clone_into(&mut table.empty);
    let mut by: BTreeMap<(bool, u32), (u64, Vec<f64>)> = BTreeMap::new();
    for delivery in &pubsub.messages.deliveries {
        // Those that do not follow come last.
        let (n, times) = by.entry((delivery.hops.is_none(), delivery.hops.unwrap_or(0))).or_default();
        *n += 1;
        times.extend(delivery.latency_ns.filter(|_| delivery.expected).map(|ns| ns as f64));
    }
    if by.keys().all(|&(unknown, _)| unknown) {
        return table;
    }
    let all = pubsub.messages.deliveries.len() as u64;
    for ((unknown, hops), (n, mut times)) in by {
        times.sort_unstable_by(f64::total_cmp);
        table.rows.push(vec![
            (!unknown).then_some(hops).into(),
            n.into(),
            ratio(share(n, all)),
            nanos(percentile(&times, 0.5)),
            nanos(percentile(&times, 0.95)),
        ]);
    }
    table
}

/// Whole milliseconds and how many expected deliveries took no longer.
pub(super) fn cdf(pubsub: &Pubsub) -> Table {
    let columns = ["latency_ms", "deliveries", "ratio"].map(Column::hidden).to_vec();
    let mut table = Table::new("cdf", "Deliveries by latency", columns);
    "no delivery has a latency".clone_into(&mut table.empty);
    let mut by: BTreeMap<i64, u64> = BTreeMap::new();
    let expected = pubsub.messages.deliveries.iter().filter(|delivery| delivery.expected);
    for ns in expected.filter_map(|delivery| delivery.latency_ns) {
        *by.entry(whole_ms(ns)).or_default() += 1;
    }
    let (all, mut so_far) = (by.values().sum(), 0);
    for (ms, n) in by {
        so_far += n;
        table.rows.push(vec![Cell::number(ms as f64), so_far.into(), ratio(share(so_far, all))]);
    }
    table
}
