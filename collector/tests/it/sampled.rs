//! What the machine did to a run, from the lines of the runner to the tables.

use tg_collector::CollectOptions;

use crate::accounting::prove;
use crate::home::{Home, RUN};

#[tokio::test]
async fn samples_become_tables_and_mark_lookups_of_who_starved() {
    let home = Home::new(&[("a", 2)]);
    home.write(
        "machine.ndjson",
        r#"{"type":"resources","ts":2000,"span_ns":1000,"instance":"a/1","of":"processes","cpu_ns":500,"cpu_wait_ns":99,"turns":3,"memory_bytes":4096,"processes":1,"threads":2,"descriptors":5,"sent":{"packets":1,"bytes":84},"received":{"packets":0,"bytes":0}}
{"type":"resources","ts":2000,"span_ns":1000,"instance":"a/0","of":"cgroup","cpu_ns":700}
{"type":"host","ts":2000,"span_ns":1000,"cpus":2,"busy_ns":1900,"tg_wait_ns":10}
{"type":"link","ts":2000,"span_ns":900,"from":"a/1","to":"a/0","packets":3,"bytes":252,"lost":1,"late_max_ns":70}
{"type":"resources","ts":3000,"span_ns":1000,"instance":"a/1","of":"processes","cpu_wait_ns":100}
{"type":"link","ts":2000,"span_ns":900,"from":"a/1","to":"b/0","packets":3,"bytes":252}
{"type":"weather","ts":2000}
{"type":"host"
"#,
    );
    let lookup = |id: &str, begin: u32, end: u32| {
        format!(
            "{{\"v\":1,\"ts\":{begin},\"lookup\":\"{id}\",\"kind\":\"start\",\"op\":\"get\",\"target\":\"t\"}}\n\
             {{\"v\":1,\"ts\":{end},\"lookup\":\"{id}\",\"kind\":\"end\",\"status\":\"done\"}}\n"
        )
    };
    let lookups = [lookup("calm", 1100, 1900), lookup("starved", 1900, 2500), lookup("unseen", 7000, 8000)].concat();
    home.write("outputs/a/1/tg.lookups.ndjson", &lookups);
    home.write("outputs/a/0/tg.lookups.ndjson", lookup("unsampled", 1100, 1900));
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    assert_eq!(
        tables["resources"].show(&["instance", "t_rel_ns", "of", "cpu_ns", "cpu_wait_ns", "starved", "sent_bytes"]),
        ["0 1000 cgroup 700 - - -", "1 1000 processes 500 99 false 84", "1 2000 processes - 100 true -"]
    );
    assert_eq!(tables["host"].show(&["node", "cpus", "busy_ns", "tg_wait_ns", "io_some_ns"]), ["- 2 1900 10 -"]);
    assert_eq!(
        tables["links"].show(&[
            "from_instance",
            "to_instance",
            "span_ns",
            "packets",
            "lost",
            "queue_drops",
            "late_max_ns"
        ]),
        ["1 0 900 3 1 0 70"]
    );
    let mut marks = tables["queries"].show(&["lookup", "starved"]);
    marks.sort();
    assert_eq!(marks, ["calm false", "starved true", "unsampled -", "unseen -"]);
    let mut notes = tables["notes"].show(&["path", "line", "reason"]);
    notes.retain(|note| note.starts_with("machine"));
    assert_eq!(
        notes,
        ["machine.ndjson 6 not-an-instance", "machine.ndjson 7 bad-record", "machine.ndjson 8 bad-record"]
    );
}

#[tokio::test]
async fn samples_that_came_with_an_instance_tell_of_it_alone() {
    let home = Home::new(&[("a", 2)]);
    home.write(
        "logs/a/1/machine.ndjson",
        r#"{"type":"resources","ts":2000,"span_ns":1000,"instance":"a/1","of":"cgroup","cpu_ns":700,"cpu_wait_ns":100}
{"type":"resources","ts":2000,"span_ns":1000,"instance":"a/0","of":"cgroup","cpu_ns":700}
{"type":"host","ts":2000,"span_ns":1000,"cpus":2}
"#,
    );
    home.collect("into", &CollectOptions::default()).await.expect("it can be collected");
    let tables = prove(&home.path("into"), RUN);
    assert_eq!(tables["resources"].show(&["instance", "of", "cpu_ns", "starved"]), ["1 cgroup 700 true"]);
    let mut notes = tables["notes"].show(&["path", "line", "reason"]);
    notes.retain(|note| note.contains("machine"));
    assert_eq!(notes, ["a/1/machine.ndjson 2 not-an-instance", "a/1/machine.ndjson 3 not-an-instance"]);
}
