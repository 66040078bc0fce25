//! `run.out` of all SDKs, and the same lines on stdout.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::facts::{Facts, short};
use super::json::{Ns, Text};
use super::metrics;
use super::said::Said;
use super::{At, Fate, message};
use crate::dataset::segment::{Segment, T};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default, alias = "T")]
    ts: Option<Ns>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metric: Option<EarlyMetric<'a>>,
}

/// An event of either generation: one key per kind, or a `type`.
#[derive(Deserialize, Default)]
#[expect(clippy::struct_field_names, reason = "the keys of the format")]
struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    outcome: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
    #[serde(borrow, default)]
    stacktrace: Option<Text<'a>>,
    #[serde(borrow, default)]
    metric: Option<EarlyMetric<'a>>,
    #[serde(default)]
    runenv: Option<RunEnv>,
    #[serde(default)]
    start_event: Option<StartEvent>,
    #[serde(borrow, default)]
    message_event: Option<Words<'a>>,
    #[serde(borrow, default)]
    success_event: Option<Words<'a>>,
    #[serde(borrow, default)]
    failure_event: Option<Words<'a>>,
    #[serde(borrow, default)]
    crash_event: Option<Words<'a>>,
    #[serde(borrow, default)]
    stage_start_event: Option<Words<'a>>,
    #[serde(borrow, default)]
    stage_end_event: Option<Words<'a>>,
}

#[derive(Deserialize)]
struct StartEvent {
    #[serde(default)]
    runenv: Option<RunEnv>,
}

#[derive(Deserialize)]
struct RunEnv {
    #[serde(default)]
    plan: Option<String>,
    #[serde(default)]
    case: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    params: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The words of an event; which ones it has depends on its kind.
#[derive(Deserialize)]
struct Words<'a> {
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
    #[serde(borrow, default)]
    stacktrace: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

/// A metric of the first generation.
#[derive(Deserialize)]
pub(crate) struct EarlyMetric<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    unit: Option<Text<'a>>,
    #[serde(default)]
    dir: Option<i8>,
    value: f64,
}

/// The JSON of a line, without what a console or `kubectl` put in front of it.
fn json_part(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with('{') {
        return Some(line);
    }
    if let Some((name, rest)) = line.split_once(" | ")
        && rest.trim_start().starts_with('{')
    {
        return (!name.is_empty() && !name.contains(' ')).then(|| rest.trim_start());
    }
    let (_, rest) = console(line)?;
    rest.starts_with('{').then_some(rest)
}

/// The kind of a line that the predecessor's console shows, and its text:
/// `Sep 13 23:10:24.501150 INFO 2.1877s MESSAGE << single[000] (26682e) >> text`.
fn console(line: &str) -> Option<(&str, &str)> {
    let (head, rest) = line.split_once("<< ")?;
    let (_, text) = rest.split_once(" >>")?;
    let mut words = head.split_ascii_whitespace().rev();
    let kind = words.next()?;
    let elapsed = words.next()?;
    let shown = elapsed.ends_with('s') && elapsed.starts_with(|c: char| c.is_ascii_digit());
    shown.then(|| (kind, text.strip_prefix(' ').unwrap_or(text)))
}

/// Makes the row of an event that only the console's line tells. It has no year, so the row has no time.
fn consoled(segment: &mut Segment, facts: &mut Facts, at: At, line: &str) -> Option<Fate> {
    let (kind, text) = console(line.trim())?;
    let (kind, message, error) = match kind {
        "START" => ("start", None, None),
        "MESSAGE" => ("message", Some(text), None),
        "OK" => ("success", None, None),
        "FAIL" => ("failure", None, Some(text)),
        "CRASH" => ("crash", None, Some(text)),
        _ => return None,
    };
    if kind == "message" {
        message::heard(segment, facts, at, None, text);
    }
    told(facts, kind, error);
    row(segment, at, None, kind, [None, message, error, None]);
    Some(Fate::Mapped)
}

