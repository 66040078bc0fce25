//! Rules of a user: the example of the reference page, a dataset made anew, and what is told of mistakes.

use std::fs;
use std::path::Path;

use tg_collector::{CollectOptions, Folder, Rules, Source, ZipFile};
use tokio_util::sync::CancellationToken;

use crate::accounting::prove;

/// The page's block of this language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let from = page.find(&begin).expect("the page has such a block") + begin.len();
    &page[from..from + page[from..].find("```").expect("the block ends")]
}

async fn collect(source: &dyn Source, into: &Path, rules: Option<Rules>) {
    let options = CollectOptions { rules, ..CollectOptions::default() };
    let run = "r1".parse().expect("a good id");
    tg_collector::collect(source, &run, into, &options, &|_| {}, CancellationToken::new())
        .await
        .expect("it can be collected");
}

#[tokio::test]
async fn the_example_of_the_reference_page_works_and_the_archive_keeps_the_rules() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/rules.md"))
        .expect("the page");
    let rules = Rules::parse("rules.toml", block(&page, "toml")).expect("the example is right");
    let lines: Vec<&str> = block(&page, "json").lines().collect();
    let dir = tempfile::tempdir().expect("a folder for the test");
    let own = dir.path().join("in/r1/g/0");
    fs::create_dir_all(&own).expect("a folder");
    let more = "{\"at\":\"soon\",\"probe\":{\"rtt\":1}}\n{\"at\":1,\"probe\":{}}\nnope\n";
    fs::write(own.join("latency-1.json"), format!("{}\n{more}", lines[0])).expect("a file");
    fs::write(own.join("ops.log"), format!("{}\n", lines[1])).expect("a file");
    fs::write(own.join("links.txt"), format!("{}\n{{\"what\":\"else\"}}\n", lines[2])).expect("a file");
    fs::write(own.join("probes.ndjson"), "{\"ts\":\"not a time\"}\n").expect("a file");
    let source = Folder::find(dir.path().join("in"), &"r1".parse().expect("a good id")).expect("the run");
    let into = dir.path().join("out");
    collect(&source, &into, Some(rules)).await;
    let tables = prove(&into, "r1");
    assert_eq!(
        tables["metrics"].show(&["ts", "source", "name", "raw_name", "type", "measure", "value", "unit"]),
        ["1700000000500000000 rules rtt rtt point value 12.5 ms"]
    );
    assert_eq!(
        tables["x_probes"].show(&["ts", "rtt_ns", "target", "ok"]),
        ["1700000000500000000 12500000 QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN true"]
    );
    assert_eq!(
        tables["queries"].show(&["op", "start_ts", "duration_ns", "status", "target", "requests", "id_quality"]),
        ["get 1700000000000000000 250000000 done abc - metric_only"]
    );
    assert_eq!(tables["connections"].show(&["open_ts", "direction", "open_known"]), ["1700000000000000000 2 true"]);
    assert_eq!(
        tables["notes"].show(&["path", "line", "reason"]),
        ["g/0/latency-1.json 2 bad-value", "g/0/latency-1.json 3 missing-value", "g/0/latency-1.json 4 not-json"]
    );
    assert_eq!(tables["logs"].show(&["file", "line"]), ["links.txt 2"]);
    // The file that is called like a declared table keeps a table of its own.
    assert_eq!(tables["x_probes_"].show(&["ts"]), ["not a time"]);

    let again = dir.path().join("again");
    collect(&ZipFile::new(into.join("outputs.zip")), &again, None).await;
    for table in tables.keys() {
        let part = format!("dataset/{table}/part-0000.parquet");
        let same = fs::read(into.join(&part)).expect("a part") == fs::read(again.join(&part)).expect("a part");
        assert!(same, "{table} made anew from the archive");
    }
    let read = |at: &Path| fs::read_to_string(at.join("dataset/_dataset.json")).expect("a description");
    assert_eq!(read(&into), read(&again));
}

#[test]
fn a_mistake_is_told_with_file_line_and_key() {
    let rule = |columns: &str| {
        format!("version = 1\n[[rule]]\nfiles = \"*.json\"\ntable = \"metrics\"\n[rule.columns]\n{columns}")
    };
    let full = "ts = { at = \"/a\" }\nname = { value = \"x\" }\n";
    let cases = [
        ("version = 2\n".to_owned(), "r.toml:1: `version` is 2"),
        ("version = 1\nrules = 1\n".to_owned(), "r.toml:2: unknown field `rules`"),
        (
            "version = 1\n[[rule]]\nfiles = \"a[\"\ntable = \"metrics\"\ncolumns = {}\n".to_owned(),
            "r.toml:3: `files` is no pattern",
        ),
        (
            "version = 1\n[[rule]]\nfiles = \"a\"\ntable = \"mine\"\ncolumns = {}\n".to_owned(),
            "r.toml:4: `table` is `mine`",
        ),
        (rule(full), "r.toml:4: `columns` lacks `value`"),
        (rule("ts = { at = \"a\" }\n"), "r.toml:6: `ts`: `a` is no JSON pointer"),
        (rule("ts = { at = \"/a\", unit = \"h\" }\n"), "r.toml:6: column `ts`: `unit` is `h`"),
        (rule("ts = { }\n"), "r.toml:6: column `ts`: give either `at`"),
        (rule("tz = { at = \"/a\" }\n"), "r.toml:6: column `tz`: the table takes `ts`"),
        (rule("ts = { at = \"/a\", typ = \"x\" }\n"), "r.toml:6: unknown field `typ`"),
        (rule(full).replace("metrics", "x_a"), "r.toml:7: column `name`: `type` is missing"),
        ("version = \n".to_owned(), "r.toml:1: "),
    ];
    for (text, want) in cases {
        let error = Rules::parse("r.toml", &text).expect_err("it is wrong").to_string();
        assert!(error.contains(want), "{error}\nlacks\n{want}");
    }
}
