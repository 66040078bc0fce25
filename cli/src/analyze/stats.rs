//! `tg analyze stats`: how the instances ended, and what their metrics say.

use tg_analyze::stats::{Detail, Percentile, StatsOptions, stats};
use tg_model::Exit;

use super::runs;
use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};

/// What `tg analyze stats` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze stats latest
  tg analyze stats latest --metric 'rtt*' --metric '*.p95'
  tg analyze stats latest --all-metrics
  tg analyze stats latest --k 8 --table operations
  tg analyze stats latest --table metrics --format csv -o metrics.csv
  tg analyze stats ./somewhere/dataset --format json | jq .metrics
  tg analyze stats latest --filter 'group = clients and outcome = ok'
  tg analyze stats latest --filter 'op = find_providers and duration_ns > 2s'
  tg analyze stats '20261126-*' --group-by run_id,group
  tg analyze stats --all --group-by config.k,params.alpha --table operations
  tg analyze stats s3://lab/runs/3f s3://lab/runs/40 --s3-endpoint http://localhost:9000
  tg analyze stats latest --memory-limit 1GiB

A condition names columns of operations, metrics, instances or runs, `params.NAME`, `tags.NAME` and `config.NAME`, and \
compares them by = != < <= > >= and ~ (a pattern with * and ?), `in [a, b]` and `is null`, joined by `and`, `or`, `not` \
and parentheses. A table without one of the columns is left out, and a note says so.

Samples of several runs are pooled; nothing is averaged over runs. Percentiles interpolate between ranks (type 7), sd is \
that of a sample, and values that are no number are counted apart.")]
pub(crate) struct Args {
    /// The runs: an id, a unique prefix of one, `latest`, the path of a dataset's folder, or `s3://BUCKET/PREFIX/<run-id>`.
    ///
    /// `NAME+` is the run with all repeats of its configuration, and `*` and `?` stand for any characters of an id.
    #[arg(required_unless_present = "all", value_name = "RUN")]
    runs: Vec<String>,
    /// Every run that has a dataset.
    #[arg(long, alias = "all-runs", conflicts_with = "runs")]
    all: bool,
    /// Only rows for which this holds.
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Group by these columns instead of by group: any of a table, of instances or of runs, `params.NAME`, `tags.NAME`.
    #[arg(long, value_name = "COL[,COL…]")]
    group_by: Option<String>,
    /// Only metrics whose name matches; `*` and `?` are wild. May be repeated.
    #[arg(long, value_name = "GLOB")]
    metric: Vec<String>,
    /// Diagnostics and every measure of histograms and timers too.
    #[arg(long)]
    all_metrics: bool,
    /// How many peers a lookup is to return, for recall [default: the run's parameter `bucket_size` or `k`, else 20].
    #[arg(long, value_name = "N")]
    k: Option<u32>,
    /// The rule of percentiles.
    #[arg(long, value_enum, value_name = "RULE", default_value_t)]
    percentile: Rule,
    /// Use about so much memory at most: bytes, or with KiB, MiB or GiB [default: as much as it takes].
    ///
    /// Percentiles stay exact: what finds no room is read again, in as many passes as it takes.
    #[arg(long, value_name = "SIZE", value_parser = crate::sync::size_bytes)]
    memory_limit: Option<u64>,
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
    let detail = if args.all_metrics { Detail::All } else { Detail::Main };
    let percentile = match args.percentile {
        Rule::Type7 => Percentile::Type7,
        Rule::Nearest => Percentile::Nearest,
        Rule::Ps1 => Percentile::Ps1,
    };
    let options = StatsOptions {
        metrics: args.metric,
        detail,
        k: args.k,
        percentile,
        filter: args.filter,
        group_by: args.group_by,
        memory_limit: args.memory_limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    let chosen = if args.all { runs::open_all(context)? } else { runs::open_once(&args.runs, context)? };
    let mut report = stats(&chosen.datasets, &options).map_err(|error| chosen.failure(&error))?;
    chosen.tell(&mut report);
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}