/// Reads a line of `run.out`.
pub(crate) fn written(segment: &mut Segment, facts: &mut Facts, said: &mut Said, at: At, line: &str) -> Fate {
    if line.trim().is_empty() {
        return Fate::Noted("blank-line");
    }
    let Some(json) = json_part(line) else {
        return consoled(segment, facts, at, line).unwrap_or(Fate::Noted("not-json"));
    };
    match serde_json::from_str::<Line<'_>>(json) {
        Err(error) if error.is_data() => Fate::Noted("bad-record"),
        Err(_) => Fate::Noted("not-json"),
        Ok(parsed) => {
            let Some(fate) = record(segment, facts, at, &parsed) else {
                return log(segment, at, "run.out", line);
            };
            if fate == Fate::Mapped {
                said.wrote(at.file_id, at.line, json);
            }
            fate
        }
    }
}

/// Reads a line of stdout: a record that `run.out` has as well is a copy, one that it lacks is read as there, and
/// anything else is text.
pub(crate) fn printed(
    segment: &mut Segment,
    facts: &mut Facts,
    said: &mut Said,
    at: At,
    file: &str,
    line: &str,
) -> Fate {
    if let Some(json) = json_part(line)
        && (memchr::memmem::find(json.as_bytes(), b"\"event\"").is_some()
            || memchr::memmem::find(json.as_bytes(), b"\"metric\"").is_some())
        && let Ok(parsed) = serde_json::from_str::<Line<'_>>(json)
        && (parsed.event.is_some() || parsed.metric.is_some())
    {
        if let Some((file_id, line)) = said.printed(json) {
            segment.row(T::Copies, at.file_id, at.line).put(at.instance).put(file_id).put(line).end();
            return Fate::Mapped;
        }
        if let Some(Fate::Mapped) = record(segment, facts, at, &parsed) {
            return Fate::Mapped;
        }
    } else if let Some(fate) = consoled(segment, facts, at, line) {
        return fate;
    }
    log(segment, at, file, line)
}

/// Makes the rows of a record; `None` if the line is JSON but no record.
fn record(segment: &mut Segment, facts: &mut Facts, at: At, line: &Line<'_>) -> Option<Fate> {
    if let Some(metric) = &line.metric {
        return Some(early(segment, facts, at, line.ts, metric));
    }
    let raw = line.event?;
    let Ok(event) = serde_json::from_str::<Event<'_>>(raw.get()) else { return Some(Fate::Noted("bad-event")) };
    // Some SDKs write no time, or zero for none.
    let ts = line.ts.filter(|ts| ts.0 != 0);
    facts.saw(ts);
    if let Some(kind) = event.kind.as_ref() {
        return Some(tagged(segment, facts, at, ts, kind.as_str(), &event));
    }
    let words = [
        ("message", &event.message_event),
        ("success", &event.success_event),
        ("failure", &event.failure_event),
        ("crash", &event.crash_event),
        ("stage_start", &event.stage_start_event),
        ("stage_end", &event.stage_end_event),
    ];
    if let Some(start) = event.start_event {
        started(facts, start.runenv);
        row(segment, at, ts, "start", [None; 4]);
        return Some(Fate::Mapped);
    }
    for (kind, words) in words {
        let Some(words) = words else { continue };
        let [name, message, error, trace] =
            [&words.name, &words.message, &words.error, &words.stacktrace].map(|text| text.as_ref().map(Text::as_str));
        if kind == "message"
            && let Some(text) = message
        {
            message::heard(segment, facts, at, ts, text);
        }
        told(facts, kind, error);
        row(segment, at, ts, kind, [name, message, error, trace]);
        return Some(Fate::Mapped);
    }
    Some(Fate::Noted("unknown-event"))
}

