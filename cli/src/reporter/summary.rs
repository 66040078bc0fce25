//! What is left to say when a run is over: the verdict first, then what was not as expected.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Style};
use tg_model::event::Tally;
use tg_model::{EventKind, GroupName, InstanceId, Outcome, RunEvent, RunId, Verdict, layout};

use super::progress::words;
use crate::message::label;
use crate::text::{clean, count, duration_ns, short};

/// So many instances are shown with reason and last words; the others are counted.
const MOST: usize = 10;
/// So many last lines of stderr are shown of each.
const LAST_LINES: usize = 5;

/// An instance that did not do what was expected of it.
#[derive(Debug, Clone)]
pub(crate) struct Unexpected {
    /// Which.
    pub(crate) instance: InstanceId,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The reason in words.
    pub(crate) reason: String,
}

/// What a run came to, gathered from its events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    /// The run, once it has begun.
    pub(crate) run: Option<RunId>,
    plan: String,
    case: String,
    groups: Vec<(GroupName, u32)>,
    /// The verdict, once it has ended.
    pub(crate) verdict: Option<Verdict>,
    /// Outcomes by group.
    pub(crate) tally: Tally,
    /// From the first event to the last.
    pub(crate) elapsed_ns: Option<u64>,
    /// The first instances that did not do what was expected.
    pub(crate) unexpected: Vec<Unexpected>,
    /// How many there are of them.
    pub(crate) unexpected_count: u64,
    /// How often something odd was seen, by its reason.
    pub(crate) notes: BTreeMap<String, u64>,
}

impl Summary {
    /// Takes an event into account.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        match &event.kind {
            EventKind::RunStarted { run, plan, case, groups, .. } => {
                self.run = Some(run.clone());
                self.plan.clone_from(plan);
                self.case.clone_from(case);
                self.groups.clone_from(groups);
            }
            EventKind::InstanceNote { reason, .. } | EventKind::RunNote { reason, .. } => {
                *self.notes.entry(reason.clone()).or_default() += 1;
            }
            EventKind::InstanceFinished { instance, outcome, as_expected: false, reason, .. } => {
                self.unexpected_count += 1;
                if self.unexpected.len() < 1000 {
                    let (instance, reason) = (instance.clone(), reason.clone());
                    self.unexpected.push(Unexpected { instance, outcome: *outcome, reason });
                }
            }
            EventKind::RunFinished { verdict, tally, elapsed_ns } => {
                self.verdict = Some(*verdict);
                self.tally.clone_from(tally);
                self.elapsed_ns = Some(*elapsed_ns);
                self.unexpected.sort_by(|a, b| a.instance.cmp(&b.instance));
            }
            EventKind::BuildStarted { .. }
            | EventKind::BuildFinished { .. }
            | EventKind::BuildFailed { .. }
            | EventKind::InstanceStarted { .. }
            | EventKind::InstanceSaid { .. }
            | EventKind::InstanceFinished { .. }
            | EventKind::BarrierOpened { .. }
            | EventKind::BarrierReached { .. }
            | EventKind::Stalled { .. }
            | EventKind::FaultBegan { .. }
            | EventKind::FaultEnded { .. }
            | EventKind::CancelBegan { .. } => {}
        }
    }

    /// The number of instances.
    pub(crate) fn instances(&self) -> u64 {
        self.groups.iter().map(|(_, n)| u64::from(*n)).sum()
    }

    /// Writes the summary for people.
    pub(crate) fn write(&self, run_dir: &Path, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let (verdict, color) = match self.verdict {
            Some(Verdict::Passed) => ("passed", AnsiColor::Green),
            Some(Verdict::Failed) => ("failed", AnsiColor::Red),
            Some(Verdict::Cancelled) => ("cancelled", AnsiColor::Yellow),
            Some(Verdict::Unknown) | None => ("unknown", AnsiColor::Yellow),
        };
        let style = label(color);
        let took = self.elapsed_ns.map(|ns| format!(", {}", duration_ns(ns))).unwrap_or_default();
        let (case, plan) = (clean(&self.case), clean(&self.plan));
        let instances = count(self.instances(), "instance");
        writeln!(out, "{style}{verdict}{style:#}: case `{case}` of plan `{plan}`, {instances}{took}")?;
        let width = self.groups.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or(0);
        for (name, n) in &self.groups {
            let tally = self.tally.get(name).into_iter().flatten().map(|(outcome, n)| (*outcome, u64::from(*n)));
            let outcomes = words(tally);
            let outcomes = if outcomes.is_empty() { "no end is known".to_owned() } else { outcomes };
            writeln!(out, "  {name:width$}  {n:>5}  {outcomes}")?;
        }
        self.write_unexpected(run_dir, out)?;
        if !self.notes.is_empty() {
            let notes: Vec<String> = self.notes.iter().map(|(reason, n)| format!("{} {n}", clean(reason))).collect();
            writeln!(out, "\n  notes: {}; `tg runs show` has their words", notes.join(", "))?;
        }
        writeln!(out, "\n  run     {}", self.run.as_ref().map_or("–", RunId::as_str))?;
        writeln!(out, "  folder  {}", run_dir.display())
    }

    fn write_unexpected(&self, run_dir: &Path, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let (bad, dim) = (label(AnsiColor::Red), Style::new().dimmed());
        // A run whose build failed has nothing to say about each instance.
        let every_one_the_same = self.unexpected_count == self.instances()
            && self
                .unexpected
                .iter()
                .all(|it| it.outcome == Outcome::NotStarted && it.reason == self.unexpected[0].reason);
        if every_one_the_same && !self.unexpected.is_empty() {
            return writeln!(out, "\n  no instance was started: {}", short(&self.unexpected[0].reason, 300));
        }
        for it in self.unexpected.iter().take(MOST) {
            writeln!(out, "\n  {bad}{}{bad:#} {}: {}", it.instance, it.outcome, short(&it.reason, 400))?;
            let logs = layout::logs_dir(run_dir, &it.instance);
            for line in last_lines(&logs.join(layout::STDERR_FILE)) {
                writeln!(out, "    {dim}|{dim:#} {line}")?;
            }
            if logs.is_dir() {
                writeln!(out, "    {dim}logs: {}{dim:#}", logs.display())?;
            }
        }
        let more = self.unexpected_count.saturating_sub(MOST as u64);
        if more > 0 {
            let run = self.run.as_ref().map_or("latest", RunId::as_str);
            writeln!(out, "\n  and {more} more: `tg runs show {run} --unexpected` lists them")?;
        }
        Ok(())
    }
}

/// The last lines of a file, whatever is in it; none if it cannot be read.
fn last_lines(path: &PathBuf) -> Vec<String> {
    const TAIL_BYTES: u64 = 16 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| short(line, 300)).collect()
}
