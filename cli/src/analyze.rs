//! `tg analyze`: questions to the dataset of a run.

mod compare;
mod graph;
mod lookup;
mod patience;
mod picture;
mod pubsub;
mod queries;
mod routing;
mod runs;
mod stats;
mod which;

use std::path::{Path, PathBuf};

use tg_analyze::filter::FilterError;
use tg_analyze::report::Report;
use tg_analyze::{AnalyzeError, Dataset};
use tg_collector::S3Place;
use tg_model::{Exit, layout};

use crate::message::Failure;
use crate::object_store::StoreArgs;
use crate::render::{OutputArgs, emit};
use crate::text::clean;
use crate::{Context, block_on, stored};

/// What `tg analyze` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze stats latest
  tg analyze stats latest --metric 'rtt*'
  tg analyze stats '20261126-*' --filter 'group = clients' --group-by run_id,params.k
  tg analyze graph latest
  tg analyze graph latest --format json -o graph.json
  tg analyze routing latest
  tg analyze pubsub latest
  tg analyze compare 3f 9c
  tg analyze queries latest --slowest 10
  tg analyze lookup latest
  tg analyze compare 3f 40 41 --against 9c 9d 9e --fail-on worse")]
pub(crate) struct Args {
    #[command(subcommand)]
    question: Question,
    #[command(flatten)]
    store: StoreArgs,
}

/// The questions.
#[derive(Debug, clap::Subcommand)]
enum Question {
    /// How the instances ended, and what their metrics say, by name and group.
    Stats(stats::Args),
    /// Whether the network held together: components, degrees and distances of its connections.
    Graph(graph::Args),
    /// What the routing tables knew: how complete, how current, how near, held against the truth of the run.
    Routing(routing::Args),
    /// What became of published messages: who got them, how fast and over how many hops, and what the meshes cost.
    Pubsub(pubsub::Args),
    /// Whether one configuration is better or worse than another: two runs, or two sets of repeats.
    Compare(compare::Args),
    /// Lookups and other operations, one by one: which failed, which were slow.
    Queries(queries::Args),
    /// How good lookups were: what they found of what was really there, and what they spent on it.
    Lookup(lookup::Args),
}

/// Whose dataset.
#[derive(Debug, clap::Args)]
struct Source {
    /// The run: its id, a unique prefix of it, or `latest`; or the path of a dataset's folder; or a run in an object
    /// store whose dataset was published there, `s3://BUCKET/PREFIX/<run-id>`, which is read in place.
    ///
    /// The store is reached as the flags below say, and else as the AWS tools would.
    run: String,
}

/// Answers a question.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let context = &Context { home: context.home.clone(), store: args.store };
    match args.question {
        Question::Stats(args) => stats::run(args, context),
        Question::Graph(args) => graph::run(&args, context),
        Question::Routing(args) => routing::run(&args, context),
        Question::Pubsub(args) => pubsub::run(args, context),
        Question::Compare(args) => compare::run(&args, context),
        Question::Queries(args) => queries::run(&args, context),
        Question::Lookup(args) => lookup::run(&args, context),
    }
}

