//! What the machine did to the run, and how far its numbers may be believed for that.
//!
//! The rule: where a share s of the operations of a kind ran while their instance starved for a processor, these may be
//! its slowest, in the worst case all of them. So only percentiles up to 1 − s are surely the plan's; those above may
//! be the machine's. Where no operations were recorded, s is the share of the instances' time.

use std::fmt::Write as _;

use polars::prelude::{Expr, IntoLazy as _, LazyFrame, NULL, col, len, lit, when};
use tg_model::table::{HOST, LINKS, QUERIES, RESOURCES, Table as Stored};

use super::grouped::{Group, Measures};
use super::key::Key;
use super::operations;
use super::screen::Screen;
use crate::error::AnalyzeError;
use crate::frame;
use crate::report::{Cell, Facts, Report, Tone};

/// Percentiles above this are not shown anywhere, so that less contention touches none.
const HIGHEST: f64 = 0.99;
/// A packet that comes later than its link has it by so much is late.
const LATE_NS: i64 = 1_000_000;
/// From this share of the time on, waits of everything for memory are told.
const MEMORY_RATIO: f64 = 0.01;
/// Kinds of operations that are told of at most.
const MOST: usize = 3;

/// What was sampled of all runs together.
#[derive(Debug, Default)]
struct Sampled {
    /// Time of the instances, and that in which they starved.
    known_ns: f64,
    starved_ns: f64,
    cpus: Option<f64>,
    busy_ratio: Option<f64>,
    busiest_ratio: Option<f64>,
    memory_full_ratio: Option<f64>,
    tg_wait_ratio: Option<f64>,
    late_max_ns: Option<f64>,
    late: f64,
    links: f64,
}

/// Adds what is known of the machine to the head, and what is to be doubted to the notes.
pub(super) fn tell(screen: &Screen<'_>, facts: &mut Facts, report: &mut Report) -> Result<(), AnalyzeError> {
    let Some(sampled) = read(screen)? else { return Ok(()) };
    let starved = (sampled.known_ns > 0.0).then(|| sampled.starved_ns / sampled.known_ns);
    let percent = |share: Option<f64>, what: &str| share.map(|share| format!("{:.0} % {what}", share * 100.0));
    let cpus = sampled.cpus.map(|n| if n > 1.0 { format!("{n:.0} processors") } else { "1 processor".to_owned() });
    let machine: Vec<String> = [cpus, percent(sampled.busy_ratio, "busy"), percent(sampled.busiest_ratio, "at most")]
        .into_iter()
        .flatten()
        .collect();
    let remark = format!("of the instances' time; {}", machine.join(", "));
    facts.add_with("starved_ratio", "CPU contention", starved.map_or(Cell::Absent, Cell::ratio), remark);
    if let Some(late) = sampled.late_max_ns {
        #[expect(clippy::cast_possible_truncation, reason = "it was a whole number")]
        facts.add_with("late_max_ns", "packets late", Cell::nanos(late as i64), "at most");
    }
    if let Some(starved) = starved.filter(|share| *share > 0.0) {
        doubt(screen, starved, report)?;
    }
    if sampled.late > 0.0 {
        let late = sampled.late_max_ns.unwrap_or_default() / 1e6;
        let mut text = format!(
            "packets came up to {late:.1} ms later than their links have it; a millisecond or more in {:.0} of {:.0} windows of pairs",
            sampled.late, sampled.links
        );
        if let Some(waited) = sampled.tg_wait_ratio.filter(|waited| *waited >= tg_model::machine::STARVED_RATIO) {
            // Writing to a text does not fail.
            write!(text, ": the network itself waited for a processor {:.0} % of the time", waited * 100.0).ok();
        }
        report.note(Tone::Warn, text);
    }
    if let Some(full) = sampled.memory_full_ratio.filter(|full| *full >= MEMORY_RATIO) {
        report.note(Tone::Warn, format!("everything waited for memory {:.0} % of the time", full * 100.0));
    }
    Ok(())
}