/// An event of the first generation, told apart by its `type`.
fn tagged(segment: &mut Segment, facts: &mut Facts, at: At, ts: Option<Ns>, kind: &str, event: &Event<'_>) -> Fate {
    let [message, error, trace] =
        [&event.message, &event.error, &event.stacktrace].map(|text| text.as_ref().map(Text::as_str));
    let kind = match kind {
        "start" => "start",
        "message" => "message",
        "metric" => {
            let Some(metric) = &event.metric else { return Fate::Noted("bad-event") };
            return early(segment, facts, at, ts, metric);
        }
        "finish" => match event.outcome.as_ref().map(Text::as_str) {
            Some("ok") => "success",
            // Early SDKs told of a crash as a failure with a stack trace.
            Some("failed" | "aborted") if trace.is_some_and(|trace| !trace.is_empty()) => "crash",
            Some("failed" | "aborted") => "failure",
            Some("crashed") => "crash",
            _ => return Fate::Noted("unknown-event"),
        },
        _ => return Fate::Noted("unknown-event"),
    };
    if kind == "start" {
        // The environment is cloned only here, once per instance.
        started(facts, event.runenv.as_ref().map(RunEnv::copy));
    }
    if kind == "message"
        && let Some(text) = message
    {
        message::heard(segment, facts, at, ts, text);
    }
    told(facts, kind, error);
    row(segment, at, ts, kind, [None, message, error, trace]);
    Fate::Mapped
}

impl RunEnv {
    fn copy(&self) -> Self {
        Self { plan: self.plan.clone(), case: self.case.clone(), role: self.role.clone(), params: self.params.clone() }
    }
}

fn started(facts: &mut Facts, runenv: Option<RunEnv>) {
    let Some(env) = runenv else { return };
    facts.plan = facts.plan.take().or(env.plan);
    facts.case = facts.case.take().or(env.case);
    if facts.role.is_none() {
        facts.role = env.role.filter(|role| !role.is_empty());
    }
    if facts.params.is_empty() {
        facts.params = env
            .params
            .into_iter()
            .flatten()
            .map(|(key, value)| match value {
                serde_json::Value::String(text) => (key, text),
                other => (key, other.to_string()),
            })
            .collect();
        facts.params.sort();
    }
}

fn told(facts: &mut Facts, kind: &str, error: Option<&str>) {
    let text = || short(error.unwrap_or_default());
    match kind {
        "success" => facts.successes += 1,
        "failure" if facts.failure.is_none() => facts.failure = Some(text()),
        "crash" if facts.crash.is_none() => facts.crash = Some(text()),
        _ => {}
    }
}

fn row(segment: &mut Segment, at: At, ts: Option<Ns>, kind: &str, words: [Option<&str>; 4]) {
    let mut row =
        segment.row(T::Events, at.file_id, at.line).put(at.instance).put(ts.map(|ts| ts.0)).put(None::<i64>).put(kind);
    for text in words {
        row = row.put(text);
    }
    row.end();
}

fn early(segment: &mut Segment, facts: &mut Facts, at: At, ts: Option<Ns>, metric: &EarlyMetric<'_>) -> Fate {
    let Some(ts) = ts else { return Fate::Noted("no-time") };
    facts.saw(Some(ts));
    metrics::point(
        segment,
        facts,
        at,
        ts,
        metric.name.as_str(),
        metric.value,
        metric.unit.as_ref().map(Text::as_str).filter(|unit| !unit.is_empty()),
        metric.dir,
    );
    Fate::Mapped
}

#[derive(Deserialize)]
struct Stamp<'a> {
    #[serde(default)]
    ts: Option<Ns>,
    #[serde(borrow, default)]
    level: Option<Text<'a>>,
}

/// Makes a row of `logs` of any text.
pub(crate) fn log(segment: &mut Segment, at: At, file: &str, line: &str) -> Fate {
    let stamp = if line.starts_with('{') { serde_json::from_str::<Stamp<'_>>(line).ok() } else { None };
    let ts = stamp.as_ref().and_then(|stamp| stamp.ts).map(|ts| ts.0);
    let level = stamp.as_ref().and_then(|stamp| stamp.level.as_ref()).map(Text::as_str);
    segment.row(T::Logs, at.file_id, at.line).put(at.instance).put(file).put(ts).put(level).put(line).end();
    Fate::Logged
}
