//! `tg analyze graph`: whether the network held together.

use tg_analyze::graph::GraphOptions;
use tg_model::Exit;

use super::{Source, answer};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze graph` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze graph latest
  tg analyze graph latest --table degrees --format csv
  tg analyze graph latest --format md -o graph.md")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The seed of what is left to chance: random removals, and sources where a graph is too large for exact distances.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let options = GraphOptions { seed: args.seed };
    answer(&args.source, &args.output, context, |dataset| tg_analyze::graph::graph(dataset, &options))
}
