//! What is wrong with a file that the user wrote: where, what, and what to do.

use std::fmt;

pub use crate::near::nearest;

/// One thing that is wrong with a manifest, a composition or a flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as the user named it, or the flag.
    pub file: String,
    /// The line in it, from 1; absent if the problem belongs to no line.
    pub line: Option<u32>,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(file: &str, line: Option<u32>, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into(), hint: None }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

/// Sorts by file and line and drops what was said twice.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}

/// `, did you mean …?` or a list of what there is, as a hint.
pub(crate) fn suggestion(name: &str, what: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} to choose from"),
        None => format!("{what}s: {}", list(known)),
    }
}

/// Names in backticks with commas; a long list is cut.
pub(crate) fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(25).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A text from a file as it may be shown: one line, no control characters, not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_a_place_and_a_text() {
        let problem = Problem::new("a.toml", Some(3), "no `plan`").with_hint("add one");
        assert_eq!(problem.to_string(), "a.toml:3: no `plan`");
        assert_eq!(Problem::new("--param", None, "bad").to_string(), "--param: bad");
        assert_eq!(shown("a\nb\u{7}"), "a\\nb\\u{7}");
    }
}
