//! Lookups of a dataset against its own truth: what became of records, and what there is no answer to.

use polars::prelude::*;
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use tg_analyze::Dataset;
use tg_analyze::queries::{QueryOptions, Sort, queries as list};
use tg_analyze::report::{Cell, Report, Section, Shown, Table};
use tg_analyze::score::{LookupOptions, Retrieved, Scored, lookup, lookups, records};
use tg_analyze::stats::{StatsOptions, stats};
use tg_model::exit::Exit;
use tg_model::table;

use crate::dataset::Written;

const SECOND: i64 = 1_000_000_000;
const KEY: u8 = 0x60;
const OTHER: u8 = 0x80;

fn bytes(first: u8) -> [u8; 32] {
    std::array::from_fn(|at| if at == 0 { first } else { 0 })
}

/// Peers 0 to 3 at 0x00, 0x40, 0x61 and 0xC0; 2 is gone after 20 s.
fn written() -> Written {
    let n = 4_u32;
    let instances = df!(
        "instance" => (0..n).collect::<Vec<u32>>(),
        "group" => ["core"; 4],
        "group_seq" => (0..n).collect::<Vec<u32>>(),
        "peer_idx" => (0..n).collect::<Vec<u32>>(),
        "outcome" => ["ok"; 4],
        "as_expected" => [true; 4],
        "start_ts" => [0_i64; 4],
        "end_ts" => [9999 * SECOND, 9999 * SECOND, 20 * SECOND, 9999 * SECOND],
    );
    let places = [0x00, 0x40, 0x61, 0xC0].map(bytes);
    let peers = df!(
        "peer_idx" => (0..n).collect::<Vec<u32>>(),
        "peer_id" => (0..n).map(|i| format!("Qm{i}")).collect::<Vec<_>>(),
        "kad_id" => places.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>(),
        "instance" => (0..n).collect::<Vec<u32>>(),
    );
    Written::new().table(&table::INSTANCES, &instances.unwrap()).table(&table::PEERS, &peers.unwrap())
}

/// A lookup: (operation, key, begin and end in seconds, status, the closest set).
type Row = (&'static str, u8, i64, Option<i64>, &'static str, &'static [u32]);

fn queries(rows: &[Row]) -> DataFrame {
    let keys: Vec<[u8; 32]> = rows.iter().map(|row| bytes(row.1)).collect();
    let n = u64::try_from(rows.len()).unwrap();
    let closest: Vec<Series> = rows.iter().map(|row| Series::new("".into(), row.5)).collect();
    df!(
        "query_id" => (0..n).collect::<Vec<u64>>(),
        "instance" => vec![0_u32; rows.len()],
        "op" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "target_kad" => keys.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>(),
        "start_ts" => rows.iter().map(|row| row.2 * SECOND).collect::<Vec<_>>(),
        "end_ts" => rows.iter().map(|row| row.3.map(|end| end * SECOND)).collect::<Vec<_>>(),
        "status" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "closest_idx" => closest,
        "id_quality" => vec!["own"; rows.len()],
    )
    .unwrap()
}

#[test]
fn records_are_followed_from_their_first_placement() {
    let rows: [Row; 7] = [
        // Before there is a record, and of a key that nobody provides: no retrieval.
        ("find_providers", KEY, 0, Some(1), "fail", &[]),
        // To 2 and 1, which are the two nearest; then to 1 and 3 when 2 is gone, and the nearest alive are 1 and 3.
        ("provide", KEY, 1, Some(2), "done", &[2, 1]),
        ("find_providers", KEY, 3, Some(4), "done", &[2]),
        ("provide", KEY, 29, Some(30), "done", &[1, 3]),
        ("find_providers", KEY, 50, Some(60), "incomplete", &[]),
        ("find_providers", KEY, 30 + 601, None, "done", &[]),
        ("get", OTHER, 50, Some(51), "done", &[]),
    ];
    let written = written().table(&table::QUERIES, &queries(&rows));
    let scored = Scored::read(&Dataset::open(written.path()).unwrap(), 2).unwrap();
    let found = records(&scored);
    assert_eq!((found.keys, found.placements, found.placement_recall), (1, 2, Some(1.0)));
    let of = |age, n, done, alive| Retrieved { age, n, done, holders_alive: Some(alive) };
    // Holders are 2 and 1, later 3 too; 2 is dead from 20 s on.
    let wanted = [of("up to 10 s", 1, 1, 1.0), of("up to 1 min", 1, 0, 2.0 / 3.0), of("up to 1 h", 1, 1, 2.0 / 3.0)];
    assert_eq!(found.ages, wanted);
    // The last but one never ended: it has no score, and is no recall of 0.
    let recalls: Vec<Option<f64>> =
        scored.lookups.iter().map(|lookup| lookup.score.and_then(|score| score.recall_alive)).collect();
    assert_eq!(recalls[4..6], [Some(0.0), None]);
}

#[test]
fn without_lookups_or_steps_it_is_said() {
    let options = LookupOptions::default();
    let none = written();
    let why = lookups(&Dataset::open(none.path()).unwrap(), &options).unwrap_err();
    assert_eq!(why.exit(), Exit::NoData);
    let bare = none.table(&table::QUERIES, &queries(&[("get", KEY, 0, Some(1), "done", &[])]));
    let dataset = Dataset::open(bare.path()).unwrap();
    let report = lookup(&dataset, "0", &options).unwrap();
    assert!(report.notes[0].text.starts_with("no step of this lookup was written"));
    assert!(lookups(&dataset, &options).is_ok());
    assert_eq!(lookup(&dataset, "1", &options).unwrap_err().exit(), Exit::Usage);
}

fn table<'a>(report: &'a Report, key: &str) -> &'a Table {
    let tables = report.sections.iter().filter_map(|section| match section {
        Section::Table(table) => Some(table),
        Section::Facts(_) => None,
    });
    tables.into_iter().find(|table| table.key == key).unwrap_or_else(|| panic!("no table {key}"))
}

