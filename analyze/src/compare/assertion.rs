//! Bounds that the runs must keep: `p95(find_providers.duration_ns) < 2s`.

use std::fmt;

use super::compared::Runs;
use super::sample::Statistic;
use super::series::Key;
use crate::error::AnalyzeError;
use crate::report::{Cell, Column, Table, Tone, Unit};

/// A bound on a number of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// As it was written.
    pub text: String,
    number: Number,
    /// The name of the series, and where that stands.
    pub name: String,
    group: Option<String>,
    relation: Relation,
    bound: Bound,
}

/// What is taken of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Percentile(f64),
    Mean,
    Min,
    Max,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
}

/// The number on the right, with its unit as it was written and in the base of that unit.
#[derive(Debug, Clone, PartialEq)]
struct Bound {
    value: f64,
    unit: Option<Measure>,
}

/// What a unit measures; values are in nanoseconds, bytes, or shares of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Time,
    Size,
    Share,
}

const UNITS: [(&str, Measure, f64); 13] = [
    ("ns", Measure::Time, 1.0),
    ("us", Measure::Time, 1e3),
    ("µs", Measure::Time, 1e3),
    ("ms", Measure::Time, 1e6),
    ("s", Measure::Time, 1e9),
    ("m", Measure::Time, 60e9),
    ("B", Measure::Size, 1.0),
    ("KiB", Measure::Size, 1024.0),
    ("MiB", Measure::Size, 1_048_576.0),
    ("GiB", Measure::Size, 1_073_741_824.0),
    ("KB", Measure::Size, 1e3),
    ("MB", Measure::Size, 1e6),
    ("%", Measure::Share, 0.01),
];

/// Why a text is no assertion, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionError {
    /// The text.
    pub text: String,
    /// Where it goes wrong, in characters.
    pub at: usize,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no assertion: {}", self.text, self.why)
    }
}

impl std::error::Error for AssertionError {}

/// The text with a place in it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// As far as the characters are of the kind.
    fn word(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn wrong(&self, at: usize, why: impl Into<String>) -> AssertionError {
        let at = self.text[..at].chars().count();
        AssertionError { text: self.text.to_owned(), at, why: why.into() }
    }
}

impl Assertion {
    /// Reads `NUMBER(SERIES [@ GROUP]) RELATION VALUE[UNIT]`.
    ///
    /// ```
    /// use tg_analyze::compare::Assertion;
    /// let one = Assertion::parse("p95(find_providers.duration_ns @ clients) < 2s").unwrap();
    /// assert_eq!(one.name, "find_providers.duration_ns");
    /// assert_eq!(Assertion::parse("p95(x) < 2 parsecs").unwrap_err().at, 11);
    /// ```
    pub fn parse(text: &str) -> Result<Self, AssertionError> {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        let start = reader.at;
        let word = reader.word(|c| c.is_alphanumeric() || c == '.');
        let (number, is_success) = match word {
            "mean" => (Number::Mean, false),
            "median" => (Number::Percentile(0.5), false),
            "min" => (Number::Min, false),
            "max" => (Number::Max, false),
            "count" => (Number::Count, false),
            "success" => (Number::Mean, true),
            _ => match word.strip_prefix('p').and_then(|share| share.parse::<f64>().ok()) {
                Some(share) if (0.0..=100.0).contains(&share) => (Number::Percentile(share / 100.0), false),
                Some(_) | None => {
                    return Err(
                        reader.wrong(start, "it begins with p50, p95, …, median, mean, min, max, count or success")
                    );
                }
            },
        };
        if !reader.eat("(") {
            return Err(reader.wrong(reader.at, format!("`(` and the name of a series belong behind `{word}`")));
        }
        let mut name = Self::name(&mut reader, |c| !matches!(c, '@' | ')' | '('))?;
        if is_success {
            name.push_str(".success");
        }
        let group = if reader.eat("@") { Some(Self::name(&mut reader, |c| !matches!(c, ')' | '('))?) } else { None };
        if !reader.eat(")") {
            return Err(reader.wrong(reader.at, "`)` belongs here"));
        }
        let relation = Self::relation(&mut reader)?;
        let bound = Self::bound(&mut reader)?;
        Ok(Self { text: text.trim().to_owned(), number, name, group, relation, bound })
    }

    /// A name, bare or between double quotes.
    fn name(reader: &mut Reader<'_>, of: impl Fn(char) -> bool) -> Result<String, AssertionError> {
        if reader.eat("\"") {
            let name = reader.word(|c| c != '"').to_owned();
            return if reader.eat("\"") { Ok(name) } else { Err(reader.wrong(reader.at, "the quote does not end")) };
        }
        let name = reader.word(of).trim_end();
        if name.is_empty() { Err(reader.wrong(reader.at, "a name belongs here")) } else { Ok(name.to_owned()) }
    }

    fn relation(reader: &mut Reader<'_>) -> Result<Relation, AssertionError> {
        let known = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("==", Relation::Equal),
            ("<", Relation::Less),
            (">", Relation::Greater),
            ("=", Relation::Equal),
        ];
        let found = known.into_iter().find(|(token, _)| reader.eat(token));
        found.map(|(_, relation)| relation).ok_or_else(|| reader.wrong(reader.at, "one of < <= > >= = belongs here"))
    }

    fn bound(reader: &mut Reader<'_>) -> Result<Bound, AssertionError> {
        reader.blanks();
        let start = reader.at;
        let digits = reader.word(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_'));
        let value: Option<f64> = digits.replace('_', "").parse().ok();
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return Err(reader.wrong(start, "a number belongs here"));
        };
        reader.blanks();
        let unit_at = reader.at;
        let word = reader.word(|_| true).trim_end();
        if word.is_empty() {
            return Ok(Bound { value, unit: None });
        }
        if let Some((_, measure, scale)) = UNITS.iter().find(|(unit, ..)| *unit == word) {
            return Ok(Bound { value: value * scale, unit: Some(*measure) });
        }
        let known: Vec<&str> = UNITS.iter().map(|one| one.0).collect();
        Err(reader.wrong(unit_at, format!("`{word}` is no unit; there are {}", known.join(", "))))
    }

    /// Holds the assertion against the values of some runs, which are taken together.
    pub fn check(&self, runs: &Runs) -> Result<Checked, AnalyzeError> {
        let ours = |key: &&Key| key.name == self.name && self.group.as_ref().is_none_or(|group| *group == key.group);
        let keys: std::collections::BTreeSet<&Key> =
            runs.values.iter().flat_map(std::collections::BTreeMap::keys).filter(ours).collect();
        let units: std::collections::BTreeSet<&Unit> = keys.iter().map(|key| &key.unit).collect();
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
    use std::collections::BTreeMap;

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
        Runs { settings: Vec::new(), values: vec![run] }
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
    fn the_caret_stands_where_it_goes_wrong() {
        for (text, at) in [
            ("", 0),
            ("p95", 3),
            ("p101(x) < 1", 0),
            ("average(x) < 1", 0),
            ("p95(x < 1", 9),
            ("p95() < 1", 4),
            ("p95(x) ~ 1", 7),
            ("p95(x) <", 8),
            ("p95(x) < fast", 9),
            ("p95(é) < 2 parsecs", 11),
            ("p95(x @ ) < 2", 8),
            ("p95(\"x) < 2", 11),
            ("p95(x) < --1", 9),
        ] {
            let why = Assertion::parse(text).expect_err(text);
            assert_eq!(why.at, at, "{text}: {why}");
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
