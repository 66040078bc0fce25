//! `tg cluster agent`: runs on each node of a cluster, and is started by nobody but the cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anstream::eprintln;
use futures_util::future::BoxFuture;
use tg_collector::{Publisher, S3, S3Place};
use tg_model::{Exit, InstanceId, RunId};
use tg_runner::cluster::{AgentOptions, Publish, PublishError, Sent, agent};
use tokio_util::sync::CancellationToken;

use super::PlaceArgs;
use crate::message::Failure;
use crate::object_store::StoreArgs;
use crate::run::on_cluster::cluster_failure;
use crate::signals::Interrupts;

/// An agent that has shown no life for so long is dead.
const ALIVE: Duration = Duration::from_mins(1);

/// What `tg cluster agent` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// The node.
    #[arg(long, env = "TG_NODE")]
    node: String,
    /// The pod that it runs in.
    #[arg(long, env = "TG_POD")]
    pod: Option<String>,
    /// Where outputs go.
    #[arg(long, env = "TG_OUTPUTS")]
    outputs: S3Place,
    /// Only say, by the exit code, whether the agent of this node is alive.
    #[arg(long)]
    alive: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let mut options = AgentOptions::new(args.node);
    options.pod = args.pod;
    if args.alive {
        return alive(&options.heartbeat());
    }
    let store = args.store.open(args.outputs).await;
    let cluster = args.place.connect().await?;
    let cancel = CancellationToken::new();
    let mut interrupts = Interrupts::listen()?;
    let say = Arc::new(|text: &str| eprintln!("{text}"));
    eprintln!("agent of node {}, tg {}", options.node, env!("CARGO_PKG_VERSION"));
    let work = agent(cluster, options, Arc::new(Store(store)), say, cancel.clone());
    tokio::pin!(work);
    let ended = tokio::select! {
        ended = &mut work => ended,
        () = interrupts.next() => {
            cancel.cancel();
            work.await
        }
    };
    ended.map_err(|error| cluster_failure(&error))?;
    Ok(Exit::Ok)
}

fn alive(heartbeat: &Path) -> Result<Exit, Failure> {
    let at = std::fs::metadata(heartbeat).and_then(|meta| meta.modified());
    let at = at.map_err(|error| Failure::new(Exit::Environment, "the agent has shown no life").cause(&error))?;
    let age = SystemTime::now().duration_since(at).unwrap_or_default();
    if age <= ALIVE {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(Exit::Environment, format!("the agent has shown no life for {} s", age.as_secs())))
}

/// The object store that an installation names.
struct Store(S3);

impl Publish for Store {
    fn publish<'a>(
        &'a self,
        run: &'a RunId,
        dir: &'a Path,
        id: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Sent, PublishError>> {
        Box::pin(async move {
            let sent = Publisher::new(self.0.clone(), run.clone(), dir).instance(id).await?;
            let notes = sent.notes.iter().map(|note| format!("{}: {}", note.path, note.text)).collect();
            Ok(Sent { files: sent.files, bytes: sent.bytes, notes })
        })
    }

    fn reach(&self) -> BoxFuture<'_, Result<(), PublishError>> {
        Box::pin(async move { Ok(self.0.reach().await?) })
    }
}
