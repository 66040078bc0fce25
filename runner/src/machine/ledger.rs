//! Counters of threads that come and go, and how much they grew since the last look.

use std::collections::HashMap;

use super::proc::Turns;

/// What the scheduler did for each thread, by its number, at the last look and at this one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    last: HashMap<u32, Turns>,
    now: HashMap<u32, Turns>,
}

impl Ledger {
    /// Takes the counters of a thread; gives how much they grew. Those of a thread that was not there grew from nothing.
    pub(super) fn grown(&mut self, thread: u32, turns: Turns) -> Turns {
        self.now.insert(thread, turns);
        let old = self.last.get(&thread).copied().unwrap_or_default();
        // A number that was given to another thread counts from nothing as well.
        let old = if old.iter().zip(&turns).any(|(old, new)| old > new) { Turns::default() } else { old };
        std::array::from_fn(|at| turns[at] - old[at])
    }

    /// This look is over; threads that were not seen are gone.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.last, &mut self.now);
        self.now.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_by_thread() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.grown(1, [5, 2, 1]), [5, 2, 1]);
        ledger.turn();
        assert_eq!(ledger.grown(1, [9, 2, 3]), [4, 0, 2]);
        assert_eq!(ledger.grown(2, [1, 1, 1]), [1, 1, 1]);
        ledger.turn();
        // Thread 1 is another one now.
        assert_eq!(ledger.grown(1, [3, 3, 3]), [3, 3, 3]);
        ledger.turn();
        assert_eq!(ledger.grown(2, [1, 1, 2]), [1, 1, 2]);
    }
}
