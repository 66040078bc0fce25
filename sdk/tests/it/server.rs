//! A sync service for tests: small, in memory, and able to misbehave as told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tg_sdk::sync::{Address, Keys, SyncClient};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

/// What the service does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// Takes every request and never answers.
    Silent,
    /// Answers every request with this error text.
    Refusing(&'static str),
    /// Breaks the connection without a farewell at the n-th request.
    BreaksAt(usize),
    /// Closes the connection in order at the n-th request.
    ClosesAt(usize),
    /// Answers with something that is no answer.
    Babbling,
    /// Answers every request twice, and with unknown ids before.
    Chatty,
}

#[derive(Default)]
struct State {
    states: BTreeMap<String, u64>,
    topics: BTreeMap<String, Vec<Value>>,
    requests: Vec<Value>,
}

/// A running service. It ends when it is dropped.
pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let (changed, _) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let (shared, changes) = (Arc::clone(&state), changed.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, manner, Arc::clone(&shared), changes.clone()));
            }
        });
        Self { addr, state, changed, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> Address {
        Address { host: self.addr.ip().to_string(), port: self.addr.port() }
    }

    pub(crate) async fn client(&self) -> SyncClient {
        self.client_of("c").await
    }

    pub(crate) async fn client_of(&self, case: &str) -> SyncClient {
        let keys = Keys { run: "r".to_owned(), plan: "p".to_owned(), case: case.to_owned() };
        SyncClient::connect(&self.address(), keys, Duration::from_secs(10)).await.expect("connected")
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.state.lock().expect("no panic").requests.clone()
    }

    /// The items of a topic by its full key.
    pub(crate) fn topic(&self, key: &str) -> Vec<Value> {
        self.state.lock().expect("no panic").topics.get(key).cloned().unwrap_or_default()
    }

    /// Waits until a request for which `test` holds has come.
    pub(crate) async fn saw(&self, test: impl Fn(&Value) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !self.state.lock().expect("no panic").requests.iter().any(&test) {
                changes.changed().await.expect("it lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the request comes");
    }
}

fn answer(id: &Value) -> Value {
    json!({"id": id, "error": "", "publish": null, "subscribe": "", "signal_entry": null})
}

async fn serve(stream: TcpStream, manner: Manner, state: Arc<Mutex<State>>, changed: watch::Sender<u64>) {
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (mut sink, mut source) = socket.split();
    let (out, mut outbox) = mpsc::channel::<Message>(64);
    let mut waits = JoinSet::new();
    waits.spawn(async move {
        while let Some(message) = outbox.recv().await {
            if sink.send(message).await.is_err() {
                break;
            }
        }
    });
    let mut open = BTreeMap::new();
    let mut count = 0;
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        let request: Value = serde_json::from_str(&text).expect("a request is JSON");
        let id = request["id"].clone();
        let mut reply = answer(&id);
        let mut instant = false;
        {
            let mut state = state.lock().expect("no panic");
            state.requests.push(request.clone());
            if manner == Manner::Good || manner == Manner::Chatty {
                if let Some(key) = request["publish"]["topic"].as_str() {
                    let items = state.topics.entry(key.to_owned()).or_default();
                    items.push(request["publish"]["payload"].clone());
                    reply["publish"] = json!({"seq": items.len()});
                    instant = true;
                } else if let Some(key) = request["signal_entry"]["state"].as_str() {
                    let count = state.states.entry(key.to_owned()).or_default();
                    *count += 1;
                    reply["signal_entry"] = json!({"seq": *count});
                    instant = true;
                }
            }
        }
        changed.send_modify(|n| *n += 1);
        count += 1;
        match manner {
            Manner::Good => {}
            Manner::Refusing(text) => {
                reply["error"] = json!(text);
                instant = true;
            }
            Manner::BreaksAt(n) if n == count => return,
            Manner::ClosesAt(n) if n == count => {
                out.send(Message::Close(None)).await.ok();
                continue;
            }
            Manner::Silent | Manner::BreaksAt(_) | Manner::ClosesAt(_) => continue,
            Manner::Babbling => {
                out.send(Message::text("hello?")).await.ok();
                continue;
            }
            Manner::Chatty => {
                for odd in ["999999", "no number"] {
                    out.send(Message::text(answer(&json!(odd)).to_string())).await.ok();
                }
                out.send(Message::Binary(reply.to_string().into_bytes().into())).await.ok();
            }
        }
        if instant {
            out.send(Message::text(reply.to_string())).await.ok();
            continue;
        }
        if request["is_cancel"] == true {
            if let Some(wait) = open.remove(&id.to_string()) {
                let wait: tokio::task::AbortHandle = wait;
                wait.abort();
            }
            continue;
        }
        let (state, changes, out) = (Arc::clone(&state), changed.subscribe(), out.clone());
        open.insert(id.to_string(), waits.spawn(wait_for(request, reply, state, changes, out)));
    }
}

/// Answers a barrier when it is reached, or a subscription item by item.
async fn wait_for(
    request: Value,
    mut reply: Value,
    state: Arc<Mutex<State>>,
    mut changes: watch::Receiver<u64>,
    out: mpsc::Sender<Message>,
) {
    let mut sent = 0;
    loop {
        changes.mark_unchanged();
        let (mut done, mut answers) = (false, Vec::new());
        {
            let state = state.lock().expect("no panic");
            if let Some(key) = request["barrier"]["state"].as_str() {
                done =
                    state.states.get(key).copied().unwrap_or(0) >= request["barrier"]["target"].as_u64().unwrap_or(0);
                if done {
                    answers.push(reply.to_string());
                }
            } else if let Some(key) = request["subscribe"]["topic"].as_str() {
                for item in state.topics.get(key).into_iter().flatten().skip(sent) {
                    reply["subscribe"] = json!(item.to_string());
                    answers.push(reply.to_string());
                    sent += 1;
                }
            }
        }
        for text in answers {
            if out.send(Message::text(text)).await.is_err() {
                return;
            }
        }
        if done || changes.changed().await.is_err() {
            return;
        }
    }
}