fn read(screen: &Screen<'_>) -> Result<Option<Sampled>, AnalyzeError> {
    let mut sampled = Sampled::default();
    let mut any = false;
    let float = |name: &str| col(name).cast(polars::prelude::DataType::Float64);
    let mut row = |table: &Stored, columns: &[&str], wanted: Vec<Expr>| -> Result<Option<LazyFrame>, AnalyzeError> {
        let Some(scan) = screen.datasets.scan(table, columns)? else { return Ok(None) };
        any = true;
        Ok(Some(screen.datasets.collect(table, scan.select(wanted))?.lazy()))
    };
    let spans = || float("span_ns");
    let resources = row(
        &RESOURCES,
        &["span_ns", "starved"],
        vec![
            spans().filter(col("starved").is_not_null()).sum().alias("known"),
            spans().filter(col("starved")).sum().alias("starved"),
        ],
    )?;
    let host = row(
        &HOST,
        &["span_ns", "cpus", "busy_ns", "memory_full_ns", "tg_wait_ns"],
        vec![
            float("cpus").max().alias("cpus"),
            (float("busy_ns").sum() / (spans() * float("cpus")).sum()).alias("busy"),
            (float("busy_ns") / (spans() * float("cpus"))).max().alias("busiest"),
            (float("memory_full_ns").sum() / spans().filter(col("memory_full_ns").is_not_null()).sum()).alias("memory"),
            (float("tg_wait_ns").sum() / spans().filter(col("tg_wait_ns").is_not_null()).sum()).alias("tg_wait"),
        ],
    )?;
    let links = row(
        &LINKS,
        &["late_max_ns"],
        vec![
            float("late_max_ns").max().alias("late_max"),
            col("late_max_ns").gt_eq(lit(LATE_NS)).sum().alias("late"),
            len().alias("links"),
        ],
    )?;
    let one = |table: &Stored, of: Option<LazyFrame>, name: &str| -> Result<Option<f64>, AnalyzeError> {
        let Some(of) = of else { return Ok(None) };
        let found = of.collect().and_then(|rows| frame::floats(&rows, name));
        let value = found.map_err(|source| screen.datasets.unreadable(table, source))?.first().copied().flatten();
        Ok(value.filter(|value| value.is_finite()))
    };
    let of = |name: &str| one(&RESOURCES, resources.clone(), name);
    sampled.known_ns = of("known")?.unwrap_or_default();
    sampled.starved_ns = of("starved")?.unwrap_or_default();
    let of = |name: &str| one(&HOST, host.clone(), name);
    sampled.cpus = of("cpus")?;
    sampled.busy_ratio = of("busy")?;
    // Ticks of the machine may fall into the window before.
    sampled.busiest_ratio = of("busiest")?.map(|ratio| ratio.min(1.0));
    sampled.memory_full_ratio = of("memory")?;
    sampled.tg_wait_ratio = of("tg_wait")?;
    let of = |name: &str| one(&LINKS, links.clone(), name);
    sampled.late_max_ns = of("late_max")?;
    sampled.late = of("late")?.unwrap_or_default();
    sampled.links = of("links")?.unwrap_or_default();
    Ok(any.then_some(sampled))
}

/// The percentile up to which a share of doubtful samples leaves the others alone, as a whole number.
fn sure(doubtful: f64) -> f64 {
    ((1.0 - doubtful) * 100.0).floor()
}

/// `percentiles above p88 are not`, to go before `to be trusted`.
fn untrusted(doubtful: f64) -> String {
    match sure(doubtful) {
        sure if sure > 0.0 => format!("percentiles above p{sure:.0} are not"),
        _ => "no percentile is".to_owned(),
    }
}

