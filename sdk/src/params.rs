//! Typed parameters: every problem in them is reported at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use serde::de::DeserializeOwned;

/// What is wrong with the parameters of an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parameters are not as this case needs them: {}", .problems.join("; "))]
pub struct ParamsError {
    /// One text for each problem.
    pub problems: Vec<String>,
}

/// Reads parameters, and notes what is wrong with them. See [`crate::Env::params`].
#[derive(Debug)]
pub struct Params<'a> {
    values: &'a BTreeMap<String, String>,
    problems: Vec<String>,
}

impl<'a> Params<'a> {
    pub(crate) fn read<T>(
        values: &'a BTreeMap<String, String>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, ParamsError> {
        let mut params = Self { values, problems: Vec::new() };
        let value = read(&mut params);
        if params.problems.is_empty() { Ok(value) } else { Err(ParamsError { problems: params.problems }) }
    }

    /// The text of a parameter, if it is given.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter that must be given. If it is not, or not well, the problem is noted and a placeholder returned.
    pub fn get<T: Param>(&mut self, name: &str) -> T {
        self.maybe(name).unwrap_or_else(|| {
            if self.text(name).is_none() {
                self.problems.push(format!("`{name}` is missing ({})", T::WHAT));
            }
            T::default()
        })
    }

    /// A parameter, or `default` if it is not given.
    pub fn get_or<T: Param>(&mut self, name: &str, default: T) -> T {
        self.maybe(name).unwrap_or(default)
    }

    /// A parameter, if it is given.
    pub fn maybe<T: Param>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problems.push(format!("`{name}` must be {}, not `{text}`{}", T::WHAT, after_colon(&why)));
                None
            }
        }
    }

    /// A parameter between two bounds, both allowed; `default` if it is not given.
    pub fn within<T: Param + PartialOrd + Display>(
        &mut self,
        name: &str,
        default: T,
        bounds: std::ops::RangeInclusive<T>,
    ) -> T {
        let value = self.get_or(name, default);
        if !bounds.contains(&value) {
            self.problems.push(format!("`{name}` must be from {} to {}, not {value}", bounds.start(), bounds.end()));
        }
        value
    }

    /// Notes a problem of the author's own: `p.problem("`from` must be before `to`")`.
    pub fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }
}

fn after_colon(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// A type that a parameter's text can be read as.
///
/// The default is only a placeholder until all problems are known; a plan never sees it.
pub trait Param: Sized + Default {
    /// What the text must be: "a whole number".
    const WHAT: &'static str;
    /// Reads it. The error says what is wrong beyond that, and may be empty.
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! whole_numbers {
    ($($type:ty),*) => { $(
        impl Param for $type {
            const WHAT: &'static str = "a whole number";
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|error: std::num::ParseIntError| error.to_string())
            }
        }
    )* };
}
whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Param for f64 {
    const WHAT: &'static str = "a number";
    fn parse(text: &str) -> Result<Self, String> {
        let number: Self = text.trim().parse().map_err(|_not| String::new())?;
        if number.is_finite() { Ok(number) } else { Err("it is not finite".to_owned()) }
    }
}

impl Param for bool {
    const WHAT: &'static str = "true or false";
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(String::new()),
        }
    }
}

impl Param for String {
    const WHAT: &'static str = "text";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Param for Duration {
    const WHAT: &'static str = "a duration such as `1m30s`, `1.5s`, `10ms`";
    /// Go's notation: numbers with the units `h`, `m`, `s`, `ms`, `us`, `µs`, `ns`, one after the other; or `0`.
    fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err("it is empty".to_owned());
        }
        let mut total = Self::ZERO;
        while !rest.is_empty() {
            let (number, tail) = split_number(rest)?;
            let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let unit_ns = match &tail[..end] {
                "h" => 3_600_000_000_000,
                "m" => 60_000_000_000,
                "s" => 1_000_000_000,
                "ms" => 1_000_000,
                "us" | "µs" | "μs" => 1_000,
                "ns" => 1,
                "" => return Err("a unit is missing".to_owned()),
                unit => return Err(format!("no unit `{unit}`")),
            };
            let part = scaled(number, unit_ns).ok_or("it is too large")?;
            total = total.checked_add(Self::from_nanos(part)).ok_or("it is too large")?;
            rest = &tail[end..];
        }
        Ok(total)
    }
}

/// A number of bytes, written as `512`, `10MiB`, `1.5 GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(
    /// The number of bytes.
    pub u64,
);

impl Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (value, unit) = match self.0 {
            n if n != 0 && n.is_multiple_of(1 << 30) => (n >> 30, "GiB"),
            n if n != 0 && n.is_multiple_of(1 << 20) => (n >> 20, "MiB"),
            n if n != 0 && n.is_multiple_of(1 << 10) => (n >> 10, "KiB"),
            n => (n, "B"),
        };
        write!(f, "{value}{unit}")
    }
}

