//! `tg analyze stats`: how the instances ended, and what their metrics say.

use tg_analyze::stats::{Detail, Percentile, StatsOptions};
use tg_model::Exit;

use super::{Source, answer};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze stats` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze stats latest
  tg analyze stats latest --metric 'rtt*' --metric '*.p95'
  tg analyze stats latest --all
  tg analyze stats latest --k 20 --table operations
  tg analyze stats latest --table metrics --format csv -o metrics.csv
  tg analyze stats ./somewhere/dataset --format json | jq .metrics

Percentiles interpolate between ranks (type 7), sd is that of a sample, and values that are no number are counted apart.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Only metrics whose name matches; `*` and `?` are wild. May be repeated.
    #[arg(long, value_name = "GLOB")]
    metric: Vec<String>,
    /// Diagnostics and every measure of histograms and timers too.
    #[arg(long)]
    all: bool,
    /// Score lookups against the true state of the run: how many peers a lookup is to return.
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// The rule of percentiles.
    #[arg(long, value_enum, value_name = "RULE", default_value_t)]
    percentile: Rule,
    #[command(flatten)]
    output: OutputArgs,
}

/// The values of `--percentile`.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Rule {
    /// Interpolate between ranks: type 7 of Hyndman and Fan.
    #[default]
    Type7,
    /// The nearest rank.
    Nearest,
    /// As the scripts of Testground's DHT plan did.
    Ps1,
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let detail = if args.all { Detail::All } else { Detail::Main };
    let percentile = match args.percentile {
        Rule::Type7 => Percentile::Type7,
        Rule::Nearest => Percentile::Nearest,
        Rule::Ps1 => Percentile::Ps1,
    };
    let options = StatsOptions { metrics: args.metric, detail, k: args.k, percentile };
    answer(&args.source, &args.output, context, |dataset| tg_analyze::stats::stats(dataset, &options))
}
