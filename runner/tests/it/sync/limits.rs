//! Slow readers, silence, large messages.

use std::time::Duration;

use tg_runner::sync::{Limits, Seen};

use super::client::{Service, seen};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_hurts_only_itself_and_is_told_why() {
    const ITEMS: usize = 24;
    let limits = Limits { max_backlog_bytes: 1 << 20, stall: Duration::from_millis(100), ..Limits::default() };
    let service = Service::labelled(limits, &[Some(7), Some(8)]).await;
    let mut watch = service.watch(&[]);
    let (mut slow, mut quick) = (service.client_of(0).await, service.client_of(1).await);
    for client in [&mut slow, &mut quick] {
        client.send(r#"{"id":"1","subscribe":{"topic":"run:r:t"}}"#).await;
        client.settle().await;
    }
    let mut writer = service.client().await;
    // More than the kernel holds for a socket.
    let payload = format!("\"{}\"", "x".repeat(1 << 20));
    for _ in 0..ITEMS {
        writer.publish("run:r:t", &payload).await;
        assert_eq!(quick.answer().await.subscribe.len(), payload.len());
    }
    loop {
        match seen(&mut watch).await {
            Seen::Odd { from, reason: "slow-reader", text } => {
                assert_eq!(from, Some(7));
                assert!(text.contains("cut off") && text.contains("1048576 bytes"), "{text}");
                break;
            }
            Seen::Odd { reason: "large-answer", .. } => {}
            other => panic!("{other:?}"),
        }
    }
    // It comes to read again: first what was on its way, then why there is no more.
    let mut items = 0;
    loop {
        let answer = slow.answer().await;
        if answer.error.is_empty() {
            items += 1;
            continue;
        }
        assert!(answer.id == "1" && answer.error.contains("cut off"), "{}", answer.error);
        break;
    }
    assert!(items < ITEMS);
    assert_eq!(u16::from(slow.closed().await.code), 1008);
    // The others go on.
    writer.publish("run:r:t", "1").await;
    assert_eq!(quick.answer().await.subscribe, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_none_of_its_answers_is_not_heard_either() {
    let service = Service::start().await;
    let mut client = service.client().await;
    // Requests without end; once the kernel's buffers and the backlog are full, sending stops.
    let request = format!(r#"{{"id":"{}","signal_entry":{{"state":"s"}}}}"#, "1".repeat(250));
    let mut sent = 0_u64;
    while tokio::time::timeout(Duration::from_millis(500), client.send(request.as_str())).await.is_ok() {
        sent += 1;
    }
    let answered = service.hub.signal("s");
    assert!(answered < sent, "{answered} of {sent}");
    // As soon as it reads, everything goes on, and nothing was lost.
    for n in 1..answered {
        assert_eq!(client.answer().await.signal_entry.expect("a count").seq, n);
    }
}

#[tokio::test]
async fn silence_is_broken_before_a_client_gives_up() {
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let service = Service::with(limits).await;
    let mut client = service.client().await;
    for _ in 0..3 {
        let expected = r#"{"id":"9007199254740991","error":"","publish":null,"subscribe":"","signal_entry":null}"#;
        assert_eq!(client.text().await, expected);
    }
}

#[tokio::test]
async fn a_large_answer_is_told_once_for_each_topic_and_connection() {
    let service = Service::labelled(Limits::default(), &[Some(4)]).await;
    let mut watch = service.watch(&[]);
    let mut client = service.client().await;
    client.send(r#"{"id":"1","subscribe":{"topic":"run:r:t"}}"#).await;
    client.send(r#"{"id":"2","subscribe":{"topic":"run:r:u"}}"#).await;
    client.settle().await;
    // The answer adds 69 bytes to the item, which is quoted once more.
    let exactly = format!("\"{}\"", "x".repeat(32 * 1024 - 69 - 6));
    let larger = format!("\"{}\"", "x".repeat(32 * 1024 - 69 - 5));
    for (topic, payload) in [("t", &exactly), ("t", &larger), ("t", &larger), ("u", &larger)] {
        let request = format!(r#"{{"id":"3","publish":{{"topic":"run:r:{topic}","payload":{payload}}}}}"#);
        client.send(request).await;
        for _ in 0..2 {
            client.answer().await;
        }
    }
    for (topic, item) in [("t", 2), ("u", 1)] {
        let Seen::Odd { from: Some(4), reason: "large-answer", text } = seen(&mut watch).await else {
            panic!("a large answer")
        };
        let expected = format!("topic `run:r:{topic}`: item {item} went out as an answer of 32769 bytes");
        assert!(text.starts_with(&expected), "{text}");
    }
    assert!(watch.try_recv().is_err());
}

#[tokio::test]
async fn a_message_beyond_the_limit_gets_an_error_that_names_it() {
    let limits = Limits { max_message_bytes: 100_000, ..Limits::default() };
    let service = Service::with(limits).await;
    let mut watch = service.watch(&[]);
    let request = |size: usize| {
        let frame = r#"{"id":"1","publish":{"topic":"run:r:t","payload":""}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    let mut client = service.client().await;
    assert_eq!(client.ask(request(100_000)).await.publish.expect("a place").seq, 1);
    client.send(request(5_000_000)).await;
    let (id, text) = client.error().await;
    assert_eq!(id, "9007199254740991");
    assert_eq!(
        text,
        "a message of 5000000 bytes is too large: the limit is 100000 bytes; raise it with `--max-message`"
    );
    assert_eq!(u16::from(client.closed().await.code), 1009);
    assert!(matches!(seen(&mut watch).await, Seen::Odd { reason: "too-large", .. }));
    assert_eq!(seen(&mut watch).await, Seen::Gone { from: None });
}