fn numbers(table: &Table, key: &str) -> Vec<Option<f64>> {
    let at = table.columns.iter().position(|column| column.key == key).unwrap_or_else(|| panic!("no column {key}"));
    let number = |row: &Vec<Cell>| match row[at] {
        Cell::Number(number, _) => Some(number),
        Cell::Count(count) => Some(count as f64),
        _ => None,
    };
    table.rows.iter().map(number).collect()
}

/// How a crowd is written down.
struct Told {
    /// So many places for all.
    places: u32,
    /// The number of each peer.
    numbers: Vec<u32>,
    /// Where the tables of lookups and of their steps are cut.
    cuts: Vec<usize>,
}

const PEERS: u32 = 60;
const STRANGERS: u32 = 5;
const LOOKUPS: usize = 500;

impl Told {
    fn with_places(places: u32) -> Self {
        Self { places, numbers: (0..PEERS + STRANGERS).collect(), cuts: Vec::new() }
    }

    /// Writes a table in parts, cut where they say.
    fn parts(&self, written: Written, table: &table::Table, rows: &DataFrame) -> Written {
        let mut cuts: Vec<usize> = self.cuts.iter().map(|cut| cut % rows.height()).filter(|&cut| cut > 0).collect();
        cuts.extend([0, rows.height()]);
        cuts.sort_unstable();
        cuts.dedup();
        cuts.windows(2).fold(written, |written, part| {
            written.table(table, &rows.slice(i64::try_from(part[0]).unwrap(), part[1] - part[0]))
        })
    }
}

