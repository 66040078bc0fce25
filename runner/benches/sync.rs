//! What the sync service costs without its clients: the hub alone, and one round trip through a socket.
//! Whole services under load are measured by `bench/sync`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::{SinkExt, StreamExt};
use serde_json::value::to_raw_value;
use tg_runner::sync::{Hub, Limits, Listen, Server, TopicFilter, Watch};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const STATE: &str = "run:20261122-221530417-k7qx:plan:mesh:case:round-trips:states:ready";
const TOPIC: &str = "run:20261122-221530417-k7qx:plan:mesh:case:round-trips:run_events";

/// A hub that knows a thousand other keys.
fn hub() -> Hub {
    let hub = Hub::new(Limits::default());
    for n in 0..1000 {
        hub.signal(&format!("{STATE}-{n}"));
    }
    hub
}

fn in_memory(criterion: &mut Criterion) {
    let payload = to_raw_value(&[("success_event", "single")]).expect("JSON");
    let quiet = hub();
    criterion.bench_function("hub/signal", |bencher| bencher.iter(|| quiet.signal(black_box(STATE))));
    let publish_hundred = |hub: Hub| {
        for _ in 0..100 {
            hub.publish(black_box(TOPIC), &payload);
        }
        hub
    };
    criterion.bench_function("hub/publish 100", |bencher| {
        bencher.iter_batched(hub, publish_hundred, BatchSize::LargeInput);
    });
    criterion.bench_function("hub/publish 100, watched", |bencher| {
        let watched = || {
            let hub = hub();
            let watch = hub.watch("run:", TopicFilter { suffixes: vec![":run_events".into()], parts: Vec::new() });
            (hub, watch)
        };
        let publish_and_read = |(hub, mut watch): (Hub, Watch)| {
            let hub = publish_hundred(hub);
            while watch.try_recv().is_ok() {}
            (hub, watch)
        };
        bencher.iter_batched(watched, publish_and_read, BatchSize::LargeInput);
    });
}

fn through_a_socket(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let listen = Listen { addr: ([127, 0, 0, 1], 0).into(), label: None };
    let server = runtime.block_on(Server::bind(hub(), &[listen])).expect("a free port");
    let addr = format!("ws://{}", server.addrs()[0]);
    let (mut socket, _) = runtime.block_on(connect_async(addr)).expect("a connection");
    let request = format!(r#"{{"id":"1","signal_entry":{{"state":"{STATE}"}}}}"#);
    criterion.bench_function("socket/signal", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                socket.send(Message::text(request.clone())).await.expect("a connection");
                black_box(socket.next().await)
            })
        });
    });
    runtime.block_on(server.shutdown());
}

criterion_group!(benches, in_memory, through_a_socket);
criterion_main!(benches);
