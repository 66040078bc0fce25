//! `tg analyze queries`: lookups and other operations, one by one.

use tg_analyze::queries::{Only, QueryOptions, Sort, queries};
use tg_model::Exit;

use super::{Source, answer};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze queries` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze queries latest --failed
  tg analyze queries latest --slowest 10
  tg analyze queries latest --worst-recall 10 --k 8
  tg analyze queries latest --filter 'op = find_providers and duration_ns > 2s'
  tg analyze queries latest --filter 'instance ~ \"searchers/*\" and total_hops >= 3' --format csv -o slow.csv
  tg analyze lookup latest 17            one of them, peer by peer

A condition compares columns of operations, instances and runs, `params.NAME` and `config.NAME`, by = != < <= > >= and ~ \
(a pattern with * and ?), `in [a, b]` and `is null`, joined by `and`, `or`, `not` and parentheses. Times may be written 300ms or 2s, sizes 4KiB, shares 95%.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Only operations for which this holds.
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Only operations that did not succeed.
    #[arg(long)]
    failed: bool,
    /// The N that took longest; those that never ended come first.
    #[arg(long, value_name = "N", conflicts_with = "worst_recall")]
    slowest: Option<usize>,
    /// The N that returned the smallest share of the nearest servers alive.
    #[arg(long, value_name = "N")]
    worst_recall: Option<usize>,
    /// How many peers a lookup is to return, for recall [default: the run's parameter `bucket_size` or `k`, else 20].
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// How many to list at most.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (sort, most) = match (args.slowest, args.worst_recall) {
        (Some(most), _) => (Sort::Slowest, Some(most)),
        (None, Some(most)) => (Sort::WorstRecall, Some(most)),
        (None, None) => (Sort::Number, None),
    };
    let options = QueryOptions {
        filter: args.filter.clone(),
        only: if args.failed { Only::Failed } else { Only::All },
        sort,
        limit: args.limit.into_iter().chain(most).min(),
        k: args.k,
    };
    answer(&args.source, &args.output, context, |dataset| queries(dataset, &options))
}
