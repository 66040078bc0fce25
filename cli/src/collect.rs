//! `tg collect`: what the instances wrote, as one archive and one dataset.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tg_collector::{CollectError, CollectOptions, Collected, Folder, Only, Phase, Progress, Source, ZipFile};
use tg_model::{Exit, RunId};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::message::Failure;
use crate::signals::Interrupts;
use crate::{output, stored};

/// What `tg collect` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg collect latest                      the newest run: outputs.zip and dataset/ in its folder
  tg collect latest --only servers/3     one instance; `--only servers` takes a group
  tg collect 20261122-2215 -o ./mine     into a folder of yours
  tg collect cbr49ce20 --source dir:./outputs   a run of the predecessor, by its whole id
  tg collect r1 --source zip:r1.zip      from an archive
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
    /// Keep no archive.
    #[arg(long, conflicts_with = "no_dataset")]
    no_archive: bool,
    /// Make no dataset.
    #[arg(long)]
    no_dataset: bool,
    /// Where to put both [default: the run's folder].
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
    let (run, from): (RunId, Box<dyn Source>) = match &args.source {
        None => {
            let stored = stored::find(&context.home, &args.run)?;
            (stored.id, Box::new(Folder::new(stored.dir)))
        }
        Some(place) => {
            let run: RunId = args.run.parse().map_err(|error| Failure::from_error(Exit::Usage, &error))?;
            let source = place.open(&run).map_err(|error| failed(&run, &error))?;
            (run, source)
        }
    };
    let into = match args.output {
        Some(into) => into,
        None => tg_model::layout::run_dir(&context.home.writable()?, &run),
    };
    let mut options = CollectOptions {
        only: args.only,
        archive: !args.no_archive,
        dataset: !args.no_dataset,
        ..CollectOptions::default()
    };
    if let Some(jobs) = args.jobs {
        options.jobs = usize::from(jobs);
    }
    let collected = collect(from.as_ref(), &run, &into, &options).await?;
    output::to_stdout(|out| summary(out, &run, &into, &collected))?;
    let notes: u64 = collected.notes.values().sum();
    if args.strict && notes > 0 {
        return Err(Failure::new(Exit::Notes, format!("{notes} notes, and --strict was given"))
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
    fn open(&self, run: &RunId) -> Result<Box<dyn Source>, CollectError> {
        Ok(match self {
            Self::Dir(path) => Box::new(Folder::find(path, run)?),
            Self::Zip(path) => Box::new(ZipFile::new(path)),
        })
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

/// Progress on stderr: a line that moves on a terminal, a line now and then elsewhere.
struct Shown {
    bar: ProgressBar,
    plain: Option<Mutex<(Instant, Option<Phase>)>>,
}

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

impl Shown {
    fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = "{msg} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, plain: (!terminal).then(|| Mutex::new((Instant::now(), None))) }
    }

    fn update(&self, at: Progress) {
        let doing = match at.phase {
            Phase::Archive => "archiving",
            Phase::Dataset => "reading",
        };
        if let Some(plain) = &self.plain {
            let Ok(mut last) = plain.lock() else { return };
            if last.0.elapsed() >= PLAIN_EVERY {
                *last = (Instant::now(), Some(at.phase));
                let of =
                    if at.of_files > 0 { format!(", {} of {} files", at.files, at.of_files) } else { String::new() };
                // With stderr gone there is nobody left to tell.
                let _gone = writeln!(
                    anstream::stderr(),
                    "{doing}: {} of {}{of}",
                    HumanBytes(at.bytes),
                    HumanBytes(at.of_bytes)
                );
            }
            return;
        }
        self.bar.set_message(if at.of_files > 0 {
            format!("{doing} {}/{} files", at.files, at.of_files)
        } else {
            doing.to_owned()
        });
        self.bar.set_length(at.of_bytes);
        self.bar.set_position(at.bytes);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Says what was collected, on a screen at most.
pub(crate) fn summary(out: &mut dyn Write, run: &RunId, into: &Path, collected: &Collected) -> io::Result<()> {
    writeln!(
        out,
        "Collected {run}: {} files, {}, {} lines",
        collected.files,
        HumanBytes(collected.bytes),
        collected.lines
    )?;
    if !collected.outcomes.is_empty() {
        let outcomes: Vec<String> = collected.outcomes.iter().map(|(word, n)| format!("{n} {word}")).collect();
        writeln!(out, "  instances  {}", outcomes.join(", "))?;
    }
    if !collected.rows.is_empty() {
        writeln!(out, "  rows")?;
        let width = collected.rows.keys().map(String::len).max().unwrap_or(0).min(40);
        for (table, rows) in collected.rows.iter().take(30) {
            writeln!(out, "    {table:width$}  {rows:>10}")?;
        }
        if collected.rows.len() > 30 {
            writeln!(out, "    and {} tables more", collected.rows.len() - 30)?;
        }
    }
    let notes: u64 = collected.notes.values().sum();
    if notes > 0 {
        writeln!(out, "  notes: {notes} (what could not be read, or was odd)")?;
        let mut reasons: Vec<_> = collected.notes.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (reason, n) in reasons.iter().take(8) {
            writeln!(out, "    {}  {n:>10}", crate::text::clean(reason))?;
        }
    }
    if let Some(archive) = &collected.archive {
        writeln!(out, "  archive    {} ({})", archive.display(), HumanBytes(collected.archive_bytes))?;
    }
    if let Some(dataset) = &collected.dataset {
        writeln!(out, "  dataset    {}", dataset.display())?;
        // A run's folder is named by its id; any other is named by its path.
        let name = if into.file_name().is_some_and(|name| name == run.as_str()) {
            run.to_string()
        } else {
            into.display().to_string()
        };
        writeln!(out, "Next: tg analyze stats {name}")?;
    }
    Ok(())
}
