//! Events told in lines: one for each that is worth reading, and one for many of a kind.

use tg_model::InstanceId;
use tg_model::event::{CancelReason, Claim};
use tg_model::{EventKind, RunEvent};

use super::progress::{Progress, build_name};
use crate::text::{clean, count, duration_ns, short};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Progress; a live view shows it otherwise.
    Routine,
    /// Its reader should look at it.
    Matters,
    /// It went wrong.
    Bad,
}

/// A line, with the time since the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) since_start_ns: u64,
    pub(super) weight: Weight,
    pub(super) text: String,
}

/// The most lines of one kind; what is beyond is counted in the summary and stands in the event log.
const MOST: u32 = 20;
/// Starts and ends are told together, at most once in this time.
const TOGETHER_NS: u64 = 1_000_000_000;
/// A barrier that was reached faster is not worth a line.
const SLOW_BARRIER_NS: u64 = 500_000_000;

/// Counts lines of a kind and says when it is enough.
#[derive(Debug, Default)]
struct Cap(u32);

impl Cap {
    /// The text, or a last word on its kind, or nothing.
    fn pass(&mut self, text: String, kind: &str) -> Option<String> {
        self.0 = self.0.saturating_add(1);
        match self.0.cmp(&(MOST + 1)) {
            std::cmp::Ordering::Less => Some(text),
            std::cmp::Ordering::Equal => Some(format!("… no more lines about {kind}; `tg runs show` lists them")),
            std::cmp::Ordering::Greater => None,
        }
    }
}

/// Tells a run in lines. The lines follow from the events alone, their times included.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    pub(super) progress: Progress,
    began_ns: u64,
    /// When starts and ends were last told, and how far they were.
    told_ns: u64,
    told_started: u64,
    told_ended: u64,
    ends: Cap,
    claims: Cap,
    notes: Cap,
    barriers: Cap,
}

impl Narrator {
    /// Takes an event and tells what there is to tell.
    pub(super) fn event(&mut self, event: &RunEvent) -> Vec<Line> {
        if self.began_ns == 0 {
            self.began_ns = event.ts;
            self.told_ns = event.ts;
        }
        self.progress.event(event);
        let told = self.tell(&event.kind);
        let counted = matches!(event.kind, EventKind::InstanceStarted { .. } | EventKind::InstanceFinished { .. });
        let mut lines = Vec::new();
        let since_start_ns = event.ts.saturating_sub(self.began_ns);
        let mut push = |weight, text| lines.push(Line { since_start_ns, weight, text });
        let everything = self.progress.started == self.progress.total && self.told_started < self.progress.total
            || self.progress.ended == self.progress.total && self.told_ended < self.progress.total;
        let late = event.ts.saturating_sub(self.told_ns) >= TOGETHER_NS;
        let final_event = matches!(event.kind, EventKind::RunFinished { .. });
        let (before, after) = if counted { (told, None) } else { (None, told) };
        if let Some((weight, text)) = before {
            push(weight, text);
        }
        if (counted && (everything || late)) || (!counted && after.is_some()) || final_event {
            for text in self.counts() {
                push(Weight::Routine, text);
            }
            self.told_ns = event.ts;
        }
        if let Some((weight, text)) = after {
            push(weight, text);
        }
        lines
    }

    /// Starts and ends since the last time.
    fn counts(&mut self) -> Vec<String> {
        let progress = &self.progress;
        let mut out = Vec::new();
        if progress.started > self.told_started {
            out.push(format!("{} of {} started", progress.started, count(progress.total, "instance")));
        }
        if progress.ended > self.told_ended {
            out.push(format!(
                "{} of {} ended: {}",
                progress.ended,
                count(progress.total, "instance"),
                progress.outcomes()
            ));
        }
        (self.told_started, self.told_ended) = (progress.started, progress.ended);
        out
    }

