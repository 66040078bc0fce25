//! Rules of a user: how the lines of a plan's own files become rows, without code.

mod apply;
mod parse;
mod source;

use std::collections::BTreeMap;

use tg_model::table::Kind;

use crate::dataset::segment::T;
use crate::source::{Entry, Owner};

pub(crate) use apply::read;
pub(crate) use source::WithRules;

/// A file of rules that was checked.
#[derive(Debug, Clone)]
pub struct Rules {
    text: String,
    list: Vec<Rule>,
    declared: BTreeMap<String, Vec<Declared>>,
}

/// A column of an `x_` table that a rule declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Option<String>,
    pub(crate) doc: Option<String>,
}

/// What the lines of some files become.
#[derive(Debug, Clone)]
struct Rule {
    files: glob::Pattern,
    /// Only lines that have these values.
    when: Vec<(String, serde_json::Value)>,
    into: Into,
    columns: BTreeMap<String, Column>,
}

/// The table of a rule.
#[derive(Debug, Clone)]
enum Into {
    /// One that readers of known files fill as well.
    Known(T),
    /// `queries`: one lookup per line.
    Queries,
    /// One of the user's own, without its `x_`.
    Own(String),
}

/// Where the value of a column comes from.
#[derive(Debug, Clone)]
struct Column {
    from: From,
    want: Want,
    /// What one of the line's numbers is in nanoseconds.
    scale_ns: Option<i64>,
    words: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum From {
    Pointer(String),
    Constant(serde_json::Value),
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Of(Kind),
    /// A peer id, in any encoding.
    Peer,
    /// A list of them.
    Peers,
    /// Any JSON, kept as text.
    Json,
}

impl Rules {
    /// The text that they were read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rules for a file, by number; none if it is read as without rules.
    pub(crate) fn of(&self, name: &str) -> Vec<usize> {
        (0..self.list.len()).filter(|&at| self.list[at].files.matches(name)).collect()
    }

    /// The patterns that match none of these files.
    pub(crate) fn idle(&self, entries: &[Entry]) -> Vec<String> {
        let matches =
            |rule: &Rule| entries.iter().any(|entry| entry.owner != Owner::Run && rule.files.matches(&entry.name));
        self.list.iter().filter(|rule| !matches(rule)).map(|rule| rule.files.to_string()).collect()
    }

    /// The columns that rules declare for a table of the user's own, named without its `x_`.
    pub(crate) fn declared(&self, table: &str) -> Option<&[Declared]> {
        self.declared.get(table).map(Vec::as_slice)
    }
}
