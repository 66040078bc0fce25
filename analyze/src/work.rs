//! How far a long computation is, and whether it may go on.

use std::sync::atomic::{AtomicU64, Ordering};

/// Who hears how far an answer is, and says when it has taken long enough.
pub trait Watch: Sync {
    /// Whether no further step may begin. It is asked often, by several threads.
    fn is_over(&self) -> bool;

    /// A step of something begins, of which so many are done, of so many.
    fn at(&self, what: &'static str, done: u64, of: u64);
}

/// A computation that may be stopped between its steps.
pub struct Work<'a> {
    watch: Option<&'a dyn Watch>,
    what: &'static str,
    of: u64,
    begun: AtomicU64,
}

/// The time was used up before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl<'a> Work<'a> {
    /// Work of so many steps, as far as that is known, that is watched.
    pub fn new(watch: &'a dyn Watch, what: &'static str, of: usize) -> Self {
        Self { watch: Some(watch), what, of: of as u64, begun: AtomicU64::new(0) }
    }

    /// Work that nobody watches and nothing stops.
    pub fn unwatched() -> Self {
        Self { watch: None, what: "", of: 0, begun: AtomicU64::new(0) }
    }

    /// Begins a step.
    pub(crate) fn step(&self) -> Result<(), Stopped> {
        let Some(watch) = self.watch else { return Ok(()) };
        if watch.is_over() {
            return Err(Stopped);
        }
        watch.at(self.what, self.begun.fetch_add(1, Ordering::Relaxed), self.of);
        Ok(())
    }

    /// How many steps were begun, of how many.
    pub(crate) fn begun(&self) -> (u64, u64) {
        (self.begun.load(Ordering::Relaxed), self.of)
    }
}

/// Nobody who hears, and all the time there is.
pub struct Unhurried;

impl Watch for Unhurried {
    fn is_over(&self) -> bool {
        false
    }

    fn at(&self, _what: &'static str, _done: u64, _of: u64) {}
}
