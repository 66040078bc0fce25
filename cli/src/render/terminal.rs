//! A report as aligned text, with colour where the caller wants it.

use tg_analyze::report::{Cell, Facts, Line, Report, Section, Shown, Table, Tone};
use unicode_width::UnicodeWidthStr;

use super::human;

const GAP: &str = "  ";

/// The report as text; `ansi` puts colour into it.
pub(super) fn render(report: &Report, ansi: Ansi) -> String {
    let mut out = String::new();
    push_line(&mut out, &ansi.bold(&human::clean(&report.title)));
    if let Some(line) = &report.headline {
        push_line(&mut out, &ansi.tone(&human::clean(&line.text), line.tone));
    }
    for section in report.sections.iter().filter(|section| !section.is_for_programs()) {
        out.push('\n');
        match section {
            Section::Facts(facts) => push_facts(&mut out, facts, ansi),
            Section::Table(table) => push_table(&mut out, table, ansi),
        }
    }
    if !report.notes.is_empty() {
        out.push('\n');
    }
    for Line { text, tone } in &report.notes {
        let mark = match tone {
            Tone::Warn => "warning: ",
            Tone::Bad => "error: ",
            Tone::Good | Tone::Plain | Tone::Dim => "note: ",
        };
        push_line(&mut out, &format!("{}{}", ansi.tone(mark, *tone), human::clean(text)));
    }
    out
}

/// Whether text carries colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ansi {
    /// It does.
    Colour,
    /// It does not.
    Plain,
}

impl Ansi {
    fn wrap(self, text: &str, code: &str) -> String {
        match self {
            Self::Colour if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Colour | Self::Plain => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.wrap(text, "1")
    }

    fn dim(self, text: &str) -> String {
        self.wrap(text, "2")
    }

    fn tone(self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Good => self.wrap(text, "32"),
            Tone::Warn => self.wrap(text, "33"),
            Tone::Bad => self.wrap(text, "31"),
            Tone::Dim => self.dim(text),
            Tone::Plain => text.to_owned(),
        }
    }

