//! Runs in an object store: servers that speak the protocol over HTTP, and everything that can go wrong with one.

use std::fs;
use std::time::Duration;

use tg_collector::{
    CollectError, CollectOptions, Folder, Objects, Published, Publisher, S3, S3Settings, Source as _, ZipFile,
};
use tg_model::Exit;
use tokio_util::sync::CancellationToken;

use crate::accounting::{open, prove};
use crate::home::{Home, RUN, collect, tree};
use crate::serve::Faults;
use crate::server::{Server, servers};
use crate::store::{ACCESS_KEY, SECRET_KEY};

fn keys() -> (String, String) {
    (ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())
}

async fn at(endpoint: &str, place: &str) -> S3 {
    let settings = S3Settings { endpoint: Some(endpoint.to_owned()), keys: Some(keys()), ..S3Settings::default() };
    S3::new(place.parse().expect("a place"), &settings).await
}

/// A part of a store, behind a door of its own.
async fn source(server: &Server, faults: Faults, place: &str) -> Objects {
    Objects::new(at(&server.endpoint(faults, false).await, place).await)
}

/// Lines that do not compress to nothing.
fn lines(seed: usize, count: usize) -> String {
    let line = |n: usize| format!("{{\"ts\":{n},\"x\":{}}}", (n + seed).wrapping_mul(2_654_435_761) % 1_000_003);
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

const EVENT: &str = "{\"ts\":5,\"event\":{\"success_event\":{\"group\":\"g\"}}}\n";

/// A run of the predecessor with names that need care, in a folder and in a store.
async fn run_in_both(home: &Home, server: &Server, prefix: &str, instances: usize) {
    for index in 0..instances {
        for (name, content) in [
            ("run.out".to_owned(), EVENT.to_owned()),
            ("deep/er/data.ndjson".to_owned(), lines(index, 40 + index)),
            ("with space+plus%.txt".to_owned(), "words\n".to_owned()),
            ("k\u{fc}hl.txt".to_owned(), String::new()),
        ] {
            let path = format!("g/{index}/{name}");
            home.write(&path, &content);
            server.put(&format!("{prefix}/{RUN}/{path}"), content).await;
        }
    }
    // Two parts, and a bit.
    let large: Vec<u8> = (0..(17_u32 << 20)).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    home.write("g/0/large.bin", &large);
    server.put(&format!("{prefix}/{RUN}/g/0/large.bin"), large).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_gives_what_a_folder_and_an_archive_give_whatever_goes_wrong() {
    for server in servers(7).await {
        let home = Home::foreign();
        run_in_both(&home, &server, "runs", 12).await;
        server.put("runs/other-run/g/0/run.out", EVENT).await;
        server.put(&format!("runs/{RUN}/g/3/"), "").await;
        let options = CollectOptions::default();
        let folder = Folder::find(home.run_dir(), &RUN.parse().expect("an id")).expect("it is found");
        collect(&folder, &home.path("folder"), &options).await.expect("it can be collected");
        let wanted = tree(&home.path("folder"));
        prove(&home.path("folder"), RUN);
        let zip = ZipFile::new(home.path("folder/outputs.zip"));
        collect(&zip, &home.path("zip"), &options).await.expect("it can be collected");
        assert!(tree(&home.path("zip")) == wanted, "an archive gives the same");

        let faults = [
            ("none", Faults::default()),
            ("slow-down", Faults { slow_down: 4, ..Faults::default() }),
            ("reset", Faults { reset: 5, ..Faults::default() }),
            ("cut", Faults { cut: 3, ..Faults::default() }),
            ("slow", Faults { slow: 9, delay: Duration::from_millis(1), ..Faults::default() }),
            ("all", Faults { slow_down: 5, reset: 7, cut: 4, ..Faults::default() }),
        ];
        for (name, faults) in faults {
            // The run's own folder is a place as well.
            let place = if name == "reset" { format!("s3://lab/runs/{RUN}") } else { "s3://lab/runs".to_owned() };
            let source = source(&server, faults, &place).await;
            collect(&source, &home.path(name), &options).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(tree(&home.path(name)) == wanted, "{name} gives the same");
        }
        let requests = server.requests();
        let source = source(&server, Faults::default(), "s3://lab/runs").await;
        let again = collect(&source, &home.path("none"), &options).await.expect("it can be collected");
        assert!(again.unchanged && again.kept_files == 49, "{again:?}");
        assert_eq!(server.requests() - requests, 8, "only the listing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_may_stand_in_front_and_what_changes_meanwhile_is_noted() {
    for server in servers(1000).await {
        let home = Home::foreign();
        for index in 0..4 {
            server.put(&format!("dht/{RUN}/g/{index}/run.out"), EVENT).await;
            server.put(&format!("dht/{RUN}/g/{index}/data.txt"), "first\n").await;
        }
        server.put("ping/other/g/0/run.out", EVENT).await;
        let source = source(&server, Faults::default(), "s3://lab").await;
        let run = RUN.parse().expect("an id");
        // Between list and read.
        let listing = source.list(&run).await.expect("it is there");
        server.put(&format!("dht/{RUN}/g/1/data.txt"), "second\n").await;
        server.remove(&format!("dht/{RUN}/g/2/data.txt")).await;
        let mut reasons = Vec::new();
        for entry in &listing.entries {
            if let Err(error) = source.open(entry).await {
                assert!(matches!(error, CollectError::Read { .. }), "{error:?}");
                reasons.push(entry.path());
            }
        }
        assert_eq!(reasons, ["g/1/data.txt", "g/2/data.txt"]);
        collect(&source, &home.path("into"), &CollectOptions::default()).await.expect("it can be collected");
        let tables = open(&home.path("into/dataset"));
        assert_eq!(tables["files"].rows(), 7);

        let error = source.list(&"nobody".parse().expect("an id")).await.expect_err("no such run");
        assert_eq!(error.exit(), Exit::RunNotFound);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_away_is_no_note_and_what_was_fetched_is_kept() {
    for server in servers(1000).await {
        let home = Home::foreign();
        server.put(&format!("{RUN}/g/0/run.out"), EVENT).await;
        let good = source(&server, Faults::default(), "s3://lab").await;
        let options = CollectOptions { dataset: false, ..CollectOptions::default() };
        let wrong =
            S3Settings { endpoint: Some("http://127.0.0.1:1".to_owned()), keys: Some(keys()), ..S3Settings::default() };
        let unreachable = Objects::new(S3::new("s3://lab".parse().expect("a place"), &wrong).await);
        let error = collect(&unreachable, &home.path("into"), &options).await.expect_err("nobody listens there");
        assert_eq!(error.exit(), Exit::Source);
        assert!(error.hint().is_some() && !home.path("into").exists(), "{error}");

        // moto lets everybody in.
        if server.asks_for_keys() {
            let endpoint = server.endpoint(Faults::default(), false).await;
            let stranger = S3Settings {
                endpoint: Some(endpoint),
                keys: Some(("nobody".to_owned(), "nothing".to_owned())),
                ..S3Settings::default()
            };
            let denied = Objects::new(S3::new("s3://lab".parse().expect("a place"), &stranger).await);
            let error = collect(&denied, &home.path("into"), &options).await.expect_err("it is denied");
            assert_eq!(error.exit(), Exit::Source);
            let cause = std::error::Error::source(&error).expect("a cause").to_string();
            assert!(cause.contains("denied"), "{cause}");
        }
        let nowhere = source(&server, Faults::default(), "s3://no-such-bucket/x").await;
        let error = collect(&nowhere, &home.path("into"), &options).await.expect_err("no such bucket");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(error.exit() == Exit::Source && cause.contains("NoSuchBucket"), "{error}: {cause}");

        collect(&good, &home.path("into"), &options).await.expect("it can be collected");
        assert!(fs::metadata(home.path("into/outputs.zip")).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_store_needs_no_credentials() {
    for server in servers(1000).await {
        let home = Home::foreign();
        server.put(&format!("{RUN}/g/0/run.out"), EVENT).await;
        let endpoint = server.endpoint(Faults::default(), true).await;
        let settings = S3Settings { endpoint: Some(endpoint), anonymous: true, ..S3Settings::default() };
        let source = Objects::new(S3::new("s3://lab".parse().expect("a place"), &settings).await);
        let collected =
            collect(&source, &home.path("into"), &CollectOptions::default()).await.expect("it can be collected");
        assert_eq!(collected.outcomes.get("ok"), Some(&1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_collected_as_the_folder_is() {
    let home = Home::new(&[("g", 3)]);
    for index in 0..3 {
        home.write(&format!("outputs/g/{index}/run.out"), EVENT);
        home.write(&format!("logs/g/{index}/stdout.log"), lines(index, 30));
        home.write(&format!("outputs/g/{index}/sub/k\u{fc}hl + 100%.txt"), "");
    }
    let large: Vec<u8> = (0..(17_u32 << 20)).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    home.write("outputs/g/1/large.bin", large);
    std::os::unix::fs::symlink("/etc/passwd", home.run_dir().join("outputs/g/0/link")).expect("a link");
    let options = CollectOptions::default();
    home.collect("folder", &options).await.expect("it can be collected");

    let run: tg_model::RunId = RUN.parse().expect("an id");
    // Of any four requests in a row one gets through: the first list is tried so often and no more.
    for faults in [Faults::default(), Faults { slow_down: 5, reset: 7, cut: 4, ..Faults::default() }] {
        for server in servers(5).await {
            let endpoint = server.endpoint(faults, false).await;
            let s3 = at(&endpoint, "s3://lab/runs").await;
            let publisher = Publisher::new(s3.clone(), run.clone(), &home.run_dir());
            for index in 0..2 {
                let id = format!("g/{index}").parse().expect("an instance");
                let published = publisher.instance(&id).await.expect("it can be published");
                assert_eq!((published.files, published.notes.len()), ([3, 4][index], [1, 0][index]), "{published:?}");
            }
            assert!(!server.keys().await.iter().any(|key| key.ends_with("run.json")), "the run's own files come last");
            let published = publisher.all(&|_, _| {}, &CancellationToken::new()).await.expect("it can be published");
            // What the instances published is there; so is what a request had brought whose answer was lost.
            assert_eq!((published.files, published.kept_files), (11, 7));
            let again = publisher.all(&|_, _| {}, &CancellationToken::new()).await.expect("it can be published");
            assert_eq!(again, Published { kept_files: 11, ..published });
            home.write("outputs/g/0/run.out", format!("{EVENT}{EVENT}"));
            let changed = publisher.all(&|_, _| {}, &CancellationToken::new()).await.expect("it can be published");
            assert_eq!((changed.files, changed.kept_files), (11, 10));
            home.write("outputs/g/0/run.out", EVENT);
            publisher.instance(&"g/0".parse().expect("an instance")).await.expect("it can be published");
            if faults.reset == 0 {
                assert_eq!(server.open_uploads().await, 0, "nothing half done is left");
            }
            assert!(server.keys().await.contains(&format!("runs/{RUN}/run.json")));
            let into = format!("from-{server}-{}", faults.reset);
            collect(&Objects::new(s3), &home.path(&into), &options).await.expect("it can be collected");
            let (mut got, mut wanted) = (tree(&home.path(&into)), tree(&home.path("folder")));
            // The link is noted where it is, and is not in the store.
            for tree in [&mut got, &mut wanted] {
                tree.retain(|path, _| !path.starts_with("dataset") || path.starts_with("dataset/metrics"));
                tree.remove(std::path::Path::new("outputs.zip"));
            }
            assert!(got == wanted);
            let rows = |into: &str, table: &str| open(&home.path(into).join("dataset"))[table].rows();
            assert_eq!(rows(&into, "files") + 1, rows("folder", "files"), "all but notes.ndjson");
            assert_eq!(rows(&into, "logs"), rows("folder", "logs"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_dies_meanwhile_ends_the_collect_and_the_next_goes_on() {
    for server in servers(1000).await {
        let home = Home::foreign();
        for index in 0..200 {
            server.put(&format!("{RUN}/g/{index}/data.txt"), lines(index, 400)).await;
        }
        let endpoint = server.endpoint(Faults { dies_after: 150, ..Faults::default() }, false).await;
        let settings =
            S3Settings { endpoint: Some(endpoint), keys: Some(keys()), tries: Some(2), ..S3Settings::default() };
        let dying = Objects::new(S3::new("s3://lab".parse().expect("a place"), &settings).await);
        let options = CollectOptions { dataset: false, ..CollectOptions::default() };
        let error = collect(&dying, &home.path("into"), &options).await.expect_err("it is gone");
        assert_eq!(error.exit(), Exit::Source, "{error:?}");
        assert!(!home.path("into/outputs.zip").exists());
        // The same place in the same words: only then is what was fetched taken for what is there.
        let good = source(&server, Faults::default(), "s3://lab").await;
        let collected = collect(&good, &home.path("into"), &options).await.expect("it goes on");
        assert!(collected.kept_files > 0 && collected.notes.is_empty(), "{collected:?}");
        collect(&good, &home.path("at-once"), &options).await.expect("it can be collected");
        assert!(tree(&home.path("into")) == tree(&home.path("at-once")));
    }
}
