//! The plan: its cases, and how one of them is run.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::BoxError;
use crate::crash::Crash;
use crate::env::{Env, Inner, Seqs};
use crate::events::{Event, Events, RunEnv};
use crate::lines::Losses;
use crate::metrics::Both;
use crate::records::Records;
use crate::sync::{SyncClient, SyncError};
use crate::vars::{Vars, VarsError};

/// The exit code after a panic: the one that Rust's own `main` has.
const PANICKED: u8 = 101;
/// The exit code of a plan that was not started by a runner.
const NOT_STARTED: u8 = 2;

type CaseFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

struct Case {
    needs: Needs,
    start: Box<dyn FnOnce(Env) -> CaseFuture>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Sync,
    Nothing,
}

/// A plan: its cases by name.
///
/// ```no_run
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     tg_sdk::Plan::new().case("hello", hello).run().await
/// }
///
/// async fn hello(env: tg_sdk::Env) -> tg_sdk::Result {
///     env.message(format_args!("I am {}", env.name()));
///     env.wait_for_all("ready").await?;
///     Ok(())
/// }
/// ```
#[derive(Default)]
#[must_use = "a plan does nothing until it is run"]
pub struct Plan {
    cases: BTreeMap<String, Case>,
    connect_limit: Option<Duration>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("cases", &self.cases.keys()).finish_non_exhaustive()
    }
}

impl Plan {
    /// For how long an instance tries to reach the sync service, unless the plan says otherwise.
    pub const CONNECT_LIMIT: Duration = Duration::from_secs(30);

    /// A plan without cases.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a case. It succeeds if the function returns `Ok`, fails if it returns an error, and crashes if anything
    /// in the process panics meanwhile, be it in another task or thread.
    pub fn case<F, Fut, E>(self, name: &str, case: F) -> Self
    where
        F: FnOnce(Env) -> Fut + 'static,
        Fut: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        self.add(name, Needs::Sync, case)
    }

    /// Adds a case that does without the sync service: it starts at once, and everything that it asks of
    /// [`Env::sync`] is an error.
    pub fn solo_case<F, Fut, E>(self, name: &str, case: F) -> Self
    where
        F: FnOnce(Env) -> Fut + 'static,
        Fut: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        self.add(name, Needs::Nothing, case)
    }

    /// For how long an instance tries to reach the sync service, instead of [`Plan::CONNECT_LIMIT`].
    pub fn connect_limit(mut self, limit: Duration) -> Self {
        self.connect_limit = Some(limit);
        self
    }

    fn add<F, Fut, E>(mut self, name: &str, needs: Needs, case: F) -> Self
    where
        F: FnOnce(Env) -> Fut + 'static,
        Fut: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        let start = Box::new(|env| -> CaseFuture { Box::pin(async move { case(env).await.map_err(Into::into) }) });
        self.cases.insert(name.to_owned(), Case { needs, start });
        self
    }

    /// Runs the case that the environment asks for, and returns what `main` should return: 0 after a success, 1 after
    /// a failure, 101 after a panic, 2 if this process is no instance of a run.
    pub async fn run(self) -> ExitCode {
        let vars = match Vars::read(&|name| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned())) {
            Ok(vars) => vars,
            Err(error) => return self.not_started(&error),
        };
        let losses = Arc::new(Losses::default());
        let events = match Events::open(&vars, &losses) {
            Ok(events) => Arc::new(events),
            Err(error) => {
                complain(&format!("error: cannot write into `{}`\n  cause: {error}\n", vars.outputs.display()));
                return ExitCode::from(NOT_STARTED);
            }
        };
        let crash = Crash::watch(Arc::clone(&events));
        events.record(&Event::StartEvent { runenv: Box::new(RunEnv::new(&vars)) });
        let metrics = Arc::new(Both::new(&vars.outputs, &losses));
        let ticker = tokio::spawn(Arc::clone(&metrics).write_regularly());
        let ended = tokio::select! {
            ended = AssertUnwindSafe(self.live(vars, &events, &losses, &metrics)).catch_unwind() => {
                // Unwinding that no panic began passes the hook by, and must not look like a success.
                ended.unwrap_or_else(|_payload| Err("the case was unwound without a panic".into()))
            }
            () = crash.wait() => Ok(()),
        };
        ticker.abort();
        for oddity in metrics.finish() {
            events.record(&Event::MessageEvent { message: &oddity });
        }
        let code = conclude(&events, &crash, &losses, ended).await;
        if let Some(sync) = events.published_with() {
            sync.close().await;
        }
        code
    }

    /// Gets ready and runs the case.
    async fn live(
        mut self,
        vars: Vars,
        events: &Arc<Events>,
        losses: &Arc<Losses>,
        metrics: &Arc<Both>,
    ) -> Result<(), BoxError> {
        let Some(case) = self.cases.remove(&vars.case) else {
            let known: Vec<_> = self.cases.keys().map(|name| format!("`{name}`")).collect();
            let text = format!("this plan has no case `{}`; it has {}", vars.case, known.join(", "));
            return Err(text.into());
        };
        let (sync, seqs) = match case.needs {
            Needs::Nothing => (SyncClient::offline(&vars.sync, vars.keys()), None),
            Needs::Sync => join_run(&vars, events, self.connect_limit.unwrap_or(Self::CONNECT_LIMIT)).await?,
        };
        let inner = Inner {
            records: Records::new(&vars.outputs, losses),
            vars,
            events: Arc::clone(events),
            losses: Arc::clone(losses),
            metrics: Arc::clone(metrics),
            sync,
            seqs,
        };
        (case.start)(Env { inner: Arc::new(inner) }).await
    }

    fn not_started(&self, error: &VarsError) -> ExitCode {
        let known: Vec<_> = self.cases.keys().map(|name| format!("`{name}`")).collect();
        let hint = match error {
            VarsError::ByHand => format!(
                "\nhint: in the plan's folder, `tg run . --case CASE --instances N`; the cases are {}\n",
                known.join(", ")
            ),
            VarsError::Problems(_) => "\nhint: `tg run` sets all of them\n".to_owned(),
        };
        complain(&format!("error: {error}\n{hint}"));
        ExitCode::from(NOT_STARTED)
    }
}

