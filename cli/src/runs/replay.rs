//! `tg runs replay`.

use std::thread;
use std::time::Duration;

use tg_model::Exit;
use tg_model::event::EventKind;

use crate::Context;
use crate::message::Failure;
use crate::output;
use crate::reporter::{Reporter, Style, Summary};
use crate::stored::{self, Events};

/// What `tg runs replay` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg runs replay latest                  as fast as it was
  tg runs replay latest --speed 10       ten times as fast
  tg runs replay latest --speed max --progress lines")]
pub(crate) struct Args {
    /// The run: its id, a unique prefix of it, or `latest`.
    run: String,
    /// How many times as fast as it was; `max` does not wait at all.
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// How to show it.
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

/// How fast to replay.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("use a number above 0, or `max`".to_owned()),
    }
}

/// A live view moves at least this often.
const TICK: Duration = Duration::from_millis(100);

/// Shows the run again.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let run = stored::find(&context.home, &args.run)?;
    // Refuses formats that this tg does not know, before anything is shown.
    stored::read_file(&run.dir)?;
    let mut events = Events::open(&run.dir)?;
    let mut reporter = Reporter::new(args.progress);
    let mut summary = Summary::default();
    let mut last_ts = None;
    let cannot =
        |error| Failure::new(Exit::Environment, format!("cannot read the events of run `{}`", run.id)).cause(&error);
    while let Some(event) = events.next().map_err(cannot)? {
        if let (Speed::Times(times), Some(last)) = (args.speed, last_ts) {
            let gap = Duration::from_nanos(event.ts.saturating_sub(last));
            wait(gap.div_f64(times), &mut reporter);
        }
        // What was built for a series of runs may lie long before this one; times are told from its begin.
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            reporter.finish();
            reporter = Reporter::new(args.progress);
        }
        last_ts = (!matches!(event.kind, EventKind::BuildStarted { .. } | EventKind::BuildFinished { .. }))
            .then_some(event.ts);
        reporter.event(&event);
        summary.event(&event);
    }
    reporter.finish();
    output::to_stdout(|out| summary.write(&run.dir, out))?;
    Ok(Exit::Ok)
}

fn wait(mut left: Duration, reporter: &mut Reporter) {
    while !left.is_zero() {
        let step = left.min(TICK);
        thread::sleep(step);
        left -= step;
        reporter.tick();
    }
}
