//! Collects that are stopped somewhere and go on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tg_collector::{Body, CollectOptions, Collected, Entry, Folder, Listing, Source, Task};
use tg_model::RunId;
use tokio_util::sync::CancellationToken;

use crate::accounting::prove;
use crate::home::{Home, RUN, collect, tree};

/// A folder that counts what is opened, and stops for good after so many bytes.
struct Watched {
    folder: Folder,
    opened: Mutex<BTreeMap<String, u32>>,
    left: std::sync::Arc<Mutex<Option<Stop>>>,
}

struct Stop {
    bytes: u64,
    /// Dropped when the stop is reached.
    reached: Option<Sender<()>>,
    /// Ends when the test lets go.
    wait: Receiver<()>,
}

impl Watched {
    fn new(home: &Home) -> Self {
        let folder = Folder::new(home.run_dir());
        Self { folder, opened: Mutex::default(), left: std::sync::Arc::default() }
    }

    fn opened(&self) -> BTreeMap<String, u32> {
        self.opened.lock().expect("no panic").clone()
    }
}

impl Source for Watched {
    fn place(&self) -> String {
        self.folder.place()
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        self.folder.list(run)
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        *self.opened.lock().expect("no panic").entry(entry.path()).or_default() += 1;
        let left = self.left.clone();
        Box::pin(async move {
            let inner = self.folder.open(entry).await?;
            Ok(Box::new(Stopping { inner, left }) as Body)
        })
    }
}

struct Stopping {
    inner: Body,
    left: std::sync::Arc<Mutex<Option<Stop>>>,
}

impl Read for Stopping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1000);
        let n = self.inner.read(&mut buffer[..most])?;
        if let Some(stop) = self.left.lock().expect("no panic").as_mut() {
            if stop.bytes < n as u64 {
                stop.reached.take();
                // Nobody sends: it ends with the test.
                let _ended = stop.wait.recv();
                return Err(io::Error::other("the test is over"));
            }
            stop.bytes -= n as u64;
        }
        Ok(n)
    }
}

/// Files of all sizes: empty, small, of a block, of several.
fn sample() -> Home {
    let home = Home::new(&[("a", 3), ("b", 2)]);
    for (at, id) in ["a/0", "a/1", "a/2", "b/0", "b/1"].iter().enumerate() {
        home.write(&format!("outputs/{id}/run.out"), format!("{{\"ts\":{at},\"msg\":\"hello\"}}\n").repeat(200 * at));
        home.write(&format!("outputs/{id}/data.bin"), noise(at as u64 + 1, (at * 700) << 10));
        home.write(&format!("logs/{id}/stdout.log"), "");
    }
    home
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// The files that the journal in a folder names, below the run.
fn journaled(into: &Path) -> Vec<String> {
    let text = fs::read_to_string(into.join("outputs.zip.journal.partial")).unwrap_or_default();
    let name = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line["stored"]["stored"]["name"].as_str()?.strip_prefix(&format!("{RUN}/"))?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// The state of a folder, as a killed process would leave it: the journal first, since it speaks of less than what is
/// there.
fn snapshot(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in ["outputs.zip.journal.partial", "outputs.zip.partial"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).expect("a copy");
        }
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "waiting for {what}");
        tokio::task::yield_now().await;
    }
}

