//! One section of a report as CSV (RFC 4180): raw numbers, empty for what does not exist.

use serde_json::Value;
use tg_analyze::report::{Cell, Section};

use super::json;

/// The section as CSV with a heading line.
pub(super) fn render(section: &Section) -> String {
    let mut out = String::new();
    match section {
        Section::Facts(facts) => {
            push_row(&mut out, ["fact", "value", "remark"].map(str::to_owned));
            for fact in &facts.facts {
                push_row(&mut out, [fact.key.clone(), raw(&fact.value), fact.remark.clone().unwrap_or_default()]);
            }
        }
        Section::Table(table) => {
            push_row(&mut out, table.columns.iter().map(|column| column.key.clone()));
            for row in &table.rows {
                push_row(&mut out, row.iter().map(raw));
            }
        }
    }
    out
}

fn raw(cell: &Cell) -> String {
    match json::cell(cell) {
        Value::Null => match cell {
            Cell::Number(value, _) => value.to_string(),
            _ => String::new(),
        },
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn push_row(out: &mut String, fields: impl IntoIterator<Item = String>) {
    for (nth, field) in fields.into_iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use tg_analyze::report::{Column, Table, Unit};

    use super::*;

    #[test]
    fn fields_are_quoted_when_they_must_be() {
        let mut table = Table::new("m", "", vec![Column::new("name", "name"), Column::new("p50", "p50")]);
        table.rows.push(vec!["a,\"b\"".into(), Cell::Number(1.5, Unit::Nanos)]);
        table.rows.push(vec![Cell::Absent, Cell::Number(f64::NAN, Unit::None)]);
        assert_eq!(render(&Section::Table(table)), "name,p50\r\n\"a,\"\"b\"\"\",1.5\r\n,NaN\r\n");
    }
}
