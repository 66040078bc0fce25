//! The tables about a whole snapshot.

use std::collections::BTreeMap;

use super::{most_nearest, number, ratio};
use crate::graph::degree::Degrees;
use crate::report::{Cell, Column, Table};
use crate::routing::snapshot::share;
use crate::routing::table::Health;
use crate::routing::{Density, Owner, Routing, Snapshot};
use crate::summary::{Summary, percentile};

/// One row for each snapshot.
pub(super) fn evolution(routing: &Routing) -> Table {
    let columns = vec![
        Column::new("snapshot", "snapshot"),
        Column::new("t_rel_ns", "at"),
        Column::new("tables", "tables"),
        Column::new("servers", "servers"),
        Column::new("entries", "entries"),
        Column::new("completeness_ratio", "complete"),
        Column::new("awareness_ratio", "awareness"),
        Column::new("know_all_ratio", "know all"),
        Column::new("stale_ratio", "stale"),
        Column::when_used("client_entries", "clients"),
        Column::new("added", "added"),
        Column::new("removed", "removed"),
        Column::new("same_ratio", "same"),
    ];
    let mut table = Table::new("evolution", "From snapshot to snapshot", columns);
    let k = routing.options.k;
    let mut before: Option<&Snapshot> = None;
    for snapshot in &routing.snapshots {
        let moment = routing.start_ns.and_then(|start| snapshot.moment_ns.checked_sub(start));
        let common = before.map(|before| common(&before.pairs, &snapshot.pairs));
        let turnover = before.zip(common).map(|(before, common)| {
            let (old, new) = (before.pairs.len() as u64, snapshot.pairs.len() as u64);
            (new - common, old - common, share(common, old + new - common))
        });
        table.rows.push(vec![
            snapshot.label.as_str().into(),
            moment.map_or(Cell::Absent, Cell::nanos),
            snapshot.owners.len().into(),
            snapshot.servers.into(),
            snapshot.pairs.len().into(),
            ratio(snapshot.completeness(k)),
            ratio(snapshot.awareness()),
            ratio(snapshot.know_all()),
            ratio(snapshot.stale_share()),
            snapshot.sum(Health::clients).into(),
            turnover.map(|(added, ..)| added).into(),
            turnover.map(|(_, removed, _)| removed).into(),
            ratio(turnover.and_then(|(.., same)| same)),
        ]);
        before = Some(snapshot);
    }
    table
}

/// How many pairs two ascending lists share.
fn common(one: &[(u32, u32)], other: &[(u32, u32)]) -> u64 {
    let (mut a, mut b, mut both) = (0, 0, 0);
    while let (Some(x), Some(y)) = (one.get(a), other.get(b)) {
        both += u64::from(x == y);
        a += usize::from(x <= y);
        b += usize::from(y <= x);
    }
    both
}

/// By common prefix length how full the tables are.
pub(super) fn fill(routing: &Routing) -> Table {
    let columns = vec![
        Column::new("shared_bits", "shared bits"),
        Column::new("tables", "tables"),
        Column::new("expected", "expected"),
        Column::new("eligible_mean", "eligible"),
        Column::new("ideal", "ideal"),
        Column::new("live", "live"),
        Column::new("missing", "missing"),
        Column::new("stale", "stale"),
        Column::when_used("clients", "clients"),
        Column::new("stale_ratio", "stale share"),
        Column::new("fill_mean_ratio", "fill"),
        Column::new("fill_p5_ratio", "fill p5"),
        Column::new("full_ratio", "full"),
        Column::new("distinct", "distinct peers"),
        Column::hidden("eligible"),
        Column::hidden("distinct_ratio"),
    ];
    let mut table = Table::new("fill", "Fill by common prefix with the owner, in bits", columns);
    "no table has an entry, and there is no server to miss".clone_into(&mut table.empty);
    let (snapshot, k) = (routing.snapshot(), routing.options.k);
    for (bits, sum) in snapshot.buckets().iter().enumerate() {
        let buckets = snapshot.owners.iter().filter_map(|owner| owner.health.buckets.get(bits));
        let used: Vec<_> = buckets.filter(|bucket| **bucket != crate::routing::Bucket::default()).collect();
        if used.is_empty() {
            continue;
        }
        let ideal: u64 = used.iter().map(|bucket| u64::from(bucket.ideal(k))).sum();
        let missing: u64 = used.iter().map(|bucket| u64::from(bucket.ideal(k) - bucket.have(k))).sum();
        let mut fills: Vec<f64> = used.iter().filter_map(|bucket| bucket.fill(k)).collect();
        fills.sort_unstable_by(f64::total_cmp);
        let full = fills.iter().filter(|&&fill| fill >= 1.0).count() as u64;
        let mean = (!fills.is_empty()).then(|| fills.iter().sum::<f64>() / fills.len() as f64);
        let expected =
            snapshot.servers as f64 * 0.5_f64.powi(i32::try_from(bits).unwrap_or(i32::MAX).saturating_add(1));
        let distinct = snapshot.distinct.get(bits).copied().unwrap_or(0);
        let entries = u64::from(sum.live + sum.stale + sum.clients);
        table.rows.push(vec![
            bits.into(),
            used.len().into(),
            Cell::number(expected),
            number(share(u64::from(sum.eligible), used.len() as u64)),
            ideal.into(),
            sum.live.into(),
            missing.into(),
            sum.stale.into(),
            sum.clients.into(),
            ratio(share(u64::from(sum.stale), entries)),
            ratio(mean),
            ratio(percentile(&fills, 0.05)),
            ratio(share(full, fills.len() as u64)),
            distinct.into(),
            sum.eligible.into(),
            ratio(share(distinct, snapshot.servers)),
        ]);
    }
    table
}

