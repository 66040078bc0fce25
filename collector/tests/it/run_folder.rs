//! A run's folder, from what an instance wrote to the tables.

use tg_collector::{CollectError, CollectOptions, Folder, Only};
use tg_model::Exit;

use crate::accounting::{open, prove};
use crate::home::{Home, RUN, collect, tree};

const PEER_A: &str = "12D3KooWQuFLmk1pkNaBmr5qwhiQjhPS7iueUMRA5NVx3psiPgva";

/// A run with something of everything, faults included.
fn sample() -> Home {
    let home = Home::new(&[("clients", 2), ("servers", 1)]);
    let event = |seq: u32, rest: &str| format!("{{\"seq\":{seq},\"ts\":{},{rest}}}\n", 1000 + seq);
    let events = [
        event(1, r#""type":"instance_started","instance":"clients/0","pid":4"#),
        event(2, r#""type":"instance_started","instance":"clients/1","pid":5"#),
        event(
            3,
            r#""type":"instance_finished","instance":"clients/0","outcome":"failed","as_expected":false,"reason":"exit code 3","evidence":{"ended":{"code":3},"failure":"no"},"elapsed_ns":9"#,
        ),
        event(4, r#""type":"run_finished","verdict":"failed","tally":{},"elapsed_ns":9"#),
    ];
    home.write("events.ndjson", events.concat());
    let out = "outputs/clients/0";
    let message =
        r#"{"ts":2000,"msg":"","group_id":"clients","run_id":"r","event":{"message_event":{"message":"hello"}}}"#;
    let early = r#"{"ts":2001,"msg":"","event":{"type":"metric","metric":{"name":"time-to-provide-0","unit":"ns","dir":-1,"value":1.5e9}}}"#;
    let failure = r#"{"event":{"failure_event":{"group":"clients","error":"no"}}}"#;
    home.write(
        &format!("{out}/run.out"),
        [
            b"\xef\xbb\xbf".as_slice(),
            message.as_bytes(),
            b"\r\n",
            early.as_bytes(),
            b"\nnot json\n\xff\xfe\n{\"ts\":1,\"msg\":\"a log line\"}\n",
            failure.as_bytes(),
            b"\n{\"ts\":3,\"event\":{\"message_event\":{\"mess",
        ]
        .concat(),
    );
    home.write(
        "logs/clients/0/stdout.log",
        format!("{message}\nplain text\n{{\"event\":{{\"message_event\":{{\"message\":\"only printed\"}}}}}}\n"),
    );
    home.write("logs/clients/0/stderr.log", "oh no\n");
    home.write(
        &format!("{out}/results.out"),
        r#"{"ts":2100,"type":"point","name":"rtt,to=b","measures":{"value":5}}
{"ts":2101,"type":"histogram","name":"h","measures":{"p95":2.0,"count":3,"broken":null}}
{"ts":2102,"type":"point","name":"empty","measures":{}}
"#,
    );
    home.write(
        &format!("{out}/tg.peers.ndjson"),
        format!("{{\"v\":1,\"ts\":2,\"peer\":\"{PEER_A}\",\"me\":true,\"role\":\"server\",\"dialable\":true}}\n{{\"v\":2,\"ts\":2,\"peer\":\"x\"}}\n"),
    );
    home.write(
        &format!("{out}/tg.connections.ndjson"),
        format!(
            r#"{{"v":1,"ts":10,"kind":"open","conn":"1","local":"{PEER_A}","remote":"clients/1","dir":"out"}}
{{"v":1,"ts":11,"kind":"open","conn":"2","local":"{PEER_A}","remote":"elsewhere","dir":"in"}}
{{"v":1,"ts":12,"kind":"close","conn":"1","local":"{PEER_A}","remote":"clients/1","reason":"done"}}
{{"v":1,"ts":13,"kind":"close","conn":"9","local":"{PEER_A}","remote":"clients/1"}}
"#
        ),
    );
    home.write(
        &format!("{out}/tg.routing.ndjson"),
        format!(
            "{{\"v\":1,\"ts\":20,\"snapshot\":\"end\",\"owner\":\"{PEER_A}\",\"entries\":[{{\"peer\":\"elsewhere\",\"bucket\":3}}]}}\n{{\"v\":1,\"ts\":21,\"snapshot\":\"late\",\"owner\":\"{PEER_A}\",\"entries\":[]}}\n"
        ),
    );
    home.write(
        &format!("{out}/tg.lookups.ndjson"),
        r#"{"v":1,"ts":100,"lookup":"b","kind":"start","op":"find_peer","target":"t"}
{"v":1,"ts":101,"lookup":"b","kind":"step","step":"send","peer":"p1"}
{"v":1,"ts":104,"lookup":"b","kind":"step","step":"receive","peer":"p1","closer":["p2"]}
{"v":1,"ts":105,"lookup":"a","kind":"start","op":"get","target":"t"}
{"v":1,"ts":106,"lookup":"b","kind":"step","step":"send","peer":"p2","source":"p1"}
{"v":1,"ts":109,"lookup":"b","kind":"step","step":"receive","peer":"p2","closer":[]}
{"v":1,"ts":110,"lookup":"b","kind":"result","peer":"p2","value":"found"}
{"v":1,"ts":111,"lookup":"b","kind":"end","status":"done","reason":"stopped","closest":["p2","p1"]}
"#,
    );
    home.write(
        &format!("{out}/rtts.ndjson"),
        "{\"ms\":1,\"ts\":7,\"ok\":true}\n{\"ms\":1.5,\"who\":{\"a\":[1]},\"line\":4}\n[1]\n\n",
    );
    home.write(&format!("{out}/heap.pprof"), b"\x1f\x8b\0\0\n\n");
    home.write(&format!("{out}/sub/notes.txt"), "a\nb");
    home.write("outputs/clients/1/stdout.log", "its own file\n");
    home.write("logs/clients/1/stdout.log", "");
    home.write("outputs/not a group/0/x", "lost?");
    home.write("outputs/clients/01/x", "lost?");
    home
}

#[tokio::test]
async fn every_line_of_a_run_has_one_fate_and_its_rows_say_what_it_said() {
    let home = sample();
    let collected = home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    let rows: std::collections::BTreeMap<String, u64> =
        tables.iter().map(|(name, table)| (name.clone(), table.rows() as u64)).collect();
    assert_eq!(collected.rows, rows);

    assert_eq!(
        tables["instances"].show(&[
            "instance",
            "group",
            "group_seq",
            "peer_idx",
            "role",
            "outcome",
            "exit_code",
            "error"
        ]),
        ["0 clients 0 0 server failed 3 no", "1 clients 1 1 - lost - -", "2 servers 0 - - not-started - -"]
    );
    assert_eq!(tables["runs"].show(&["plan", "instances", "groups", "verdict", "seed"]), ["ping 3 2 failed 7"]);
    assert_eq!(
        tables["events"].show(&["instance", "line", "t_rel_ns", "kind", "message", "error"]),
        ["0 1 1000 message hello -", "0 6 - failure - no", "0 3 - message only printed -"]
    );
    assert_eq!(tables["copies"].show(&["instance", "line", "of_line"]), ["0 1 1"]);
    assert_eq!(
        tables["metrics"].show(&["source", "name", "type", "measure", "value", "unit", "dir", "tags"]),
        [
            "results rtt point value 5.0 - - {to: b}",
            "results h histogram count 3.0 - - {}",
            "results h histogram p95 2.0 - - {}",
            "run time-to-provide point value 1500000000.0 ns -1 {index: 0}",
        ]
    );
    assert_eq!(
        tables["connections"].show(&["line", "local_idx", "remote_idx", "direction", "open_known", "close_reason"]),
        ["1 0 1 2 true done", "2 0 2 1 true -", "4 0 1 0 false -"]
    );
    assert_eq!(
        tables["peers"].show(&["peer_idx", "peer_id", "instance"]),
        [format!("0 {PEER_A} 0").as_str(), "1 clients/1 1", "2 elsewhere -", "3 p1 -", "4 p2 -"]
    );
    assert_eq!(tables["routing_table"].show(&["snapshot", "owner_idx", "entry_idx", "bucket"]), ["end 0 2 3"]);
    assert_eq!(tables["rt_dumps"].show(&["snapshot", "entries"]), ["end 1", "late 0"]);
    assert_eq!(
        tables["queries"].show(&[
            "query_id",
            "lookup",
            "op",
            "status",
            "duration_ns",
            "requests",
            "responses",
            "total_hops",
            "hops_for_closest",
            "results_found",
            "closest_idx"
        ]),
        [
            "0 a get incomplete - 0 0 - - 0 []",
            "1 b find_peer done 11 2 2 2 1 1 [4, 3]",
            // What only a metric tells of.
            "2 - provide done 1500000000 - - - - - []",
        ]
    );
    assert_eq!(
        tables["query_events"].show(&["query_id", "seq", "kind", "peer_idx", "hop", "rtt_ns", "value"])[3..6],
        ["1 2 receive 3 1 3 -", "1 3 send 4 2 - -", "1 4 receive 4 2 3 -"]
    );
    assert_eq!(
        tables["x_rtts"].show(&["ms", "ts", "ok", "who", "line", "line_"]),
        ["1.0 7 true - 1 -", "1.5 - - {\"a\":[1]} 2 4",]
    );
    let mut notes = tables["notes"].show(&["instance", "path", "line", "reason"]);
    notes.sort();
    assert_eq!(
        notes,
        [
            "- - 0 not-a-group".replace("- - 0", "-  1").as_str(),
            "-  2 not-an-instance",
            "0 clients/0/results.out 3 no-measure",
            "0 clients/0/rtts.ndjson 3 not-json",
            "0 clients/0/rtts.ndjson 4 blank-line",
            "0 clients/0/run.out 3 not-json",
            "0 clients/0/run.out 4 not-utf8",
            "0 clients/0/run.out 7 half-line",
            "0 clients/0/tg.peers.ndjson 2 other-version",
            "1 clients/1/stdout.log~2 3 renamed",
        ]
    );
}

#[tokio::test]
async fn the_same_run_gives_the_same_bytes_however_it_is_collected() {
    let home = sample();
    home.collect("one", &CollectOptions { jobs: 1, ..CollectOptions::default() }).await.expect("it can be collected");
    home.collect("four", &CollectOptions { jobs: 4, ..CollectOptions::default() }).await.expect("it can be collected");
    home.collect("four", &CollectOptions { jobs: 3, ..CollectOptions::default() }).await.expect("and again");
    let one = tree(&home.path("one"));
    assert!(one == tree(&home.path("four")));
    assert!(one.keys().all(|path| !path.to_string_lossy().contains("partial")), "{:?}", one.keys());

    let bare = CollectOptions { archive: false, ..CollectOptions::default() };
    home.collect("bare", &bare).await.expect("it can be collected");
    let bare = tree(&home.path("bare"));
    assert!(bare.iter().all(|(path, bytes)| one[path] == *bytes) && bare.len() + 1 == one.len());
}

#[tokio::test]
async fn a_run_of_others_has_the_outcomes_that_files_prove() {
    let home = Home::foreign();
    let event = |kind: &str| format!("{{\"ts\":5,\"event\":{{\"{kind}\":{{\"group\":\"g\",\"error\":\"e\"}}}}}}\n");
    for (index, kind) in ["success_event", "failure_event", "crash_event"].iter().enumerate() {
        home.write(&format!("outputs/g/{index}/run.out"), event(kind));
    }
    home.write("outputs/g/10/run.out", "");
    home.write("outputs/g/2/stdout.log", event("success_event"));
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    assert_eq!(
        tables["instances"].show(&["instance", "group_seq", "outcome", "as_expected"]),
        ["0 0 ok -", "1 1 failed -", "2 2 crashed -", "3 10 incomplete -"]
    );
    assert_eq!(tables["runs"].texts("verdict"), ["failed"]);
}

#[tokio::test]
async fn a_choice_of_instances_and_a_run_that_is_not_there() {
    let home = sample();
    let only = |text: &str| CollectOptions {
        only: Some(text.parse::<Only>().expect("a choice")),
        ..CollectOptions::default()
    };
    home.collect("one", &only("clients/1")).await.expect("it can be collected");
    assert_eq!(open(&home.path("one/dataset"))["files"].texts("path").len(), 5);
    let error = home.collect("none", &only("nobody")).await.expect_err("no such group");
    assert_eq!(error.exit(), Exit::Usage);
    let nowhere = Folder::new(home.path("nowhere"));
    let error = collect(&nowhere, &home.path("none"), &CollectOptions::default()).await.expect_err("no such run");
    assert!(matches!(error, CollectError::NotFound { .. }) && error.hint().is_some());
    assert!(!home.path("none/outputs.zip").exists());
}

#[tokio::test]
async fn faults_on_schedule_are_rows_by_instance() {
    let home = Home::new(&[("b", 2), ("a", 1)]);
    let events = [
        r#"{"seq":1,"ts":1000,"type":"instance_started","instance":"a/0","pid":4}"#,
        r#"{"seq":2,"ts":2000,"type":"fault_began","fault":0,"action":"partition","hit":[["b/0",0],["b/1",1],["a/0",1]],"text":null}"#,
        r#"{"seq":3,"ts":2500,"type":"fault_began","fault":1,"action":"kill","hit":[["b/1",0],["z/9",0]],"text":null}"#,
        r#"{"seq":4,"ts":3000,"type":"fault_began","fault":2,"action":"heal","hit":[],"text":null}"#,
        r#"{"seq":5,"ts":3000,"type":"fault_ended","fault":0}"#,
        r#"{"seq":6,"ts":3500,"type":"fault_ended","fault":7}"#,
    ];
    home.write("events.ndjson", events.join("\n") + "\n");
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let faults = &open(&home.path("into").join("dataset"))["faults"];
    // Instances are numbered by group name, then index; a stranger is left out.
    let wanted = [
        "2 0 partition 2000 3000 0 1",
        "2 0 partition 2000 3000 1 0",
        "2 0 partition 2000 3000 2 1",
        "3 1 kill 2500 - 2 -",
        "4 2 heal 3000 - - -",
    ];
    assert_eq!(faults.show(&["line", "fault", "action", "start_ts", "end_ts", "instance", "side"]), wanted);
}

#[tokio::test]
async fn regions_and_the_network_that_was_asked_for_are_told() {
    let home = Home::new(&[("b", 2), ("a", 1)]);
    let path = home.run_dir().join("run.json");
    let read = || std::fs::read(&path).expect("it is there");
    let mut run: serde_json::Value = serde_json::from_slice(&read()).expect("JSON");
    run["network"] = serde_json::json!({
        "link": { "latency_ns": 1_000_000 },
        "regions": { "names": ["east", "west"], "latency_ns": [[null, 5], [5, null]], "of": { "a": [1], "b": [0, 1] } },
        "topology": { "kind": "random", "unreachable": "reject", "edges": [[0, 1]] },
    });
    home.write("run.json", run.to_string());
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = open(&home.path("into").join("dataset"));
    assert_eq!(tables["instances"].show(&["group", "group_seq", "region"]), ["a 0 west", "b 0 east", "b 1 west"]);
    let told: serde_json::Value = serde_json::from_str(&tables["runs"].texts("network")[0]).expect("JSON");
    assert_eq!((&told["link"], &told["regions"]), (&run["network"]["link"], &run["network"]["regions"]));
    // Who reaches whom would be as long as the run is large.
    assert_eq!(
        (told["topology"]["kind"].as_str(), &told["topology"]["edges"]),
        (Some("random"), &serde_json::json!([]))
    );
    // Nobody asked for a network: nothing is known of one.
    let home = Home::new(&[("a", 1)]);
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = open(&home.path("into").join("dataset"));
    assert_eq!(
        (tables["instances"].show(&["region"]), tables["runs"].show(&["network"])),
        (vec!["-".to_owned()], vec!["-".to_owned()])
    );
}

#[tokio::test]
async fn a_run_whose_events_are_gone_has_lost_instances_and_says_so() {
    let home = Home::new(&[("a", 2)]);
    let path = home.run_dir().join("run.json");
    let mut run: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("run.json")).expect("JSON");
    run["tally"] = serde_json::json!({"a": {"ok": 2}});
    std::fs::write(&path, run.to_string()).expect("it can be written");
    drop(std::fs::remove_file(home.run_dir().join("events.ndjson")));
    home.write("outputs/a/0/run.out", "{\"ts\":5,\"event\":{\"success_event\":{\"group\":\"a\"}}}\n");
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    assert_eq!(tables["instances"].texts("outcome"), ["lost", "lost"]);
    assert!(tables["notes"].show(&["path", "reason"]).contains(&"events.ndjson events-missing".to_owned()));
}
