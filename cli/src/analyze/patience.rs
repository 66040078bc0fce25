//! How long an answer may take, and how far it is: a line on stderr that moves on a terminal, one now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tg_analyze::work::Watch;

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Waits for an answer until its time is up.
pub(super) struct Patience {
    bar: ProgressBar,
    terminal: bool,
    until: Option<Instant>,
    told: Mutex<Instant>,
}

impl Patience {
    /// From now on; without a budget for as long as it takes.
    pub(super) fn new(budget: Option<Duration>) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{bar:16} {wide_msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        // A budget beyond what the clock can say is none.
        let until = budget.and_then(|budget| now.checked_add(budget));
        Self { bar, terminal, until, told: Mutex::new(now) }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Patience {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn at(&self, what: &'static str, done: u64, of: u64) {
        if self.terminal {
            self.bar.set_length(of.max(1));
            self.bar.set_position(done.min(of));
            self.bar.set_message(words(what, done, of));
        } else if let Ok(mut told) = self.told.try_lock()
            && told.elapsed() >= PLAIN_EVERY
        {
            *told = Instant::now();
            // With stderr gone there is nobody left to tell.
            let _gone = writeln!(anstream::stderr(), "{}", words(what, done, of));
        }
    }
}

/// `betweenness: step 12 of 256`.
fn words(what: &str, done: u64, of: u64) -> String {
    match of {
        0 => format!("{what}: step {}", done + 1),
        of => format!("{what}: step {} of {of}", done + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_nothing_is_over_at_once_and_none_is_never() {
        let over = [None, Some(Duration::ZERO), Some(Duration::MAX)].map(|budget| Patience::new(budget).is_over());
        assert_eq!(over, [false, true, false]);
        assert_eq!(words("spectral", 4, 0), "spectral: step 5");
        assert_eq!(words("distances", 0, 20), "distances: step 1 of 20");
    }
}
