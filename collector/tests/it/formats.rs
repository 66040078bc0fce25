//! Files as plans of all years wrote them: small ones, made here, and every row that they become.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use tg_collector::{CollectOptions, Folder};
use tokio_util::sync::CancellationToken;

use crate::accounting::{Table, prove};

const A: &str = "12D3KooWQuFLmk1pkNaBmr5qwhiQjhPS7iueUMRA5NVx3psiPgva";
const B: &str = "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN";

async fn collect(files: &[(&str, &[u8])]) -> (tempfile::TempDir, BTreeMap<String, Table>) {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let own = dir.path().join("in/r1/g/0");
    for (name, content) in files {
        let path = own.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    let run = "r1".parse().expect("a good id");
    let source = Folder::find(dir.path().join("in"), &run).expect("a folder with the run");
    let into = dir.path().join("out");
    tg_collector::collect(&source, &run, &into, &CollectOptions::default(), &|_| {}, CancellationToken::new())
        .await
        .expect("it can be collected");
    let tables = prove(&into, "r1");
    (dir, tables)
}

fn show(tables: &BTreeMap<String, Table>, table: &str, columns: &[&str]) -> Vec<String> {
    tables.get(table).map(|table| table.show(columns)).unwrap_or_default()
}

/// The number of a peer in the run.
fn idx(tables: &BTreeMap<String, Table>, id: &str) -> String {
    let peers = tables["peers"].texts("peer_id");
    peers.iter().position(|peer| peer == id).unwrap_or_else(|| panic!("{id} in {peers:?}")).to_string()
}

#[tokio::test]
async fn early_2020_wrote_graphs_tables_and_metrics_to_its_streams() {
    let out = br#"{"ts":1580000000000000000,"msg":"","metric":{"name":"time-to-find-0","unit":"ns","dir":-1,"value":5}}
{"ts":1580000000.5,"metric":{"name":"time-to-provide-2","unit":"ns","value":1.2e9}}
some text
"#;
    let err = format!(
        r#"{{"L":"INFO","T":"2020-01-26T00:53:20.000Z","N":"plan.Graph","M":"ab","From":"{A}","To":"{B}"}}
{{"L":"INFO","T":"2020-01-26T00:53:20.000+0000","N":"RT","M":"ab","Node":"{A}","1":"{B}","0":"{A}"}}
{{"L":"INFO","T":1580000000.25,"N":"query","M":"dialing","node":"{A}","target":"{B}","peer":"{B}","closer":null}}
{{"L":"INFO","T":"2020-01-26T00:53:20Z","N":"Graph","M":"hello"}}
panic: not JSON
"#
    );
    let (_dir, tables) = collect(&[("stdout.json", out), ("stderr.json", err.as_bytes())]).await;
    assert_eq!(
        show(&tables, "metrics", &["ts", "name", "value", "unit", "source"]),
        ["1580000000000000000 time-to-find-0 5.0 ns run", "1580000000500000000 time-to-provide 1200000000.0 ns run"]
    );
    let (a, b) = (idx(&tables, A), idx(&tables, B));
    assert_eq!(
        show(&tables, "conn_snapshots", &["snapshot", "ts", "src_idx", "dst_idx"]),
        [format!("ab 1580000000000000000 {a} {b}")]
    );
    let mut entries = vec![format!("ab {a} {a} 256"), format!("ab {a} {b} -")];
    let mut got = show(&tables, "routing_table", &["snapshot", "owner_idx", "entry_idx", "cpl"]);
    entries.sort();
    got.iter_mut()
        .filter(|row| row.starts_with(&format!("ab {a} {b} ")))
        .for_each(|row| *row = format!("ab {a} {b} -"));
    got.sort();
    assert_eq!(got, entries);
    assert_eq!(show(&tables, "query_events", &["ts", "kind", "peer_idx"]), [format!("1580000000250000000 dial {b}")]);
    assert_eq!(show(&tables, "logs", &["file", "line"]), ["stderr.json 4", "stderr.json 5", "stdout.json 3"]);
    assert!(!tables.contains_key("notes"));
}

/// A run whose only time is zero has no begin, and its metrics no time since then.
#[tokio::test]
async fn a_run_without_a_begin_can_be_collected() {
    let line = br#"{"ts":0,"type":"point","name":"a","measures":{"value":1}}"#;
    let (_dir, tables) = collect(&[("results.out", line)]).await;
    assert_eq!(show(&tables, "metrics", &["ts", "t_rel_ns", "value"]), ["0 - 1.0"]);
}

#[tokio::test]
async fn messages_tell_numbers_phases_and_who_the_instance_is() {
    let message = |ts: u64, text: &str| {
        let text = text.replace('"', "\\\"");
        format!(
            "{{\"ts\":{ts},\"msg\":\"\",\"group_id\":\"g\",\"run_id\":\"r\",\"event\":{{\"message_event\":{{\"message\":\"{text}\"}}}}}}\n"
        )
    };
    let texts = [
        format!("Host peer ID: {A}, seq 3, node type: honest, node type seq: 2, node index: 0 / 1"),
        r#"table health: {"IdealDepth":7,"ActualDepth":4,"Bucket":[{"Depth":1,"MaxKnownContacts":3,"ActualKnownContacts":1,"ActualUnknownContacts":2},{"Depth":2,"MaxKnownContacts":5,"ActualKnownContacts":4,"ActualUnknownContacts":0}]}"#.to_owned(),
        "bootstrap: finished with 12 connections, 9 in the routing table".to_owned(),
        "connmgr parameters: hi=96, lo=32".to_owned(),
        format!("dialling peer {B} (attempt 0)"),
        format!("failed to dial peer {B} (attempt 2), err: no route, sorry"),
        "connecting to peers...".to_owned(),
        "Wait for 5s warmup time".to_owned(),
        "Wait for 1m0s run time".to_owned(),
        "Run time complete, cooling down for 10s".to_owned(),
        "Cool down complete".to_owned(),
        "dialling peer nobody".to_owned(),
        "table health: broken".to_owned(),
    ];
    let mut lines: String = (1..).zip(&texts).map(|(ts, text)| message(ts * 1000, text)).collect();
    lines.push_str(
        "Sep 13 23:10:24.501150\tINFO\t2.1877s    MESSAGE << g[000] (26682e) >> connmgr parameters: hi=7, lo=6\n",
    );
    lines.push_str("Sep 13 23:10:24.6 INFO 3.1s OK << g[000] (26682e) >>\n");
    lines.push_str("tg-g-0 | {\"ts\":99000,\"msg\":\"\",\"event\":{\"success_event\":{\"group\":\"g\"}}}\n");
    let (_dir, tables) = collect(&[("run.out", lines.as_bytes())]).await;
    assert!(!tables.contains_key("notes"));
    assert_eq!(tables["events"].rows(), texts.len() + 3);
    assert_eq!(
        show(
            &tables,
            "table_health",
            &["line", "ts", "ideal_depth", "actual_depth", "depth", "known_most", "known_actual", "unknown_actual"]
        ),
        ["2 2000 7 4 1 3 1 2", "2 2000 7 4 2 5 4 0"]
    );
    let b = idx(&tables, B);
    assert_eq!(
        show(&tables, "readings", &["line", "ts", "name", "value", "peer_idx", "error"]),
        [
            "3 3000 bootstrap_connections 12.0 - -".to_owned(),
            "3 3000 bootstrap_table_entries 9.0 - -".to_owned(),
            "4 4000 connmgr_high 96.0 - -".to_owned(),
            "4 4000 connmgr_low 32.0 - -".to_owned(),
            format!("5 5000 dial_attempt 0.0 {b} -"),
            format!("6 6000 dial_failed_attempt 2.0 {b} no route, sorry"),
            "14 - connmgr_high 7.0 - -".to_owned(),
            "14 - connmgr_low 6.0 - -".to_owned(),
        ]
    );
    assert_eq!(
        show(&tables, "instances", &["role", "peer_idx", "outcome", "phases"]),
        [format!(
            "honest {} ok {{connect: 7000, warm: 8000, run: 9000, cool: 10000, complete: 11000}}",
            idx(&tables, A)
        )]
    );
}

/// A field of a protobuf message: bytes, text or another message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).expect("short")];
    out.extend(bytes);
    out
}

