//! `tg plan describe`.

use tg_analyze::report::{Cell, Column, Facts, Report, Section, Table, Tone};
use tg_model::resolve::{BACKENDS, BUILDERS};
use tg_model::{Exit, Manifest};

use super::find;
use super::list::words;
use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};

/// What `tg plan describe` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg plan describe mesh                  a plan by name
  tg plan describe ./pings               a plan by its folder
  tg plan describe mesh --format json | jq '.params'")]
pub(super) struct Args {
    /// The plan: a name or a folder.
    plan: String,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let dir = find::find(&args.plan, &context.home, None)?;
    let manifest = find::manifest(&dir)?;
    let mut report = Report::new("plan", format!("Plan {}", manifest.name));
    let mut facts = Facts::new("plan", "");
    facts.add("name", "name", Cell::Text(manifest.name.clone()));
    facts.add("dir", "folder", Cell::Text(dir.display().to_string()));
    facts.add("builders", "builders", Cell::Text(words(manifest.builders.keys())));
    facts.add("backends", "backends", Cell::Text(words(manifest.backends.keys())));
    report.sections.push(Section::Facts(facts));
    report.sections.push(Section::Table(cases(&manifest)));
    report.sections.push(Section::Table(params(&manifest)));
    if !manifest.builders.keys().any(|name| BUILDERS.contains(&name.as_str())) {
        let text = format!("this tg has none of its builders; it has {}", BUILDERS.join(", "));
        report.note(Tone::Warn, text);
    }
    if !manifest.backends.keys().any(|name| BACKENDS.contains(&name.as_str())) {
        let text = format!("this tg has none of its backends; it has {}", BACKENDS.join(", "));
        report.note(Tone::Warn, text);
    }
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}

fn cases(manifest: &Manifest) -> Table {
    let columns = vec![
        Column::new("case", "case"),
        Column::new("min", "instances from"),
        Column::new("max", "to"),
        Column::new("default", "default"),
    ];
    let mut table = Table::new("cases", "Cases", columns);
    let count = |n: Option<u32>| n.map_or(Cell::Absent, |n| Cell::Count(u64::from(n)));
    for case in &manifest.cases {
        table.rows.push(vec![Cell::Text(case.name.clone()), count(case.min), count(case.max), count(case.default)]);
    }
    table
}

fn params(manifest: &Manifest) -> Table {
    let columns = vec![
        Column::new("case", "case"),
        Column::new("param", "parameter"),
        Column::new("type", "type"),
        Column::new("default", "default"),
        Column::when_used("unit", "unit"),
        Column::when_used("values", "values"),
        Column::new("description", "description"),
    ];
    let mut table = Table::new("params", "Parameters", columns);
    "The cases have no parameters.".clone_into(&mut table.empty);
    let text = |text: Option<&String>| text.map_or(Cell::Absent, |text| Cell::Text(text.clone()));
    for case in &manifest.cases {
        for (name, param) in &case.params {
            table.rows.push(vec![
                Cell::Text(case.name.clone()),
                Cell::Text(name.clone()),
                text(param.type_name.as_ref()),
                text(param.default.as_ref().map(|at| &at.value)),
                text(param.unit.as_ref()),
                if param.values.is_empty() { Cell::Absent } else { Cell::Text(param.values.join(" ")) },
                text(param.description.as_ref()),
            ]);
        }
    }
    table
}
