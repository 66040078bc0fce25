//! Topics: order, replay, cancellation.

use std::fmt::Write as _;

use tokio_tungstenite::tungstenite::Message;

use super::client::Service;

#[tokio::test]
async fn a_subscriber_gets_everything_from_the_first_item_in_order() {
    let service = Service::start().await;
    let mut writer = service.client().await;
    for n in 1..=100 {
        assert_eq!(writer.publish("t", &n.to_string()).await, n);
    }
    let mut reader = service.client().await;
    reader.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
    for n in 1..=100_u64 {
        assert_eq!(reader.answer().await.subscribe, n.to_string());
    }
    for n in 101..=200 {
        assert_eq!(writer.publish("t", &n.to_string()).await, n);
        assert_eq!(reader.answer().await.subscribe, n.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_subscribers_see_the_same_order_whoever_publishes() {
    const WRITERS: usize = 8;
    const ITEMS: usize = 200;
    let service = Service::start().await;
    let addr = service.server.addrs()[0];
    let writers = (0..WRITERS).map(|writer| {
        tokio::spawn(async move {
            let mut client = super::client::Client::dial(addr).await;
            let mut places = Vec::new();
            for n in 0..ITEMS {
                places.push((client.publish("t", &(writer * 1000 + n).to_string()).await, writer * 1000 + n));
            }
            places
        })
    });
    let writers: Vec<_> = writers.collect();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                let mut client = super::client::Client::dial(addr).await;
                client.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
                let mut order = Vec::new();
                for _ in 0..WRITERS * ITEMS {
                    order.push(client.answer().await.subscribe.parse::<usize>().expect("a number"));
                }
                order
            })
        })
        .collect();
    let mut places = Vec::new();
    for writer in writers {
        places.extend(writer.await.expect("a writer"));
    }
    places.sort_unstable();
    let order: Vec<_> = places.iter().map(|&(_, item)| item).collect();
    // The places that the writers were told are the order that every reader sees.
    assert!(places.iter().map(|&(place, _)| place).eq(1..=(WRITERS * ITEMS) as u64));
    for reader in readers {
        assert_eq!(reader.await.expect("a reader"), order);
    }
}

#[tokio::test]
async fn a_cancelled_subscription_gets_nothing_more_and_others_go_on() {
    let service = Service::start().await;
    let mut writer = service.client().await;
    let mut reader = service.client().await;
    reader.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
    reader.send(r#"{"id":"2","subscribe":{"topic":"t"}}"#).await;
    writer.publish("t", "1").await;
    let mut ids = [reader.answer().await.id, reader.answer().await.id];
    ids.sort();
    assert_eq!(ids, ["1", "2"]);
    reader.send(r#"{"id":"1","is_cancel":true}"#).await;
    // Of an id that is not open: nothing to do.
    reader.send(r#"{"id":"77","is_cancel":true}"#).await;
    reader.settle().await;
    for n in 2..=10_u64 {
        writer.publish("t", &n.to_string()).await;
        let answer = reader.answer().await;
        assert_eq!((answer.id.as_str(), answer.subscribe), ("2", n.to_string()));
    }
    reader.settle().await;
    // The id is free again and the topic starts over.
    reader.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
    let answer = reader.answer().await;
    assert_eq!((answer.id.as_str(), answer.subscribe.as_str()), ("1", "1"));
}

#[tokio::test]
async fn an_id_serves_one_open_request_at_a_time() {
    let service = Service::start().await;
    let mut client = service.client().await;
    client.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
    client.send(r#"{"id":"1","subscribe":{"topic":"u"}}"#).await;
    let (id, text) = client.error().await;
    assert_eq!(id, "1");
    assert!(text.contains("is that of an open subscription"), "{text}");
}

#[tokio::test]
async fn payloads_of_any_json_come_out_as_they_went_in() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let mut deep = String::new();
    for _ in 0..2000 {
        deep.push('[');
    }
    for _ in 0..2000 {
        deep.push(']');
    }
    let mut large = String::from("\"");
    while large.len() < 3 << 20 {
        write!(large, "{}é\\n", large.len()).expect("memory");
    }
    large.push('"');
    let payloads =
        ["null", "true", "-0.0", "1e999", r#""\ud83d\ude00\u0000""#, r#"{ "b" : 1, "a" : [ ] }"#, &deep, &large];
    client.send(r#"{"id":"1","subscribe":{"topic":"t"}}"#).await;
    for payload in payloads {
        // Binary, as the published Rust SDK sends it; the answer to the request and the item may swap.
        let request = format!(r#"{{"id":"2","publish":{{"topic":"t","payload":{payload}}}}}"#);
        client.send_message(Message::binary(request.into_bytes())).await;
        let (one, two) = (client.answer().await, client.answer().await);
        let item = if one.id == "1" { one } else { two };
        assert!(item.subscribe == payload, "{payload:.100}");
    }
}
