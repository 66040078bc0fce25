//! Metric records, and the three ways in which tags hide in their names.

use std::borrow::Cow;

use serde::Deserialize;

use super::facts::Facts;
use super::json::{Ns, Text};
use super::scan::{Cell, Scan};
use super::{At, Fate, operations};
use crate::dataset::segment::{Segment, T};

/// A metric's name without its tags.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) base: Cow<'a, str>,
    pub(crate) tags: Tags<'a>,
}

/// Tags by name.
pub(crate) type Tags<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Takes a name apart.
///
/// `name,key=value,…` is what SDKs write; `key:value/…/name:metric` what the bitswap plans wrote;
/// `name|status|group|index` and `name-index` what the DHT plan wrote.
pub(crate) fn split(raw: &str) -> Name<'_> {
    if let Some(name) = slashes(raw) {
        return name;
    }
    if raw.contains('|') {
        return bars(raw);
    }
    if let Some((base, stage)) = stage(raw) {
        return Name { base: Cow::Borrowed(base), tags: vec![("stage".into(), stage.into())] };
    }
    let mut parts = raw.split(',');
    let base = parts.next().unwrap_or(raw);
    let tags = sorted(parts.filter_map(|part| part.split_once('=')).filter(|(key, _)| !key.is_empty()));
    if tags.is_empty()
        && let Some((stem, number)) = base.rsplit_once('-')
        && DHT_NUMBERED.contains(&stem)
        && number.bytes().all(|b| b.is_ascii_digit())
        && !number.is_empty()
    {
        return Name { base: Cow::Borrowed(stem), tags: vec![("index".into(), number.into())] };
    }
    Name { base: Cow::Borrowed(base), tags }
}

/// The names of the DHT plan's stager: `signal <stage>`, `full <stage>`, and `barrier<stage>` without a space.
fn stage(raw: &str) -> Option<(&str, &str)> {
    let (base, stage) = match raw.split_once(' ') {
        Some((base @ ("signal" | "full"), stage)) => (base, stage),
        _ => ("barrier", raw.strip_prefix("barrier")?),
    };
    stage.starts_with(|c: char| c.is_ascii_alphanumeric()).then_some((base, stage))
}

/// The DHT plan's names that end in the number of the operation.
const DHT_NUMBERED: [&str; 7] = [
    "time-to-peer",
    "time-to-failed-peer",
    "time-to-gcp",
    "gcp-peers-found",
    "time-to-provide",
    "time-to-put",
    "time-to-failed-put",
];

fn sorted<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Tags<'a> {
    let mut tags: Tags<'a> = tags.map(|(key, value)| (key.into(), value.into())).collect();
    tags.sort();
    tags.dedup_by(|a, b| a.0 == b.0);
    tags
}

fn slashes(raw: &str) -> Option<Name<'_>> {
    if !raw.contains('/') {
        return None;
    }
    let pairs: Option<Vec<(&str, &str)>> = raw.split('/').map(|part| part.split_once(':')).collect();
    let pairs = pairs?;
    let (_, base) = *pairs.iter().find(|(key, _)| *key == "name")?;
    let tags = sorted(pairs.iter().copied().filter(|(key, _)| *key != "name"));
    Some(Name { base: Cow::Borrowed(base), tags })
}

fn bars(raw: &str) -> Name<'_> {
    let parts: Vec<&str> = raw.split('|').collect();
    let keys: &[&str] = match (parts[0], parts.len()) {
        ("time-to-find-first" | "time-to-get-first", 3) => &["key_group", "index"],
        ("incomplete-get", 4) => &["key_group", "record", "index"],
        (_, 4) => &["status", "key_group", "index"],
        (_, 5) => &["status", "key_group", "record", "index"],
        _ => &[],
    };
    if keys.is_empty() {
        let tags = parts[1..].iter().enumerate().map(|(i, part)| (format!("tag{}", i + 1).into(), (*part).into()));
        return Name { base: Cow::Borrowed(parts[0]), tags: tags.collect() };
    }
    Name { base: Cow::Borrowed(parts[0]), tags: sorted(keys.iter().copied().zip(parts[1..].iter().copied())) }
}

#[derive(Deserialize)]
struct Line<'a> {
    ts: Ns,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    measures: Measures<'a>,
    #[serde(borrow, default)]
    unit: Option<Text<'a>>,
    #[serde(default)]
    dir: Option<i8>,
}