fn answer(
    source: &Source,
    output: &OutputArgs,
    context: &Context,
    ask: impl FnOnce(&Dataset) -> Result<Report, AnalyzeError>,
) -> Result<Exit, Failure> {
    let dataset = open(source, context)?;
    let report = ask(&dataset).map_err(|error| failure(&error, source))?;
    emit(&report, output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}

/// Opens the dataset that was named.
fn open(source: &Source, context: &Context) -> Result<Dataset, Failure> {
    open_named(&source.run, context)
}

/// Opens the dataset that this name means.
fn open_named(name: &str, context: &Context) -> Result<Dataset, Failure> {
    let source = Source { run: name.to_owned() };
    if !name.starts_with(STORE) {
        let dir = dataset_dir(name, context)?;
        return Dataset::open(&dir).map_err(|error| failure(&error, &source));
    }
    let place: S3Place = name.parse().map_err(|error: String| Failure::new(Exit::Usage, error))?;
    let found = block_on(async { Ok(context.store.open(place).await.dataset().await) })?;
    let found = found.map_err(|error| {
        Failure::from_error(error.exit(), &error)
            .hint("`--s3-endpoint` names a store that is not AWS; keys come from where the AWS tools find them")
    })?;
    let Some(found) = found else {
        let failure = Failure::new(Exit::NoData, format!("no dataset in `{}`", clean(name)));
        return Err(failure.hint("name a run there, `s3://BUCKET/PREFIX/<run-id>`; `tg collect <run-id> --publish s3://BUCKET/PREFIX` puts its dataset there"));
    };
    Dataset::in_store(&found.url, &found.description, &found.options).map_err(|error| failure(&error, &source))
}

/// A condition, or a list of columns, that cannot be understood: what is wrong, and below the text where.
fn condition(flag: &str, why: &FilterError) -> Failure {
    let before: String = why.text.chars().take(why.at).collect();
    Failure::new(Exit::Usage, format!("`--{flag}`: {}", clean(&why.why)))
        .note(clean(&why.text))
        .note(format!("{}^", " ".repeat(clean(&before).chars().count())))
}

fn failure(error: &AnalyzeError, source: &Source) -> Failure {
    if let AnalyzeError::Condition { flag, why } = error {
        return condition(flag, why);
    }
    let failure = Failure::from_error(error.exit(), error);
    match hint(error, &source.run) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The folder of the dataset: of a run by its name, or as a path says, which may also be that of a run's folder.
fn dataset_dir(name: &str, context: &Context) -> Result<PathBuf, Failure> {
    // A run's id holds no separator and does not begin with a dot, so nothing can mean both.
    if is_path(name) {
        let dir = PathBuf::from(name);
        let below = dir.join(layout::DATASET_DIR);
        return Ok(if below.join(layout::DATASET_FILE).is_file() { below } else { dir });
    }
    let found = stored::find(&context.home, name).map_err(|failure| {
        // A folder of that name is here, and a name without a separator means a run.
        if Path::new(name).is_dir() {
            failure.hint(format!("to mean the folder here, write `./{}`", clean(name)))
        } else {
            failure
        }
    })?;
    Ok(found.dir.join(layout::DATASET_DIR))
}

/// What names of runs in an object store begin with.
const STORE: &str = "s3://";

fn is_path(name: &str) -> bool {
    name.contains(std::path::is_separator) || name.starts_with('.')
}

fn hint(error: &AnalyzeError, run: &str) -> Option<String> {
    match error {
        AnalyzeError::Description { .. } | AnalyzeError::Table { .. } | AnalyzeError::Format { .. }
            if run.starts_with(STORE) =>
        {
            Some("`tg collect <run-id> --publish s3://BUCKET/PREFIX` puts a new one there".to_owned())
        }
        AnalyzeError::NoDataset { .. } if is_path(run) => {
            Some(format!("a dataset's folder holds `{}`; a run is named without a `/`", layout::DATASET_FILE))
        }
        AnalyzeError::NoDataset { .. } => Some(format!("`tg collect {run}` makes the dataset of a run")),
        AnalyzeError::Format { .. } => Some(format!("`tg collect {run}` with this tg makes the dataset anew")),
        AnalyzeError::Description { .. } | AnalyzeError::Table { .. } => {
            Some(format!("if the dataset is damaged, `tg collect {run}` makes it anew from the archive"))
        }
        AnalyzeError::NoData(_) => {
            Some("a plan records connections and metrics with the SDK, or as lines in its outputs folder".to_owned())
        }
        AnalyzeError::Memory { .. } => {
            Some("a larger `--memory-limit` grants more; fewer columns in `--group-by` make fewer groups".to_owned())
        }
        AnalyzeError::File { .. }
        | AnalyzeError::Store { .. }
        | AnalyzeError::Export { .. }
        | AnalyzeError::Question(_)
        | AnalyzeError::Condition { .. } => None,
    }
}
