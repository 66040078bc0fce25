//! Text of strangers, made safe for a terminal; counts and durations in words.

use std::time::Duration;

/// One line of a stranger's text: control characters, which could move the cursor or hide a line, are spelt out.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            // These change the direction of what follows, or take no room; both can make a line read as another.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                out.extend(c.escape_default());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// A stranger's text on one line and not longer than `most` characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    let first = text.trim().lines().next().unwrap_or_default();
    let mut out: String = clean(first).chars().take(most).collect();
    if first.chars().count() > most || text.trim().contains('\n') {
        out.push('…');
    }
    out
}

/// `1 instance`, `2 instances`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A duration as people read it.
pub(crate) fn duration_ns(ns: u64) -> String {
    crate::render::human_nanos(ns as f64)
}

/// Nanoseconds, cut off at what fits.
pub(crate) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelt_out() {
        assert_eq!(clean("a\u{1b}[2Jb\tc\r\u{202e}"), "a\\u{1b}[2Jb\tc\\r\\u{202e}");
        assert_eq!(short("one\ntwo", 10), "one…");
        assert_eq!(short("abcdef", 3), "abc…");
        assert_eq!(short(" abc ", 3), "abc");
        assert_eq!((count(1, "run"), count(0, "run")), ("1 run".to_owned(), "0 runs".to_owned()));
    }
}
