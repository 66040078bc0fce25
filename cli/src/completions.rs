//! `tg completions`.

use clap_complete::Shell;
use tg_model::Exit;

use crate::message::Failure;
use crate::{Context, output};

/// What `tg completions` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg completions bash > ~/.local/share/bash-completion/completions/tg
  tg completions zsh > ~/.zfunc/_tg
  tg completions fish > ~/.config/fish/completions/tg.fish")]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completions of one shell.
pub(crate) fn run(args: &Args, _context: &Context) -> Result<Exit, Failure> {
    // The generator panics when its writer fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "tg", &mut script);
    output::to_stdout(|out| out.write_all(&script))?;
    Ok(Exit::Ok)
}
