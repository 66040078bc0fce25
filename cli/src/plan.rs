//! `tg plan`: the plans that there are, what they can do, and new ones.

mod describe;
pub(crate) mod find;
mod list;
mod new;

use std::fs;
use std::path::Path;

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

/// The text of a file of the user's.
pub(crate) fn text_of(path: &Path) -> Result<String, Failure> {
    let cannot = || Failure::new(Exit::Usage, format!("cannot read `{}`", path.display()));
    let bytes = fs::read(path).map_err(|error| {
        let hint = (error.kind() == std::io::ErrorKind::NotFound)
            .then(|| "give the path from this folder; `tg plan list` lists plans that need no file".to_owned());
        cannot().cause(&error).maybe_hint(hint)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].split(|&byte| byte == b'\n').count();
        cannot().note(format!("{}:{line}: this line is not UTF-8", path.display())).hint("save the file as UTF-8 text")
    })
}

/// A file of the user's that cannot be used: every problem in it, each with its hint below.
pub(crate) fn refused(what: &str, problems: &[Problem]) -> Failure {
    let count = crate::text::count(problems.len() as u64, "problem");
    problems.iter().fold(Failure::new(Exit::Usage, format!("{what}: {count}")), |failure, problem| {
        let hint = problem.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        failure.note(format!("{problem}{hint}"))
    })
}
