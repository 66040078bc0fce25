//! What is wrong with a file that the user wrote: where, what, and what to do.

use std::fmt;

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

/// The known name that a misspelt one was most likely meant to be, if one is near enough to be worth saying.
///
/// Near enough is a third of the letters, at least one and at most three edits (a letter added, left out or
/// replaced, or two neighbours swapped), without regard to case. Of several equally near names the first is given.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let limit = (wanted.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let letters: Vec<char> = candidate.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        if letters.len().abs_diff(wanted.len()) > limit {
            continue;
        }
        let distance = edits(&wanted, &letters);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Names longer than this are compared by their beginning: a hostile name must not cost quadratic time.
const LONGEST: usize = 100;

/// Optimal string alignment distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows = vec![vec![0; width]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
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
    fn a_misspelt_name_finds_its_neighbour() {
        let known = ["plan", "case", "builder", "test_params", "total_instances"];
        for (name, wanted) in [
            ("biulder", Some("builder")),
            ("test_param", Some("test_params")),
            ("testparams", Some("test_params")),
            ("total_instance", Some("total_instances")),
            ("Plan", Some("plan")),
            ("pln", Some("plan")),
            ("seed", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), wanted, "{name}");
        }
        assert_eq!(edits(&['a', 'b', 'c'], &['b', 'a', 'c']), 1);
        assert_eq!(edits(&[], &['x', 'y']), 2);
    }

    #[test]
    fn a_problem_reads_as_a_place_and_a_text() {
        let problem = Problem::new("a.toml", Some(3), "no `plan`").with_hint("add one");
        assert_eq!(problem.to_string(), "a.toml:3: no `plan`");
        assert_eq!(Problem::new("--param", None, "bad").to_string(), "--param: bad");
        assert_eq!(shown("a\nb\u{7}"), "a\\nb\\u{7}");
    }
}
