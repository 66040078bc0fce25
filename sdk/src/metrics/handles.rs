//! What a plan holds of a metric: cheap to clone, usable from any task or thread.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::registry::{Slot, State, lock};
use crate::records::nanos;

/// A metric that gathers values.
#[derive(Debug, Clone)]
pub(super) struct Handle(pub(super) Arc<Mutex<Slot>>);

impl Handle {
    fn change(&self, change: impl FnOnce(&mut State, Duration)) {
        let mut slot = lock(&self.0);
        slot.changed = true;
        let elapsed = slot.began.elapsed();
        change(&mut slot.state, elapsed);
    }

    /// Whether a line can carry the value; counts it if not.
    fn takes(&self, value: f64) -> bool {
        if !value.is_finite() {
            lock(&self.0).odd += 1;
        }
        value.is_finite()
    }
}

/// A count that goes up and down. Its line has `count`, since the start of the instance.
#[derive(Debug, Clone)]
pub struct Counter(pub(super) Handle);

impl Counter {
    /// Adds.
    pub fn inc(&self, n: u64) {
        self.add(i64::try_from(n).unwrap_or(i64::MAX));
    }

    /// Takes away.
    pub fn dec(&self, n: u64) {
        self.add(i64::try_from(n).unwrap_or(i64::MAX).saturating_neg());
    }

    fn add(&self, n: i64) {
        self.0.change(|state, _| {
            if let State::Counter(count) = state {
                *count = count.saturating_add(n);
            }
        });
    }
}

/// A value of now. Its line has `value`, the last that was set.
#[derive(Debug, Clone)]
pub struct Gauge(pub(super) Handle);

impl Gauge {
    /// Sets it.
    pub fn set(&self, new: f64) {
        if self.0.takes(new) {
            self.0.change(|state, _| {
                if let State::Gauge(value) = state {
                    *value = Some(new);
                }
            });
        }
    }
}

/// A rate per second that forgets. Its line has `rate`.
#[derive(Debug, Clone)]
pub struct Ewma(pub(super) Handle);

impl Ewma {
    /// So many more have happened.
    pub fn add(&self, n: u64) {
        self.0.change(|state, now| {
            if let State::Ewma(average) = state {
                average.add(n, now);
            }
        });
    }
}

/// Values and their distribution. Its line has `count`, `max`, `mean`, `min`, `stddev`, `variance` and the
/// percentiles `p50`, `p75`, `p95`, `p99`, `p999`, `p9999`, all since the start of the instance.
#[derive(Debug, Clone)]
pub struct Histogram(pub(super) Handle);

impl Histogram {
    /// Adds a value.
    pub fn update(&self, value: f64) {
        if self.0.takes(value) {
            self.0.change(|state, _| {
                if let State::Histogram(sample) = state {
                    sample.add(value);
                }
            });
        }
    }

    /// Adds a duration in nanoseconds.
    pub fn update_ns(&self, value: Duration) {
        self.update(nanos(value) as f64);
    }
}

/// How often something happens. Its line has `count` and the rates per second `m1`, `m5`, `m15`, `mean`.
#[derive(Debug, Clone)]
pub struct Meter(pub(super) Handle);

impl Meter {
    /// It has happened so many times more.
    pub fn mark(&self, n: u64) {
        self.0.change(|state, now| {
            if let State::Meter(rates) = state {
                rates.mark(n, now);
            }
        });
    }
}

/// How long something takes and how often it happens. Its line has what those of a histogram (in nanoseconds) and of
/// a meter have; the mean rate is called `meanrate`.
#[derive(Debug, Clone)]
pub struct Timer(pub(super) Handle);

impl Timer {
    /// It took so long.
    pub fn update(&self, took: Duration) {
        self.0.change(|state, now| {
            if let State::Timer(sample, rates) = state {
                sample.add(nanos(took) as f64);
                rates.mark(1, now);
            }
        });
    }

    /// Measures how long a future takes.
    pub async fn time<T>(&self, future: impl Future<Output = T>) -> T {
        let began = std::time::Instant::now();
        let out = future.await;
        self.update(began.elapsed());
        out
    }
}
