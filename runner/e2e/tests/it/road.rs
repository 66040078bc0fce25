//! The whole road: run, collect, analyze.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tg_e2e::{Home, plan};
use tg_model::layout;

use crate::table::run_case;

/// Every file below a folder, with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below the root").to_owned();
                found.insert(name, fs::read(&path).expect("a readable file"));
            }
        }
    }
    found
}

#[test]
fn a_run_is_collected_and_asked_and_a_second_collect_gives_the_same_bytes() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "outputs", 3, &[]);
    done.expect(0);

    home.tg(["collect", "latest"]).expect(0);
    let archive = run.dir.join(layout::ARCHIVE_FILE);
    let dataset = run.dir.join(layout::DATASET_DIR);
    let first = (fs::read(&archive).expect("an archive"), files(&dataset));
    for table in ["instances", "events", "metrics", "logs", "files"] {
        assert!(first.1.contains_key(&Path::new(table).join("part-0000.parquet")), "no table `{table}`");
    }
    assert!(!first.1.contains_key(Path::new("queries/part-0000.parquet")), "a table without rows is absent");

    let stats = home.tg(["analyze", "stats", "latest", "--format", "json"]);
    stats.expect(0);
    let text = &stats.stdout;
    serde_json::from_str::<serde_json::Value>(text).expect("stats are JSON");
    assert!(text.contains("answers") && text.contains("42"), "{text}");

    fs::remove_file(&archive).expect("the archive goes");
    fs::remove_dir_all(&dataset).expect("the dataset goes");
    home.tg(["collect", "latest"]).expect(0);
    let second = (fs::read(&archive).expect("an archive"), files(&dataset));
    assert!(first.0 == second.0, "another archive");
    assert_eq!(first.1.keys().collect::<Vec<_>>(), second.1.keys().collect::<Vec<_>>());
    for (name, bytes) in &first.1 {
        assert!(second.1[name] == *bytes, "another `{}`", name.display());
    }
    let left: Vec<PathBuf> =
        files(&run.dir).into_keys().filter(|name| name.to_string_lossy().contains(".partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_run_that_was_killed_can_be_collected() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "outputs", 1, &[]);
    done.expect(0);
    // As if tg had died before the end of the log was written.
    let events = run.dir.join(layout::EVENTS_FILE);
    let text = fs::read_to_string(&events).expect("an event log");
    fs::write(&events, &text[..text.len() - 40]).expect("a shorter log");
    home.tg(["collect", "latest"]).expect(0);
    home.tg(["analyze", "stats", "latest"]).expect(0);
}

#[test]
fn runs_can_be_listed_shown_replayed_and_removed() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "failed", 2, &[]);
    done.expect(10);
    let id = run.file.run.as_str().to_owned();

    let listed = home.tg(["runs", "list"]);
    listed.expect(0);
    assert!(listed.stdout.contains(&id), "{}", listed.stdout);
    let shown = home.tg(["runs", "show", &id[..18]]);
    shown.expect(0);
    assert!(shown.stdout.contains("the table is wrong"), "{}", shown.stdout);
    let logs = home.tg(["runs", "logs", "latest", "--grep", "table is wr"]);
    logs.expect(0);
    assert_eq!(logs.stdout.matches("the table is wrong").count(), 2, "{}", logs.stdout);
    let replayed = home.tg(["runs", "replay", "latest"]);
    replayed.expect(0);
    assert!(format!("{}{}", replayed.stdout, replayed.stderr).contains("the table is wrong"));
    home.tg(["runs", "rm", "--yes", &id]).expect(0);
    assert!(home.runs().is_empty());
    home.tg(["runs", "show", &id]).expect(20);
}
