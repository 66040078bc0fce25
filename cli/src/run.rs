//! `tg run`: builds what a plan or composition needs, runs it, and says what came of it.

mod gather;
mod make;
pub(crate) mod on_cluster;
mod publishing;
mod report;
mod wanted;

use std::path::PathBuf;
use std::time::Duration;

use tg_model::Exit;
use tg_runner::Isolation;

use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;
use crate::reporter::Style;

pub(crate) use make::{HOST, KEEP, Made, launcher};

pub(crate) use make::Maker;
use wanted::wanted;

/// What `tg run` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
PLAN is a folder with a manifest.toml, or the name of one in this folder, in `plans` of tg's home, or among the plans \
that come with tg. COMPOSITION is a TOML file; its plan is looked for beside it, above it, and then by name.

Examples:
  tg run mesh:quiet --instances 8        a case of a plan
  tg run ./pings --case flood --instances 50 --param rounds=10
  tg run pings.toml                      every run of a composition
  tg run pings.toml --run-ids small,big --repeat 5
  tg run pings.toml --dry-run            check it and say what would be run
  tg run pings.toml --seed 42            make a run again, by its seed
  tg run pings.toml --collect            archive and dataset right after
  tg run pings.toml --format json | jq -r '.runs[].verdict'

Ctrl-C asks the instances to end; a second Ctrl-C kills them. The exit code tells how it went: 0 as expected, \
10 not as expected, 11 cancelled, 12 deadline, 13 build failed, 14 something is missing here, 2 wrong usage.")]
pub(crate) struct Args {
    /// A plan's folder or name, with `:CASE` behind it if you like, or a composition file.
    #[arg(value_name = "PLAN|COMPOSITION")]
    pub(crate) what: String,
    /// The case to run; only without a composition.
    #[arg(long, alias = "testcase")]
    pub(crate) case: Option<String>,
    /// How many instances; only without a composition.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) instances: Option<u32>,
    /// A parameter of all groups, above what the composition says. May be repeated.
    #[arg(short, long = "param", alias = "test-param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) params: Vec<(String, String)>,
    /// Where to run, such as `local:exec`.
    #[arg(long, visible_alias = "runner", value_name = "BACKEND")]
    pub(crate) backend: Option<String>,
    /// What builds the plan, such as `exec:cargo`.
    #[arg(long, value_name = "BUILDER")]
    pub(crate) builder: Option<String>,
    /// The seed that all randomness of the run follows from [default: drawn, and recorded].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How often to run each configuration, each time with another seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) repeat: u32,
    /// Only these runs of the composition.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) run_ids: Vec<String>,
    /// How long a run may take, such as `5m`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) deadline: Option<Duration>,
    /// From asking an instance to end to killing it.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(crate) grace: Duration,
    /// Say what the run waits for when nothing has happened for so long.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(crate) stall_after: Duration,
    /// The largest message that an instance may send to the sync service: bytes, or with KiB, MiB or GiB.
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = crate::sync::size_bytes)]
    pub(crate) max_message: u64,
    /// Whether each instance gets a host of its own, with a network between them that plans can shape.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub(crate) isolation: IsolationArg,
    /// Capture what instances send and receive on their network, into `captures` in the run's folder: all of a group,
    /// or one of them.
    #[arg(long, value_name = "GROUP[/N]")]
    pub(crate) pcap: Vec<tg_model::fault::Who>,
    /// Make archive and dataset of each run right after it.
    #[arg(long)]
    pub(crate) collect: bool,
    /// Put each instance's files into an object store as soon as it has ended, and the run's own files last.
    #[arg(long, value_name = "s3://BUCKET/PREFIX", env = "TG_PUBLISH", hide_env_values = true)]
    pub(crate) publish: Option<tg_collector::S3Place>,
    /// Check everything and say what would be run; start nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to show progress on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) progress: Style,
    #[command(flatten)]
    pub(crate) store: crate::object_store::StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    // Last: its heading holds for whatever follows.
    #[command(flatten)]
    pub(crate) cluster: ClusterRunArgs,
}

/// Flags of runs on a cluster.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterRunArgs {
    #[command(flatten)]
    pub(crate) place: crate::cluster::PlaceArgs,
    /// Wait for nodes that an autoscaler may bring, instead of refusing what does not fit.
    #[arg(long)]
    pub(crate) wait_for_capacity: bool,
    #[command(flatten)]
    pub(crate) images: crate::cluster::ImageArgs,
}

/// The values of `--isolation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum IsolationArg {
    /// Hosts where the system lets us make them, else plain processes; the run says so.
    #[default]
    Auto,
    /// Hosts, or no run.
    Host,
    /// Plain processes that share the machine's network.
    None,
}

