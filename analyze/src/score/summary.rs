//! The report on all lookups of a run.

use std::collections::BTreeMap;

use super::effort::Effort;
use super::lookups::{Lookup, Scored};
use super::records::{Records, mean, records};
use super::result::Score;
use super::theory::{HOPS_BAND, expected_hops};
use crate::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone};
use crate::summary::Summary;

/// A mean that is this many times what theory says is told.
const MANY_TIMES: f64 = 1.5;

/// How good the lookups of a run were: by operation, in records, in hops, and the worst one by one.
pub fn summary(scored: &Scored, title: &str, worst: usize) -> Report {
    let mut report = Report::new("lookups", format!("Lookups of {title}"));
    let n = scored.lookups.iter().filter(|lookup| lookup.score.is_some()).count();
    let complete: Vec<f64> = scored.lookups.iter().filter(|lookup| lookup.is_complete()).filter_map(recall).collect();
    report.headline = Some(headline(scored, &complete));
    report.sections = vec![
        Section::Table(operations(scored)),
        Section::Facts(network(scored, &mut report.notes)),
        Section::Facts(placement(&records(scored))),
        Section::Table(retrievals(&records(scored))),
        Section::Table(worst_first(scored, worst)),
        Section::Table(all(scored)),
    ];
    let without = scored.lookups.len() - n;
    if without > 0 {
        report.note(
            Tone::Warn,
            format!(
                "{} of {} without a score: no steps, no end, or no place of the target was written",
                plural(without as u64, "lookup", "lookups"),
                scored.lookups.len()
            ),
        );
    }
    if scored.world.without_place > 0 {
        let servers = plural(scored.world.without_place, "server", "servers");
        report.note(Tone::Warn, format!("of {servers} the place is not known: nobody is expected to find them"));
    }
    if scored.world.end_unknown > 0 {
        let ended = plural(scored.world.end_unknown, "instance", "instances");
        report.note(Tone::Warn, format!("{ended} ended in silence and counted as alive to the end"));
    }
    report
}

fn recall(lookup: &Lookup) -> Option<f64> {
    lookup.score.and_then(|score| score.recall_alive)
}

fn headline(scored: &Scored, complete: &[f64]) -> Line {
    let (Some(recall), false) = (mean(complete), scored.truth.servers.is_empty()) else {
        let text = "no completed lookup could be held against the truth".to_owned();
        return Line { text, tone: Tone::Warn };
    };
    let perfect = complete.iter().filter(|&&recall| recall >= 1.0).count();
    let text = format!(
        "completed lookups found {:.1} % of the {} nearest servers alive; {perfect} of {} found all",
        100.0 * recall,
        scored.k,
        complete.len()
    );
    Line { text, tone: if recall >= 0.95 { Tone::Good } else { Tone::Warn } }
}

/// Lookups of one operation that ended in the same way.
fn operations(scored: &Scored) -> Table {
    let columns = vec![
        Column::new("op", "operation"),
        Column::new("ended", "ended"),
        Column::new("lookups", "n"),
        Column::hidden("scored"),
        Column::new("recall_alive_ratio", "recall"),
        Column::new("recall_all_ratio", "of all"),
        Column::new("displacement_alive", "ranks off"),
        Column::hidden("displacement_all"),
        Column::hidden("distance_ratio_bits"),
        Column::hidden("requests"),
        Column::new("useful_ratio", "useful"),
        Column::new("wasted_ratio", "wasted"),
        Column::new("bits_per_hop", "bits/hop"),
        Column::new("hops", "hops"),
        Column::hidden("monotone_ratio"),
    ];
    let mut table = Table::new("operations", &format!("Means by operation, k = {}", scored.k), columns);
    "the run has no lookups".clone_into(&mut table.empty);
    let mut parts: BTreeMap<(&str, &str), Vec<&Lookup>> = BTreeMap::new();
    for lookup in &scored.lookups {
        parts.entry((&lookup.op, lookup.ended())).or_default().push(lookup);
    }
    for ((op, ended), lookups) in parts {
        let of_score = |value: &dyn Fn(&Score) -> Option<f64>| {
            mean(&lookups.iter().filter_map(|lookup| value(lookup.score.as_ref()?)).collect::<Vec<_>>())
        };
        let of_effort = |value: &dyn Fn(&Effort) -> Option<f64>| {
            mean(&lookups.iter().filter_map(|lookup| value(lookup.effort.as_ref()?)).collect::<Vec<_>>())
        };
        let efforts = || lookups.iter().filter_map(|lookup| lookup.effort);
        // Of all answers and requests, so that a lookup that asked one peer does not weigh as much as one that asked 50.
        let share = |part: fn(Effort) -> u32, whole: fn(Effort) -> u32| {
            let (part, whole): (u64, u64) =
                (efforts().map(part).map(u64::from).sum(), efforts().map(whole).map(u64::from).sum());
            (whole > 0).then(|| part as f64 / whole as f64)
        };
        table.rows.push(vec![
            op.into(),
            ended.into(),
            lookups.len().into(),
            lookups.iter().filter(|lookup| lookup.score.is_some()).count().into(),
            ratio(of_score(&|score| score.recall_alive)),
            ratio(of_score(&|score| score.recall_all)),
            number(of_score(&|score| score.displacement_alive)),
            number(of_score(&|score| score.displacement_all)),
            number(of_score(&|score| score.distance_ratio_bits)),
            number(of_effort(&|effort| Some(f64::from(effort.requests)))),
            ratio(share(|effort| effort.useful, |effort| effort.responses)),
            ratio(share(|effort| effort.wasted, |effort| effort.requests)),
            number(of_effort(&Effort::bits_per_hop)),
            number(of_effort(&|effort| Some(f64::from(effort.hops)))),
            ratio(of_effort(&|effort| effort.monotone.map(|yes| f64::from(u8::from(yes))))),
        ]);
    }
    table
}

