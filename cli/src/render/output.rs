//! Where a report goes: standard output or a file, in the format that was asked for.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tg_analyze::report::{Report, Section};
use tg_model::layout::PARTIAL;

use super::terminal::Ansi;
use super::{csv, json, markdown, terminal};

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON object with raw numbers.
    Json,
    /// One table as CSV with raw numbers.
    Csv,
    /// Markdown, with values as people read them.
    Md,
}

/// The flags of every command that prints a report.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OutputArgs {
    /// How to print: for people (table, md) or for programs (json, csv).
    ///
    /// Without it the ending of the file given with -o decides, else table.
    #[arg(long, value_enum, help_heading = "Output")]
    pub format: Option<Format>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Print only this part of the report, by its name in the JSON output.
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub table: Option<String>,
}

/// Why a report could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is no part of that name.
    #[error("the report has no part `{name}`: it has {known}")]
    NoPart {
        /// The name as given.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// CSV has room for one table.
    #[error("a CSV file holds one table: choose one with --table ({known})")]
    ManyParts {
        /// The names that there are.
        known: String,
    },
    /// The report could not be put into words.
    #[error("cannot write the report as JSON")]
    Json(#[source] serde_json::Error),
    /// The file could not be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
}

impl RenderError {
    /// The exit code for it.
    pub fn exit(&self) -> tg_model::exit::Exit {
        use tg_model::exit::Exit;
        match self {
            Self::NoPart { .. } | Self::ManyParts { .. } => Exit::Usage,
            Self::Json(_) => Exit::Fault,
            Self::File { .. } | Self::Stdout(_) => Exit::Environment,
        }
    }
}

impl OutputArgs {
    fn format(&self) -> Format {
        let by_name = |path: &PathBuf| match path.extension()?.to_str()? {
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "md" => Some(Format::Md),
            _ => None,
        };
        self.format.or_else(|| self.output.as_ref().and_then(by_name)).unwrap_or(Format::Table)
    }
}

/// Prints a report where and how the flags say.
pub fn emit(report: &Report, args: &OutputArgs) -> Result<(), RenderError> {
    let Some(path) = &args.output else {
        // anstream takes the colour out where nobody would see it.
        let text = render(report, args, Ansi::Colour)?;
        let mut out = anstream::stdout();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads us has seen enough.
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(RenderError::Stdout),
        };
    };
    let text = render(report, args, Ansi::Plain)?;
    publish(path, text.as_bytes()).map_err(|source| RenderError::File { path: path.clone(), source })
}

fn render(report: &Report, args: &OutputArgs, ansi: Ansi) -> Result<String, RenderError> {
    let known = || report.sections.iter().map(Section::key).collect::<Vec<_>>().join(", ");
    let part;
    let report = match &args.table {
        None => report,
        Some(name) => {
            let section = report.sections.iter().find(|section| section.key() == name);
            let section = section.ok_or_else(|| RenderError::NoPart { name: name.clone(), known: known() })?;
            part = Report { sections: vec![section.clone()], ..report.clone() };
            &part
        }
    };
    Ok(match args.format() {
        Format::Table => terminal::render(report, ansi),
        Format::Json => json::render(report).map_err(RenderError::Json)?,
        Format::Md => markdown::render(report),
        Format::Csv => match report.sections.as_slice() {
            [section] => csv::render(section),
            _ => return Err(RenderError::ManyParts { known: known() }),
        },
    })
}

/// Writes a file whole or not at all. A link leads to the file that is written; what is no file, such as a device or a
/// named pipe, is written to as it is.
pub(crate) fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &match fs::canonicalize(path) {
        // It is there, and this is its own name.
        Ok(real) => real,
        // A link that leads nowhere yet.
        Err(_) => fs::read_link(path)
            .map_or_else(|_| path.to_owned(), |to| path.parent().unwrap_or_else(|| Path::new("")).join(to)),
    };
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(PARTIAL);
    let partial = PathBuf::from(partial);
    let written = (|| {
        let mut file = fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    })();
    if written.is_err() {
        // The first error is the one to tell; a partial file that stays is named as such.
        drop(fs::remove_file(&partial));
    }
    written
}

#[cfg(test)]
mod tests {
    use tg_analyze::report::Facts;

    use super::*;

    fn report() -> Report {
        let mut facts = Facts::new("a", "A");
        facts.add("n", "n", 3_u64);
        let sections = vec![Section::Facts(facts), Section::Facts(Facts::new("b", "B"))];
        Report { sections, ..Report::new("x", "X") }
    }

    #[test]
    fn a_link_leads_to_its_file_and_a_pipe_stays_one() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("real"), "old and longer").unwrap();
        symlink("real", at("link")).unwrap();
        symlink("not-yet", at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, real) in [("link", "real"), ("dangling", "not-yet"), ("plain", "plain")] {
            publish(&at(name), b"new").unwrap();
            assert_eq!(fs::read(at(real)).unwrap(), b"new", "{name}");
            assert_eq!(fs::symlink_metadata(at(name)).unwrap().is_symlink(), name != "plain");
        }
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
        publish(&at("pipe"), b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        assert!(publish(dir.path(), b"x").is_err(), "a folder is no file");
    }

    #[test]
    fn csv_asks_which_table() {
        let mut args = OutputArgs { format: Some(Format::Csv), ..OutputArgs::default() };
        let why = render(&report(), &args, Ansi::Plain).expect_err("two parts");
        assert_eq!(why.to_string(), "a CSV file holds one table: choose one with --table (a, b)");
        args.table = Some("a".to_owned());
        assert_eq!(render(&report(), &args, Ansi::Plain).expect("one part"), "fact,value,remark\r\nn,3,\r\n");
        args.table = Some("c".to_owned());
        assert!(matches!(render(&report(), &args, Ansi::Plain), Err(RenderError::NoPart { .. })));
    }

    #[test]
    fn the_ending_of_the_file_decides_and_the_file_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("r.json");
        let args = OutputArgs { output: Some(path.clone()), ..OutputArgs::default() };
        emit(&report(), &args).expect("it writes");
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.starts_with('{') && text.contains("\"n\": 3"), "{text}");
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
        let args = OutputArgs { output: Some(dir.path().join("no/r.json")), ..OutputArgs::default() };
        assert!(matches!(emit(&report(), &args), Err(RenderError::File { .. })));
    }
}