/// Sixty peers, some of them clients, some without a place, most of them gone or not yet there for a while, and 500
/// lookups of them and of strangers.
fn crowd(told: &Told) -> Written {
    let label = |one: u32| told.numbers.get(one as usize).copied().unwrap_or(u32::MAX - one);
    let mut state = 1_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let n = PEERS as usize;
    let from: Vec<i64> = (0..n).map(|_| i64::try_from(below(200)).unwrap() * SECOND).collect();
    let until: Vec<i64> = from.iter().map(|from| from + i64::try_from(below(900)).unwrap() * SECOND).collect();
    let instances = df!(
        "instance" => (0..PEERS).collect::<Vec<u32>>(),
        "group" => vec!["core"; n],
        "group_seq" => (0..PEERS).collect::<Vec<u32>>(),
        "peer_idx" => (0..PEERS).map(|one| (one % 13 != 5).then_some(label(one))).collect::<Vec<_>>(),
        "role" => (0..PEERS).map(|one| if one % 7 == 3 { "client" } else { "server" }).collect::<Vec<_>>(),
        "outcome" => vec!["ok"; n],
        "as_expected" => vec![true; n],
        "start_ts" => from,
        "end_ts" => until,
        "params" => params(n, "5"),
    );
    // With fewer places than peers two share one, and all share a long prefix.
    let place = |one: u32| {
        std::array::from_fn::<u8, 32, _>(|at| if at == 0 { u8::try_from(one % told.places).unwrap() } else { 7 })
    };
    let places: Vec<[u8; 32]> = (0..PEERS + STRANGERS).map(place).collect();
    let peers = df!(
        "peer_idx" => (0..PEERS + STRANGERS).map(label).collect::<Vec<u32>>(),
        "peer_id" => (0..PEERS + STRANGERS).map(|one| format!("Qm{one}")).collect::<Vec<_>>(),
        "kad_id" => (0..).zip(&places).map(|(at, place)| (at % 11 != 4).then_some(place.as_slice())).collect::<Vec<_>>(),
        "instance" => (0..PEERS + STRANGERS).map(|one| (one < PEERS).then_some(one)).collect::<Vec<_>>(),
    );
    let rows = LOOKUPS;
    let targets: Vec<[u8; 32]> = (0..rows).map(|_| places[usize::try_from(below(20)).unwrap()]).collect();
    let closest: Vec<Series> = (0..rows)
        .map(|_| {
            let some: Vec<u32> =
                (0..below(9)).map(|_| label(u32::try_from(below(u64::from(PEERS) + 7)).unwrap())).collect();
            Series::new("".into(), some)
        })
        .collect();
    let ends: Vec<Option<i64>> =
        (0..rows).map(|at| (at % 9 != 2).then(|| i64::try_from(below(1000)).unwrap() * SECOND)).collect();
    let queries = df!(
        "query_id" => (0..rows as u64).collect::<Vec<_>>(),
        "instance" => (0..rows).map(|at| u32::try_from(at % 61).unwrap()).collect::<Vec<_>>(),
        "op" => (0..rows).map(|at| if at % 3 == 0 { "get" } else { "put" }).collect::<Vec<_>>(),
        "target_kad" => targets.iter().enumerate().map(|(at, one)| (at % 17 != 1).then_some(one.as_slice())).collect::<Vec<_>>(),
        "end_ts" => ends,
        "status" => vec!["done"; rows],
        "closest_idx" => closest,
        "id_quality" => (0..rows).map(|at| if at % 19 == 7 { "metric_only" } else { "own" }).collect::<Vec<_>>(),
    );
    let settled: Vec<u64> = (0..rows as u64).filter(|at| at % 4 == 0).collect();
    let events = df!(
        "query_id" => &settled,
        "seq" => vec![9_u32; settled.len()],
        "ts" => settled.iter().map(|_| i64::try_from(below(1000)).unwrap() * SECOND).collect::<Vec<_>>(),
        "kind" => vec!["terminate"; settled.len()],
    );
    let written = Written::new().table(&table::INSTANCES, &instances.unwrap()).table(&table::PEERS, &peers.unwrap());
    let written = told.parts(written, &table::QUERIES, &queries.unwrap());
    told.parts(written, &table::QUERY_EVENTS, &events.unwrap())
}

/// The parameter `bucket_size` of every instance.
fn params(instances: usize, size: &str) -> Vec<Series> {
    let one = df!("key" => ["bucket_size"], "value" => [size]).unwrap().into_struct("".into()).into_series();
    vec![one; instances]
}

