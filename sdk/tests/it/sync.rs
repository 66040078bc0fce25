//! The sync client against a service that behaves, and against others.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tg_sdk::sync::{Address, Keys, SyncClient, SyncError};

use crate::server::{Manner, Service};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn requests_are_those_of_the_protocol() {
    let service = Service::start(Manner::Good).await;
    let sync = service.client().await;
    assert_eq!(sync.signal("ready").await.expect("a count"), 1);
    assert_eq!(sync.publish("addrs", &json!({"a": 1})).await.expect("a place"), 1);
    sync.barrier("ready", 1u32).await.expect("reached");
    let mut addrs = sync.subscribe::<Value>("addrs");
    assert_eq!(addrs.next().await.expect("an item"), json!({"a": 1}));
    let requests = service.requests();
    assert_eq!(
        requests,
        [
            json!({"id": "1", "is_cancel": false, "signal_entry": {"state": "run:r:plan:p:case:c:states:ready"}}),
            json!({"id": "2", "is_cancel": false,
                "publish": {"topic": "run:r:plan:p:case:c:topics:addrs", "payload": {"a": 1}}}),
            json!({"id": "3", "is_cancel": false,
                "barrier": {"state": "run:r:plan:p:case:c:states:ready", "target": 1}}),
            json!({"id": "4", "is_cancel": false, "subscribe": {"topic": "run:r:plan:p:case:c:topics:addrs"}}),
        ]
    );
}

#[tokio::test]
async fn everyone_sees_all_items_in_order_and_barriers_hold_until_reached() {
    let service = Service::start(Manner::Good).await;
    let (a, b) = (service.client().await.within(LONG), service.client().await.within(LONG));
    for n in 0..5u64 {
        assert_eq!(a.publish("t", &n).await.expect("a place"), n + 1);
    }
    let mut early = b.subscribe::<u64>("t");
    assert_eq!(early.next_n(5u32).await.expect("items"), [0, 1, 2, 3, 4]);
    let (last, ()) = tokio::join!(early.next(), async {
        a.publish("t", &5).await.expect("a place");
    });
    assert_eq!(last.expect("an item"), 5);
    let as_stream: Vec<u64> = b.subscribe::<u64>("t").take(6).map(|item| item.expect("an item")).collect().await;
    assert_eq!(as_stream, [0, 1, 2, 3, 4, 5]);

    let waiter = b.clone();
    let wait = tokio::spawn(async move { waiter.barrier("go", 2u32).await });
    service.saw(|request| !request["barrier"].is_null()).await;
    assert_eq!(a.signal("go").await.expect("a count"), 1);
    assert!(!wait.is_finished());
    assert_eq!(a.signal_and_wait("go", 2u32).await.expect("a count"), 2);
    wait.await.expect("no panic").expect("reached");
}

#[tokio::test]
async fn dropping_a_wait_tells_the_service() {
    let service = Service::start(Manner::Good).await;
    let sync = service.client().await;
    let other = sync.clone();
    let wait = tokio::spawn(async move { other.barrier("never", 9u32).await });
    service.saw(|request| !request["barrier"].is_null()).await;
    wait.abort();
    service.saw(|request| request["id"] == "1" && request["is_cancel"] == true).await;

    drop(sync.subscribe::<u64>("t"));
    service.saw(|request| request["id"] == "2" && request["is_cancel"] == true).await;
    assert_eq!(sync.within(LONG).signal("still").await.expect("the connection lives on"), 1);
}

#[tokio::test]
async fn a_deadline_ends_a_wait_and_names_it() {
    let service = Service::start(Manner::Silent).await;
    let sync = service.client().await.within(Duration::from_millis(20));
    let error = sync.barrier("ready", 3u32).await.expect_err("too late");
    assert_eq!(error.to_string(), "barrier `ready` at 3: not done within 20ms");
    service.saw(|request| request["is_cancel"] == true).await;
    let error = sync.subscribe::<u64>("t").next().await.expect_err("too late");
    assert_eq!(error.to_string(), "item 1 of topic `t`: not done within 20ms");
    assert!(matches!(sync.signal("x").await, Err(SyncError::Deadline { .. })));
}

