//! The comparison as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::ranks::{InstanceOrder, instance_order};
use super::resample::{Spread, bootstrap, exchange, seed_of};
use super::sample::{Sample, Statistic};
use super::series::{Key, RunValues, Wanted, read};
use super::setting::{Difference, Setting, differences, inner_differences};
use super::shape::Shapes;
use super::student::{Means, newcombe};
use super::verdict::{Evidence, Scale, Side, Verdict, holm};
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::report::Direction;

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// Patterns of names of metrics and operations; none for the main ones.
    pub names: Vec<String>,
    /// The smallest relative change of interest: 0.05 for 5 %.
    pub effect: f64,
    /// The smallest change of a share of interest: 0.02 for 2 points.
    pub share_effect: f64,
    /// How many resamples.
    pub resamples: u32,
    /// How many exchanges of runs or instances say how likely the measures of order are, which decide nothing.
    pub exchanges: u32,
    /// What the draws follow from.
    pub seed: u64,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { names: Vec::new(), effect: 0.05, share_effect: 0.02, resamples: 10_000, exchanges: 999, seed: 1 }
    }
}

/// One side: the runs that are repeats of one another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    /// What each run was.
    pub settings: Vec<Setting>,
    /// What each run measured.
    pub values: Vec<RunValues>,
    /// What a condition leaves out, and that there is one.
    pub left_out: BTreeSet<String>,
}

impl Runs {
    /// Reads the runs of one side.
    pub fn read(datasets: &[Dataset], wanted: &Wanted) -> Result<Self, AnalyzeError> {
        let mut runs = Self {
            settings: datasets.iter().map(Setting::read).collect::<Result<_, _>>()?,
            left_out: wanted.filter.iter().map(|filter| format!("only rows for which this holds: {filter}")).collect(),
            ..Self::default()
        };
        for dataset in datasets {
            let (values, left_out) = read(dataset, wanted)?;
            runs.values.push(values);
            runs.left_out.extend(left_out);
        }
        Ok(runs)
    }

    fn keys(&self) -> BTreeSet<&Key> {
        self.values.iter().flat_map(BTreeMap::keys).collect()
    }

    /// The values of one series.
    pub fn sample(&self, key: &Key) -> Sample {
        let run = |values: &RunValues| values.get(key).map(|by| by.values().cloned().collect()).unwrap_or_default();
        Sample::new(self.values.iter().map(run).collect())
    }
}

/// One statistic of one series on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The series.
    pub key: Key,
    /// The statistic.
    pub statistic: Statistic,
    /// Of all values of the base.
    pub base: f64,
    /// Of all values of the new side.
    pub new: f64,
    /// What the bootstrap says; absent where a resample may hold no value.
    pub spread: Option<Spread>,
    /// How the instances' own statistics lie to one another.
    pub order: Option<InstanceOrder>,
    /// How likely a difference as large is by chance.
    pub p: f64,
    /// The same, corrected for the family of all rows.
    pub adjusted_p: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// The smallest relative change (of a share: change) that this data could have shown.
    pub detectable: Option<f64>,
    /// How many runs a side would settle an unclear verdict.
    pub repeats: Option<u32>,
    /// How many values, instances and runs the sides have.
    pub sizes: [Sizes; 2],
}

/// How much one side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Values.
    pub values: usize,
    /// Instances with a value.
    pub instances: usize,
    /// Runs with a value.
    pub runs: usize,
}

impl Sizes {
    fn of(sample: &Sample) -> Self {
        Self { values: sample.values(), instances: sample.instances().count(), runs: sample.runs.len() }
    }
}

/// Two sides compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How.
    pub options: CompareOptions,
    /// The runs of the base.
    pub base: Vec<Setting>,
    /// The runs of the new side.
    pub new: Vec<Setting>,
    /// How the sides differ in what was asked of them.
    pub differences: Vec<Difference>,
    /// What must be known before believing the numbers.
    pub warnings: Vec<String>,
    /// Why the sides should not be compared at all.
    pub obstacles: Vec<String>,
    /// The statistics.
    pub rows: Vec<Row>,
    /// The distributions of both sides, by series.
    pub shapes: Vec<(Key, Shapes)>,
}

impl Comparison {
    /// Whether nothing says how runs vary: one run a side.
    pub fn is_single(&self) -> bool {
        self.base.len() < 2 && self.new.len() < 2
    }

