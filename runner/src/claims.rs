//! What an instance says of itself: the events of the Testground SDKs, on stdout and over the sync service.

use serde_json::{Map, Value};
use tg_model::event::Claim;

/// The longest text of a failure or crash that is kept, in bytes. The log has it whole.
const MAX_TEXT_BYTES: usize = 4096;

/// One event of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// How it went.
    Claim {
        claim: Claim,
        text: Option<String>,
        /// The group that it names, if any.
        group: Option<String>,
    },
    /// A stage is over.
    StageEnd(String),
    /// A known event that says nothing of how it went.
    Other,
    /// An event of a kind that nobody knows.
    Unknown(String),
    /// An event that says success, but not in the shape that one has.
    Malformed(String),
}

/// Reads a line of stdout. `None` if it is no event.
pub(crate) fn of_line(line: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(line);
    let Ok(Value::Object(line)) = serde_json::from_str(text.trim()) else { return None };
    match line.get("event") {
        Some(Value::Object(event)) => of_event(event),
        _ => None,
    }
}

/// Reads what was published on `run_events`.
pub(crate) fn of_payload(payload: &str) -> Option<Said> {
    match serde_json::from_str(payload) {
        Ok(Value::Object(event)) => of_event(&event),
        _ => None,
    }
}

fn of_event(event: &Map<String, Value>) -> Option<Said> {
    if let Some(Value::String(kind)) = event.get("type") {
        return Some(of_old_event(kind, event));
    }
    let (kind, body) = event.iter().next()?;
    let claim = match kind.as_str() {
        "success_event" => Claim::Success,
        "failure_event" => Claim::Failure,
        "crash_event" => Claim::Crash,
        "stage_end_event" => {
            let name = body.get("name").and_then(Value::as_str);
            return Some(name.map_or(Said::Other, |name| Said::StageEnd(cut(name))));
        }
        "start_event" | "message_event" | "stage_start_event" => return Some(Said::Other),
        other => return Some(Said::Unknown(cut(other))),
    };
    // A failure in a bad shape still tells of a failure; a success in a bad shape must not make a run pass.
    let well_formed = body.as_object().is_some_and(|body| body.get("group").is_none_or(Value::is_string));
    if claim == Claim::Success && !well_formed {
        return Some(Said::Malformed(cut(&format!("{{\"success_event\":{body}}}"))));
    }
    // The published Rust SDK 0.4 spells it `groups` in a crash.
    let group = body.get("group").or_else(|| body.get("groups")).and_then(Value::as_str).map(cut);
    Some(Said::Claim { claim, text: text_of(claim, body.get("error")), group })
}

/// The shape of February 2020: `{"type":"finish","outcome":"ok"}`.
fn of_old_event(kind: &str, event: &Map<String, Value>) -> Said {
    match kind {
        "finish" => {}
        "start" | "message" | "metric" => return Said::Other,
        other => return Said::Unknown(cut(other)),
    }
    let claim = match event.get("outcome").and_then(Value::as_str) {
        Some("ok") => Claim::Success,
        // In those days a crash was told as a failure with a stack trace.
        Some("failed") if event.get("stacktrace").is_none_or(|trace| trace == "") => Claim::Failure,
        Some("failed" | "crashed") => Claim::Crash,
        other => return Said::Unknown(cut(&format!("finish with outcome {other:?}"))),
    };
    Said::Claim { claim, text: text_of(claim, event.get("error")), group: None }
}

fn text_of(claim: Claim, error: Option<&Value>) -> Option<String> {
    match error {
        _ if claim == Claim::Success => None,
        Some(Value::String(text)) => Some(cut(text)),
        Some(Value::Null) | None => None,
        Some(other) => Some(cut(&other.to_string())),
    }
}

/// The text, cut off at a character near the limit.
pub(crate) fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_TEXT_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be nothing")]
    fn claim(claim: Claim, text: Option<&str>, group: Option<&str>) -> Option<Said> {
        Some(Said::Claim { claim, text: text.map(str::to_owned), group: group.map(str::to_owned) })
    }

    #[test]
    fn lines_of_the_published_sdks_are_understood() {
        let rows: &[(&str, Option<Said>)] = &[
            (
                r#"{"ts":1,"msg":"","group_id":"b","run_id":"c","event":{"success_event":{"group":"b"}}}"#,
                claim(Claim::Success, None, Some("b")),
            ),
            (r#"{"event":{"failure_event":{"group":"b","error":"no"}}}"#, claim(Claim::Failure, Some("no"), Some("b"))),
            (
                r#"{"event":{"crash_event":{"groups":"b","error":"x","stacktrace":"y"}}}"#,
                claim(Claim::Crash, Some("x"), Some("b")),
            ),
            (r#"{"event":{"message_event":{"message":"seq 1"}},"level":"info"}"#, Some(Said::Other)),
            (r#"{"event":{"type":"finish","outcome":"ok"}}"#, claim(Claim::Success, None, None)),
            (r#"{"event":{"type":"finish","outcome":"failed","error":"e"}}"#, claim(Claim::Failure, Some("e"), None)),
            (
                r#"{"event":{"type":"finish","outcome":"failed","error":"e","stacktrace":"at"}}"#,
                claim(Claim::Crash, Some("e"), None),
            ),
            (r#"{"event":{"dance_event":{}}}"#, Some(Said::Unknown("dance_event".to_owned()))),
            (r#"{"event":{"success_event":{}}}"#, claim(Claim::Success, None, None)),
            (r#"{"event":{"failure_event":7}}"#, claim(Claim::Failure, None, None)),
            (r#"{"event":{"success_event":7}}"#, Some(Said::Malformed(r#"{"success_event":7}"#.to_owned()))),
            (r#"{"event":{"success_event":null}}"#, Some(Said::Malformed(r#"{"success_event":null}"#.to_owned()))),
            (
                r#"{"event":{"success_event":{"group":7}}}"#,
                Some(Said::Malformed(r#"{"success_event":{"group":7}}"#.to_owned())),
            ),
            (r#"{"event":{}}"#, None),
            (r#"{"event":null}"#, None),
            (r#"{"ts":1,"msg":"writing cpu profile"}"#, None),
            ("[1,2]", None),
            ("hello", None),
        ];
        for (line, wanted) in rows {
            assert_eq!(&of_line(line.as_bytes()), wanted, "{line}");
        }
    }

    #[test]
    fn broken_utf8_in_a_text_does_not_hide_the_claim() {
        let line = b"{\"event\":{\"failure_event\":{\"group\":\"b\",\"error\":\"\xff\xfe\"}}}";
        assert_eq!(of_line(line), claim(Claim::Failure, Some("\u{fffd}\u{fffd}"), Some("b")));
    }

    #[test]
    fn a_bare_payload_is_the_same_event() {
        assert_eq!(of_payload(r#"{"success_event":{"group":"g"}}"#), claim(Claim::Success, None, Some("g")));
        assert_eq!(of_payload("7"), None);
    }
}
