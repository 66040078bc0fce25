//! How nodes came and went: the classes that crawlers sort peers into.

use super::lifetime::Span;
use crate::report::{Cell, Column, Table};

/// When a node was there, as seen over a window of time.
///
/// Definition: D. Trautwein's crawler Nebula, <https://github.com/dennis-tra/nebula>, where a visit that succeeds stands for
/// a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// From begin to end without a break.
    Online,
    /// Not at the begin; it came and stayed.
    Entered,
    /// At the begin; it went and did not come back.
    Left,
    /// Neither at the begin nor at the end, once between.
    OneOff,
    /// It went and came again.
    Dangling,
    /// Never.
    Offline,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Online, Self::Entered, Self::Left, Self::OneOff, Self::Dangling, Self::Offline];

    /// The class of a node, by its sessions in order and the begin of the window; what has no end was there at its end.
    ///
    /// ```
    /// use tg_analyze::graph::{classes::Class, lifetime::Span};
    /// let span = |open, close| Span { open: Some(open), close };
    /// assert_eq!(Class::of(&[span(0, Some(50))], 10), Class::Left);
    /// assert_eq!(Class::of(&[span(20, Some(50))], 10), Class::OneOff);
    /// assert_eq!(Class::of(&[span(0, Some(50)), span(60, None)], 10), Class::Dangling);
    /// ```
    pub fn of(sessions: &[Span], begin: i64) -> Self {
        let within: Vec<&Span> =
            sessions.iter().filter(|session| session.close.is_none_or(|close| close > begin)).collect();
        match within.as_slice() {
            [] => Self::Offline,
            [one] => match (one.open.is_none_or(|open| open <= begin), one.close) {
                (true, None) => Self::Online,
                (true, Some(_)) => Self::Left,
                (false, None) => Self::Entered,
                (false, Some(_)) => Self::OneOff,
            },
            [_, _, ..] => Self::Dangling,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Entered => "entered",
            Self::Left => "left",
            Self::OneOff => "one-off",
            Self::Dangling => "dangling",
            Self::Offline => "offline",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Online => "from the begin of the window to its end",
            Self::Entered => "came and stayed",
            Self::Left => "was there at the begin, went and did not come back",
            Self::OneOff => "came and went, once",
            Self::Dangling => "went and came again",
            Self::Offline => "never connected to anybody in the window",
        }
    }
}

/// How many of so many nodes are of each class. The window begins after a tenth of the time from the first connection to
/// the end: nobody can be connected at the very begin of a run.
pub(super) fn class_table<'a>(nodes: usize, sessions: impl Iterator<Item = &'a [Span]> + Clone, end: i64) -> Table {
    let columns = [("class", "class"), ("nodes", "nodes"), ("nodes_ratio", "share"), ("meaning", "")];
    let columns = columns.map(|(key, title)| Column::new(key, title)).to_vec();
    let mut table =
        Table::new("node_classes", "Nodes by when they were there, undirected, over the last nine tenths", columns);
    "there is no node".clone_into(&mut table.empty);
    let first = sessions.clone().flatten().filter_map(|session| session.open).min().unwrap_or(end);
    let begin = first.saturating_add(end.saturating_sub(first) / 10);
    let known: Vec<Class> = sessions.map(|of| Class::of(of, begin)).collect();
    let silent = nodes.saturating_sub(known.len());
    for class in Class::ALL.into_iter().filter(|_| nodes > 0) {
        let met = known.iter().filter(|&&one| one == class).count();
        let count = met + if class == Class::Offline { silent } else { 0 };
        let share = Cell::ratio(count as f64 / nodes as f64);
        table.rows.push(vec![class.word().into(), count.into(), share, class.meaning().into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_of_one_class() {
        // Negative stands for what nobody saw.
        let span =
            |open: i64, close: i64| Span { open: (open >= 0).then_some(open), close: (close >= 0).then_some(close) };
        let all = [
            (vec![span(0, -1)], Class::Online),
            (vec![span(-1, -1)], Class::Online),
            (vec![span(10, -1)], Class::Online),
            (vec![span(11, -1)], Class::Entered),
            (vec![span(-1, 90)], Class::Left),
            (vec![span(0, 5), span(50, 60)], Class::OneOff),
            (vec![span(0, 5), span(8, -1)], Class::Online),
            (vec![span(20, 30), span(50, -1)], Class::Dangling),
            (vec![span(0, 10)], Class::Offline),
            (vec![], Class::Offline),
        ];
        for (sessions, wanted) in &all {
            assert_eq!(Class::of(sessions, 10), *wanted, "{sessions:?}");
        }
        let met = all.iter().map(|(sessions, _)| sessions.as_slice()).filter(|sessions| !sessions.is_empty());
        let counts: Vec<Cell> = class_table(12, met, 100).rows.into_iter().map(|row| row[1].clone()).collect();
        // Nine met somebody, three did not; the window begins after 10 of 100.
        assert_eq!(counts, [4, 1, 1, 1, 1, 4].map(|n: usize| Cell::from(n)));
        assert_eq!(class_table(0, std::iter::empty(), 0).rows.len(), 0);
    }
}
