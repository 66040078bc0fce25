//! What came of a comparison and its assertions: printed, and as an exit code.

use tg_analyze::compare::{Checked, Comparison, Verdict, assertions, report};
use tg_analyze::report::{Line, Report, Section, Tone};
use tg_model::Exit;

use super::{Args, FailOn, junit};
use crate::message::{Failure, progress};
use crate::render::{self, OutputArgs};

/// The format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON object with raw numbers.
    Json,
    /// One table as CSV with raw numbers.
    Csv,
    /// Markdown, with values as people read them.
    Md,
    /// `JUnit` XML: a test for every row and every assertion.
    Junit,
}

/// The format that was asked for, if any was, by name or by the ending of the file.
fn format(args: &Args) -> Option<Format> {
    let ending = args.output.as_ref().and_then(|path| path.extension());
    let by_name = || match ending?.to_str()? {
        "xml" => Some(Format::Junit),
        "csv" => Some(Format::Csv),
        "json" => Some(Format::Json),
        "md" => Some(Format::Md),
        _ => None,
    };
    args.format.or_else(by_name)
}

/// Prints a report where and how the flags say; of CSV, which holds one table, the one named `first` unless said.
pub(super) fn emit_report(report: &Report, args: &Args, first: &str) -> Result<(), Failure> {
    let format = match format(args) {
        None => None,
        Some(Format::Table) => Some(render::Format::Table),
        Some(Format::Json) => Some(render::Format::Json),
        Some(Format::Csv) => Some(render::Format::Csv),
        Some(Format::Md) => Some(render::Format::Md),
        Some(Format::Junit) => {
            return Err(Failure::new(Exit::Usage, "a trend has no tests that JUnit could show")
                .hint("--format json or md tells it to programs and people"));
        }
    };
    let table = args.table.clone().or_else(|| (format == Some(render::Format::Csv)).then(|| first.to_owned()));
    let output = OutputArgs { format, output: args.output.clone(), table };
    render::emit(report, &output).map_err(|error| Failure::from_error(error.exit(), &error))
}

/// What came of it.
pub(super) struct Outcome {
    /// The comparison, if there was a base.
    pub(super) comparison: Option<Comparison>,
    /// The assertions.
    pub(super) checked: Vec<Checked>,
    /// What ends with exit code 31.
    pub(super) fail_on: Option<FailOn>,
    /// Whether obstacles are passed over.
    pub(super) force: bool,
}

impl Outcome {
    /// Prints it where and how the flags say.
    pub(super) fn emit(&self, args: &Args) -> Result<(), Failure> {
        if format(args) == Some(Format::Junit) {
            let text = junit::render(self);
            let Some(path) = &args.output else {
                return crate::output::to_stdout(|out| out.write_all(text.as_bytes()));
            };
            return render::publish(path, text.as_bytes()).map_err(|error| {
                Failure::new(Exit::Environment, format!("cannot write `{}`", path.display())).cause(&error)
            });
        }
        let first = if self.comparison.is_some() { "comparison" } else { "assertions" };
        emit_report(&self.report(), args, first)
    }

    fn report(&self) -> Report {
        let mut report = match &self.comparison {
            Some(comparison) => report(comparison),
            None => Report::new("compare", "Assertions"),
        };
        if !self.checked.is_empty() {
            let broken = self.broken();
            let all = self.checked.len();
            let text = match broken {
                0 if all == 1 => "the assertion holds".to_owned(),
                0 => format!("all {all} assertions hold"),
                broken => format!("{broken} of {} broken", crate::text::count(all as u64, "assertion")),
            };
            let tone = if broken > 0 { Tone::Bad } else { Tone::Good };
            report.headline = Some(match report.headline.take() {
                None => Line { text, tone },
                Some(line) => Line {
                    text: format!("{}; {text}", line.text),
                    tone: if broken > 0 { Tone::Bad } else { line.tone },
                },
            });
            report.sections.insert(usize::from(self.comparison.is_some()), Section::Table(assertions(&self.checked)));
        }
        report
    }

    fn broken(&self) -> usize {
        self.checked.iter().filter(|one| !one.holds).count()
    }

    /// Whether a row fails the gate.
    pub(super) fn fails(&self, verdict: Verdict) -> bool {
        match (self.fail_on, verdict) {
            (Some(FailOn::Worse | FailOn::Unclear), Verdict::Worse) | (Some(FailOn::Unclear), Verdict::Unclear) => true,
            (
                None | Some(FailOn::Worse | FailOn::Unclear),
                Verdict::Worse | Verdict::Better | Verdict::Higher | Verdict::Lower | Verdict::Same | Verdict::Unclear,
            ) => false,
        }
    }

    /// The exit code: 32 before 31, for what cannot be compared was not judged.
    pub(super) fn exit(&self) -> Result<Exit, Failure> {
        if let Some(comparison) = self.comparison.as_ref().filter(|one| !one.obstacles.is_empty() && !self.force) {
            let mut failure = Failure::new(Exit::NotComparable, "the runs cannot be compared");
            for text in &comparison.obstacles {
                failure = failure.note(text.clone());
            }
            return Err(failure.hint("--force takes the numbers as they are"));
        }
        let mut rows = self.comparison.iter().flat_map(|one| &one.rows);
        if self.fail_on == Some(FailOn::Worse) && rows.all(|row| row.key.better.is_none()) {
            let failure = Failure::new(Exit::NoData, "nothing that was compared can be worse");
            return Err(failure.hint("a metric says which way is better when it is recorded with a direction"));
        }
        let mut exit = Exit::Ok;
        for one in self.checked.iter().filter(|one| !one.holds) {
            let found = one.found.map_or("there is no value".to_owned(), |found| {
                format!("it is {}", render::human_number(found, &one.unit))
            });
            progress(&format!("broken: {} ({found})", one.text));
            exit = Exit::Assertion;
        }
        let rows = self.comparison.iter().flat_map(|one| &one.rows);
        for row in rows.filter(|row| self.fails(row.verdict)) {
            progress(&format!("{}: {} of {}", row.verdict.as_str(), row.statistic.name(), row.key.label()));
            exit = Exit::Assertion;
        }
        Ok(exit)
    }
}
