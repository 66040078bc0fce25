//! `tg runs logs`: what all instances printed, in one stream by time.

mod line;
mod merge;
mod source;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use clap::builder::styling::{AnsiColor, Style};
use jiff::Timestamp;
use regex::Regex;
use tg_model::{Exit, GroupName, InstanceId, RunFile};

use self::line::Level;
use self::merge::{Entry, Merge};
use self::source::{Source, Stream};
use crate::Context;
use crate::message::{Failure, label, progress};
use crate::output;
use crate::stored::{self, State, Stored};

/// What `tg runs logs` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lines stand in the order of their times. A line without a time stays behind the last line of its file that has one, \
and a line without a level counts as the last line of its file that has one. Times are in UTC. \
With --since, lines before the first time of their file are left out and counted.

Examples:
  tg runs logs latest
  tg runs logs latest --level warn       warnings and errors of all instances
  tg runs logs latest --group servers --grep 'dial|refused'
  tg runs logs latest --since 30s        the last 30 seconds
  tg runs logs latest -f                 follow a run that goes on, from another terminal
  tg runs logs latest --format json | jq -r 'select(.level == \"error\") | .instance' | sort | uniq -c")]
pub(crate) struct Args {
    /// The run: its id, a unique prefix of it, or `latest`.
    run: String,
    /// Only lines that match this regular expression.
    #[arg(long, value_name = "RE")]
    grep: Option<Regex>,
    /// Only lines of this level or a graver one.
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Only these groups.
    #[arg(long, value_name = "GROUP")]
    group: Vec<GroupName>,
    /// Only these instances, such as `servers/3`.
    #[arg(long, value_name = "GROUP/INDEX")]
    instance: Vec<InstanceId>,
    /// Only what is newer: a duration before the end (or before now, while the run goes on), or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Go on until the run ends.
    #[arg(short, long)]
    follow: bool,
    /// Text for people, or one JSON object for each line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How to print lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// Time, instance, stream and text.
    #[default]
    Text,
    /// One JSON object for each line, with the text as it was written.
    Json,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Before(Duration),
    At(u64),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Since::At(u64::try_from(time.as_nanosecond()).unwrap_or(0)));
    }
    tg_model::param::parse_duration(text)
        .map(Since::Before)
        .ok_or_else(|| "use a duration such as `30s`, or a time such as `2026-11-22T22:15:30Z`".to_owned())
}

/// How long to wait before looking at the files of a run again, at least; and how many times the last look.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_FACTOR: u32 = 5;

/// Merges the logs of a run.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let found = stored::find(&context.home, &args.run)?;
    let file = stored::read_file(&found.dir)?;
    let instances = wanted(args, &file)?;
    let filter = Filter { args, since_ns: args.since.map_or(0, |since| from_when(since, &file)) };
    let sources: Vec<Source> = instances.iter().flat_map(|id| Source::of_instance(&found.dir, id)).collect();
    let width = instances.iter().map(|id| id.to_string().len()).max().unwrap_or(0);
    let mut without_time = 0_u64;
    output::to_stdout(|out| {
        let mut merge = Merge::new(sources, args.follow);
        loop {
            let live = args.follow && goes_on(&found);
            merge.set_follow(live);
            let began = Instant::now();
            while let Some(entry) = merge.next()? {
                if filter.lacks_time(&entry) {
                    without_time += u64::from(filter.matches(&entry));
                } else if filter.passes(&entry) {
                    print(out, &entry, width, args.format)?;
                }
            }
            out.flush()?;
            if !live {
                return Ok(());
            }
            // Files tell nobody that they grew; looking is cheap, and less frequent where there are many.
            thread::sleep(PAUSE.max(began.elapsed() * PAUSE_FACTOR));
        }
    })?;
    if without_time > 0 {
        let lines = if without_time == 1 { "line" } else { "lines" };
        progress(&format!(
            "left out {without_time} {lines} with no time before them in their files; leave out `--since` to see them"
        ));
    }
    Ok(Exit::Ok)
}

fn goes_on(run: &Stored) -> bool {
    stored::read_file(&run.dir).is_ok_and(|file| stored::state(&file) == State::Live)
}

fn wanted(args: &Args, file: &RunFile) -> Result<Vec<InstanceId>, Failure> {
    for group in &args.group {
        if !file.groups.iter().any(|it| it.name == *group) {
            let names: Vec<String> = file.groups.iter().map(|group| format!("`{}`", group.name)).collect();
            return Err(Failure::new(Exit::Usage, format!("run `{}` has no group `{group}`", file.run))
                .hint(format!("its groups: {}", names.join(", "))));
        }
    }
    for instance in &args.instance {
        super::show::known(file, instance)?;
    }
    let all = file
        .groups
        .iter()
        .flat_map(|group| (0..group.count).map(|index| InstanceId { group: group.name.clone(), index }));
    let any = args.group.is_empty() && args.instance.is_empty();
    Ok(all.filter(|id| any || args.group.contains(&id.group) || args.instance.contains(id)).collect())
}

fn from_when(since: Since, file: &RunFile) -> u64 {
    match since {
        Since::At(ns) => ns,
        Since::Before(duration) => {
            let now = || u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(u64::MAX);
            let end = if stored::state(file) == State::Live { now() } else { file.ended_ns.unwrap_or_else(now) };
            end.saturating_sub(crate::text::ns(duration))
        }
    }
}

struct Filter<'a> {
    args: &'a Args,
    since_ns: u64,
}

impl Filter<'_> {
    /// Whether nobody can say if the line is new enough: its file has no time up to it.
    fn lacks_time(&self, entry: &Entry) -> bool {
        self.since_ns > 0 && entry.time_ns == 0
    }

    fn passes(&self, entry: &Entry) -> bool {
        entry.time_ns >= self.since_ns && self.matches(entry)
    }

    fn matches(&self, entry: &Entry) -> bool {
        self.args.level.is_none_or(|least| entry.level >= least)
            && self.args.grep.as_ref().is_none_or(|pattern| pattern.is_match(&entry.text))
    }
}

fn print(out: &mut dyn Write, entry: &Entry, width: usize, format: Format) -> std::io::Result<()> {
    let instance = entry.instance.to_string();
    match format {
        Format::Json => {
            let ts = (entry.time_ns > 0).then_some(entry.time_ns);
            let line = serde_json::json!({
                "ts": ts, "instance": instance, "file": entry.stream.file(), "level": entry.level.word(), "text": entry.text,
            });
            writeln!(out, "{line}")
        }
        Format::Text => {
            let dim = Style::new().dimmed();
            let style = match entry.level {
                Level::Error => label(AnsiColor::Red),
                Level::Warn => label(AnsiColor::Yellow),
                Level::Trace | Level::Debug | Level::Info => Style::new(),
            };
            let time = clock(entry.time_ns);
            let stream = match entry.stream {
                Stream::Stdout => "out",
                Stream::Stderr => "err",
                Stream::RunOut => "run",
            };
            let text = crate::text::clean(&line::told(&entry.text));
            writeln!(out, "{dim}{time:12} {instance:width$} {stream}{dim:#} {style}{text}{style:#}")
        }
    }
}

fn clock(ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(time) if ns > 0 => time.strftime("%H:%M:%S%.3f").to_string(),
        _ => String::new(),
    }
}
