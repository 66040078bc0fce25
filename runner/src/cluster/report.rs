//! What the agent of a node found in what an instance printed, as an annotation of its pod.

use serde::{Deserialize, Serialize};

use crate::drain::Drained;
use crate::scan::{Claims, Found, StderrScan, StdoutScan};

/// An annotation's values may take 256 KiB together; nobody needs so many remarks.
const MOST_NOTES: usize = 16;

/// The report of one instance. Versions of tg in one cluster may differ: what is missing has a default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    /// How often it said that it succeeded.
    pub(super) successes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) panic: Option<String>,
    /// Remarks: a fixed word and the details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<(String, String)>,
    /// Files that were published, and their bytes.
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Report {
    /// Takes a remark in.
    pub(super) fn note(&mut self, reason: &str, text: impl Into<String>) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push((reason.to_owned(), text.into()));
        }
    }

    /// What the runner is told of an instance that printed this.
    pub(super) fn drained(&self) -> Drained {
        let claims = Claims::told(self.successes, self.failure.clone(), self.crash.clone());
        Drained { claims, panic: self.panic.clone() }
    }
}

/// Reads what an instance printed, in pieces.
#[derive(Debug)]
pub(super) struct Reading {
    out: StdoutScan,
    err: StderrScan,
    report: Report,
}

impl Reading {
    pub(super) fn new(group: &str) -> Self {
        Self { out: StdoutScan::new(group), err: StderrScan::new(), report: Report::default() }
    }

    pub(super) fn stdout(&mut self, bytes: &[u8]) {
        let found = self.out.feed(bytes);
        self.take(found);
    }

    pub(super) fn stderr(&mut self, bytes: &[u8]) {
        self.err.feed(bytes);
    }

    fn take(&mut self, found: Vec<Found>) {
        for found in found {
            if let Found::Note(reason, text) = found {
                self.report.note(reason, text);
            }
        }
    }

    pub(super) fn finish(mut self) -> Report {
        let found = self.out.finish();
        self.take(found);
        let Claims { successes, failure, crash, .. } = self.out.claims;
        Report { successes, failure, crash, panic: self.err.finish(), ..self.report }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_printed_is_told_and_survives_json() {
        let mut reading = Reading::new("g");
        reading.stdout(b"hello\n{\"event\":{\"success_event\":{\"group\":\"g\"}}}\n{\"event\":");
        reading.stdout(b"{\"crash_event\":{\"group\":\"g\",\"error\":\"x\"}}}\n\xff\n");
        reading.stderr(b"thread 'main' panicked at src/main.rs:1:1:\nno\n");
        let report = reading.finish();
        assert_eq!((report.successes, report.crash.as_deref(), report.failure.as_deref()), (1, Some("x"), None));
        assert!(report.panic.as_deref().is_some_and(|panic| panic.ends_with(" no")));
        assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(serde_json::from_str::<Report>(&text).expect("the same"), report);
        assert_eq!(report.drained().claims.successes, 1);
    }

    #[test]
    fn an_older_or_newer_report_is_read() {
        assert_eq!(serde_json::from_str::<Report>("{\"more\":1}").expect("a report"), Report::default());
    }
}