/// How many tables know how many of their nearest.
pub(super) fn awareness(routing: &Routing) -> Table {
    let snapshot = routing.snapshot();
    let columns = vec![
        Column::new("known", "known of the nearest"),
        Column::new("tables", "tables"),
        Column::new("ratio", "share"),
        Column::new("at_most_ratio", "so many or fewer"),
    ];
    let title = format!("How many of the {} nearest servers a table holds", most_nearest(snapshot));
    let mut table = Table::new("awareness", &title, columns);
    "no table was measured".clone_into(&mut table.empty);
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for owner in &snapshot.owners {
        *counts.entry(owner.health.known_nearest()).or_insert(0) += 1;
    }
    let all = snapshot.owners.len() as u64;
    let mut so_far = 0;
    for (known, tables) in counts {
        so_far += tables;
        table.rows.push(vec![known.into(), tables.into(), ratio(share(tables, all)), ratio(share(so_far, all))]);
    }
    table
}

/// By group of the owners; and how well known the servers of the group are.
pub(super) fn groups(routing: &Routing) -> Table {
    let columns = vec![
        Column::new("group", "group"),
        Column::new("tables", "tables"),
        Column::new("entries_p50", "entries p50"),
        Column::new("completeness_ratio", "complete"),
        Column::new("completeness_min_ratio", "least"),
        Column::new("awareness_ratio", "awareness"),
        Column::new("know_all_ratio", "know all"),
        Column::new("stale_ratio", "stale"),
        Column::new("first_missing_p50", "first missing p50"),
        Column::new("depth_gap_bits", "depth gap"),
        Column::new("known_by_p50", "known by p50"),
    ];
    let mut table = Table::new("groups", "By group", columns);
    "no table was measured".clone_into(&mut table.empty);
    let snapshot = routing.snapshot();
    let mut groups: BTreeMap<&str, (Vec<&Owner>, Vec<f64>)> = BTreeMap::new();
    let group = |number| routing.world.peer(number).and_then(|peer| peer.group.as_deref()).unwrap_or("(foreign)");
    for owner in &snapshot.owners {
        groups.entry("(all)").or_default().0.push(owner);
        groups.entry(group(owner.number)).or_default().0.push(owner);
    }
    for (&server, &known) in &snapshot.known_by {
        groups.entry("(all)").or_default().1.push(f64::from(known));
        groups.entry(group(server)).or_default().1.push(f64::from(known));
    }
    let only_one = groups.len() == 2;
    for (name, (owners, known_by)) in groups.into_iter().filter(|(name, _)| !only_one || *name != "(all)") {
        table.rows.push(group_row(name, &owners, known_by, routing.options.k));
    }
    table
}

