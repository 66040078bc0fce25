//! Pages of the reference that follow from the code. `TG_REGENERATE=1 cargo test -p tg-cli` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tg_model::Exit;

use crate::scratch::Scratch;

fn check(page: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference").join(page);
    if std::env::var_os("TG_REGENERATE").is_some() {
        fs::write(&path, wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(
        found == wanted,
        "`docs/src/reference/{page}` is out of date, first in line {}; set TG_REGENERATE=1 to write it anew",
        differs.unwrap_or_else(|| found.lines().count().min(wanted.lines().count())) + 1
    );
}

#[test]
fn the_page_of_exit_codes_is_that_of_the_code() {
    let mut page =
        String::from("# Exit codes\n\nWritten by a test from `tg_model::Exit`.\n\n| code | meaning |\n|---|---|\n");
    for (exit, meaning) in Exit::TABLE {
        writeln!(page, "| {} | {meaning} |", exit as u8).expect("a text");
    }
    check("exit-codes.md", &page);
}

#[test]
fn the_page_of_commands_is_their_help() {
    let mut command = tg_cli::command().term_width(100);
    command.build();
    let mut page = String::from("# Commands\n\nWritten by a test from what `--help` says.\n");
    describe(&mut command, "tg", 2, &mut page);
    check("cli.md", &page);
}

fn describe(command: &mut clap::Command, name: &str, depth: usize, page: &mut String) {
    let help = command.clone().bin_name(name).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(page, "\n{} {name}\n\n```text\n{}\n```\n", "#".repeat(depth.min(4)), help.join("\n").trim_end())
        .expect("a text");
    for sub in command.get_subcommands_mut() {
        if sub.get_name() != "help" && !sub.is_hide_set() {
            let name = format!("{name} {}", sub.get_name());
            describe(sub, &name, depth + 1, page);
        }
    }
}

#[test]
fn help_version_completions_and_manual_are_there() {
    let scratch = Scratch::new();
    for args in [["--help", ""], ["help", "run"], ["completions", "bash"], ["completions", "zsh"], ["man", ""]] {
        let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        let done = scratch.tg(&args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        assert!(done.out.contains("tg") && done.err.is_empty(), "{args:?}: {done:?}");
    }
    assert_eq!(scratch.tg(&["--version"]).out, format!("tg {}\n", env!("CARGO_PKG_VERSION")));
    let pages = scratch.path("man");
    assert_eq!(scratch.tg(&["man", &pages.to_string_lossy()]).code, Some(0));
    assert!(pages.join("tg-run.1").is_file() && pages.join("tg-runs-logs.1").is_file());
    assert!(!scratch.path("home").exists());
}
