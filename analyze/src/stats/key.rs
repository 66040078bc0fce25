//! Values by which rows are grouped.

use std::cmp::Ordering;

use polars::prelude::{DataFrame, PolarsResult};

use super::columns::physical;
use crate::filter::{Kind, number};
use crate::frame;
use crate::report::{Cell, Column, Unit};

/// A value by which rows are grouped. The order is that of people: what is absent first, 8 before 16 also where both
/// are texts, numbers before words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    /// There is none.
    Absent,
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Key {
    fn rank(&self) -> (u8, f64, &str) {
        match self {
            Self::Absent => (0, 0.0, ""),
            Self::Number(value) => (1, *value, ""),
            Self::Text(text) => number(text).map_or((2, 0.0, text), |value| (1, value, text)),
        }
    }
}

impl Key {
    /// As a cell, where nothing else is known of it.
    pub(super) fn cell(&self) -> Cell {
        match self {
            Self::Absent => Cell::Absent,
            Self::Number(value) => Cell::number(*value),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.rank(), other.rank());
        a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)).then_with(|| a.2.cmp(b.2))
    }
}

/// A column that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Named {
    /// A key of this column as a cell. An instance that no dataset knows has a group all the same.
    pub(super) fn cell(&self, key: &Key) -> Cell {
        match key {
            Key::Absent if self.name == "group" => "(unknown)".into(),
            Key::Absent => Cell::Absent,
            Key::Text(text) => text.as_str().into(),
            Key::Number(value) if self.name.ends_with("_ns") => Cell::Number(*value, Unit::Nanos),
            Key::Number(value) if self.name == "ts" || self.name.ends_with("_ts") => {
                #[expect(clippy::cast_possible_truncation, reason = "a moment fits, and a foreign one is cut off")]
                let moment = *value as i64;
                Cell::Time(moment)
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was just looked at")]
            Key::Number(value) if value.fract() == 0.0 && (0.0..9e15).contains(value) => Cell::Count(*value as u64),
            Key::Number(value) => Cell::number(*value),
        }
    }
}

/// The columns of keys before the others of a table. A key that is called like another column gets `by_` before it.
pub(super) fn with_keys(by: &[&Named], rest: &[Column]) -> Vec<Column> {
    let column = |named: &&Named| {
        let taken = rest.iter().any(|column| column.key == named.name);
        let key = if taken { format!("by_{}", named.name) } else { named.name.clone() };
        Column::new(&key, &named.name)
    };
    by.iter().map(column).chain(rest.iter().cloned()).collect()
}

/// The keys of each row of a frame.
pub(super) fn keys(frame: &DataFrame, by: &[&Named]) -> PolarsResult<Vec<Vec<Key>>> {
    let mut rows = vec![Vec::with_capacity(by.len()); frame.height()];
    for named in by {
        let name = physical(&named.name);
        match named.kind {
            Kind::Number => {
                for (row, value) in rows.iter_mut().zip(frame::floats(frame, &name)?) {
                    row.push(value.map_or(Key::Absent, Key::Number));
                }
            }
            Kind::Text | Kind::Written => {
                for (row, value) in rows.iter_mut().zip(frame::text(frame, &name)?) {
                    row.push(value.map_or(Key::Absent, Key::Text));
                }
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_people() {
        let text = |text: &str| Key::Text(text.to_owned());
        let wanted = [Key::Absent, text("-1"), text("8"), text("16"), text("1s"), text("a"), text("b10")];
        let mut sorted = wanted.to_vec();
        sorted.reverse();
        sorted.sort();
        assert_eq!(sorted, wanted);
        // Different texts are different keys, also where they are one number.
        assert_ne!(text("1s").cmp(&text("1000ms")), Ordering::Equal);
    }

    #[test]
    fn a_key_shows_what_it_is() {
        let named = |name: &str| Named { name: name.to_owned(), kind: Kind::Number };
        assert_eq!(named("total_hops").cell(&Key::Number(3.0)), Cell::Count(3));
        assert_eq!(named("duration_ns").cell(&Key::Number(3.0)), Cell::Number(3.0, Unit::Nanos));
        assert_eq!(named("value").cell(&Key::Number(-0.5)), Cell::number(-0.5));
        assert_eq!(named("start_ts").cell(&Key::Number(5.0)), Cell::Time(5));
        assert_eq!(named("group").cell(&Key::Absent), "(unknown)".into());
        assert_eq!(named("role").cell(&Key::Absent), Cell::Absent);
    }
}
