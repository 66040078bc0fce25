//! Reads what a link does to packets.

use std::time::Duration;

use crate::link::{Distribution, Link, Queueing, parse_bandwidth};
use crate::node::{Fields, Reader, Value};
use crate::param::parse_duration;
use crate::problem::{shown, suggestion};

/// The keys of a link.
pub(super) const LINK: &[&str] = &[
    "latency",
    "jitter",
    "jitter_distribution",
    "jitter_correlation",
    "bandwidth",
    "queue",
    "queue_bytes",
    "loss",
    "loss_burst",
    "loss_in_burst",
    "loss_between",
    "corrupt",
    "duplicate",
    "reorder",
];
/// The longest delay of a link.
pub(super) const MOST_DELAY: Duration = Duration::from_hours(1);

/// Takes the keys of a link out of a table that may have others as well.
pub(super) fn link(r: &mut Reader<'_>, fields: &Fields<'_>) -> Link {
    let link = Link {
        latency: delay(r, fields, "latency"),
        jitter: delay(r, fields, "jitter"),
        distribution: word(
            r,
            fields,
            "jitter_distribution",
            &[("uniform", Distribution::Uniform), ("normal", Distribution::Normal), ("pareto", Distribution::Pareto)],
        ),
        jitter_correlation: share(r, fields, "jitter_correlation"),
        bandwidth_bits_per_s: bandwidth(r, fields),
        queue_bytes: r.count(fields, "queue_bytes").map(|at| u64::from(at.value)),
        queueing: word(r, fields, "queue", &[("drop-tail", Queueing::DropTail), ("codel", Queueing::CoDel)]),
        loss: share(r, fields, "loss"),
        loss_burst: r.number(fields, "loss_burst").map(|at| at.value),
        loss_in_burst: share(r, fields, "loss_in_burst"),
        loss_between: share(r, fields, "loss_between"),
        corrupt: share(r, fields, "corrupt"),
        duplicate: share(r, fields, "duplicate"),
        reorder: share(r, fields, "reorder"),
    };
    check(r, fields, &link);
    link
}

fn check(r: &mut Reader<'_>, fields: &Fields<'_>, link: &Link) {
    let line = |key: &str| fields.get(key).and_then(|at| at.line);
    let place = &fields.place;
    if let Some(burst) = link.loss_burst
        && !(1.0..=1e9).contains(&burst)
    {
        let hint = "it is the mean number of packets of a spell of losses, such as `loss_burst = 8`".to_owned();
        r.problem(line("loss_burst"), format!("`loss_burst` in {place} is not 1 or more"), Some(hint));
    }
    if link.loss_burst.is_none() {
        for key in ["loss_in_burst", "loss_between"] {
            if fields.get(key).is_some() {
                let hint = "add `loss_burst`, the mean number of packets of a spell".to_owned();
                r.problem(line(key), format!("`{key}` in {place} has no `loss_burst` beside it"), Some(hint));
            }
        }
    } else {
        let (loss, inside) = (link.loss.unwrap_or(0.0), link.loss_in_burst.unwrap_or(1.0));
        let between = link.loss_between.unwrap_or(0.0);
        // A mean lies between its parts; spells that never end are no spells.
        if !(between <= loss && loss < inside) {
            let text = format!("`loss` in {place} does not lie between `loss_between` and `loss_in_burst`");
            let hint = "the loss of a link with spells is the mean of both: `loss = 2`, `loss_burst = 8`".to_owned();
            r.problem(line("loss").or_else(|| line("loss_burst")), text, Some(hint));
        } else if let Some(burst) = link.loss_burst {
            // The share of packets in spells is pi; a spell begins after each good packet with pi / (1 - pi) / burst.
            let pi = (loss - between) / (inside - between);
            if pi / (1.0 - pi) > burst {
                let least = (pi / (1.0 - pi)).ceil();
                let text = format!("`loss` in {place} is more than spells of {burst} packets can lose");
                let hint = format!("between two spells at least one packet passes: `loss_burst = {least}` or more");
                r.problem(line("loss_burst"), text, Some(hint));
            }
        }
    }
    if link.queueing.is_some() && fields.get("bandwidth").is_none() {
        let hint = "add `bandwidth`: only what is limited has a queue".to_owned();
        r.problem(line("queue"), format!("`queue` in {place} has no `bandwidth` beside it"), Some(hint));
    }
}

/// A duration with units, from 0 on.
pub(super) fn duration(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str, example: &str) -> Option<Duration> {
    let found = fields.get(key)?;
    let parsed = if let Value::Text(text) = &found.value { parse_duration(text) } else { None };
    if parsed.is_none() {
        let hint = Some(format!("write a duration with units: `{key} = \"{example}\"`"));
        r.problem(found.line, format!("`{key}` in {} is no duration", fields.place), hint);
    }
    parsed
}

fn delay(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Duration> {
    let delay = duration(r, fields, key, "20ms")?;
    if delay > MOST_DELAY {
        let line = fields.get(key).and_then(|at| at.line);
        let hint = Some(format!("write less: `{key} = \"20ms\"`"));
        r.problem(line, format!("`{key}` in {} is longer than an hour", fields.place), hint);
        return None;
    }
    Some(delay)
}

/// Percent, as a share of 1.
fn share(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<f64> {
    let at = r.number(fields, key)?;
    if !(0.0..=100.0).contains(&at.value) {
        let hint = "percents go from 0 to 100".to_owned();
        r.problem(at.line, format!("`{key}` in {} is {}", fields.place, at.value), Some(hint));
        return None;
    }
    Some(at.value / 100.0)
}

fn bandwidth(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<u64> {
    let found = fields.get("bandwidth")?;
    let parsed = match &found.value {
        Value::Int(n) => u64::try_from(*n).ok().filter(|n| *n > 0),
        Value::Text(text) => parse_bandwidth(text),
        _ => None,
    };
    if parsed.is_none() {
        let hint = Some("write `bandwidth = \"20Mbit\"`, or a number of bits per second".to_owned());
        r.problem(found.line, format!("`bandwidth` in {} is no bandwidth", fields.place), hint);
    }
    parsed
}

/// One of some words.
pub(super) fn word<T: Copy>(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let text = r.text(fields, key)?;
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let said = format!("`{key} = \"{}\"` in {} means nothing", shown(&text.value), fields.place);
        r.problem(text.line, said, Some(suggestion(&text.value, "word", &known)));
    }
    found.map(|(_, value)| *value)
}
