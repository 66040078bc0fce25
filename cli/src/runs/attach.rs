//! `tg runs attach`: goes on with a run on a cluster whose tg is gone.

use std::time::Duration;

use tg_model::{Exit, RunId};
use tg_runner::RunOptions;
use tg_runner::cluster::AttachedRun;

use crate::cluster::PlaceArgs;
use crate::message::Failure;
use crate::object_store::StoreArgs;
use crate::render::OutputArgs;
use crate::reporter::Style;
use crate::run::on_cluster::cluster_failure;
use crate::run::{Maker, Series};
use crate::{Context, stored};

/// What `tg runs attach` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The cluster knows everything of a run that goes on there: what it is, how its instances stand, and what those that have \
ended said. Its events are told anew, and it ends as if nothing had happened. Ctrl-C cancels the run.

Examples:
  tg runs attach 20261122-221530417-k7qx
  tg runs attach 20261122-221530417-k7qx --collect")]
pub(super) struct Args {
    /// The run, by its whole id.
    run: RunId,
    /// Make archive and dataset right after it.
    #[arg(long)]
    collect: bool,
    /// How to show progress on stderr.
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// From asking an instance to end to killing it; its pod says so already.
const GRACE: Duration = Duration::from_secs(5);

/// Two that follow one run would write the same files.
fn still_followed(run: &RunId, context: &Context) -> Result<(), Failure> {
    let dir = tg_model::layout::run_dir(&context.home.path()?, run);
    match stored::read_file(&dir) {
        Ok(file) if stored::state(&file) == stored::State::Live => {
            let text = format!("run `{run}` is being followed by the tg that began it");
            Err(Failure::new(Exit::Busy, text).hint("wait for it, or end that tg first"))
        }
        // What is not here, or not readable, is told anew from the cluster.
        _ => Ok(()),
    }
}

/// Goes on with the run.
pub(super) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    still_followed(&args.run, context)?;
    let mut maker = Maker::for_attached(context, args.progress, args.collect, &args.store)?;
    let cluster = args.place.connect().await?;
    let attached = AttachedRun::find(&cluster, &args.run).await.map_err(|error| cluster_failure(&error))?;
    let mut options = RunOptions::new(maker.home(), args.run.clone());
    options.grace = GRACE;
    let mut made = Box::pin(maker.attach(&cluster, attached, options)).await?;
    let failure = made.unpublished.take();
    Series::of(vec![made], failure).emit(&args.output)
}
