//! `tg runs list`.

use tg_analyze::report::{Cell, Column, Report, Section, Table, Tone};
use tg_model::{Exit, Outcome, RunFile, Verdict};

use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};
use crate::stored::{self, State, Stored};

/// What `tg runs list` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg runs list                           every run, the newest first
  tg runs list --plan mesh -n 5          the five newest of one plan
  tg runs list --format json | jq -r '.runs[].run'")]
pub(crate) struct Args {
    /// Only runs of this plan.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Only so many, the newest.
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Lists the runs.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut report = Report::new("runs", "Runs");
    let mut table = Table::new(
        "runs",
        "",
        vec![
            Column::new("run", "run"),
            Column::new("state", "state"),
            Column::new("plan", "plan"),
            Column::new("case", "case"),
            Column::new("instances", "instances"),
            Column::when_used("not_ok", "other than ok"),
            Column::new("elapsed_ns", "took"),
            Column::when_used("series", "series"),
            Column::when_used("config", "configuration"),
        ],
    );
    let home = context.home.path()?;
    table.empty = match &args.plan {
        Some(plan) => format!("No runs of plan `{plan}` in `{}`.", home.display()),
        None => format!("No runs in `{}`; `tg demo` makes one.", home.display()),
    };
    for run in stored::all(&context.home)?.into_iter().rev() {
        if args.limit.is_some_and(|limit| table.rows.len() >= limit) {
            break;
        }
        match stored::read_file(&run.dir) {
            Ok(file) if args.plan.as_ref().is_some_and(|plan| *plan != file.plan) => {}
            Ok(file) => table.rows.push(row(&file)),
            Err(_) if args.plan.is_some() => {}
            Err(error) => {
                report.note(Tone::Warn, error.to_string());
                table.rows.push(unreadable(&run));
            }
        }
    }
    report.sections.push(Section::Table(table));
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}

fn row(file: &RunFile) -> Vec<Cell> {
    let instances: u64 = file.groups.iter().map(|group| u64::from(group.count)).sum();
    let not_ok: u64 =
        file.tally.values().flatten().filter(|(end, _)| **end != Outcome::Ok).map(|(_, n)| u64::from(*n)).sum();
    let elapsed = file.ended_ns.map(|end| i64::try_from(end.saturating_sub(file.started_ns)).unwrap_or(i64::MAX));
    let (series, config) = match &file.series {
        Some(series) if series.repeats > 1 || !series.config.is_empty() => {
            let mut words: Vec<String> = series.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if series.repeats > 1 {
                words.push(format!("repeat {} of {}", series.repeat + 1, series.repeats));
            }
            (Cell::Text(series.id.to_string()), Cell::Text(words.join(" ")))
        }
        _ => (Cell::Absent, Cell::Absent),
    };
    vec![
        Cell::Text(file.run.to_string()),
        state_cell(stored::state(file)),
        Cell::Text(file.plan.clone()),
        Cell::Text(file.case.clone()),
        Cell::Count(instances),
        if not_ok > 0 { Cell::Count(not_ok) } else { Cell::Absent },
        elapsed.map_or(Cell::Absent, Cell::nanos),
        series,
        config,
    ]
}

fn unreadable(run: &Stored) -> Vec<Cell> {
    let mut cells = vec![Cell::Text(run.id.to_string()), Cell::Word("unreadable".to_owned(), Tone::Warn)];
    cells.resize(9, Cell::Absent);
    cells
}

/// The word for a state, with its tone.
pub(super) fn state_cell(state: State) -> Cell {
    let (word, tone) = match state {
        State::Live => ("running", Tone::Plain),
        State::Abandoned | State::Ended(Verdict::Unknown) => ("unknown", Tone::Warn),
        State::Ended(Verdict::Passed) => ("passed", Tone::Good),
        State::Ended(Verdict::Failed) => ("failed", Tone::Bad),
        State::Ended(Verdict::Cancelled) => ("cancelled", Tone::Warn),
    };
    Cell::Word(word.to_owned(), tone)
}
