//! `tg analyze compare`: one configuration held against another.

mod junit;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tg_analyze::AnalyzeError;
use tg_analyze::compare::{Assertion, CompareOptions, Detail, Runs, TrendOrder, Verdict, Wanted, compare, trend};
use tg_model::Exit;

use self::outcome::{Format, Outcome};
use super::runs;
use crate::Context;
use crate::message::Failure;

/// What `tg analyze compare` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg analyze compare 3f 9c                         the run 9c against the run 3f
  tg analyze compare 9c 9d 9e --against 3f 40 41   three repeats against three
  tg analyze compare 9c+ --against 3f+             a run with all its repeats, as `tg run` made them
  tg analyze compare 9c+ --against 3f+ --metric 'find_providers.*' --effect 10% --fail-on worse
  tg analyze compare 9c+ --against 3f+ --fail-on worse -o compare.xml
  tg analyze compare 9c --assert 'p95(find_providers.duration_ns) < 2s' --assert 'success(get) >= 99%'
  tg analyze compare 9c+ --against 3f+ --filter 'group = clients and op = find_providers'
  tg analyze compare --trend 'nightly-*' --metric 'find_providers.*'

Compare repeats: one run a side cannot show how much runs of the same thing differ. \
Exit code 31 says that something is worse (with --fail-on) or that an assertion is broken, 32 that the runs cannot \
be compared, 30 that the data does not answer.")]
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
    /// Say instead how the runs drift, in the order in which they began.
    #[arg(long, conflicts_with_all = ["against", "assert"])]
    trend: bool,
    /// Take runs together that have the same value of this key of their configuration or parameter, such as `commit`.
    #[arg(long, value_name = "KEY", requires = "trend")]
    by: Option<String>,
    /// Only metrics and operations whose name matches; `*` and `?` are wild. May be repeated.
    ///
    /// Fewer names make a smaller family of tests, which sees smaller effects.
    #[arg(long, value_name = "GLOB")]
    metric: Vec<String>,
    /// Only operations and metrics for which this holds, on both sides; the conditions are those of `tg analyze stats`.
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Metrics that do not say which way is better too.
    #[arg(long, alias = "all")]
    all_metrics: bool,
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
    /// End with exit code 31 unless this holds of the new side, such as `p95(find_providers.duration_ns) < 2s`.
    ///
    /// `p50`, `p99.9`, `median`, `mean`, `min`, `max` or `count` of a metric or an operation's column, or `success` of an
    /// operation; `@ GROUP` behind the name takes one group; then < <= > >= or =, and a number with ns, us, ms, s, m, B,
    /// KiB, MiB, GiB, KB, MB, % or no unit. May be repeated. With assertions a single run needs no base.
    #[arg(long, value_name = "ASSERTION", value_parser = assertion)]
    assert: Vec<Assertion>,
    /// End with exit code 31 on this verdict.
    #[arg(long, value_name = "VERDICT")]
    fail_on: Option<FailOn>,
    /// Let --fail-on judge one run against one.
    #[arg(long)]
    allow_single: bool,
    /// Compare what should not be compared, such as runs of different plans.
    #[arg(long)]
    force: bool,
    /// How to print: for people (table, md), for programs (json, csv) or for a CI system (junit).
    ///
    /// Without it the ending of the file given with -o decides (`.xml` is junit), else table.
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<Format>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Print only this part of the report, by its name in the JSON output; for csv `comparison` unless said.
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    table: Option<String>,
}

