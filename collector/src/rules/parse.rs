//! A file of rules, checked; what is wrong is told with file, line and key.

use std::collections::BTreeMap;

use serde::Deserialize;
use tg_model::record::is_own_table_name;
use tg_model::table::{Kind, Table};
use toml::Spanned;

use super::{Column, Declared, From, Into, Rule, Rules, Want};
use crate::dataset::segment::T;
use crate::error::CollectError;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<u32>,
    #[serde(default)]
    rule: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    files: Spanned<String>,
    table: Spanned<String>,
    #[serde(default)]
    when: BTreeMap<String, Spanned<toml::Value>>,
    columns: BTreeMap<String, Spanned<WrittenColumn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    at: Option<String>,
    value: Option<toml::Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    unit: Option<String>,
    doc: Option<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
}

/// The tables that a rule may fill, by the name that it gives them.
const KNOWN: [(&str, T); 8] = [
    ("metrics", T::Metrics),
    ("events", T::Events),
    ("connections", T::ConnEvents),
    ("conn_snapshots", T::ConnSnapshots),
    ("routing_table", T::RoutingTable),
    ("rt_events", T::RtEvents),
    ("peer_scores", T::PeerScores),
    ("readings", T::Readings),
];

/// The types that a column of an `x_` table may have.
const TYPES: [(&str, Want); 9] = [
    ("text", Want::Of(Kind::Text)),
    ("bool", Want::Of(Kind::Bool)),
    ("i64", Want::Of(Kind::I64)),
    ("u64", Want::Of(Kind::U64)),
    ("f64", Want::Of(Kind::F64)),
    ("time", Want::Of(Kind::Time)),
    ("duration", Want::Of(Kind::I64)),
    ("peer", Want::Peer),
    ("json", Want::Json),
];

/// The columns of `queries` that a rule may fill, and which it must.
pub(super) const QUERIES: [(&str, Want, bool); 13] = [
    ("lookup", Want::Of(Kind::Text), false),
    ("op", Want::Of(Kind::Text), true),
    ("tag", Want::Of(Kind::Text), false),
    ("target", Want::Of(Kind::Text), false),
    ("target_kad", Want::Of(Kind::Kad), false),
    ("key_group", Want::Of(Kind::Text), false),
    ("round", Want::Of(Kind::I32), false),
    ("start_ts", Want::Of(Kind::Time), true),
    ("end_ts", Want::Of(Kind::Time), false),
    ("duration_ns", Want::Of(Kind::I64), false),
    ("status", Want::Of(Kind::Text), true),
    ("term_reason", Want::Of(Kind::Text), false),
    ("results_expected", Want::Of(Kind::U32), false),
];

/// Columns that every row must have and that a rule need not name.
pub(super) fn default_of(table: T, column: &str) -> Option<&'static str> {
    match (table, column) {
        (T::Metrics, "source") => Some("rules"),
        (T::Metrics, "type") => Some("point"),
        (T::Metrics, "measure") => Some("value"),
        _ => None,
    }
}

/// The name that a rule gives a column of a table.
pub(super) fn name_of(column: &str) -> &str {
    column.strip_suffix("_idx").unwrap_or(column)
}

/// A table of the user's own, and what a rule declares for it.
type OwnTable = (String, Vec<Declared>);

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
}

