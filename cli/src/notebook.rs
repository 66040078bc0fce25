//! `tg notebook`: Jupyter on a run's dataset.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tg_model::{Exit, layout};

use crate::message::Failure;
use crate::{Context, plan, stored};

/// What `tg notebook` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The notebooks are those of the folder `notebooks` in a checkout of tg's sources. They learn from the environment which \
run to read: TG_RUN is its id, TG_HOME tg's home. Jupyter takes the place of tg until it is closed.

Examples:
  tg notebook latest
  tg notebook 20261126-1334
  tg notebook latest --jupyter ~/venv/bin/jupyter")]
pub(crate) struct Args {
    /// The run: its id, a unique prefix of it, or `latest`.
    #[arg(value_name = "RUN")]
    run: String,

    /// The program to start instead of the `jupyter` on PATH.
    #[arg(long, value_name = "PROGRAM", default_value = "jupyter")]
    jupyter: PathBuf,
}

/// Finds run and notebooks, and becomes Jupyter.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let run = stored::find(&context.home, &args.run)?;
    if !run.dir.join(layout::DATASET_DIR).is_dir() {
        return Err(Failure::new(Exit::Usage, format!("run {} is not collected yet", run.id))
            .hint(format!("`tg collect {}` makes the dataset that notebooks read", run.id)));
    }
    let notebooks = notebooks()?;
    let home = context.home.path()?;
    crate::message::progress(&format!("Opening {} for run {}", notebooks.display(), run.id));
    let error = Command::new(&args.jupyter)
        .arg("lab")
        .arg(&notebooks)
        .env("TG_RUN", run.id.to_string())
        .env("TG_HOME", home)
        .exec();
    let failure = Failure::new(Exit::Environment, format!("cannot start `{}`", args.jupyter.display())).cause(&error);
    Err(if error.kind() == io::ErrorKind::NotFound {
        failure.hint(format!("`pip install jupyterlab -r {}` gets it", notebooks.join("requirements.txt").display()))
    } else {
        failure
    })
}

/// The notebooks of tg: in this folder or one above, else where this tg was built, if that is still there.
fn notebooks() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let ours = |dir: PathBuf| Some(dir).filter(|dir| dir.join("tgdata.py").is_file());
    let above = here.ancestors().find_map(|dir| ours(dir.join("notebooks")));
    let built = || ours(plan::find::checkout_sdk()?.parent()?.join("notebooks"));
    above.or_else(built).ok_or_else(|| {
        Failure::new(Exit::Environment, "the notebooks are not here: this is no checkout of tg's sources")
            .note(format!("looked for `notebooks/tgdata.py` in `{}` and above", here.display()))
    })
}
