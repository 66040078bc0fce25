//! `tg runs show`.

use std::collections::BTreeMap;

use tg_analyze::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone};
use tg_model::outcome::Evidence;
use tg_model::{EventKind, Exit, InstanceId, Outcome, RunFile, layout};

use super::list::state_cell;
use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};
use crate::stored::{self, Events, State, Stored};

/// What `tg runs show` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg runs show latest
  tg runs show latest --unexpected       only instances that did not do what was expected
  tg runs show latest --instance servers/3
  tg runs show latest --table instances --format csv -o instances.csv")]
pub(crate) struct Args {
    /// The run: its id, a unique prefix of it, or `latest`.
    run: String,
    /// Only this instance, such as `servers/3`.
    #[arg(long, value_name = "GROUP/INDEX")]
    instance: Option<InstanceId>,
    /// Only instances that did not do what was expected of them.
    #[arg(long)]
    unexpected: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// How one instance ended.
struct End {
    outcome: Outcome,
    as_expected: bool,
    reason: String,
    evidence: Evidence,
    elapsed_ns: Option<u64>,
}

/// What the event log says of instances.
#[derive(Default)]
struct Told {
    ends: BTreeMap<InstanceId, End>,
    notes: Vec<(Option<InstanceId>, String, String)>,
}

/// More notes than this nobody reads; the event log has them all.
const MOST_NOTES: usize = 50;

/// Shows the run.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let found = stored::find(&context.home, &args.run)?;
    let file = stored::read_file(&found.dir)?;
    if let Some(instance) = &args.instance {
        known(&file, instance)?;
    }
    let mut report = Report::new("run", format!("Run {}", file.run));
    let state = stored::state(&file);
    report.headline = headline(state, &file.backend);
    let told = read(&found, args, &mut report)?;
    report.sections.push(Section::Facts(facts(&file, &found, state)));
    report.sections.push(Section::Table(groups(&file)));
    report.sections.push(Section::Table(params(&file)));
    report.sections.push(Section::Table(instances(&file, &found, &told, args)));
    report.sections.push(Section::Table(notes(&told)));
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(Exit::Ok)
}

/// Refuses an instance that the run does not have.
pub(super) fn known(file: &RunFile, instance: &InstanceId) -> Result<(), Failure> {
    let group = file.groups.iter().find(|group| group.name == instance.group);
    if group.is_some_and(|group| instance.index < group.count) {
        return Ok(());
    }
    let hint = if let Some(group) = group {
        format!("group `{}` has {} instances, counted from 0", group.name, group.count)
    } else {
        let names: Vec<String> = file.groups.iter().map(|group| format!("`{}`", group.name)).collect();
        format!("its groups: {}", names.join(", "))
    };
    Err(Failure::new(Exit::Usage, format!("run `{}` has no instance `{instance}`", file.run)).hint(hint))
}

fn headline(state: State, backend: &str) -> Option<Line> {
    let (text, tone) = match state {
        State::Live => ("still running", Tone::Plain),
        State::Abandoned if backend == "cluster:k8s" => {
            ("its tg is gone; if the cluster still has it, `tg runs attach` goes on with it", Tone::Warn)
        }
        State::Abandoned => (
            "tg was gone before it wrote down how the run ended; what it told of instances until then is below",
            Tone::Warn,
        ),
        State::Ended(_) => return None,
    };
    Some(Line { text: text.to_owned(), tone })
}

fn read(found: &Stored, args: &Args, report: &mut Report) -> Result<Told, Failure> {
    let mut told = Told::default();
    let wanted = |id: &InstanceId| args.instance.as_ref().is_none_or(|only| only == id);
    let mut events = Events::open(&found.dir)?;
    let cannot =
        |error| Failure::new(Exit::Environment, format!("cannot read the events of run `{}`", found.id)).cause(&error);
    while let Some(event) = events.next().map_err(cannot)? {
        match event.kind {
            EventKind::InstanceFinished { instance, outcome, as_expected, reason, evidence, elapsed_ns }
                if wanted(&instance) && !(args.unexpected && as_expected) =>
            {
                told.ends.insert(instance, End { outcome, as_expected, reason, evidence, elapsed_ns });
            }
            EventKind::InstanceNote { instance, reason, text } if wanted(&instance) => {
                told.notes.push((Some(instance), reason, text));
            }
            EventKind::RunNote { reason, text } if args.instance.is_none() => told.notes.push((None, reason, text)),
            EventKind::BuildFailed { builder, command, output, .. } => {
                report.note(Tone::Bad, format!("builder `{builder}` failed at `{command}`"));
                for line in output.lines() {
                    report.note(Tone::Dim, line);
                }
            }
            _ => {}
        }
    }
    if events.unreadable > 0 {
        report.note(
            Tone::Warn,
            format!("{} in the event log cannot be read", crate::text::count(events.unreadable, "line")),
        );
    }
    Ok(told)
}

