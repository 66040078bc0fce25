//! `tg demo`: a real plan from start to graph in one command.

use std::path::PathBuf;

use clap::Parser as _;
use tg_model::Exit;

use crate::args::{Cli, Command};
use crate::message::Failure;
use crate::{Context, analyze, output, plan, run};

/// What `tg demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The demo builds the plan `mesh` from `sdk/plans`, so it needs a checkout of tg's sources, cargo and cc. Twenty
instances open real TCP connections to one another in a random mesh and measure round trips. Then the run is collected
and its dataset is asked for statistics and for the graph of its connections.

Examples:
  tg demo
  TG_HOME=/tmp/tg tg demo                leave nothing in your own home")]
pub(crate) struct Args {
    /// Run with this seed instead of the demo's own: another mesh.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// The composition, below the folder of a checkout.
const COMPOSITION: &str = "sdk/plans/mesh/compositions/demo.toml";

/// Builds, runs, collects, answers.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let composition = composition()?;
    let mut words = vec!["tg".to_owned(), "run".to_owned(), composition.display().to_string(), "--collect".to_owned()];
    words.extend(args.seed.map(|seed| format!("--seed={seed}")));
    let Command::Run(wanted) = parse(&words)? else { return Err(fault()) };
    crate::message::progress(
        "Running 20 instances of the plan `mesh`; the first time it is built, which takes a minute.",
    );
    let mut made = crate::block_on(run::make(&wanted, context))?;
    let exit = made.emit(&wanted.output)?;
    let Some(only) = made.runs.first() else { return Ok(exit) };
    if only.gathered.is_none() {
        return Ok(exit);
    }
    let run = only.file.run.to_string();
    for question in ["stats", "graph"] {
        output::to_stdout(|out| writeln!(out))?;
        let words = ["tg", "analyze", question, &run].map(str::to_owned);
        let Command::Analyze(wanted) = parse(&words)? else { return Err(fault()) };
        analyze::run(wanted, context)?;
    }
    output::to_stdout(|out| {
        writeln!(out, "\nTry next:")?;
        for (command, what) in [
            ("tg runs show latest", "how each instance ended, and its parameters"),
            ("tg runs logs latest --group core", "what the instances of a group said, by time"),
            ("tg runs replay latest", "watch the run again"),
            ("tg run mesh:mesh --instances 50 --param degree=2 --collect", "another mesh"),
            ("tg analyze graph latest", "is it still whole?"),
            ("tg plan new pings", "write a plan of your own"),
        ] {
            writeln!(out, "  {command:54}  {what}")?;
        }
        Ok(())
    })?;
    Ok(exit)
}

fn parse(words: &[String]) -> Result<Command, Failure> {
    let cli = Cli::try_parse_from(words);
    cli.map(|cli| cli.command).map_err(|error| fault().cause(&error))
}

fn fault() -> Failure {
    Failure::new(Exit::Fault, "the demo does not know tg's own commands")
}

/// The demo's composition: in this folder or one above, else where this tg was built, if that is still there.
fn composition() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let above = here.ancestors().map(|dir| dir.join(COMPOSITION)).find(|path| path.is_file());
    let built = || {
        let root = plan::find::checkout_sdk()?.parent()?.to_owned();
        Some(root.join(COMPOSITION)).filter(|path| path.is_file())
    };
    above.or_else(built).ok_or_else(|| {
        Failure::new(Exit::Environment, "the demo's plan is not here: this is no checkout of tg's sources")
            .note(format!("looked for `{COMPOSITION}` in `{}` and above", here.display()))
            .hint("go to a checkout of tg and try again, or begin with `tg plan new pings`")
    })
}
