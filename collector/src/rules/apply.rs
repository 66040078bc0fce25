//! A line by the rules for its file.

use serde_json::{Map, Value as Json};
use tg_model::table::Kind;

use super::parse::{default_of, name_of};
use super::{Column, From, Into, Rule, Rules, Want};
use crate::dataset::lookups::StepRow;
use crate::dataset::segment::{Segment, T};
use crate::read::facts::Facts;
use crate::read::json::Ns;
use crate::read::{At, Fate, peer, run_out};

/// A value of a row that is to be.
#[derive(Debug, Clone, PartialEq)]
enum Got {
    Nothing,
    Text(String),
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Place([u8; 32]),
    Peer(String),
    Peers(Vec<String>),
}

/// Reads a line by rules, given by number. Either all rules that want the line get it, or it is a note.
pub(crate) fn read(
    rules: &Rules,
    which: &[usize],
    segment: &mut Segment,
    facts: &mut Facts,
    at: At,
    file: &str,
    line: &str,
) -> Fate {
    if line.trim().is_empty() {
        return Fate::Noted("blank-line");
    }
    let Ok(record) = serde_json::from_str::<Json>(line) else { return Fate::Noted("not-json") };
    let mut ready = Vec::new();
    for rule in which.iter().filter_map(|&at| rules.list.get(at)) {
        if !rule.when.iter().all(|(pointer, value)| record.pointer(pointer) == Some(value)) {
            continue;
        }
        let mut values = Vec::with_capacity(rule.columns.len());
        for (name, column) in &rule.columns {
            match get(column, &record) {
                Ok(got) => values.push((name.as_str(), got)),
                Err(()) => return Fate::Noted("bad-value"),
            }
        }
        if !complete(rule, &values) {
            return Fate::Noted("missing-value");
        }
        ready.push((rule, values));
    }
    if ready.is_empty() {
        return run_out::log(segment, at, file, line);
    }
    for (rule, values) in ready {
        if let Got::Int(ts) = find(&values, "ts") {
            facts.saw(Some(Ns(*ts)));
        }
        match &rule.into {
            Into::Known(t) => known(*t, &values, segment, at),
            Into::Queries => query(&values, segment, at),
            Into::Own(table) => {
                let object: Map<String, Json> =
                    values.into_iter().map(|(name, got)| (name.to_owned(), json(got))).collect();
                let taken = segment.own(table, at.instance, at.file_id, at.line, &Json::Object(object).to_string());
                debug_assert!(taken, "it is an object of our own");
            }
        }
    }
    Fate::Mapped
}

fn get(column: &Column, record: &Json) -> Result<Got, ()> {
    let value = match &column.from {
        From::Constant(value) => value,
        From::Pointer(pointer) => match record.pointer(pointer) {
            None | Some(Json::Null) => return Ok(Got::Nothing),
            Some(value) => value,
        },
    };
    let word;
    let value = match value.as_str().and_then(|text| column.words.get(text)) {
        Some(known) => {
            word = Json::String(known.clone());
            &word
        }
        None => value,
    };
    convert(column, value).ok_or(())
}

fn convert(column: &Column, value: &Json) -> Option<Got> {
    if let Some(scale) = column.scale_ns {
        return nanoseconds(value, scale).map(Got::Int);
    }
    let int = || value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let uint = || value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let small = |least: i64, most: i64| int().filter(|n| (least..=most).contains(n)).map(Got::Int);
    let count = |most: u64| uint().filter(|&n| n <= most).map(Got::Uint);
    Some(match column.want {
        Want::Peer => Got::Peer(peer::from_base64(value.as_str()?)),
        Want::Peers => {
            let ids = value.as_array()?.iter().map(|id| id.as_str().map(peer::from_base64));
            Got::Peers(ids.collect::<Option<_>>()?)
        }
        Want::Json => Got::Text(value.to_string()),
        Want::Of(kind) => match kind {
            Kind::Text => Got::Text(match value {
                Json::String(text) => text.clone(),
                Json::Number(_) | Json::Bool(_) => value.to_string(),
                _ => return None,
            }),
            Kind::Bool => Got::Bool(value.as_bool()?),
            Kind::U8 => count(u64::from(u8::MAX))?,
            Kind::U16 => count(u64::from(u16::MAX))?,
            Kind::U32 => count(u64::from(u32::MAX))?,
            Kind::U64 => count(u64::MAX)?,
            Kind::I8 => small(-128, 127)?,
            Kind::I32 => small(i64::from(i32::MIN), i64::from(i32::MAX))?,
            Kind::I64 => Got::Int(int()?),
            Kind::F32 | Kind::F64 => Got::Float(value.as_f64().or_else(|| value.as_str()?.parse().ok())?),
            Kind::Time => Got::Int(nanoseconds(value, 1)?),
            Kind::Kad => {
                let text = value.as_str()?;
                let bytes = peer::kad_from_hex(text).or_else(|| peer::base64(text)?.try_into().ok());
                Got::Place(bytes?)
            }
            Kind::Bytes | Kind::TextMap | Kind::I64Map | Kind::U32List => return None,
        },
    })
}

