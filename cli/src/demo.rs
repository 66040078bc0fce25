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
The demo builds the plan `mesh` from `sdk/plans`, so it needs a checkout of tg's sources, cargo and cc. Twenty \
instances open real TCP connections to one another in a random mesh and measure round trips. Then the run is collected \
and its dataset is asked for statistics and for the graph of its connections.

With --dht it builds the plan `dht` instead: 25 nodes of the libp2p DHT, as bootstrappers, servers and clients in three \
regions of a cloud, find peers, providers and values; the routing tables are held against the truth too. Where instances \
cannot have hosts of their own (`tg doctor` tells), there are no regions. Its first build takes some minutes.

Examples:
  tg demo
  tg demo --dht
  TG_HOME=/tmp/tg tg demo                leave nothing in your own home")]
pub(crate) struct Args {
    /// Run with this seed instead of the demo's own: another mesh.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Run 25 nodes of the libp2p DHT instead of the mesh.
    #[arg(long)]
    dht: bool,
}

/// One of the demos.
struct Show {
    /// Its composition, below the folder of a checkout.
    composition: &'static str,
    /// What takes its place where instances cannot have hosts, if it needs them.
    without_hosts: Option<&'static str>,
    opening: &'static str,
    questions: &'static [&'static str],
    next: &'static [(&'static str, &'static str)],
}

const MESH: Show = Show {
    composition: "sdk/plans/mesh/compositions/demo.toml",
    without_hosts: None,
    opening: "Running 20 instances of the plan `mesh`; the first time it is built, which takes a minute.",
    questions: &["stats", "graph"],
    next: &[
        ("tg runs show latest", "how each instance ended, and its parameters"),
        ("tg runs logs latest --group core", "what the instances of a group said, by time"),
        ("tg runs replay latest", "watch the run again"),
        ("tg run mesh:mesh --instances 50 --param degree=2 --collect", "another mesh"),
        ("tg analyze graph latest", "is it still whole?"),
        ("tg plan new pings", "write a plan of your own"),
    ],
};

const DHT: Show = Show {
    composition: "sdk/plans/dht/compositions/demo.toml",
    without_hosts: Some("sdk/plans/dht/compositions/groups.toml"),
    opening: "Running 25 nodes of the plan `dht`; the first time it is built, which takes some minutes.",
    questions: &["stats", "graph", "routing"],
    next: &[
        ("tg plan describe dht", "its cases and parameters"),
        ("tg run dht:get-closest-peers --param k=5 --collect", "smaller buckets"),
        ("tg analyze graph latest --edges rt --draw rt.svg", "who knows whom"),
    ],
};

/// Builds, runs, collects, answers.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let show = if args.dht { &DHT } else { &MESH };
    let composition = composition(which(show))?;
    let mut words = vec!["tg".to_owned(), "run".to_owned(), composition.display().to_string(), "--collect".to_owned()];
    words.extend(args.seed.map(|seed| format!("--seed={seed}")));
    let Command::Run(wanted) = parse(&words)? else { return Err(fault()) };
    crate::message::progress(show.opening);
    let mut made = crate::block_on(run::make(&wanted, context))?;
    let exit = made.emit(&wanted.output)?;
    let Some(only) = made.runs.first() else { return Ok(exit) };
    if only.gathered.is_none() {
        return Ok(exit);
    }
    let run = only.file.run.to_string();
    for question in show.questions {
        output::to_stdout(|out| writeln!(out))?;
        let words = ["tg", "analyze", *question, &run].map(str::to_owned);
        let Command::Analyze(wanted) = parse(&words)? else { return Err(fault()) };
        analyze::run(wanted, context)?;
    }
    output::to_stdout(|out| {
        writeln!(out, "\nTry next:")?;
        for (command, what) in show.next {
            writeln!(out, "  {command:54}  {what}")?;
        }
        Ok(())
    })?;
    Ok(exit)
}

/// The composition that can be run here.
fn which(show: &Show) -> &'static str {
    let Some(without_hosts) = show.without_hosts else { return show.composition };
    let Err(why) = run::probe_hosts() else { return show.composition };
    crate::message::progress(&format!("No hosts for the nodes, so no regions between them: {why}"));
    without_hosts
}

fn parse(words: &[String]) -> Result<Command, Failure> {
    let cli = Cli::try_parse_from(words);
    cli.map(|cli| cli.command).map_err(|error| fault().cause(&error))
}

fn fault() -> Failure {
    Failure::new(Exit::Fault, "the demo does not know tg's own commands")
}

/// The demo's composition: in this folder or one above, else where this tg was built, if that is still there.
fn composition(wanted: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let above = here.ancestors().map(|dir| dir.join(wanted)).find(|path| path.is_file());
    let built = || {
        let root = plan::find::checkout_sdk()?.parent()?.to_owned();
        Some(root.join(wanted)).filter(|path| path.is_file())
    };
    above.or_else(built).ok_or_else(|| {
        Failure::new(Exit::Environment, "the demo's plan is not here: this is no checkout of tg's sources")
            .note(format!("looked for `{wanted}` in `{}` and above", here.display()))
            .hint("go to a checkout of tg and try again, or begin with `tg plan new pings`")
    })
}