/// How large the network is, how large it looks, and how deep it should be.
fn network(scored: &Scored, notes: &mut Vec<Line>) -> Facts {
    let mut facts = Facts::new("network", "Network");
    let complete = || scored.lookups.iter().filter(|lookup| lookup.is_complete());
    let ends: Vec<i64> = complete().filter_map(|lookup| lookup.settled_ns).collect();
    let servers = mean(&scored.alive_at(&ends));
    facts.add("servers", "servers in the run", scored.truth.servers.len());
    facts.add_with("servers_alive", "servers alive", number(servers), "mean over the ends of completed lookups");
    let estimates: Vec<f64> = complete().filter_map(|lookup| lookup.score?.size_estimate).collect();
    let estimate = Summary::of(estimates);
    let remark = estimate.map_or(String::new(), |estimate| format!("median of {} completed lookups", estimate.n));
    facts.add_with("size_estimate", "size as lookups tell", number(estimate.map(|estimate| estimate.p50)), remark);
    let off =
        estimate.zip(servers).filter(|(_, servers)| *servers > 0.0).map(|(estimate, servers)| estimate.p50 / servers);
    facts.add_with("size_estimate_ratio", "estimate by truth", ratio(off), "100 % where the lookups tell the truth");
    let hops: Vec<f64> = complete().filter_map(|lookup| lookup.effort?.hops_to_nearest).map(f64::from).collect();
    let hops = mean(&hops);
    facts.add_with(
        "hops_to_nearest",
        "hops to the nearest",
        number(hops),
        "mean of completed lookups; 1 is a peer of the own table",
    );
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of counts")]
    let theory = servers.and_then(|servers| expected_hops(servers.round() as u64, scored.k));
    let remark = if theory.is_some() {
        format!("perfect tables, ± {HOPS_BAND}")
    } else {
        "known for 128 to 8,192 servers and k of 1 to 20".to_owned()
    };
    facts.add_with("hops_theory", "hops of theory", number(theory), remark);
    if let (Some(hops), Some(theory)) = (hops, theory)
        && hops > MANY_TIMES * theory
    {
        let text = format!("lookups take {:.1} times the hops that perfect tables would need", hops / theory);
        notes.push(Line { text, tone: Tone::Warn });
    }
    facts
}

fn placement(records: &Records) -> Facts {
    let mut facts = Facts::new("records", "Records");
    facts.add("keys", "keys placed", records.keys);
    facts.add_with(
        "placement_recall_ratio",
        "placement recall",
        ratio(records.placement_recall),
        format!("the nearest alive that got the record; mean of {} placements", records.placements),
    );
    let (n, done) = records.ages.iter().fold((0, 0), |(n, done), age| (n + age.n, done + age.done));
    let retrieved = if n > 0 { Cell::Of(done, n) } else { Cell::Absent };
    facts.add_with("retrieved", "retrieved", retrieved, "of the retrievals that began after a placement");
    facts
}

