//! Several runs, watchers, addresses, the end.

use tg_runner::sync::{Hub, Limits, Listen, Seen, Server, TopicFilter};

use super::client::{Client, Service, seen};

#[tokio::test]
async fn a_run_that_ends_is_forgotten_and_others_are_not() {
    let service = Service::start().await;
    let mut client = service.client().await;
    for run in ["run:a:", "run:ab:"] {
        client.signal(&format!("{run}states:s")).await;
        client.publish(&format!("{run}topics:t"), "1").await;
    }
    assert_eq!(service.hub.drop_run("run:a:"), 2);
    assert_eq!(service.hub.drop_run("run:a:"), 0);
    assert_eq!(client.signal("run:a:states:s").await, 1);
    assert_eq!(client.publish("run:a:topics:t", "1").await, 1);
    assert_eq!(client.signal("run:ab:states:s").await, 2);
    assert_eq!(client.publish("run:ab:topics:t", "1").await, 2);
}

#[tokio::test]
async fn the_space_of_a_run_that_ended_is_free_again() {
    let limits = Limits { max_stored_bytes: 1000, ..Limits::default() };
    let service = Service::with(limits).await;
    let mut client = service.client().await;
    for _ in 0..10 {
        let payload = format!("\"{}\"", "x".repeat(700));
        client.publish("run:a:topics:t", &payload).await;
        client.send(r#"{"id":"1","publish":{"topic":"run:a:topics:u","payload":"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"}}"#).await;
        let (_, text) = client.error().await;
        assert!(text.contains("topics are full") && text.contains("1000 bytes"), "{text}");
        service.hub.drop_run("run:a:");
    }
}

#[tokio::test]
async fn a_watcher_is_told_who_said_what_in_order() {
    let service = Service::labelled(Limits::default(), &[Some(0), Some(1), None]).await;
    let filter = TopicFilter { suffixes: vec![":run_events".into()], parts: vec![":topics:network:".into()] };
    let mut watch = service.hub.watch("run:a:", filter);
    let mut one = service.client_of(1).await;
    one.publish("run:a:plan:p:case:c:run_events", r#"{"success_event":{"group":"g"}}"#).await;
    one.publish("run:a:plan:p:case:c:topics:quiet", "1").await;
    one.publish("run:a:plan:p:case:c:topics:network:host-1", "{}").await;
    // The other run is none of this watcher's business, nor is a client of it.
    let mut other = service.client_of(0).await;
    other.publish("run:b:plan:p:case:c:run_events", "1").await;
    other.signal("run:b:states:s").await;
    other.close().await;
    one.close().await;
    let published = |topic: &str, seq, payload: &str| Seen::Published {
        from: Some(1),
        topic: format!("run:a:plan:p:case:c:{topic}"),
        seq,
        payload: payload.to_owned(),
    };
    assert_eq!(seen(&mut watch).await, published("run_events", 1, r#"{"success_event":{"group":"g"}}"#));
    assert_eq!(seen(&mut watch).await, published("topics:network:host-1", 1, "{}"));
    assert_eq!(seen(&mut watch).await, Seen::Gone { from: Some(1) });
    assert!(watch.try_recv().is_err());
}

#[tokio::test]
async fn a_watcher_that_does_not_read_loses_no_item_and_blocks_nobody() {
    let service = Service::start().await;
    let mut watch = service.watch(&["run_events"]);
    let mut client = service.client().await;
    for n in 1..=20_000_u64 {
        service.hub.publish("run:a:run_events", &serde_json::value::to_raw_value(&n).expect("a number"));
        if n % 2000 == 0 {
            assert_eq!(client.signal("run:a:states:s").await, n / 2000);
        }
    }
    for n in 1..=20_000_u64 {
        let Seen::Published { seq, payload, from: None, .. } = seen(&mut watch).await else { panic!("an item") };
        assert_eq!((seq, payload), (n, n.to_string()));
    }
    // Barriers that open and fall are bounded, and what is dropped is counted.
    for n in 0..70_000 {
        client.feed(format!(r#"{{"id":"1","barrier":{{"state":"run:a:states:s","target":{}}}}}"#, 100 + n)).await;
        client.feed(r#"{"id":"1","is_cancel":true}"#).await;
    }
    client.settle().await;
    for _ in 0..1 << 16 {
        assert!(matches!(seen(&mut watch).await, Seen::BarrierOpened { .. }));
    }
    let Seen::Odd { reason: "watch-lagged", text, .. } = seen(&mut watch).await else { panic!("what is missing") };
    assert!(text.starts_with(&format!("{} events", 70_000 - (1 << 16))), "{text}");
    assert!(watch.try_recv().is_err());
}

#[tokio::test]
async fn five_hundred_addresses_tell_five_hundred_instances_apart() {
    let hub = Hub::new(Limits::default());
    let mut watch = hub.watch("run:", TopicFilter { suffixes: vec!["t".into()], parts: Vec::new() });
    // One port on addresses of their own, as for SDKs that dial a fixed port.
    let first = Listen { addr: "127.9.0.1:0".parse().expect("an address"), label: Some(0) };
    let first_server = Server::bind(hub.clone(), &[first]).await.expect("a free port");
    let port = first_server.addrs()[0].port();
    let listen: Vec<_> = (1..500_u32)
        .map(|n| {
            let [.., high, low] = n.to_be_bytes();
            Listen { addr: ([127, 9, 1 + high, low], port).into(), label: Some(n) }
        })
        .collect();
    let server = Server::bind(hub, &listen).await.expect("the same port on other addresses");
    for n in [1_usize, 255, 256, 499] {
        Client::dial(server.addrs()[n - 1]).await.publish("run:r:t", "1").await;
        let Seen::Published { from, .. } = seen(&mut watch).await else { panic!("an item") };
        assert_eq!(from.map(|label| label as usize), Some(n));
        let Seen::Gone { from } = seen(&mut watch).await else { panic!("a client that went") };
        assert_eq!(from.map(|label| label as usize), Some(n));
    }
    server.shutdown().await;
    first_server.shutdown().await;
}

#[tokio::test]
async fn an_address_in_use_is_named_and_none_is_kept() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let held = Listen { addr: holder.local_addr().expect("an address"), label: None };
    let free = Listen { addr: ([127, 9, 77, 1], held.addr.port()).into(), label: None };
    let error = Server::bind(Hub::new(Limits::default()), &[free, held]).await.expect_err("an address in use");
    assert_eq!(error.to_string(), format!("cannot listen on `{}`", held.addr));
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    Server::bind(Hub::new(Limits::default()), &[free]).await.expect("the address that was free").shutdown().await;
}

#[tokio::test]
async fn at_the_end_clients_get_their_answers_and_a_close_frame() {
    let Service { hub, server } = Service::start().await;
    let mut watch = hub.watch("run:", TopicFilter::default());
    let mut client = Client::dial(server.addrs()[0]).await;
    client.signal("run:r:states:s").await;
    let end = tokio::spawn(server.shutdown());
    let frame = client.closed().await;
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "the service ends"));
    drop(client);
    end.await.expect("the end");
    assert_eq!(seen(&mut watch).await, Seen::Gone { from: None });
    drop(hub);
    assert_eq!(watch.recv().await, None);
}
