//! `tg doctor`: whether this machine has what tg needs.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use tg_analyze::report::{Cell, Column, Line, Report, Section, Table, Tone};
use tg_model::Exit;

use crate::Context;
use crate::message::Failure;
use crate::render::{OutputArgs, emit};

/// What `tg doctor` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exits with 14 if tg cannot run plans here at all. A missing toolchain matters only to the plans that it builds.

Examples:
  tg doctor
  tg doctor --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    output: OutputArgs,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    /// Some things will not work.
    Limited,
    /// Nothing will.
    Broken,
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    mark: Mark,
    found: String,
    hint: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, mark: Mark::Good, found: found.into(), hint: None }
    }

    fn bad(name: &'static str, mark: Mark, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, mark, found: found.into(), hint: Some(hint.into()) }
    }
}

/// Looks at everything and says what is missing.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut checks = vec![home(context)];
    checks.extend(context.home.path().ok().map(|home| disk(&home)));
    checks.extend([open_files(), loopback(), hosts()]);
    for (name, tool, arguments, hint) in TOOLS {
        checks.push(toolchain(name, tool, arguments, hint));
    }
    let broken = checks.iter().any(|check| check.mark == Mark::Broken);
    let mut report = Report::new("doctor", "What tg needs of this machine");
    let columns = vec![
        Column::new("check", "check"),
        Column::new("state", "state"),
        Column::new("found", "found"),
        Column::when_used("hint", "what to do"),
    ];
    let mut table = Table::new("checks", "", columns);
    for check in checks {
        let (word, tone) = match check.mark {
            Mark::Good => ("ok", Tone::Good),
            Mark::Limited => ("limited", Tone::Warn),
            Mark::Broken => ("broken", Tone::Bad),
        };
        table.rows.push(vec![
            Cell::Text(check.name.to_owned()),
            Cell::Word(word.to_owned(), tone),
            Cell::Text(check.found),
            check.hint.map_or(Cell::Absent, Cell::Text),
        ]);
    }
    if broken {
        report.headline = Some(Line { text: "tg cannot run plans here".to_owned(), tone: Tone::Bad });
    }
    report.sections.push(Section::Table(table));
    emit(&report, &args.output).map_err(|error| Failure::from_error(error.exit(), &error))?;
    Ok(if broken { Exit::Environment } else { Exit::Ok })
}

fn home(context: &Context) -> Check {
    match context.home.writable() {
        Ok(home) => Check::good("home", format!("{} is writable", home.display())),
        Err(failure) => {
            Check::bad("home", Mark::Broken, failure.told(), "set TG_HOME to a folder that you may write to")
        }
    }
}

fn disk(home: &Path) -> Check {
    const LITTLE_BYTES: u64 = 1 << 30;
    let existing = home.ancestors().find(|dir| dir.exists()).unwrap_or(home);
    match nix::sys::statvfs::statvfs(existing) {
        Ok(disk) => {
            let free = disk.blocks_available() * disk.fragment_size();
            let found = format!("{} free", crate::render::human_bytes(free as f64));
            if free >= LITTLE_BYTES {
                Check::good("disk", found)
            } else {
                Check::bad(
                    "disk",
                    Mark::Limited,
                    found,
                    "make room, or set TG_HOME to another disk; `tg runs rm` removes runs",
                )
            }
        }
        Err(error) => {
            Check::bad("disk", Mark::Limited, format!("cannot tell: {error}"), "see whether the disk is mounted")
        }
    }
}

/// A run takes about so many open files for each instance.
const FILES_PER_INSTANCE: u64 = 10;

fn open_files() -> Check {
    match nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) => {
            let instances = hard / FILES_PER_INSTANCE;
            let found = format!("up to {hard}: about {instances} instances in one run");
            if instances >= 1000 {
                Check::good("open files", found)
            } else {
                Check::bad(
                    "open files",
                    Mark::Limited,
                    found,
                    "raise the hard limit: `ulimit -Hn 100000`, or in limits.conf",
                )
            }
        }
        Err(error) => Check::bad("open files", Mark::Limited, format!("cannot tell: {error}"), "see `ulimit -Hn`"),
    }
}

fn loopback() -> Check {
    let listen = |address: Ipv4Addr| TcpListener::bind((address, 0));
    match (listen(Ipv4Addr::LOCALHOST), listen(Ipv4Addr::new(127, 77, 0, 2))) {
        (Ok(_), Ok(_)) => Check::good("loopback", "every address of 127.0.0.0/8 can be listened on"),
        (Ok(_), Err(error)) => Check::bad(
            "loopback",
            Mark::Limited,
            format!("only 127.0.0.1 can be listened on: {error}"),
            "instances share one address, so that tg knows less of who said what",
        ),
        (Err(error), _) => Check::bad(
            "loopback",
            Mark::Broken,
            format!("127.0.0.1 cannot be listened on: {error}"),
            "bring the interface `lo` up",
        ),
    }
}

/// Whether instances can have hosts of their own: makes one to find out.
fn hosts() -> Check {
    const NAME: &str = "hosts";
    const HINT: &str =
        "instances run as plain processes without a network of their own; `tg help run` has `--isolation`";
    match crate::run::probe_hosts() {
        Ok(()) => Check::good(NAME, "each instance can have a host and a network of its own"),
        Err(why) => Check::bad(NAME, Mark::Limited, why, HINT),
    }
}

/// A toolchain: what it is for, the program, how to ask for its version, how to get it.
const TOOLS: [(&str, &str, &[&str], &str); 5] = [
    ("exec:cargo", "cargo", &["--version"], "for plans in Rust: https://rustup.rs"),
    ("exec:cargo, linker", "cc", &["--version"], "for plans in Rust: the package build-essential, gcc or clang"),
    ("exec:go", "go", &["version"], "for plans in Go: https://go.dev/dl or the package golang-go"),
    ("exec:node", "node", &["--version"], "for plans in JavaScript: https://nodejs.org or the package nodejs"),
    (
        "exec:node, packages",
        "npm",
        &["--version"],
        "for plans in JavaScript: it comes with Node.js, or in the package npm",
    ),
];

fn toolchain(name: &'static str, tool: &str, arguments: &[&str], hint: &str) -> Check {
    let asked = Command::new(tool).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    match asked {
        Ok(answer) if answer.status.success() => {
            let text = String::from_utf8_lossy(&answer.stdout);
            let first = crate::text::short(text.lines().next().unwrap_or_default(), 80);
            Check::good(name, if first.starts_with(tool) { first } else { format!("{tool} {first}") })
        }
        Ok(answer) => Check::bad(name, Mark::Limited, format!("`{tool}` answers with {}", answer.status), hint),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::bad(name, Mark::Limited, format!("`{tool}` is not in PATH"), hint)
        }
        Err(error) => Check::bad(name, Mark::Limited, format!("`{tool}` cannot be started: {error}"), hint),
    }
}