    /// How many rows have the verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }
}

/// Compares the new side with the base.
pub fn compare(base: &Runs, new: &Runs, options: &CompareOptions) -> Comparison {
    let (ours, theirs) = (base.keys(), new.keys());
    let mut comparison = Comparison {
        options: options.clone(),
        base: base.settings.clone(),
        new: new.settings.clone(),
        differences: differences(&base.settings, &new.settings),
        warnings: base.left_out.union(&new.left_out).cloned().collect(),
        obstacles: Vec::new(),
        rows: Vec::new(),
        shapes: Vec::new(),
    };
    judge(&mut comparison);
    for (side, only) in [("base", ours.difference(&theirs)), ("new side", theirs.difference(&ours))] {
        let names: Vec<String> = only.map(|key| key.label()).collect();
        if !names.is_empty() {
            let text = format!("only the {side} has {}", listed(&names));
            comparison.warnings.push(text);
        }
    }
    if ours.intersection(&theirs).next().is_none() {
        comparison.obstacles.push("the sides have no metric and no operation in common".to_owned());
    }
    let mut evidence = Vec::new();
    for (nth, key) in (0_u32..).zip(ours.intersection(&theirs)) {
        let (base, new) = (base.sample(key), new.sample(key));
        if base.runs.is_empty() || new.runs.is_empty() {
            continue;
        }
        comparison.shapes.extend(
            Shapes::of(&[base.sorted(), new.sorted()]).filter(|_| !key.is_share).map(|shapes| ((*key).clone(), shapes)),
        );
        rows(key, &base, &new, options, seed_of(options.seed, nth), &mut comparison.rows, &mut evidence);
    }
    decide(&mut comparison.rows, &evidence);
    comparison
}

/// The rows of one series, before anything is known of the family.
fn rows(
    key: &Key,
    base: &Sample,
    new: &Sample,
    options: &CompareOptions,
    seed: u64,
    rows: &mut Vec<Row>,
    evidence: &mut Vec<Option<Evidence>>,
) {
    let statistics: &[Statistic] =
        if key.is_share { &[Statistic::Share] } else { &[Statistic::Percentile(0.5), Statistic::Percentile(0.95)] };
    let spreads = bootstrap(base, new, statistics, options.resamples, seed);
    let single = base.runs.len() < 2 && new.runs.len() < 2;
    let exchanged =
        if single { exchange(base, new, statistics, options.resamples, seed) } else { vec![1.0; statistics.len()] };
    let order = |statistic: Statistic| {
        instance_order(base, new, |values| statistic.of([values].into_iter()), options.exchanges, seed)
    };
    for ((&statistic, spread), exchanged) in statistics.iter().zip(spreads).zip(exchanged) {
        let of_runs = |sample: &Sample| -> Vec<f64> {
            sample.runs.iter().map(|run| statistic.of(run.iter().map(Vec::as_slice))).collect()
        };
        let (all, other) = (statistic.of(base.instances()), statistic.of(new.instances()));
        let found = spread.map(|spread| {
            let (ours, theirs) = (of_runs(base), of_runs(new));
            let above = ours.iter().chain(&theirs).all(|&value| value > 0.0) && all > 0.0 && other > 0.0;
            let scale = if above && spread.ratio.is_some() && !key.is_share { Scale::Ratio } else { Scale::Difference };
            let on = |values: &[f64]| -> Vec<f64> {
                values.iter().map(|value| if scale == Scale::Ratio { value.ln() } else { *value }).collect()
            };
            let (effect, tolerance) = match scale {
                Scale::Ratio => ((other / all).ln(), options.effect.ln_1p()),
                Scale::Difference if key.is_share => (other - all, options.share_effect),
                Scale::Difference => (other - all, options.effect * all.abs()),
            };
            // The error of the bootstrap is that of a ratio wherever there are ratios.
            let error =
                if scale == Scale::Difference && spread.ratio.is_some() { spread.error * all } else { spread.error };
            let spread = Spread { error, ..spread };
            let runs = if single { None } else { Means::compare(&on(&ours), &on(&theirs)) };
            let counts = |sample: &Sample, share: f64| (share * sample.values() as f64, sample.values() as f64);
            let values = key.is_share.then(|| newcombe(counts(base, all), counts(new, other)));
            let repeats = (ours.len(), theirs.len());
            let instances = (base.instances().count(), new.instances().count());
            Evidence { scale, effect, tolerance, spread, runs, values, repeats, instances }
        });
        rows.push(Row {
            key: key.clone(),
            statistic,
            base: all,
            new: other,
            spread,
            order: order(statistic),
            p: found.and_then(|found| found.runs).map_or(exchanged, |runs| runs.p),
            adjusted_p: 1.0,
            verdict: Verdict::Unclear,
            detectable: None,
            repeats: None,
            sizes: [Sizes::of(base), Sizes::of(new)],
        });
        evidence.push(found);
    }
}

