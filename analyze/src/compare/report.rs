//! The comparison as a report.

use super::compared::{Comparison, Row, Sizes, listed};
use super::sample::Statistic;
use super::series::{Key, Origin};
use super::verdict::Verdict;
use crate::report::{Cell, Column, Facts, Line, Report, Section, Table, Tone, Unit};

/// So many distributions are drawn whether they moved or not.
const FEW: usize = 12;

/// The comparison for whoever renders it.
pub fn report(comparison: &Comparison) -> Report {
    let mut report = Report::new("compare", "Comparison: new against base");
    report.headline = Some(headline(comparison));
    report.sections.push(Section::Facts(facts(comparison)));
    if !comparison.differences.is_empty() {
        report.sections.push(Section::Table(differences(comparison)));
    }
    report.sections.push(Section::Table(rows(comparison)));
    let shapes = shapes(comparison);
    if !shapes.rows.is_empty() {
        report.sections.push(Section::Table(shapes));
    }
    for text in &comparison.obstacles {
        report.note(Tone::Bad, text.clone());
    }
    for text in &comparison.warnings {
        report.note(Tone::Warn, text.clone());
    }
    if comparison.is_single() {
        let text = "within these runs only: one run a side does not show how much runs vary, so a difference may be \
                    that of two runs of the same thing";
        report.note(Tone::Warn, text);
    }
    report
}

fn headline(comparison: &Comparison) -> Line {
    let parts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, comparison.count(verdict)))
        .filter(|(_, n)| *n > 0)
        .map(|(verdict, n)| format!("{n} {}", verdict.as_str()))
        .collect();
    let scope = if comparison.is_single() { ", within these runs only" } else { "" };
    let tone = if comparison.count(Verdict::Worse) > 0 {
        Tone::Bad
    } else if comparison.count(Verdict::Unclear) > 0 {
        Tone::Warn
    } else {
        Tone::Good
    };
    match parts.as_slice() {
        [] => Line { text: "nothing to compare".to_owned(), tone: Tone::Bad },
        parts => Line { text: format!("{}{scope}", parts.join(", ")), tone },
    }
}

fn facts(comparison: &Comparison) -> Facts {
    let mut facts = Facts::new("setting", "");
    let options = &comparison.options;
    for (key, title, runs) in [("base", "base", &comparison.base), ("new", "new", &comparison.new)] {
        let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
        facts.add_with(
            key,
            title,
            listed(&names),
            if runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", runs.len()) },
        );
    }
    facts.add("effect_ratio", "smallest effect", Cell::ratio(options.effect));
    facts.add("share_effect_ratio", "of a share, in points", Cell::ratio(options.share_effect));
    let family =
        format!("false alarms in at most 5 of 100 comparisons like this, all {} rows together", comparison.rows.len());
    facts.add_with("family", "tests", comparison.rows.len(), family);
    facts.add_with("resamples", "resamples", u64::from(options.resamples), "of runs, then of their instances");
    // As text: a program that reads JSON numbers as floats would change it.
    facts.add("seed", "seed", options.seed.to_string());
    facts
}

fn differences(comparison: &Comparison) -> Table {
    let columns = vec![Column::new("what", "what"), Column::new("base", "base"), Column::new("new", "new")];
    let mut table = Table::new("differences", "What was asked of the sides differs in", columns);
    let cell = |values: &[String]| if values.is_empty() { Cell::Absent } else { Cell::Text(listed(values)) };
    for one in &comparison.differences {
        if one.what == "composition" {
            // A line of its own for each line that only one side has.
            const MOST: usize = 20;
            let lines =
                one.base.iter().map(|line| (Some(line), None)).chain(one.new.iter().map(|line| (None, Some(line))));
            for (base, new) in lines.take(MOST) {
                let text = |line: Option<&String>| line.map(|line| line.trim().to_owned()).into();
                table.rows.push(vec!["composition".into(), text(base), text(new)]);
            }
            let more = (one.base.len() + one.new.len()).saturating_sub(MOST);
            if more > 0 {
                table.rows.push(vec!["composition".into(), format!("… and {more} more lines").into(), Cell::Absent]);
            }
        } else {
            table.rows.push(vec![one.what.as_str().into(), cell(&one.base), cell(&one.new)]);
        }
    }
    table
}