impl Parser<'_> {
    fn wrong(&self, at: usize, what: impl std::fmt::Display) -> CollectError {
        let line = memchr::memchr_iter(b'\n', &self.text.as_bytes()[..at.min(self.text.len())]).count() + 1;
        CollectError::Rules(format!("{}:{line}: {what}", self.file))
    }

    fn rule(&self, written: Written) -> Result<(Rule, Option<OwnTable>), CollectError> {
        let at = written.files.span().start;
        let files = glob::Pattern::new(written.files.get_ref())
            .map_err(|error| self.wrong(at, format_args!("`files` is no pattern: {error}")))?;
        let table = written.table.get_ref().as_str();
        let at = written.table.span().start;
        let into = if table == "queries" {
            Into::Queries
        } else if let Some((_, known)) = KNOWN.iter().find(|(name, _)| *name == table) {
            Into::Known(*known)
        } else if let Some(own) = table.strip_prefix("x_").filter(|own| is_own_table_name(own)) {
            Into::Own(own.to_owned())
        } else {
            let known: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
            let known = known.join("`, `");
            return Err(self.wrong(
                at,
                format_args!(
                    "`table` is `{table}`: it can be `queries`, `{known}`, or `x_` and a name in small letters"
                ),
            ));
        };
        let mut columns = BTreeMap::new();
        let mut declared = Vec::new();
        for (name, column) in written.columns {
            let line_at = column.span().start;
            let column = column.into_inner();
            let (ready, about) = self.column(&into, &name, line_at, column)?;
            declared.extend(about);
            columns.insert(name, ready);
        }
        if let Some(missing) = missing(&into, &columns) {
            return Err(self.wrong(at, format_args!("`columns` lacks `{missing}`, which table `{table}` needs")));
        }
        let mut when = Vec::new();
        for (pointer, value) in written.when {
            let at = value.span().start;
            self.pointer(&pointer, "when", at)?;
            when.push((pointer, self.json(value.into_inner(), "when", at)?));
        }
        let own = if let Into::Own(own) = &into { Some((own.clone(), declared)) } else { None };
        Ok((Rule { files, when, into, columns }, own))
    }

    fn pointer(&self, pointer: &str, key: &str, at: usize) -> Result<(), CollectError> {
        let wrong = |why: &str| Err(self.wrong(at, format_args!("`{key}`: `{pointer}` is no JSON pointer: {why}")));
        if !pointer.starts_with('/') {
            return wrong("it begins with `/`");
        }
        // RFC 6901, section 3.
        if pointer.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
            return wrong("a `~` is written `~0`, and a `/` in a key `~1`");
        }
        Ok(())
    }

    fn json(&self, value: toml::Value, key: &str, at: usize) -> Result<serde_json::Value, CollectError> {
        serde_json::to_value(value).map_err(|error| self.wrong(at, format_args!("`{key}`: {error}")))
    }

    fn column(
        &self,
        into: &Into,
        name: &str,
        at: usize,
        column: WrittenColumn,
    ) -> Result<(Column, Option<Declared>), CollectError> {
        let wrong = |what: String| self.wrong(at, format_args!("column `{name}`: {what}"));
        let from = match (column.at, column.value) {
            (Some(pointer), None) => {
                self.pointer(&pointer, name, at)?;
                From::Pointer(pointer)
            }
            (None, Some(value)) => From::Constant(self.json(value, name, at)?),
            _ => return Err(wrong("give either `at`, a JSON pointer, or `value`, a constant".to_owned())),
        };
        let (want, duration) = match (into, column.kind.as_deref()) {
            (Into::Own(_), kind) => {
                if !is_own_table_name(name) || matches!(name, "run_id" | "file_id" | "line" | "instance") {
                    return Err(wrong(
                        "a column is named in small letters, digits and `_`, and not as one that every table has"
                            .to_owned(),
                    ));
                }
                let known = TYPES.map(|(name, _)| name).join("`, `");
                let kind = kind.ok_or_else(|| wrong(format!("`type` is missing: `{known}`")))?;
                let found = TYPES.iter().find(|(name, _)| *name == kind);
                let (_, want) = found.ok_or_else(|| wrong(format!("`type` is `{kind}`: it can be `{known}`")))?;
                if kind == "duration" && !name.ends_with("_ns") {
                    return Err(wrong("a duration is stored in nanoseconds, and its name ends in `_ns`".to_owned()));
                }
                (*want, kind == "duration")
            }
            (_, Some(_)) => return Err(wrong("`type` is for tables of your own: this table has types".to_owned())),
            (Into::Queries, None) => {
                let found = QUERIES.iter().find(|(known, ..)| *known == name);
                let known = QUERIES.map(|(name, ..)| name).join("`, `");
                let (_, want, _) = found.ok_or_else(|| wrong(format!("table `queries` takes `{known}`")))?;
                (*want, name.ends_with("_ns"))
            }
            (Into::Known(t), None) => {
                let want = wanted(t.table(), name).ok_or_else(|| {
                    let known: Vec<&str> = takes(t.table()).map(|(name, _)| name).collect();
                    wrong(format!("the table takes `{}`", known.join("`, `")))
                })?;
                (want, name.ends_with("_ns"))
            }
        };
        let timed = duration || want == Want::Of(Kind::Time);
        let scale_ns = match column.unit.as_deref() {
            _ if !timed => None,
            None | Some("ns") => Some(1),
            Some("us") => Some(1_000),
            Some("ms") => Some(1_000_000),
            Some("s") => Some(1_000_000_000),
            Some("rfc3339") if !duration => Some(1),
            Some(unit) => {
                return Err(wrong(format!(
                    "`unit` is `{unit}`: it can be `ns`, `us`, `ms`, `s`, or `rfc3339` for a time"
                )));
            }
        };
        if !timed && column.unit.is_some() && !matches!(into, Into::Own(_)) {
            return Err(wrong("`unit` is for times, durations and tables of your own".to_owned()));
        }
        let declared = matches!(into, Into::Own(_)).then(|| Declared {
            name: name.to_owned(),
            kind: match want {
                Want::Of(kind) => kind,
                Want::Peer | Want::Peers | Want::Json => Kind::Text,
            },
            unit: if timed { duration.then(|| "ns".to_owned()) } else { column.unit },
            doc: column.doc,
        });
        Ok((Column { from, want, scale_ns, words: column.words }, declared))
    }
}

