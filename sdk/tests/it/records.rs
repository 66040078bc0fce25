//! The lines of the recorders, as a plan process writes them, and as the reference page shows them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tg_sdk::record::{Connection, Lookup, Peer, Routing};

/// The lines of a file without their times.
fn untimed(dir: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(name)).expect(name);
    text.lines()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            let ts = value.as_object_mut().expect("an object").shift_remove("ts").expect("a time");
            assert!(ts.as_u64().expect("ns") > 1_700_000_000_000_000_000, "{ts}");
            value.to_string()
        })
        .collect()
}

#[tokio::test]
async fn every_record_has_its_documented_shape() {
    let dir = tempfile::tempdir().expect("a folder");
    let output = crate::process::start(None, "records", dir.path()).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        untimed(dir.path(), "tg.lookups.ndjson"),
        [
            r#"{"v":1,"lookup":"1","kind":"start","op":"find_peer","target":"carol","round":2}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"dial","peer":"bob"}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"dial_error","peer":"bob","error":"refused"}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"send","peer":"bob"}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"receive","peer":"bob","closer":["carol"],"rtt_ns":12000000}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"error","peer":"dan","error":"late"}"#,
            r#"{"v":1,"lookup":"1","kind":"step","step":"adding","peer":"carol","source":"bob","cause":"bob"}"#,
            r#"{"v":1,"lookup":"1","kind":"result","peer":"carol"}"#,
            r#"{"v":1,"lookup":"1","kind":"end","status":"done","closest":["carol","bob"]}"#,
            r#"{"v":1,"lookup":"2","kind":"start","op":"get","target":"key"}"#,
            r#"{"v":1,"lookup":"2","kind":"end","status":"error","error":"nobody"}"#,
        ]
    );
    assert_eq!(
        untimed(dir.path(), "tg.connections.ndjson"),
        [
            r#"{"v":1,"kind":"open","conn":"3","local":"alice","remote":"bob","dir":"out","transport":"tcp"}"#,
            r#"{"v":1,"kind":"close","conn":"3","local":"alice","remote":"bob","dir":"out","transport":"tcp","reason":"done"}"#,
        ]
    );
    assert_eq!(
        untimed(dir.path(), "tg.routing.ndjson"),
        [r#"{"v":1,"snapshot":"end","owner":"alice","entries":[{"peer":"bob","bucket":0}]}"#]
    );
    assert_eq!(
        untimed(dir.path(), "tg.peers.ndjson"),
        [
            r#"{"v":1,"peer":"alice","me":true,"role":"server","dialable":true,"addrs":["/ip4/127.0.0.1"]}"#,
            r#"{"v":1,"peer":"bob","me":false}"#,
        ]
    );
    assert_eq!(untimed(dir.path(), "gossip.ndjson"), [r#"{"topic":"news","hops":2}"#]);
    let plain = std::fs::read_to_string(dir.path().join("plain.ndjson")).expect("text");
    assert_eq!(plain, "{\"topic\":\"olds\",\"hops\":9}\n");
    assert_eq!(std::fs::read_to_string(dir.path().join("notes.txt")).expect("text"), "as it is");
    assert_eq!(untimed(dir.path(), "diagnostics.out"), [r#"{"type":"counter","name":"late","measures":{"count":1}}"#]);
}

fn book(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src").join(page)
}

/// The lines of the blocks of a page that are marked so.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let text = std::fs::read_to_string(book(page)).expect(page);
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(head) => inside = !inside && head == mark,
            None if inside => lines.push(line.to_owned()),
            None => {}
        }
    }
    assert!(!lines.is_empty(), "no block `{mark}` in {page}");
    lines
}

/// Reads lines and writes them again: nothing may be lost on the way, so the page shows no key that nobody knows.
fn same<T: for<'a> Deserialize<'a> + serde::Serialize>(lines: &[String]) {
    for line in lines {
        let read: T = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (shown, again): (Value, Value) =
            (serde_json::from_str(line).expect("JSON"), serde_json::to_value(&read).expect("JSON"));
        assert_eq!(shown, again, "{line}");
    }
}

#[test]
fn the_sample_lines_of_the_reference_are_lines_of_the_format() {
    let page = "reference/records.md";
    same::<Lookup>(&blocks(page, "json lookups"));
    same::<Connection>(&blocks(page, "json connections"));
    same::<Routing>(&blocks(page, "json routing"));
    same::<Peer>(&blocks(page, "json peers"));
    for line in blocks(page, "json run.out") {
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["event"].as_object().map(serde_json::Map::len), Some(1), "{line}");
    }
    for line in blocks(page, "json results.out") {
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert!(value["ts"].is_u64() && value["measures"].is_object(), "{line}");
    }
}

#[test]
fn the_reference_names_every_variable() {
    let text = std::fs::read_to_string(book("reference/environment.md")).expect("the page");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("model/src/env.rs");
    let source = std::fs::read_to_string(source).expect("the source");
    let names: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \"")?.1.strip_suffix("\";"))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(text.contains(&format!("| `{name}` |")), "`{name}` is not in the table");
    }
}
