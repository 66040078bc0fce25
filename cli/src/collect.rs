//! `tg collect`: what the instances wrote, as one archive and one dataset.

mod shown;
mod summary;

use std::path::{Path, PathBuf};

use tg_collector::{CollectError, CollectOptions, Collected, Folder, Only, Progress, Rules, Source};
use tg_model::{Exit, RunId};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::message::Failure;
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
  tg collect latest --strict             exit 22 if anything could not be read")]
pub(crate) struct Args {
    /// The run: an id, a unique prefix of one, or `latest`.
    run: String,
    /// Where the outputs are, if not in the run's folder.
    #[arg(long, value_name = "dir:PATH|zip:FILE")]
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
    /// How many threads work [default: as many as there are cores].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// Runs the command.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
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
    let from: Box<dyn Source> = match (&args.source, stored) {
        (Some(place), _) => {
            if args.output.is_some() {
                place.stays_apart_from(&into)?;
            }
            place.open(&run, &into).map_err(|error| failed(&run, &error))?
        }
        (None, Some(dir)) => Box::new(Folder::new(dir)),
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
            Failure::new(Exit::Usage, format!("cannot read the rules at `{}`", file.display())).cause(&error)
        })?;
        let rules = Rules::parse(&file.display().to_string(), &text).map_err(|error| failed(&run, &error))?;
        options.rules = Some(rules);
    }
    if let Some(jobs) = args.jobs {
        options.jobs = usize::from(jobs);
    }
    let collected = collect(from.as_ref(), &run, &into, &options).await?;
    output::to_stdout(|out| summary::write(out, &run, &into, &collected))?;
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

/// A place that `--source` names.
#[derive(Debug, Clone)]
enum Place {
    Dir(PathBuf),
    Zip(PathBuf),
}

impl std::str::FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Dir(path.into())),
            Some(("zip", path)) if !path.is_empty() => Ok(Self::Zip(path.into())),
            _ => Err("write it as dir:PATH or zip:FILE".to_owned()),
        }
    }
}

impl Place {
    fn open(&self, run: &RunId, into: &Path) -> Result<Box<dyn Source>, CollectError> {
        Ok(match self {
            Self::Dir(path) => Box::new(Folder::find(path, run)?),
            Self::Zip(path) => tg_collector::archive(path, into)?,
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
    let failure = Failure::new(error.exit(), format!("cannot collect run `{run}`")).cause(error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
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
    let shown = Shown::new();
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
