//! How a run looks while it goes on and when it is over. Reporters see nothing but `RunEvent`s, so a replay looks
//! like the run did.

mod lines;
mod narrate;
mod progress;
mod summary;
mod terminal;

use std::io::{self, IsTerminal as _};

use tg_model::RunEvent;

pub(crate) use lines::Lines;
pub(crate) use summary::Summary;
pub(crate) use terminal::Terminal;

/// How to report progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Style {
    /// A live view on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A view that is drawn over and over.
    Live,
    /// One line for each event worth reading.
    Lines,
    /// Nothing but errors.
    Quiet,
}

/// What shows the events of one run, on stderr.
pub(crate) enum Reporter {
    /// A view that is drawn over and over.
    Live(Box<Terminal>),
    /// One line for each event worth reading.
    Lines(Lines<anstream::Stderr>),
    /// Nothing.
    Quiet,
}

impl Reporter {
    /// A reporter for one run.
    pub(crate) fn new(style: Style) -> Self {
        let live = match style {
            Style::Auto => io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            Style::Live => true,
            Style::Lines => false,
            Style::Quiet => return Self::Quiet,
        };
        if live { Self::Live(Box::new(Terminal::new())) } else { Self::Lines(Lines::new(anstream::stderr())) }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        match self {
            Self::Live(terminal) => terminal.event(event),
            Self::Lines(lines) => lines.event(event),
            Self::Quiet => {}
        }
    }

    /// Draws what has changed; called a few times a second.
    pub(crate) fn tick(&mut self) {
        match self {
            Self::Live(terminal) => terminal.draw(),
            Self::Lines(_) | Self::Quiet => {}
        }
    }

    /// Takes the live view away.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Live(terminal) => terminal.finish(),
            Self::Lines(_) | Self::Quiet => {}
        }
    }
}