fn rows(comparison: &Comparison) -> Table {
    let columns = vec![
        Column::new("name", "what"),
        Column::hidden("origin"),
        Column::new("group", "group"),
        Column::when_used("key_group", "target"),
        Column::when_used("better", ""),
        Column::new("statistic", "of it"),
        Column::hidden("unit"),
        Column::new("base", "base"),
        Column::new("new", "new"),
        Column::new("change", "change"),
        Column::new("interval", "95 % interval"),
        Column::new("p_shown", "p"),
        Column::new("verdict", "verdict"),
        Column::new("could_show", "could show"),
        Column::when_used("repeats_to_decide", "runs to decide"),
        Column::hidden("detectable_ratio"),
        Column::hidden("difference"),
        Column::hidden("difference_low"),
        Column::hidden("difference_high"),
        Column::hidden("ratio"),
        Column::hidden("ratio_low"),
        Column::hidden("ratio_high"),
        Column::hidden("p"),
        Column::hidden("adjusted_p"),
        Column::hidden("cliffs_delta"),
        Column::hidden("cliffs_delta_p"),
        Column::hidden("mann_whitney_u"),
        Column::hidden("ks_distance"),
        Column::hidden("ks_distance_p"),
        Column::hidden("base_values"),
        Column::hidden("base_instances"),
        Column::hidden("base_runs"),
        Column::hidden("new_values"),
        Column::hidden("new_instances"),
        Column::hidden("new_runs"),
    ];
    let mut table = Table::new("comparison", "Statistics", columns);
    "the sides have nothing in common".clone_into(&mut table.empty);
    table.rows = comparison.rows.iter().map(row).collect();
    table
}

fn row(row: &Row) -> Vec<Cell> {
    let number = |value: f64| Cell::Number(value, row.key.unit.clone());
    let optional = |value: Option<f64>| value.map_or(Cell::Absent, Cell::number);
    let spread = row.spread;
    let ratio = spread.and_then(|spread| spread.ratio);
    let order = row.order.map(|order| order.order);
    let sizes = |sizes: Sizes| [sizes.values, sizes.instances, sizes.runs].map(Cell::from);
    let mut cells = vec![
        row.key.name.as_str().into(),
        match row.key.origin {
            Origin::Operation => "operation".into(),
            Origin::Metric => "metric".into(),
        },
        row.key.group.as_str().into(),
        row.key.key_group.clone().into(),
        row.key.better.map_or(Cell::Absent, Cell::Better),
        row.statistic.name().into(),
        row.key.unit.as_str().map(str::to_owned).into(),
        number(row.base),
        number(row.new),
        change(row).into(),
        interval(row).into(),
        Cell::Text(probability(row.adjusted_p)),
        Cell::Word(row.verdict.as_str().to_owned(), tone(row.verdict)),
        row.detectable.map(|effect| could_show(effect, row.statistic)).into(),
        row.repeats.into(),
        row.detectable.map_or(Cell::Absent, Cell::ratio),
        number(row.new - row.base),
        spread.map_or(Cell::Absent, |spread| number(spread.difference.low)),
        spread.map_or(Cell::Absent, |spread| number(spread.difference.high)),
        if row.base > 0.0 && row.new > 0.0 { Cell::number(row.new / row.base) } else { Cell::Absent },
        optional(ratio.map(|ratio| ratio.low)),
        optional(ratio.map(|ratio| ratio.high)),
        Cell::number(row.p),
        Cell::number(row.adjusted_p),
        optional(order.map(|order| order.delta)),
        optional(row.order.map(|order| order.delta_p)),
        optional(order.map(|order| order.u)),
        optional(order.map(|order| order.distance)),
        optional(row.order.map(|order| order.distance_p)),
    ];
    cells.extend(row.sizes.into_iter().flat_map(sizes));
    cells
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Worse => Tone::Bad,
        Verdict::Better => Tone::Good,
        Verdict::Higher | Verdict::Lower => Tone::Warn,
        Verdict::Same => Tone::Plain,
        Verdict::Unclear => Tone::Dim,
    }
}

