//! TOML as a tree in which every value knows its line, and a reader that collects every problem on the way.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, in_order, nearest, shown};

/// A value together with the line that it was written in; no line if it was not written in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line, from 1.
    pub line: Option<u32>,
}

impl<T> At<T> {
    /// A value that no file holds.
    pub fn nowhere(value: T) -> Self {
        Self { value, line: None }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Int(i128),
    Float(f64),
    Bool(bool),
    Time(toml::value::Datetime),
    List(Vec<At<Self>>),
    Table(Table),
}

pub(crate) type Table = BTreeMap<String, At<Value>>;

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number with a point",
            Self::Bool(_) => "a bool",
            Self::Time(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value as a parameter carries it: texts as they are, numbers and bools in digits and words, lists and
    /// tables as JSON.
    pub(crate) fn as_param(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Time(time) => time.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::Float(x) => float_text(*x),
            Self::List(_) | Self::Table(_) => self.as_json().to_string(),
        }
    }

    fn as_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Time(time) => time.to_string().into(),
            // Numbers that JSON readers could round are written as text.
            Self::Int(n) => i64::try_from(*n).map_or_else(|_| n.to_string().into(), serde_json::Value::from),
            Self::Bool(yes) => (*yes).into(),
            Self::Float(x) => serde_json::Number::from_f64(*x).map_or(serde_json::Value::Null, Into::into),
            Self::List(items) => items.iter().map(|item| item.value.as_json()).collect(),
            Self::Table(table) => table
                .iter()
                .map(|(key, item)| (key.clone(), item.value.as_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The value as plain TOML, for settings that builders and backends read themselves.
    fn as_toml(&self) -> toml::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Time(time) => toml::Value::Datetime(*time),
            Self::Int(n) => i64::try_from(*n).map_or_else(|_| n.to_string().into(), toml::Value::Integer),
            Self::Bool(yes) => (*yes).into(),
            Self::Float(x) => (*x).into(),
            Self::List(items) => toml::Value::Array(items.iter().map(|item| item.value.as_toml()).collect()),
            Self::Table(table) => toml::Value::Table(as_toml_table(table)),
        }
    }
}

fn as_toml_table(table: &Table) -> toml::Table {
    table.iter().map(|(key, item)| (key.clone(), item.value.as_toml())).collect()
}

/// As Go's JSON encoder writes it, since defaults of published plans went through it.
fn float_text(x: f64) -> String {
    let size = x.abs();
    if x.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) { format!("{x:e}") } else { x.to_string() }
}

/// The lines of a text: from a byte to a line, and from a line of the filled-in text to that of the file.
struct Lines<'a> {
    starts: Vec<usize>,
    source: Option<&'a [u32]>,
}

impl<'a> Lines<'a> {
    fn new(text: &str, source: Option<&'a [u32]>) -> Self {
        let starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        Self { starts: starts.collect(), source }
    }

    fn of(&self, byte: usize) -> Option<u32> {
        let line = self.starts.partition_point(|start| *start <= byte);
        match self.source {
            Some(source) => source.get(line.saturating_sub(1)).or(source.last()).copied(),
            None => u32::try_from(line).ok(),
        }
    }
}

/// Reads TOML; `source` gives for each line of the text the line of the file that it was made from.
pub(crate) fn parse(file: &str, text: &str, source: Option<&[u32]>) -> Result<Table, Vec<Problem>> {
    let lines = Lines::new(text, source);
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let line = error.span().and_then(|span| lines.of(span.start));
            let text = format!("not TOML: {}", error.message());
            Problem::new(file, line, text).with_hint(syntax_hint(error.message()))
        })
        .collect();
    let table = table_of(file, root.into_inner(), &lines, &mut problems);
    if problems.is_empty() {
        return Ok(table);
    }
    // The reader goes on after an error, and what it finds later in the same line is mostly the echo of the first.
    let mut told = std::collections::BTreeSet::new();
    problems.retain(|problem| told.insert(problem.line));
    Err(in_order(problems))
}

fn table_of(file: &str, table: DeTable<'_>, lines: &Lines<'_>, problems: &mut Vec<Problem>) -> Table {
    let mut out = Table::new();
    for (key, value) in table {
        let line = lines.of(key.span().start);
        let value = value_of(file, value, lines, problems);
        // A table's own place is that of the first header that names it; a list of tables keeps those of its items.
        out.insert(key.into_inner().into_owned(), At { value: value.value, line });
    }
    out
}

