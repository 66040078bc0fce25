//! One connection: who waits for which answer, and the two loops that write and read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tg_model::sync::{Request, Response, Subscribe};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::error::SyncError;

/// The most items that may wait for a subscriber that reads slowly.
///
/// When they are reached the subscription is cancelled at the service; once the subscriber has read them all it is
/// made anew, and what was delivered before is skipped: topics always replay from their first item. So a slow
/// subscriber holds up neither the other requests of its connection nor the service.
pub(crate) const QUEUE_ITEMS: usize = 16_384;
/// The most bytes that may wait for a subscriber that reads slowly.
pub(crate) const QUEUE_BYTES: usize = 8 << 20;

const PING_EVERY: Duration = Duration::from_secs(30);
/// A peer that sends nothing for this long, not even an answer to a ping, is gone.
const SILENCE: Duration = Duration::from_mins(5);

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// What the loops and the callers share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) addr: String,
    table: Mutex<Table>,
    /// Something is in `Table::control`, or the connection is to be closed.
    wake: Notify,
    /// Milliseconds from the start of the connection to the last message that came.
    heard_ms: AtomicU64,
}

#[derive(Debug)]
struct Table {
    next_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Short requests that a `drop` or a `poll` sends, which cannot wait: at most a few for each open request.
    control: Vec<String>,
    closing: bool,
    lost: Option<String>,
}

#[derive(Debug)]
enum Waiting {
    Reply(oneshot::Sender<Response>),
    Items(Items),
}

#[derive(Debug)]
struct Items {
    topic: String,
    queue: VecDeque<String>,
    bytes: usize,
    received: u64,
    skip: u64,
    paused: bool,
    ended: Option<SyncError>,
    waker: Option<Waker>,
}

