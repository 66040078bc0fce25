//! A live view: where the run stands, drawn over and over, with what matters in lines above it.

use clap::builder::styling::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tg_model::{EventKind, RunEvent};

use super::lines::render;
use super::narrate::{Narrator, Weight};
use crate::message::label;
use crate::text::{clean, count, short};

/// So many barriers and builds are shown at once.
const MOST_DETAILS: usize = 5;

/// The live view.
pub(crate) struct Terminal {
    narrator: Narrator,
    screen: MultiProgress,
    bar: ProgressBar,
    details: Vec<ProgressBar>,
    dirty: bool,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let screen = MultiProgress::new();
        let bar = screen.add(ProgressBar::new(0));
        bar.set_style(style("{spinner} {wide_msg}"));
        Self { narrator: Narrator::default(), screen, bar, details: Vec::new(), dirty: true }
    }

    pub(super) fn event(&mut self, event: &RunEvent) {
        for line in self.narrator.event(event) {
            let told = line.weight != Weight::Routine
                || matches!(event.kind, EventKind::RunStarted { .. } | EventKind::BuildFinished { .. })
                    && !line.text.contains(" started");
            if told {
                // With the terminal gone the run goes on; the events are on disk.
                let _gone = self.screen.println(render(&line));
            }
        }
        if matches!(event.kind, EventKind::InstanceStarted { .. })
            && self.bar.length() != Some(self.narrator.progress.total)
        {
            self.bar.set_style(style("{spinner} [{bar:24}] {wide_msg}"));
            self.bar.set_length(self.narrator.progress.total);
        }
        self.dirty = true;
    }

    /// Draws what has changed since the last time.
    pub(super) fn draw(&mut self) {
        self.bar.tick();
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let progress = &self.narrator.progress;
        let bad = label(AnsiColor::Red);
        let mut message = if progress.started == 0 {
            "preparing".to_owned()
        } else {
            format!("{} running, {} of {} ended", progress.running(), progress.ended, count(progress.total, "instance"))
        };
        if progress.ended > 0 {
            message = format!("{message}: {}", progress.outcomes());
        }
        if progress.unexpected > 0 {
            message = format!("{message} {bad}({} not as expected){bad:#}", progress.unexpected);
        }
        if progress.stopping {
            message = format!("stopping: {message}");
        }
        self.bar.set_position(progress.ended);
        self.bar.set_message(message);
        self.draw_details();
    }

    fn draw_details(&mut self) {
        let progress = &self.narrator.progress;
        let dim = Style::new().dimmed();
        let mut texts: Vec<String> =
            progress.builds.iter().map(|build| format!("building with {}", clean(build))).collect();
        texts.extend(progress.stalled.iter().flatten().map(|what| format!("waiting for {}", short(what, 200))));
        if progress.stalled.is_none() {
            texts.extend(
                progress
                    .barriers
                    .iter()
                    .map(|(state, barrier)| format!("barrier `{}`: waiting for {}", short(state, 60), barrier.target)),
            );
        }
        if texts.len() > MOST_DETAILS {
            let more = texts.len() - (MOST_DETAILS - 1);
            texts.truncate(MOST_DETAILS - 1);
            texts.push(format!("… and {more} more"));
        }
        while self.details.len() > texts.len() {
            if let Some(bar) = self.details.pop() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
        }
        while self.details.len() < texts.len() {
            let bar = self.screen.add(ProgressBar::new_spinner());
            bar.set_style(style("    {wide_msg}"));
            self.details.push(bar);
        }
        for (bar, text) in self.details.iter().zip(texts) {
            bar.set_message(format!("{dim}{text}{dim:#}"));
            bar.tick();
        }
    }

    /// Takes the view away; the lines stay.
    pub(super) fn finish(&mut self) {
        for bar in self.details.drain(..) {
            bar.finish_and_clear();
        }
        self.bar.finish_and_clear();
        let _gone = self.screen.clear();
    }
}

/// A style from a template of ours; the tests draw with each of them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).progress_chars("=> ")
}