impl From<IsolationArg> for Isolation {
    fn from(arg: IsolationArg) -> Self {
        match arg {
            IsolationArg::Auto => Self::Auto,
            IsolationArg::Host => Self::Host,
            IsolationArg::None => Self::None,
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    tg_model::param::parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "use a duration with units, such as `30s` or `5m`".to_owned())
}

/// Runs what was asked for.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    if args.dry_run {
        let (specs, seed_given) = wanted(&args, context)?;
        checked(&specs, &args)?;
        report::emit_plan(&specs, seed_given, &args.output)?;
        return Ok(Exit::Ok);
    }
    Box::pin(make(&args, context)).await?.emit(&args.output)
}

/// What one command made.
pub(crate) struct Series {
    /// The runs, as far as they were made.
    pub(crate) runs: Vec<Made>,
    wanted: usize,
    failure: Option<Failure>,
}

impl Series {
    /// Of runs that were made already.
    pub(crate) fn of(runs: Vec<Made>, failure: Option<Failure>) -> Self {
        Self { wanted: runs.len(), runs, failure }
    }

    /// Prints what came of the runs, and gives the exit code.
    pub(crate) fn emit(&mut self, output: &OutputArgs) -> Result<Exit, Failure> {
        report::emit_made(&self.runs, self.wanted, output)?;
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(report::exit(&self.runs, self.wanted)),
        }
    }
}

/// Builds, runs and, if asked, collects.
pub(crate) async fn make(args: &Args, context: &Context) -> Result<Series, Failure> {
    let (specs, _) = wanted(args, context)?;
    checked(&specs, args)?;
    let mut maker = Maker::new(args, context)?;
    let artifacts = maker.build(&specs).await?;
    let mut series = Series { runs: Vec::new(), wanted: specs.len(), failure: None };
    for (nth, spec) in specs.iter().enumerate() {
        if maker.cancelled() {
            break;
        }
        match Box::pin(maker.one(&artifacts, spec, (nth, specs.len()))).await {
            Ok(mut one) => {
                // The others are run all the same: what could not be published is on this disk.
                series.failure = series.failure.take().or(one.unpublished.take());
                series.runs.push(one);
            }
            Err(error) => {
                series.failure = Some(error);
                break;
            }
        }
    }
    Ok(series)
}

/// Whether instances can have hosts of their own here; if not, why.
pub(crate) fn probe_hosts() -> Result<(), String> {
    match (launcher(), tempfile::tempdir()) {
        (None, _) => Err("only Linux has what they are made of".to_owned()),
        (_, Err(error)) => Err(format!("cannot make a folder for temporary files: {error}")),
        (Some(launcher), Ok(dir)) => tg_runner::probe_hosts(&launcher, dir.path()),
    }
}

/// What can be checked before anything is built.
fn checked(specs: &[tg_model::RunSpec], args: &Args) -> Result<(), Failure> {
    tg_runner::check_settings(specs)
        .map_err(|error| Failure::from_error(error.exit(), &error).maybe_hint(error.hint()))?;
    captured(specs, &args.pcap)?;
    check_needs(specs, args)
}

/// Refuses captures of whom no run has, and on a cluster, whose network is not ours.
fn captured(specs: &[tg_model::RunSpec], pcap: &[tg_model::fault::Who]) -> Result<(), Failure> {
    for who in pcap {
        let one = std::slice::from_ref(who);
        if specs.iter().all(|spec| tg_model::fault::numbers(one, &spec.groups).is_empty()) {
            let groups: std::collections::BTreeSet<String> = specs
                .iter()
                .flat_map(|spec| &spec.groups)
                .map(|group| format!("`{}` of {}", group.name, group.count))
                .collect();
            let groups: Vec<String> = groups.into_iter().collect();
            return Err(Failure::new(Exit::Usage, format!("`--pcap {who}` names nobody of the run"))
                .hint(format!("there are {}", groups.join(", "))));
        }
    }
    match specs.iter().find(|spec| spec.backend != "local:exec") {
        Some(spec) if !pcap.is_empty() => Err(Failure::new(
            Exit::Usage,
            format!("`--pcap` captures a network of tg's own, and `{}` has another", spec.backend),
        )),
        _ => Ok(()),
    }
}

/// Refuses what needs hosts that cannot be had, before minutes go into a build.
fn check_needs(specs: &[tg_model::RunSpec], args: &Args) -> Result<(), Failure> {
    // All come from one composition: what the largest can have, the others can.
    let Some(largest) = specs.iter().max_by_key(|spec| spec.instances()) else { return Ok(()) };
    let dir = tempfile::tempdir()
        .map_err(|error| Failure::new(Exit::Environment, "cannot make a folder for temporary files").cause(&error))?;
    let (isolation, launcher) = (args.isolation.into(), launcher());
    let checked = tg_runner::check_needs(largest, isolation, launcher.as_deref(), &args.pcap, dir.path());
    checked.map_err(|error| Failure::from_error(error.exit(), &error).maybe_hint(error.hint()))
}

/// Where a run's archive and dataset are, if it was collected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    /// The archive.
    pub(crate) archive: Option<PathBuf>,
    /// The dataset's folder.
    pub(crate) dataset: Option<PathBuf>,
    /// Notes by the collector.
    pub(crate) notes: u64,
}
