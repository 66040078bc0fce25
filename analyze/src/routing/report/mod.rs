//! The answer about routing tables, in the order in which it is read.

mod nodes;
mod tables;

use super::snapshot::{Snapshot, share};
use super::table::Health;
use super::{ALARM, Routing};
use crate::report::{Cell, Facts, Line, Report, Section, Tone};

/// Puts what was measured into words and tables.
pub fn report(routing: &Routing) -> Report {
    let snapshot = routing.snapshot();
    let mut report = Report::new("routing", format!("Routing tables of {}", routing.title));
    report.headline = Some(headline(routing));
    report.sections.push(Section::Facts(size_facts(routing)));
    if routing.snapshots.len() > 1 {
        report.sections.push(Section::Table(tables::evolution(routing)));
    }
    report.sections.push(Section::Table(tables::fill(routing)));
    report.sections.push(Section::Table(tables::awareness(routing)));
    report.sections.push(Section::Table(tables::groups(routing)));
    report.sections.push(Section::Table(nodes::worst(routing)));
    report.sections.push(Section::Table(tables::known_by(routing)));
    report.sections.push(Section::Facts(agreement_facts(snapshot)));
    report.sections.push(Section::Table(tables::keyspace(snapshot)));
    let odd = tables::odd_parts(snapshot);
    if !odd.rows.is_empty() {
        report.sections.push(Section::Table(odd));
    }
    report.sections.push(Section::Table(nodes::all(routing)));
    notes(routing, &mut report);
    report
}

/// `1 table`, `3 tables`.
fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn ratio(share: Option<f64>) -> Cell {
    share.map_or(Cell::Absent, Cell::ratio)
}

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::number)
}

fn headline(routing: &Routing) -> Line {
    let snapshot = routing.snapshot();
    if snapshot.servers == 0 {
        let text = "nothing to measure against: no instance of the run is known to have been a live server".to_owned();
        return Line { text, tone: Tone::Warn };
    }
    let text = format!(
        "tables hold {} of the servers that they should; {} of {} know all of their {} nearest; {} of the entries are stale",
        percent(snapshot.completeness(routing.options.k)),
        percent(snapshot.know_all()),
        plural(snapshot.owners.len() as u64, "table", "tables"),
        most_nearest(snapshot),
        percent(snapshot.stale_share()),
    );
    let tone = if snapshot.sum(Health::clients) > 0 { Tone::Bad } else { Tone::Plain };
    Line { text, tone }
}

/// How many of the nearest a table should know, where it can.
fn most_nearest(snapshot: &Snapshot) -> u32 {
    snapshot.owners.iter().map(|owner| owner.health.nearest).max().unwrap_or(0)
}

fn size_facts(routing: &Routing) -> Facts {
    let snapshot = routing.snapshot();
    let k = routing.options.k;
    let mut facts = Facts::new("size", "");
    facts.add("snapshot", "snapshot", snapshot.label.as_str());
    facts.add("k", "bucket size", k);
    facts.add_with(
        "servers",
        "live servers",
        snapshot.servers,
        "instances that are no clients, can be dialled and were alive",
    );
    facts.add_with(
        "tables",
        "tables",
        snapshot.owners.len(),
        "each measured against the servers alive when it was written",
    );
    facts.add("entries", "entries", snapshot.sum(Health::entries));
    facts.add("live_entries", "live entries", snapshot.sum(|health| health.buckets.iter().map(|b| b.live).sum()));
    let foreign = match snapshot.foreign {
        0 => String::new(),
        n => format!("{n} of them are no instances of the run"),
    };
    facts.add_with("stale_entries", "stale entries", snapshot.sum(Health::stale), foreign);
    facts.add_with("client_entries", "client entries", snapshot.sum(Health::clients), "should be 0");
    let held = "live entries of those that there should be, over all tables";
    facts.add_with("completeness_ratio", "completeness", ratio(snapshot.completeness(k)), held);
    facts.add("missing_entries", "missing entries", snapshot.sum(|health| health.missing(k)));
    facts.add_with(
        "awareness_ratio",
        "closest-k awareness",
        ratio(snapshot.awareness()),
        "mean share of the nearest servers that a table holds",
    );
    facts.add("know_all_ratio", "know all their nearest", ratio(snapshot.know_all()));
    facts.add("stale_ratio", "stale", ratio(snapshot.stale_share()));
    let gaps: Vec<f64> =
        snapshot.owners.iter().map(|o| f64::from(o.health.ideal_depth) - f64::from(o.health.depth)).collect();
    let mean = (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64);
    facts.add_with(
        "depth_gap_bits",
        "depth gap",
        number(mean),
        "mean of the depth that the servers allow less that of the table",
    );
    facts
}

