//! The parameters of a run.

use std::time::Duration;

use tg_sdk::{Env, Result, Size};

/// Who is connected to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Everybody to everybody.
    Full,
    /// Everybody to the next one.
    Ring,
    /// Everybody to so many others, drawn from the seed; others draw too, so that most have more.
    Random(usize),
}

/// All parameters.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed of keys, topology and the moments of publishing.
    pub seed: u64,
    /// The first so many nodes publish.
    pub publishers: usize,
    /// Messages of a publisher in a second.
    pub rate: f64,
    /// Bytes of a message's content.
    pub size: usize,
    /// For how long they publish.
    pub duration: Duration,
    /// Between the last connection and the first message.
    pub warmup: Duration,
    /// The longest wait for messages after the last publish.
    pub cooldown: Duration,
    pub topology: Topology,
    pub topics: usize,
    /// Topics of each node.
    pub subscriptions: usize,
    /// D, the degree that a mesh should have.
    pub d: usize,
    /// Below this, a router grafts.
    pub dlo: usize,
    /// Above this, a router prunes.
    pub dhi: usize,
    /// To so many others a router gossips in a heartbeat.
    pub dlazy: usize,
    pub heartbeat: Duration,
    /// Whether a publisher sends to all that want it, and not to its mesh only.
    pub flood: bool,
    /// One way, added to whatever a node sends; it needs hosts.
    pub latency: Duration,
}

impl Settings {
    /// Reads them, and tells every problem at once.
    pub fn read(env: &Env) -> Result<Self> {
        Ok(env.params(|p| {
            let degree = p.within("degree", 8, 1..=1000);
            let topology = match p.get_or("topology", "random".to_owned()).as_str() {
                "full" => Topology::Full,
                "ring" => Topology::Ring,
                "random" => Topology::Random(degree),
                other => {
                    p.problem(format!("`topology` must be full, ring or random, not `{other}`"));
                    Topology::Full
                }
            };
            let settings = Self {
                seed: p.get_or("seed", 1),
                publishers: p.within("publishers", 3, 1..=10_000),
                rate: p.within("rate", 2.0, 0.001..=10_000.0),
                size: usize::try_from(p.get_or("size", Size(1024)).0).unwrap_or(usize::MAX),
                duration: p.get_or("duration", Duration::from_secs(10)),
                warmup: p.get_or("warmup", Duration::from_secs(3)),
                cooldown: p.get_or("cooldown", Duration::from_secs(10)),
                topology,
                topics: p.within("topics", 1, 1..=1000),
                subscriptions: p.within("subscriptions", 1, 1..=1000),
                d: p.within("d", 6, 1..=1000),
                dlo: p.within("dlo", 5, 1..=1000),
                dhi: p.within("dhi", 12, 1..=1000),
                dlazy: p.within("dlazy", 6, 0..=1000),
                heartbeat: p.get_or("heartbeat", Duration::from_secs(1)),
                flood: p.get_or("flood", false),
                latency: p.get_or("latency", Duration::ZERO),
            };
            // The library itself checks this for topics with a limit of their own only.
            if settings.dlo > settings.d || settings.d > settings.dhi {
                let Self { d, dlo, dhi, .. } = settings;
                p.problem(format!("`dlo` ≤ `d` ≤ `dhi` must hold, not {dlo}, {d} and {dhi}"));
            }
            if settings.size == 0 || settings.size > 8 << 20 {
                p.problem("`size` must be 1 to 8MiB");
            }
            if settings.heartbeat < Duration::from_millis(10) {
                p.problem("`heartbeat` must be at least 10ms");
            }
            if settings.subscriptions > settings.topics {
                let Self { topics, subscriptions, .. } = settings;
                p.problem(format!("`subscriptions` is {subscriptions}, and there are {topics} `topics`"));
            }
            settings
        })?)
    }

    /// How many messages a publisher has to publish.
    pub fn messages(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are above 0, and saturate")]
        let n = (self.rate * self.duration.as_secs_f64()).floor() as u64;
        n
    }
}
