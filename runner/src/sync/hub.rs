//! The state of all runs.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::limits::Limits;
use super::seen::{Label, Seen};
use super::state::{Signalled, State, Wait, Waiter};
use super::topic::{Store, Topic};
use super::watch::{TopicFilter, Watch, Watcher};
use super::wire;

/// A barrier that someone waits at now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The state's key.
    pub state: String,
    /// The count that it waits for.
    pub target: u64,
    /// The count now.
    pub count: u64,
    /// The instances that have signalled, ascending, each once; connections without a label are not in it.
    pub signalled: Vec<u32>,
    /// The instances that wait, ascending, each once.
    pub waiters: Vec<u32>,
    /// For how long the first has waited.
    pub since: Duration,
}

/// The states and topics of all runs, in memory. Clones are handles to the same hub.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limits: Limits,
    states: RwLock<Keys<State>>,
    topics: RwLock<Keys<Topic>>,
    watchers: RwLock<Vec<Weak<Watcher>>>,
    // Outlives the hub in topics that a connection still holds.
    store: Arc<Store>,
}

/// Sorted, so that what is below a prefix is one stretch.
type Keys<T> = BTreeMap<Arc<str>, Arc<T>>;

/// Why the hub refused something, for the client to read.
pub(super) type Refusal = String;

impl Hub {
    /// An empty hub.
    pub fn new(limits: Limits) -> Self {
        let store = Arc::new(Store::new(limits.max_stored_bytes));
        let inner =
            Inner { limits, states: RwLock::default(), topics: RwLock::default(), watchers: RwLock::default(), store };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Adds one to a state, as if a client had; returns the count.
    pub fn signal(&self, state: &str) -> u64 {
        let state = find_or_add(&self.inner.states, state, State::new);
        self.signal_state(&state, None)
    }

    /// Tells whoever waits for a state, now or later, that it will not be reached, and why.
    pub fn fail(&self, state: &str, why: &str) {
        find_or_add(&self.inner.states, state, State::new).fail(&why.into());
    }

    /// Appends to a topic, as if a client had; returns the place, or 0 if the hub may store no more.
    pub fn publish(&self, topic: &str, payload: &RawValue) -> u64 {
        let topic = find_or_add(&self.inner.topics, topic, |key| self.inner.new_topic(key));
        self.publish_topic(&topic, None, payload).unwrap_or(0)
    }

    /// Follows what happens from now on below a key prefix (`run:<id>:`): barriers, oddities, connections that go,
    /// and items published on the topics that the filter takes.
    ///
    /// A connection belongs to the prefix of the first key that it used. One that used none yet goes unnoticed; an
    /// oddity about such a one is told to every watcher.
    pub fn watch(&self, prefix: &str, topics: TopicFilter) -> Watch {
        let watcher = Arc::new(Watcher::new(prefix, topics));
        let mut watchers = self.inner.watchers.write().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&watcher));
        Watch { watcher }
    }

    /// Who waits for what below a prefix, by key and target.
    pub fn waiting(&self, prefix: &str) -> Vec<Waiting> {
        let states: Vec<_> = below(&read(&self.inner.states), prefix).map(|(_, state)| Arc::clone(state)).collect();
        states
            .iter()
            .flat_map(|state| {
                state.lines().into_iter().map(|line| Waiting {
                    state: state.key.to_string(),
                    target: line.target,
                    count: line.count,
                    signalled: line.signalled,
                    waiters: line.waiters,
                    since: line.since,
                })
            })
            .collect()
    }

    /// Forgets everything below a prefix and releases nobody; returns how many keys went.
    ///
    /// Connections that are still open keep what they subscribed to until they close.
    pub fn drop_run(&self, prefix: &str) -> usize {
        drop_below(&mut write(&self.inner.states), prefix) + drop_below(&mut write(&self.inner.topics), prefix)
    }

    pub(super) fn state(&self, key: &str) -> Result<Arc<State>, Refusal> {
        self.inner.admit(&self.inner.states, key, State::new)
    }

    pub(super) fn topic(&self, key: &str) -> Result<Arc<Topic>, Refusal> {
        self.inner.admit(&self.inner.topics, key, |key| self.inner.new_topic(key))
    }

    pub(super) fn signal_state(&self, state: &State, from: Label) -> u64 {
        let Signalled { count, reached } = state.signal(from, |signalled| {
            if let Some(reached) = &signalled.reached {
                let (target, waited) = (signalled.count, reached.waited);
                self.tell(&state.key, || Seen::BarrierReached { state: state.key.to_string(), target, waited });
            }
        });
        if let Some(reached) = reached {
            reached.release();
        }
        count
    }

    pub(super) fn wait_state(&self, state: &State, target: u64, waiter: Waiter) -> Wait {
        state.wait(target, waiter, |wait| match *wait {
            Wait::Placed { opened: Some(count), .. } => {
                self.tell(&state.key, || Seen::BarrierOpened { state: state.key.to_string(), target, count });
            }
            // Its last signal came before its first waiter.
            Wait::Over => {
                let waited = Duration::ZERO;
                self.tell(&state.key, || Seen::BarrierReached { state: state.key.to_string(), target, waited });
            }
            Wait::Placed { opened: None, .. } | Wait::Failed(_) => {}
        })
    }

    pub(super) fn publish_topic(&self, topic: &Topic, from: Label, payload: &RawValue) -> Result<u64, Refusal> {
        let encoded = wire::encode_str(payload.get()).into_boxed_str();
        let watchers = read(&self.inner.watchers);
        let tell = |item: &Arc<_>| watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.item(item));
        topic.publish(from, encoded, tell).map_err(|_full| {
            format!(
                "topics are full: the items of all topics may take {} bytes (`max_stored_bytes`)",
                self.limits().max_stored_bytes
            )
        })
    }

    /// Tells those who watch this key.
    pub(super) fn tell(&self, key: &str, seen: impl Fn() -> Seen) {
        for watcher in read(&self.inner.watchers).iter().filter_map(Weak::upgrade) {
            if watcher.covers(key) {
                watcher.other(seen());
            }
        }
    }

    /// Tells everyone: for what cannot be told apart by key.
    pub(crate) fn tell_all(&self, seen: &Seen) {
        for watcher in read(&self.inner.watchers).iter().filter_map(Weak::upgrade) {
            watcher.other(seen.clone());
        }
    }
}

