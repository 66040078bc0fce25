//! A topic: a list of items that only grows, and the subscribers to be woken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::mailbox::{Mailbox, Token};
use super::seen::Label;

/// What an item costs besides its text.
const ITEM_OVERHEAD_BYTES: u64 = 128;

/// The bytes that the items of all topics take, and the most that they may.
#[derive(Debug)]
pub(super) struct Store {
    used_bytes: AtomicU64,
    max_bytes: u64,
}

impl Store {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { used_bytes: AtomicU64::new(0), max_bytes }
    }

    fn take(&self, bytes: u64) -> bool {
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&after| after <= self.max_bytes)
            })
            .is_ok()
    }

    fn give(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// One item of a topic.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) from: Label,
    pub(super) topic: Arc<str>,
    /// The place in the topic, from 1.
    pub(super) seq: u64,
    /// The JSON text of the item as a JSON string, encoded once for all subscribers.
    pub(super) encoded: Box<str>,
}

/// One subscription, as its topic knows it.
#[derive(Debug)]
pub(super) struct Subscriber {
    mailbox: Arc<Mailbox>,
    token: Token,
    /// It has been told that there is more and has not looked yet.
    told: AtomicBool,
}

impl Subscriber {
    pub(super) fn new(mailbox: Arc<Mailbox>, token: Token) -> Self {
        // It looks of its own accord after it has joined.
        Self { mailbox, token, told: AtomicBool::new(true) }
    }

    /// To be called before looking: whatever comes afterwards is told again.
    pub(super) fn looks(&self) {
        self.told.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) key: Arc<str>,
    store: Arc<Store>,
    log: Mutex<Log>,
    // Apart from the log: waking a thousand subscribers must not keep the next publisher from appending.
    subscribers: Mutex<BTreeMap<u64, Arc<Subscriber>>>,
    next_place: AtomicU64,
}

#[derive(Debug, Default)]
struct Log {
    items: Vec<Arc<Item>>,
    text_bytes: u64,
}

/// The store has no room for another item.
#[derive(Debug)]
pub(super) struct Full;

impl Topic {
    pub(super) fn new(key: Arc<str>, store: Arc<Store>) -> Self {
        Self { key, store, log: Mutex::default(), subscribers: Mutex::default(), next_place: AtomicU64::new(0) }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribers(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends. `tell` runs before anyone can append the next.
    pub(super) fn publish(&self, from: Label, encoded: Box<str>, tell: impl FnOnce(&Arc<Item>)) -> Result<u64, Full> {
        let text_bytes = encoded.len() as u64;
        if !self.store.take(text_bytes + ITEM_OVERHEAD_BYTES) {
            return Err(Full);
        }
        let seq = {
            let mut log = self.log();
            let seq = log.items.len() as u64 + 1;
            let item = Arc::new(Item { from, topic: Arc::clone(&self.key), seq, encoded });
            tell(&item);
            log.items.push(item);
            log.text_bytes += text_bytes;
            seq
        };
        for subscriber in self.subscribers().values() {
            if !subscriber.told.swap(true, Ordering::SeqCst) {
                subscriber.mailbox.dirty(subscriber.token);
            }
        }
        Ok(seq)
    }

    /// Joins; returns the place to leave by.
    pub(super) fn join(&self, subscriber: Arc<Subscriber>) -> u64 {
        let place = self.next_place.fetch_add(1, Ordering::Relaxed);
        self.subscribers().insert(place, subscriber);
        place
    }

    pub(super) fn leave(&self, place: u64) {
        self.subscribers().remove(&place);
    }

    /// Appends to `batch` up to `most` items after the first `seen`.
    pub(super) fn read(&self, seen: usize, most: usize, batch: &mut Vec<Arc<Item>>) {
        let log = self.log();
        batch.extend(log.items.iter().skip(seen).take(most).cloned());
    }

    /// How much text was ever published here.
    pub(super) fn text_bytes(&self) -> u64 {
        self.log().text_bytes
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.store.give(log.text_bytes + ITEM_OVERHEAD_BYTES * log.items.len() as u64);
    }
}
