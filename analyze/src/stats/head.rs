//! The head of the screen: the run, its outcomes by group, its failures.

use std::collections::BTreeMap;

use tg_model::outcome::Outcome;

use super::columns::Rows;
use super::key::{Key, with_keys};
use super::overview::{StatsOptions, examples};
use super::screen::{Grouped, Member, Screen};
use crate::report::{Cell, Column, Facts, Line, Table, Tone};
use crate::run::{Run, verdict_cell, verdict_tone};

/// No more kinds of failure than this are listed.
const MOST_FAILURES: usize = 10;

/// The run, or the runs, in one sentence.
pub(super) fn headline(screen: &Screen<'_>) -> Option<Line> {
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, run) in screen.datasets.each() {
        let verdict = run.map(|run| run.verdict.as_str());
        *verdicts.entry(verdict.or(screen.datasets.are_many().then_some("unknown"))?).or_default() += 1;
    }
    let (verdict, tone) = match verdicts.first_key_value() {
        Some((verdict, _)) if !screen.datasets.are_many() => ((*verdict).to_owned(), verdict_tone(verdict)),
        _ => {
            let words: Vec<String> = verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
            let tone = if verdicts.keys().all(|verdict| *verdict == "passed") { Tone::Good } else { Tone::Bad };
            (format!("{} runs, {}", screen.datasets.len(), words.join(", ")), tone)
        }
    };
    if screen.everyone.is_empty() {
        return Some(Line { text: verdict, tone });
    }
    let n = screen.members().count();
    let well = screen.members().filter(|member| member.instance.is_well()).count();
    let how = if screen.members().any(|member| member.instance.as_expected.is_some()) {
        "ended as expected"
    } else {
        "ended with outcome ok"
    };
    let things = if n == 1 { "instance" } else { "instances" };
    let chosen = if is_narrowed(screen) { "chosen " } else { "" };
    Some(Line { text: format!("{verdict}: {well} of {n} {chosen}{things} {how}"), tone })
}

/// Whether the condition says which instances are meant.
fn is_narrowed(screen: &Screen<'_>) -> bool {
    screen.is_filtered() && screen.lacking(Rows::Instances, Grouped::No).is_empty()
}

/// What is known of the run; of several, what they have together.
pub(super) fn facts(screen: &Screen<'_>, options: &StatsOptions) -> Facts {
    let mut facts = Facts::new("run", "");
    if screen.datasets.are_many() {
        facts.add("runs", "runs", screen.datasets.len());
    } else if let Some((_, Some(run))) = screen.datasets.each().next() {
        facts.add("run_id", "run", run.id.clone());
        facts.add("plan", "plan", run.plan_and_case());
        facts.add("backend", "backend", run.backend.clone());
        // As text: a program that reads JSON numbers as floats would change it.
        facts.add("seed", "seed", run.seed.map(|seed| seed.to_string()));
        facts.add("started", "started", run.start_ns.map_or(Cell::Absent, Cell::Time));
        facts.add("duration_ns", "took", run.duration_ns().map_or(Cell::Absent, Cell::nanos));
        facts.add("verdict", "verdict", verdict_cell(&run.verdict));
    }
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for member in screen.members() {
        *sizes.entry(&member.instance.group).or_insert(0) += 1;
    }
    let groups: Vec<String> = sizes.into_iter().map(|(group, size)| format!("{group} {size}")).collect();
    let listed = if groups.len() > 8 { format!("{} groups", groups.len()) } else { groups.join(", ") };
    let n = screen.members().count();
    if is_narrowed(screen) {
        facts.add_with("instances", "instances", Cell::Of(n as u64, screen.everyone.len() as u64), listed);
    } else {
        facts.add_with("instances", "instances", n, listed);
    }
    if let Some(filter) = &options.filter {
        facts.add("filter", "filter", filter.as_str());
    }
    if let Some(groups) = &options.group_by {
        facts.add("group_by", "grouped by", groups.as_str());
    }
    facts
}