    fn tell(&mut self, kind: &EventKind) -> Option<(Weight, String)> {
        Some(match kind {
            EventKind::RunStarted { run, plan, case, groups, seed, backend } => {
                let instances = count(groups.iter().map(|(_, n)| u64::from(*n)).sum(), "instance");
                let text = format!(
                    "run {run}: case `{}` of plan `{}`, {instances} on {}, seed {seed}",
                    clean(case),
                    clean(plan),
                    clean(backend)
                );
                (Weight::Routine, text)
            }
            EventKind::BuildStarted { builder, groups } => {
                (Weight::Routine, format!("building with {}", clean(&build_name(builder, groups))))
            }
            EventKind::BuildFinished { builder, groups, cached, elapsed_ns } => {
                let name = clean(&build_name(builder, groups));
                let text = if *cached {
                    format!("built before with {name}")
                } else {
                    format!("built with {name} in {}", duration_ns(*elapsed_ns))
                };
                (Weight::Routine, text)
            }
            EventKind::BuildFailed { builder, groups, command, .. } => {
                // The compiler's own words follow in the error that ends the command.
                let text =
                    format!("the build with {} failed at `{}`", clean(&build_name(builder, groups)), clean(command));
                (Weight::Bad, text)
            }
            EventKind::InstanceStarted { .. } | EventKind::BarrierOpened { .. } | EventKind::RunFinished { .. } => {
                return None;
            }
            EventKind::InstanceSaid { instance, claim, text } => {
                let what = match claim {
                    Claim::Success => return None,
                    Claim::Failure => "a failure",
                    Claim::Crash => "a crash",
                };
                let words = text.as_deref().map(|text| format!(": {}", short(text, 200))).unwrap_or_default();
                (Weight::Bad, self.claims.pass(format!("{instance} tells of {what}{words}"), "what instances tell")?)
            }
            EventKind::InstanceNote { instance, reason, text } => {
                let text = format!("note on {instance}: {} ({})", short(text, 300), clean(reason));
                (Weight::Matters, self.notes.pass(text, "notes")?)
            }
            EventKind::RunNote { reason, text } => {
                let text = format!("note: {} ({})", short(text, 300), clean(reason));
                (Weight::Matters, self.notes.pass(text, "notes")?)
            }
            EventKind::BarrierReached { state, target, waited_ns } => {
                if *waited_ns < SLOW_BARRIER_NS {
                    return None;
                }
                let text =
                    format!("barrier `{}` reached: {target} after {}", short(state, 80), duration_ns(*waited_ns));
                (Weight::Routine, self.barriers.pass(text, "barriers")?)
            }
            EventKind::Stalled { quiet_ns, waiting_for } => {
                let mut text = format!("nothing has happened for {}", duration_ns(*quiet_ns));
                for (at, what) in waiting_for.iter().take(5).enumerate() {
                    text.push_str(if at == 0 { "; waiting for " } else { "; " });
                    text.push_str(&short(what, 300));
                }
                if waiting_for.len() > 5 {
                    text.push_str("; …");
                }
                (Weight::Matters, text)
            }
            EventKind::FaultBegan { fault, action, hit, text } => {
                (Weight::Matters, fault_words(*fault, action, hit, text.as_deref()))
            }
            EventKind::FaultEnded { fault } => (Weight::Matters, format!("fault {fault} is over")),
            EventKind::CancelBegan { reason } => (Weight::Matters, cancel_words(*reason).to_owned()),
            EventKind::InstanceFinished { instance, outcome, as_expected, reason, .. } => {
                if *as_expected {
                    return None;
                }
                let text = format!("{instance} ended {outcome}: {}", short(reason, 200));
                (Weight::Bad, self.ends.pass(text, "instances that did not do what was expected")?)
            }
        })
    }
}

/// What a fault does to whom: "fault 0: kill of 3 instances (a/1, a/4, a/7)".
fn fault_words(fault: u32, action: &str, hit: &[(InstanceId, u32)], text: Option<&str>) -> String {
    const SHOWN: usize = 5;
    let mut words = format!("fault {fault}: {}", short(action, 40));
    let sides = hit.iter().map(|(_, side)| side + 1).max().unwrap_or(0);
    if sides > 1 {
        let sizes = (0..sides).map(|side| hit.iter().filter(|(_, own)| *own == side).count().to_string());
        words += " into sides of ";
        words += &sizes.collect::<Vec<_>>().join(" and ");
    } else if !hit.is_empty() {
        let names: Vec<String> = hit.iter().take(SHOWN).map(|(id, _)| id.to_string()).collect();
        let more = if hit.len() > SHOWN { ", …" } else { "" };
        let all = count(hit.len() as u64, "instance");
        words += &[" of ", &all, " (", &names.join(", "), more, ")"].concat();
    }
    if let Some(text) = text {
        words += ": ";
        words += &short(text, 200);
    }
    words
}

fn cancel_words(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::ReporterFailed => "stopping: what happens can no longer be written down",
        CancelReason::Deadline => "stopping: the run met its deadline",
        CancelReason::Signal => "stopping as asked; ask again to kill at once",
        CancelReason::SecondSignal => "killing at once, as asked",
    }
}