/// What a rule may fill of a table.
fn takes(table: &'static Table) -> impl Iterator<Item = (&'static str, Want)> {
    table.columns.iter().filter(|column| !matches!(column.name, "instance" | "t_rel_ns" | "cpl")).filter_map(|column| {
        let want = match column.kind {
            Kind::U32 if column.name.ends_with("_idx") => Want::Peer,
            Kind::U32List => Want::Peers,
            Kind::TextMap | Kind::I64Map | Kind::Bytes => return None,
            kind => Want::Of(kind),
        };
        Some((name_of(column.name), want))
    })
}

fn wanted(table: &'static Table, name: &str) -> Option<Want> {
    takes(table).find(|(known, _)| *known == name).map(|(_, want)| want)
}

/// The first column that a table needs and that has no value.
fn missing(into: &Into, columns: &BTreeMap<String, Column>) -> Option<&'static str> {
    match into {
        Into::Own(_) => None,
        Into::Queries => {
            QUERIES.iter().find(|(name, _, must)| *must && !columns.contains_key(*name)).map(|(name, ..)| *name)
        }
        Into::Known(t) => t.table().columns.iter().find_map(|column| {
            let name = name_of(column.name);
            let own = matches!(column.name, "instance" | "t_rel_ns" | "raw_name")
                || matches!(column.kind, Kind::TextMap | Kind::U32List);
            (!column.nullable && !own && !columns.contains_key(name) && default_of(*t, column.name).is_none())
                .then_some(name)
        }),
    }
}

impl Rules {
    /// Reads rules; `file` is what messages call them.
    pub fn parse(file: &str, text: &str) -> Result<Self, CollectError> {
        let parser = Parser { file, text };
        let written: File = toml::from_str(text)
            .map_err(|error| parser.wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        if *written.version.get_ref() != VERSION {
            let at = written.version.span().start;
            let version = written.version.get_ref();
            return Err(parser.wrong(at, format_args!("`version` is {version}, and this tg reads {VERSION}")));
        }
        let mut rules = Vec::new();
        let mut declared: BTreeMap<String, Vec<Declared>> = BTreeMap::new();
        for written in written.rule {
            let at = written.table.span().start;
            let (rule, own) = parser.rule(written)?;
            if let Some((table, columns)) = own {
                let all = declared.entry(table).or_default();
                for column in columns {
                    match all.iter().find(|known| known.name == column.name) {
                        Some(known) if known.kind != column.kind => {
                            let name = column.name;
                            return Err(
                                parser.wrong(at, format_args!("column `{name}` has another `type` in an earlier rule"))
                            );
                        }
                        Some(_) => {}
                        None => all.push(column),
                    }
                }
            }
            rules.push(rule);
        }
        Ok(Self { text: text.to_owned(), list: rules, declared })
    }
}
