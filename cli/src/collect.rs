//! `tg collect`: what the instances wrote, as one archive and one dataset.

mod in_cluster;
mod shown;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use tg_collector::{
    CollectError, CollectOptions, Collected, Folder, Objects, Only, Progress, Publisher, Rules, S3Place, Source,
};
use tg_model::{Exit, RunId, layout};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::cluster::PlaceArgs;
use crate::message::Failure;
use crate::object_store::StoreArgs;
use crate::signals::Interrupts;
use crate::{output, stored};
use shown::Shown;

/// What `tg collect` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg collect latest                      the newest run: outputs.zip and dataset/ in its folder
  tg collect latest --only servers/3     one instance, into only/servers/3 of its folder; `--only servers` takes a group
  tg collect 20261122-2215 -o ./mine     into a folder of yours
  tg collect cbr49ce20 --source dir:./outputs   a run of the predecessor, by its whole id
  tg collect r1 --source zip:r1.tgz      from an archive, zip or tgz: its content says which
  tg collect 20261122-221530417-k7qx --source s3://lab/runs   from an object store
  tg collect latest --publish s3://lab/runs   the archive and the dataset beside the outputs in the bucket, too
  tg collect latest --in-cluster         a run on Kubernetes, by a Job there, into its bucket
  tg collect latest --strict             exit 22 if anything could not be read")]
pub(crate) struct Args {
    /// The run: an id, a unique prefix of one, or `latest`.
    run: String,
    /// Where the outputs are, if not in the run's folder.
    #[arg(long, value_name = "dir:PATH|zip:FILE|s3://BUCKET/PREFIX")]
    source: Option<Place>,
    /// Only this group or instance.
    #[arg(long, value_name = "GROUP[/N]")]
    only: Option<Only>,
    /// Read the plan's own files by the rules in this TOML file.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Keep no archive.
    #[arg(long, conflicts_with = "no_dataset")]
    no_archive: bool,
    /// Make no dataset.
    #[arg(long, conflicts_with = "strict")]
    no_dataset: bool,
    /// Where to put both [default: the run's folder; with --only, a folder in it].
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Take any note for a failure.
    #[arg(long)]
    strict: bool,
    /// Put the archive and the dataset there afterwards, beside the outputs of the run: `tg analyze` reads it in place.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    publish: Option<S3Place>,
    /// Collect on a cluster, next to the outputs of a run there, and leave archive and dataset in the bucket.
    #[arg(long, conflicts_with_all = ["source", "rules", "output", "publish", "no_archive", "no_dataset"])]
    in_cluster: bool,
    #[command(flatten)]
    cluster: PlaceArgs,
    /// How many threads work [default: as many as there are cores].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    if args.in_cluster {
        return in_cluster::run(&args, context).await;
    }
    let (run, stored) = match &args.source {
        None => {
            let stored = stored::find(&context.home, &args.run)?;
            (stored.id, Some(stored.dir))
        }
        Some(_) if args.run == "latest" => {
            return Err(Failure::new(
                Exit::Usage,
                "`latest` is a run of this home, and not of the place that `--source` names",
            )
            .hint("give the whole id of the run"));
        }
        Some(_) => (args.run.parse::<RunId>().map_err(|error| Failure::from_error(Exit::Usage, &error))?, None),
    };
    let into = match (&args.output, &args.only) {
        (Some(into), _) => into.clone(),
        (None, None) => tg_model::layout::run_dir(&context.home.writable()?, &run),
        // A part never takes the place of the whole.
        (None, Some(only)) => {
            tg_model::layout::run_dir(&context.home.writable()?, &run).join("only").join(only.to_string())
        }
    };
    // Only the run's own folder is found by the run's id.
    let name = if args.output.is_none() && args.only.is_none() { run.to_string() } else { summary::folder(&into) };
    if let Some(output) = &args.output {
        is_no_file(output)?;
    }
    let from: Box<dyn Source> = match (&args.source, stored) {
        (Some(place), _) => {
            if args.output.is_some() {
                place.stays_apart_from(&into)?;
            }
            place.open(&run, &into, &args.store).await.map_err(|error| failed(&run, &error))?
        }
        (None, Some(dir)) => where_it_says(&dir, &args.store).await?,
        (None, None) => return Err(Failure::new(Exit::Fault, "a collect without a source")),
    };
    let mut options = CollectOptions {
        only: args.only,
        archive: !args.no_archive,
        dataset: !args.no_dataset,
        ..CollectOptions::default()
    };
    if let Some(file) = &args.rules {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot read the rules of `--rules {}`", file.display())).cause(&error)
        })?;
        let rules = Rules::parse(&file.display().to_string(), &text).map_err(|error| failed(&run, &error))?;
        options.rules = Some(rules);
    }
    if let Some(jobs) = args.jobs {
        options.jobs = usize::from(jobs);
    }
    let began = Instant::now();
    let collected = collect(from.as_ref(), &run, &into, &options).await?;
    let took = began.elapsed();
    output::to_stdout(|out| summary::write(out, &run, &name, &collected, took))?;
    if let Some(place) = args.publish {
        publish(&Publisher::new(args.store.open(place).await, run.clone(), &into), &run).await?;
    }
    let notes: u64 = collected.notes.values().sum();
    if args.strict && notes > 0 {
        return Err(Failure::new(
            Exit::Notes,
            format!("{}, and `--strict` was given", crate::text::count(notes, "note")),
        )
        .hint("table `notes` of the dataset has each with its file, line and text"));
    }
    Ok(Exit::Ok)
}

