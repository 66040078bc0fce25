//! What one line says of its time and level, and what it tells.

use jiff::Timestamp;
use serde_json::Value;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Level {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What goes on.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
}

impl Level {
    /// The word for it in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" | "notice" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" | "fatal" | "panic" | "dpanic" | "critical" => Self::Error,
            _ => return None,
        })
    }
}

/// What a line says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// Its time, in nanoseconds since the epoch.
    pub(super) time_ns: Option<u64>,
    /// Its level.
    pub(super) level: Option<Level>,
}

/// Reads the marks of a line.
pub(super) fn marks(text: &str) -> Marks {
    if text.trim_start().starts_with('{')
        && let Ok(Value::Object(fields)) = serde_json::from_str(text)
    {
        let time = ["ts", "time", "timestamp", "@timestamp"].iter().find_map(|key| fields.get(*key));
        let level = ["level", "lvl", "severity"].iter().find_map(|key| fields.get(*key)?.as_str());
        let grave = fields.get("event").and_then(Value::as_object).is_some_and(|event| {
            event.contains_key("failure_event")
                || event.contains_key("crash_event")
                || event.get("outcome").is_some_and(|outcome| outcome != "ok")
        });
        let level = if grave { Some(Level::Error) } else { level.and_then(Level::parse) };
        return Marks { time_ns: time.and_then(time_of), level };
    }
    let text = without_colours(text);
    let mut marks = Marks::default();
    if text.contains("panicked at ") || text.starts_with("panic: ") {
        marks.level = Some(Level::Error);
    }
    let punctuation = |c: char| matches!(c, '[' | ']' | '(' | ')' | ':' | '|' | ',' | '"');
    for word in text.split_whitespace().take(5) {
        let word = word.trim_matches(punctuation);
        if marks.time_ns.is_none() && word.len() >= 20 && word.starts_with(|c: char| c.is_ascii_digit()) {
            marks.time_ns = word.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        }
        // A level in running text would be in lower case.
        if marks.level.is_none() && word.len() >= 3 && word.bytes().all(|b| b.is_ascii_uppercase()) {
            marks.level = Level::parse(word);
        }
    }
    marks
}

/// A time in whichever unit its size gives away.
fn time_of(value: &Value) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let scaled = |n: f64, ns: f64| (n * ns) as u64;
    match value {
        Value::Number(number) => {
            if let Some(n) = number.as_u64() {
                let unit = match n {
                    0..100_000_000 => return None,
                    100_000_000..100_000_000_000 => 1_000_000_000,
                    100_000_000_000..100_000_000_000_000 => 1_000_000,
                    100_000_000_000_000..100_000_000_000_000_000 => 1000,
                    _ => 1,
                };
                return n.checked_mul(unit);
            }
            match number.as_f64()? {
                n if (1e8..1e11).contains(&n) => Some(scaled(n, 1e9)),
                n if (1e11..1e14).contains(&n) => Some(scaled(n, 1e6)),
                n if (1e17..1e20).contains(&n) => Some(scaled(n, 1.0)),
                _ => None,
            }
        }
        Value::String(text) => u64::try_from(text.parse::<Timestamp>().ok()?.as_nanosecond()).ok(),
        _ => None,
    }
}

/// The line without the sequences that colour it.
fn without_colours(text: &str) -> String {
    if !text.contains('\u{1b}') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(tail.len());
        if tail[end..].starts_with('m') {
            rest = &tail[end + 1..];
        } else {
            // Not a colour: it stays, and is spelt out when shown.
            out.push('\u{1b}');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// What a line tells, for people: the words of an event instead of its JSON, and no colours.
pub(super) fn told(text: &str) -> String {
    if text.starts_with('{')
        && let Ok(Value::Object(fields)) = serde_json::from_str(text)
        && let Some(Value::Object(event)) = fields.get("event")
        && let Some((kind, body)) = event.iter().next()
    {
        let word = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        match kind.as_str() {
            "message_event" => return word("message").to_owned(),
            "success_event" => return "success".to_owned(),
            "failure_event" => return format!("failure: {}", word("error")),
            "crash_event" => return format!("crash: {}", word("error")),
            "start_event" => return "start".to_owned(),
            "stage_start_event" => return format!("stage begins: {}", word("name")),
            "stage_end_event" => return format!("stage ends: {}", word("name")),
            _ => {}
        }
    }
    without_colours(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_levels_are_found_where_programs_put_them() {
        let ns = 1_669_125_789_000_000_000;
        let rows = [
            (r#"{"ts":1669125789000000000,"msg":"","event":{"success_event":{"group":"g"}}}"#, Some(ns), None),
            (r#"{"ts":1,"event":{"failure_event":{"error":"x"}}}"#, None, Some(Level::Error)),
            (r#"{"level":"info","ts":1669125789.0,"msg":"x"}"#, Some(ns), Some(Level::Info)),
            (r#"{"level":"WARN","time":"2022-11-22T14:03:09Z"}"#, Some(ns), Some(Level::Warn)),
            (r#"{"ts":1669125789000}"#, Some(ns), None),
            ("2022-11-22T14:03:09.000000Z  INFO plan: hello", Some(ns), Some(Level::Info)),
            ("\u{1b}[2m2022-11-22T14:03:09Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m plan: x", Some(ns), Some(Level::Warn)),
            ("[2022-11-22T14:03:09Z ERROR plan] x", Some(ns), Some(Level::Error)),
            ("thread 'main' panicked at src/main.rs:3:5:", None, Some(Level::Error)),
            ("an error of no importance", None, None),
            ("", None, None),
            ("{", None, None),
        ];
        for (text, time_ns, level) in rows {
            assert_eq!(marks(text), Marks { time_ns, level }, "{text}");
        }
    }

    #[test]
    fn events_are_told_in_their_words() {
        assert_eq!(told(r#"{"ts":1,"event":{"message_event":{"message":"seq 1"}}}"#), "seq 1");
        assert_eq!(told(r#"{"event":{"failure_event":{"group":"g","error":"no"}}}"#), "failure: no");
        assert_eq!(told(r#"{"event":{"dance":{}}}"#), r#"{"event":{"dance":{}}}"#);
        assert_eq!(told("\u{1b}[31mred\u{1b}[0m \u{1b}[2J"), "red \u{1b}[2J");
    }
}
