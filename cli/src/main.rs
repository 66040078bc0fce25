//! The `tg` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    tg_cli::main()
}
