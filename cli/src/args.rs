//! The command line: global flags and the list of subcommands.
//!
//! A subcommand is a file of its own with `Args` and `run`. To add one: a `mod` line in `lib.rs`, a variant here with
//! a doc comment (its help), and a line in `lib.rs`'s `dispatch`. Only commands that work are listed.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tg_model::Exit;

use crate::message::Failure;
use crate::{analyze, cluster, collect, completions, demo, doctor, man, notebook, plan, publish, run, runs, sync};

/// Run distributed test plans, gather what every instance wrote, and answer questions about it.
#[derive(Debug, Parser)]
#[command(name = "tg", version, max_term_width = 110, infer_subcommands = false)]
#[command(after_help = "\
Examples:
  tg demo                                   a real run, its statistics and its graph
  tg run PLAN:CASE -n 50 --collect          run a plan, and gather what its instances wrote
  tg runs show latest                       how each instance ended
  tg analyze stats latest                   what they measured
  tg analyze compare RUN RUN                whether one is better than the other
  tg plan new pings                         write a plan of your own

`tg help COMMAND` teaches each by example.")]
pub(crate) struct Cli {
    /// Flags of every subcommand.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every subcommand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Where runs and caches lie, if not in `~/.local/share/tg`.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "TG_HOME",
        hide_env_values = true,
        help = "Where runs and caches lie [default: $XDG_DATA_HOME/tg, else ~/.local/share/tg]"
    )]
    pub(crate) home: Option<PathBuf>,
    /// Colour in what tg prints.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes this the choice of the process.
    pub(crate) fn apply(self) {
        match self {
            // The stream itself looks at `NO_COLOR`, `CLICOLOR` and the terminal.
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::AlwaysAnsi,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a small plan, collect it, and show statistics and a connection graph.
    Demo(demo::Args),
    /// Run a plan or a composition.
    Run(Box<run::Args>),
    /// List and describe plans, or write a new one.
    Plan(plan::Args),
    /// Gather what the instances of a run wrote into one archive and one dataset.
    Collect(Box<collect::Args>),
    /// Put what a run left into an object store.
    Publish(Box<publish::Args>),
    /// List, show, replay and remove runs, and read what their instances printed.
    Runs(runs::Args),
    /// Answer questions from the dataset of a run.
    Analyze(analyze::Args),
    /// Open Jupyter on the dataset of a run.
    Notebook(notebook::Args),
    /// Install, look at and remove what tg has in a Kubernetes cluster.
    Cluster(cluster::Args),
    /// Say whether this machine has what tg needs.
    Doctor(doctor::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Print the manual page, or write the pages of every command to a folder.
    Man(man::Args),
    /// Serve signals, barriers and topics to instances that something else starts.
    Sync(sync::Args),
}

/// The whole command line as clap sees it: for completions, manual pages and the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Prints what clap has to say: help and version to stdout, refusals to stderr with the code for wrong usage.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    let exit = match error.print().and_then(|()| std::io::stdout().flush()) {
        _ if error.use_stderr() => Exit::Usage,
        Ok(()) => Exit::Ok,
        Err(failed) => Failure::output(&failed).report(),
    };
    ExitCode::from(exit as u8)
}
