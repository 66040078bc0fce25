//! The tg command: parses flags, joins the crates, renders events and reports, picks the exit code.

mod analyze;
mod args;
mod cluster;
mod collect;
mod completions;
mod demo;
mod doctor;
mod home;
mod man;
mod message;
mod notebook;
mod object_store;
mod output;
mod plan;
mod publish;
pub mod render;
mod reporter;
mod run;
mod runs;
mod signals;
mod stored;
mod sync;
mod text;

pub use args::command;

use std::process::ExitCode;

use clap::Parser as _;
use tg_model::Exit;

use crate::args::{Cli, Command};
use crate::message::Failure;

/// What every subcommand gets: the settings of this invocation.
pub(crate) struct Context {
    /// Where runs and caches lie; not touched until a command asks.
    pub(crate) home: home::Home,
    /// How an object store is reached where the name of a run points into one, which only `tg analyze` has.
    pub(crate) store: object_store::StoreArgs,
}

/// Runs the command line of this process and gives its exit code.
///
/// Nothing happens before the arguments are parsed: `tg --version` starts no runtime and reads no file.
pub fn main() -> ExitCode {
    // Both are tg as its own helper, and neither is a command.
    match std::env::args_os().nth(1) {
        Some(word) if word == run::KEEP => return keep(),
        Some(word) if word == run::HOST => return tg_runner::enter_host(),
        _ => {}
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::refuse(&error),
    };
    cli.globals.color.apply();
    let context = Context { home: home::Home::new(cli.globals.home), store: object_store::StoreArgs::default() };
    let exit = dispatch(cli.command, &context).unwrap_or_else(|failure| failure.report());
    ExitCode::from(exit as u8)
}

/// Watches over the instances of the tg that started this process, and ends them when that tg is gone.
fn keep() -> ExitCode {
    match tg_runner::keeper::keep(std::io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// One line for each subcommand. Those that wait for something are async and run through [`block_on`].
fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Analyze(args) => analyze::run(args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Man(args) => man::run(&args, context),
        Command::Notebook(args) => notebook::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Cluster(args) => block_on(cluster::run(args, context)),
        Command::Collect(args) => block_on(collect::run(*args, context)),
        Command::Publish(args) => block_on(publish::run(*args, context)),
        Command::Run(args) => block_on(run::run(*args, context)),
        Command::Runs(args) => runs::run(args, context),
        Command::Sync(args) => block_on(sync::run(args, context)),
    }
}

/// Runs an async subcommand to its end: `Command::Sync(args) => block_on(sync::run(args, context))`.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Environment, "cannot start the threads that tg works with").cause(&error)
    })?;
    let result = runtime.block_on(work);
    // A blocking task that never returns must not keep the process: everything that matters was awaited above.
    runtime.shutdown_background();
    result
}
