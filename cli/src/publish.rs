//! `tg publish`: what a run left, into an object store.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use tg_collector::{CollectError, Published, Publisher, S3Place};
use tg_model::{Exit, RunId};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::message::{Failure, progress};
use crate::object_store::StoreArgs;
use crate::signals::Interrupts;
use crate::text::count;
use crate::{output, stored};

/// How often it is said how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What `tg publish` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The files lie at PREFIX/<run-id>/<group>/<index>/<file>, with stdout.log and stderr.log among them; run.json and \
events.ndjson of the run come last. `tg collect <run-id> --source s3://BUCKET/PREFIX` gets them from there.

Examples:
  tg publish latest --to s3://lab/runs
  tg publish latest --to s3://lab/runs --s3-endpoint http://localhost:9000
  tg run pings.toml --publish s3://lab/runs     each instance's files as soon as it has ended")]
pub(crate) struct Args {
    /// The run: its id, a unique prefix of it, or `latest`.
    run: String,
    /// Where to.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    to: S3Place,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let stored = stored::find(&context.home, &args.run)?;
    // Refuses formats that this tg does not know.
    stored::read_file(&stored.dir)?;
    let publisher = Publisher::new(args.store.open(args.to).await, stored.id.clone(), &stored.dir);
    let mut interrupts = Interrupts::listen()?;
    let cancel = CancellationToken::new();
    let told = std::sync::Mutex::new(Instant::now());
    let tell = |sent: u64, total: u64| {
        let Ok(mut told) = told.lock() else { return };
        if told.elapsed() >= TELL_EVERY {
            *told = Instant::now();
            progress(&format!("published {} of {}", HumanBytes(sent), HumanBytes(total)));
        }
    };
    let work = publisher.all(&tell, &cancel);
    tokio::pin!(work);
    let published = tokio::select! {
        published = &mut work => published,
        () = interrupts.next() => {
            cancel.cancel();
            work.await
        }
    };
    let published = published.map_err(|error| failed(&stored.id, &error))?;
    output::to_stdout(|out| writeln!(out, "{}", words(&published, &publisher)))?;
    for note in published.notes.iter().take(10) {
        progress(&format!("not published: {} {}", note.path, note.text));
    }
    Ok(Exit::Ok)
}

/// What was published, in a line.
pub(crate) fn words(published: &Published, publisher: &Publisher) -> String {
    let left = match published.notes.len() {
        0 => String::new(),
        notes => format!(", {} on what could not be", count(notes as u64, "note")),
    };
    let kept = match published.kept_files {
        0 => String::new(),
        kept => format!(", {} of them there already", HumanCount(kept)),
    };
    format!(
        "published {}, {}{kept}, to {}{left}",
        count(published.files, "file"),
        HumanBytes(published.bytes),
        publisher.place()
    )
}

/// The failure of a publish, with what to do about it.
pub(crate) fn failed(run: &RunId, error: &CollectError) -> Failure {
    let failure = Failure::new(error.exit(), format!("cannot publish run `{run}`")).cause(error);
    match error.exit() {
        Exit::Source => {
            failure.hint(format!("everything is in the run's folder; `tg publish {run} --to …` sends it again"))
        }
        _ => failure,
    }
}
