//! What templates compute with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Time(toml::value::Datetime),
    List(Rc<Vec<Self>>),
    Table(Rc<BTreeMap<String, Self>>),
    /// The environment, which is asked by name and cannot be listed.
    Env,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Value {
    /// Of a TOML file.
    pub(super) fn of_toml(value: toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::Text(text.into()),
            toml::Value::Integer(n) => Self::Int(n),
            toml::Value::Float(x) => Self::Float(x),
            toml::Value::Boolean(yes) => Self::Bool(yes),
            toml::Value::Datetime(time) => Self::Time(time),
            toml::Value::Array(items) => Self::List(Rc::new(items.into_iter().map(Self::of_toml).collect())),
            toml::Value::Table(table) => {
                Self::Table(Rc::new(table.into_iter().map(|(key, value)| (key, Self::of_toml(value))).collect()))
            }
        }
    }

    /// As TOML; nothing for what TOML cannot hold.
    pub(super) fn to_toml(&self) -> Option<toml::Value> {
        Some(match self {
            Self::Nil | Self::Env => return None,
            Self::Bool(yes) => toml::Value::Boolean(*yes),
            Self::Int(n) => toml::Value::Integer(*n),
            Self::Float(x) => toml::Value::Float(*x),
            Self::Text(text) => toml::Value::String(text.as_ref().to_owned()),
            Self::Time(time) => toml::Value::Datetime(*time),
            Self::List(items) => toml::Value::Array(items.iter().map(Self::to_toml).collect::<Option<_>>()?),
            Self::Table(table) => toml::Value::Table(
                table.iter().map(|(key, value)| Some((key.clone(), value.to_toml()?))).collect::<Option<_>>()?,
            ),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "no value",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number with a point",
            Self::Text(_) => "a text",
            Self::Time(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Env => "the environment",
        }
    }

    /// Go's truth: nothing, zero and what is empty are false.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(yes) => *yes,
            Self::Int(n) => *n != 0,
            Self::Float(x) => *x != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Table(table) => !table.is_empty(),
            Self::Time(_) | Self::Env => true,
        }
    }

    /// Writes the value as Go's `%v` does, but stops once more than `most` bytes are there.
    pub(super) fn write(&self, out: &mut String, most: usize) {
        if out.len() > most {
            return;
        }
        match self {
            Self::Nil => out.push_str("<nil>"),
            Self::Env => out.push_str("map[…]"),
            Self::Text(text) => out.push_str(text),
            Self::Float(x) => out.push_str(&float(*x)),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    item.write(out, most);
                }
                out.push(']');
            }
            Self::Table(table) => {
                out.push_str("map[");
                for (i, (key, value)) in table.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    out.push_str(key);
                    out.push(':');
                    value.write(out, most);
                }
                out.push(']');
            }
            // Writing to a text does not fail.
            Self::Bool(yes) => drop(write!(out, "{yes}")),
            Self::Int(n) => drop(write!(out, "{n}")),
            Self::Time(time) => drop(write!(out, "{time}")),
        }
    }
}

/// Go's shortest form: with an exponent below 1e-4 and from 1e21.
pub(super) fn float(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() || size == 0.0 || (1e-4..1e21).contains(&size) {
        return x.to_string();
    }
    let text = format!("{x:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}
