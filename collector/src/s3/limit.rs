//! How many requests may be in flight: more while all goes well, half as many when the store complains.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

const BEGIN: f64 = 32.0;
const MOST: f64 = 256.0;
const LEAST: f64 = 2.0;
/// Complaints within this time are about one and the same load.
const ONE_LOAD: Duration = Duration::from_millis(500);

/// Additive increase, multiplicative decrease, as in TCP's congestion control (RFC 5681).
#[derive(Debug)]
pub(super) struct Limit {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    in_flight: usize,
    cut: Option<Instant>,
}

impl Default for Limit {
    fn default() -> Self {
        Self { state: Mutex::new(State { limit: BEGIN, in_flight: 0, cut: None }), freed: Notify::new() }
    }
}

impl Limit {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent.
    pub(super) async fn turn(&self) -> Turn<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if (state.in_flight as f64) < state.limit {
                    state.in_flight += 1;
                    return Turn(self);
                }
            }
            freed.await;
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Limit);

impl Turn<'_> {
    /// It was answered: a full window of answers is one request more.
    pub(super) fn went_well(self) {
        let mut state = self.0.state();
        state.limit = (state.limit + 1.0 / state.limit).min(MOST);
    }

    /// The store could not answer.
    pub(super) fn went_badly(self) {
        let mut state = self.0.state();
        let now = Instant::now();
        if state.cut.is_none_or(|cut| now.duration_since(cut) > ONE_LOAD) {
            state.cut = Some(now);
            state.limit = (state.limit / 2.0).max(LEAST);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        // One that waits at a time, and one more where the limit has grown.
        self.0.freed.notify_one();
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn complaints_halve_and_answers_add() {
        let limit = Limit::default();
        limit.turn().await.went_badly();
        assert!((limit.state().limit - BEGIN / 2.0).abs() < 1e-9);
        // Of the same load.
        limit.turn().await.went_badly();
        assert!((limit.state().limit - BEGIN / 2.0).abs() < 1e-9);
        for _ in 0..17 {
            limit.turn().await.went_well();
        }
        assert!(limit.state().limit > BEGIN / 2.0 + 1.0);
        assert_eq!(limit.state().in_flight, 0);
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_one_ends() {
        let limit = Limit::default();
        let mut held = Vec::new();
        for _ in 0..32 {
            held.push(limit.turn().await);
        }
        let waiting = limit.turn();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        held.pop();
        drop(waiting.await);
    }
}
