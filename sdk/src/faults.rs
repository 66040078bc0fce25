//! Faults that a plan asks for while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::env::Env;
use crate::records::nanos;
use crate::sync::SyncError;

/// The topic on which faults are asked for.
const TOPIC: &str = "tg-faults";

/// Something that is to break. It has the keys of `[[faults]]` in a composition, and they mean the same.
///
/// ```
/// use std::time::Duration;
/// use tg_sdk::Fault;
/// let third = Fault::kill().of(["servers"]).share(0.33);
/// let apart = Fault::partition([["servers"], ["clients"]]).lasts(Duration::from_secs(5));
/// let slow = Fault::degrade().of(["clients/0"]).link("latency", "200ms").link("loss", 3);
/// # let _ = (third, apart, slow);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    keys: Map<String, Value>,
}

impl Fault {
    fn new(action: &str) -> Self {
        Self { keys: Map::new() }.with("do", action)
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    /// Kills; say whom.
    pub fn kill() -> Self {
        Self::new("kill")
    }

    /// Stops all processes, without their knowing; say whose.
    pub fn pause() -> Self {
        Self::new("pause")
    }

    /// Lets those that are paused go on.
    pub fn resume() -> Self {
        Self::new("resume")
    }

    /// Kills, and starts again after as long as the fault lasts, at once if nothing is said; say whom.
    pub fn restart() -> Self {
        Self::new("restart")
    }

    /// Lets nothing pass between these sides, which are groups and instances; whoever is on none is on one more.
    pub fn partition<S: Into<String>>(sides: impl IntoIterator<Item = impl IntoIterator<Item = S>>) -> Self {
        let names = |side: S| Value::String(side.into());
        let sides: Vec<Value> = sides.into_iter().map(|side| side.into_iter().map(names).collect()).collect();
        Self::new("partition").with("sides", sides)
    }

    /// Cuts some off from all others; say whom.
    pub fn cut_off() -> Self {
        Self::new("partition")
    }

    /// Ends every partition.
    pub fn heal() -> Self {
        Self::new("heal")
    }

    /// Makes links worse; say in what, with [`Fault::link`].
    pub fn degrade() -> Self {
        Self::new("degrade")
    }

    /// Whom it is for: groups, and instances such as `servers/3`.
    #[must_use]
    pub fn of<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<Value> = names.into_iter().map(|name| Value::String(name.into())).collect();
        self.with("of", names)
    }

    /// This part of 1 of them, drawn from the run's seed.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        self.with("share", share)
    }

    /// So many of them, drawn from the run's seed.
    #[must_use]
    pub fn count(self, count: u32) -> Self {
        self.with("count", count)
    }

    /// Of degraded links: towards whom.
    #[must_use]
    pub fn towards<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<Value> = names.into_iter().map(|name| Value::String(name.into())).collect();
        self.with("towards", names)
    }

    /// Of degraded links: a key of a link and its value, such as `("latency", "200ms")` or `("loss", 3)`.
    #[must_use]
    pub fn link(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(link) = self.keys.entry("link").or_insert_with(|| json!({})) {
            link.insert(key.to_owned(), value.into());
        }
        self
    }

    /// How long after it was asked for it begins.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        self.with("at", format!("{}ns", nanos(delay)))
    }

    /// How long it lasts.
    #[must_use]
    pub fn lasts(self, time: Duration) -> Self {
        self.with("for", format!("{}ns", nanos(time)))
    }
}

impl Env {
    /// Breaks something now, or later if the fault says so, and returns once it has begun. The fault is on record as
    /// those of the composition are.
    ///
    /// What cannot be brought about is an error that says why, never a silent success. Whoever kills itself hears
    /// nothing more.
    pub async fn break_now(&self, fault: &Fault) -> Result<(), SyncError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = format!("tg-fault-{}-{}-{}-{nth}", self.group(), std::process::id(), crate::now_ns());
        let mut keys = fault.keys.clone();
        keys.insert("callback_state".to_owned(), Value::String(state.clone()));
        self.sync().publish(TOPIC, &keys).await?;
        self.sync().barrier(&state, 1_u64).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_the_keys_of_a_composition() {
        let fault = Fault::degrade()
            .of(["a", "b/1"])
            .count(2)
            .towards(["c"])
            .link("latency", "20ms")
            .link("loss", 3)
            .after(Duration::from_millis(5))
            .lasts(Duration::from_secs(1));
        let wanted = json!({
            "do": "degrade", "of": ["a", "b/1"], "count": 2, "towards": ["c"],
            "link": {"latency": "20ms", "loss": 3}, "at": "5000000ns", "for": "1000000000ns",
        });
        assert_eq!(Value::Object(fault.keys), wanted);
        let fault = Fault::partition([["a"], ["b"]]);
        assert_eq!(Value::Object(fault.keys), json!({"do": "partition", "sides": [["a"], ["b"]]}));
    }
}
