//! Many runs in an order: whether something drifts.

use std::collections::{BTreeMap, BTreeSet};

use super::compared::Runs;
use super::report::{moved_by, probability};
use super::sample::{Sample, Statistic};
use super::series::Key;
use super::shape::sparkline;
use super::verdict::{ALPHA, Verdict, holm};
use crate::error::AnalyzeError;
use crate::graph::random::Random;
use crate::report::{Cell, Column, Direction, Facts, Line, Report, Section, Table, Tone};

/// What the runs are put in order by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrendOrder {
    /// When they began; every run is a point.
    Date,
    /// The value of a key of the configuration or of a parameter, such as a commit; runs with the same value are one
    /// point, and points stand in the order of the first of their runs.
    Key(String),
}

/// The course of every statistic over points in their order.
pub struct Trend {
    points: Vec<Point>,
    rows: Vec<Drift>,
    left_out: BTreeSet<String>,
}

impl Trend {
    /// How many statistics have the verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// The course for whoever renders it.
    pub fn report(&self) -> Report {
        let mut report = report(&self.points, &self.rows);
        for text in &self.left_out {
            report.note(Tone::Warn, text.clone());
        }
        report
    }
}

/// A point: the runs that are taken together.
struct Point {
    name: String,
    start_ns: Option<i64>,
    runs: Vec<usize>,
}

/// How many exchanges of points say how likely a trend is by chance.
const EXCHANGES: u32 = 9999;

/// The series over points in their order.
///
/// For each statistic M. Kendall's tau of its values against their order (H. Mann, "Nonparametric tests against
/// trend", 1945), by exchanging the points, corrected by Holm's method; and the slope of P. Sen ("Estimates of the
/// regression coefficient based on Kendall's tau", 1968): the median of the slopes of all pairs of points.
pub fn trend(runs: &Runs, order: &TrendOrder, effect: f64, seed: u64) -> Result<Trend, AnalyzeError> {
    let points = points(runs, order)?;
    if points.len() < 3 {
        let n = points.len();
        return Err(AnalyzeError::NoData(format!("a trend needs three points in time, and there are {n}")));
    }
    let keys: BTreeSet<&Key> = runs.values.iter().flat_map(BTreeMap::keys).collect();
    let mut rows = Vec::new();
    for key in keys {
        let statistics: &[Statistic] =
            if key.is_share { &[Statistic::Share] } else { &[Statistic::Percentile(0.5), Statistic::Percentile(0.95)] };
        for &statistic in statistics {
            let values: Vec<Option<f64>> = points
                .iter()
                .map(|point| {
                    let of = |&run: &usize| -> Option<Vec<Vec<f64>>> {
                        Some(runs.values[run].get(key)?.values().cloned().collect())
                    };
                    let sample = Sample::new(point.runs.iter().filter_map(of).collect());
                    Some(statistic.of(sample.instances())).filter(|value| value.is_finite())
                })
                .collect();
            rows.push(Drift::of(key, statistic, values, seed));
        }
    }
    let adjusted = holm(&rows.iter().map(|row| row.p).collect::<Vec<_>>());
    for (row, adjusted) in rows.iter_mut().zip(adjusted) {
        row.decide(adjusted, effect);
    }
    rows.sort_by_key(|row| Verdict::ALL.iter().position(|one| *one == row.verdict));
    Ok(Trend { points, rows, left_out: runs.left_out.clone() })
}

fn points(runs: &Runs, order: &TrendOrder) -> Result<Vec<Point>, AnalyzeError> {
    let mut points: Vec<Point> = Vec::new();
    let mut sorted: Vec<usize> = (0..runs.settings.len()).collect();
    sorted.sort_by(|&a, &b| {
        let key = |at: usize| (runs.settings[at].start_ns, &runs.settings[at].name);
        key(a).cmp(&key(b))
    });
    for run in sorted {
        let setting = &runs.settings[run];
        let name = match order {
            TrendOrder::Date => setting.name.clone(),
            TrendOrder::Key(key) => setting.value(key).map(str::to_owned).ok_or_else(|| {
                AnalyzeError::NoData(format!(
                    "run `{}` has no `{key}` in its configuration or parameters",
                    setting.name
                ))
            })?,
        };
        match points.iter_mut().find(|point| point.name == name && matches!(order, TrendOrder::Key(_))) {
            Some(point) => point.runs.push(run),
            None => points.push(Point { name, start_ns: setting.start_ns, runs: vec![run] }),
        }
    }
    Ok(points)
}

/// One statistic over the points.
struct Drift {
    key: Key,
    statistic: Statistic,
    values: Vec<Option<f64>>,
    tau: Option<f64>,
    /// By how much it grows from point to point.
    slope: Option<f64>,
    p: f64,
    adjusted_p: f64,
    verdict: Verdict,
}