impl Link {
    pub(crate) fn new(addr: String, lost: Option<String>) -> Self {
        let table = Table { next_id: 1, waiting: BTreeMap::new(), control: Vec::new(), closing: false, lost };
        Self { addr, table: Mutex::new(table), wake: Notify::new(), heard_ms: AtomicU64::new(0) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost_error(&self, reason: &str) -> SyncError {
        SyncError::Lost { addr: self.addr.clone(), reason: reason.to_owned() }
    }

    /// The error of every call after the connection went.
    pub(crate) fn lost(&self) -> SyncError {
        let reason = self.table().lost.clone();
        self.lost_error(reason.as_deref().unwrap_or("the connection ended"))
    }

    pub(crate) fn check(&self) -> Result<(), SyncError> {
        self.table().lost.as_ref().map_or(Ok(()), |reason| Err(self.lost_error(reason)))
    }

    /// A new request that waits for one answer.
    pub(crate) fn expect_reply(&self) -> Result<(u64, oneshot::Receiver<Response>), SyncError> {
        let mut table = self.table();
        if let Some(reason) = &table.lost {
            return Err(self.lost_error(reason));
        }
        let (tx, rx) = oneshot::channel();
        let id = table.take_id();
        table.waiting.insert(id, Waiting::Reply(tx));
        Ok((id, rx))
    }

    /// A number for a request whose answer nobody waits for.
    pub(crate) fn take_id(&self) -> u64 {
        self.table().take_id()
    }

    /// A new subscription; one on a lost connection has that error as its only item.
    pub(crate) fn expect_items(&self, topic: String) -> u64 {
        let mut table = self.table();
        let ended = table.lost.as_ref().map(|reason| self.lost_error(reason));
        let id = table.take_id();
        table.control.push(subscribe_text(id, &topic));
        let items =
            Items { topic, queue: VecDeque::new(), bytes: 0, received: 0, skip: 0, paused: false, ended, waker: None };
        table.waiting.insert(id, Waiting::Items(items));
        drop(table);
        self.wake.notify_one();
        id
    }

    /// Nobody waits for this request any more: forgets it and tells the service.
    pub(crate) fn forget(&self, id: u64) {
        let mut table = self.table();
        if table.waiting.remove(&id).is_some() && table.lost.is_none() {
            table.control.push(cancel_text(id));
            drop(table);
            self.wake.notify_one();
        }
    }

    /// The next item of a subscription as JSON text. The id changes when the subscription had to be made anew.
    pub(crate) fn poll_item(&self, id: &mut u64, cx: &mut Context<'_>) -> Poll<Result<String, SyncError>> {
        let mut table = self.table();
        let Some(Waiting::Items(items)) = table.waiting.get_mut(id) else {
            return Poll::Ready(Err(self.lost_error("the subscription has ended")));
        };
        if let Some(item) = items.queue.pop_front() {
            items.bytes -= item.len();
            return Poll::Ready(Ok(item));
        }
        if let Some(error) = &items.ended {
            return Poll::Ready(Err(error.clone()));
        }
        items.waker = Some(cx.waker().clone());
        if items.paused {
            items.paused = false;
            items.skip = items.received;
            let text_for = items.topic.clone();
            let new = table.take_id();
            table.control.push(subscribe_text(new, &text_for));
            if let Some(moved) = table.waiting.remove(id) {
                table.waiting.insert(new, moved);
            }
            *id = new;
            drop(table);
            self.wake.notify_one();
        }
        Poll::Pending
    }

    /// Asks the loops to end the connection in order.
    pub(crate) fn close(&self) {
        self.table().closing = true;
        self.wake.notify_one();
    }

    /// Ends everything that waits.
    fn fail(&self, reason: String) {
        let mut table = self.table();
        if table.lost.is_some() {
            return;
        }
        let error = self.lost_error(&reason);
        table.lost = Some(reason);
        table.control.clear();
        let mut wakers = Vec::new();
        // Dropping the sender of a reply is what tells its waiter.
        table.waiting.retain(|_, waiting| match waiting {
            Waiting::Reply(_) => false,
            Waiting::Items(items) => {
                items.ended.get_or_insert_with(|| error.clone());
                items.paused = false;
                wakers.extend(items.waker.take());
                true
            }
        });
        drop(table);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Gives an answer to whoever waits for it. Answers to unknown ids are normal: cancelled requests, keep-alives.
    fn dispatch(&self, text: &[u8]) -> Result<(), serde_json::Error> {
        let response: Response = serde_json::from_slice(text)?;
        let Ok(id) = response.id.parse::<u64>() else { return Ok(()) };
        let mut table = self.table();
        match table.waiting.get_mut(&id) {
            None => {}
            Some(Waiting::Reply(_)) => {
                if let Some(Waiting::Reply(reply)) = table.waiting.remove(&id) {
                    drop(table);
                    // A waiter that has just given up does not mind.
                    drop(reply.send(response));
                }
            }
            Some(Waiting::Items(items)) => {
                let full = items.take(response);
                let waker = items.waker.take();
                if full {
                    table.control.push(cancel_text(id));
                }
                drop(table);
                if full {
                    self.wake.notify_one();
                }
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        Ok(())
    }
}

impl Table {
    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

impl Items {
    /// Takes one answer; true if the queue has just become full.
    fn take(&mut self, response: Response) -> bool {
        if self.paused || self.ended.is_some() {
            return false;
        }
        if !response.error.is_empty() {
            let name = self.topic.split_once(":topics:").map_or(self.topic.as_str(), |(_, name)| name);
            let what = format!("subscribe to topic `{name}`");
            self.ended = Some(SyncError::Refused { what, text: error_text(response.error) });
            return false;
        }
        if response.subscribe.is_empty() {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let fits = self.queue.len() < QUEUE_ITEMS && self.bytes + response.subscribe.len() <= QUEUE_BYTES;
        if !fits && !self.queue.is_empty() {
            self.paused = true;
            return true;
        }
        self.bytes += response.subscribe.len();
        self.received += 1;
        self.queue.push_back(response.subscribe);
        false
    }
}

/// The words of an error, which the service sends as a JSON string literal and other services as they are.
pub(crate) fn error_text(error: String) -> String {
    serde_json::from_str(&error).unwrap_or(error)
}

fn subscribe_text(id: u64, topic: &str) -> String {
    let subscribe = Some(Subscribe { topic: topic.to_owned() });
    request_text(&Request { subscribe, ..empty(id) })
}

fn cancel_text(id: u64) -> String {
    request_text(&Request { is_cancel: true, ..empty(id) })
}

/// A request with nothing in it yet.
pub(crate) fn empty<'a>(id: u64) -> Request<'a> {
    Request { id: id.to_string(), is_cancel: false, publish: None, subscribe: None, signal_entry: None, barrier: None }
}

/// A request as text. Our own shapes always serialise.
pub(crate) fn request_text(request: &Request<'_>) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

/// Serves a connection until it ends, and then tells everyone who waits.
pub(crate) async fn serve(link: std::sync::Arc<Link>, socket: Socket, outbox: mpsc::Receiver<String>) {
    let (sink, stream) = socket.split();
    let started = Instant::now();
    let reason = tokio::select! {
        reason = read(&link, stream, started) => reason,
        reason = write(&link, sink, outbox, started) => reason,
    };
    link.fail(reason);
}

async fn read(link: &Link, mut stream: SplitStream<Socket>, started: Instant) -> String {
    while let Some(message) = stream.next().await {
        link.heard_ms.store(millis(started), Ordering::Relaxed);
        let outcome = match &message {
            Ok(Message::Text(text)) => link.dispatch(text.as_bytes()),
            Ok(Message::Binary(bytes)) => link.dispatch(bytes),
            Ok(Message::Close(frame)) => {
                if link.table().closing {
                    return "this plan closed it".to_owned();
                }
                return match frame {
                    Some(frame) if frame.reason.is_empty() => {
                        format!("the service closed it (code {})", u16::from(frame.code))
                    }
                    Some(frame) => format!("the service closed it: {} (code {})", frame.reason, u16::from(frame.code)),
                    None => "the service closed it".to_owned(),
                };
            }
            Ok(_) => Ok(()),
            Err(error) => return error.to_string(),
        };
        if let Err(error) = outcome {
            return format!("an answer that is no answer of a sync service ({error})");
        }
    }
    "the service ended it".to_owned()
}

async fn write(
    link: &Link,
    mut sink: SplitSink<Socket, Message>,
    mut outbox: mpsc::Receiver<String>,
    started: Instant,
) -> String {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            text = outbox.recv() => match text {
                Some(text) => send_all(&mut sink, text, &mut outbox).await,
                None => return "this plan dropped its client".to_owned(),
            },
            () = link.wake.notified() => {
                // What was handed over before the call of `close` goes out before the close.
                let (control, closing) = {
                    let mut table = link.table();
                    (std::mem::take(&mut table.control), table.closing)
                };
                let mut sent = Ok(());
                for text in control {
                    if sent.is_ok() {
                        sent = sink.feed(Message::text(text)).await;
                    }
                }
                while closing && let Ok(text) = outbox.try_recv() {
                    if sent.is_ok() {
                        sent = sink.feed(Message::text(text)).await;
                    }
                }
                if sent.is_ok() {
                    sent = if closing { sink.send(Message::Close(None)).await } else { sink.flush().await };
                }
                sent
            },
            _ = ping.tick() => {
                let silent = millis(started).saturating_sub(link.heard_ms.load(Ordering::Relaxed));
                if u128::from(silent) > SILENCE.as_millis() {
                    return format!("nothing came from it for {} s", silent / 1000);
                }
                sink.send(Message::Ping(Vec::new().into())).await
            }
        };
        if let Err(error) = sent {
            return error.to_string();
        }
    }
}

/// Sends a request, and with it those that wait behind it, in as few packets as possible.
async fn send_all(
    sink: &mut SplitSink<Socket, Message>,
    first: String,
    outbox: &mut mpsc::Receiver<String>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    sink.feed(Message::text(first)).await?;
    while let Ok(text) = outbox.try_recv() {
        sink.feed(Message::text(text)).await?;
    }
    sink.flush().await
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
