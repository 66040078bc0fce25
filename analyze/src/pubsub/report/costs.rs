//! Tables of meshes and of what RPCs held.

use std::collections::BTreeMap;

use super::{nanos, number, ratio, seconds, share, sums};
use crate::pubsub::Pubsub;
use crate::pubsub::control::{Held, Sums};
use crate::report::{Cell, Column, Table};
use crate::summary::{Summary, percentile};

/// The mesh of each topic.
pub(super) fn mesh(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("topic", "topic"),
        Column::new("subscribers", "routers"),
        Column::new("degree_mean", "degree"),
        Column::new("low_ratio", "time below"),
        Column::new("high_ratio", "time above"),
        Column::new("degree_min", "min"),
        Column::new("degree_p50", "p50"),
        Column::new("degree_max", "max"),
        Column::new("parts", "parts"),
        Column::new("one_sided_ratio", "one-sided"),
        Column::new("grafts", "grafts"),
        Column::new("prunes", "prunes"),
        Column::new("changes_per_minute", "changes a minute"),
        Column::new("lifetime_p50_ns", "place lasts p50"),
        Column::new("open", "to the end"),
    ];
    let title = format!(
        "Meshes: degree over time, time outside of {} to {}, and as they stood at the last publish",
        pubsub.options.degree_low, pubsub.options.degree_high
    );
    let mut table = Table::new("mesh", &title, columns);
    "no graft is on record: nobody knows the meshes".clone_into(&mut table.empty);
    if !pubsub.mesh.is_known() {
        return table;
    }
    let mut order: Vec<_> = pubsub.topics.iter().zip(&pubsub.mesh.topics).collect();
    order.retain(|(_, mesh)| mesh.subscribers > 0);
    order.sort_by_key(|&(name, _)| name);
    for (name, mesh) in order {
        let standing = mesh.standing.as_ref();
        let degrees = standing.and_then(|s| Summary::of(s.degrees.iter().map(|&degree| f64::from(degree)).collect()));
        let lifetimes: Vec<f64> = mesh.lifetimes_ns.iter().map(|&ns| ns as f64).collect();
        table.rows.push(vec![
            name.as_str().into(),
            mesh.subscribers.into(),
            number(mesh.mean_degree),
            ratio(mesh.low_ratio),
            ratio(mesh.high_ratio),
            number(degrees.map(|d| d.min)),
            number(degrees.map(|d| d.p50)),
            number(degrees.map(|d| d.max)),
            standing.map(|standing| standing.parts).into(),
            ratio(standing.and_then(|standing| share(standing.one_sided.0, standing.one_sided.1))),
            mesh.grafts.into(),
            mesh.prunes.into(),
            number(mesh.changes_per_minute()),
            nanos(percentile(&lifetimes, 0.5)),
            mesh.open.into(),
        ]);
    }
    table
}

/// The meshes of all topics over time.
pub(super) fn course(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("t_rel_ns", "from"),
        Column::new("degree_mean", "degree"),
        Column::new("degree_min", "min at its end"),
        Column::new("degree_max", "max"),
        Column::new("grafts", "grafts"),
        Column::new("prunes", "prunes"),
    ];
    let mut table = Table::new("mesh_course", "Meshes over time, from the first line of a trace", columns);
    "no graft is on record: nobody knows the meshes".clone_into(&mut table.empty);
    let first = pubsub.span_ns.map_or(0, |(first, _)| first);
    for slice in &pubsub.mesh.course {
        table.rows.push(vec![
            Cell::nanos(slice.from_ns.saturating_sub(first)),
            number(slice.mean_degree),
            slice.extremes.map(|(least, _)| least).into(),
            slice.extremes.map(|(_, most)| most).into(),
            slice.grafts.into(),
            slice.prunes.into(),
        ]);
    }
    table
}

/// What RPCs held, by kind.
pub(super) fn control(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("kind", "kind"),
        Column::new("received", "received"),
        Column::new("received_per_second", "a second"),
        Column::new("received_per_delivery", "per delivery"),
        Column::when_used("sent", "sent"),
        Column::when_used("dropped", "dropped"),
    ];
    let mut table = Table::new("control", "What RPCs held: messages, and ids and requests of control", columns);
    "no RPC is on record".clone_into(&mut table.empty);
    let all = sums(pubsub);
    if [all.received, all.sent, all.dropped].iter().all(|held| held.rpcs == 0) {
        return table;
    }
    let on_record = |held: u64, n: Option<u64>| n.filter(|_| held > 0);
    let deliveries = pubsub.messages.deliveries.len() as u64;
    let rest = all.sent.each().into_iter().zip(all.dropped.each());
    for ((kind, received), ((_, sent), (_, dropped))) in all.received.each().into_iter().zip(rest) {
        let received = on_record(all.received.rpcs, received);
        let per_second = received.zip(seconds(pubsub)).map(|(n, seconds)| n as f64 / seconds);
        table.rows.push(vec![
            kind.into(),
            received.into(),
            number(per_second),
            number(received.and_then(|n| share(n, deliveries))),
            on_record(all.sent.rpcs, sent).into(),
            on_record(all.dropped.rpcs, dropped).into(),
        ]);
    }
    table
}

