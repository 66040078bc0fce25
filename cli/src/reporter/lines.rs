//! Lines for whoever cannot see a live view: a log of continuous integration, a file.

use std::io::Write;

use clap::builder::styling::{AnsiColor, Style};
use tg_model::RunEvent;

use super::narrate::{Line, Narrator, Weight};
use crate::message::label;

/// One line for each event worth reading.
pub(crate) struct Lines<W> {
    out: W,
    narrator: Narrator,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, narrator: Narrator::default() }
    }

    pub(super) fn event(&mut self, event: &RunEvent) {
        for line in self.narrator.event(event) {
            // A reader that went away does not stop a run; the events are on disk.
            let _gone = writeln!(self.out, "{}", render(&line));
        }
    }
}

/// A line with its time and, where it matters, its colour.
pub(super) fn render(line: &Line) -> String {
    let dim = Style::new().dimmed();
    let style = match line.weight {
        Weight::Routine => Style::new(),
        Weight::Matters => label(AnsiColor::Yellow),
        Weight::Bad => label(AnsiColor::Red),
    };
    let ms = line.since_start_ns / 1_000_000;
    format!("{dim}[{:>4}.{:03}]{dim:#} {style}{}{style:#}", ms / 1000, ms % 1000, line.text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tg_model::event::Claim;
    use tg_model::{EventKind, Evidence, InstanceId, Outcome, Verdict};

    use super::*;

    fn told(kinds: Vec<(u64, EventKind)>) -> String {
        let mut bytes = Vec::new();
        let mut lines = Lines::new(anstream::StripStream::new(&mut bytes));
        for (nth, (ms, kind)) in kinds.into_iter().enumerate() {
            lines.event(&RunEvent { seq: nth as u64 + 1, ts: 1_000_000_000_000 + ms * 1_000_000, kind });
        }
        String::from_utf8(bytes).unwrap()
    }

    fn started(n: u32) -> EventKind {
        EventKind::RunStarted {
            run: "r".parse().unwrap(),
            plan: "p".to_owned(),
            case: "c".to_owned(),
            groups: vec![("g".parse().unwrap(), n)],
            seed: 7,
            backend: "local:exec".to_owned(),
        }
    }

    fn id(index: u32) -> InstanceId {
        InstanceId { group: "g".parse().unwrap(), index }
    }

    fn ended(index: u32, outcome: Outcome) -> EventKind {
        EventKind::InstanceFinished {
            instance: id(index),
            outcome,
            as_expected: outcome == Outcome::Ok,
            reason: "because\u{1b}[2J".to_owned(),
            evidence: Evidence::default(),
            elapsed_ns: Some(1),
        }
    }

    #[test]
    fn many_instances_take_few_lines() {
        let n = 10_000;
        let mut kinds = vec![(0, started(n))];
        kinds
            .extend((0..n).map(|i| (1 + u64::from(i) / 10, EventKind::InstanceStarted { instance: id(i), pid: None })));
        kinds.extend((0..n).map(|i| (1100 + u64::from(i) / 10, ended(i, Outcome::Ok))));
        let finished = EventKind::RunFinished { verdict: Verdict::Passed, tally: BTreeMap::default(), elapsed_ns: 1 };
        kinds.push((2200, finished));
        let text = told(kinds);
        assert!(text.lines().count() <= 8, "{text}");
        assert!(text.contains("10000 of 10000 instances started"), "{text}");
        assert!(text.contains("10000 of 10000 instances ended: ok 10000"), "{text}");
    }

    #[test]
    fn a_thousand_failures_do_not_flood_and_cannot_move_the_cursor() {
        let mut kinds = vec![(0, started(1000))];
        for i in 0..1000 {
            let text = Some("no\nroute".to_owned());
            kinds.push((1, EventKind::InstanceSaid { instance: id(i), claim: Claim::Failure, text }));
            kinds.push((2, ended(i, Outcome::Failed)));
        }
        let text = told(kinds);
        assert!(text.lines().count() < 100, "{text}");
        assert!(
            text.contains("g/0 tells of a failure: no…") && text.contains("g/0 ended failed: because\\u{1b}[2J"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("no more lines about"), "{text}");
    }
}