fn retrievals(records: &Records) -> Table {
    let columns = vec![
        Column::new("age", "age of the record"),
        Column::new("retrievals", "retrievals"),
        Column::new("done", "done"),
        Column::new("retrievability_ratio", "retrievable"),
        Column::new("holders_alive_ratio", "holders alive"),
    ];
    let mut table = Table::new("retrievals", "Retrievals", columns);
    "nothing was looked for after it had been placed".clone_into(&mut table.empty);
    table.rows.extend(records.ages.iter().map(|age| {
        vec![
            age.age.into(),
            age.n.into(),
            age.done.into(),
            Cell::ratio(age.done as f64 / age.n as f64),
            ratio(age.holders_alive),
        ]
    }));
    table
}

fn worst_first(scored: &Scored, worst: usize) -> Table {
    let columns = vec![
        Column::new("query_id", "lookup"),
        Column::new("op", "operation"),
        Column::new("instance", "instance"),
        Column::new("recall_alive_ratio", "recall"),
        Column::new("recall_all_ratio", "of all"),
        Column::new("displacement_alive", "ranks off"),
        Column::new("requests", "requests"),
        Column::new("duration_ns", "took"),
    ];
    let mut table = Table::new("worst", "Completed lookups that found least", columns);
    "no lookup was completed".clone_into(&mut table.empty);
    let mut order: Vec<&Lookup> =
        scored.lookups.iter().filter(|lookup| lookup.is_complete() && lookup.score.is_some()).collect();
    order.sort_by(|a, b| worse(a).partial_cmp(&worse(b)).unwrap_or(std::cmp::Ordering::Equal));
    table.rows.extend(order.into_iter().take(worst).map(|lookup| {
        vec![
            Cell::Text(lookup.query.to_string()),
            lookup.op.as_str().into(),
            lookup.instance.as_str().into(),
            ratio(recall(lookup)),
            ratio(lookup.score.and_then(|score| score.recall_all)),
            number(lookup.score.and_then(|score| score.displacement_alive)),
            lookup.effort.map(|effort| effort.requests).into(),
            lookup.duration_ns.map_or(Cell::Absent, Cell::nanos),
        ]
    }));
    table
}

/// The order from the worst on: least recall, most ranks off, the lower number.
fn worse(lookup: &Lookup) -> (f64, f64, u64) {
    let off = lookup.score.and_then(|score| score.displacement_alive).unwrap_or(0.0);
    (recall(lookup).unwrap_or(f64::INFINITY), -off, lookup.query)
}

/// Every lookup, for programs.
fn all(scored: &Scored) -> Table {
    let keys = [
        "query_id",
        "lookup",
        "op",
        "instance",
        "group",
        "ended",
        "recall_alive_ratio",
        "recall_all_ratio",
        "displacement_alive",
        "displacement_all",
        "distance_ratio_bits",
        "size_estimate",
        "requests",
        "responses",
        "failed",
        "heard",
        "useful",
        "wasted",
        "hops",
        "hops_to_nearest",
        "bits_per_hop",
        "monotone",
    ];
    let mut table = Table::new("lookups", "", keys.map(Column::hidden).to_vec());
    table.rows.extend(scored.lookups.iter().map(|lookup| {
        let score = lookup.score.unwrap_or_default();
        let count = |of: fn(Effort) -> u32| Cell::from(lookup.effort.map(of));
        vec![
            lookup.query.into(),
            lookup.id.clone().into(),
            lookup.op.as_str().into(),
            lookup.instance.as_str().into(),
            lookup.group.as_str().into(),
            lookup.ended().into(),
            ratio(score.recall_alive),
            ratio(score.recall_all),
            number(score.displacement_alive),
            number(score.displacement_all),
            number(score.distance_ratio_bits),
            number(score.size_estimate),
            count(|effort| effort.requests),
            count(|effort| effort.responses),
            count(|effort| effort.failed),
            count(|effort| effort.heard),
            count(|effort| effort.useful),
            count(|effort| effort.wasted),
            count(|effort| effort.hops),
            lookup.effort.and_then(|effort| effort.hops_to_nearest).into(),
            number(lookup.effort.and_then(|effort| effort.bits_per_hop())),
            lookup.effort.and_then(|effort| effort.monotone).into(),
        ]
    }));
    table
}

pub(super) fn ratio(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::ratio)
}

pub(super) fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
