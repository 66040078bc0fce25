//! The screen as a whole.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::col;
use tg_model::table::{EVENTS, INSTANCES, METRICS, NOTES, QUERIES, QUERY_EVENTS, RUN_EVENTS, Table as Stored};

use super::asked::{LEAST, Wanted};
use super::columns::Rows;
use super::percentile::Percentile;
use super::screen::{Grouped, Member, Screen};
use super::{course, head, machine, metrics, operations, trouble};
use crate::compare::{Setting, inner_differences};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Report, Section, Table, Tone};

/// What to show.
#[derive(Debug, Clone, Default)]
pub struct StatsOptions {
    /// Patterns of metric names, with `*` and `?`; none for all.
    pub metrics: Vec<String>,
    /// How much of the metrics.
    pub detail: Detail,
    /// How many peers a lookup is to return, for its recall; else as many as a bucket of its run holds.
    pub k: Option<u32>,
    /// The rule of percentiles.
    pub percentile: Percentile,
    /// A condition, as [`Filter`](crate::filter::Filter) reads it: only rows for which it holds.
    pub filter: Option<String>,
    /// Names of columns, parted by commas, by which rows are grouped instead of by group.
    pub group_by: Option<String>,
    /// The bytes of memory that may be used, about; without a number as many as it takes. Percentiles stay exact: tables
    /// are read again where their values find no room.
    pub memory_limit: Option<usize>,
}

/// How much of the metrics to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Results, and of aggregates the measures that are read most.
    #[default]
    Main,
    /// Diagnostics and every measure too.
    All,
}