fn facts(file: &RunFile, found: &Stored, state: State) -> Facts {
    let mut facts = Facts::new("run", "");
    facts.add("run", "run", Cell::Text(file.run.to_string()));
    facts.add("state", "state", state_cell(state));
    facts.add("plan", "plan", Cell::Text(file.plan.clone()));
    facts.add("case", "case", Cell::Text(file.case.clone()));
    facts.add("backend", "backend", Cell::Text(file.backend.clone()));
    facts.add("seed", "seed", Cell::Text(file.seed.to_string()));
    if let Some(network) = &file.network {
        facts.add("network", "network", Cell::Text(network.to_string()));
    }
    let time = |ns: u64| Cell::Time(i64::try_from(ns).unwrap_or(i64::MAX));
    facts.add("started", "started", time(file.started_ns));
    facts.add("ended", "ended", file.ended_ns.map_or(Cell::Absent, time));
    let elapsed = file.ended_ns.map(|end| i64::try_from(end.saturating_sub(file.started_ns)).unwrap_or(i64::MAX));
    facts.add("elapsed_ns", "took", elapsed.map_or(Cell::Absent, Cell::nanos));
    if let Some(series) = &file.series {
        facts.add("series", "series", Cell::Text(series.id.to_string()));
        facts.add("repeat", "repeat", Cell::Text(format!("{} of {}", series.repeat + 1, series.repeats)));
        for (key, value) in &series.config {
            facts.add(&format!("config.{key}"), key, Cell::Text(value.clone()));
        }
    }
    facts.add("tg_version", "made by tg", Cell::Text(file.tg_version.clone()));
    facts.add("folder", "folder", Cell::Text(found.dir.display().to_string()));
    for (key, name) in [("archive", layout::ARCHIVE_FILE), ("dataset", layout::DATASET_DIR)] {
        let path = found.dir.join(name);
        let cell = if path.exists() { Cell::Text(path.display().to_string()) } else { Cell::Absent };
        facts.add_with(key, key, cell, if path.exists() { "" } else { "`tg collect` makes it" });
    }
    facts
}

fn groups(file: &RunFile) -> Table {
    let seen: Vec<Outcome> = Outcome::ALL
        .into_iter()
        .filter(|outcome| file.tally.values().any(|group| group.contains_key(outcome)))
        .collect();
    let mut columns = vec![
        Column::new("group", "group"),
        Column::new("instances", "instances"),
        Column::new("builder", "builder"),
        Column::new("expect", "expected"),
    ];
    columns.extend(seen.iter().map(|outcome| Column::new(outcome.as_str(), outcome.as_str())));
    let mut table = Table::new("groups", "Groups", columns);
    for group in &file.groups {
        let mut row = vec![
            Cell::Text(group.name.to_string()),
            Cell::Count(u64::from(group.count)),
            Cell::Text(group.builder.clone()),
            Cell::Text(group.expect.to_string()),
        ];
        let tally = file.tally.get(&group.name);
        row.extend(
            seen.iter().map(|outcome| Cell::Count(tally.and_then(|t| t.get(outcome)).copied().unwrap_or(0).into())),
        );
        table.rows.push(row);
    }
    table
}

fn params(file: &RunFile) -> Table {
    let columns = vec![Column::new("group", "group"), Column::new("param", "parameter"), Column::new("value", "value")];
    let mut table = Table::new("params", "Parameters", columns);
    table.empty = String::from("The groups have no parameters.");
    for group in &file.groups {
        for (param, value) in &group.params {
            table.rows.push(vec![
                Cell::Text(group.name.to_string()),
                Cell::Text(param.clone()),
                Cell::Text(value.clone()),
            ]);
        }
    }
    table
}

fn instances(file: &RunFile, found: &Stored, told: &Told, args: &Args) -> Table {
    let mut table = Table::new(
        "instances",
        "Instances",
        vec![
            Column::new("instance", "instance"),
            Column::new("outcome", "outcome"),
            Column::hidden("as_expected"),
            Column::when_used("exit_code", "exit"),
            Column::new("elapsed_ns", "ran"),
            Column::new("reason", "reason"),
            Column::when_used("logs", "logs"),
        ],
    );
    table.empty =
        String::from(if args.unexpected { "Every instance did what was expected of it." } else { "No instances." });
    let every = file
        .groups
        .iter()
        .flat_map(|group| (0..group.count).map(|index| InstanceId { group: group.name.clone(), index }));
    let wanted = every.filter(|id| args.instance.as_ref().is_none_or(|only| only == id));
    for id in wanted {
        let logs = layout::logs_dir(&found.dir, &id);
        let logs = if logs.is_dir() && (args.instance.is_some() || args.unexpected) {
            Cell::Text(logs.display().to_string())
        } else {
            Cell::Absent
        };
        let name = Cell::Text(id.to_string());
        match told.ends.get(&id) {
            Some(end) => table.rows.push(vec![
                name,
                Cell::Word(end.outcome.to_string(), if end.as_expected { Tone::Good } else { Tone::Bad }),
                Cell::Flag(end.as_expected),
                end.evidence.exit_code().map_or(Cell::Absent, |code| {
                    u64::try_from(code).map_or_else(|_| Cell::Text(code.to_string()), Cell::Count)
                }),
                end.elapsed_ns.map_or(Cell::Absent, |ns| Cell::nanos(i64::try_from(ns).unwrap_or(i64::MAX))),
                Cell::Text(end.reason.clone()),
                logs,
            ]),
            None if args.unexpected => {}
            None => {
                table.rows.push(vec![name, Cell::Absent, Cell::Absent, Cell::Absent, Cell::Absent, Cell::Absent, logs]);
            }
        }
    }
    table
}

fn notes(told: &Told) -> Table {
    let columns =
        vec![Column::when_used("instance", "instance"), Column::new("reason", "reason"), Column::new("text", "text")];
    let mut table = Table::new("notes", "Notes", columns);
    table.empty = String::from("Nothing odd was seen.");
    for (instance, reason, text) in told.notes.iter().take(MOST_NOTES) {
        let instance = instance.as_ref().map_or(Cell::Absent, |id| Cell::Text(id.to_string()));
        table.rows.push(vec![instance, Cell::Text(reason.clone()), Cell::Text(text.clone())]);
    }
    if told.notes.len() > MOST_NOTES {
        let more = told.notes.len() - MOST_NOTES;
        table.rows.push(vec![
            Cell::Absent,
            Cell::Text("more".to_owned()),
            Cell::Text(format!("{more} more in the event log")),
        ]);
    }
    table
}