fn value_of(file: &str, value: Spanned<DeValue<'_>>, lines: &Lines<'_>, problems: &mut Vec<Problem>) -> At<Value> {
    let line = lines.of(value.span().start);
    let mut bad = |text: String| {
        let hint = "put it in quotes if the plan takes it as a text, as parameters are taken";
        problems.push(Problem::new(file, line, text).with_hint(hint));
        Value::Bool(false)
    };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(n) => match i128::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Int(n),
            Err(_) => bad(format!("`{}` is too large a number", shown(n.as_str()))),
        },
        DeValue::Float(x) => match x.as_str().parse() {
            Ok(x) => Value::Float(x),
            Err(_) => bad(format!("`{}` is no number", shown(x.as_str()))),
        },
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(time) => Value::Time(time),
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| value_of(file, item, lines, problems)).collect())
        }
        DeValue::Table(table) => Value::Table(table_of(file, table, lines, problems)),
    };
    At { value, line }
}

/// Takes fields out of tables and notes what is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) file: &'a str,
    pub(crate) problems: Vec<Problem>,
}

/// A table whose keys were checked against the known ones.
pub(crate) struct Fields<'n> {
    /// How the table is named in messages: `[global]`.
    pub(crate) place: String,
    pub(crate) line: Option<u32>,
    entries: BTreeMap<&'static str, &'n At<Value>>,
}

impl<'n> Fields<'n> {
    pub(crate) fn get(&self, key: &str) -> Option<&'n At<Value>> {
        self.entries.get(key).copied()
    }
}

/// What to do about a text that is no TOML, from the words of the reader.
fn syntax_hint(message: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["duplicate key"]) {
        "keep one of the two; a second table of the same kind needs the header `[[…]]`"
    } else if has(&["values must be quoted", "invalid literal string"]) {
        "give every key a value, put texts in quotes, and commas between values of a list"
    } else if has(&["quote", "string"]) {
        "close texts with the quote that they begin with: `key = \"text\"`"
    } else if has(&["array", "`]`"]) {
        "close lists and headers with `]`, and put commas between values"
    } else if has(&["inline table", "`}`"]) {
        "keep `{ a = 1, b = 2 }` in one piece, with commas between its keys"
    } else {
        "write `key = value`, with texts in quotes, and headers as `[name]` or `[[name]]`"
    }
}

/// How a value of the wrong kind would be written right.
fn meant(key: &str, found: &Value, wanted: &str) -> String {
    let example = match wanted {
        "a whole number" => "3".to_owned(),
        "a number" => "0.5".to_owned(),
        "`true` or `false`" => "true".to_owned(),
        "a list of texts" => {
            format!("[\"{}\"]", if let Value::Text(text) = found { shown(text) } else { "a".to_owned() })
        }
        "a list of tables" => return format!("write the header `[[{key}]]`, and the keys of the table below it"),
        "a table" => return format!("write `{key} = {{ … }}`, or a header that ends in `{key}]`"),
        _ => format!("\"{}\"", shown(&found.as_param())),
    };
    match found {
        Value::Text(text) if text.trim().parse::<f64>().is_ok() && wanted.ends_with("number") => {
            format!("write it without quotes: `{key} = {}`", shown(text.trim()))
        }
        Value::Text(text) if matches!(text.as_str(), "true" | "false") && wanted.contains("true") => {
            format!("write it without quotes: `{key} = {text}`")
        }
        _ => format!("write `{key} = {example}`"),
    }
}