/// A time or a duration in nanoseconds: a number of some unit, or a date and time.
fn nanoseconds(value: &Json, scale: i64) -> Option<i64> {
    if let Some(n) = value.as_i64() {
        return n.checked_mul(scale);
    }
    if let Some(x) = value.as_f64() {
        let ns = x * scale as f64;
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        return (ns.abs() < 9.2e18).then_some(ns.round() as i64);
    }
    let text = value.as_str()?;
    if let Ok(n) = text.parse::<i64>() {
        return n.checked_mul(scale);
    }
    i64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

/// Whether every value is there that the table needs.
fn complete(rule: &Rule, values: &[(&str, Got)]) -> bool {
    let absent = |name: &str| values.iter().all(|(known, got)| *known != name || *got == Got::Nothing);
    match &rule.into {
        Into::Own(_) => values.iter().any(|(_, got)| *got != Got::Nothing),
        Into::Queries => !super::parse::QUERIES.iter().any(|(name, _, must)| *must && absent(name)),
        Into::Known(t) => !t.table().columns.iter().any(|column| {
            let free = column.nullable
                || matches!(column.name, "instance" | "t_rel_ns" | "raw_name")
                || matches!(column.kind, Kind::TextMap | Kind::U32List)
                || default_of(*t, column.name).is_some();
            !free && absent(name_of(column.name))
        }),
    }
}

fn find<'v>(values: &'v [(&str, Got)], name: &str) -> &'v Got {
    values.iter().find(|(known, _)| *known == name).map_or(&Got::Nothing, |(_, got)| got)
}

fn known(t: T, values: &[(&str, Got)], segment: &mut Segment, at: At) {
    // Peers get their numbers before the row begins.
    let mut numbers: Vec<Vec<u32>> = Vec::new();
    for column in t.table().columns {
        numbers.push(match find(values, name_of(column.name)) {
            Got::Peer(id) => vec![segment.peer(id)],
            Got::Peers(ids) => ids.iter().map(|id| segment.peer(id)).collect(),
            _ => Vec::new(),
        });
    }
    let mut row = segment.row(t, at.file_id, at.line);
    for (column, numbers) in t.table().columns.iter().zip(&numbers) {
        let got = match column.name {
            "raw_name" => find(values, "raw_name").clone(),
            _ => find(values, name_of(column.name)).clone(),
        };
        row = match (&got, column.kind) {
            _ if column.name == "instance" => row.put(at.instance),
            (_, Kind::TextMap) => row.put(&[][..] as &[(String, String)]),
            (_, Kind::U32List) => row.put(numbers.as_slice()),
            (Got::Nothing, _) if column.name == "raw_name" => match find(values, "name") {
                Got::Text(name) => row.put(name.as_str()),
                _ => row.put(""),
            },
            (Got::Nothing, _) => row.put(default_of(t, column.name)),
            (Got::Text(text), _) => row.put(text.as_str()),
            (Got::Bool(yes), _) => row.put(*yes),
            (Got::Int(n), _) => row.put(*n),
            (Got::Uint(n), _) => row.put(*n),
            (Got::Float(x), _) => row.put(*x),
            (Got::Place(place), _) => row.put(place),
            (Got::Peer(_) | Got::Peers(_), _) => row.put(numbers.first().copied()),
        };
    }
    row.end();
}

/// A lookup that one line tells of: its begin and its end, and nothing of what lay between.
fn query(values: &[(&str, Got)], segment: &mut Segment, at: At) {
    let text = |name: &str| if let Got::Text(text) = find(values, name) { Some(text.as_str()) } else { None };
    let int = |name: &str| if let Got::Int(n) = find(values, name) { Some(*n) } else { None };
    let Some(start) = int("start_ts") else { return };
    let end = int("end_ts").or_else(|| start.checked_add(int("duration_ns")?));
    let place = if let Got::Place(place) = find(values, "target_kad") { Some(*place) } else { None };
    let key = format!("{} {}", at.file_id, at.line);
    let row = StepRow {
        quality: "record",
        key: &key,
        lookup: Some(text("lookup").unwrap_or(&key)),
        ts: start,
        kind: "start",
        op: text("op"),
        tag: text("tag"),
        target: text("target"),
        target_kad: place.or_else(|| peer::kad(text("target")?)),
        key_group: text("key_group"),
        round: int("round").and_then(|n| i32::try_from(n).ok()),
        status: text("status"),
        reason: text("term_reason"),
        results_expected: if let Got::Uint(n) = find(values, "results_expected") {
            u32::try_from(*n).ok()
        } else {
            None
        },
        ..StepRow::default()
    };
    row.put(segment, at);
    if let Some(ts) = end {
        StepRow { kind: "terminate", ts, ..row }.put(segment, at);
    }
}

fn json(got: Got) -> Json {
    match got {
        Got::Nothing => Json::Null,
        Got::Text(text) | Got::Peer(text) => Json::String(text),
        Got::Bool(yes) => Json::Bool(yes),
        Got::Int(n) => n.into(),
        Got::Uint(n) => n.into(),
        Got::Float(x) => x.into(),
        Got::Place(place) => Json::String(crate::read::lines::hex(&place)),
        Got::Peers(ids) => ids.into(),
    }
}