impl Drift {
    fn of(key: &Key, statistic: Statistic, values: Vec<Option<f64>>, seed: u64) -> Self {
        let known: Vec<(f64, f64)> =
            values.iter().enumerate().filter_map(|(at, value)| Some((at as f64, (*value)?))).collect();
        let mut drift = Self {
            key: key.clone(),
            statistic,
            values,
            tau: None,
            slope: None,
            p: 1.0,
            adjusted_p: 1.0,
            verdict: Verdict::Unclear,
        };
        if known.len() < 3 {
            return drift;
        }
        let mut slopes: Vec<f64> = pairs(&known).map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
        slopes.sort_unstable_by(f64::total_cmp);
        drift.slope = crate::percentile(&slopes, 0.5);
        let ascents = |values: &[f64]| -> f64 {
            let sign = |from: f64, to: f64| {
                if to > from {
                    1.0
                } else if to < from {
                    -1.0
                } else {
                    0.0
                }
            };
            let all = (0..values.len()).flat_map(|at| values[at + 1..].iter().map(move |&to| sign(values[at], to)));
            all.sum()
        };
        let mut shuffled: Vec<f64> = known.iter().map(|one| one.1).collect();
        let seen: f64 = ascents(&shuffled);
        drift.tau = Some(seen / (known.len() * (known.len() - 1) / 2) as f64);
        let mut random = Random::new(seed);
        let mut as_far = 1.0;
        for _ in 0..EXCHANGES {
            random.shuffle(&mut shuffled);
            as_far += f64::from(u8::from(ascents(&shuffled).abs() >= seen.abs()));
        }
        drift.p = as_far / f64::from(EXCHANGES + 1);
        drift
    }

    /// A drift counts if chance is unlikely and it adds up to more than the smallest effect of interest.
    fn decide(&mut self, adjusted_p: f64, effect: f64) {
        self.adjusted_p = adjusted_p;
        let (Some(slope), Some(first)) = (self.slope, self.values.iter().flatten().next()) else { return };
        let whole = slope * (self.values.len() - 1) as f64;
        let matters = if self.key.is_share { whole.abs() > effect } else { whole.abs() > effect * first.abs() };
        if adjusted_p > ALPHA || !matters {
            return;
        }
        self.verdict = match (slope > 0.0, self.key.better) {
            (true, Some(Direction::Higher)) | (false, Some(Direction::Lower)) => Verdict::Better,
            (true, Some(Direction::Lower)) | (false, Some(Direction::Higher)) => Verdict::Worse,
            (true, None) => Verdict::Higher,
            (false, None) => Verdict::Lower,
        };
    }
}

fn pairs(known: &[(f64, f64)]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
    known.iter().enumerate().flat_map(move |(at, &a)| known[at + 1..].iter().map(move |&b| (a, b)))
}

fn report(points: &[Point], rows: &[Drift]) -> Report {
    let mut report = Report::new("trend", "Trend");
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let (worse, better) = (count(Verdict::Worse), count(Verdict::Better));
    let moved = worse + better + count(Verdict::Higher) + count(Verdict::Lower);
    let tone = if worse > 0 { Tone::Bad } else { Tone::Good };
    let text = format!("{moved} of {} drift: {worse} for the worse, {better} for the better", rows.len());
    report.headline = Some(Line { text, tone });
    let mut facts = Facts::new("setting", "");
    facts.add("points", "points", points.len());
    for (key, title, point) in [("first", "from", points.first()), ("last", "to", points.last())] {
        if let Some(point) = point {
            facts.add_with(key, title, point.name.clone(), point.start_ns.map_or(String::new(), |_| runs_of(point)));
        }
    }
    report.sections.push(Section::Facts(facts));
    report.sections.push(Section::Table(drifts(rows)));
    report.sections.push(Section::Table(values(points, rows)));
    report
}

fn runs_of(point: &Point) -> String {
    if point.runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", point.runs.len()) }
}

fn drifts(rows: &[Drift]) -> Table {
    let columns = vec![
        Column::new("name", "what"),
        Column::new("group", "group"),
        Column::when_used("key_group", "target"),
        Column::when_used("better", ""),
        Column::new("statistic", "of it"),
        Column::hidden("unit"),
        Column::new("first", "first"),
        Column::new("shape", "course"),
        Column::new("last", "last"),
        Column::new("change", "change"),
        Column::new("slope", "per point"),
        Column::hidden("tau"),
        Column::hidden("p"),
        Column::hidden("adjusted_p"),
        Column::new("p_shown", "p"),
        Column::new("verdict", "verdict"),
    ];
    let mut table = Table::new("trend", "Course", columns);
    "the runs have no metric and no operation".clone_into(&mut table.empty);
    for row in rows {
        let number = |value: Option<f64>| value.map_or(Cell::Absent, |value| Cell::Number(value, row.key.unit.clone()));
        let (first, last) = (row.values.iter().flatten().next(), row.values.iter().rev().flatten().next());
        let verdict = match row.verdict {
            Verdict::Worse => Cell::Word("worse".to_owned(), Tone::Bad),
            Verdict::Better => Cell::Word("better".to_owned(), Tone::Good),
            Verdict::Higher | Verdict::Lower => Cell::Word(row.verdict.as_str().to_owned(), Tone::Warn),
            Verdict::Same | Verdict::Unclear => Cell::Absent,
        };
        table.rows.push(vec![
            row.key.name.as_str().into(),
            row.key.group.as_str().into(),
            row.key.key_group.clone().into(),
            row.key.better.map_or(Cell::Absent, Cell::Better),
            row.statistic.name().into(),
            row.key.unit.as_str().map(str::to_owned).into(),
            number(first.copied()),
            format!("│{}│", sparkline(&row.values)).into(),
            number(last.copied()),
            first.zip(last).and_then(|(&first, &last)| moved_by(row.statistic, first, last)).into(),
            number(row.slope),
            row.tau.map_or(Cell::Absent, Cell::number),
            Cell::number(row.p),
            Cell::number(row.adjusted_p),
            probability(row.adjusted_p).into(),
            verdict,
        ]);
    }
    table
}