/// What the routers of a group received.
pub(super) fn control_by_group(pubsub: &Pubsub) -> Table {
    let mut columns = vec![Column::new("group", "group")];
    columns.extend(Sums::default().received.each().map(|(kind, _)| Column::new(kind, kind)));
    columns.push(Column::new("control_per_delivery", "control per delivery"));
    let mut table = Table::new("control_groups", "What RPCs held, as received by group", columns);
    "no RPC is on record".clone_into(&mut table.empty);
    let mut groups: BTreeMap<&str, (Sums, u64)> = BTreeMap::new();
    let each = pubsub.sums.iter().zip(&pubsub.messages.shares);
    for (router, (sums, share)) in pubsub.routers.iter().zip(each) {
        let (all, got) = groups.entry(&router.group).or_default();
        all.add(sums);
        *got += share.got;
    }
    for (group, (sums, got)) in groups {
        let received = sums.received;
        if received.rpcs == 0 {
            continue;
        }
        let mut row = vec![Cell::from(group)];
        row.extend(received.each().map(|(_, n)| Cell::from(n)));
        row.push(number(share(received.control(), got).filter(|_| received.told > 0)));
        table.rows.push(row);
    }
    table
}

/// Why messages were rejected.
pub(super) fn rejected(pubsub: &Pubsub) -> Table {
    let columns = vec![Column::new("reason", "reason"), Column::new("rejected", "rejected")];
    let mut table = Table::new("rejected", "Rejected messages", columns);
    let mut reasons: Vec<&(String, u64)> = pubsub.rejected.iter().collect();
    reasons.sort_by_key(|(reason, n)| (std::cmp::Reverse(*n), reason));
    table.rows = reasons.into_iter().map(|(reason, n)| vec![reason.as_str().into(), (*n).into()]).collect();
    table
}

/// What the traces have of a total that tracers add up, by the total's name; nothing for one that they do not have.
fn in_traces(pubsub: &Pubsub, name: &str) -> Option<u64> {
    let rows = |word: &str| Some(pubsub.rows.get(word).copied().unwrap_or(0));
    let of_rpc = |held: Held, part: &str| match part {
        "RPCs" => Some(held.rpcs),
        _ if held.told < held.rpcs => None,
        "Messages" => Some(held.msgs),
        "Grafts" => Some(held.graft),
        "Prunes" => Some(held.prune),
        _ => None,
    };
    match name {
        "Published" => rows("publish"),
        "Delivered" => rows("deliver"),
        "Duplicates" => rows("duplicate"),
        "Rejected" => rows("reject"),
        "DroppedRPC" => rows("drop_rpc"),
        "PeersAdded" => rows("add_peer"),
        "PeersRemoved" => rows("remove_peer"),
        "TopicsJoined" => rows("join"),
        "TopicsLeft" => rows("leave"),
        _ => match name.split_once('.')? {
            ("SentRPC", part) => of_rpc(sums(pubsub).sent, part),
            ("ReceivedRPC", part) => of_rpc(sums(pubsub).received, part),
            _ => None,
        },
    }
}

/// The totals that tracers added up, beside what their traces have.
pub(super) fn counted(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("name", "total"),
        Column::new("routers", "routers"),
        Column::new("counted", "counted by tracers"),
        Column::new("traced", "in traces"),
    ];
    let mut table = Table::new("counted", "Totals that tracers added up themselves", columns);
    for (name, routers, total) in &pubsub.counted {
        // Of other routers than counted, the traces have other numbers.
        let traced = in_traces(pubsub, name).filter(|_| *routers == pubsub.routers.len() as u64);
        table.rows.push(vec![name.as_str().into(), (*routers).into(), (*total).into(), traced.into()]);
    }
    table
}

/// The totals that differ from what whole traces of as many routers have.
pub(super) fn apart(pubsub: &Pubsub) -> Vec<&str> {
    let whole = pubsub.routers.iter().filter(|router| router.whole).count() as u64;
    if pubsub.options.topic.is_some() || whole != pubsub.routers.len() as u64 {
        return Vec::new();
    }
    let differs = |&&(ref name, routers, total): &&(String, u64, u64)| {
        routers == whole && in_traces(pubsub, name).is_some_and(|traced| traced != total && traced > 0)
    };
    pubsub.counted.iter().filter(differs).map(|(name, ..)| name.as_str()).collect()
}
