//! One file of an instance, line by line.

use std::io::{self, Read};
use std::sync::Arc;

use super::facts::Facts;
use super::lines::Lines;
use super::pubsub::Copied;
use super::rule::Rule;
use super::said::Said;
use super::{At, Fate, dht, early, metrics, pubsub, records, run_out};
use crate::dataset::scratch::Scratch;
use crate::dataset::segment::{Segment, T};
use crate::error::CollectError;
use crate::rules::{self, Rules};

/// How much of a line a note keeps.
pub(crate) const NOTE_BYTES: usize = 1000;

/// A file that is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileAt<'a> {
    pub(crate) instance: u32,
    pub(crate) file_id: u32,
    /// Below the instance's folder.
    pub(crate) name: &'a str,
    /// Below the run.
    pub(crate) path: &'a str,
    pub(crate) rules: Option<&'a Rules>,
}

/// A file that is one document is not read above this.
pub(crate) const LONGEST_DOCUMENT: u64 = 64 << 20;

/// The records of an instance that another of its files may tell again.
#[derive(Debug)]
pub(crate) struct Repeats {
    said: Said,
    copied: Copied,
}

impl Repeats {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        Self { said: Said::new(scratch), copied: Copied::default() }
    }

    /// Whether the records that did not fit in memory could be written and read.
    pub(crate) fn check(&mut self) -> Result<(), CollectError> {
        self.said.check()?;
        self.copied.check()
    }
}

/// How many lines met which fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) lines: u64,
    pub(crate) mapped: u64,
    pub(crate) logged: u64,
    pub(crate) noted: u64,
}

/// Reads a file into rows. A file that cannot be read to its end keeps the rows so far, and has a note.
pub(crate) fn read(
    segment: &mut Segment,
    facts: &mut Facts,
    repeats: &mut Repeats,
    file: FileAt<'_>,
    content: impl Read,
) -> Result<(), CollectError> {
    let mut lines = Lines::new(content);
    let mut counts = Counts::default();
    let mut rule = Rule::Binary;
    let read = whole(segment, facts, repeats, file, &mut lines, &mut counts, &mut rule)?;
    let (size, sha) = match read {
        Ok(()) => match lines.finish() {
            Ok(end) => end,
            Err(error) => {
                note(segment, Some(file.instance), file.file_id, 0, file.path, "cut-file", &error.to_string());
                (0, String::new())
            }
        },
        Err(error) => {
            note(segment, Some(file.instance), file.file_id, 0, file.path, "cut-file", &error.to_string());
            (0, String::new())
        }
    };
    segment
        .row(T::Files, file.file_id, 0)
        .put(file.instance)
        .put(file.path)
        .put(size)
        .put(sha.as_str())
        .put(rule.word())
        .put(counts.lines)
        .put(counts.mapped)
        .put(counts.logged)
        .put(counts.noted)
        .end();
    Ok(())
}

fn whole(
    segment: &mut Segment,
    facts: &mut Facts,
    repeats: &mut Repeats,
    file: FileAt<'_>,
    lines: &mut Lines<impl Read>,
    counts: &mut Counts,
    rule: &mut Rule,
) -> Result<io::Result<()>, CollectError> {
    match lines.head() {
        Ok(head) => *rule = wanted(file, head),
        Err(error) => return Ok(Err(error)),
    }
    match *rule {
        Rule::Binary => return Ok(Ok(())),
        Rule::Trace { packed } => {
            return pubsub::trace(segment, facts, &mut repeats.copied, file, packed, lines.rest(), counts);
        }
        Rule::Aggregate | Rule::Topology => return Ok(document(segment, facts, rule, file, lines)),
        _ => {}
    }
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let number = u32::try_from(line.number)
            .or(Err(CollectError::TooMany { what: "lines in one file", most: u64::from(u32::MAX) }))?;
        let at = At { instance: file.instance, file_id: file.file_id, line: number };
        let fate = if line.too_long {
            Fate::Noted("long-line")
        } else {
            match str::from_utf8(line.bytes) {
                Err(_) => Fate::Noted("not-utf8"),
                Ok(text) => dispatch(segment, facts, repeats, rule, file, at, text),
            }
        };
        counts.lines += 1;
        match fate {
            Fate::Mapped => counts.mapped += 1,
            Fate::Logged => counts.logged += 1,
            Fate::Noted(reason) => {
                counts.noted += 1;
                let reason = if line.ended || line.too_long { reason } else { "half-line" };
                let head = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(NOTE_BYTES)]);
                note(segment, Some(at.instance), at.file_id, at.line, file.path, reason, &head);
            }
        }
        segment.settle(line.bytes.len())?;
    }
}

