//! `tg runs`: what lies in the home.

mod attach;
mod list;
mod logs;
mod replay;
mod rm;
mod show;

use tg_model::Exit;

use crate::Context;
use crate::message::Failure;

/// What `tg runs` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg runs list                           every run, the newest first
  tg runs show latest                    the newest run: what it was and how each instance ended
  tg runs show 20261122-2215             a unique prefix of an id is enough
  tg runs logs latest --level warn       what all instances printed, by time
  tg runs replay latest --speed 10       watch it again
  tg runs attach 20261122-221530417-k7qx go on with a run on a cluster whose tg is gone
  tg runs rm 20261122-221530417-k7qx")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the runs, the newest first.
    List(list::Args),
    /// Show one run: what it was, and how each instance ended.
    Show(show::Args),
    /// Print what all instances printed, merged by time.
    Logs(logs::Args),
    /// Show a run again as it was, from its events.
    Replay(replay::Args),
    /// Go on with a run on a cluster whose tg is gone.
    Attach(Box<attach::Args>),
    /// Remove runs with all that belongs to them.
    Rm(rm::Args),
}

/// Runs the subcommand.
pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Logs(args) => logs::run(&args, context),
        Command::Replay(args) => replay::run(&args, context),
        Command::Attach(args) => crate::block_on(attach::run(*args, context)),
        Command::Rm(args) => rm::run(&args, context),
    }
}
