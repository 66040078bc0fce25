//! Bounds that the runs must keep: `p95(find_providers.duration_ns) < 2s`.

use std::fmt;

/// A bound on a number of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// As it was written.
    pub text: String,
    pub(super) number: Number,
    /// The name of the series, and where that stands.
    pub name: String,
    pub(super) group: Option<String>,
    pub(super) relation: Relation,
    pub(super) bound: Bound,
}

/// What is taken of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Percentile(f64),
    Mean,
    Min,
    Max,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
}

/// The number on the right, with its unit as it was written and in the base of that unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) unit: Option<Measure>,
}

/// What a unit measures; values are in nanoseconds, bytes, or shares of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
