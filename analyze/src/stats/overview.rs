//! The screen as a whole.

use polars::prelude::col;
use tg_model::table::{METRICS, NOTES, QUERIES};

use super::percentile::Percentile;
use super::{course, head, metrics, operations, trouble};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Report, Section, Tone};
use crate::run::{Instance, Run};

/// What to show.
#[derive(Debug, Clone, Default)]
pub struct StatsOptions {
    /// Patterns of metric names, with `*` and `?`; none for all.
    pub metrics: Vec<String>,
    /// How much of the metrics.
    pub detail: Detail,
    /// How many peers a lookup is to return, for its recall; nothing leaves lookups unscored.
    pub k: Option<u32>,
    /// The rule of percentiles.
    pub percentile: Percentile,
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

/// Statistics of a run: head, outcomes by group, failures, operations, metrics by name and group.
pub fn stats(dataset: &Dataset, options: &StatsOptions) -> Result<Report, AnalyzeError> {
    let run = Run::read(dataset)?;
    let instances = Instance::read_all(dataset)?;
    if instances.is_empty() && !dataset.has(&METRICS)? && !dataset.has(&QUERIES)? {
        return Err(AnalyzeError::NoData(format!(
            "the dataset in `{}` knows neither instances nor operations nor metrics",
            dataset.dir().display()
        )));
    }
    let title = match &run {
        Some(run) => format!("Run {}", run.id),
        None => format!("Dataset {}", dataset.dir().display()),
    };
    let mut report = Report::new("stats", title);
    report.headline = head::headline(run.as_ref(), &instances);
    report.sections.push(Section::Facts(head::facts(run.as_ref(), &instances)));
    report.sections.push(Section::Table(head::outcomes(&instances)));
    let failures = head::failures(&instances);
    if !failures.rows.is_empty() {
        report.sections.push(Section::Table(failures));
    }
    if let Some(table) = operations::table(dataset, &instances, options.k, options.percentile)? {
        report.sections.push(Section::Table(table));
    }
    if let Some(table) = operations::failures(dataset)? {
        report.sections.push(Section::Table(table));
    }
    let more = [
        trouble::hurtful_peers(dataset, &instances)?,
        trouble::slow_instances(dataset, &instances, options.percentile)?,
        course::stages(dataset, &instances)?,
        course::barriers(dataset)?,
    ];
    report.sections.extend(more.into_iter().flatten().map(Section::Table));
    let found = metrics::read(dataset, &instances, options.percentile)?;
    let table = metrics::table(&found, options, &mut report);
    report.sections.push(Section::Table(table));
    gaps(dataset, run.as_ref(), &instances, &found, &mut report)?;
    Ok(report)
}

/// Says what the data lacks, so that nobody takes survivors for all.
fn gaps(
    dataset: &Dataset,
    run: Option<&Run>,
    instances: &[Instance],
    found: &metrics::Found,
    report: &mut Report,
) -> Result<(), AnalyzeError> {
    let known = instances.len() as u64;
    if let Some(run) = run.filter(|run| run.instances != known) {
        report.note(Tone::Warn, format!("the run had {} instances, the dataset knows {known}", run.instances));
    }
    let silent: Vec<&Instance> =
        instances.iter().filter(|instance| !found.writers.contains(&instance.number)).collect();
    if !silent.is_empty() && !found.writers.is_empty() {
        report.note(
            Tone::Warn,
            format!(
                "{} of {known} instances wrote no metrics ({}); the numbers are of the others",
                silent.len(),
                examples(silent.iter().map(|instance| instance.name()))
            ),
        );
    }
    if let Some(scan) = dataset.scan(&NOTES)? {
        let rows = dataset.collect(&NOTES, scan.group_by([col("reason")]).agg([polars::prelude::len().alias("n")]))?;
        let read = || Ok((frame::text(&rows, "reason")?, frame::counts(&rows, "n")?));
        let (reasons, counts) = read().map_err(|source| dataset.unreadable(&NOTES, source))?;
        let mut by_reason: Vec<(u64, String)> = counts
            .into_iter()
            .zip(reasons)
            .map(|(n, reason)| (n.unwrap_or_default(), reason.unwrap_or_default()))
            .collect();
        by_reason.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let total: u64 = by_reason.iter().map(|(n, _)| n).sum();
        if total > 0 {
            let words: Vec<String> = by_reason.iter().take(5).map(|(n, reason)| format!("{n} {reason}")).collect();
            let more = if by_reason.len() > 5 { ", …" } else { "" };
            let things = if total == 1 { "note" } else { "notes" };
            report.note(
                Tone::Warn,
                format!("the dataset has {total} {things} on what could not be read: {}{more}", words.join(", ")),
            );
        }
    }
    Ok(())
}

/// The first few names, and whether there are more.
pub(super) fn examples(names: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let more = names.len() > SHOWN;
    let mut words: Vec<String> = names.take(SHOWN).collect();
    if more {
        words.push("…".to_owned());
    }
    words.join(", ")
}
