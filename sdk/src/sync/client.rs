//! The client: what a plan can ask of the sync service.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tg_model::sync::{Barrier, Publish, Request, Response, SignalEntry, events_key, state_key, topic_key};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connect::{Address, connect};
use super::error::SyncError;
use super::link::{Link, empty, error_text, request_text, serve};
use super::subscription::Subscription;

/// The names that stand before every state and topic of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The run.
    pub run: String,
    /// The plan.
    pub plan: String,
    /// The case.
    pub case: String,
}

/// A client of the sync service. Clones share one connection.
#[derive(Debug, Clone)]
pub struct SyncClient {
    core: Arc<Core>,
    limit: Option<Duration>,
}

/// What keeps a connection alive; when the last client and subscription go, so does it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) link: Arc<Link>,
    keys: Keys,
    outbox: mpsc::Sender<String>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Forgets a request if the caller stops waiting for it.
struct Pending<'a> {
    link: &'a Link,
    id: u64,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.link.forget(self.id);
    }
}

impl SyncClient {
    /// Connects to the service at `address`, trying again until `limit` is over.
    ///
    /// A plan need not call this: [`crate::Plan`] does it, and [`crate::Env::sync`] is the client.
    pub async fn connect(address: &Address, keys: Keys, limit: Duration) -> Result<Self, SyncError> {
        let socket = connect(address, limit).await?;
        let link = Arc::new(Link::new(address.to_string(), None));
        let (outbox, inbox) = mpsc::channel(256);
        let task = tokio::spawn(serve(Arc::clone(&link), socket, inbox));
        let core = Core { link, keys, outbox, task: Mutex::new(Some(task)) };
        Ok(Self { core: Arc::new(core), limit: None })
    }

    /// A client that was never connected, for a case that does without the service.
    pub(crate) fn offline(address: &Address, keys: Keys) -> Self {
        let reason = "this case was declared with `solo_case` and runs without it".to_owned();
        let link = Arc::new(Link::new(address.to_string(), Some(reason)));
        let (outbox, _) = mpsc::channel(1);
        Self { core: Arc::new(Core { link, keys, outbox, task: Mutex::new(None) }), limit: None }
    }

