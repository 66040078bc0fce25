//! `tg analyze graph`: whether the network held together.

use std::time::Duration;

use tg_analyze::graph::{Answer, GraphOptions, Metrics, evolution, graph};
use tg_model::Exit;

use super::patience::Patience;
use super::picture::PictureArgs;
use super::which::{Which, time};
use super::{Source, failure, open};
use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};

/// What `tg analyze graph` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze graph latest
  tg analyze graph latest --kind rt --snapshot ab
  tg analyze graph latest --at 90s                      the connections that were open then
  tg analyze graph latest --kind rt --all-snapshots     a row for each, with the turnover
  tg analyze graph latest --metrics fast,spectral
  tg analyze graph latest --all-snapshots --metrics distances,robustness --format csv --table robustness
  tg analyze graph latest --budget 30s                  what is not measured by then is named
  tg analyze graph latest --table degrees --format csv
  tg analyze graph latest --format md -o graph.md
  tg analyze graph latest --draw net.png --colour-by betweenness
  tg analyze graph latest --draw degrees.svg --draw-kind ccdf
  tg analyze graph latest --draw tables.svg --kind rt --snapshot ab
  tg analyze graph latest --export gexf -o net.gexf
  tg analyze graph latest --export dot -o graphs/       all snapshots, connections and routing tables")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    which: Which,
    /// The seed of what is left to chance: random removals, and sources where a graph is too large for exact distances.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Which metrics: names with commas between them, `all`, or `fast` for those that a million nodes are no trouble to
    /// [default: all]. The reference of graph metrics lists the names, and so does the error after a wrong one. With
    /// `--all-snapshots` each gets a table with the rows of every snapshot.
    #[arg(long, value_name = "LIST", value_parser = Metrics::parse, conflicts_with_all = ["draw", "export"])]
    metrics: Option<Metrics>,
    /// Measure no longer than this, such as 30s: the metrics of `fast` in any case, then the others, those first that cost
    /// least. What does not fit is named with the reason; if it was asked for by its name, the exit code is 12.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["draw", "export"])]
    budget: Option<Duration>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.picture.is_wanted() {
        let dataset = open(&args.source, context)?;
        return args.picture.make(&dataset, &args.which, args.seed, args.output.output.as_deref());
    }
    let dataset = open(&args.source, context)?;
    let patience = Patience::new(args.budget);
    let (kind, seed, metrics) = (args.which.kind(), args.seed, args.metrics.clone());
    let found = if args.which.is_all() {
        evolution(&dataset, kind, seed, metrics.as_ref(), &patience)
    } else {
        let options = GraphOptions { kind, when: args.which.when(), seed, metrics: metrics.unwrap_or_default() };
        graph(&dataset, &options, &patience)
    };
    patience.end();
    let Answer { report, unfit } = found.map_err(|error| failure(&error, &args.source))?;
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    let missed = |metrics: &Metrics| unfit.iter().any(|metric| metrics.names(*metric));
    Ok(if args.metrics.as_ref().is_some_and(missed) { Exit::Deadline } else { Exit::Ok })
}