/// A probability with two digits, or that it is very small.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if p < 0.001 => "<.001".to_owned(),
        p if p > 0.995 => "1".to_owned(),
        p => format!("{p:.3}").trim_start_matches('0').to_owned(),
    }
}

fn could_show(effect: f64, statistic: Statistic) -> String {
    match statistic {
        Statistic::Share => format!("{:.1} pt", effect * 100.0),
        Statistic::Percentile(_) if effect > 10.0 => "> 1,000 %".to_owned(),
        Statistic::Percentile(_) => format!("{:.1} %", effect * 100.0),
    }
}

/// A ratio as a change in percent, or as a factor where percent would be long.
fn factor(ratio: f64) -> String {
    if ratio >= 10.0 { format!("×{ratio:.1}") } else { format!("{} %", points(ratio - 1.0)) }
}

fn points(value: f64) -> String {
    format!("{:+.1}", value * 100.0)
}

impl Row {
    /// The change in words; absent where there is no ratio.
    pub fn change(&self) -> Option<String> {
        change(self)
    }

    /// The interval of the bootstrap in the words of the change.
    pub fn interval(&self) -> Option<String> {
        interval(self)
    }
}

/// The change in words: percent where there is a ratio, points of a share.
fn change(row: &Row) -> Option<String> {
    moved_by(row.statistic, row.base, row.new)
}

/// From one value to another in words.
pub(super) fn moved_by(statistic: Statistic, base: f64, new: f64) -> Option<String> {
    match statistic {
        Statistic::Share => Some(format!("{} pt", points(new - base))),
        Statistic::Percentile(_) if base > 0.0 && new > 0.0 => Some(factor(new / base)),
        Statistic::Percentile(_) => None,
    }
}

/// The interval of the bootstrap in the words of [`change`]; where there is no ratio, that of the difference.
fn interval(row: &Row) -> Option<String> {
    let spread = row.spread?;
    let difference = spread.difference;
    Some(match (row.statistic, spread.ratio) {
        (Statistic::Share, _) => format!("{} … {} pt", points(difference.low), points(difference.high)),
        (Statistic::Percentile(_), Some(ratio)) => {
            format!("{} … {}", factor(ratio.low), factor(ratio.high))
        }
        (Statistic::Percentile(_), None) => {
            let unit = match &row.key.unit {
                Unit::None => String::new(),
                unit => format!(" {}", unit.as_str().unwrap_or_default()),
            };
            format!("{:+} … {:+}{unit}", short(difference.low), short(difference.high))
        }
    })
}

/// Three significant digits.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(2.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

fn shapes(comparison: &Comparison) -> Table {
    let columns = vec![
        Column::new("name", "what"),
        Column::new("group", "group"),
        Column::when_used("key_group", "target"),
        Column::new("from", "from"),
        Column::new("base", "base"),
        Column::new("new", "new"),
        Column::new("to", "to"),
    ];
    let mut table = Table::new("shapes", "Share of values at or below", columns);
    let moved = |key: &Key| {
        let mut rows = comparison.rows.iter().filter(|row| row.key == *key);
        rows.any(|row| !matches!(row.verdict, Verdict::Same | Verdict::Unclear))
    };
    // All of a few, else those that moved.
    let few = comparison.shapes.len() <= FEW;
    for (key, shapes) in comparison.shapes.iter().filter(|(key, _)| few || moved(key)) {
        let line = |at: usize| shapes.lines.get(at).map(|line| format!("│{line}│")).into();
        table.rows.push(vec![
            key.name.as_str().into(),
            key.group.as_str().into(),
            key.key_group.clone().into(),
            Cell::Number(shapes.low, key.unit.clone()),
            line(0),
            line(1),
            Cell::Number(shapes.high, key.unit.clone()),
        ]);
    }
    table
}
