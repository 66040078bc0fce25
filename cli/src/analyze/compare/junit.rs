//! A comparison as `JUnit` XML, which CI systems show.
//!
//! A test for every row and every assertion: what fails the gate is a failure, what is unclear is skipped. Without a
//! gate nothing but a broken assertion fails. Runs that cannot be compared are an error of a test of its own.

use std::borrow::Cow;

use super::outcome::Outcome;
use crate::render;
use tg_analyze::compare::{Row, Verdict};

/// The XML.
pub(super) fn render(outcome: &Outcome) -> String {
    let rows = || outcome.comparison.iter().flat_map(|one| &one.rows);
    let obstacles = outcome.comparison.as_ref().map(|one| one.obstacles.as_slice()).unwrap_or_default();
    let stopped = !obstacles.is_empty() && !outcome.force;
    let failures = rows().filter(|row| outcome.fails(row.verdict)).count()
        + outcome.checked.iter().filter(|one| !one.holds).count();
    let skipped = rows().filter(|row| is_skipped(outcome, row)).count();
    let tests = rows().count() + outcome.checked.len() + usize::from(stopped);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format_suite(tests, failures, usize::from(stopped), skipped));
    if stopped {
        let why = obstacles.join("; ");
        push_case(&mut out, "comparison", "the runs can be compared", Some(("error", &why)), &why);
    }
    for row in rows() {
        let name = format!("{} of {}", row.statistic.name(), row.key.label());
        let text = words(row);
        let what = match (outcome.fails(row.verdict), is_skipped(outcome, row)) {
            (true, _) => Some("failure"),
            (false, true) => Some("skipped"),
            (false, false) => None,
        };
        push_case(&mut out, "comparison", &name, what.map(|what| (what, row.verdict.as_str())), &text);
    }
    for one in &outcome.checked {
        let found = one.found.map_or("no value".to_owned(), |found| render::human_number(found, &one.unit));
        let text = format!("found {found} in {} values", one.n);
        push_case(&mut out, "assertions", &one.text, (!one.holds).then_some(("failure", "broken")), &text);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn format_suite(tests: usize, failures: usize, errors: usize, skipped: usize) -> String {
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!("<testsuites {counts}>\n  <testsuite name=\"tg analyze compare\" {counts} skipped=\"{skipped}\">\n")
}

fn is_skipped(outcome: &Outcome, row: &Row) -> bool {
    row.verdict == Verdict::Unclear && !outcome.fails(row.verdict)
}

/// The numbers of a row in a sentence.
fn words(row: &Row) -> String {
    let number = |value: f64| render::human_number(value, &row.key.unit);
    let change = row.change().map_or(String::new(), |change| format!(" ({change})"));
    let interval = row.interval().map_or(String::new(), |interval| format!(", 95 % interval {interval}"));
    let p = row.adjusted_p;
    format!(
        "{}: {} in the base, {} now{change}{interval}, corrected p {p:.4}",
        row.verdict.as_str(),
        number(row.base),
        number(row.new)
    )
}

fn push_case(out: &mut String, class: &str, name: &str, what: Option<(&str, &str)>, text: &str) {
    out.push_str("    <testcase classname=\"");
    out.push_str(class);
    out.push_str("\" name=\"");
    out.push_str(&escape(name));
    out.push_str("\">");
    match what {
        Some((what, message)) => {
            out.push_str(&["<", what, " message=\"", &escape(message), "\">", &escape(text), "</", what, ">"].concat());
        }
        None => out.push_str(&["<system-out>", &escape(text), "</system-out>"].concat()),
    }
    out.push_str("</testcase>\n");
}

/// Text for XML 1.0; characters that it cannot hold are spelt out.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\u{fffe}' | '\u{ffff}') || c.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use tg_analyze::compare::Assertion;

    use super::*;

    #[test]
    fn names_of_strangers_stay_text() {
        assert_eq!(escape("a<b>\"&\u{1}"), "a&lt;b&gt;&quot;&amp;\\u{1}");
        assert!(Assertion::parse("p50(x) < 1").is_ok());
        let outcome = Outcome { comparison: None, checked: Vec::new(), fail_on: None, force: false };
        let text = render(&outcome);
        assert!(text.contains("tests=\"0\" failures=\"0\" errors=\"0\""), "{text}");
    }
}
