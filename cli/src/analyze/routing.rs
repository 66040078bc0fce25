//! `tg analyze routing`: what the routing tables knew of the network.

use std::path::PathBuf;

use tg_analyze::draw::fill_heat_map;
use tg_analyze::routing::{Routing, RoutingOptions, report};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::Exit;

use super::picture::{check_ending, drawn, write};
use super::{Source, answer, failure, open};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze routing` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze routing latest
  tg analyze routing latest --snapshot ar --worst 30
  tg analyze routing latest --draw fill.svg
  tg analyze routing latest --table nodes --format csv -o tables.csv
  tg analyze routing latest --format json | jq '.awareness'

Every table is held against the true state of the run: the instances that were servers and alive when it was written.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The snapshot to tell in full, by its label [default: the last]; the others get a row each.
    #[arg(long, value_name = "LABEL")]
    snapshot: Option<String>,
    /// The size of a bucket, which is also how many of its nearest servers a table should know [default: the run's
    /// parameter `bucket_size` or `k`, else 20].
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// How many of the worst tables to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    /// Draw how full the buckets are to this file, `.svg` or `.png`, instead of answering.
    #[arg(long, value_name = "FILE")]
    draw: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let options = |dataset: &Dataset| -> Result<RoutingOptions, AnalyzeError> {
        let k = args.k.map_or_else(|| dataset.bucket_size(), Ok)?;
        Ok(RoutingOptions { k, snapshot: args.snapshot.clone(), worst: args.worst })
    };
    if let Some(file) = &args.draw {
        check_ending(file)?;
        let dataset = open(&args.source, context)?;
        let routing = options(&dataset).and_then(|options| Routing::read(&dataset, &options));
        let routing = routing.map_err(|error| failure(&error, &args.source))?;
        write(file, &drawn(file, fill_heat_map(&routing))?)?;
        return Ok(Exit::Ok);
    }
    answer(&args.source, &args.output, context, |dataset| Ok(report(&Routing::read(dataset, &options(dataset)?)?)))
}
