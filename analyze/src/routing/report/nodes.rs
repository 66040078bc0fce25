//! The tables about single peers.

use super::{number, ratio};
use crate::report::{Cell, Column, Table};
use crate::routing::table::Health;
use crate::routing::{Owner, Routing};

/// No more missing peers than this are named in a row.
const MOST_NAMES: usize = 5;

/// The tables that know least, with the nearest servers that they miss.
pub(super) fn worst(routing: &Routing) -> Table {
    let columns = vec![
        Column::new("node", "node"),
        Column::new("nearest", "knows of its nearest"),
        Column::new("completeness_ratio", "complete"),
        Column::new("entries", "entries"),
        Column::new("stale", "stale"),
        Column::new("missing", "missing"),
        Column::new("first_missing", "first missing"),
        Column::new("depth_gap_bits", "depth gap"),
        Column::new("missing_nearest", "misses, by rank"),
    ];
    let k = routing.options.k;
    let mut owners: Vec<&Owner> = routing.snapshot().owners.iter().filter(|owner| owner.health.ideal(k) > 0).collect();
    let shares = |owner: &Owner| {
        let health = &owner.health;
        (health.awareness().unwrap_or(1.0), health.completeness(k).unwrap_or(1.0))
    };
    owners.sort_by(|a, b| {
        let ((near, all), (other_near, other_all)) = (shares(a), shares(b));
        near.total_cmp(&other_near).then(all.total_cmp(&other_all)).then(a.number.cmp(&b.number))
    });
    let perfect = owners.iter().filter(|owner| owner.health.missing(k) == 0).count();
    owners.retain(|owner| owner.health.missing(k) > 0);
    owners.truncate(routing.options.worst);
    let mut table = Table::new("worst", "Tables that know least of their neighbourhood", columns);
    table.empty = format!("none: all {perfect} tables that were measured hold everything that they should");
    for owner in owners {
        let health = &owner.health;
        let mut names: Vec<String> = health
            .missing_nearest
            .iter()
            .take(MOST_NAMES)
            .map(|&(rank, server)| format!("{rank} {}", routing.world.name(server)))
            .collect();
        if health.missing_nearest.len() > MOST_NAMES {
            names.push(format!("{} more", health.missing_nearest.len() - MOST_NAMES));
        }
        table.rows.push(vec![
            routing.world.name(owner.number).into(),
            Cell::Of(u64::from(health.known_nearest()), u64::from(health.nearest)),
            ratio(health.completeness(k)),
            health.entries().into(),
            health.stale().into(),
            health.missing(k).into(),
            health.first_missing.into(),
            number(Some(f64::from(health.ideal_depth) - f64::from(health.depth))),
            names.join(", ").into(),
        ]);
    }
    table
}

/// Every table, for programs.
pub(super) fn all(routing: &Routing) -> Table {
    let keys = [
        "node",
        "peer_id",
        "group",
        "table_ts",
        "entries",
        "live",
        "stale",
        "clients",
        "ideal",
        "have",
        "completeness_ratio",
        "nearest",
        "known_nearest",
        "first_missing",
        "missing_nearest",
        "ideal_depth",
        "ideal_depth_of_plan",
        "depth",
        "known_by",
    ];
    let mut table = Table::new("nodes", "", keys.iter().map(|key| Column::hidden(key)).collect());
    let (snapshot, k) = (routing.snapshot(), routing.options.k);
    for owner in &snapshot.owners {
        let health = &owner.health;
        let peer = routing.world.peer(owner.number);
        let missing: Vec<String> =
            health.missing_nearest.iter().map(|&(_, server)| routing.world.name(server)).collect();
        table.rows.push(vec![
            routing.world.name(owner.number).into(),
            peer.and_then(|peer| peer.id.clone()).into(),
            peer.and_then(|peer| peer.group.clone()).into(),
            Cell::Time(owner.ts),
            health.entries().into(),
            health.buckets.iter().map(|bucket| bucket.live).sum::<u32>().into(),
            health.stale().into(),
            Health::clients(health).into(),
            health.ideal(k).into(),
            health.have(k).into(),
            ratio(health.completeness(k)),
            health.nearest.into(),
            health.known_nearest().into(),
            health.first_missing.into(),
            missing.join(" ").into(),
            health.ideal_depth.into(),
            health.ideal_depth_of_plan.into(),
            health.depth.into(),
            snapshot.known_by.get(&owner.number).copied().into(),
        ]);
    }
    table
}