    /// The same client, with a limit on each of its waits, and on each [`Subscription::next`] of its subscriptions.
    ///
    /// A wait that takes longer ends with [`SyncError::Deadline`], and the service is told.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { core: Arc::clone(&self.core), limit: Some(limit) }
    }

    /// Adds one to a state and returns its count after that: the first to signal gets 1.
    pub async fn signal(&self, state: &str) -> Result<u64, SyncError> {
        let what = || format!("signal state `{state}`");
        let key = self.state(state);
        let request = |id| Ok(request_text(&Request { signal_entry: Some(SignalEntry { state: key }), ..empty(id) }));
        let answer = self.call(&what, request).await?;
        answer.signal_entry.map(|entry| entry.seq).ok_or_else(|| SyncError::Answer { what: what() })
    }

    /// Waits until a state has been signalled `target` times.
    pub async fn barrier(&self, state: &str, target: impl Into<u64>) -> Result<(), SyncError> {
        let target = target.into();
        let what = || format!("barrier `{state}` at {target}");
        let key = self.state(state);
        let request = |id| Ok(request_text(&Request { barrier: Some(Barrier { state: key, target }), ..empty(id) }));
        self.call(&what, request).await.map(drop)
    }

    /// Signals a state and waits until `target` have; returns the count after the own signal.
    pub async fn signal_and_wait(&self, state: &str, target: impl Into<u64>) -> Result<u64, SyncError> {
        let seq = self.signal(state).await?;
        self.barrier(state, target).await?;
        Ok(seq)
    }

    /// Appends an item to a topic and returns its place in it, from 1.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, payload: &T) -> Result<u64, SyncError> {
        let what = || format!("publish on topic `{topic}`");
        let key = topic_key(&self.core.keys.run, &self.core.keys.plan, &self.core.keys.case, topic);
        self.publish_on(&what, key, payload).await
    }

    /// Follows a topic from its first item: everyone sees all items in the same order.
    ///
    /// It never fails at once: whatever is wrong is the first item.
    pub fn subscribe<T>(&self, topic: &str) -> Subscription<T> {
        let keys = &self.core.keys;
        let id = self.core.link.expect_items(topic_key(&keys.run, &keys.plan, &keys.case, topic));
        Subscription {
            core: Arc::clone(&self.core),
            id,
            topic: topic.to_owned(),
            limit: self.limit,
            seen: 0,
            over: false,
            item: PhantomData,
        }
    }

    /// Whether the connection still stands; the error says how it went.
    pub fn check(&self) -> Result<(), SyncError> {
        self.core.link.check()
    }

    /// Tells the other end that no more will come, and waits a little for its farewell.
    pub(crate) async fn close(&self) {
        self.core.link.close();
        let task = self.core.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task
            && tokio::time::timeout(Duration::from_secs(2), &mut task).await.is_err()
        {
            task.abort();
        }
    }

    /// Appends to the topic on which instances tell how they do, and waits for the answer.
    pub(crate) async fn publish_event<T: Serialize + ?Sized>(&self, event: &T) -> Result<u64, SyncError> {
        let keys = &self.core.keys;
        self.publish_on(&|| "publish an event".to_owned(), events_key(&keys.run, &keys.plan, &keys.case), event).await
    }

    /// The same without an answer, for places that cannot wait. What does not fit is left out: the event stands on
    /// stdout and in `run.out` anyway.
    pub(crate) fn post_event<T: Serialize + ?Sized>(&self, event: &T) {
        let keys = &self.core.keys;
        let topic = events_key(&keys.run, &keys.plan, &keys.case);
        if let Ok(payload) = to_raw_value(event) {
            let publish = Some(Publish { topic, payload: &payload });
            let text = request_text(&Request { publish, ..empty(self.core.link.take_id()) });
            drop(self.core.outbox.try_send(text));
        }
    }

    fn state(&self, state: &str) -> String {
        state_key(&self.core.keys.run, &self.core.keys.plan, &self.core.keys.case, state)
    }

    async fn publish_on<T: Serialize + ?Sized>(
        &self,
        what: &(dyn Fn() -> String + Sync),
        topic: String,
        payload: &T,
    ) -> Result<u64, SyncError> {
        let payload =
            to_raw_value(payload).map_err(|error| SyncError::Encode { what: what(), source: Arc::new(error) })?;
        let request =
            |id| Ok(request_text(&Request { publish: Some(Publish { topic, payload: &payload }), ..empty(id) }));
        let answer = self.call(what, request).await?;
        answer.publish.map(|publish| publish.seq).ok_or_else(|| SyncError::Answer { what: what() })
    }

    async fn call(
        &self,
        what: &(dyn Fn() -> String + Sync),
        request: impl FnOnce(u64) -> Result<String, SyncError>,
    ) -> Result<Response, SyncError> {
        let link = &*self.core.link;
        let (id, reply) = link.expect_reply()?;
        let pending = Pending { link, id };
        let text = request(id)?;
        let exchange = async {
            self.core.outbox.send(text).await.map_err(|_closed| link.lost())?;
            reply.await.map_err(|_closed| link.lost())
        };
        let answer = match self.limit {
            None => exchange.await?,
            Some(limit) => match tokio::time::timeout(limit, exchange).await {
                Ok(answer) => answer?,
                Err(_elapsed) => return Err(SyncError::Deadline { what: what(), limit }),
            },
        };
        drop(pending);
        if answer.error.is_empty() {
            Ok(answer)
        } else {
            Err(SyncError::Refused { what: what(), text: error_text(answer.error) })
        }
    }
}