#[test]
fn screens_and_lists_have_the_scores_that_each_lookup_has_alone() {
    let written = crowd(&Told::with_places(50));
    let dataset = Dataset::open(written.path()).unwrap();
    for k in [1, 5, 40] {
        let scored = Scored::read(&dataset, k).unwrap();
        let listed = list(&dataset, &QueryOptions { k: Some(k), ..QueryOptions::default() }).unwrap();
        let listed = table(&listed, "queries");
        let wanted = |of: fn(&tg_analyze::score::Score) -> Option<f64>| -> Vec<Option<f64>> {
            scored.lookups.iter().map(|lookup| lookup.score.as_ref().and_then(of)).collect()
        };
        assert_eq!(numbers(listed, "recall_alive"), wanted(|score| score.recall_alive), "k {k}");
        assert_eq!(numbers(listed, "recall_all"), wanted(|score| score.recall_all), "k {k}");
        assert_eq!(numbers(listed, "displacement_alive"), wanted(|score| score.displacement_alive), "k {k}");
        let options = StatsOptions { k: Some(k), ..StatsOptions::default() };
        let report = stats(std::slice::from_ref(&dataset), &options).unwrap();
        let operations = table(&report, "operations");
        let all = wanted(|score| score.recall_all).into_iter().flatten();
        let total: f64 = numbers(operations, "recall_all_ratio")
            .into_iter()
            .zip(numbers(operations, "scored"))
            .map(|(mean, n)| mean.unwrap_or(0.0) * n.unwrap())
            .sum();
        assert!((total - all.sum::<f64>()).abs() < 1e-9, "k {k}");
    }
}

#[test]
fn the_screen_scores_lookups_without_being_asked_against_the_buckets_of_the_run() {
    let written = crowd(&Told::with_places(50));
    let dataset = Dataset::open(written.path()).unwrap();
    let ask = |k| stats(std::slice::from_ref(&dataset), &StatsOptions { k, ..StatsOptions::default() }).unwrap();
    let (plain, five) = (ask(None), ask(Some(5)));
    assert_eq!(table(&plain, "operations"), table(&five, "operations"));
    assert_ne!(table(&plain, "operations"), table(&ask(Some(6)), "operations"));
    let shown = |report: &Report| -> Vec<String> {
        let columns = table(report, "operations").columns.iter();
        columns.filter(|column| column.shown == Shown::Always).map(|column| column.title.clone()).collect()
    };
    for title in ["recall@5 alive", "recall@5 all", "rank off"] {
        assert!(shown(&plain).contains(&title.to_owned()), "{title}: {:?}", shown(&plain));
    }
    let worst = QueryOptions { sort: Sort::WorstRecall, limit: Some(10), ..QueryOptions::default() };
    let worst = list(&dataset, &worst).unwrap();
    let found = numbers(table(&worst, "queries"), "recall_alive");
    assert!(found.len() == 10 && found.is_sorted() && found.iter().all(Option::is_some), "{found:?}");
}

/// The screen, the list and the summary of the lookups of a run, line by line.
fn answers(written: &Written) -> Vec<String> {
    let dataset = Dataset::open(written.path()).unwrap();
    let screen = stats(std::slice::from_ref(&dataset), &StatsOptions::default()).unwrap();
    let list = list(&dataset, &QueryOptions { sort: Sort::WorstRecall, ..QueryOptions::default() }).unwrap();
    let summary = lookups(&dataset, &LookupOptions { k: 5, worst: 10 }).unwrap();
    let lines = |report: Report| -> Vec<String> {
        let parts = report.sections.into_iter().flat_map(|section| match section {
            Section::Table(table) => table.rows.iter().map(|row| format!("{}: {row:?}", table.key)).collect::<Vec<_>>(),
            Section::Facts(facts) => facts.facts.iter().map(|fact| format!("{fact:?}")).collect(),
        });
        parts.chain(report.notes.into_iter().map(|note| note.text)).collect()
    };
    [screen, list, summary].into_iter().flat_map(lines).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn neither_the_numbers_of_peers_nor_the_cuts_between_parts_change_an_answer(
        numbers in proptest::strategy::Just((0..PEERS + STRANGERS).collect::<Vec<u32>>()).prop_shuffle(),
        apart in 1_u32..1000,
        cuts in proptest::collection::vec(0..LOOKUPS, 0..4),
    ) {
        // One place each: which of two at one place is nearer is said by their numbers.
        let plain = crowd(&Told::with_places(PEERS + STRANGERS));
        let numbers = numbers.into_iter().map(|number| number * apart).collect();
        let other = crowd(&Told { numbers, cuts, ..Told::with_places(PEERS + STRANGERS) });
        let (plain, other) = (answers(&plain), answers(&other));
        proptest::prop_assert_eq!(plain.len(), other.len());
        for (one, two) in plain.iter().zip(&other) {
            proptest::prop_assert_eq!(one, two);
        }
    }
}
