//! What `tg run` prints: a summary for people, or tables for programs.

use std::io::{self, Write};

use tg_analyze::report::{Cell, Column, Line, Report, Section, Table, Tone};
use tg_model::{Exit, Outcome, RunSpec, Verdict};

use super::Made;
use crate::message::Failure;
use crate::output;
use crate::render::{OutputArgs, emit};

/// `: rounds=10, repeat 2 of 3`, or nothing where there is only one.
pub(super) fn config_words(spec: &RunSpec) -> String {
    let mut words: Vec<String> = spec.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if spec.repeats > 1 {
        words.push(format!("repeat {} of {}", spec.repeat + 1, spec.repeats));
    }
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

/// Prints what would be run.
pub(super) fn emit_plan(specs: &[RunSpec], seed_given: bool, args: &OutputArgs) -> Result<(), Failure> {
    let mut report = Report::new("dry-run", "What would be run");
    let columns = vec![
        Column::new("nth", "#"),
        Column::new("plan", "plan"),
        Column::new("case", "case"),
        Column::new("backend", "backend"),
        Column::new("instances", "instances"),
        Column::new("groups", "groups"),
        Column::new("builders", "builders"),
        Column::when_used("config", "configuration"),
        Column::when_used("network", "network"),
        Column::new("seed", "seed"),
    ];
    let mut table = Table::new("runs", "", columns);
    for (nth, spec) in specs.iter().enumerate() {
        let groups: Vec<String> = spec.groups.iter().map(|group| format!("{} {}", group.name, group.count)).collect();
        let mut builders: Vec<&str> = spec.groups.iter().map(|group| group.build.builder.as_str()).collect();
        builders.sort_unstable();
        builders.dedup();
        let config = config_words(spec);
        table.rows.push(vec![
            Cell::Count(nth as u64 + 1),
            Cell::Text(spec.plan.clone()),
            Cell::Text(spec.case.clone()),
            Cell::Text(spec.backend.clone()),
            Cell::Count(u64::from(spec.instances())),
            Cell::Text(groups.join(", ")),
            Cell::Text(builders.join(", ")),
            if config.is_empty() { Cell::Absent } else { Cell::Text(config.trim_start_matches(": ").to_owned()) },
            tg_model::network::lay(spec).map_or(Cell::Absent, |laid| Cell::Text(laid.to_string())),
            Cell::Text(if seed_given { spec.seed.to_string() } else { "drawn".to_owned() }),
        ]);
    }
    let mut params = Table::new(
        "params",
        "Parameters",
        vec![
            Column::new("nth", "#"),
            Column::new("group", "group"),
            Column::new("param", "parameter"),
            Column::new("value", "value"),
        ],
    );
    params.empty = String::from("No group has parameters.");
    for (nth, spec) in specs.iter().enumerate() {
        for group in &spec.groups {
            for (param, value) in &group.params {
                params.rows.push(vec![
                    Cell::Count(nth as u64 + 1),
                    Cell::Text(group.name.to_string()),
                    Cell::Text(param.clone()),
                    Cell::Text(value.clone()),
                ]);
            }
        }
    }
    report.sections = vec![Section::Table(table), Section::Table(params)];
    emit(&report, args).map_err(|error| Failure::from_error(error.exit(), &error))
}

/// Prints what came of the runs.
pub(super) fn emit_made(made: &[Made], wanted: usize, args: &OutputArgs) -> Result<(), Failure> {
    let for_people = args.format.is_none() && args.output.is_none() && args.table.is_none();
    match made {
        [] => Ok(()),
        [only] if for_people && wanted == 1 => output::to_stdout(|out| write_one(only, out)),
        _ => {
            if for_people {
                // Of many runs only those are told at length that did not do what was expected.
                output::to_stdout(|out| {
                    for one in made.iter().filter(|one| one.file.verdict != Verdict::Passed).take(3) {
                        write_one(one, out)?;
                        writeln!(out)?;
                    }
                    Ok(())
                })?;
            }
            let report = report(made, wanted);
            emit(&report, args).map_err(|error| Failure::from_error(error.exit(), &error))
        }
    }
}

fn write_one(one: &Made, out: &mut dyn Write) -> io::Result<()> {
    one.summary.write(&one.dir, out)?;
    let Some(gathered) = &one.gathered else { return Ok(()) };
    if let Some(path) = &gathered.archive {
        writeln!(out, "  archive {}", path.display())?;
    }
    if let Some(path) = &gathered.dataset {
        writeln!(out, "  dataset {}", path.display())?;
    }
    if gathered.notes > 0 {
        writeln!(out, "  {} in the table `notes`", crate::text::count(gathered.notes, "note"))?;
    }
    Ok(())
}

fn report(made: &[Made], wanted: usize) -> Report {
    let mut report = Report::new("run", "Runs");
    let mut runs = Table::new(
        "runs",
        "",
        vec![
            Column::new("run", "run"),
            Column::new("verdict", "verdict"),
            Column::hidden("plan"),
            Column::hidden("case"),
            Column::when_used("config", "configuration"),
            Column::when_used("repeat", "repeat"),
            Column::new("seed", "seed"),
            Column::new("instances", "instances"),
            Column::new("ok", "ok"),
            Column::new("unexpected", "not as expected"),
            Column::new("elapsed_ns", "took"),
            Column::hidden("folder"),
            Column::hidden("archive"),
            Column::hidden("dataset"),
        ],
    );
    let mut groups = Table::new(
        "groups",
        "",
        vec![Column::hidden("run"), Column::hidden("group"), Column::hidden("outcome"), Column::hidden("instances")],
    );
    let mut unexpected = Table::new(
        "unexpected",
        "",
        vec![Column::hidden("run"), Column::hidden("instance"), Column::hidden("outcome"), Column::hidden("reason")],
    );
    let mut notes =
        Table::new("notes", "", vec![Column::hidden("run"), Column::hidden("reason"), Column::hidden("count")]);
    let text = |text: &str| Cell::Text(text.to_owned());
    for one in made {
        let file = &one.file;
        let config: Vec<String> =
            file.series.iter().flat_map(|series| &series.config).map(|(k, v)| format!("{k}={v}")).collect();
        let repeat = file.series.as_ref().filter(|series| series.repeats > 1);
        let ok: u64 = file.tally.values().filter_map(|group| group.get(&Outcome::Ok)).map(|n| u64::from(*n)).sum();
        let (word, tone) = (file.verdict.to_string(), tone(file.verdict));
        let path = |path: Option<&std::path::PathBuf>| {
            path.map_or(Cell::Absent, |path| Cell::Text(path.display().to_string()))
        };
        runs.rows.push(vec![
            text(file.run.as_str()),
            Cell::Word(word, tone),
            text(&file.plan),
            text(&file.case),
            if config.is_empty() { Cell::Absent } else { Cell::Text(config.join(" ")) },
            repeat.map_or(Cell::Absent, |series| Cell::Of(u64::from(series.repeat) + 1, u64::from(series.repeats))),
            Cell::Text(file.seed.to_string()),
            Cell::Count(one.summary.instances()),
            Cell::Count(ok),
            Cell::Count(one.summary.unexpected_count),
            one.summary.elapsed_ns.map_or(Cell::Absent, |ns| Cell::nanos(i64::try_from(ns).unwrap_or(i64::MAX))),
            path(Some(&one.dir)),
            path(one.gathered.as_ref().and_then(|it| it.archive.as_ref())),
            path(one.gathered.as_ref().and_then(|it| it.dataset.as_ref())),
        ]);
        for (group, tally) in &file.tally {
            for (outcome, n) in tally {
                groups.rows.push(vec![
                    text(file.run.as_str()),
                    text(group.as_str()),
                    text(outcome.as_str()),
                    Cell::Count(u64::from(*n)),
                ]);
            }
        }
        for (reason, n) in &one.summary.notes {
            notes.rows.push(vec![text(file.run.as_str()), text(reason), Cell::Count(*n)]);
        }
        for it in &one.summary.unexpected {
            unexpected.rows.push(vec![
                text(file.run.as_str()),
                Cell::Text(it.instance.to_string()),
                text(it.outcome.as_str()),
                text(&it.reason),
            ]);
        }
    }
    let passed = made.iter().filter(|one| one.file.verdict == Verdict::Passed).count();
    let tone = if passed == wanted { Tone::Good } else { Tone::Bad };
    let mut line = format!("{passed} of {wanted} passed");
    if made.len() < wanted {
        line = format!("{line}, {} not made", wanted - made.len());
    }
    report.headline = Some(Line { text: line, tone });
    report.sections = [runs, groups, unexpected, notes].map(Section::Table).to_vec();
    report
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Failed => Tone::Bad,
        Verdict::Cancelled | Verdict::Unknown => Tone::Warn,
    }
}

/// The exit code for all runs together: the gravest.
pub(super) fn exit(made: &[Made], wanted: usize) -> Exit {
    if made.len() < wanted || made.iter().any(|one| one.file.verdict == Verdict::Cancelled) {
        Exit::Cancelled
    } else if made.iter().any(|one| one.at_deadline && one.file.verdict != Verdict::Passed) {
        Exit::Deadline
    } else if made.iter().any(|one| one.file.verdict != Verdict::Passed) {
        Exit::NotAsExpected
    } else {
        Exit::Ok
    }
}