type Make = fn(&Screen<'_>) -> Result<Option<Table>, AnalyzeError>;

/// A part of the screen between the head and the metrics.
struct Part {
    /// What it is of, for notes.
    name: &'static str,
    rows: Rows,
    grouped: Grouped,
    /// The table that it is made of.
    of: &'static Stored,
    make: Make,
}

impl Part {
    const fn new(name: &'static str, rows: Rows, grouped: Grouped, of: &'static Stored, make: Make) -> Self {
        Self { name, rows, grouped, of, make }
    }
}

const PARTS: [Part; 8] = {
    use Grouped::{No, Yes};
    use Rows::{Instances, Operations, Runs, Stages};
    [
        Part::new("outcomes", Instances, Yes, &INSTANCES, |screen| Ok(Some(head::outcomes(screen)))),
        Part::new("failures", Instances, Yes, &INSTANCES, |screen| Ok(head::failures(screen))),
        Part::new("operations", Operations, Yes, &QUERIES, operations::table),
        Part::new("failed operations", Operations, Yes, &QUERIES, operations::failures),
        Part::new("peers that hurt lookups", Operations, No, &QUERY_EVENTS, trouble::hurtful_peers),
        Part::new("slowest instances", Operations, No, &QUERIES, trouble::slow_instances),
        Part::new("stages", Stages, Yes, &EVENTS, course::stages),
        Part::new("barriers", Runs, No, &RUN_EVENTS, course::barriers),
    ]
};

/// Statistics of one run, or of several together: head, outcomes by group, failures, operations, metrics by name and
/// group. Samples of several runs are pooled, and nothing is averaged over runs.
pub fn stats(datasets: &[Dataset], options: &StatsOptions) -> Result<Report, AnalyzeError> {
    if let Some(limit) = options.memory_limit.filter(|&limit| limit < LEAST) {
        let (limit, least) = (limit >> 20, LEAST >> 20);
        let text = format!("`--memory-limit` grants {limit} MiB, and reading tables takes at least {least} MiB");
        return Err(AnalyzeError::Question(text));
    }
    let screen = Screen::new(datasets, &Wanted::of(options), &Rows::ALL)?;
    let has = |table: &Stored| {
        let mut each = screen.datasets.each();
        each.try_fold(false, |any, (dataset, _)| Ok::<_, AnalyzeError>(any || dataset.has(table)?))
    };
    let dirs = || {
        let each = screen.datasets.each().map(|(dataset, _)| format!("`{}`", dataset.dir().display()));
        listed(&each.collect::<Vec<_>>(), "nor")
    };
    if screen.everyone.is_empty() && !has(&METRICS)? && !has(&QUERIES)? {
        return Err(AnalyzeError::NoData(format!(
            "the dataset in {} knows neither instances nor operations nor metrics",
            dirs()
        )));
    }
    let title = match screen.datasets.each().next() {
        _ if screen.datasets.are_many() => format!("{} runs", screen.datasets.len()),
        Some((_, Some(run))) => format!("Run {}", run.id),
        _ => format!("Dataset {}", screen.datasets.name(0)),
    };
    let mut report = Report::new("stats", title);
    report.headline = head::headline(&screen);
    let mut facts = head::facts(&screen, options);
    machine::tell(&screen, &mut facts, &mut report)?;
    report.sections.push(Section::Facts(facts));
    report.sections.extend(head::runs(&screen).map(Section::Table));
    let head = report.sections.len();
    let mut left_out: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    let mut lacking_all = true;
    for part in &PARTS {
        let lacking = screen.lacking(part.rows, part.grouped);
        if lacking.is_empty() {
            lacking_all &= part.grouped == Grouped::No && screen.is_grouped();
            report.sections.extend((part.make)(&screen)?.map(Section::Table));
        } else if has(part.of)? {
            left_out.entry(lacking).or_default().push(part.name);
        }
    }
    let lacking = screen.lacking(Rows::Metrics, Grouped::Yes);
    if lacking.is_empty() {
        let found = metrics::read(&screen)?;
        let table = metrics::table(&found, &screen, options, &mut report);
        report.sections.push(Section::Table(table));
        silent(&screen, &found, &mut report);
    } else if lacking_all {
        let all = screen.names().into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        return Err(AnalyzeError::Question(format!("no table has all of {}", listed(&all, "and"))));
    } else if has(&METRICS)? {
        left_out.entry(lacking).or_default().push("metrics");
    }
    if report.sections.len() == head {
        let all = screen.names().into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        return Err(AnalyzeError::NoData(format!(
            "what has {} was not recorded: there is no such table in {}",
            listed(&all, "and"),
            dirs()
        )));
    }
    for (lacking, parts) in left_out {
        let have = if parts.len() == 1 { "has" } else { "have" };
        let names: Vec<String> = lacking.iter().map(|name| format!("no `{name}`")).collect();
        let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        let text = format!("left out: {}, which {have} {}", listed(&parts, "and"), listed(&names, "and"));
        report.note(Tone::Warn, text);
    }
    gaps(&screen, datasets, &mut report)?;
    Ok(report)
}

/// `a, b and c`.
fn listed(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// Says which of the instances that are meant wrote no metrics.
fn silent(screen: &Screen<'_>, found: &metrics::Found, report: &mut Report) {
    let silent: Vec<&Member> = screen.members().filter(|member| !found.writers.contains(&member.number)).collect();
    if !silent.is_empty() && !found.writers.is_empty() {
        report.note(
            Tone::Warn,
            format!(
                "{} of {} instances wrote no metrics ({}); the numbers are of the others",
                silent.len(),
                screen.members().count(),
                examples(screen, silent.iter().copied())
            ),
        );
    }
}

/// Says what the data lacks, so that nobody takes survivors for all, and what is pooled.
fn gaps(screen: &Screen<'_>, datasets: &[Dataset], report: &mut Report) -> Result<(), AnalyzeError> {
    if screen.datasets.are_many() {
        pooled(screen, datasets, report)?;
    }
    let mut notes: BTreeMap<String, u64> = BTreeMap::new();
    for (at, (dataset, run)) in screen.datasets.each().enumerate() {
        let known = screen.everyone.iter().filter(|member| member.run == at).count() as u64;
        if let Some(run) = run.filter(|run| run.instances != known) {
            let name = if screen.datasets.are_many() { format!("run {}", run.id) } else { "the run".to_owned() };
            report.note(Tone::Warn, format!("{name} had {} instances, the dataset knows {known}", run.instances));
        }
        let Some(scan) = dataset.scan(&NOTES)? else { continue };
        let rows = dataset.collect(&NOTES, scan.group_by([col("reason")]).agg([polars::prelude::len().alias("n")]))?;
        let read = || Ok((frame::text(&rows, "reason")?, frame::counts(&rows, "n")?));
        let (reasons, counts) = read().map_err(|source| dataset.unreadable(&NOTES, source))?;
        for (reason, n) in reasons.into_iter().zip(counts) {
            *notes.entry(reason.unwrap_or_default()).or_insert(0) += n.unwrap_or_default();
        }
    }
    let mut by_reason: Vec<(u64, String)> = notes.into_iter().map(|(reason, n)| (n, reason)).collect();
    by_reason.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let total: u64 = by_reason.iter().map(|(n, _)| n).sum();
    if total > 0 {
        let words: Vec<String> = by_reason.iter().take(5).map(|(n, reason)| format!("{n} {reason}")).collect();
        let more = if by_reason.len() > 5 { ", …" } else { "" };
        let things = if total == 1 { "note" } else { "notes" };
        let have = if screen.datasets.are_many() { "the datasets have" } else { "the dataset has" };
        report
            .note(Tone::Warn, format!("{have} {total} {things} on what could not be read: {}{more}", words.join(", ")));
    }
    Ok(())
}

/// Says that samples of several runs stand together, how these differ, and which have none.
fn pooled(screen: &Screen<'_>, datasets: &[Dataset], report: &mut Report) -> Result<(), AnalyzeError> {
    const SHOWN: usize = 5;
    if !screen.is_by_run() {
        let text =
            "samples of the runs are pooled; `--group-by run_id` keeps them apart, and `tg analyze compare` judges";
        report.note(Tone::Dim, text);
    }
    let settings = datasets.iter().map(Setting::read).collect::<Result<Vec<_>, _>>()?;
    let differ = inner_differences(&settings);
    if !differ.is_empty() {
        let more = if differ.len() > SHOWN { ", …" } else { "" };
        let some = differ.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        report.note(Tone::Warn, format!("the runs are no repeats of one another: they differ in {some}{more}"));
    }
    for (table, what) in [(&QUERIES, "operations"), (&METRICS, "metrics")] {
        let without = screen.datasets.without(table)?;
        if !without.is_empty() && without.len() < screen.datasets.len() {
            let more = if without.len() > SHOWN { ", …" } else { "" };
            let some = without.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let text = format!("{} of {} runs recorded no {what}: {some}{more}", without.len(), screen.datasets.len());
            report.note(Tone::Warn, text);
        }
    }
    Ok(())
}

/// The first few names, and whether there are more.
pub(super) fn examples<'a>(screen: &Screen<'_>, members: impl ExactSizeIterator<Item = &'a Member>) -> String {
    // With the run's id before it a name is long.
    let shown = if screen.datasets.are_many() { 2 } else { 5 };
    let more = members.len() > shown;
    let mut words: Vec<String> = members.take(shown).map(|member| screen.name(member)).collect();
    if more {
        words.push("…".to_owned());
    }
    words.join(", ")
}
