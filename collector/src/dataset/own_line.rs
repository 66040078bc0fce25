//! One line of a table of the author's own: its keys and what their values are, read without a copy where that can be.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use tg_model::table::Kind;

use super::rows::{Row, Value};
use crate::read::json::Text;

/// What the values of a key were so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    bools: bool,
    ints: bool,
    floats: bool,
    other: bool,
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

/// One value of a line.
#[derive(Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// One that is no `i64`.
    Uint(u64),
    Float(f64),
    Text(Text<'a>),
    /// A list or an object.
    Json(Json),
}

impl Cell<'_> {
    pub(crate) fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(yes) => yes.into(),
            Self::Int(n) => n.into(),
            Self::Uint(n) => n.into(),
            Self::Float(x) => x.into(),
            Self::Text(text) => Json::String(text.0.into_owned()),
            Self::Json(json) => json,
        }
    }

    /// Puts the value into a column of this kind; one that is of another kind leaves it empty.
    pub(crate) fn put<'r>(&self, kind: Kind, row: Row<'r>) -> Row<'r> {
        match (kind, self) {
            (Kind::Text, Self::Text(text)) => row.put(text.as_str()),
            (Kind::Text, Self::Json(json)) => row.put(json.to_string().as_str()),
            (Kind::Text, Self::Bool(yes)) => row.put(if *yes { "true" } else { "false" }),
            (Kind::Text, Self::Int(n)) => row.put(n.to_string().as_str()),
            (Kind::Text, Self::Uint(n)) => row.put(n.to_string().as_str()),
            (Kind::Text, Self::Float(x)) => row.put(Json::from(*x).to_string().as_str()),
            (Kind::Bool, Self::Bool(yes)) => row.put(*yes),
            (Kind::F64, Self::Float(x)) => row.put(*x),
            (Kind::F64, Self::Int(n)) => row.put(*n as f64),
            (Kind::F64, Self::Uint(n)) => row.put(*n as f64),
            (Kind::U64, Self::Int(n)) => row.put(u64::try_from(*n).ok()),
            (Kind::U64, Self::Uint(n)) => row.put(*n),
            (Kind::I64 | Kind::Time, Self::Int(n)) => row.put(*n),
            _ => row.put(Value::Null),
        }
    }
}

/// A value that is only looked at.
impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Seen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Seen, E> {
                Ok(Seen::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
                Ok(Seen { bools: true, ..Seen::default() })
            }
            fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
                Ok(Seen { ints: true, ..Seen::default() })
            }
            fn visit_u64<E>(self, n: u64) -> Result<Seen, E> {
                let ints = i64::try_from(n).is_ok();
                Ok(Seen { ints, floats: !ints, ..Seen::default() })
            }
            fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
                Ok(Seen { floats: true, ..Seen::default() })
            }
            fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
                Ok(Seen { other: true, ..Seen::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Seen, A::Error> {
                // As values: what is skipped is not checked, and could not be read later.
                while seq.next_element::<Seen>()?.is_some() {}
                Ok(Seen { other: true, ..Seen::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
                while map.next_entry::<Text<'de>, Seen>()?.is_some() {}
                Ok(Seen { other: true, ..Seen::default() })
            }
        }
        deserializer.deserialize_any(Look)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Cell<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
                Ok(Cell::Null)
            }
            fn visit_bool<E>(self, yes: bool) -> Result<Cell<'de>, E> {
                Ok(Cell::Bool(yes))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Cell<'de>, E> {
                Ok(Cell::Int(n))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Cell<'de>, E> {
                Ok(i64::try_from(n).map_or(Cell::Uint(n), Cell::Int))
            }
            fn visit_f64<E>(self, x: f64) -> Result<Cell<'de>, E> {
                Ok(Cell::Float(x))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Text(text.into())))
            }
            fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Text(text.to_owned().into())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Cell<'de>, A::Error> {
                Json::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(Cell::Json)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell<'de>, A::Error> {
                Json::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Cell::Json)
            }
        }
        deserializer.deserialize_any(Take)
    }
}

/// Reads an object entry by entry: `each` hears the number of the entry, its key and its value.
struct Entries<E, V>(E, PhantomData<V>);

impl<'de, V: Deserialize<'de>, E: FnMut(usize, Text<'de>, V)> Visitor<'de> for Entries<E, V> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut nth = 0;
        while let Some((key, value)) = map.next_entry()? {
            self.0(nth, key, value);
            nth += 1;
        }
        Ok(())
    }
}

fn entries<'a, V: Deserialize<'a>>(
    text: &'a str,
    each: impl FnMut(usize, Text<'a>, V),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Entries(each, PhantomData))?;
    json.end()
}

/// The keys of a line, and what their values are. An error says that the line is no JSON object.
pub(crate) fn look(text: &str) -> Result<Vec<(Text<'_>, Seen)>, serde_json::Error> {
    let mut found = Vec::with_capacity(16);
    entries(text, |_, key, seen| found.push((key, seen)))?;
    Ok(found)
}

/// Gives the number, the key and the value of each entry of a line.
pub(crate) fn read<'a>(text: &'a str, each: impl FnMut(usize, Text<'a>, Cell<'a>)) -> Result<(), serde_json::Error> {
    entries(text, each)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked at and what is read is the same, in the words of the JSON library.
    #[test]
    fn lines_are_seen_as_they_are_read() {
        let good = [
            r"{}",
            r#"{"a":1,"b":-2,"c":1.5,"d":true,"e":null,"f":"x","g":[1,{"h":"\u00e9"}],"i":{"j":[]}}"#,
            r#" { "a\n" : 18446744073709551615 , "b" : 9223372036854775808, "c": -0.0, "d": 1e3 } "#,
            r#"{"a":1,"a":"x"}"#,
        ];
        for line in good {
            let wanted: serde_json::Map<String, Json> = serde_json::from_str(line).expect("a good line");
            let mut got = serde_json::Map::new();
            read(line, |_, key, cell| drop(got.insert(key.as_str().to_owned(), cell.into_json())))
                .expect("a good line");
            assert_eq!(got, wanted);
            for (key, seen) in look(line).expect("a good line") {
                let value = &wanted[key.as_str()];
                let wanted = match value {
                    Json::Null => Seen::default(),
                    Json::Bool(_) => Seen { bools: true, ..Seen::default() },
                    Json::Number(n) if n.as_i64().is_some() => Seen { ints: true, ..Seen::default() },
                    Json::Number(_) => Seen { floats: true, ..Seen::default() },
                    _ => Seen { other: true, ..Seen::default() },
                };
                // Of two of one name the last one counts.
                assert!(seen == wanted || line.contains(r#""a":1,"a""#), "{line}: {seen:?}");
            }
        }
        for line in
            ["", "[]", "1", "{", r#"{"a":}"#, r#"{"a":1e999}"#, r#"{"a":["\ud800"]}"#, "{} {}", r#"{"a":{"b":1e999}}"#]
        {
            assert!(look(line).is_err() && read(line, |_, _, _| {}).is_err(), "{line}");
        }
    }
}