/// How a file is read: as the user's rules say, else by its name and content.
fn wanted(file: FileAt<'_>, head: &[u8]) -> Rule {
    let Some(rules) = file.rules else { return Rule::of(file.name, head) };
    let ruled = rules.of(file.name);
    if !ruled.is_empty() {
        return Rule::Ruled(ruled);
    }
    match Rule::of(file.name, head) {
        // A table whose columns are declared takes no other lines.
        Rule::Own(table) if rules.declared(&table).is_some() => Rule::Own(format!("{table}_")),
        rule => rule,
    }
}

/// Reads a file that is one document. It has no lines: its rows stand for the whole file.
fn document(
    segment: &mut Segment,
    facts: &mut Facts,
    rule: &Rule,
    file: FileAt<'_>,
    lines: &mut Lines<impl Read>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    lines.rest().take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes)?;
    let text = str::from_utf8(&bytes).ok().filter(|_| bytes.len() as u64 <= LONGEST_DOCUMENT);
    let fate = match text {
        None if bytes.len() as u64 > LONGEST_DOCUMENT => Fate::Noted("long-document"),
        None => Fate::Noted("not-utf8"),
        Some(text) if *rule == Rule::Topology => pubsub::topology(segment, file, text),
        Some(text) => pubsub::aggregate(segment, facts, file, text),
    };
    if let Fate::Noted(reason) = fate {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(NOTE_BYTES)]);
        note(segment, Some(file.instance), file.file_id, 0, file.path, reason, &head);
    }
    Ok(())
}

fn dispatch(
    segment: &mut Segment,
    facts: &mut Facts,
    repeats: &mut Repeats,
    rule: &Rule,
    file: FileAt<'_>,
    at: At,
    text: &str,
) -> Fate {
    match rule {
        Rule::RunOut => run_out::written(segment, facts, &mut repeats.said, at, text),
        Rule::Results => metrics::read(segment, facts, "results", at, text),
        Rule::Diagnostics => metrics::read(segment, facts, "diagnostics", at, text),
        Rule::Connections => records::connection(segment, facts, at, text),
        Rule::Peers => records::peer_fact(segment, facts, at, text),
        Rule::Lookups => records::lookup(segment, at, text),
        Rule::Routing => records::routing(segment, facts, at, text),
        Rule::DhtGraph => dht::graph(segment, facts, at, text),
        Rule::DhtTable => dht::table(segment, facts, at, text),
        Rule::DhtQueries => dht::query(segment, facts, at, text),
        Rule::DhtLookups => dht::lookup(segment, facts, at, text),
        Rule::DhtRtEvents => dht::rt_event(segment, at, text),
        Rule::DhtNode => dht::node(segment, facts, at, text),
        Rule::ConnTrace => dht::trace(segment, facts, at, text),
        Rule::Printed | Rule::EarlyOut => run_out::printed(segment, facts, &mut repeats.said, at, file.name, text),
        Rule::Own(table) => {
            if text.trim().is_empty() {
                return Fate::Noted("blank-line");
            }
            if segment.own(table, at.instance, at.file_id, at.line, text) {
                Fate::Mapped
            } else {
                Fate::Noted("not-json")
            }
        }
        Rule::EarlyErr => early::logged(segment, facts, at, file.name, text),
        Rule::Ruled(which) => match file.rules {
            Some(rules) => rules::read(rules, which, segment, facts, at, file.name, text),
            None => run_out::log(segment, at, file.name, text),
        },
        Rule::TraceJson => pubsub::traced(segment, facts, at, text),
        Rule::Scores => pubsub::scores(segment, facts, at, text),
        Rule::Text | Rule::Binary | Rule::Trace { .. } | Rule::Aggregate | Rule::Topology => {
            run_out::log(segment, at, file.name, text)
        }
    }
}

/// Makes a row of `notes`.
pub(crate) fn note(
    segment: &mut Segment,
    instance: Option<u32>,
    file_id: u32,
    line: u32,
    path: &str,
    reason: &str,
    text: &str,
) {
    segment.row(T::Notes, file_id, line).put(instance).put(path).put(reason).put(text).end();
}