impl Reader<'_> {
    pub(crate) fn problem(&mut self, line: Option<u32>, text: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { file: self.file.to_owned(), line, text: text.into(), hint });
    }

    /// Checks the keys of a table. Testground's reader takes keys in any case, so ours does too.
    pub(crate) fn fields<'n>(
        &mut self,
        table: &'n Table,
        line: Option<u32>,
        place: impl Into<String>,
        known: &'static [&'static str],
    ) -> Fields<'n> {
        let place = place.into();
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let exact = known.iter().find(|k| *k == key);
            if let Some(name) = exact.or_else(|| known.iter().find(|k| k.eq_ignore_ascii_case(key))) {
                if entries.insert(*name, value).is_some() {
                    let hint = Some("case makes no difference: keep one of them".to_owned());
                    self.problem(value.line, format!("`{name}` is given twice in {place}"), hint);
                }
            } else {
                let hint = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("keys of {place}: {}", crate::problem::list(known)),
                };
                self.problem(value.line, format!("unknown key `{}` in {place}", shown(key)), Some(hint));
            }
        }
        Fields { place, line, entries }
    }

    fn wrong(&mut self, fields: &Fields<'_>, key: &str, found: &At<Value>, wanted: &str) {
        let text = format!("`{key}` in {} must be {wanted}, not {}", fields.place, found.value.kind());
        self.problem(found.line, text, Some(meant(key, &found.value, wanted)));
    }

    pub(crate) fn text(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<String>> {
        let found = fields.get(key)?;
        let Value::Text(text) = &found.value else {
            self.wrong(fields, key, found, "a text in quotes");
            return None;
        };
        Some(At { value: text.clone(), line: found.line })
    }

    /// A text that, when empty, counts as not given.
    pub(crate) fn some_text(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<String>> {
        self.text(fields, key).filter(|text| !text.value.is_empty())
    }

    pub(crate) fn required(&mut self, fields: &Fields<'_>, key: &str, hint: &str) -> Option<At<String>> {
        if fields.get(key).is_none() {
            self.problem(fields.line, format!("{} has no `{key}`", fields.place), Some(hint.to_owned()));
            return None;
        }
        let text = self.text(fields, key)?;
        if text.value.is_empty() {
            self.problem(text.line, format!("`{key}` in {} is empty", fields.place), Some(hint.to_owned()));
            return None;
        }
        Some(text)
    }

    pub(crate) fn count(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<u32>> {
        let found = fields.get(key)?;
        match &found.value {
            Value::Int(n) => match u32::try_from(*n) {
                Ok(n) => return Some(At { value: n, line: found.line }),
                Err(_) if *n < 0 => {
                    let hint = "use a whole number from 0 on".to_owned();
                    self.problem(found.line, format!("`{key}` in {} is negative", fields.place), Some(hint));
                }
                Err(_) => {
                    let hint = format!("the most is {}", u32::MAX);
                    self.problem(found.line, format!("`{key}` in {} is too large", fields.place), Some(hint));
                }
            },
            _ => self.wrong(fields, key, found, "a whole number"),
        }
        None
    }

    pub(crate) fn number(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<f64>> {
        let found = fields.get(key)?;
        let value = match &found.value {
            Value::Float(x) => *x,
            #[expect(clippy::cast_precision_loss, reason = "a share of 1; what loses digits here is refused later")]
            Value::Int(n) => *n as f64,
            _ => {
                self.wrong(fields, key, found, "a number");
                return None;
            }
        };
        Some(At { value, line: found.line })
    }

    pub(crate) fn bool(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<bool>> {
        let found = fields.get(key)?;
        let Value::Bool(yes) = found.value else {
            self.wrong(fields, key, found, "`true` or `false`");
            return None;
        };
        Some(At { value: yes, line: found.line })
    }

    pub(crate) fn table<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<(&'n Table, Option<u32>)> {
        let found = fields.get(key)?;
        let Value::Table(table) = &found.value else {
            self.wrong(fields, key, found, "a table");
            return None;
        };
        Some((table, found.line))
    }

    /// The items of a list of tables; a single table where a list is expected is a common slip and is named.
    pub(crate) fn tables<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Vec<(&'n Table, Option<u32>)> {
        let Some(found) = fields.get(key) else { return Vec::new() };
        match &found.value {
            Value::List(items) => {
                let mut out = Vec::new();
                for item in items {
                    match &item.value {
                        Value::Table(table) => out.push((table, item.line)),
                        other => {
                            let text =
                                format!("an item of `{key}` in {} must be a table, not {}", fields.place, other.kind());
                            self.problem(item.line, text, Some(meant(key, other, "a list of tables")));
                        }
                    }
                }
                return out;
            }
            Value::Table(_) => {
                let text = format!("`{key}` in {} must be a list of tables, not one table", fields.place);
                self.problem(found.line, text, Some(format!("write the header with two brackets: `[[{key}]]`")));
            }
            _ => self.wrong(fields, key, found, "a list of tables"),
        }
        Vec::new()
    }

    /// A table of free settings, as plain TOML.
    pub(crate) fn settings(&mut self, fields: &Fields<'_>, key: &str) -> toml::Table {
        self.table(fields, key).map(|(table, _)| as_toml_table(table)).unwrap_or_default()
    }

    /// A table from names to parameter values.
    pub(crate) fn params(&mut self, fields: &Fields<'_>, key: &str) -> BTreeMap<String, At<String>> {
        let Some((table, _)) = self.table(fields, key) else { return BTreeMap::new() };
        table.iter().map(|(k, v)| (k.clone(), At { value: v.value.as_param(), line: v.line })).collect()
    }

    pub(crate) fn texts(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        let Some(found) = fields.get(key) else { return Vec::new() };
        let Value::List(items) = &found.value else {
            self.wrong(fields, key, found, "a list of texts");
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => out.push(text.clone()),
                other => {
                    let text = format!("an item of `{key}` in {} must be a text, not {}", fields.place, other.kind());
                    self.problem(item.line, text, Some(meant(key, other, "a list of texts")));
                }
            }
        }
        out
    }
}