/// Connects and takes part in the run: the same steps, in the same order, as Testground's Go SDK.
async fn join_run(vars: &Vars, events: &Events, limit: Duration) -> Result<(SyncClient, Option<Seqs>), SyncError> {
    let sync = SyncClient::connect(&vars.sync, vars.keys(), limit).await?;
    events.publish_with(sync.clone());
    if vars.sidecar {
        let name = "network-initialized";
        events.record(&Event::StageStartEvent { name, group: &vars.group });
        sync.barrier(name, vars.instances).await?;
        events.record(&Event::MessageEvent { message: "network initialisation successful" });
        events.record(&Event::StageEndEvent { name, group: &vars.group });
    }
    let group_state = format!("initialized_group_{}", vars.group);
    let (global, group) = tokio::try_join!(sync.signal("initialized_global"), sync.signal(&group_state))?;
    Ok((sync, Some(Seqs { global, group })))
}

/// Records how it ended, once and for all.
async fn conclude(events: &Events, crash: &Crash, losses: &Losses, result: Result<(), BoxError>) -> ExitCode {
    if crash.happened() {
        return ExitCode::from(PANICKED);
    }
    let error = match result {
        Err(error) => Some(chain(&*error)),
        Ok(()) => losses.summary(),
    };
    let group = &events.group;
    match error {
        None => {
            events.record_last(&Event::SuccessEvent { group }).await;
            ExitCode::SUCCESS
        }
        Some(error) => {
            events.record_last(&Event::FailureEvent { group, error: &error }).await;
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Many libraries repeat the cause in their own text.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Tells the person at the terminal; if there is none any more, nothing can be done about it.
fn complain(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}
