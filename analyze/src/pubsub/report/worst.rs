//! Tables about single messages and routers.

use std::collections::BTreeMap;

use super::{nanos, number, ratio, share};
use crate::pubsub::{Message, Pubsub};
use crate::report::{Cell, Column, Table};
use crate::summary::percentile;

/// Of a long id so many bytes are shown at either end.
const END_BYTES: usize = 6;

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// An id as it can be read: text where it is plain text, else hexadecimal digits.
fn whole_id(id: &[u8]) -> String {
    match str::from_utf8(id) {
        Ok(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_owned(),
        _ => hex(id),
    }
}

/// The same, and of a long one both ends.
fn short_id(id: &[u8]) -> String {
    let whole = whole_id(id);
    if whole.len() <= 4 * END_BYTES + 1 || !whole.is_ascii() {
        return whole;
    }
    format!("{}…{}", &whole[..2 * END_BYTES], &whole[whole.len() - 2 * END_BYTES..])
}

fn topic(pubsub: &Pubsub, message: &Message) -> Cell {
    message.topic.map(|topic| pubsub.topics[topic as usize].as_str()).into()
}

fn publisher(pubsub: &Pubsub, message: &Message) -> Cell {
    message.publisher.map(|publisher| pubsub.routers[publisher as usize].name.as_str()).into()
}

/// From the first line of a trace.
fn moment(pubsub: &Pubsub, message: &Message) -> Cell {
    let moment = message.published_ns.zip(pubsub.span_ns).map(|(at, (first, _))| at.saturating_sub(first));
    moment.map_or(Cell::Absent, Cell::nanos)
}

/// The messages that reached the smallest share of those who should have got them; of equals the slowest.
pub(super) fn messages(pubsub: &Pubsub) -> Table {
    let columns = vec![
        Column::new("message", "message"),
        Column::new("topic", "topic"),
        Column::new("publisher", "publisher"),
        Column::new("t_rel_ns", "at"),
        Column::new("delivered", "delivered"),
        Column::new("delivery_ratio", "ratio"),
        Column::new("t50_ns", "half"),
        Column::new("t100_ns", "last"),
        Column::new("depth", "hops"),
        Column::new("duplicates", "duplicates"),
        Column::when_used("rejected", "rejected"),
    ];
    let mut table = Table::new("worst_messages", "Messages that were delivered worst", columns);
    let mut all: Vec<&Message> = pubsub.messages.all.iter().filter(|message| message.expected > 0).collect();
    table.empty = match all.len() {
        0 => "nobody was expected to get a message".to_owned(),
        1 => "none: the one message reached everybody".to_owned(),
        n => format!("none: all of {n} messages reached everybody"),
    };
    all.retain(|message| message.delivered < message.expected);
    let last = |message: &Message| message.spread_ns.map(|times| times[4]);
    all.sort_by(|a, b| {
        let ratios = a.delivery_ratio().unwrap_or(1.0).total_cmp(&b.delivery_ratio().unwrap_or(1.0));
        ratios.then(last(b).cmp(&last(a)))
    });
    for message in all.into_iter().take(pubsub.options.worst) {
        table.rows.push(vec![
            short_id(&message.id).into(),
            topic(pubsub, message),
            publisher(pubsub, message),
            moment(pubsub, message),
            Cell::Of(message.delivered, message.expected),
            ratio(message.delivery_ratio()),
            nanos(message.spread_ns.map(|times| times[0] as f64)),
            nanos(last(message).map(|ns| ns as f64)),
            message.depth.into(),
            message.duplicates.into(),
            message.rejected.into(),
        ]);
    }
    table
}

/// The latencies of each router's expected deliveries, ascending.
fn latencies(pubsub: &Pubsub) -> BTreeMap<u32, Vec<f64>> {
    let mut by: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for delivery in pubsub.messages.deliveries.iter().filter(|delivery| delivery.expected) {
        by.entry(delivery.router).or_default().extend(delivery.latency_ns.map(|ns| ns as f64));
    }
    for times in by.values_mut() {
        times.sort_unstable_by(f64::total_cmp);
    }
    by
}

fn router_columns(shown: fn(&str, &str) -> Column) -> Vec<Column> {
    vec![
        shown("instance", "instance"),
        shown("group", "group"),
        shown("published", "published"),
        shown("expected", "expected"),
        shown("delivered", "delivered"),
        shown("missed", "missed"),
        shown("delivery_ratio", "ratio"),
        shown("latency_p50_ns", "p50"),
        shown("latency_p95_ns", "p95"),
        shown("latency_max_ns", "max"),
        shown("duplicates", "duplicates"),
        shown("forwarded", "first to hand over"),
    ]
}

fn router_row(pubsub: &Pubsub, at: u32, times: Option<&Vec<f64>>) -> Vec<Cell> {
    let (router, shared) = (&pubsub.routers[at as usize], &pubsub.messages.shares[at as usize]);
    let of = |share: f64| nanos(times.and_then(|times| percentile(times, share)));
    vec![
        router.name.as_str().into(),
        router.group.as_str().into(),
        shared.published.into(),
        shared.expected.into(),
        shared.delivered.into(),
        (shared.expected - shared.delivered).into(),
        ratio(share(shared.delivered, shared.expected)),
        of(0.5),
        of(0.95),
        of(1.0),
        router.whole.then_some(shared.duplicates).into(),
        shared.forwarded.into(),
    ]
}

/// The routers that missed most of what they should have got.
pub(super) fn routers(pubsub: &Pubsub) -> Table {
    let mut table = Table::new("worst_instances", "Instances that missed most", router_columns(Column::new));
    let shares = &pubsub.messages.shares;
    let mut all: Vec<u32> = (0_u32..).zip(shares).filter(|(_, share)| share.expected > 0).map(|(at, _)| at).collect();
    table.empty = match all.len() {
        0 => "nobody was expected to get a message".to_owned(),
        1 => "none: the one that should get any got all".to_owned(),
        n => format!("none: each of the {n} that should get any got all"),
    };
    let missed = |at: u32| shares[at as usize].expected - shares[at as usize].delivered;
    all.retain(|&at| missed(at) > 0);
    all.sort_by_key(|&at| (std::cmp::Reverse(missed(at)), &pubsub.routers[at as usize].name));
    let times = latencies(pubsub);
    for at in all.into_iter().take(pubsub.options.worst) {
        table.rows.push(router_row(pubsub, at, times.get(&at)));
    }
    table
}

/// Every router, for programs.
pub(super) fn all_routers(pubsub: &Pubsub) -> Table {
    let mut table = Table::new("instances", "Instances", router_columns(|key, _| Column::hidden(key)));
    let times = latencies(pubsub);
    for (at, _) in (0_u32..).zip(&pubsub.routers) {
        table.rows.push(router_row(pubsub, at, times.get(&at)));
    }
    table
}

/// Every message, for programs.
pub(super) fn all_messages(pubsub: &Pubsub) -> Table {
    let columns = [
        "message",
        "topic",
        "publisher",
        "t_rel_ns",
        "expected",
        "delivered",
        "delivery_ratio",
        "on_time",
        "others",
        "duplicates",
        "duplicates_per_subscriber",
        "rejected",
        "t50_ns",
        "t90_ns",
        "t95_ns",
        "t99_ns",
        "t100_ns",
        "depth",
    ];
    let mut table = Table::new("messages", "Messages", columns.map(Column::hidden).to_vec());
    let known = pubsub.routers.iter().any(|router| router.whole);
    for message in &pubsub.messages.all {
        let mut row = vec![
            whole_id(&message.id).into(),
            topic(pubsub, message),
            publisher(pubsub, message),
            moment(pubsub, message),
            message.published_ns.map(|_| message.expected).into(),
            message.published_ns.map(|_| message.delivered).into(),
            ratio(message.delivery_ratio()),
            message.published_ns.map(|_| message.on_time).into(),
            message.others.into(),
            known.then_some(message.duplicates).into(),
            number(share(message.duplicates, message.expected + 1).filter(|_| known && message.expected > 0)),
            message.rejected.into(),
        ];
        match message.spread_ns {
            Some(times) => row.extend(times.map(Cell::nanos)),
            None => row.extend([const { Cell::Absent }; 5]),
        }
        row.push(message.depth.into());
        table.rows.push(row);
    }
    table
}