#[tokio::test]
async fn a_lost_connection_ends_everything_that_waits_and_all_that_comes_later() {
    for (manner, reason) in [
        (Manner::BreaksAt(3), ""),
        (Manner::ClosesAt(3), "the service closed it"),
        (Manner::Babbling, "an answer that is no answer of a sync service"),
    ] {
        let service = Service::start(manner).await;
        let sync = service.client().await.within(LONG);
        let mut items = sync.subscribe::<u64>("t");
        let (barrier, signal, item) = tokio::join!(sync.barrier("b", 2u32), sync.signal("s"), items.next());
        for error in [barrier.expect_err("lost"), signal.expect_err("lost"), item.expect_err("lost")] {
            assert!(matches!(&error, SyncError::Lost { .. }), "{manner:?}: {error}");
            assert!(error.to_string().contains(reason), "{manner:?}: {error}");
        }
        assert!(matches!(sync.publish("t", &1).await, Err(SyncError::Lost { .. })));
        assert!(matches!(sync.check(), Err(SyncError::Lost { .. })));
        assert!(matches!(items.next().await, Err(SyncError::Lost { .. })), "again and again");
        let mut late = sync.subscribe::<u64>("t");
        assert!(matches!(StreamExt::next(&mut late).await, Some(Err(SyncError::Lost { .. }))));
        assert!(StreamExt::next(&mut late).await.is_none(), "a stream ends after that");
    }
}

#[tokio::test]
async fn errors_of_the_service_are_told_in_its_words() {
    for text in ["boom", "\"boom\""] {
        let service = Service::start(Manner::Refusing(text)).await;
        let sync = service.client().await.within(LONG);
        let error = sync.signal("s").await.expect_err("refused");
        assert_eq!(error.to_string(), "signal state `s`: the sync service says: boom");
        let error = sync.subscribe::<u64>("t").next().await.expect_err("refused");
        assert_eq!(error.to_string(), "subscribe to topic `t`: the sync service says: boom");
    }
}

#[tokio::test]
async fn unknown_and_repeated_answers_and_binary_frames_do_no_harm() {
    let service = Service::start(Manner::Chatty).await;
    let sync = service.client().await.within(LONG);
    for n in 1..=3 {
        assert_eq!(sync.signal("s").await.expect("a count"), n);
    }
}

#[tokio::test]
async fn an_item_of_another_shape_is_an_error_and_the_next_follows() {
    let service = Service::start(Manner::Good).await;
    let sync = service.client().await.within(LONG);
    sync.publish("t", "text").await.expect("a place");
    sync.publish("t", &7).await.expect("a place");
    let mut items = sync.subscribe::<u64>("t");
    let error = items.next().await.expect_err("another shape");
    assert_eq!(error.to_string(), "item 1 of topic `t` is not of the expected type");
    assert_eq!(items.next().await.expect("an item"), 7);
}

#[tokio::test]
async fn a_slow_subscriber_holds_up_nobody_and_loses_nothing() {
    // More than may wait for one subscriber, so that the subscription has to be made anew.
    const ITEMS: u64 = 17_000;
    let service = Service::start(Manner::Good).await;
    let sync = service.client().await.within(Duration::from_mins(1));
    let mut slow = sync.subscribe::<u64>("t");
    let publish = futures_util::stream::iter(0..ITEMS)
        .map(|n| {
            let sync = sync.clone();
            async move { sync.publish("t", &n).await }
        })
        .buffered(200)
        .for_each(|place| async move {
            place.expect("a place");
        });
    publish.await;
    service.saw(|request| request["is_cancel"] == true).await;
    assert_eq!(sync.signal("others go on").await.expect("a count"), 1);
    let published: Vec<u64> =
        service.topic("run:r:plan:p:case:c:topics:t").iter().map(|item| item.as_u64().expect("a number")).collect();
    assert_eq!(published.len() as u64, ITEMS);
    assert!(slow.next_n(ITEMS).await.expect("items") == published, "all of them, in the order of the topic");
    let subscriptions = service.requests().iter().filter(|request| !request["subscribe"].is_null()).count();
    assert!(subscriptions >= 2, "16,384 items at most wait at once");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    drop(taken);
    let address = Address { host: "127.0.0.1".to_owned(), port };
    let keys = Keys { run: "r".to_owned(), plan: "p".to_owned(), case: "c".to_owned() };
    let error = SyncClient::connect(&address, keys, Duration::from_millis(50)).await.expect_err("nobody is there");
    assert_eq!(error.to_string(), format!("cannot reach the sync service at `127.0.0.1:{port}` within 50ms"));
    assert!(std::error::Error::source(&error).expect("a cause").to_string().contains("refused"));
}
