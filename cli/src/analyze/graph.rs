//! `tg analyze graph`: whether the network held together.

use tg_analyze::graph::{GraphOptions, Metrics, evolution};
use tg_model::Exit;

use super::picture::PictureArgs;
use super::which::Which;
use super::{Source, answer, open};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze graph` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze graph latest
  tg analyze graph latest --kind rt --snapshot ab
  tg analyze graph latest --at 90s                      the connections that were open then
  tg analyze graph latest --kind rt --all-snapshots     a row for each, with the turnover
  tg analyze graph latest --metrics fast,spectral
  tg analyze graph latest --table degrees --format csv
  tg analyze graph latest --format md -o graph.md
  tg analyze graph latest --draw net.svg --colour-by betweenness
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
    /// [default: all]. The reference of graph metrics lists the names, and so does the error after a wrong one.
    #[arg(long, value_name = "LIST", value_parser = Metrics::parse, conflicts_with_all = ["all_snapshots", "draw", "export"])]
    metrics: Option<Metrics>,
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
    if args.which.is_all() {
        return answer(&args.source, &args.output, context, |dataset| evolution(dataset, args.which.kind()));
    }
    let metrics = args.metrics.clone().unwrap_or_default();
    let options = GraphOptions { kind: args.which.kind(), when: args.which.when(), seed: args.seed, metrics };
    answer(&args.source, &args.output, context, |dataset| tg_analyze::graph::graph(dataset, &options))
}
