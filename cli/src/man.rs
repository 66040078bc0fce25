//! `tg man`.

use std::path::{Path, PathBuf};

use tg_model::Exit;

use crate::message::Failure;
use crate::{Context, output};

/// What `tg man` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg man | man -l -                      read the page of tg
  tg man ~/.local/share/man/man1         write the pages of all commands, for `man tg-run`")]
pub(crate) struct Args {
    /// The folder to write the pages of all commands to.
    dir: Option<PathBuf>,
}

/// Prints tg's page, or writes all.
pub(crate) fn run(args: &Args, _context: &Context) -> Result<Exit, Failure> {
    let mut command = without_help(crate::command());
    command.build();
    match &args.dir {
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.map_err(|error| Failure::new(Exit::Fault, "cannot render the manual page").cause(&error))?;
            output::to_stdout(|out| out.write_all(&page))?;
        }
        Some(dir) => write_all(command, dir).map_err(|error| {
            Failure::new(Exit::Environment, format!("cannot write manual pages to `{}`", dir.display())).cause(&error)
        })?,
    }
    Ok(Exit::Ok)
}

/// Without `tg help`, `tg runs help` and so on: what they print is the page of the command itself.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn write_all(command: clap::Command, dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
}
