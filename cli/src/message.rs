//! The one form in which tg says that something went wrong.
//!
//! ```text
//! error: cannot collect run `20261122-221530417-k7qx`
//!   cause: no outputs under `s3://lab/runs`
//!   cause: the bucket answered 403 (access denied)
//!
//! hint: check `AWS_PROFILE`, or pass `--source dir:./runs`
//! ```

use std::error::Error;
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use tg_model::Exit;

/// Why a subcommand could not do what was asked: the exit code, the error with its causes, and at most one hint.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    details: Vec<Detail>,
    hint: Option<String>,
}

/// A line below the message.
#[derive(Debug)]
enum Detail {
    /// An error that led to this one.
    Cause(String),
    /// Something in our own words.
    Note(String),
}

impl Failure {
    /// A failure in our own words: a lower-case fragment with backticks round names.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new(), hint: None }
    }

    /// A failure from an error of a library, with all its sources as causes.
    pub(crate) fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let failure = Self::new(exit, error.to_string());
        match error.source() {
            Some(source) => failure.cause(source),
            None => failure,
        }
    }

    /// Adds an error and all its sources as causes.
    pub(crate) fn cause(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries repeat their source in their own text; nobody wants to read it twice.
            let said = match self.details.last() {
                Some(Detail::Cause(last)) => last.ends_with(&text),
                Some(Detail::Note(_)) | None => self.message.ends_with(&text),
            };
            if !said {
                self.details.push(Detail::Cause(text));
            }
            next = error.source();
        }
        self
    }

    /// Adds a line in our own words below the message.
    pub(crate) fn note(mut self, text: impl Into<String>) -> Self {
        self.details.push(Detail::Note(text.into()));
        self
    }

    /// Says what the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, if a library knows what the user can do.
    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// A failure to write what was asked for. A reader that went away (`tg … | head`) is none.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, String::new());
        }
        Self::new(Exit::Environment, "cannot write the output").cause(error)
    }

    /// The message with the lines below it, as one problem among others.
    pub(crate) fn told(&self) -> String {
        let lines = self.details.iter().map(|detail| match detail {
            Detail::Cause(text) => format!("cause: {text}"),
            Detail::Note(text) => text.clone(),
        });
        std::iter::once(self.message.clone()).chain(lines).collect::<Vec<_>>().join("\n")
    }

    /// What the user can do about it.
    pub(crate) fn advice(&self) -> Option<String> {
        self.hint.clone()
    }

    /// Prints the failure to stderr and gives its exit code.
    pub(crate) fn report(&self) -> Exit {
        if self.exit != Exit::Ok {
            // With stderr gone there is nobody left to tell.
            let _gone = self.write(&mut anstream::stderr().lock());
        }
        self.exit
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (bad, good) = (label(AnsiColor::Red), label(AnsiColor::Cyan));
        writeln!(out, "{bad}error{bad:#}: {}", indent(&self.message))?;
        for detail in &self.details {
            match detail {
                Detail::Cause(text) => writeln!(out, "  {bad}cause{bad:#}: {}", indent(text))?,
                Detail::Note(text) => writeln!(out, "  {}", indent(text))?,
            }
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "\n{good}hint{good:#}: {}", indent(hint))?;
        }
        Ok(())
    }
}

/// Tells on stderr how something goes.
pub(crate) fn progress(text: &str) {
    // With stderr gone there is nobody left to tell.
    let _gone = writeln!(anstream::stderr(), "{text}");
}

/// A bold label in a colour.
pub(crate) fn label(color: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(color.into()))
}

/// Later lines of a text stand below its first.
fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(failure: &Failure) -> String {
        let mut bytes = Vec::new();
        failure.write(&mut anstream::StripStream::new(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_error_shows_its_causes_and_one_hint() {
        #[derive(Debug, thiserror::Error)]
        #[error("the bucket answered 403")]
        struct Denied;
        #[derive(Debug, thiserror::Error)]
        #[error("no outputs under `s3://lab/runs`")]
        struct NoOutputs(#[source] Denied);

        let failure = Failure::new(Exit::Source, "cannot collect run `r`").cause(&NoOutputs(Denied)).hint("try again");
        assert_eq!(
            shown(&failure),
            "error: cannot collect run `r`\n  cause: no outputs under `s3://lab/runs`\n  cause: the bucket answered \
             403\n\nhint: try again\n"
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.report(), Exit::Ok);
        let full = Failure::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit, Exit::Environment);
    }
}
