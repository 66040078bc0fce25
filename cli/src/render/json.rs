//! A report as JSON: raw numbers, units in the keys or beside them, null for what does not exist.

use serde_json::{Map, Value, json};
use tg_analyze::report::{Cell, Report, Section};

/// The report as one JSON object, indented.
pub(super) fn render(report: &Report) -> Result<String, serde_json::Error> {
    let mut root = Map::new();
    root.insert("report".to_owned(), json!(report.name));
    root.insert("title".to_owned(), json!(report.title));
    if let Some(line) = &report.headline {
        root.insert("headline".to_owned(), json!(line.text));
    }
    for section in &report.sections {
        let value = match section {
            Section::Facts(facts) => {
                Value::Object(facts.facts.iter().map(|fact| (fact.key.clone(), cell(&fact.value))).collect())
            }
            Section::Table(table) => {
                let keys = || table.columns.iter().map(|column| column.key.clone());
                let row = |cells: &Vec<Cell>| Value::Object(keys().zip(cells.iter().map(cell)).collect());
                Value::Array(table.rows.iter().map(row).collect())
            }
        };
        root.insert(section.key().to_owned(), value);
    }
    // A table of notes keeps its name.
    let remarks = if root.contains_key("notes") { "remarks" } else { "notes" };
    root.insert(remarks.to_owned(), report.notes.iter().map(|note| json!(note.text)).collect());
    let mut text = serde_json::to_string_pretty(&Value::Object(root))?;
    text.push('\n');
    Ok(text)
}

/// A cell as raw data.
pub(super) fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Absent => Value::Null,
        Cell::Text(text) | Cell::Word(text, _) => json!(text),
        Cell::Count(n) | Cell::Of(n, _) => json!(n),
        // A NaN or an infinity has no form in JSON and becomes null.
        Cell::Number(value, _) => json!(value),
        Cell::Time(ns) => json!(ns),
        Cell::Better(direction) => json!(direction.as_str()),
        Cell::Flag(flag) => json!(flag),
    }
}

#[cfg(test)]
mod tests {
    use tg_analyze::report::{Column, Direction, Facts, Table, Unit};

    use super::*;

    #[test]
    fn numbers_stay_raw_and_absent_is_null() {
        let mut facts = Facts::new("graph", "Graph");
        facts.add("mean_path_hops", "mean path", Cell::Absent);
        let mut table = Table::new("metrics", "Metrics", vec![Column::new("p50", "p50"), Column::new("better", "")]);
        table.rows.push(vec![Cell::Number(12_345_678.5, Unit::Nanos), Cell::Better(Direction::Lower)]);
        let report =
            Report { sections: vec![Section::Facts(facts), Section::Table(table)], ..Report::new("graph", "G") };
        let value: Value = serde_json::from_str(&render(&report).expect("it serialises")).expect("it parses");
        let wanted = json!({"report": "graph", "title": "G", "graph": {"mean_path_hops": null},
            "metrics": [{"p50": 12_345_678.5, "better": "lower"}], "notes": []});
        assert_eq!(value, wanted);
    }

    #[test]
    fn a_table_of_notes_is_not_lost() {
        let mut table = Table::new("notes", "Notes", vec![Column::new("reason", "reason")]);
        table.rows.push(vec![Cell::Text("half-line".to_owned())]);
        let report = Report { sections: vec![Section::Table(table)], ..Report::new("run", "R") };
        let value: Value = serde_json::from_str(&render(&report).expect("it serialises")).expect("it parses");
        assert_eq!((&value["notes"][0]["reason"], &value["remarks"]), (&json!("half-line"), &json!([])));
    }
}