/// Every value, for programs.
fn values(points: &[Point], rows: &[Drift]) -> Table {
    let columns = ["name", "group", "key_group", "statistic", "point", "start_ns", "runs", "value"].map(Column::hidden);
    let mut table = Table::new("points", "Points", columns.to_vec());
    for row in rows {
        for (point, value) in points.iter().zip(&row.values) {
            table.rows.push(vec![
                row.key.name.as_str().into(),
                row.key.group.as_str().into(),
                row.key.key_group.clone().into(),
                row.statistic.name().into(),
                point.name.as_str().into(),
                point.start_ns.map_or(Cell::Absent, Cell::Time),
                point.runs.len().into(),
                value.map_or(Cell::Absent, |value| Cell::Number(value, row.key.unit.clone())),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Origin, Setting};
    use crate::report::Unit;

    /// Runs whose times are these, with which parameter.
    fn runs(times: &[(f64, &str)]) -> Runs {
        let key = Key {
            origin: Origin::Operation,
            name: "get.duration_ns".to_owned(),
            group: "a".to_owned(),
            key_group: None,
            source: None,
            is_share: false,
            unit: Unit::Nanos,
            better: Some(Direction::Lower),
        };
        let settings = (0_i64..).zip(times).map(|(at, one)| Setting {
            name: format!("r{at}"),
            start_ns: Some(100 - at),
            asked: BTreeMap::from([("params a.commit".to_owned(), one.1.to_owned())]),
            ..Setting::default()
        });
        let values =
            times.iter().map(|one| BTreeMap::from([(key.clone(), BTreeMap::from([(0, vec![one.0, one.0 + 1.0])]))]));
        Runs { settings: settings.collect(), values: values.collect(), ..Runs::default() }
    }

    fn verdicts(report: &Report) -> Vec<Cell> {
        let Some(Section::Table(table)) = report.sections.get(1) else { panic!("{report:?}") };
        table.rows.iter().filter_map(|row| row.last().cloned()).collect()
    }

    #[test]
    fn a_steady_drift_is_seen_in_the_order_of_time() {
        // The list is from the newest to the oldest: the times fall along it, so they rise in time.
        let times: Vec<(f64, &str)> = (0..8_u32).map(|i| (200.0 - 10.0 * f64::from(i), "x")).collect();
        let report = trend(&runs(&times), &TrendOrder::Date, 0.05, 1).unwrap().report();
        let worse = Cell::Word("worse".to_owned(), Tone::Bad);
        assert_eq!(verdicts(&report), [worse.clone(), worse]);
        let flat: Vec<(f64, &str)> =
            [3.0, 1.0, 4.0, 1.0, 5.0, 2.0, 2.0, 4.0].iter().map(|&t| (t * 10.0, "x")).collect();
        let report = trend(&runs(&flat), &TrendOrder::Date, 0.05, 1).unwrap().report();
        assert_eq!(verdicts(&report), [Cell::Absent, Cell::Absent]);
    }

    #[test]
    fn runs_of_one_commit_are_one_point() {
        let times = [(1.0, "c"), (2.0, "c"), (3.0, "b"), (4.0, "a")];
        let by = |order: TrendOrder| trend(&runs(&times), &order, 0.05, 1);
        let report = by(TrendOrder::Key("commit".to_owned())).unwrap().report();
        let Some(Section::Facts(facts)) = report.sections.first() else { panic!("{report:?}") };
        assert_eq!(facts.facts[0].value, Cell::Count(3));
        assert_eq!((&facts.facts[1].value, &facts.facts[2].value), (&"a".into(), &"c".into()));
        assert!(matches!(by(TrendOrder::Key("branch".to_owned())), Err(AnalyzeError::NoData(_))));
        assert!(matches!(trend(&runs(&times[..2]), &TrendOrder::Date, 0.05, 1), Err(AnalyzeError::NoData(_))));
    }
}
