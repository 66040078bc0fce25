//! `tg analyze compare`: one configuration held against another.

mod sides;

use tg_analyze::compare::{CompareOptions, Comparison, Detail, Runs, Verdict, Wanted, compare, report};
use tg_model::Exit;

use crate::Context;
use crate::message::{Failure, progress};
use crate::render::{OutputArgs, emit};

/// What `tg analyze compare` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze compare 3f 9c                         the run 9c against the run 3f
  tg analyze compare 9c 9d 9e --against 3f 40 41   three repeats against three
  tg analyze compare 9c+ --against 3f+             a run with all its repeats, as `tg run` made them
  tg analyze compare 9c+ --against 3f+ --metric 'find_providers.*' --effect 10% --fail-on worse
  tg analyze compare 3f 9c --table comparison --format csv -o comparison.csv

Compare repeats: one run a side cannot show how much runs of the same thing differ.
Exit code 31 says that something is worse (with --fail-on), 32 that the runs cannot be compared.")]
pub(crate) struct Args {
    /// With two names, the base and then the new run; with --against, the runs of the new side.
    ///
    /// A name is a run's id, a unique prefix of it, `latest`, or the path of a dataset's folder. `NAME+` is the run with
    /// all repeats of its configuration, and `*` and `?` stand for any characters of an id.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// The runs of the base.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    against: Vec<String>,
    /// Only metrics and operations whose name matches; `*` and `?` are wild. May be repeated.
    ///
    /// Fewer names make a smaller family of tests, which sees smaller effects.
    #[arg(long, value_name = "GLOB")]
    metric: Vec<String>,
    /// Metrics that do not say which way is better too.
    #[arg(long)]
    all: bool,
    /// The smallest relative change that matters.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    effect: f64,
    /// The smallest change of a success share that matters, in points.
    #[arg(long, value_name = "POINTS", default_value = "2%", value_parser = share)]
    share_effect: f64,
    /// How many times the runs and their instances are drawn anew.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    resamples: u32,
    /// What the draws follow from: the same data and seed give the same text.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// End with exit code 31 on this verdict.
    #[arg(long, value_name = "VERDICT")]
    fail_on: Option<FailOn>,
    /// Let --fail-on judge one run against one.
    #[arg(long)]
    allow_single: bool,
    /// Compare what should not be compared, such as runs of different plans.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What ends the command with exit code 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Anything that is worse.
    Worse,
    /// Anything that is worse or unclear.
    Unclear,
}

/// A share of 1, written as `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text.trim(), 1.0),
    };
    let value: f64 = number.parse().map_err(|why| format!("{why}; write `5%` or `0.05`"))?;
    if (0.0..=1.0).contains(&(value * scale)) {
        Ok(value * scale)
    } else {
        Err("a share lies between 0 and 100 %".to_owned())
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (base, new) = names(args)?;
    let (base, new) = (sides::open(base, context)?, sides::open(new, context)?);
    if args.fail_on.is_some() && base.datasets.len() < 2 && new.datasets.len() < 2 && !args.allow_single {
        let failure = Failure::new(Exit::NoData, "one run a side cannot show how much runs vary, so nothing is gated");
        return Err(failure.hint("give several runs a side (`RUN+` takes all repeats), or --allow-single"));
    }
    let detail = if args.all { Detail::All } else { Detail::Directed };
    let wanted = Wanted { detail, names: args.metric.clone(), ..Wanted::default() };
    let read = |side: &sides::Side| Runs::read(&side.datasets, &wanted).map_err(|error| side.failure(&error));
    let options = CompareOptions {
        names: args.metric.clone(),
        effect: args.effect,
        share_effect: args.share_effect,
        resamples: args.resamples,
        seed: args.seed,
    };
    let comparison = compare(&read(&base)?, &read(&new)?, &options);
    emit(&report(&comparison), &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    verdict(&comparison, args)
}

/// The names of the base and of the new side.
fn names(args: &Args) -> Result<(&[String], &[String]), Failure> {
    match (args.runs.as_slice(), args.against.as_slice()) {
        (new, [_, ..]) => Ok((&args.against, new)),
        ([base, new], []) => Ok((std::slice::from_ref(base), std::slice::from_ref(new))),
        (runs, []) => {
            let failure = Failure::new(
                Exit::Usage,
                format!("{} named, and nothing says which are the base", crate::text::count(runs.len() as u64, "run")),
            );
            Err(failure.hint("name two runs, the base first; or `NEW… --against BASE…`"))
        }
    }
}

/// What the comparison means for whoever waits for an exit code.
fn verdict(comparison: &Comparison, args: &Args) -> Result<Exit, Failure> {
    if !comparison.obstacles.is_empty() && !args.force {
        let mut failure = Failure::new(Exit::NotComparable, "the runs cannot be compared");
        for text in &comparison.obstacles {
            failure = failure.note(text.clone());
        }
        return Err(failure.hint("--force takes the numbers as they are"));
    }
    let Some(fail_on) = args.fail_on else { return Ok(Exit::Ok) };
    let (worse, unclear) = (comparison.count(Verdict::Worse), comparison.count(Verdict::Unclear));
    let failed = match fail_on {
        FailOn::Worse => worse > 0,
        FailOn::Unclear => worse + unclear > 0,
    };
    if failed {
        let all = comparison.rows.len();
        progress(&format!("{worse} of {all} worse, {unclear} unclear"));
        return Ok(Exit::Assertion);
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_percent_or_fractions() {
        assert!((share("5%").unwrap() - 0.05).abs() < 1e-12);
        assert!((share(" 12.5 %").unwrap() - 0.125).abs() < 1e-12);
        assert!((share("0.02").unwrap() - 0.02).abs() < 1e-12);
        for wrong in ["", "%", "five", "-1%", "101%", "NaN", "5"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
