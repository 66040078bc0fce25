//! Following a run from outside: everything in order, nothing that blocks the service.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::error::TryRecvError;

use super::seen::Seen;
use super::topic::Item;

/// The most notes other than items that wait for one watcher.
const MAX_NOTES: usize = 1 << 16;

/// Which topics a watcher sees the items of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicFilter {
    /// Topics whose key ends in one of these.
    pub suffixes: Vec<String>,
    /// Topics whose key holds one of these.
    pub parts: Vec<String>,
}

impl TopicFilter {
    fn takes(&self, topic: &str) -> bool {
        self.suffixes.iter().any(|suffix| topic.ends_with(suffix.as_str()))
            || self.parts.iter().any(|part| topic.contains(part.as_str()))
    }
}

/// What a watcher has not read yet. Items are shared with their topic, so however far a watcher lags, they cost a
/// few bytes each and never get lost. Everything else is bounded: past the bound it is counted, and the watcher
/// is told how much it missed.
#[derive(Debug)]
pub(super) struct Watcher {
    prefix: String,
    topics: TopicFilter,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Note>,
    notes: usize,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Note {
    Item(Arc<Item>),
    Other(Seen),
}

impl Watcher {
    pub(super) fn new(prefix: &str, topics: TopicFilter) -> Self {
        Self { prefix: prefix.to_owned(), topics, queue: Mutex::default() }
    }

    /// Whether this key is below the watched prefix.
    pub(super) fn covers(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
    }

    pub(super) fn item(&self, item: &Arc<Item>) {
        if self.covers(&item.topic) && self.topics.takes(&item.topic) {
            self.put(Note::Item(Arc::clone(item)));
        }
    }

    pub(super) fn other(&self, seen: Seen) {
        self.put(Note::Other(seen));
    }

    pub(super) fn close(&self) {
        let waker = {
            let mut queue = self.lock();
            queue.closed = true;
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, note: Note) {
        let waker = {
            let mut queue = self.lock();
            if matches!(note, Note::Other(_)) {
                if queue.notes >= MAX_NOTES {
                    queue.missed += 1;
                    return;
                }
                queue.notes += 1;
            }
            queue.waiting.push_back(note);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Seen>> {
        match self.next(Some(cx)) {
            Ok(seen) => Poll::Ready(Some(seen)),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }

    fn next(&self, cx: Option<&mut Context<'_>>) -> Result<Seen, TryRecvError> {
        let note = {
            let mut queue = self.lock();
            match queue.waiting.pop_front() {
                Some(note) => {
                    if matches!(note, Note::Other(_)) {
                        queue.notes -= 1;
                    }
                    note
                }
                None if queue.missed > 0 => {
                    let missed = std::mem::take(&mut queue.missed);
                    let text = format!("{missed} events of barriers and connections came too fast to be told");
                    return Ok(Seen::Odd { from: None, reason: "watch-lagged", text });
                }
                None if queue.closed => return Err(TryRecvError::Disconnected),
                None => {
                    if let Some(cx) = cx {
                        queue.waker = Some(cx.waker().clone());
                    }
                    return Err(TryRecvError::Empty);
                }
            }
        };
        Ok(match note {
            Note::Item(item) => Seen::Published {
                from: item.from,
                topic: item.topic.to_string(),
                seq: item.seq,
                // What the hub encoded itself it can decode.
                payload: serde_json::from_str(&item.encoded).unwrap_or_default(),
            },
            Note::Other(seen) => seen,
        })
    }
}

/// The receiving end of [`Hub::watch`](super::Hub::watch); used like tokio's `mpsc::Receiver`.
///
/// What it returns is in the order in which it happened. Items are never lost and never block the service, however
/// late they are read. Of everything else at most 65,536 wait; what comes on top is counted and told as
/// [`Seen::Odd`] with the reason `watch-lagged`.
#[derive(Debug)]
pub struct Watch {
    pub(super) watcher: Arc<Watcher>,
}

impl Watch {
    /// The next thing that happened; `None` when the hub is gone. Loses nothing when it is cancelled.
    pub async fn recv(&mut self) -> Option<Seen> {
        poll_fn(|cx| self.watcher.poll(cx)).await
    }

    /// The next thing that has happened already, if there is one.
    pub fn try_recv(&mut self) -> Result<Seen, TryRecvError> {
        self.watcher.next(None)
    }
}
