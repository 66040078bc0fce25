//! Clients that mean harm or know no better.

use std::time::Duration;

use tg_runner::sync::{Limits, Seen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::client::{Service, seen};

async fn raw(service: &Service, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect(service.server.addrs()[0]).await.expect("a connection");
    tcp.write_all(bytes).await.expect("a peer that reads");
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.expect("an end in good order");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn other_protocols_are_told_so() {
    let service = Service::start().await;
    let answer = raw(&service, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.ends_with("which speaks websocket: the request does not ask for an upgrade to websocket.\n"));
    assert!(raw(&service, b"*1\r\n$4\r\nPING\r\n\r\n").await.starts_with("HTTP/1.1 426"));
    assert!(raw(&service, &vec![b'x'; 17 * 1024]).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_ends() {
    let service = Service::with(Limits { handshake: Duration::from_millis(50), ..Limits::default() }).await;
    assert_eq!(raw(&service, b"GET / HTTP/1.1\r\n").await, "");
}

#[tokio::test]
async fn bad_requests_are_answered_and_the_connection_goes_on() {
    let service = Service::labelled(Limits::default(), &[Some(2)]).await;
    let mut watch = service.watch(&[]);
    let mut client = service.client().await;
    client.signal("run:r:states:s").await;
    let rows: [(&str, &str); 6] = [
        ("", "9007199254740991"),
        ("{", "9007199254740991"),
        (r#"{"id":"1"}"#, "1"),
        (r#"{"id":"2","barrier":{"state":"s","target":-1}}"#, "2"),
        (r#"{"id":"3","signal_entry":{"state":["s"]}}"#, "3"),
        (r#"{"id":"4","publish":{"topic":"t"},"subscribe":{"topic":"t"}}"#, "4"),
    ];
    for (request, id) in rows {
        client.send(request).await;
        let (answered, text) = client.error().await;
        assert!(answered == id && text.starts_with("bad request: "), "{request}: {text}");
        let Seen::Odd { from: Some(2), reason: "bad-request", .. } = seen(&mut watch).await else {
            panic!("{request} is odd")
        };
    }
    client.send_message(Message::binary(vec![0xff, 0x00])).await;
    assert!(client.error().await.1.contains("not UTF-8"));
    // However many come, those who watch are not flooded.
    for _ in 0..100 {
        client.send("x").await;
        client.error().await;
    }
    assert_eq!(client.signal("run:r:states:s").await, 2);
    client.close().await;
    let mut odd = 0;
    while let Seen::Odd { .. } = seen(&mut watch).await {
        odd += 1;
    }
    assert!(odd <= 2, "{odd}");
}

#[tokio::test]
async fn keys_and_open_requests_have_limits_that_errors_name() {
    let limits = Limits { max_key_bytes: 20, max_keys: 3, max_open_requests: 2, ..Limits::default() };
    let service = Service::with(limits).await;
    let mut client = service.client().await;
    client.send(format!(r#"{{"id":"1","signal_entry":{{"state":"{}"}}}}"#, "k".repeat(21))).await;
    assert_eq!(client.error().await.1, "a key of 21 bytes: the limit is 20 (`max_key_bytes`)");
    client.signal("a").await;
    client.signal("b").await;
    client.publish("c", "1").await;
    client.send(r#"{"id":"1","publish":{"topic":"d","payload":1}}"#).await;
    assert_eq!(client.error().await.1, "too many topics and states: the limit is 3 (`max_keys`)");
    for id in 0..3 {
        client.send(format!(r#"{{"id":"{id}","barrier":{{"state":"a","target":9}}}}"#)).await;
    }
    let (id, text) = client.error().await;
    assert_eq!(id, "2");
    assert!(text.contains("the limit for a connection is 2 (`max_open_requests`)"), "{text}");
    // One that ends makes room.
    client.send(r#"{"id":"0","is_cancel":true}"#).await;
    client.send(r#"{"id":"2","barrier":{"state":"a","target":9}}"#).await;
    client.settle().await;
}

#[tokio::test]
async fn what_is_no_websocket_after_the_handshake_gets_an_error_and_a_close_frame() {
    let service = Service::start().await;
    let handshake = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Sent in one go with what follows, as a client may that is sure of the answer.
    let mut unmasked = handshake.to_vec();
    unmasked.extend_from_slice(b"\x81\x01x and then everything else that comes to mind");
    let mut tcp = TcpStream::connect(service.server.addrs()[0]).await.expect("a connection");
    tcp.write_all(&unmasked).await.expect("a peer that reads");
    let mut answer = Vec::new();
    // A close frame with the code 1002.
    let is_close = |window: &[u8]| matches!(window, [0x88, _, 0x03, 0xea]);
    while !answer.windows(4).any(is_close) {
        assert_ne!(tcp.read_buf(&mut answer).await.expect("more"), 0, "{}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.contains("a frame from a client is not masked"), "{answer}");
}