/// Whether tables agree with one another and with connections.
fn agreement_facts(snapshot: &Snapshot) -> Facts {
    let mut facts = Facts::new("agreement", "Tables and connections");
    let (asked, mutual) = snapshot.mutual;
    facts.add_with(
        "symmetric_ratio",
        "symmetric entries",
        ratio(share(mutual, asked)),
        "whose peer holds the owner in its own table",
    );
    if let Some(overlap) = snapshot.overlap {
        let shares = [
            (
                "entries_unconnected_ratio",
                "entries without a connection",
                overlap.entries_unconnected,
                overlap.entries,
                "entries",
            ),
            (
                "not_in_table_ratio",
                "connections not in the table",
                overlap.neighbours_not_in_table,
                overlap.neighbours,
                "connected peers",
            ),
            (
                "servers_not_in_table_ratio",
                "servers among those",
                overlap.servers_not_in_table,
                overlap.neighbours,
                "connected peers",
            ),
        ];
        for (key, title, part, whole, of) in shares {
            facts.add_with(key, title, ratio(share(part, whole)), format!("{part} of {whole} {of}"));
        }
    }
    facts
}

fn notes(routing: &Routing, report: &mut Report) {
    let snapshot = routing.snapshot();
    let mut warn = |n: u64, one: &str, many: &str| {
        if n > 0 {
            report.note(Tone::Warn, plural(n, one, many));
        }
    };
    warn(
        snapshot.sum(Health::clients),
        "entry is a client or cannot be dialled: no table should hold it",
        "entries are clients or cannot be dialled: no table should hold them",
    );
    warn(
        routing.world.end_unknown,
        "instance ended in silence, nobody knows when; it counts as alive to the end",
        "instances ended in silence, nobody knows when; they count as alive to the end",
    );
    warn(
        routing.world.without_place,
        "server has no known place in the keyspace; no table is said to miss it",
        "servers have no known place in the keyspace; no table is said to miss them",
    );
    warn(
        snapshot.owners_unplaced,
        "table is not measured: its owner has no known place in the keyspace",
        "tables are not measured: their owners have no known place in the keyspace",
    );
    warn(
        snapshot.unplaced,
        "entry is in no bucket, for want of a place in the keyspace",
        "entries are in no bucket, for want of a place in the keyspace",
    );
    warn(snapshot.own, "entry is the owner itself and was dropped", "entries are the owner itself and were dropped");
    for (who, spread) in [("live servers", &snapshot.spread), ("peers in tables", &snapshot.spread_of_entries)] {
        let crowded: usize = spread.iter().map(super::Density::crowded).sum();
        if crowded > 0 {
            let parts = plural(crowded as u64, "part of the keyspace is crowded", "parts of the keyspace are crowded");
            report.note(Tone::Bad, format!("alarm: {parts} with {who}, as by a Sybil or eclipse attack"));
        } else if let Some(least) =
            spread.iter().filter_map(|d| d.probability).min_by(f64::total_cmp).filter(|&p| p < ALARM)
        {
            let text =
                format!("{who} are not spread evenly over the keyspace: chi squared has a probability of {least:.2e}");
            report.note(Tone::Warn, text);
        }
    }
}
