//! `tg collect --in-cluster`: the work is done where the outputs are.

use anstream::eprintln;
use tg_model::{Exit, RunId};
use tg_runner::cluster::{CollectJob, Settings};

use super::Args;
use crate::message::Failure;
use crate::run::on_cluster::cluster_failure;
use crate::signals::Interrupts;
use crate::{Context, output, stored};

/// Runs the command.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (run, said) = match stored::find(&context.home, &args.run) {
        Ok(found) => {
            let outputs = stored::read_file(&found.dir).ok().and_then(|file| file.outputs);
            (found.id, outputs)
        }
        // A run of somebody else is known by its whole id.
        Err(failure) => match args.run.parse::<RunId>() {
            Ok(run) => (run, None),
            Err(_not_an_id) => return Err(failure),
        },
    };
    let cluster = args.cluster.connect().await?;
    let outputs = match said {
        Some(outputs) => outputs,
        None => Settings::of(&cluster).await.map_err(|error| cluster_failure(&error))?.outputs,
    };
    let mut more = Vec::new();
    if let Some(only) = &args.only {
        more.extend(["--only".to_owned(), only.to_string()]);
    }
    if let Some(jobs) = args.jobs {
        more.extend(["--jobs".to_owned(), jobs.to_string()]);
    }
    if args.strict {
        more.push("--strict".to_owned());
    }
    let mut interrupts = Interrupts::listen()?;
    let job = CollectJob { run: &run, outputs: &outputs, more: &more };
    let mut tell = |text: &str| eprintln!("{text}");
    let work = job.run(&cluster, &mut tell);
    tokio::pin!(work);
    let done = tokio::select! {
        done = &mut work => done.map_err(|error| cluster_failure(&error))?,
        () = interrupts.next() => {
            return Err(Failure::new(Exit::Cancelled, format!("the collect of `{run}` goes on in the cluster"))
                .hint("the same command follows it again"));
        }
    };
    output::to_stdout(|out| write!(out, "{}", done.said))?;
    match done.code {
        0 => Ok(Exit::Ok),
        code => {
            Err(Failure::new(Exit::of_code(code), format!("the collect in the cluster ended with exit code {code}"))
                .hint("what it printed is above"))
        }
    }
}
