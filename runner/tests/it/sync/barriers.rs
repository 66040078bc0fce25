//! States and barriers.

use tg_runner::sync::{Limits, Seen, raise_open_files};

use super::client::{Client, Service, seen};

fn barrier(id: usize, state: &str, target: u64) -> String {
    format!(r#"{{"id":"{id}","barrier":{{"state":"{state}","target":{target}}}}}"#)
}

#[tokio::test]
async fn each_barrier_falls_at_its_own_count() {
    let service = Service::start().await;
    let mut waiter = service.client().await;
    let mut other = service.client().await;
    for target in [3, 1, 2, 2] {
        // The id says the target; the second of target 2 has an id of its own.
        let id = if target == 2 { 20 + waiter.count_up() } else { target };
        waiter.send(barrier(usize::try_from(id).expect("small"), "s", target)).await;
    }
    waiter.settle().await;
    assert_eq!(other.signal("s").await, 1);
    assert_eq!(waiter.answer().await.id, "1");
    waiter.settle().await;
    assert_eq!(other.signal("s").await, 2);
    assert_eq!([waiter.answer().await.id, waiter.answer().await.id], ["21", "22"]);
    assert_eq!(other.signal("s").await, 3);
    assert_eq!(waiter.answer().await.id, "3");
    // Counts never drop: whoever comes later passes.
    assert_eq!(other.ask(barrier(4, "s", 2)).await.id, "4");
    // A topic of the same key is something else.
    assert_eq!(other.publish("s", "{}").await, 1);
    assert_eq!(other.signal("s").await, 4);
}

#[tokio::test]
async fn those_who_cancel_or_leave_wait_no_more() {
    let service = Service::labelled(Limits::default(), &[Some(3), Some(1), None]).await;
    let mut watch = service.watch(&[]);
    let (mut third, mut first, mut nameless) =
        (service.client_of(0).await, service.client_of(1).await, service.client_of(2).await);
    let state = "run:r:states:ready";
    third.send(barrier(1, state, 4)).await;
    third.send(barrier(2, state, 4)).await;
    third.settle().await;
    first.send(barrier(1, state, 4)).await;
    first.settle().await;
    nameless.send(barrier(1, state, 4)).await;
    nameless.settle().await;
    assert_eq!(first.signal(state).await, 1);
    assert_eq!(first.signal(state).await, 2);
    assert_eq!(nameless.signal(state).await, 3);
    let waiting = service.hub.waiting("run:r:");
    assert_eq!(waiting.len(), 1);
    let line = &waiting[0];
    assert_eq!((line.state.as_str(), line.target, line.count), (state, 4, 3));
    assert_eq!((line.signalled.as_slice(), line.waiters.as_slice()), (&[1][..], &[1, 3][..]));
    assert_eq!(service.hub.waiting("run:other:"), []);

    first.send(r#"{"id":"1","is_cancel":true}"#).await;
    first.settle().await;
    assert_eq!(service.hub.waiting("run:r:")[0].waiters, [3]);
    third.close().await;
    let opened = Seen::BarrierOpened { state: state.to_owned(), target: 4, count: 0 };
    assert_eq!(seen(&mut watch).await, opened);
    assert_eq!(seen(&mut watch).await, Seen::Gone { from: Some(3) });
    assert_eq!(service.hub.waiting("run:r:")[0].waiters, Vec::<u32>::new());
    // The runner signals as if it were a client.
    assert_eq!(service.hub.signal(state), 4);
    assert_eq!(nameless.answer().await.id, "1");
    let Seen::BarrierReached { target: 4, .. } = seen(&mut watch).await else { panic!("the barrier was reached") };
    assert_eq!(service.hub.waiting("run:r:"), []);
    first.settle().await;
}

/// Ten thousand waiters on two thousand connections, or on as many as this process may have open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_signal_releases_ten_thousand() {
    const WAITERS: usize = 10_000;
    let files = usize::try_from(raise_open_files().expect("a limit of open files")).unwrap_or(usize::MAX);
    let connections = (files.saturating_sub(500) / 2).min(2000);
    let service = Service::start().await;
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(service.client().await);
    }
    for n in 0..WAITERS {
        clients[n % connections].send(barrier(n, "run:r:states:all", 1)).await;
    }
    for client in &mut clients {
        client.settle().await;
    }
    assert_eq!(service.hub.signal("run:r:states:all"), 1);
    for n in 0..WAITERS {
        assert_eq!(clients[n % connections].answer().await.id, n.to_string());
    }
}

impl Client {
    /// 1, 2, 3, …
    fn count_up(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }
}

#[tokio::test]
async fn where_networks_cannot_be_shaped_plans_are_told_so_and_do_not_wait() {
    let service = Service::start().await;
    let answering = tokio::spawn(tg_runner::answer_unshaped(service.hub.clone()));
    let mut client = service.client().await;
    let key = |name: &str| format!("run:r:plan:p:case:c:states:{name}");
    // A pod has its network when it begins.
    assert_eq!(client.ask(barrier(1, &key("network-initialized"), 5)).await.error, "");
    // What changes nothing is granted, and the rest is refused, be it readable or not.
    let rows = [
        (r#"{"network":"default","enable":true,"default":{"latency":0},"callback_state":"a"}"#, "a", ""),
        (r#"{"network":"default","default":{"latency":5},"callback_state":"b"}"#, "b", "cannot be shaped"),
        (r#"{"enable":false,"callback_state":"c"}"#, "c", "cannot be shaped"),
        (r#"{"default":{"latency":"much"},"callback_state":"d"}"#, "d", "cannot be read"),
    ];
    for (payload, state, wanted) in rows {
        client.publish("run:r:plan:p:case:c:topics:network:i-0", payload).await;
        let answer = client.ask(barrier(2, &key(state), 1)).await;
        assert!(if wanted.is_empty() { answer.error.is_empty() } else { answer.error.contains(wanted) }, "{answer:?}");
    }
    // Nobody gets it to count for ever: the others are answered as before.
    let mut hostile = service.client().await;
    hostile.send(barrier(3, "run:other:states:network-initialized", u64::MAX)).await;
    hostile.settle().await;
    assert_eq!(client.ask(barrier(4, "run:third:states:network-initialized", 2)).await.error, "");
    answering.abort();
}
