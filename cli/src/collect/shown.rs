//! How far a collect is, on stderr: a line that moves on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tg_collector::{Phase, Progress};

const MIB: f64 = 1_048_576.0;
/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows progress until it is ended.
pub(super) struct Shown {
    bar: ProgressBar,
    terminal: bool,
    /// How many phases there are.
    steps: u8,
    state: Mutex<State>,
}

struct State {
    phase: Option<Phase>,
    /// When the phase began, and how many bytes were done then.
    began: Instant,
    began_bytes: u64,
    told: Instant,
}

impl Shown {
    pub(super) fn new(steps: u8) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{percent:>3} % {wide_msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, terminal, steps, state: Mutex::new(State { phase: None, began: now, began_bytes: 0, told: now }) }
    }

    pub(super) fn update(&self, at: Progress) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.phase != Some(at.phase) {
            let told = state.told;
            *state = State { phase: Some(at.phase), began: Instant::now(), began_bytes: at.bytes, told };
        }
        let (done, total) = if at.of_bytes > 0 { (at.bytes, at.of_bytes) } else { (at.files, at.of_files) };
        if self.terminal {
            self.bar.set_length(total);
            self.bar.set_position(done);
            self.bar.set_message(words(at, self.steps, state.began.elapsed(), state.began_bytes));
        } else if state.told.elapsed() >= PLAIN_EVERY {
            state.told = Instant::now();
            // With stderr gone there is nobody left to tell.
            let _gone =
                writeln!(anstream::stderr(), "{}", words(at, self.steps, state.began.elapsed(), state.began_bytes));
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// `1/3 archiving 12/100 instances, 1.2/3.0 GiB, 120 MiB/s, 15s left`: short enough for a narrow terminal, which would
/// cut off what matters most. What is left is left of the step.
fn words(at: Progress, steps: u8, since: Duration, began_bytes: u64) -> String {
    let (step, doing) = match at.phase {
        Phase::Archive => (1, "archiving"),
        Phase::Dataset => (2, "reading"),
        Phase::Tables => (3, "writing tables"),
    };
    let step = if steps > 1 { format!("{step}/{steps} ") } else { String::new() };
    if at.phase == Phase::Tables {
        return format!("{step}{doing}, {} of {}", at.files, at.of_files);
    }
    let size = size_of(at.bytes, at.of_bytes);
    let mut text = format!("{step}{doing} {}/{} instances, {size}", at.instances, at.of_instances);
    // What an earlier collect had fetched came for nothing.
    let fetched = at.bytes.saturating_sub(began_bytes.max(at.kept_bytes));
    if since >= Duration::from_secs(1) && fetched > 0 {
        let bytes_per_s = fetched as f64 / since.as_secs_f64();
        let left = at.of_bytes.saturating_sub(at.bytes) as f64 / bytes_per_s;
        let left = HumanDuration(Duration::from_secs(whole(left.ceil())));
        let (unit, name) = if bytes_per_s < 10.0 * MIB { (1024.0, "KiB") } else { (MIB, "MiB") };
        text = format!("{text}, {:.0} {name}/s, {left:#} left", bytes_per_s / unit);
    }
    text
}

/// How much is done of how much, in the unit of the whole.
fn size_of(done: u64, of: u64) -> String {
    let (unit, name) = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| of >= 10 * unit)
        .unwrap_or((1, "B"));
    let decimals = usize::from(of < 100 * unit && unit > 1);
    format!("{:.decimals$}/{:.decimals$} {name}", done as f64 / unit as f64, of as f64 / unit as f64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate or a time is positive and small")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_fast_and_how_long() {
        let mib = 1 << 20;
        let at = Progress {
            phase: Phase::Archive,
            bytes: 300 * mib,
            of_bytes: 500 * mib,
            files: 6,
            of_files: 10,
            instances: 3,
            of_instances: 5,
            kept_bytes: 100 * mib,
        };
        let two_s = Duration::from_secs(2);
        assert_eq!(words(at, 3, two_s, 0), "1/3 archiving 3/5 instances, 300/500 MiB, 100 MiB/s, 2s left");
        assert_eq!(words(at, 1, Duration::from_millis(1), 0), "archiving 3/5 instances, 300/500 MiB");
        // On a terminal of 80 columns, after the percentage.
        let at = Progress {
            phase: Phase::Dataset,
            bytes: 5 << 20,
            of_bytes: 99_900 * mib,
            instances: 10_000,
            of_instances: 10_000,
            kept_bytes: 0,
            ..at
        };
        assert_eq!(
            words(at, 3, Duration::from_secs(4), 0),
            "2/3 reading 10000/10000 instances, 0.0/97.6 GiB, 1280 KiB/s, 22h left"
        );
        assert!(words(at, 3, two_s, 0).chars().count() + 6 <= 79);
        assert_eq!(size_of(9 << 20, 10 << 20), "9.0/10.0 MiB");
        assert_eq!((size_of(7, 99).as_str(), size_of(512, 20 << 10).as_str()), ("7/99 B", "0.5/20.0 KiB"));
    }
}