fn group_row(name: &str, owners: &[&Owner], known_by: Vec<f64>, k: u32) -> Vec<Cell> {
    let each = |of: &dyn Fn(&Health) -> Option<f64>| -> Option<Summary> {
        Summary::of(owners.iter().filter_map(|owner| of(&owner.health)).collect())
    };
    let sum = |of: fn(&Health) -> u32| owners.iter().map(|owner| u64::from(of(&owner.health))).sum::<u64>();
    let complete = each(&|health| health.completeness(k));
    let some = owners.iter().filter(|owner| owner.health.nearest > 0);
    let all = some.clone().filter(|owner| owner.health.missing_nearest.is_empty()).count();
    let gap = each(&|health| Some(f64::from(health.ideal_depth) - f64::from(health.depth)));
    vec![
        name.into(),
        owners.len().into(),
        number(each(&|health| Some(f64::from(health.entries()))).map(|s| s.p50)),
        ratio(complete.map(|s| s.mean)),
        ratio(complete.map(|s| s.min)),
        ratio(each(&Health::awareness).map(|s| s.mean)),
        ratio(share(all as u64, some.count() as u64)),
        ratio(share(sum(Health::stale), sum(Health::entries))),
        number(each(&|health| health.first_missing.map(f64::from)).map(|s| s.p50)),
        number(gap.map(|s| s.mean)),
        number(Summary::of(known_by).map(|s| s.p50)),
    ]
}

/// How many tables hold each live server.
pub(super) fn known_by(routing: &Routing) -> Table {
    let columns = vec![
        Column::new("servers", "servers"),
        Column::new("unknown", "known by none"),
        Column::new("mean", "mean"),
        Column::new("min", "min"),
        Column::new("p50", "p50"),
        Column::new("p95", "p95"),
        Column::new("max", "max"),
        Column::new("gini", "gini"),
        Column::new("best_known", "best known"),
    ];
    let mut table = Table::new("known_by", "How many tables hold a server", columns);
    "there is no live server".clone_into(&mut table.empty);
    let snapshot = routing.snapshot();
    let known = Degrees { of: snapshot.known_by.values().copied().collect() };
    let Some(summary) = known.summary() else { return table };
    let best = snapshot.known_by.iter().max_by_key(|&(&server, &known)| (known, std::cmp::Reverse(server)));
    table.rows.push(vec![
        known.of.len().into(),
        known.isolated().into(),
        Cell::number(summary.mean),
        Cell::number(summary.min),
        Cell::number(summary.p50),
        Cell::number(summary.p95),
        Cell::number(summary.max),
        number(known.gini()),
        best.map(|(&server, _)| routing.world.name(server)).into(),
    ]);
    table
}

/// The keyspace of the live servers and that of everybody in the tables.
fn spaces(snapshot: &Snapshot) -> [(&'static str, &[Density]); 2] {
    [("live servers", &snapshot.spread), ("peers in tables", &snapshot.spread_of_entries)]
}

/// How evenly peers are spread.
pub(super) fn keyspace(snapshot: &Snapshot) -> Table {
    let columns = vec![
        Column::new("of", "of"),
        Column::new("bits", "first bits"),
        Column::new("peers", "peers"),
        Column::new("expected", "expected"),
        Column::new("min", "min"),
        Column::new("max", "max"),
        Column::new("chi_squared", "chi squared"),
        Column::new("freedom", "freedom"),
        Column::new("probability_ratio", "probability"),
        Column::new("dispersion", "dispersion"),
        Column::new("crowded", "crowded"),
        Column::new("sparse", "sparse"),
    ];
    let mut table = Table::new("keyspace", "Spread over the keyspace, by parts of as many first bits", columns);
    "too few peers to speak of a spread".clone_into(&mut table.empty);
    for (who, densities) in spaces(snapshot) {
        for density in densities {
            table.rows.push(vec![
                who.into(),
                density.bits.into(),
                density.peers.into(),
                Cell::number(density.expected),
                density.min.into(),
                density.max.into(),
                Cell::number(density.chi_squared),
                density.freedom().into(),
                number(density.probability),
                Cell::number(density.dispersion()),
                density.crowded().into(),
                (density.odd.len() - density.crowded()).into(),
            ]);
        }
    }
    table
}

/// The parts of the keyspace that have far too many or far too few.
pub(super) fn odd_parts(snapshot: &Snapshot) -> Table {
    let columns = vec![
        Column::new("of", "of"),
        Column::new("prefix", "first bits"),
        Column::new("observed", "peers"),
        Column::new("expected", "expected"),
        Column::new("what", "what"),
        Column::new("tail", "Poisson tail"),
    ];
    let mut table = Table::new("odd_parts", "Parts of the keyspace with far too many or too few", columns);
    for (who, densities) in spaces(snapshot) {
        for density in densities {
            for part in &density.odd {
                table.rows.push(vec![
                    who.into(),
                    format!("{:0width$b}", part.prefix, width = density.bits as usize).into(),
                    part.observed.into(),
                    Cell::number(density.expected),
                    if part.crowded { "crowded" } else { "sparse" }.into(),
                    Cell::number(part.tail),
                ]);
            }
        }
    }
    table
}
