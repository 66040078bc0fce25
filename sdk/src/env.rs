//! What a case is given: everything that an instance knows, and everything that it can do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::events::{Event, Events};
use crate::lines::Losses;
use crate::metrics::{Both, Metrics};
use crate::params::{Params, ParamsError};
use crate::records::Records;
use crate::rng::Rng;
use crate::sync::{SyncClient, SyncError};
use crate::vars::Vars;

/// The environment of one instance. Clones are the same environment.
#[derive(Debug, Clone)]
pub struct Env {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) vars: Vars,
    pub(crate) events: Arc<Events>,
    pub(crate) losses: Arc<Losses>,
    pub(crate) sync: SyncClient,
    pub(crate) seqs: Option<Seqs>,
    pub(crate) records: Records,
    pub(crate) metrics: Arc<Both>,
}

/// The numbers that the sync service gave this instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seqs {
    pub(crate) global: u64,
    pub(crate) group: u64,
}

impl Env {
    /// The plan's name.
    pub fn plan(&self) -> &str {
        &self.inner.vars.plan
    }

    /// The case's name.
    pub fn case(&self) -> &str {
        &self.inner.vars.case
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.inner.vars.run
    }

    /// The group of this instance.
    pub fn group(&self) -> &str {
        &self.inner.vars.group
    }

    /// The number of this instance in its group, from 0, if the runner tells: tg does, others do not.
    pub fn index(&self) -> Option<u32> {
        self.inner.vars.index
    }

    /// A name for this instance that no other instance of the run has: `group/index`, or `group/#seq` where the
    /// runner tells no index.
    pub fn name(&self) -> String {
        match (self.index(), self.inner.seqs) {
            (Some(index), _) => format!("{}/{index}", self.group()),
            (None, Some(seqs)) => format!("{}/#{}", self.group(), seqs.group),
            (None, None) => format!("{}/pid-{}", self.group(), std::process::id()),
        }
    }

    /// How many instances the run has.
    pub fn instances(&self) -> u64 {
        self.inner.vars.instances
    }

    /// How many instances the group has.
    pub fn group_instances(&self) -> u64 {
        self.inner.vars.group_instances
    }

    /// The number that this instance got when it began, from 1, each number once in the run. Which instance gets
    /// which differs from run to run. Absent in a `solo_case`.
    pub fn seq(&self) -> Option<u64> {
        self.inner.seqs.map(|seqs| seqs.global)
    }

    /// The same within the group.
    pub fn group_seq(&self) -> Option<u64> {
        self.inner.seqs.map(|seqs| seqs.group)
    }

    /// The folder for what this instance leaves behind.
    pub fn outputs_path(&self) -> &Path {
        &self.inner.vars.outputs
    }

    /// A folder for files that nobody needs afterwards; absent on a backend that gives none.
    pub fn temp_path(&self) -> Option<&Path> {
        Some(self.inner.vars.temp.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// When the run began, as the runner wrote it (RFC 3339); empty if it does not tell.
    pub fn start_time(&self) -> &str {
        &self.inner.vars.start_time
    }

    /// Reads the parameters, and reports every problem in them at once.
    ///
    /// ```no_run
    /// # fn f(env: tg_sdk::Env) -> tg_sdk::Result {
    /// use std::time::Duration;
    /// let (rounds, pause) = env.params(|p| (p.within("rounds", 10, 1..=1000u32), p.get::<Duration>("pause")))?;
    /// # let _ = (rounds, pause); Ok(()) }
    /// ```
    pub fn params<T>(&self, read: impl FnOnce(&mut Params<'_>) -> T) -> Result<T, ParamsError> {
        Params::read(&self.inner.vars.params, read)
    }

    /// The seed of this instance: the same for the same instance of every run with the same seed.
    ///
    /// A runner that gives none gets one that is derived from the run's id, the group and the sequence number, which
    /// no later run repeats.
    pub fn seed(&self) -> u64 {
        let vars = &self.inner.vars;
        vars.seed.unwrap_or_else(|| {
            let number = vars.index.map_or_else(|| self.group_seq().unwrap_or(0), u64::from);
            let run = tg_model::env::instance_seed(0, &vars.run, 0);
            tg_model::env::instance_seed(run, &vars.group, u32::try_from(number).unwrap_or(u32::MAX))
        })
    }

    /// Random numbers from [`Env::seed`]. Every call starts anew with the same numbers.
    pub fn rng(&self) -> Rng {
        Rng::new(self.seed())
    }

    /// Tells something to whoever watches the run, and to whoever reads its logs.
    pub fn message(&self, text: impl fmt::Display) {
        self.inner.events.record(&Event::MessageEvent { message: &text.to_string() });
    }

    /// Begins a stage. A stage that is dropped without [`Stage::end`] stays open in the record, which shows where an
    /// instance failed.
    pub fn stage(&self, name: &str) -> Stage {
        let events = Arc::clone(&self.inner.events);
        events.record(&Event::StageStartEvent { name, group: &events.group });
        Stage { events, name: name.to_owned() }
    }

    /// Metrics that are results of the run: `results.out`, written each second and at the end.
    pub fn results(&self) -> &Metrics {
        &self.inner.metrics.results
    }

    /// Metrics that help to understand a run: `diagnostics.out`, written every five seconds and at the end.
    pub fn diagnostics(&self) -> &Metrics {
        &self.inner.metrics.diagnostics
    }

    /// The sync service.
    pub fn sync(&self) -> &SyncClient {
        &self.inner.sync
    }

    /// Signals a state and waits until every instance of the run has.
    pub async fn wait_for_all(&self, state: &str) -> Result<(), SyncError> {
        self.sync().signal_and_wait(state, self.instances()).await.map(drop)
    }
}

/// A stage of a case that has begun.
#[derive(Debug)]
#[must_use = "a stage that is dropped without `end` stays open in the record"]
pub struct Stage {
    events: Arc<Events>,
    name: String,
}

impl Stage {
    /// The stage is over.
    pub fn end(self) {
        self.events.record(&Event::StageEndEvent { name: &self.name, group: &self.events.group });
    }
}
