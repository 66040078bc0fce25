//! `tg analyze pubsub`: which messages reached whom, how fast, and at what cost.

use std::time::Duration;

use tg_analyze::pubsub::{PubsubOptions, pubsub};
use tg_model::Exit;
use tg_model::param::parse_duration;

use super::{Source, answer};
use crate::Context;
use crate::message::Failure;
use crate::render::OutputArgs;

/// What `tg analyze pubsub` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze pubsub latest
  tg analyze pubsub latest --topic blocks --deadline 500ms
  tg analyze pubsub latest --dlo 4 --dhi 8              of a network with other bounds of the mesh
  tg analyze pubsub latest --table messages --format csv -o messages.csv
  tg analyze pubsub latest --table cdf --format csv
  tg analyze pubsub latest --format json | jq '.reach.delivery_ratio'
  tg analyze graph latest --kind mesh --at 30s          the mesh itself

Who was not subscribed when a message was published, or not alive, does not miss it.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Only messages and meshes of this topic.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// A delivery that takes longer is late, such as 500ms; 4s is the third of a slot of Ethereum.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = deadline)]
    deadline: i64,
    /// The least degree that a mesh should have.
    #[arg(long, value_name = "N", default_value_t = 5)]
    dlo: u32,
    /// The greatest degree that a mesh should have.
    #[arg(long, value_name = "N", default_value_t = 12)]
    dhi: u32,
    /// How many of the worst messages and instances to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    #[command(flatten)]
    output: OutputArgs,
}

fn deadline(text: &str) -> Result<i64, String> {
    let time: Option<Duration> = parse_duration(text);
    let ns = time.and_then(|time| i64::try_from(time.as_nanos()).ok()).filter(|&ns| ns > 0);
    ns.ok_or_else(|| "a time above 0 is a number with a unit, such as 4s, 500ms or 1m30s".to_owned())
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    if args.dlo > args.dhi {
        let text = format!("`--dlo {}` is above `--dhi {}`: no degree would do", args.dlo, args.dhi);
        return Err(Failure::new(Exit::Usage, text));
    }
    let options = PubsubOptions {
        topic: args.topic,
        deadline_ns: args.deadline,
        degree_low: args.dlo,
        degree_high: args.dhi,
        worst: args.worst,
    };
    answer(&args.source, &args.output, context, |dataset| pubsub(dataset, &options))
}
