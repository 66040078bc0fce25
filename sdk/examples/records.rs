//! Metrics and records: what the analyzer knows by itself, and a table of one's own.

use std::time::Duration;

use serde::Serialize;
use tg_sdk::{Direction, Env, Link, LookupStart, LookupStatus, PeerFacts, Plan, Result, RoutingEntry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    Plan::new().solo_case("records", records).run().await
}

#[derive(Serialize)]
struct Gossip<'a> {
    topic: &'a str,
    hops: u32,
}

async fn records(env: Env) -> Result {
    // Metrics: a value at once, a distribution at the end. The unit is part of the name.
    env.results().point_ns("time_to_first_byte_ns", Duration::from_micros(420));
    env.results().histogram("hops").update(3.0);
    env.diagnostics().counter("retries").inc(1);

    // Who we are, and whom we are connected to.
    env.me(&PeerFacts { peer: "alice", role: Some("server"), dialable: Some(true), ..PeerFacts::default() });
    let link = Link { local: "alice", remote: "bob", dir: Direction::Out, transport: Some("tcp"), ..Link::default() };
    let connection = env.connection(&link);

    // A lookup, step by step.
    let lookup = env.lookup(&LookupStart { op: "find_peer", target: "carol", ..LookupStart::default() });
    lookup.send("bob");
    lookup.receive("bob", Duration::from_millis(12), &["carol"]);
    lookup.adding("carol", Some("bob"));
    lookup.result(Some("carol"), None);
    lookup.end(LookupStatus::Done, &["carol", "bob"]);

    // The whole routing table at one moment.
    let entry = RoutingEntry { peer: "bob".to_owned(), bucket: Some(0), added_ts: None, last_useful_ts: None };
    env.routing_table("end", "alice", vec![entry]);

    // A table of our own: `gossip.ndjson` here, `x_gossip` in the dataset.
    let gossip = env.table("gossip")?;
    gossip.row_now(&Gossip { topic: "news", hops: 2 })?;

    connection.close(Some("done"));
    Ok(())
}
