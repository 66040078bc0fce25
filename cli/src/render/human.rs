//! Values as people read them: three significant digits, units in steps, no escape sequences of strangers.

use std::borrow::Cow;

use tg_analyze::report::{Cell, Direction, Unit};

/// What stands for a value that does not exist.
pub(super) const ABSENT: &str = "–";

/// A cell as people read it.
pub(super) fn cell(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Absent => Cow::Borrowed(ABSENT),
        Cell::Text(text) | Cell::Word(text, _) => clean(text),
        Cell::Count(n) => grouped(*n).into(),
        Cell::Of(n, of) => format!("{}/{}", grouped(*n), grouped(*of)).into(),
        Cell::Number(value, unit) => number(*value, unit).into(),
        Cell::Time(ns) => time(*ns).into(),
        Cell::Better(Direction::Lower) => Cow::Borrowed("↓"),
        Cell::Better(Direction::Higher) => Cow::Borrowed("↑"),
        Cell::Flag(true) => Cow::Borrowed("yes"),
        Cell::Flag(false) => Cow::Borrowed("no"),
    }
}

/// Whether people want the cell at the right edge of its column.
pub(super) fn is_numeric(cell: &Cell) -> bool {
    matches!(cell, Cell::Count(_) | Cell::Of(..) | Cell::Number(..))
}

/// Text of a stranger: control characters, which could move the cursor or hide a line, are spelt out.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    // These change the direction of what follows, or take no room; both can make a line read as another.
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if odd(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// A number with its unit.
pub fn number(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Nanos => nanos(value),
        Unit::Micros => nanos(value * 1e3),
        Unit::Millis => nanos(value * 1e6),
        Unit::Secs => nanos(value * 1e9),
        Unit::Bytes => bytes(value),
        Unit::Ratio => format!("{} %", significant(value * 100.0)),
        Unit::None => significant(value),
        Unit::Other(word) => format!("{} {}", significant(value), clean(word)),
    }
}

/// Nanoseconds in the unit that keeps the number short: `850 ns`, `12.3 ms`, `2m 05s`.
pub fn nanos(ns: f64) -> String {
    let size = ns.abs();
    if !ns.is_finite() {
        return format!("{ns}");
    }
    if size >= 59.95e9 {
        let secs = (size / 1e9).round();
        let (hours, minutes, seconds) = ((secs / 3600.0).floor(), (secs / 60.0).floor() % 60.0, secs % 60.0);
        let sign = if ns < 0.0 { "-" } else { "" };
        return if hours > 0.0 {
            format!("{sign}{hours}h {minutes:02}m {seconds:02}s")
        } else {
            format!("{sign}{minutes}m {seconds:02}s")
        };
    }
    // The next unit begins where three digits would round up to a thousand.
    let (step, word) = match size {
        s if s < 999.5 => (1.0, "ns"),
        s if s < 999.5e3 => (1e3, "µs"),
        s if s < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {word}", significant(ns / step))
}

/// Bytes in binary steps: `512 B`, `1.50 KiB`.
pub fn bytes(n: f64) -> String {
    if !n.is_finite() {
        return format!("{n}");
    }
    let mut value = n;
    for word in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value.abs() < 999.5 {
            return format!("{} {word}", significant(value));
        }
        value /= 1024.0;
    }
    format!("{} PiB", significant(value))
}

/// Three significant digits, but every digit of a whole number.
fn significant(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return match value {
            v if v.is_nan() => "NaN".to_owned(),
            v if v > 0.0 => "∞".to_owned(),
            _ => "-∞".to_owned(),
        };
    }
    if value.fract() == 0.0 && size < 1e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 1e15")]
        return format!("{sign}{}", grouped(size as u64));
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    // The exponent of the number as rounded: 0.9997 counts as 1.00.
    let rounded = format!("{size:.2e}");
    let exponent: i32 = rounded.split_once('e').and_then(|(_, tail)| tail.parse().ok()).unwrap_or(0);
    let digits = usize::try_from(2 - exponent).unwrap_or(0);
    let text = format!("{value:.digits$}");
    match text.trim_start_matches('-') {
        plain if plain.len() > 3 && !plain.contains('.') => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", plain.parse().map_or_else(|_| plain.to_owned(), grouped))
        }
        _ => text,
    }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn time(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        Err(_) => format!("{ns} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_units_step() {
        let rows = [
            (Cell::nanos(850), "850 ns"),
            (Cell::nanos(12_345_678), "12.3 ms"),
            (Cell::nanos(999_700), "1.00 ms"),
            (Cell::nanos(1_500_000_000), "1.50 s"),
            (Cell::nanos(59_990_000_000), "1m 00s"),
            (Cell::nanos(125_000_000_000), "2m 05s"),
            (Cell::nanos(-7_200_000_000_000), "-2h 00m 00s"),
            (Cell::nanos(0), "0 ns"),
            (Cell::Number(12.5, Unit::Millis), "12.5 ms"),
            (Cell::bytes(512), "512 B"),
            (Cell::bytes(1536), "1.50 KiB"),
            (Cell::bytes(1 << 40), "1 TiB"),
            (Cell::ratio(0.9712), "97.1 %"),
            (Cell::ratio(1.0), "100 %"),
            (Cell::number(1_234_567.0), "1,234,567"),
            (Cell::number(12_345.678), "12,346"),
            (Cell::number(0.012_345), "0.0123"),
            (Cell::number(0.000_001_5), "1.50e-6"),
            (Cell::number(f64::NAN), "NaN"),
            (Cell::Number(4.0, Unit::Other("peers".to_owned())), "4 peers"),
            (Cell::Count(20_777), "20,777"),
            (Cell::Of(3, 1000), "3/1,000"),
            (Cell::Absent, "–"),
            (Cell::Time(1_795_385_730_417_000_000), "2026-11-22 22:15:30.417Z"),
            (Cell::Time(i64::MAX), "2262-04-11 23:47:16.854Z"),
        ];
        for (value, wanted) in rows {
            assert_eq!(cell(&value), wanted, "{value:?}");
        }
    }

    #[test]
    fn a_stranger_cannot_move_the_cursor() {
        assert_eq!(clean("a\x1b[2Jb\nc\u{202e}d"), r"a\u{1b}[2Jb\nc\u{202e}d");
        assert_eq!(clean("größe µs ↓"), "größe µs ↓");
    }
}
