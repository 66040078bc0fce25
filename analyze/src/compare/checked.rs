//! Assertions held against the values of runs.

use std::collections::{BTreeMap, BTreeSet};

use super::assertion::{Assertion, Measure, Number, Relation};
use super::compared::Runs;
use super::sample::Statistic;
use super::series::Key;
use crate::error::AnalyzeError;
use crate::report::{Cell, Column, Table, Tone, Unit};

impl Assertion {
    /// Holds the assertion against the values of some runs, which are taken together.
    pub fn check(&self, runs: &Runs) -> Result<Checked, AnalyzeError> {
        let ours = |key: &&Key| key.name == self.name && self.group.as_ref().is_none_or(|group| *group == key.group);
        let keys: BTreeSet<&Key> = runs.values.iter().flat_map(BTreeMap::keys).filter(ours).collect();
        let units: BTreeSet<&Unit> = keys.iter().map(|key| &key.unit).collect();
        let Some(&unit) = units.first() else {
            let group = self.group.as_ref().map_or(String::new(), |group| format!(" in group `{group}`"));
            return Err(AnalyzeError::NoData(format!(
                "`{}` cannot be checked: there is no `{}`{group}",
                self.text, self.name
            )));
        };
        if units.len() > 1 {
            return Err(AnalyzeError::Question(format!(
                "`{}` cannot be checked: `{}` was written with different units",
                self.text, self.name
            )));
        }
        let bound = self.bound_in(unit)?;
        let mut values: Vec<f64> = keys.iter().flat_map(|key| runs.sample(key).sorted()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let found = match self.number {
            Number::Percentile(share) => crate::percentile(&values, share),
            Number::Mean => (n > 0).then(|| Statistic::Share.of([values.as_slice()].into_iter())),
            Number::Min => values.first().copied(),
            Number::Max => values.last().copied(),
            Number::Count => Some(n as f64),
        };
        let holds = found.is_some_and(|found| match self.relation {
            Relation::Less => found < bound,
            Relation::AtMost => found <= bound,
            Relation::Greater => found > bound,
            Relation::AtLeast => found >= bound,
            Relation::Equal => (found - bound).abs() <= 1e-12 * bound.abs(),
        });
        let unit = if self.number == Number::Count { Unit::None } else { unit.clone() };
        Ok(Checked { text: self.text.clone(), found, bound, unit, n, holds })
    }

    /// The bound in the unit of the series.
    fn bound_in(&self, unit: &Unit) -> Result<f64, AnalyzeError> {
        let Some(measure) = self.bound.unit else { return Ok(self.bound.value) };
        let scale = match (measure, unit) {
            _ if self.number == Number::Count => None,
            (Measure::Time, Unit::Micros) => Some(1e-3),
            (Measure::Time, Unit::Millis) => Some(1e-6),
            (Measure::Time, Unit::Secs) => Some(1e-9),
            (Measure::Time, Unit::Nanos) | (Measure::Size, Unit::Bytes) | (Measure::Share, Unit::Ratio) => Some(1.0),
            _ => None,
        };
        scale.map(|scale| self.bound.value * scale).ok_or_else(|| {
            let has = match unit.as_str() {
                _ if self.number == Number::Count => "a count has no unit".to_owned(),
                None => format!("`{}` was written without a unit", self.name),
                Some(unit) => format!("`{}` is in {unit}", self.name),
            };
            AnalyzeError::Question(format!("`{}` cannot be checked: {has}", self.text))
        })
    }
}

/// What came of an assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The assertion as it was written.
    pub text: String,
    /// What was found; absent where there is no value.
    pub found: Option<f64>,
    /// The bound in the same unit.
    pub bound: f64,
    /// The unit of both.
    pub unit: Unit,
    /// Of how many values.
    pub n: usize,
    /// Whether the bound was kept. What has no value keeps none.
    pub holds: bool,
}

/// The assertions as a table.
pub fn assertions(checked: &[Checked]) -> Table {
    let columns = vec![
        Column::new("assertion", "assertion"),
        Column::new("found", "found"),
        Column::hidden("bound"),
        Column::hidden("unit"),
        Column::new("n", "n"),
        Column::new("holds", ""),
    ];
    let mut table = Table::new("assertions", "Assertions on the new side", columns);
    for one in checked {
        let number = |value: f64| Cell::Number(value, one.unit.clone());
        table.rows.push(vec![
            one.text.as_str().into(),
            one.found.map_or(Cell::Absent, number),
            number(one.bound),
            one.unit.as_str().map(str::to_owned).into(),
            one.n.into(),
            if one.holds {
                Cell::Word("holds".to_owned(), Tone::Good)
            } else {
                Cell::Word("broken".to_owned(), Tone::Bad)
            },
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Origin;

    fn runs() -> Runs {
        let key = |name: &str, group: &str, unit: Unit| Key {
            origin: Origin::Metric,
            name: name.to_owned(),
            group: group.to_owned(),
            key_group: None,
            source: None,
            is_share: false,
            unit,
            better: None,
        };
        let values =
            |from: u32| BTreeMap::from([(0, (from..from + 10).map(|i| f64::from(i) * 1e6).collect::<Vec<f64>>())]);
        let run = BTreeMap::from([
            (key("rtt", "a", Unit::Nanos), values(1)),
            (key("rtt", "b", Unit::Nanos), values(11)),
            (key("odd name (x)", "a", Unit::Bytes), values(1)),
            (key("get.success", "a", Unit::Ratio), BTreeMap::from([(0, vec![1.0, 1.0, 1.0, 0.0])])),
        ]);
        Runs { values: vec![run], ..Runs::default() }
    }

    #[test]
    fn assertions_hold_or_do_not() {
        for (text, wanted) in [
            ("p50(rtt) < 11ms", true),
            ("p50(rtt) > 10.4 ms", true),
            ("median( rtt @ a ) <= 5.5ms", true),
            ("max(rtt @ a) >= 10_000_000", true),
            ("max(rtt @ a) > 10000us", false),
            ("min(rtt @ b) = 11ms", true),
            ("count(rtt) = 20", true),
            ("mean(rtt@a)<5ms", false),
            ("success(get) >= 75%", true),
            ("success(get) > 75%", false),
            ("mean(get.success) >= 0.75", true),
            ("max(\"odd name (x)\") < 10MiB", true),
            ("p99.9(rtt) < 20 ms", true),
        ] {
            let checked = Assertion::parse(text).unwrap().check(&runs()).unwrap();
            assert_eq!(checked.holds, wanted, "{text}: {checked:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_is_wrong() {
        let check = |text: &str| Assertion::parse(text).unwrap().check(&runs()).unwrap_err();
        assert!(matches!(check("p50(nothing) < 1"), AnalyzeError::NoData(_)));
        assert!(matches!(check("p50(rtt @ c) < 1"), AnalyzeError::NoData(_)));
        assert_eq!(check("p50(rtt) < 1KiB").to_string(), "`p50(rtt) < 1KiB` cannot be checked: `rtt` is in ns");
        assert!(matches!(check("count(rtt) < 1s"), AnalyzeError::Question(_)));
    }
}
