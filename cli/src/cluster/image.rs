//! `tg cluster image`.

use tg_model::Exit;
use tg_runner::Cancel;

use super::ImageArgs;
use crate::message::Failure;
use crate::{Context, output};

/// What `tg cluster image` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The image holds this program and the libraries that it is linked with, and nothing else; Docker's engine makes it. \
Its name is printed, for `tg cluster install --image`.

Examples:
  tg cluster image --image-registry ghcr.io/lab
  tg cluster image --image-load 'ctr -n k8s.io images import -'")]
pub(super) struct Args {
    #[command(flatten)]
    images: ImageArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Environment, "cannot find this program").cause(&error))?;
    let cache = context.home.writable()?.join("cache").join("builds");
    let built = tg_runner::image_of_program(&program, "tg", &cache, &args.images.options(), &Cancel::new()).await;
    let image = built.map_err(|error| Failure::from_error(error.exit(), &error).maybe_hint(error.hint()))?;
    output::to_stdout(|out| writeln!(out, "{image}"))?;
    Ok(Exit::Ok)
}