/// Puts what was made into an object store.
async fn publish(publisher: &Publisher, run: &RunId) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    let cancel = CancellationToken::new();
    let work = publisher.collected(&|_, _| {}, &cancel);
    tokio::pin!(work);
    let published = tokio::select! {
        published = &mut work => published,
        () = interrupts.next() => {
            cancel.cancel();
            work.await
        }
    };
    let published = published.map_err(|error| failed(run, &error))?;
    output::to_stdout(|out| {
        writeln!(out, "{}", crate::publish::words(&published, publisher))?;
        writeln!(out, "  tg analyze stats {}", publisher.place())
    })?;
    match published.notes.first() {
        None => Ok(()),
        Some(note) => {
            let failure = Failure::new(Exit::Environment, "not everything that was made could be published");
            Err(failure.note(format!("{}: {}", note.path, note.text)))
        }
    }
}

/// The run's folder, or where its description says that its outputs are.
async fn where_it_says(dir: &Path, store: &StoreArgs) -> Result<Box<dyn Source>, Failure> {
    // A run without a description, or with one that cannot be read, is what its folder has.
    let outputs = stored::read_file(dir).ok().and_then(|file| file.outputs);
    let Some(outputs) = outputs.filter(|_| !dir.join(layout::OUTPUTS_DIR).is_dir()) else {
        return Ok(Box::new(Folder::new(dir)));
    };
    let place: S3Place = outputs.parse().map_err(|error: String| {
        Failure::new(Exit::Format, format!("`run.json` says that the outputs are at `{outputs}`")).note(error)
    })?;
    Ok(Box::new(Objects::new(store.open(place).await)))
}

/// A folder can be made there, as far as names go.
fn is_no_file(output: &Path) -> Result<(), Failure> {
    match output.ancestors().find(|dir| dir.exists()) {
        Some(there) if !there.is_dir() => {
            let text = format!("`--output {}` is no folder: `{}` is a file", output.display(), there.display());
            Err(Failure::new(Exit::Usage, text).hint("name a folder; it is made if it is not there"))
        }
        _ => Ok(()),
    }
}

/// A place that `--source` names.
#[derive(Debug, Clone)]
enum Place {
    Dir(PathBuf),
    Zip(PathBuf),
    Objects(S3Place),
}

impl std::str::FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Dir(path.into())),
            Some(("zip", path)) if !path.is_empty() => Ok(Self::Zip(path.into())),
            Some(("s3", _)) => text.parse().map(Self::Objects),
            _ => Err("write it as dir:PATH, zip:FILE or s3://BUCKET/PREFIX".to_owned()),
        }
    }
}

impl Place {
    async fn open(&self, run: &RunId, into: &Path, store: &StoreArgs) -> Result<Box<dyn Source>, CollectError> {
        Ok(match self {
            Self::Dir(path) => Box::new(Folder::find(path, run)?),
            Self::Zip(path) => tg_collector::archive(path, into)?,
            Self::Objects(place) => Box::new(Objects::new(store.open(place.clone()).await)),
        })
    }

    /// Nothing is ever written to a source.
    fn stays_apart_from(&self, into: &Path) -> Result<(), Failure> {
        let Self::Dir(place) = self else { return Ok(()) };
        let Ok(place) = place.canonicalize() else { return Ok(()) };
        let inside = std::path::absolute(into)
            .is_ok_and(|into| into.ancestors().any(|dir| dir.canonicalize().is_ok_and(|dir| dir == place)));
        if inside {
            let text = format!("`--output {}` lies in the source, which is only read", into.display());
            return Err(Failure::new(Exit::Usage, text).hint("name a folder beside it"));
        }
        Ok(())
    }
}

fn failed(run: &RunId, error: &CollectError) -> Failure {
    Failure::new(error.exit(), format!("cannot collect run `{run}`")).cause(error).maybe_hint(error.hint())
}

/// Collects a run, with progress on stderr.
pub(crate) async fn collect(
    source: &dyn Source,
    run: &RunId,
    into: &Path,
    options: &CollectOptions,
) -> Result<Collected, Failure> {
    let cancel = CancellationToken::new();
    let mut interrupts = Interrupts::listen()?;
    let shown = Shown::new(if options.dataset { 3 } else { 1 });
    let show = |progress: Progress| shown.update(progress);
    let work = tg_collector::collect(source, run, into, options, &show, cancel.clone());
    tokio::pin!(work);
    let result = tokio::select! {
        result = &mut work => result,
        () = interrupts.next() => {
            cancel.cancel();
            tokio::select! {
                result = &mut work => result,
                () = interrupts.next() => Err(CollectError::Cancelled),
            }
        }
    };
    shown.end();
    result.map_err(|error| failed(run, &error))
}
