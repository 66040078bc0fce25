//! `tg analyze lookup`: one lookup, or all, against the truth of the run.

use tg_analyze::score::{LookupOptions, lookup, lookups};
use tg_model::Exit;

use super::{Source, answer};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze lookup` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze lookup latest
  tg analyze lookup latest --k 8 --worst 30
  tg analyze lookup latest 17
  tg analyze lookup latest 3fa2 --format json | jq .tree
  tg analyze lookup latest --table lookups --format csv -o lookups.csv

Recall is the share of the k servers nearest to the target that a lookup returned: of those alive when it ended, and of \
all servers of the run.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The lookup to tell in full: its number in the run, its own id, or a unique prefix of that; without one, all.
    lookup: Option<String>,
    /// How many peers a lookup is to return [default: the run's parameter `bucket_size` or `k`, else 20].
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// How many of the worst lookups to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    answer(&args.source, &args.output, context, |dataset| {
        let k = args.k.map_or_else(|| dataset.bucket_size(), Ok)?;
        let options = LookupOptions { k, worst: args.worst };
        match &args.lookup {
            Some(wanted) => lookup(dataset, wanted, &options),
            None => lookups(dataset, &options),
        }
    })
}
