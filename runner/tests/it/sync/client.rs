//! A websocket client that says exactly what it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tg_model::sync::Response;
use tg_runner::sync::{Hub, Label, Limits, Listen, Seen, Server, TopicFilter, Watch};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Only to end a test that would hang.
const FAR: Duration = Duration::from_mins(1);

/// A hub with a server on a free port of its own.
pub(crate) struct Service {
    pub(crate) hub: Hub,
    pub(crate) server: Server,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::labelled(limits, &[None]).await
    }

    /// An address for each label.
    pub(crate) async fn labelled(limits: Limits, labels: &[Label]) -> Self {
        let hub = Hub::new(limits);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen: Vec<_> = labels.iter().map(|&label| Listen { addr: any, label }).collect();
        let server = Server::bind(hub.clone(), &listen).await.expect("a working connection");
        Self { hub, server }
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_of(0).await
    }

    /// A client at the address of that place in the list of labels.
    pub(crate) async fn client_of(&self, place: usize) -> Client {
        Client::dial(self.server.addrs()[place]).await
    }

    pub(crate) fn watch(&self, suffixes: &[&str]) -> Watch {
        let suffixes = suffixes.iter().map(|&suffix| suffix.to_owned()).collect();
        self.hub.watch("run:", TopicFilter { suffixes, parts: Vec::new() })
    }
}

pub(crate) async fn seen(watch: &mut Watch) -> Seen {
    timeout(FAR, watch.recv()).await.expect("the watcher is told in time").expect("the hub is there")
}

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    pub(crate) counted: u64,
}

impl Client {
    pub(crate) async fn dial(addr: SocketAddr) -> Self {
        let tcp = TcpStream::connect(addr).await.expect("a working connection");
        // The default would take 128 KiB for each of thousands of clients.
        let config = WebSocketConfig::default().read_buffer_size(2048);
        let (socket, _) = client_async_with_config(format!("ws://{addr}/any/path?at=all"), tcp, Some(config))
            .await
            .expect("a working connection");
        Self { socket, counted: 0 }
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("a working connection");
    }

    /// Sends with whatever comes next.
    pub(crate) async fn feed(&mut self, text: impl Into<String>) {
        self.socket.feed(Message::text(text.into())).await.expect("a working connection");
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("a working connection");
    }

    pub(crate) async fn receive(&mut self) -> Message {
        timeout(FAR, self.socket.next()).await.expect("an answer in time").expect("a connection").expect("a frame")
    }

    /// The next answer, which is text.
    pub(crate) async fn text(&mut self) -> String {
        match self.receive().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    pub(crate) async fn answer(&mut self) -> Response {
        serde_json::from_str(&self.text().await).expect("an answer")
    }

    pub(crate) async fn ask(&mut self, request: impl Into<String>) -> Response {
        self.send(request).await;
        self.answer().await
    }

    /// The text of an error, decoded twice as the published Rust SDK does.
    pub(crate) async fn error(&mut self) -> (String, String) {
        let Response { id, error, .. } = self.answer().await;
        (id, serde_json::from_str(&error).expect("an error is a JSON string literal"))
    }

    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) -> u64 {
        let answer = self.ask(format!(r#"{{"id":"p","publish":{{"topic":"{topic}","payload":{payload}}}}}"#)).await;
        assert_eq!((answer.id.as_str(), answer.error.as_str()), ("p", ""));
        answer.publish.expect("a place").seq
    }

    pub(crate) async fn signal(&mut self, state: &str) -> u64 {
        let answer = self.ask(format!(r#"{{"id":"s","signal_entry":{{"state":"{state}"}}}}"#)).await;
        answer.signal_entry.expect("a count").seq
    }

    /// The close frame that ends the connection.
    pub(crate) async fn closed(&mut self) -> CloseFrame {
        match self.receive().await {
            Message::Close(Some(frame)) => frame,
            other => panic!("not a close frame: {other:?}"),
        }
    }

    /// Waits until everything sent so far has been dealt with.
    pub(crate) async fn settle(&mut self) {
        self.socket.send(Message::Ping("settled".into())).await.expect("a working connection");
        assert_eq!(self.receive().await, Message::Pong("settled".into()), "nothing but the pong comes");
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("a working connection");
        while let Some(Ok(_)) = timeout(FAR, self.socket.next()).await.expect("the end in time") {}
    }
}