/// Collects until so many bytes were read, and gives the folder as it is then.
async fn stopped(home: &Home, bytes: u64) -> PathBuf {
    let source = std::sync::Arc::new(Watched::new(home));
    let (reached, told) = channel();
    let (let_go, wait) = channel();
    *source.left.lock().expect("no panic") = Some(Stop { bytes, reached: Some(reached), wait });
    let (into, left) = (home.path(&format!("stopped-{bytes}")), home.path(&format!("left-{bytes}")));
    let cancel = CancellationToken::new();
    let (task_into, task_cancel, task_source) = (into.clone(), cancel.clone(), source.clone());
    let task = tokio::spawn(async move {
        let run = RUN.parse().expect("a good id");
        let options = CollectOptions::default();
        tg_collector::collect(task_source.as_ref(), &run, &task_into, &options, &|_| {}, task_cancel).await
    });
    until("the stop", || told.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected)).await;
    // Whatever was read whole is told before the next wait.
    let mut whole = 0;
    let mut left_bytes = bytes;
    let listing = source.list(&RUN.parse().expect("a good id")).await.expect("it is there");
    for entry in &listing.entries {
        if entry.size > left_bytes {
            break;
        }
        left_bytes -= entry.size;
        whole += 1;
    }
    until("the journal", || journaled(&into).len() >= whole).await;
    snapshot(&into, &left);
    cancel.cancel();
    drop(let_go);
    task.await.expect("no panic").expect_err("it was stopped");
    left
}

