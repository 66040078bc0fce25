//! The head of the screen: the run, its outcomes by group, its failures.

use std::collections::BTreeMap;

use tg_model::outcome::Outcome;

use super::overview::examples;
use crate::report::{Cell, Column, Facts, Line, Table, Tone};
use crate::run::{Instance, Run, group_sizes, verdict_cell, verdict_tone};

/// No more kinds of failure than this are listed.
const MOST_FAILURES: usize = 10;

/// The run in one sentence.
pub(super) fn headline(run: Option<&Run>, instances: &[Instance]) -> Option<Line> {
    let run = run?;
    if instances.is_empty() {
        return Some(Line { text: run.verdict.clone(), tone: verdict_tone(&run.verdict) });
    }
    let well = instances.iter().filter(|instance| instance.is_well()).count();
    let how = if instances.iter().any(|instance| instance.as_expected.is_some()) {
        "ended as expected"
    } else {
        "ended with outcome ok"
    };
    let things = if instances.len() == 1 { "instance" } else { "instances" };
    let text = format!("{}: {well} of {} {things} {how}", run.verdict, instances.len());
    Some(Line { text, tone: verdict_tone(&run.verdict) })
}

/// What is known of the run.
pub(super) fn facts(run: Option<&Run>, instances: &[Instance]) -> Facts {
    let mut facts = Facts::new("run", "");
    if let Some(run) = run {
        facts.add("run_id", "run", run.id.clone());
        facts.add("plan", "plan", run.plan_and_case());
        facts.add("backend", "backend", run.backend.clone());
        // As text: a program that reads JSON numbers as floats would change it.
        facts.add("seed", "seed", run.seed.map(|seed| seed.to_string()));
        facts.add("started", "started", run.start_ns.map_or(Cell::Absent, Cell::Time));
        facts.add("duration_ns", "took", run.duration_ns().map_or(Cell::Absent, Cell::nanos));
        facts.add("verdict", "verdict", verdict_cell(&run.verdict));
    }
    let groups: Vec<String> =
        group_sizes(instances).into_iter().map(|(group, size)| format!("{group} {size}")).collect();
    let listed = if groups.len() > 8 { format!("{} groups", groups.len()) } else { groups.join(", ") };
    facts.add_with("instances", "instances", instances.len(), listed);
    facts
}

/// Outcomes by group. Every outcome of the closed list is a column; people see those that occur.
pub(super) fn outcomes(instances: &[Instance]) -> Table {
    let mut columns = vec![Column::new("group", "group"), Column::new("instances", "instances")];
    columns.extend(Outcome::ALL.iter().map(|outcome| Column::when_used(outcome.as_str(), outcome.as_str())));
    columns.push(Column::when_used("other", "other"));
    columns.push(Column::new("as_expected", "as expected"));
    let mut table = Table::new("outcomes", "Outcomes by group", columns);
    "the dataset knows no instances".clone_into(&mut table.empty);
    for (group, size) in group_sizes(instances) {
        let members = || instances.iter().filter(|instance| instance.group == group);
        let mut row = vec![Cell::from(group.as_str()), Cell::Count(size)];
        let mut listed = 0;
        for outcome in Outcome::ALL {
            let n = members().filter(|instance| instance.outcome == outcome.as_str()).count();
            listed += n as u64;
            row.push(Cell::from(n));
        }
        row.push(Cell::Count(size - listed));
        let judged = members().filter(|instance| instance.as_expected.is_some()).count();
        let well = members().filter(|instance| instance.as_expected == Some(true)).count();
        row.push(if judged == 0 { Cell::Absent } else { Cell::Of(well as u64, size) });
        table.rows.push(row);
    }
    table
}

/// What went wrong, by group, outcome and the plan's own words, the most frequent first.
pub(super) fn failures(instances: &[Instance]) -> Table {
    let columns = vec![
        Column::new("group", "group"),
        Column::new("outcome", "outcome"),
        Column::new("instances", "instances"),
        Column::new("examples", "for example"),
        Column::new("reason", "why"),
    ];
    let mut table = Table::new("failures", "What did not end as expected", columns);
    let mut kinds: BTreeMap<(&str, &str, &str), Vec<&Instance>> = BTreeMap::new();
    for instance in instances.iter().filter(|instance| !instance.is_well()) {
        let why = instance.error.as_deref().or(instance.reason.as_deref()).unwrap_or_default();
        let first_line = why.lines().next().unwrap_or_default();
        kinds.entry((&instance.group, &instance.outcome, first_line)).or_default().push(instance);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let hidden: usize = kinds.iter().skip(MOST_FAILURES).map(|(_, members)| members.len()).sum();
    for ((group, outcome, why), members) in kinds.into_iter().take(MOST_FAILURES) {
        let short: String = why.chars().take(100).collect();
        let cut = if short.len() < why.len() { "…" } else { "" };
        table.rows.push(vec![
            group.into(),
            Cell::Word(outcome.to_owned(), Tone::Bad),
            members.len().into(),
            examples(members.iter().map(|instance| instance.name())).into(),
            format!("{short}{cut}").into(),
        ]);
    }
    if hidden > 0 {
        let why = "more kinds, not listed".into();
        table.rows.push(vec!["…".into(), Cell::Absent, hidden.into(), Cell::Absent, why]);
    }
    table
}
