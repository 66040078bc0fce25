//! A runner on another machine follows a run by lines of JSON.

use serde_json::{Value, json};
use tg_runner::sync::{Hub, Limits, Listen, Server};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::client::Client;

const RUN: &str = "20261126-172521123-abcd";

async fn outside() -> (Hub, Server) {
    let hub = Hub::new(Limits::default());
    let listen = Listen { addr: ([127, 0, 0, 1], 0).into(), label: None };
    let server = Server::bind_outside(hub.clone(), &[listen]).await.expect("a free port");
    (hub, server)
}

/// Sends a request and reads the answer's head.
async fn ask(server: &Server, line: &str) -> (String, BufReader<TcpStream>) {
    let mut tcp = TcpStream::connect(server.addrs()[0]).await.expect("a connection");
    tcp.write_all(format!("{line} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes()).await.expect("sent");
    let mut tcp = BufReader::new(tcp);
    let mut status = String::new();
    tcp.read_line(&mut status).await.expect("an answer");
    let mut line = String::new();
    while tcp.read_line(&mut line).await.expect("a head") > 2 {
        line.clear();
    }
    (status, tcp)
}

/// The next line that is not empty.
async fn told(lines: &mut BufReader<TcpStream>) -> Value {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).await.expect("a line") > 0, "it goes on");
        if !line.trim().is_empty() {
            return serde_json::from_str(&line).expect("JSON");
        }
    }
}

#[tokio::test]
async fn a_runner_hears_of_its_run_alone_and_who_speaks() {
    let (_hub, server) = outside().await;
    let (status, mut lines) = ask(&server, &format!("GET /runs/{RUN}/watch")).await;
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    // The first line of the body says that the watch has begun.
    let mut first = String::new();
    lines.read_line(&mut first).await.expect("a line");
    let home = u32::from_be_bytes([127, 0, 0, 1]);
    let mut client = Client::dial(server.addrs()[0]).await;
    client.publish("run:another:plan:p:case:c:run_events", "1").await;
    client.publish(&format!("run:{RUN}:plan:p:case:c:run_events"), "{\"a\":1}").await;
    let seen = told(&mut lines).await["Seen"]["Published"].clone();
    assert_eq!((&seen["from"], &seen["payload"]), (&json!(home), &json!("{\"a\":1}")));
    client.signal(&format!("run:{RUN}:states:ready")).await;
    client.send(format!(r#"{{"id":"b","barrier":{{"state":"run:{RUN}:states:ready","target":2}}}}"#)).await;
    let seen = told(&mut lines).await["Seen"]["BarrierOpened"].clone();
    assert_eq!((&seen["target"], &seen["count"]), (&json!(2), &json!(1)));
    let waiting = told(&mut lines).await["Waiting"][0].clone();
    assert_eq!((&waiting["signalled"], &waiting["waiters"]), (&json!([home]), &json!([home])));
    server.shutdown().await;
}

#[tokio::test]
async fn a_run_is_forgotten_when_its_runner_says_so() {
    let (hub, server) = outside().await;
    hub.signal(&format!("run:{RUN}:states:ready"));
    hub.signal("run:another:states:ready");
    let (status, mut rest) = ask(&server, &format!("DELETE /runs/{RUN}")).await;
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    let mut body = String::new();
    rest.read_to_string(&mut body).await.expect("a body");
    assert_eq!(body.trim(), "1");
    assert_eq!(hub.signal(&format!("run:{RUN}:states:ready")), 1);
    assert_eq!(hub.signal("run:another:states:ready"), 2);
    server.shutdown().await;
}

#[tokio::test]
async fn a_service_of_one_machine_takes_no_such_requests() {
    let hub = Hub::new(Limits::default());
    let listen = Listen { addr: ([127, 0, 0, 1], 0).into(), label: None };
    let server = Server::bind(hub, &[listen]).await.expect("a free port");
    let (status, _) = ask(&server, &format!("DELETE /runs/{RUN}")).await;
    assert!(status.starts_with("HTTP/1.1 426"), "{status}");
    server.shutdown().await;
}