    fn cell(self, cell: &Cell, text: &str) -> String {
        match cell {
            Cell::Word(_, tone) => self.tone(text, *tone),
            Cell::Absent => self.dim(text),
            Cell::Text(_)
            | Cell::Count(_)
            | Cell::Of(..)
            | Cell::Number(..)
            | Cell::Time(_)
            | Cell::Better(_)
            | Cell::Flag(_) => text.to_owned(),
        }
    }
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

fn push_facts(out: &mut String, facts: &Facts, ansi: Ansi) {
    if !facts.title.is_empty() {
        push_line(out, &ansi.bold(&human::clean(&facts.title)));
    }
    let width = facts.facts.iter().map(|fact| fact.title.width()).max().unwrap_or(0);
    // Remarks line up behind the values that have one.
    let remarked = facts.facts.iter().filter(|fact| fact.remark.as_ref().is_some_and(|text| !text.is_empty()));
    let value_width = remarked.map(|fact| human::cell(&fact.value).width()).max().unwrap_or(0);
    for fact in &facts.facts {
        let remark = fact.remark.as_deref().filter(|text| !text.is_empty()).map(human::clean);
        let value = human::cell(&fact.value);
        let value = if remark.is_some() { pad(&value, value_width, Edge::Left) } else { value.into_owned() };
        let remark = remark.map_or(String::new(), |text| format!("{GAP}{}", ansi.dim(&text)));
        let title = pad(&fact.title, width, Edge::Left);
        push_line(out, &format!("{GAP}{}{GAP}{}{remark}", ansi.dim(&title), ansi.cell(&fact.value, &value)));
    }
}

fn push_table(out: &mut String, table: &Table, ansi: Ansi) {
    if !table.title.is_empty() {
        push_line(out, &ansi.bold(&human::clean(&table.title)));
    }
    if table.rows.is_empty() {
        push_line(out, &format!("{GAP}{}", ansi.dim(&human::clean(&table.empty))));
        return;
    }
    let shown = shown_columns(table);
    let columns: Vec<Vec<_>> =
        shown.iter().map(|&at| table.rows.iter().map(|row| human::cell(&row[at])).collect()).collect();
    let edges: Vec<Edge> = shown.iter().map(|&at| edge(table, at)).collect();
    let widths: Vec<usize> = shown
        .iter()
        .zip(&columns)
        .map(|(&at, texts)| texts.iter().map(|text| text.width()).chain([table.columns[at].title.width()]).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut line = String::new();
    for (nth, &at) in shown.iter().enumerate() {
        line.push_str(GAP);
        line.push_str(&pad(&table.columns[at].title, widths[nth], edges[nth]));
    }
    push_line(out, &ansi.dim(line.trim_end()));
    for (row_at, row) in table.rows.iter().enumerate() {
        let mut line = String::new();
        for (nth, &at) in shown.iter().enumerate() {
            line.push_str(GAP);
            // Nothing follows the last column, and trailing spaces inside a colour would not be trimmed.
            let last_left = nth + 1 == shown.len() && edges[nth] == Edge::Left;
            let width = if last_left { 0 } else { widths[nth] };
            line.push_str(&ansi.cell(&row[at], &pad(&columns[nth][row_at], width, edges[nth])));
        }
        push_line(out, &line);
    }
}

/// The places of the columns that people see.
pub(super) fn shown_columns(table: &Table) -> Vec<usize> {
    let used = |at: usize| table.rows.iter().any(|row| !row[at].is_blank());
    (0..table.columns.len())
        .filter(|&at| match table.columns[at].shown {
            Shown::Always => true,
            Shown::WhenUsed => used(at),
            Shown::Never => false,
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Left,
    Right,
}

/// The edge at which a column stands: numbers at the right, so that their digits line up.
pub(super) fn edge(table: &Table, at: usize) -> Edge {
    let cells = || table.rows.iter().map(|row| &row[at]);
    let numbers = cells().any(human::is_numeric);
    if numbers && cells().all(|cell| human::is_numeric(cell) || *cell == Cell::Absent) {
        Edge::Right
    } else {
        Edge::Left
    }
}

fn pad(text: &str, width: usize, edge: Edge) -> String {
    let room = " ".repeat(width.saturating_sub(text.width()));
    match edge {
        Edge::Left => format!("{text}{room}"),
        Edge::Right => format!("{room}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use tg_analyze::report::{Column, Unit};

    use super::*;

    #[test]
    fn tables_for_programs_leave_no_trace() {
        let hidden = Table {
            rows: vec![vec![Cell::Text("a".to_owned())]],
            ..Table::new("x", "", vec![tg_analyze::report::Column::hidden("run")])
        };
        let report = Report { sections: vec![Section::Table(hidden)], ..Report::new("x", "X") };
        assert_eq!(render(&report, Ansi::Plain), "X\n");
    }

    #[test]
    fn columns_line_up_and_unused_ones_go() {
        let mut report = Report::new("stats", "Run x");
        report.headline = Some(Line { text: "passed".to_owned(), tone: Tone::Good });
        let mut facts = Facts::new("run", "");
        facts.add("nodes", "nodes", 20_u64);
        facts.add_with("mean_path_hops", "mean path", Cell::number(1.857_143), "undirected");
        let mut table = Table::new(
            "metrics",
            "Metrics",
            vec![
                Column::new("name", "metric"),
                Column::hidden("unit"),
                Column::new("p50", "p50"),
                Column::when_used("nan", "NaN"),
            ],
        );
        let ns = |value| Cell::Number(value, Unit::Nanos);
        table.rows.push(vec!["größe".into(), "ns".into(), ns(12.0), Cell::Count(0)]);
        table.rows.push(vec!["a".into(), "ns".into(), ns(1_234_000.0), Cell::Absent]);
        report.sections = vec![Section::Facts(facts), Section::Table(table)];
        report.note(Tone::Warn, "2 instances wrote nothing");
        let wanted = "\
Run x
passed

  nodes      20
  mean path  1.86  undirected

Metrics
  metric      p50
  größe     12 ns
  a       1.23 ms

warning: 2 instances wrote nothing
";
        assert_eq!(render(&report, Ansi::Plain), wanted);
        assert!(render(&report, Ansi::Colour).contains("\x1b[32mpassed\x1b[0m"));
    }

    #[test]
    fn an_empty_table_says_so() {
        let mut table = Table::new("t", "T", vec![Column::new("a", "a")]);
        "nothing here".clone_into(&mut table.empty);
        let report = Report { sections: vec![Section::Table(table)], ..Report::new("x", "X") };
        assert_eq!(render(&report, Ansi::Plain), "X\n\nT\n  nothing here\n");
    }
}