/// Measures in the order in which they were written, numbers only.
struct Measures<'a>(Vec<(Text<'a>, Option<f64>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Measures<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> serde::de::Visitor<'de> for Take {
            type Value = Measures<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("measures by name")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Measures<'de>, A::Error> {
                let mut measures = Vec::with_capacity(map.size_hint().unwrap_or(4));
                while let Some(entry) = map.next_entry()? {
                    measures.push(entry);
                }
                Ok(Measures(measures))
            }
        }
        deserializer.deserialize_map(Take)
    }
}

/// A line as the SDKs write it; any other is read as JSON at large.
fn usual(line: &str) -> Option<Line<'_>> {
    let mut scan = Scan::object(line).ok()?;
    let (mut ts, mut kind, mut name, mut measures, mut unit, mut dir) = (None, None, None, None, None, None);
    while let Some(key) = scan.key().ok()? {
        let twice = match key.as_str() {
            "ts" => ts.replace(Ns(int(&scan.value().ok()?)?)).is_some(),
            "type" => kind.replace(text(scan.value().ok()?)?).is_some(),
            "name" => name.replace(text(scan.value().ok()?)?).is_some(),
            "unit" => unit.replace(text(scan.value().ok()?)?).is_some(),
            "dir" => dir.replace(i8::try_from(int(&scan.value().ok()?)?).ok()?).is_some(),
            "measures" => {
                if !scan.enter() {
                    return None;
                }
                let mut all = Vec::with_capacity(4);
                while let Some(key) = scan.key().ok()? {
                    let cell = scan.value().ok()?;
                    let number = cell.float();
                    if number.is_none() && cell != Cell::Null {
                        return None;
                    }
                    all.push((key, number));
                }
                measures.replace(Measures(all)).is_some()
            }
            _ => return None,
        };
        if twice {
            return None;
        }
    }
    scan.end().ok()?;
    Some(Line { ts: ts?, kind: kind?, name: name?, measures: measures?, unit, dir })
}

fn int(cell: &Cell<'_>) -> Option<i64> {
    if let Cell::Int(n) = cell { Some(*n) } else { None }
}

fn text(cell: Cell<'_>) -> Option<Text<'_>> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

/// Reads a line of `results.out` or `diagnostics.out`.
pub(crate) fn read(segment: &mut Segment, facts: &mut Facts, source: &str, at: At, line: &str) -> Fate {
    if line.trim().is_empty() {
        return Fate::Noted("blank-line");
    }
    let parsed = usual(line).map_or_else(|| serde_json::from_str(line), Ok);
    let mut parsed: Line<'_> = match parsed {
        Ok(parsed) => parsed,
        Err(error) if error.is_data() => return Fate::Noted("bad-record"),
        Err(_) => return Fate::Noted("not-json"),
    };
    parsed.measures.0.retain(|(_, value)| value.is_some());
    if parsed.measures.0.is_empty() {
        return Fate::Noted("no-measure");
    }
    parsed.measures.0.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    facts.saw(Some(parsed.ts));
    let name = split(parsed.name.as_str());
    purpose(facts, &name.base);
    if source == "results"
        && let Some((_, Some(value))) = parsed.measures.0.iter().find(|(measure, _)| measure.as_str() == "value")
    {
        operations::tell(segment, facts, at, parsed.ts.0, &name, *value);
    }
    for (measure, value) in &parsed.measures.0 {
        segment
            .row(T::Metrics, at.file_id, at.line)
            .put(at.instance)
            .put(parsed.ts.0)
            .put(None::<i64>)
            .put(source)
            .put(name.base.as_ref())
            .put(parsed.name.as_str())
            .put(parsed.kind.as_str())
            .put(measure.as_str())
            .put(*value)
            .put(parsed.unit.as_ref().map(Text::as_str))
            .put(parsed.dir)
            .put(name.tags.as_slice())
            .end();
    }
    Fate::Mapped
}

/// Remembers what the instance did with provider records: their lookups do not say.
fn purpose(facts: &mut Facts, name: &str) {
    facts.provides |= name == "time-to-provide";
    facts.finds |= name == "time-to-find";
}