/// Says which percentiles are not to be trusted.
fn doubt(screen: &Screen<'_>, starved: f64, report: &mut Report) -> Result<(), AnalyzeError> {
    let time = format!("{:.1} % of the instances' time was under CPU contention", starved * 100.0);
    let tone = |doubtful: bool| if doubtful { Tone::Warn } else { Tone::Dim };
    if !screen.datasets.has(&QUERIES)? {
        let doubtful = starved > 1.0 - HIGHEST;
        let rest = if doubtful {
            format!("; of what instances measured, {} to be trusted", untrusted(starved))
        } else {
            String::new()
        };
        report.note(tone(doubtful), format!("{time}{rest}"));
        return Ok(());
    }
    let kinds = kinds(screen)?;
    let (known, starved) =
        kinds.iter().fold((0, 0), |(known, starved), kind| (known + kind.known, starved + kind.starved));
    let mut worst: Vec<&Kind> = kinds.iter().filter(|kind| kind.share() > 1.0 - HIGHEST).collect();
    worst.sort_by(|a, b| b.share().total_cmp(&a.share()).then_with(|| a.op.cmp(&b.op)));
    let mut text = format!("{time}; {starved} of {known} operations ran while their instance starved");
    if !worst.is_empty() {
        let words: Vec<String> = worst.iter().take(MOST).map(|kind| kind.words()).collect();
        let more = if worst.len() > MOST { ", …" } else { "" };
        write!(text, "; not to be trusted: {}{more}", words.join(", ")).ok();
    }
    report.note(tone(!worst.is_empty()), text);
    Ok(())
}

/// Operations of one kind of which it is known whether their instance starved.
#[derive(Debug)]
struct Kind {
    op: String,
    known: u64,
    starved: u64,
    /// The duration up to which the percentiles are sure, if there are any durations.
    sure_ns: Option<f64>,
}

impl Kind {
    fn share(&self) -> f64 {
        self.starved as f64 / self.known as f64
    }

    fn words(&self) -> String {
        match (sure(self.share()), self.sure_ns) {
            (sure, Some(ns)) if sure > 0.0 => format!("`{}` above p{sure:.0} ({})", self.op, seconds(ns)),
            (sure, None) if sure > 0.0 => format!("`{}` above p{sure:.0}", self.op),
            _ => format!("`{}` at all", self.op),
        }
    }
}

/// A duration with three digits.
fn seconds(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns >= 1e9 => (ns / 1e9, "s"),
        ns if ns >= 1e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e3, "µs"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

fn kinds(screen: &Screen<'_>) -> Result<Vec<Kind>, AnalyzeError> {
    let columns = ["op", "starved", "duration_ns"];
    let is_known = || col("starved").is_not_null();
    let made = [
        is_known().alias("is known"),
        col("starved").fill_null(lit(false)).alias("is starved"),
        when(is_known()).then(operations::real("duration_ns")).otherwise(lit(NULL)).alias("time"),
    ];
    let mut measures = Measures {
        by: vec!["op".to_owned()],
        flags: vec!["is known".to_owned(), "is starved".to_owned()],
        rule: screen.percentile,
        ..Measures::default()
    };
    let add = |measures: &Measures| operations::sums(screen, measures, &columns, &made);
    let kind = |group: &Group| {
        let Key::Text(op) = &group.keys[0] else { return None };
        let (known, starved) = (group.flags[0], group.flags[1]);
        (known > 0).then(|| Kind { op: op.clone(), known, starved, sure_ns: None })
    };
    let mut kinds: Vec<Kind> = add(&measures)?.iter().filter_map(kind).collect();
    kinds.sort_by(|a, b| a.op.cmp(&b.op));
    let share = |kind: &Kind| sure(kind.share()) / 100.0;
    let shares: Vec<f64> = kinds.iter().filter(|kind| kind.share() > 1.0 - HIGHEST).map(share).collect();
    if shares.is_empty() {
        return Ok(kinds);
    }
    measures.values = vec![("time".to_owned(), shares.clone())];
    for group in add(&measures)? {
        let Some(kind) = kinds.iter_mut().find(|kind| group.keys[0] == Key::Text(kind.op.clone())) else { continue };
        let at = shares.iter().position(|&of| of.total_cmp(&share(kind)).is_eq());
        kind.sure_ns = at.and_then(|at| *group.values[0].shares.get(at)?);
    }
    Ok(kinds)
}