impl Param for Size {
    const WHAT: &'static str = "a size such as `512`, `64KiB`, `10MB`";
    /// `KiB`, `MiB`, `GiB`, `TiB` are powers of 1024; `kB`, `MB`, `GB`, `TB` (and `k`, `M`, `G`, `T`) of 1000; case
    /// does not matter.
    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_number(text.trim())?;
        let unit = unit.trim().to_ascii_lowercase();
        let (letters, step) = match unit.strip_suffix("ib") {
            Some(letters) => (letters, 1024),
            None => (unit.strip_suffix('b').unwrap_or(&unit), 1000),
        };
        let power = match (letters, step) {
            ("", 1000) => 0,
            ("k", _) => 1,
            ("m", _) => 2,
            ("g", _) => 3,
            ("t", _) => 4,
            _ => return Err(format!("no unit `{unit}`")),
        };
        scaled(number, u64::pow(step, power)).map(Self).ok_or_else(|| "it is too large".to_owned())
    }
}

/// A parameter that is JSON, such as a list: `p.get::<Json<Vec<u32>>>("sizes").0`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Json<T>(
    /// The value.
    pub T,
);

impl<T: DeserializeOwned + Default> Param for Json<T> {
    const WHAT: &'static str = "JSON of the right shape";
    fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

/// A decimal number at the beginning of a text, and what follows it.
fn split_number(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = &text[..end];
    if number.is_empty() || number == "." || number.matches('.').count() > 1 {
        return Err("it must begin with a number".to_owned());
    }
    Ok((number, &text[end..]))
}

/// A decimal number times a whole one, exactly, what is less than one cut off; none if it does not fit.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More digits than this are below a billionth of a billionth.
    let digits = &fraction[..fraction.len().min(18)];
    let fraction = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
    let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(fraction * u128::from(unit) / scale).ok()?;
    whole.checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn every_type_is_read_from_its_text() {
        let map = values(&[
            ("n", "-3"),
            ("f", "2.5"),
            ("yes", "TRUE"),
            ("no", "False"),
            ("d", "1h2m3.5s"),
            ("s", "10MiB"),
            ("j", "[1,2]"),
            ("t", "a=b"),
        ]);
        let read = Params::read(&map, |p| {
            assert_eq!(p.get::<i32>("n"), -3);
            assert!((p.get::<f64>("f") - 2.5).abs() < f64::EPSILON);
            assert!(p.get::<bool>("yes") && !p.get::<bool>("no"));
            assert_eq!(p.get::<Duration>("d"), Duration::from_millis(3_723_500));
            assert_eq!(p.get::<Size>("s"), Size(10 << 20));
            assert_eq!(p.get::<Json<Vec<u32>>>("j").0, [1, 2]);
            assert_eq!(p.get::<String>("t"), "a=b");
            assert_eq!(p.maybe::<u32>("absent"), None);
            p.get_or("absent", 7u16)
        });
        assert_eq!(read, Ok(7));
    }

    #[test]
    fn all_problems_come_at_once() {
        let map = values(&[("n", "many"), ("d", "5"), ("s", "1 parsec"), ("f", "NaN"), ("b", "1"), ("k", "9")]);
        let error = Params::read(&map, |p| {
            p.get::<u32>("missing");
            p.get::<u32>("n");
            p.get_or("d", Duration::ZERO);
            p.get::<Size>("s");
            p.get::<f64>("f");
            p.get::<bool>("b");
            p.within("k", 1u32, 1..=8);
        })
        .expect_err("problems");
        assert_eq!(
            error.problems,
            [
                "`missing` is missing (a whole number)",
                "`n` must be a whole number, not `many`: invalid digit found in string",
                "`d` must be a duration such as `1m30s`, `1.5s`, `10ms`, not `5`: a unit is missing",
                "`s` must be a size such as `512`, `64KiB`, `10MB`, not `1 parsec`: no unit `parsec`",
                "`f` must be a number, not `NaN`: it is not finite",
                "`b` must be true or false, not `1`",
                "`k` must be from 1 to 8, not 9",
            ]
        );
    }

    #[test]
    fn durations_and_sizes() {
        for (text, ns) in [
            ("0", 0),
            ("10ms", 10_000_000),
            ("1.5s", 1_500_000_000),
            ("2µs", 2000),
            (".5ms", 500_000),
            ("1m1ns", 60_000_000_001),
        ] {
            assert_eq!(Duration::parse(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
        for text in ["", "s", "-1s", "1x", "1s2", "1..2s", "99999999999h"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1k", 1000),
            ("1 kB", 1000),
            ("1KiB", 1024),
            ("1.5GiB", 3 << 29),
            ("2tb", 2_000_000_000_000),
            ("3B", 3),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "-1", "1ib", "1e3", "99999999TiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
        assert_eq!(Size(10 << 20).to_string(), "10MiB");
        assert_eq!(Size(1000).to_string(), "1000B");
    }
}
