//! Ways in for fuzzers, for the tests that keep what fuzzers found, and for a benchmark.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arrow::array::AsArray as _;
use arrow::datatypes::{UInt32Type, UInt64Type};
use tg_model::RunId;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::archive::read::Archive;
use crate::collect::{CollectOptions, Collected, collect};
use crate::dataset::build::build;
use crate::dataset::own::Keys;
use crate::dataset::own_line;
use crate::dataset::scratch::Scratch;
use crate::dataset::segment::{Segment, Shapes, T};
use crate::read::facts::Facts;
use crate::read::file::{self, FileAt, Repeats};
use crate::rules::Rules;
use crate::source::names;

/// The files whose readers differ.
pub const NAMES: &[&str] = &[
    "run.out",
    "results.out",
    "diagnostics.out",
    "dht_graphs.out",
    "dht_rt.out",
    "dht_queries.out",
    "dht_lookups.out",
    "rt_evts.out",
    "node.out",
    "conn_trace.out",
    "stdout.log",
    "stderr.log",
    "tg.lookups.ndjson",
    "tg.connections.ndjson",
    "tg.routing.ndjson",
    "tg.peers.ndjson",
    "mine.ndjson",
    "notes.txt",
    "stdout.json",
    "stderr.json",
    "tracer-output-honest-1-full.bin",
    "tracer-output-honest-1-full.bin.gz",
    "trace.out",
    "peer-scores-honest-1.json",
    "tracer-output-honest-1-aggregate.json",
    "connections-honest-1-0.json",
];

/// A folder of this process and call, in memory where that is possible.
fn scratch() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let shm = PathBuf::from("/dev/shm");
    let base = if shm.is_dir() { shm } else { std::env::temp_dir() };
    base.join(format!("tg-fuzz-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Reads `content` as a file of that number in [`NAMES`].
///
/// # Panics
///
/// If a line has no fate, more than one, or one that its rows do not show, or if it is an object to one reader only.
pub fn lines(which: usize, content: &[u8]) {
    content.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok()).for_each(one_opinion);
    fates(NAMES[which % NAMES.len()], content, None);
}

/// Reads `text` as a file of rules, and by them `content` as a file whose name they most likely match.
///
/// # Panics
///
/// If a line has no fate, more than one, or one that its rows do not show.
pub fn rules(text: &[u8], content: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(rules) = Rules::parse("rules.toml", text) else { return };
    assert!(Rules::parse("rules.toml", rules.text()).is_ok(), "the archive's rules can be read again");
    fates("mine.ndjson", content, Some(&rules));
}

/// Our scanner takes the lines that the JSON library takes, but for the last level of those that are nested to its limit.
fn one_opinion(line: &str) {
    const DEEP: usize = 100;
    if line.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() < DEEP {
        let scanned = own_line::read(line, Vec::new()).is_some();
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
        assert_eq!(scanned, object, "{line}");
    }
}

fn fates(name: &str, content: &[u8], rules: Option<&Rules>) {
    let dir = scratch();
    let scratch = Scratch::new(dir.clone(), 256 << 20);
    let mut segment = Segment::new(&Arc::new(Shapes::new()), &scratch);
    let mut facts = Facts::default();
    let mut repeats = Repeats::new(&scratch);
    let at = FileAt { instance: 0, file_id: 1, name, path: name, rules };
    file::read(&mut segment, &mut facts, &mut repeats, at, content).expect("memory can be read");
    repeats.check().expect("memory can be read");
    let parts = segment.finish().expect("rows fit their tables");
    let (mut rows, mut notes, mut counts) = (BTreeSet::new(), BTreeSet::new(), [0_u64; 4]);
    for part in &parts {
        for (name, pile) in &part.own {
            let mut keys = Keys::new(rules.and_then(|rules| rules.declared(name)));
            keys.merge(&pile.keys);
            let filler = keys.filler(name);
            for (layout, pile) in &pile.piles {
                for batch in pile.read().expect("rows can be read") {
                    let batch = filler.fill(layout, &batch.expect("rows can be read")).expect("rows fit their table");
                    rows.extend(batch.column(1).as_primitive::<UInt32Type>().values());
                }
            }
        }
        for t in T::ALL {
            let Some(pile) = &part.tables[t as usize] else { continue };
            for batch in pile.read().expect("rows can be read") {
                let batch = batch.expect("rows can be read");
                if t == T::Files {
                    let at = batch.num_columns() - 4;
                    counts = std::array::from_fn(|i| batch.column(at + i).as_primitive::<UInt64Type>().value(0));
                    continue;
                }
                let lines = batch.column(1).as_primitive::<UInt32Type>().values();
                let into = if t == T::Notes { &mut notes } else { &mut rows };
                into.extend(lines.iter().copied().filter(|&line| line > 0));
            }
        }
    }
    let [lines, mapped, logged, noted] = counts;
    assert_eq!(lines, mapped + logged + noted, "{name}: each line has one fate");
    assert_eq!(rows.len() as u64, mapped + logged, "{name}: rows show what was read");
    assert_eq!(notes.len() as u64, noted, "{name}: notes show what was not");
    assert!(rows.is_disjoint(&notes), "{name}: no line is read and noted");
}

/// Makes a dataset of `content` as an archive of ours, and collects it as one of anybody's; whether either succeeds does
/// not matter, only that it ends.
///
/// # Panics
///
/// If there is no place for temporary files, or if a collect leaves what is not safe or cannot be read again.
pub fn archive(content: &[u8]) {
    let dir = scratch();
    let into = dir.join("dataset");
    std::fs::create_dir_all(&into).expect("a folder for temporary files");
    let path = dir.join("outputs.zip");
    std::fs::write(&path, content).expect("a folder for temporary files");
    let run = "r".parse().expect("a good id");
    let built = build(&path, &run, &into, 1, &|_| {}, &CancellationToken::new());
    drop(built);
    collected(&path, &run, &dir.join("into"));
    std::fs::remove_dir_all(&dir).expect("a folder for temporary files");
}

/// Makes the dataset of an archive below `into`, as the second half of a collect does.
///
/// # Panics
///
/// If it cannot be made.
pub fn dataset(archive: &Path, run: &str, into: &Path, jobs: usize) {
    std::fs::create_dir_all(into).expect("a folder for the dataset");
    let run = run.parse().expect("a good id");
    build(archive, &run, into, jobs, &|_| {}, &CancellationToken::new()).expect("an archive of a run");
}

fn collected(path: &Path, run: &RunId, into: &Path) {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    let options = CollectOptions { jobs: 1, dataset: false, ..CollectOptions::default() };
    let Ok(source) = crate::archive(path, into) else { return };
    let collected = RUNTIME.block_on(collect(&*source, run, into, &options, &|_| {}, CancellationToken::new()));
    let Ok(Collected { archive: Some(archive), .. }) = collected else { return };
    // Names that are safe stay as they are.
    for file in Archive::open(&archive).and_then(|mut archive| archive.files()).expect("what we wrote can be read") {
        assert_eq!(names::safe(&file.name).as_bytes(), file.name, "a name in the archive is safe");
    }
}