/// What ends the command with exit code 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FailOn {
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
    if args.trend {
        return drift(args, context);
    }
    let (base, new) = names(args)?;
    let (base, new) = (runs::open(base, context)?, runs::open(new, context)?);
    let many = base.datasets.len() > 1 || new.datasets.len() > 1;
    if args.fail_on.is_some() && !many && !args.allow_single {
        let failure = Failure::new(Exit::NoData, "one run a side cannot show how much runs vary, so nothing is gated");
        return Err(failure.hint("give several runs a side (`RUN+` takes all repeats), or --allow-single"));
    }
    let detail = if args.all_metrics { Detail::All } else { Detail::Directed };
    let asked = || Wanted { filter: args.filter.clone(), ..Wanted::default() };
    let wanted = Wanted { detail, names: args.metric.clone(), ..asked() };
    let read =
        |side: &runs::Chosen, wanted: &Wanted| Runs::read(&side.datasets, wanted).map_err(|error| side.failure(&error));
    let options = CompareOptions {
        names: args.metric.clone(),
        effect: args.effect,
        share_effect: args.share_effect,
        resamples: args.resamples,
        seed: args.seed,
        ..CompareOptions::default()
    };
    let both = |wanted: &Wanted| Ok::<_, Failure>(compare(&read(&base, wanted)?, &read(&new, wanted)?, &options));
    let mut comparison = if base.datasets.is_empty() { None } else { Some(both(&wanted)?) };
    // Plans need not say which way their metrics are better, and the others are better than none.
    if comparison.as_ref().is_some_and(|one| one.rows.is_empty()) && args.metric.is_empty() && !args.all_metrics {
        let mut other = both(&Wanted { detail: Detail::All, ..wanted })?;
        if !other.rows.is_empty() {
            let text = "there are no operations, and no metric says which way is better: all metrics are compared, and \
                        none can be worse";
            other.warnings.push(text.to_owned());
            comparison = Some(other);
        }
    }
    let mut checked = Vec::new();
    if !args.assert.is_empty() {
        let exact = args.assert.iter().map(|one| one.name.clone()).collect();
        let values = read(&new, &Wanted { exact, ..asked() })?;
        for one in &args.assert {
            match one.check(&values) {
                Ok(found) => checked.push(found),
                Err(error @ AnalyzeError::NoData(_)) => {
                    let failure = Failure::from_error(error.exit(), &error);
                    let all = read(&new, &Wanted { detail: Detail::All, ..asked() })?;
                    return Err(failure.hint(alternatives(&one.name, &all)));
                }
                Err(error) => return Err(Failure::from_error(error.exit(), &error)),
            }
        }
    }
    let outcome = Outcome { comparison, checked, fail_on: args.fail_on, force: args.force };
    outcome.emit(args)?;
    outcome.exit()
}

/// The runs in their order.
fn drift(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let side = runs::open(&args.runs, context)?;
    let detail = if args.all_metrics { Detail::All } else { Detail::Directed };
    let wanted = Wanted { detail, names: args.metric.clone(), filter: args.filter.clone(), ..Wanted::default() };
    let runs = Runs::read(&side.datasets, &wanted).map_err(|error| side.failure(&error))?;
    let order = args.by.clone().map_or(TrendOrder::Date, TrendOrder::Key);
    let found =
        trend(&runs, &order, args.effect, args.seed).map_err(|error| Failure::from_error(error.exit(), &error))?;
    outcome::emit_report(&found.report(), args, "trend")?;
    let failed = args.fail_on.is_some() && found.count(Verdict::Worse) > 0;
    Ok(if failed { Exit::Assertion } else { Exit::Ok })
}

/// The names of the base and of the new side; no base where only assertions are asked for.
fn names(args: &Args) -> Result<(&[String], &[String]), Failure> {
    match (args.runs.as_slice(), args.against.as_slice()) {
        (new, [_, ..]) => Ok((&args.against, new)),
        (new @ [_], []) if !args.assert.is_empty() && args.fail_on.is_none() => Ok((&[], new)),
        ([base, new], []) => Ok((std::slice::from_ref(base), std::slice::from_ref(new))),
        (runs, []) => {
            let named = crate::text::count(runs.len() as u64, "run");
            let failure = Failure::new(Exit::Usage, format!("{named} named, and nothing says which are the base"));
            Err(failure.hint("name two runs, the base first; or `NEW… --against BASE…`"))
        }
    }
}

/// What could be meant by a name that there is not.
fn alternatives(name: &str, runs: &Runs) -> String {
    let names: BTreeSet<&str> = runs.values.iter().flat_map(BTreeMap::keys).map(|key| key.name.as_str()).collect();
    if let Some(near) = tg_model::problem::nearest(name, names.iter().copied()).filter(|near| *near != name) {
        return format!("did you mean `{near}`?");
    }
    const SHOWN: usize = 8;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let some: Vec<&str> = names.into_iter().take(SHOWN).collect();
    format!("there are {}{more}; `tg analyze stats` shows all", some.join(", "))
}

/// An assertion, or why it is none with a caret below the place.
fn assertion(text: &str) -> Result<Assertion, String> {
    Assertion::parse(text).map_err(|error| {
        let shown = crate::text::clean(text);
        format!("{}\n    {shown}\n    {}^", error.why, " ".repeat(error.at))
    })
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_wrong_assertion_shows_where() {
        let why = super::assertion("p95(rtt) < 2 parsecs").unwrap_err();
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines[1], "    p95(rtt) < 2 parsecs");
        assert_eq!(lines[2], "                 ^");
    }

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