impl Inner {
    fn new_topic(&self, key: Arc<str>) -> Topic {
        Topic::new(key, Arc::clone(&self.store))
    }

    fn admit<T>(&self, keys: &RwLock<Keys<T>>, key: &str, make: impl FnOnce(Arc<str>) -> T) -> Result<Arc<T>, Refusal> {
        if let Some(found) = read(keys).get(key) {
            return Ok(Arc::clone(found));
        }
        let Limits { max_key_bytes, max_keys, .. } = self.limits;
        if key.len() > max_key_bytes {
            return Err(format!("a key of {} bytes: the limit is {max_key_bytes} (`max_key_bytes`)", key.len()));
        }
        // Two at once may pass by one: the limit guards memory, not an invariant.
        if read(&self.states).len() + read(&self.topics).len() >= max_keys {
            return Err(format!("too many topics and states: the limit is {max_keys} (`max_keys`)"));
        }
        Ok(find_or_add(keys, key, make))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let watchers = self.watchers.get_mut().unwrap_or_else(PoisonError::into_inner);
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.close());
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn below<'a, T>(keys: &'a Keys<T>, prefix: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<T>)> {
    keys.range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

fn drop_below<T>(keys: &mut Keys<T>, prefix: &str) -> usize {
    let going: Vec<_> = below(keys, prefix).map(|(key, _)| Arc::clone(key)).collect();
    for key in &going {
        keys.remove(key);
    }
    going.len()
}

fn find_or_add<T>(keys: &RwLock<Keys<T>>, key: &str, make: impl FnOnce(Arc<str>) -> T) -> Arc<T> {
    if let Some(found) = read(keys).get(key) {
        return Arc::clone(found);
    }
    let mut keys = write(keys);
    // Someone may have added it between the two locks.
    if let Some(found) = keys.get(key) {
        return Arc::clone(found);
    }
    let key: Arc<str> = key.into();
    let made = Arc::new(make(Arc::clone(&key)));
    keys.insert(key, Arc::clone(&made));
    made
}