async fn go_on(home: &Home, into: &Path) -> (Collected, BTreeMap<String, u32>) {
    let source = Watched::new(home);
    let collected = collect(&source, into, &CollectOptions::default()).await.expect("it goes on");
    (collected, source.opened())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_is_stopped_it_goes_on_from_there_to_the_same_bytes() {
    let home = sample();
    home.collect("whole", &CollectOptions::default()).await.expect("it can be collected");
    let whole = tree(&home.path("whole"));
    for bytes in [0, 500, 3000, 700 << 10, 720 << 10, 1_500_000, 4_000_000, 7_000_000] {
        let left = stopped(&home, bytes).await;
        let done = journaled(&left);
        let (collected, opened) = go_on(&home, &left).await;
        assert!(tree(&left) == whole, "stopped after {bytes} bytes");
        assert_eq!(collected.kept_files, done.len() as u64, "stopped after {bytes} bytes");
        assert!(bytes < 3000 || !done.is_empty(), "stopped after {bytes} bytes");
        for path in done {
            assert_eq!(opened.get(&path), None, "`{path}` is fetched again after {bytes} bytes");
        }
        assert!(opened.values().all(|&times| times == 1));
    }
}

#[tokio::test]
async fn a_collect_of_what_did_not_change_fetches_nothing() {
    let home = sample();
    let into = home.path("into");
    go_on(&home, &into).await;
    let before = tree(&into);
    let (collected, opened) = go_on(&home, &into).await;
    assert!(collected.unchanged && opened.is_empty() && tree(&into) == before);

    // One file more, one less, one changed: only these are fetched, and the rest is as if all were new.
    home.write("outputs/b/1/data.bin", "other");
    home.write("outputs/a/1/more.txt", "more\n");
    fs::remove_file(home.run_dir().join("outputs/a/0/run.out")).expect("it is there");
    let (collected, opened) = go_on(&home, &into).await;
    assert_eq!(opened.into_keys().collect::<Vec<_>>(), ["a/1/more.txt", "b/1/data.bin"]);
    assert!(!collected.unchanged);
    home.collect("anew", &CollectOptions::default()).await.expect("it can be collected");
    assert!(tree(&into) == tree(&home.path("anew")));

    // Without the journal, or with an archive that somebody else wrote, all of it is fetched.
    fs::write(into.join("outputs.zip"), "not ours").expect("it can be written");
    let (_, opened) = go_on(&home, &into).await;
    assert_eq!(opened.len() as u64, collected.kept_files + 2);
    assert!(tree(&into) == tree(&home.path("anew")));
}

#[tokio::test]
async fn what_was_stopped_is_kept_where_files_before_it_have_changed() {
    let home = sample();
    let left = stopped(&home, 4_000_000).await;
    let done = journaled(&left);
    home.write("outputs/a/0/run.out", "changed\n");
    let (_, opened) = go_on(&home, &left).await;
    for path in done {
        assert_eq!(opened.contains_key(&path), path == "a/0/run.out", "{path}");
    }
    home.collect("anew", &CollectOptions::default()).await.expect("it can be collected");
    assert!(tree(&left) == tree(&home.path("anew")));
}

#[tokio::test]
async fn without_an_archive_nothing_of_it_stays_and_one_that_is_there_is_used() {
    let home = sample();
    let bare = CollectOptions { archive: false, ..CollectOptions::default() };
    let collected = home.collect("bare", &bare).await.expect("it can be collected");
    assert_eq!(collected.archive, None);
    let names: Vec<_> =
        fs::read_dir(home.path("bare")).expect("a folder").map(|f| f.expect("a name").file_name()).collect();
    assert_eq!(names, ["dataset"]);
    go_on(&home, &home.path("into")).await;
    let before = tree(&home.path("into"));
    let collected = home.collect("into", &bare).await.expect("it can be collected");
    assert!(collected.unchanged && tree(&home.path("into")) == before);
}

#[test]
fn a_journal_or_an_archive_that_a_crash_has_harmed_costs_time_and_nothing_else() {
    let home = sample();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let left = runtime.block_on(stopped(&home, 4_000_000));
    runtime.block_on(home.collect("whole", &CollectOptions::default())).expect("it can be collected");
    let whole = tree(&home.path("whole"));
    let names = ["outputs.zip.journal.partial", "outputs.zip.partial"];
    let good: Vec<Vec<u8>> = names.iter().map(|name| fs::read(left.join(name)).expect("it is there")).collect();
    let harm = (0..2_usize, any::<prop::sample::Index>(), prop::option::of(any::<u8>()));
    proptest!(ProptestConfig::with_cases(24), |((which, at, byte) in harm)| {
        let into = home.path("harmed");
        drop(fs::remove_dir_all(&into));
        fs::create_dir_all(&into).expect("a folder");
        for (n, name) in names.iter().enumerate() {
            let mut bytes = good[n].clone();
            if n == which {
                let at = at.index(bytes.len());
                match byte {
                    Some(byte) => bytes[at] ^= byte,
                    None => bytes.truncate(at),
                }
            }
            fs::write(into.join(name), bytes).expect("it can be written");
        }
        let options = CollectOptions { dataset: false, ..CollectOptions::default() };
        runtime.block_on(collect(&Folder::new(home.run_dir()), &into, &options)).expect("it can be collected");
        let made = fs::read(into.join("outputs.zip")).expect("an archive");
        prop_assert!(made == whole[Path::new("outputs.zip")]);
    });
}

#[tokio::test]
async fn of_a_run_that_goes_on_what_is_missing_is_in_the_notes() {
    let home = Home::new(&[("a", 3)]);
    let path = home.run_dir().join("run.json");
    let mut run: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("run.json")).expect("JSON");
    run.as_object_mut().expect("an object").remove("ended_ns");
    fs::write(&path, run.to_string()).expect("it can be written");
    let started =
        |n: u32| format!("{{\"seq\":{n},\"ts\":{n},\"type\":\"instance_started\",\"instance\":\"a/{n}\",\"pid\":4}}\n");
    home.write("events.ndjson", started(0) + &started(1));
    home.write("outputs/a/0/run.out", "{\"ts\":5,\"ev");
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    let mut notes = tables["notes"].show(&["instance", "path", "reason"]);
    notes.sort();
    assert_eq!(notes, ["- run.json not-ended", "0 a/0/run.out half-line", "1 a/1 no-files"]);
    assert_eq!(tables["instances"].texts("outcome"), ["lost", "lost", "not-started"]);

    // It went on: what was fetched and did not change is not fetched again.
    home.write("outputs/a/1/run.out", "{\"ts\":5,\"event\":{\"success_event\":{\"group\":\"a\"}}}\n");
    let (_, opened) = go_on(&home, &home.path("into")).await;
    assert_eq!(opened.into_keys().collect::<Vec<_>>(), ["a/1/run.out"]);
}
