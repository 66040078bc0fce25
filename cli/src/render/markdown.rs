//! A report as Markdown, with values as people read them.

use std::fmt;

use tg_analyze::report::{Report, Section, Table};

use super::human;
use super::terminal::{Edge, edge, shown_columns};

/// The report as Markdown.
pub(super) fn render(report: &Report) -> String {
    let mut out = format!("## {}\n", escape(&report.title));
    if let Some(line) = &report.headline {
        push(&mut out, format_args!("\n**{}**\n", escape(&line.text)));
    }
    for section in report.sections.iter().filter(|section| !section.is_for_programs()) {
        out.push('\n');
        let title = match section {
            Section::Facts(facts) => &facts.title,
            Section::Table(table) => &table.title,
        };
        if !title.is_empty() {
            push(&mut out, format_args!("### {}\n\n", escape(title)));
        }
        match section {
            Section::Facts(facts) => {
                out.push_str("| | | |\n|---|---:|---|\n");
                for fact in &facts.facts {
                    let remark = fact.remark.as_deref().unwrap_or_default();
                    let value = human::cell(&fact.value);
                    push(
                        &mut out,
                        format_args!("| {} | {} | {} |\n", escape(&fact.title), escape(&value), escape(remark)),
                    );
                }
            }
            Section::Table(table) => push_table(&mut out, table),
        }
    }
    if !report.notes.is_empty() {
        out.push('\n');
    }
    for note in &report.notes {
        push(&mut out, format_args!("- {}\n", escape(&note.text)));
    }
    out
}

fn push(out: &mut String, text: fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
}

fn push_table(out: &mut String, table: &Table) {
    if table.rows.is_empty() {
        push(out, format_args!("{}\n", escape(&table.empty)));
        return;
    }
    let shown = shown_columns(table);
    let row = |texts: Vec<String>| format!("| {} |\n", texts.join(" | "));
    out.push_str(&row(shown.iter().map(|&at| escape(&table.columns[at].title)).collect()));
    let rule = |&at: &usize| match edge(table, at) {
        Edge::Left => "---".to_owned(),
        Edge::Right => "---:".to_owned(),
    };
    out.push_str(&row(shown.iter().map(rule).collect()));
    for cells in &table.rows {
        out.push_str(&row(shown.iter().map(|&at| escape(&human::cell(&cells[at]))).collect()));
    }
}

/// Text of a stranger may neither leave its cell nor become a link, a tag or an emphasis.
fn escape(text: &str) -> String {
    let text = human::clean(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use tg_analyze::report::{Cell, Column};

    use super::*;

    #[test]
    fn tables_are_pipes_and_names_stay_in_their_cell() {
        let mut table = Table::new("m", "", vec![Column::new("name", "name"), Column::new("n", "n")]);
        table.rows.push(vec!["a|b<i>".into(), Cell::Count(3)]);
        let report = Report { sections: vec![Section::Table(table)], ..Report::new("x", "X") };
        assert_eq!(render(&report), "## X\n\n| name | n |\n| --- | ---: |\n| a\\|b\\<i\\> | 3 |\n");
    }
}
