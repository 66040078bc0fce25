//! `tg plan list`.

use std::path::PathBuf;

use tg_analyze::report::{Cell, Column, Report, Section, Table, Tone};
use tg_model::Exit;

use super::find::{self, Place};
use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};

/// What `tg plan list` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg plan list                           what `tg run NAME` finds from here
  tg plan list ~/src/test-plans          the plans below a folder")]
pub(super) struct Args {
    /// Only the plans below this folder.
    dir: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let places = match &args.dir {
        Some(dir) if !dir.is_dir() => {
            return Err(Failure::new(Exit::Usage, format!("`{}` is no folder", dir.display())));
        }
        Some(dir) => vec![Place { dir: dir.clone(), what: "the folder" }],
        None => find::places(&context.home)?,
    };
    let mut report = Report::new("plans", "Plans");
    let columns = vec![
        Column::new("plan", "plan"),
        Column::new("cases", "cases"),
        Column::new("builders", "builders"),
        Column::new("backends", "backends"),
        Column::new("dir", "folder"),
    ];
    let mut table = Table::new("plans", "", columns);
    let looked: Vec<String> = places.iter().map(|place| format!("`{}`", place.dir.display())).collect();
    table.empty = format!("No plans in {}; `tg plan new NAME` writes one.", looked.join(", "));
    let mut seen = Vec::new();
    for place in &places {
        let mut plans = find::all(&place.dir);
        if args.dir.is_some() && find::is_plan(&place.dir) {
            plans.insert(0, (".".to_owned(), place.dir.clone()));
        }
        for (name, dir) in plans {
            // This folder may be the one above tg's own plans, or tg's home.
            let real = std::fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
            if seen.contains(&real) {
                continue;
            }
            seen.push(real);
            let mut row = vec![Cell::Text(name), Cell::Absent, Cell::Absent, Cell::Absent];
            if let Ok(manifest) = find::manifest(&dir) {
                let cases: Vec<&str> = manifest.cases.iter().map(|case| case.name.as_str()).collect();
                row[1] = Cell::Text(cases.join(" "));
                row[2] = Cell::Text(words(manifest.builders.keys()));
                row[3] = Cell::Text(words(manifest.backends.keys()));
            } else {
                row[1] = Cell::Word("unreadable".to_owned(), Tone::Warn);
                let text =
                    format!("the manifest of `{0}` has problems: `tg plan describe {0}` lists them", dir.display());
                report.note(Tone::Warn, text);
            }
            row.push(Cell::Text(dir.display().to_string()));
            table.rows.push(row);
        }
    }
    report.sections.push(Section::Table(table));
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}

pub(super) fn words<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(" ")
}