/// The runs, where there are several, in the order in which they were named.
pub(super) fn runs(screen: &Screen<'_>) -> Option<Table> {
    if !screen.datasets.are_many() {
        return None;
    }
    let columns = vec![
        Column::new("run_id", "run"),
        Column::new("plan", "plan"),
        Column::when_used("backend", "backend"),
        Column::hidden("seed"),
        Column::new("started", "started"),
        Column::new("duration_ns", "took"),
        Column::new("verdict", "verdict"),
        Column::new("instances", "instances"),
    ];
    let mut table = Table::new("runs", "Runs", columns);
    for (at, (_, run)) in screen.datasets.each().enumerate() {
        let known = screen.everyone.iter().filter(|member| member.run == at);
        let (all, chosen) = (known.clone().count(), known.filter(|member| member.is_chosen).count());
        table.rows.push(vec![
            screen.datasets.name(at).into(),
            run.and_then(Run::plan_and_case).into(),
            run.and_then(|run| run.backend.clone()).into(),
            run.and_then(|run| run.seed).map(|seed| seed.to_string()).into(),
            run.and_then(|run| run.start_ns).map_or(Cell::Absent, Cell::Time),
            run.and_then(Run::duration_ns).map_or(Cell::Absent, Cell::nanos),
            run.map_or(Cell::Absent, |run| verdict_cell(&run.verdict)),
            if is_narrowed(screen) { Cell::Of(chosen as u64, all as u64) } else { Cell::from(all) },
        ]);
    }
    Some(table)
}

/// Outcomes by group. Every outcome of the closed list is a column; people see those that occur.
pub(super) fn outcomes(screen: &Screen<'_>) -> Table {
    let by = screen.by(Rows::Instances, &[]);
    let mut columns = vec![Column::new("instances", "instances")];
    columns.extend(Outcome::ALL.iter().map(|outcome| Column::when_used(outcome.as_str(), outcome.as_str())));
    columns.push(Column::when_used("other", "other"));
    columns.push(Column::new("as_expected", "as expected"));
    let title = if screen.is_grouped() { "Outcomes" } else { "Outcomes by group" };
    let mut table = Table::new("outcomes", title, with_keys(&screen.named(&by), &columns));
    table.empty = if is_narrowed(screen) && !screen.everyone.is_empty() {
        "no instance is as was asked".to_owned()
    } else {
        "the dataset knows no instances".to_owned()
    };
    let mut groups: BTreeMap<Vec<Key>, Vec<&Member>> = BTreeMap::new();
    for member in screen.members() {
        groups.entry(member.keys(&by)).or_default().push(member);
    }
    for (keys, members) in groups {
        let size = members.len() as u64;
        let mut row: Vec<Cell> = screen.named(&by).iter().zip(&keys).map(|(named, key)| named.cell(key)).collect();
        row.push(Cell::Count(size));
        let mut listed = 0;
        for outcome in Outcome::ALL {
            let n = members.iter().filter(|member| member.instance.outcome == outcome.as_str()).count();
            listed += n as u64;
            row.push(Cell::from(n));
        }
        row.push(Cell::Count(size - listed));
        let judged = members.iter().filter(|member| member.instance.as_expected.is_some()).count();
        let well = members.iter().filter(|member| member.instance.as_expected == Some(true)).count();
        row.push(if judged == 0 { Cell::Absent } else { Cell::Of(well as u64, size) });
        table.rows.push(row);
    }
    table
}

/// What went wrong, by group, outcome and the plan's own words, the most frequent first.
pub(super) fn failures(screen: &Screen<'_>) -> Option<Table> {
    let by = screen.by(Rows::Instances, &["outcome"]);
    let columns = vec![
        Column::new("outcome", "outcome"),
        Column::new("instances", "instances"),
        Column::new("examples", "for example"),
        Column::new("reason", "why"),
    ];
    let mut table = Table::new("failures", "What did not end as expected", with_keys(&screen.named(&by), &columns));
    let mut kinds: BTreeMap<(Vec<Key>, &str, &str), Vec<&Member>> = BTreeMap::new();
    for member in screen.members().filter(|member| !member.instance.is_well()) {
        let instance = &member.instance;
        let why = instance.error.as_deref().or(instance.reason.as_deref()).unwrap_or_default();
        let first_line = why.lines().next().unwrap_or_default();
        kinds.entry((member.keys(&by), &instance.outcome, first_line)).or_default().push(member);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let hidden: usize = kinds.iter().skip(MOST_FAILURES).map(|(_, members)| members.len()).sum();
    for ((keys, outcome, why), members) in kinds.into_iter().take(MOST_FAILURES) {
        let short: String = why.chars().take(100).collect();
        let cut = if short.len() < why.len() { "…" } else { "" };
        let mut row: Vec<Cell> = screen.named(&by).iter().zip(&keys).map(|(named, key)| named.cell(key)).collect();
        row.extend([
            Cell::Word(outcome.to_owned(), Tone::Bad),
            members.len().into(),
            examples(screen, members.iter().copied()).into(),
            format!("{short}{cut}").into(),
        ]);
        table.rows.push(row);
    }
    if hidden > 0 {
        let mut row = vec![Cell::from("…"); by.len().min(1)];
        row.resize(by.len() + 1, Cell::Absent);
        row.extend([hidden.into(), Cell::Absent, "more kinds, not listed".into()]);
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}
