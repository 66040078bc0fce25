//! One line of a table of the author's own: its keys and its values, read without a copy where that can be.

use std::borrow::Cow;

use serde_json::Value as Json;
use tg_model::table::Kind;

use super::rows::{Row, Value};
use crate::read::json::Text;
use crate::read::scan::Scan;

pub(crate) use crate::read::scan::Cell;

/// What the values of a key were so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bools: bool,
    pub(crate) ints: bool,
    pub(crate) floats: bool,
    pub(crate) other: bool,
}

impl Seen {
    pub(crate) fn merge(&mut self, more: Self) {
        self.bools |= more.bools;
        self.ints |= more.ints;
        self.floats |= more.floats;
        self.other |= more.other;
    }

    /// What a column holds that has such values.
    pub(crate) fn kind(self, key: &str) -> Kind {
        match self {
            Self { other: true, .. } => Kind::Text,
            Self { bools: true, ints: false, floats: false, .. } => Kind::Bool,
            Self { bools: true, .. } => Kind::Text,
            Self { floats: true, .. } => Kind::F64,
            Self { ints: true, .. } if key == "ts" => Kind::Time,
            Self { ints: true, .. } => Kind::I64,
            Self { .. } => Kind::Text,
        }
    }
}

impl Cell<'_> {
    pub(crate) fn seen(&self) -> Seen {
        let none = Seen::default();
        match self {
            Self::Null => none,
            Self::Bool(_) => Seen { bools: true, ..none },
            Self::Int(_) => Seen { ints: true, ..none },
            Self::Uint(_) | Self::Float(_) => Seen { floats: true, ..none },
            Self::Text(_) | Self::Json(_) => Seen { other: true, ..none },
        }
    }

    pub(crate) fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(yes) => yes.into(),
            Self::Int(n) => n.into(),
            Self::Uint(n) => n.into(),
            Self::Float(x) => x.into(),
            Self::Text(text) => Json::String(text.0.into_owned()),
            Self::Json(json) => *json,
        }
    }

    /// As text, whatever it is.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(yes) => if *yes { "true" } else { "false" }.into(),
            Self::Int(n) => n.to_string().into(),
            Self::Uint(n) => n.to_string().into(),
            Self::Float(x) => Json::from(*x).to_string().into(),
            Self::Text(text) => text.as_str().into(),
            Self::Json(json) => json.to_string().into(),
        })
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Float(x) => Some(*x),
            Self::Int(n) => Some(*n as f64),
            Self::Uint(n) => Some(*n as f64),
            _ => None,
        }
    }

    pub(crate) fn uint(&self) -> Option<u64> {
        match self {
            Self::Int(n) => u64::try_from(*n).ok(),
            Self::Uint(n) => Some(*n),
            _ => None,
        }
    }

    /// Puts the value into a column of this kind; one that is of another kind leaves it empty.
    pub(crate) fn put<'r>(&self, kind: Kind, row: Row<'r>) -> Row<'r> {
        match (kind, self) {
            (Kind::Text, _) => row.put(self.text().as_deref()),
            (Kind::Bool, Self::Bool(yes)) => row.put(*yes),
            (Kind::F64, _) => row.put(self.float()),
            (Kind::U64, _) => row.put(self.uint()),
            (Kind::I64 | Kind::Time, Self::Int(n)) => row.put(*n),
            _ => row.put(Value::Null),
        }
    }
}

/// The entries of a line; of two of one name, both. None says that the line is no JSON object.
pub(crate) fn read<'a>(text: &'a str, mut entries: Entries<'a>) -> Option<Entries<'a>> {
    let mut scan = Scan::object(text).ok()?;
    while let Some(key) = scan.key().ok()? {
        entries.push((key, scan.value().ok()?));
    }
    scan.end().ok().map(|()| entries)
}

/// Keys and values in the order in which they were written.
pub(crate) type Entries<'a> = Vec<(Text<'a>, Cell<'a>)>;

/// The room that entries took, for those of another line.
pub(crate) fn room<'a>(mut entries: Entries<'_>) -> Entries<'a> {
    entries.clear();
    entries.into_iter().map(|(_, _)| (Text::default(), Cell::Null)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_json_library_reads_them() {
        let good = [
            r"{}",
            r#"{"a":1,"b":-2,"c":1.5,"d":true,"e":null,"f":"x","g":[1,{"h":"\u00e9"}],"i":{"j":[]}}"#,
            r#" { "a\n" : 18446744073709551615 , "b" : 9223372036854775808, "c": -0.0, "d": 1e3 } "#,
            r#"{"a":1,"a":"x"}"#,
        ];
        for line in good {
            let wanted: serde_json::Map<String, Json> = serde_json::from_str(line).expect("a good line");
            let entries = read(line, Vec::new()).expect("a good line");
            let got = entries.into_iter().map(|(key, cell)| (key.0.into_owned(), cell.into_json()));
            assert_eq!(got.collect::<serde_json::Map<_, _>>(), wanted);
        }
        for line in ["", "[]", "1", "{", r#"{"a":}"#, r#"{"a":1e999}"#, r#"{"a":["\ud800"]}"#, "{} {}"] {
            assert!(read(line, Vec::new()).is_none(), "{line}");
        }
    }
}
