//! `tg runs rm`.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use tg_model::{Exit, layout};

use crate::Context;
use crate::message::{Failure, progress};
use crate::stored::{self, State, Stored};

/// What `tg runs rm` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg runs rm latest
  tg runs rm --yes 20261122-221530417-k7qx 20261122-221712004-b3aa")]
pub(crate) struct Args {
    /// The runs: ids, unique prefixes of them, or `latest`.
    #[arg(required = true)]
    runs: Vec<String>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

/// Removes the runs; if one of them cannot go, none does.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut runs: Vec<Stored> = Vec::new();
    for name in &args.runs {
        let run = stored::find(&context.home, name)?;
        if stored::read_file(&run.dir).is_ok_and(|file| stored::state(&file) == State::Live) {
            return Err(Failure::new(Exit::Usage, format!("run `{}` is still going on", run.id))
                .hint("stop it first: Ctrl-C where it was started"));
        }
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    if !args.yes && !confirmed(&runs)? {
        return Ok(Exit::Cancelled);
    }
    for run in runs {
        remove(&run)?;
        progress(&format!("removed run `{}`", run.id));
    }
    Ok(Exit::Ok)
}

fn confirmed(runs: &[Stored]) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nobody can be asked whether to remove runs: this is no terminal")
            .hint("pass `--yes`"));
    }
    for run in runs {
        let what = match stored::read_file(&run.dir) {
            Ok(file) => format!("{} of {}, {}", file.case, file.plan, run.dir.display()),
            Err(_) => run.dir.display().to_string(),
        };
        progress(&format!("{}  {}", run.id, crate::text::clean(&what)));
    }
    let mut err = anstream::stderr().lock();
    let many = crate::text::count(runs.len() as u64, "run");
    let mut answer = String::new();
    write!(err, "Remove {many} with all outputs? [y/N] ")
        .and_then(|()| err.flush())
        .and_then(|()| io::stdin().read_line(&mut answer))
        .map_err(|error| Failure::new(Exit::Environment, "cannot ask whether to remove runs").cause(&error))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Renames the folder first, so that nobody ever sees half a run.
fn remove(run: &Stored) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(Exit::Environment, format!("cannot remove run `{}`", run.id))
            .cause(&error)
            .hint(format!("see who may write to `{}`", run.dir.display()))
    };
    let mut doomed = run.dir.clone().into_os_string();
    doomed.push(layout::PARTIAL);
    let doomed = PathBuf::from(doomed);
    fs::rename(&run.dir, &doomed).map_err(cannot)?;
    fs::remove_dir_all(&doomed).map_err(cannot)
}
