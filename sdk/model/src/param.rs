//! Parameters as plans receive them: texts, whose types the manifest names.

use std::time::Duration;

use crate::manifest::Param;
use crate::problem::shown;

/// The types that are checked, with the names that manifests use for them and what a value must look like.
///
/// A type that is not here is not checked: published manifests name types freely.
pub const TYPES: [(&[&str], &str); 8] = [
    (&["int", "integer", "int64", "int32"], "a whole number, such as `10`"),
    (&["uint", "uint64", "uint32"], "a whole number from 0, such as `10`"),
    (&["float", "float64", "number", "double"], "a number, such as `0.5`"),
    (&["bool", "boolean"], "`true` or `false`"),
    (&["duration"], "a duration with units, such as `300ms` or `1h30m`"),
    (&["size", "bytes"], "a size, such as `1024`, `10MiB` or `1.5 GB`"),
    (&["json", "object", "map"], "JSON"),
    (&["array", "list", "[]string", "[]int"], "a list, such as `[1, 2]`"),
];

/// The most bytes of one variable of the environment on Linux, the closing zero included.
pub(crate) const PACKED_LIMIT: usize = 131_072;

/// Why a value cannot be that of this parameter, if it cannot.
pub(crate) fn type_error(param: &Param, value: &str) -> Option<String> {
    if !param.values.is_empty() && !param.values.iter().any(|v| v == value) {
        let known: Vec<&str> = param.values.iter().map(String::as_str).collect();
        return Some(format!(
            "`{}` is none of the values that the manifest lists: {}",
            shown(value),
            crate::problem::list(&known)
        ));
    }
    let name = param.type_name.as_deref()?;
    let lower = name.to_ascii_lowercase();
    let (row, (_, wanted)) = TYPES.iter().enumerate().find(|(_, (names, _))| names.contains(&lower.as_str()))?;
    let good = match row {
        0 => value.parse::<i64>().is_ok(),
        1 => value.parse::<u64>().is_ok(),
        2 => value.parse::<f64>().is_ok(),
        3 => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
        4 => is_duration(value),
        5 => is_size(value),
        6 => serde_json::from_str::<serde_json::Value>(value).is_ok(),
        _ => serde_json::from_str::<Vec<serde_json::Value>>(value).is_ok(),
    };
    if good { None } else { Some(format!("`{}` is not of type `{}`: it must be {wanted}", shown(value), shown(name))) }
}

/// Why a value cannot be packed into the environment of a plan, if it cannot.
///
/// Parameters travel as `k=v|k2=v2` without escapes. The Go and JavaScript SDKs drop, without a word, a value
/// that holds `=`; the Rust ones take it.
pub(crate) fn packing_error(value: &str, builder: &str) -> Option<(String, &'static str)> {
    let holds = |what: &str| format!("`{}` holds `{what}`, and", shown(value));
    if value.contains('|') {
        let text = format!("{} parameters are joined with it", holds("|"));
        return Some((text, "put a list into another separator, or into a file of the plan"));
    }
    if value.contains('\0') {
        return Some(("it holds a NUL character, which no environment can carry".to_owned(), "leave it out"));
    }
    if value.contains('=') && matches!(builder, "exec:go" | "exec:node") {
        let text = format!("{} the Go and JavaScript SDKs drop such a parameter without a word", holds("="));
        return Some((text, "write it without `=`"));
    }
    None
}

/// Why a parameter cannot have this name, if it cannot.
pub(crate) fn name_error(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    name.contains(['|', '=', '\0']).then_some("a name holds no `|`, `=` or NUL")
}

/// The units of Go's durations, in nanoseconds. `µ` exists twice in Unicode, and Go takes both.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// A duration as Go writes it: `300ms`, `1h2m3.5s`. Not negative.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut ns = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        ns += number * unit;
        rest = &rest[letters..];
    }
    // Go's own limit is 63 bits of nanoseconds, about 292 years.
    if text.is_empty() || ns >= 9.2e18 {
        return None;
    }
    Duration::try_from_secs_f64(ns / 1e9).ok()
}

fn is_duration(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    parse_duration(unsigned).is_some()
}

/// A size as Go's `humanize` package reads it: digits, a point, commas; blanks; a unit in any case.
fn is_size(text: &str) -> bool {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let number: String = text[..digits].chars().filter(|c| *c != ',').collect();
    let unit = text[digits..].trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let prefix = unit.strip_suffix('i').filter(|prefix| !prefix.is_empty()).unwrap_or(unit);
    number.parse::<f64>().is_ok() && matches!(prefix, "" | "k" | "m" | "g" | "t" | "p" | "e")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(name: &str) -> Param {
        Param { type_name: Some(name.to_owned()), ..Param::default() }
    }

    #[test]
    fn values_are_checked_against_their_type() {
        let rows: [(&str, &[&str], &[&str]); 8] = [
            ("int", &["0", "-3", "+7"], &["1.5", "ten", "", " 1"]),
            ("uint", &["0", "9"], &["-1", "x"]),
            ("float", &["0.5", "1e3", "-2", "3"], &["half", ""]),
            ("bool", &["true", "False", "TRUE"], &["yes", "1"]),
            (
                "duration",
                &["0", "5m", "1h2m3.5s", "-1s", "10us", "10µs", ".5s"],
                &["5", "5 m", "m", "", "5y", "1.2.3s"],
            ),
            ("size", &["1024", "10MiB", "1.5 GB", "10k", "1,000", "5 b"], &["big", "", "10 MiBs", "MiB", "5i", "5ib"]),
            ("json", &["{\"a\":1}", "null", "[]"], &["{", "abc"]),
            ("array", &["[]", "[1,\"a\"]"], &["{}", "1,2"]),
        ];
        for (name, good, bad) in rows {
            for value in good {
                assert_eq!(type_error(&of_type(name), value), None, "{name} {value}");
            }
            for value in bad {
                assert!(type_error(&of_type(name), value).is_some(), "{name} {value}");
            }
        }
        assert_eq!(type_error(&of_type("multiaddr"), "whatever"), None, "an unknown type is not checked");
        let listed = Param { values: vec!["tls".to_owned(), "noise".to_owned()], ..of_type("enum") };
        assert!(type_error(&listed, "secio").is_some() && type_error(&listed, "tls").is_none());
    }

    #[test]
    fn values_that_an_sdk_would_lose_are_refused() {
        assert!(packing_error("a|b", "exec:cargo").is_some());
        assert!(packing_error("a=b", "exec:go").is_some() && packing_error("a=b", "exec:node").is_some());
        assert!(packing_error("a=b", "exec:cargo").is_none() && packing_error("a b,c", "exec:go").is_none());
        assert!(packing_error("a\0b", "exec:generic").is_some());
        assert!(name_error("a=b").is_some() && name_error("").is_some() && name_error("a.b-c").is_none());
    }

    #[test]
    fn durations_have_the_length_that_go_gives_them() {
        for (text, ms) in [("300ms", 300), ("1h30m", 5_400_000), ("1.5s", 1500), ("0", 0), ("2m0.25s", 120_250)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "-5s", "s", "1e3s", "999999999999h", "5 s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