fn event(kind: u8, peer: &[u8], ts: u8, number: u8, body: &[Vec<u8>]) -> Vec<u8> {
    // A field above 15 has a second byte in its tag.
    let body = body.concat();
    let tagged = if number < 16 {
        field(number, &body)
    } else {
        [&[0x82, 0x01, u8::try_from(body.len()).expect("short")][..], &body].concat()
    };
    let event = [&[8, kind][..], &field(2, peer), &[24, ts], &tagged].concat();
    let length = event.len();
    let prefix = if length < 128 {
        vec![u8::try_from(length).expect("short")]
    } else {
        vec![u8::try_from(length & 127).expect("7 bits") | 128, u8::try_from(length >> 7).expect("short")]
    };
    [prefix, event].concat()
}

#[tokio::test]
async fn a_pubsub_plan_leaves_traces_totals_scores_and_a_topology() {
    let peer = unbase58(B);
    let publish = event(0, &peer, 1, 4, &[field(1, b"m1"), field(2, b"blocks")]);
    let deliver = event(3, &peer, 2, 7, &[field(1, b"m2"), field(2, b"blocks"), field(3, &unbase58(A))]);
    let meta = [
        field(1, &field(1, b"m1")),
        field(
            3,
            &[
                field(1, &[field(1, b"blocks"), field(2, b"x"), field(2, b"y")].concat()),
                field(2, &field(1, b"z")),
                field(4, &[]),
            ]
            .concat(),
        ),
    ];
    let rpc = event(7, &peer, 3, 11, &[field(1, &unbase58(A)), field(2, &meta.concat())]);
    let leave = event(10, &peer, 4, 14, &[field(2, b"blocks")]);
    let prune = event(12, &peer, 5, 16, &[field(1, &unbase58(A)), field(2, b"blocks")]);
    let unknown = event(77, &peer, 6, 4, &[]);
    let bad = vec![2, 0xff, 0xff];
    let filtered = [publish.clone(), deliver.clone(), prune.clone()].concat();
    let mut full = [publish, deliver, rpc, leave, prune, unknown, bad].concat();
    full.extend([100, 8]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&filtered).expect("memory takes anything");
    let packed = packed.finish().expect("memory takes anything");
    let json = format!(
        "{{\"type\":2,\"peerID\":\"{0}\",\"timestamp\":9,\"duplicateMessage\":{{\"messageID\":\"bTE=\",\"receivedFrom\":\"{A}\",\"topic\":\"t\"}}}}\n\
         {{\"type\":\"GRAFT\",\"peerID\":\"{0}\",\"timestamp\":\"10\",\"graft\":{{\"peerID\":\"{B}\",\"topic\":\"t\"}}}}\n",
        base64(&unbase58(A))
    );
    let scores = format!(
        "{{\"Timestamp\":5,\"PeerID\":\"{B}\",\"Scores\":{{\"{A}\":-1.5,\"{B}\":2}}}}\n{{\"Timestamp\":6,\"PeerID\":\"{B}\",\"Scores\":{{}}}}\nnope\n"
    );
    let aggregate =
        format!("{{\n \"LocalPeer\": \"{B}\",\n \"Published\": 3,\n \"SentRPC\": {{\"RPCs\": 9, \"Grafts\": 1}}\n}}\n");
    let (_dir, tables) = collect(&[
        ("tracer-output-honest-1-filtered.bin.gz", &packed),
        ("tracer-output-honest-1-full.bin", &full),
        ("tracer-output-honest-1-aggregate.json", aggregate.as_bytes()),
        ("trace.json", json.as_bytes()),
        ("peer-scores-honest-1.json", scores.as_bytes()),
        ("connections-honest-1-0.json", br#"{"Latency":5000000,"Connections":["honest-2-0","honest-3-1"]}"#),
        ("connections-honest-9-9.json", b"{\"Connections\":7}"),
    ])
    .await;
    let (a, b) = (idx(&tables, A), idx(&tables, B));
    let events = show(
        &tables,
        "pubsub_trace",
        &[
            "ts",
            "name",
            "local_idx",
            "peer_idx",
            "topic",
            "msg_id",
            "n_msgs",
            "n_ihave",
            "n_iwant",
            "n_graft",
            "n_prune",
            "n_idontwant",
        ],
    );
    assert_eq!(
        events,
        [
            format!("9 duplicate {a} {a} t 6d31 - - - - - -"),
            format!("10 graft {a} {b} t - - - - - - -"),
            format!("1 publish {b} - blocks 6d31 - - - - - -"),
            format!("2 deliver {b} {a} blocks 6d32 - - - - - -"),
            format!("5 prune {b} {a} blocks - - - - - - -"),
            format!("3 send_rpc {b} {a} - - 1 2 1 0 1 0"),
            format!("4 leave {b} - blocks - - - - - - -"),
        ]
    );
    // What both traces have is one row, and a copy in the other.
    assert_eq!(show(&tables, "copies", &["line", "of_line"]), ["1 1", "2 2", "5 3"]);
    assert_eq!(
        show(&tables, "notes", &["path", "line", "reason"]),
        [
            "g/0/connections-honest-9-9.json 0 bad-record",
            "g/0/peer-scores-honest-1.json 3 not-json",
            "g/0/tracer-output-honest-1-full.bin 6 unknown-event",
            "g/0/tracer-output-honest-1-full.bin 7 bad-record",
            "g/0/tracer-output-honest-1-full.bin 8 half-record",
        ]
    );
    assert_eq!(
        show(&tables, "pubsub_counts", &["local_idx", "name", "count"]),
        [format!("{b} Published 3"), format!("{b} SentRPC.Grafts 1"), format!("{b} SentRPC.RPCs 9")]
    );
    assert_eq!(
        show(&tables, "pubsub_topology", &["node", "remote", "latency_ns"]),
        ["honest-1-0 honest-2-0 5000000", "honest-1-0 honest-3-1 5000000"]
    );
    let mut rated = show(&tables, "peer_scores", &["ts", "observer_idx", "peer_idx", "score"]);
    rated.sort();
    let mut want = [format!("5 {b} {a} -1.5"), format!("5 {b} {b} 2.0"), format!("6 {b} - -")];
    want.sort();
    assert_eq!(rated, want);
}

/// Base58 by long multiplication, apart from the collector's own.
fn unbase58(text: &str) -> Vec<u8> {
    const DIGITS: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![0_u8; 64];
    for c in text.chars() {
        let mut carry = DIGITS.find(c).expect("a digit");
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry & 255).expect("8 bits");
            carry >>= 8;
        }
    }
    let ones = text.chars().take_while(|&c| c == '1').count();
    let first = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    bytes.split_off(first - ones)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_usize, |n, &b| n << 8 | usize::from(b)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            out.push(if digit <= chunk.len() { char::from(DIGITS[n >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    out
}
