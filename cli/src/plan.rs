//! `tg plan`: the plans that there are, what they can do, and new ones.

mod describe;
pub(crate) mod find;
mod list;
mod new;

use tg_model::{Exit, Problem};

use crate::Context;
use crate::message::Failure;

/// What `tg plan` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg plan new pings                      write a plan in Rust to ./pings; `tg run pings` runs it
  tg plan list                           the plans that `tg run` finds by name
  tg plan describe mesh                  cases and parameters of a plan")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the plans that can be run by name.
    List(list::Args),
    /// Show what a plan can do: cases, parameters, builders, backends.
    Describe(describe::Args),
    /// Write a plan that runs as it stands.
    New(new::Args),
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        Command::List(args) => list::run(args, context),
        Command::Describe(args) => describe::run(args, context),
        Command::New(args) => new::run(args),
    }
}

/// A file of the user's that cannot be used: every problem in it, each with its hint below.
pub(crate) fn refused(what: &str, problems: &[Problem]) -> Failure {
    let count = crate::text::count(problems.len() as u64, "problem");
    problems.iter().fold(Failure::new(Exit::Usage, format!("{what}: {count}")), |failure, problem| {
        let hint = problem.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        failure.note(format!("{problem}{hint}"))
    })
}