/// Corrects for the family, and says for each row on which side it lies.
fn decide(rows: &mut [Row], evidence: &[Option<Evidence>]) {
    let family = rows.len();
    let adjusted = holm(&rows.iter().map(|row| row.p).collect::<Vec<_>>());
    for ((row, evidence), adjusted) in rows.iter_mut().zip(evidence).zip(adjusted) {
        row.adjusted_p = adjusted;
        let Some(evidence) = evidence else { continue };
        row.verdict = match (evidence.side(adjusted), row.key.better) {
            (Side::Same, _) => Verdict::Same,
            (Side::Unclear, _) => Verdict::Unclear,
            (Side::Higher, Some(Direction::Higher)) | (Side::Lower, Some(Direction::Lower)) => Verdict::Better,
            (Side::Higher, Some(Direction::Lower)) | (Side::Lower, Some(Direction::Higher)) => Verdict::Worse,
            (Side::Higher, None) => Verdict::Higher,
            (Side::Lower, None) => Verdict::Lower,
        };
        row.detectable = evidence.detectable(family).and_then(|effect| match evidence.scale {
            Scale::Ratio => Some(effect.exp_m1()),
            Scale::Difference if row.key.is_share => Some(effect),
            Scale::Difference => (row.base != 0.0).then(|| effect / row.base.abs()),
        });
        if row.verdict == Verdict::Unclear {
            row.repeats = evidence.repeats(family);
        }
    }
    // What asks for attention comes first; the sort is stable.
    let rank = |verdict| Verdict::ALL.iter().position(|one| *one == verdict);
    rows.sort_by_key(|row| rank(row.verdict));
}

/// Whether the runs may be compared, and what to know about them.
fn judge(comparison: &mut Comparison) {
    for difference in &comparison.differences {
        let text = format!("{} against {}", listed(&difference.new), listed(&difference.base));
        match difference.what.as_str() {
            "plan" | "case" => {
                comparison.obstacles.push(format!("the sides have different {}s: {text}", difference.what));
            }
            "instances" => comparison.warnings.push(format!(
                "the sides have different numbers of instances ({text}); sizes alone can make a difference"
            )),
            "backend" => comparison.warnings.push(format!("the sides ran on different backends ({text})")),
            _ => {}
        }
    }
    for (side, settings) in [("base", &comparison.base), ("new side", &comparison.new)] {
        let inner = inner_differences(settings);
        if !inner.is_empty() {
            let text =
                format!("the runs of the {side} are no repeats of one another: they differ in {}", listed(&inner));
            comparison.warnings.push(text);
        }
        let ill: Vec<String> = settings
            .iter()
            .filter(|one| one.verdict.as_deref().is_some_and(|verdict| verdict != "passed"))
            .map(|one| format!("{} ({})", one.name, one.verdict.as_deref().unwrap_or_default()))
            .collect();
        if !ill.is_empty() {
            comparison.warnings.push(format!("not all of the {side} passed: {}", listed(&ill)));
        }
        let names: BTreeSet<&str> = settings.iter().map(|one| one.name.as_str()).collect();
        if names.len() < settings.len() {
            comparison.obstacles.push(format!("the {side} names a run twice, which would count it twice"));
        }
    }
    let names = |settings: &[Setting]| settings.iter().map(|one| one.name.clone()).collect::<BTreeSet<_>>();
    let both: Vec<String> = names(&comparison.base).intersection(&names(&comparison.new)).cloned().collect();
    if !both.is_empty() {
        comparison.warnings.push(format!("{} is on both sides", listed(&both)));
    }
}

/// The first few of some names.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 4;
    match names {
        [] => "none".to_owned(),
        names if names.len() <= SHOWN => names.join(", "),
        names => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}
