//! A state: a count that only grows, and the barriers that wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::mailbox::{Mailbox, Token};
use super::seen::Label;

#[derive(Debug)]
pub(super) struct State {
    pub(super) key: Arc<str>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    count: u64,
    signalled: BTreeSet<u32>,
    /// By target: the last signal empties exactly one group.
    groups: BTreeMap<u64, Group>,
    next_place: u64,
    /// The targets of barriers that were seen to be reached.
    reached: BTreeSet<u64>,
    /// Why its barriers will never be reached.
    failed: Option<Arc<str>>,
}

#[derive(Debug)]
struct Group {
    since: Instant,
    waiters: BTreeMap<u64, Waiter>,
}

/// Who waits at a barrier.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) token: Token,
    pub(super) label: Label,
}

/// What a signal did.
#[derive(Debug)]
pub(super) struct Signalled {
    pub(super) count: u64,
    /// The barrier that it was the last signal of, if someone waited there.
    pub(super) reached: Option<Reached>,
}

#[derive(Debug)]
pub(super) struct Reached {
    pub(super) waited: Duration,
    waiters: BTreeMap<u64, Waiter>,
}

impl Reached {
    /// Tells every waiter.
    pub(super) fn release(self) {
        for waiter in self.waiters.into_values() {
            waiter.mailbox.release(waiter.token);
        }
    }
}

/// What became of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The count had been reached already.
    Over,
    /// It will never be reached.
    Failed(Arc<str>),
    /// The waiter stands in line, here; `opened` holds the count if it is the first in line.
    Placed { place: u64, opened: Option<u64> },
}

/// A line of waiters, as seen from outside.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) target: u64,
    pub(super) count: u64,
    pub(super) signalled: Vec<u32>,
    pub(super) waiters: Vec<u32>,
    pub(super) since: Duration,
}

impl State {
    pub(super) fn new(key: Arc<str>) -> Self {
        Self { key, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one. `tell` runs before anyone else can touch the state.
    pub(super) fn signal(&self, from: Label, tell: impl FnOnce(&Signalled)) -> Signalled {
        let mut inner = self.lock();
        inner.count += 1;
        inner.signalled.extend(from);
        let count = inner.count;
        if inner.groups.contains_key(&count) {
            inner.reached.insert(count);
        }
        let reached =
            inner.groups.remove(&count).map(|group| Reached { waited: group.since.elapsed(), waiters: group.waiters });
        let signalled = Signalled { count, reached };
        tell(&signalled);
        signalled
    }

    /// Stands in line, or passes at once. `tell` runs before anyone else can touch the state, and not again for a
    /// barrier that is known to be reached.
    pub(super) fn wait(&self, target: u64, waiter: Waiter, tell: impl FnOnce(&Wait)) -> Wait {
        let mut inner = self.lock();
        if inner.count >= target {
            if inner.reached.insert(target) {
                tell(&Wait::Over);
            }
            return Wait::Over;
        }
        if let Some(why) = &inner.failed {
            return Wait::Failed(Arc::clone(why));
        }
        let place = inner.next_place;
        inner.next_place += 1;
        let count = inner.count;
        let group =
            inner.groups.entry(target).or_insert_with(|| Group { since: Instant::now(), waiters: BTreeMap::new() });
        let opened = group.waiters.is_empty().then_some(count);
        group.waiters.insert(place, waiter);
        let wait = Wait::Placed { place, opened };
        tell(&wait);
        wait
    }

    /// Whoever waits here, or will, is told that it is in vain; the first reason stays.
    pub(super) fn fail(&self, why: &Arc<str>) {
        let mut inner = self.lock();
        let why = Arc::clone(inner.failed.get_or_insert_with(|| Arc::clone(why)));
        let groups = std::mem::take(&mut inner.groups);
        drop(inner);
        for waiter in groups.into_values().flat_map(|group| group.waiters.into_values()) {
            waiter.mailbox.fail(waiter.token, Arc::clone(&why));
        }
    }

    /// Leaves the line; nothing happens if the barrier was reached meanwhile.
    pub(super) fn leave(&self, target: u64, place: u64) {
        let mut inner = self.lock();
        let Some(group) = inner.groups.get_mut(&target) else { return };
        group.waiters.remove(&place);
        if group.waiters.is_empty() {
            inner.groups.remove(&target);
        }
    }

    /// Who waits now, by target.
    pub(super) fn lines(&self) -> Vec<Line> {
        let inner = self.lock();
        inner
            .groups
            .iter()
            .map(|(&target, group)| Line {
                target,
                count: inner.count,
                signalled: inner.signalled.iter().copied().collect(),
                waiters: group.waiters.values().filter_map(|w| w.label).collect::<BTreeSet<_>>().into_iter().collect(),
                since: group.since.elapsed(),
            })
            .collect()
    }
}