/// A metric of the first generation, from `run.out`.
#[expect(clippy::too_many_arguments, reason = "the fields of one record")]
pub(crate) fn point(
    segment: &mut Segment,
    facts: &mut Facts,
    at: At,
    ts: Ns,
    raw: &str,
    value: f64,
    unit: Option<&str>,
    dir: Option<i8>,
) {
    let name = split(raw);
    purpose(facts, &name.base);
    operations::tell(segment, facts, at, ts.0, &name, value);
    segment
        .row(T::Metrics, at.file_id, at.line)
        .put(at.instance)
        .put(ts.0)
        .put(None::<i64>)
        .put("run")
        .put(name.base.as_ref())
        .put(raw)
        .put("point")
        .put("value")
        .put(value)
        .put(unit)
        .put(dir)
        .put(name.tags.as_slice())
        .end();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read the short way is what the long one makes of it.
    #[test]
    fn usual_lines_are_read_as_the_json_library_reads_them() {
        let same = |line: &str| {
            let short = usual(line);
            let long = serde_json::from_str::<Line<'_>>(line);
            let show = |line: &Line<'_>| {
                let measures: Vec<_> = line.measures.0.iter().map(|(key, x)| (key.0.clone(), *x)).collect();
                let unit = line.unit.as_ref().map(|unit| unit.0.clone());
                format!("{:?} {:?} {:?} {measures:?} {unit:?} {:?}", line.ts, line.kind, line.name, line.dir)
            };
            if let Some(short) = &short {
                assert_eq!(show(short), show(&long.expect(line)), "{line}");
            }
            short.is_some()
        };
        for usual in [
            r#"{"ts":1,"type":"point","name":"a,b=c","measures":{"value":1.5}}"#,
            r#"{"ts": -7, "type": "point", "name": "a\n", "measures": {"p50": 18446744073709551615, "p95": null}}"#,
            r#"{"measures":{},"name":"","type":"","ts":0,"unit":"ns","dir":-1}"#,
        ] {
            assert!(same(usual), "{usual}");
        }
        for other in [
            r#"{"ts":1.5e18,"type":"point","name":"a","measures":{"value":1}}"#,
            r#"{"ts":1,"ts":2,"type":"point","name":"a","measures":{"value":1}}"#,
            r#"{"ts":1,"type":"point","name":"a","measures":{"value":"1"}}"#,
            r#"{"ts":1,"type":"point","name":"a","measures":{"value":1},"dir":300}"#,
            r#"{"ts":1,"type":"point","name":"a","measures":[]}"#,
            r#"{"ts":1,"type":"point","name":"a","measures":{"value":1},"more":1}"#,
            r#"{"ts":1,"type":"point","name":"a","measures":{"value":1}} "x""#,
            r#"{"ts":1,"type":"point","name":"a"}"#,
        ] {
            assert!(!same(other), "{other}");
        }
    }

    #[test]
    fn tags_are_found_in_all_three_ways() {
        type Tags = &'static [(&'static str, &'static str)];
        let cases: [(&str, &str, Tags); 13] = [
            ("rtt", "rtt", &[]),
            ("rtt,to=b,from=a,broken", "rtt", &[("from", "a"), ("to", "b")]),
            (
                "latencyMS:5/run:1/nodeType:Leech/name:time_to_fetch",
                "time_to_fetch",
                &[("latencyMS", "5"), ("nodeType", "Leech"), ("run", "1")],
            ),
            ("requests/second", "requests/second", &[]),
            ("time-to-find-first|providers|3", "time-to-find-first", &[("index", "3"), ("key_group", "providers")]),
            ("time-to-find|done|g|7", "time-to-find", &[("index", "7"), ("key_group", "g"), ("status", "done")]),
            (
                "record-updates|done|g|2|7",
                "record-updates",
                &[("index", "7"), ("key_group", "g"), ("record", "2"), ("status", "done")],
            ),
            ("time-to-provide-12", "time-to-provide", &[("index", "12")]),
            ("my-metric-12", "my-metric-12", &[]),
            ("signal find", "signal", &[("stage", "find")]),
            ("barrierfind", "barrier", &[("stage", "find")]),
            ("barrier.wait", "barrier.wait", &[]),
            ("full moon is", "full", &[("stage", "moon is")]),
        ];
        for (raw, base, tags) in cases {
            let name = split(raw);
            assert_eq!(name.base, base, "{raw}");
            let tags: super::Tags<'_> = tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(name.tags, tags, "{raw}");
        }
    }
}
