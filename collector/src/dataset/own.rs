//! Tables of the author's own, `x_<name>`: kept as text until the whole run was seen, then given the columns that
//! all of their lines agree on.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, StringArray, StringBuilder, UInt32Array, UInt32Builder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use tg_model::table::Kind;

use super::own_line::{self, Cell, Seen};
use super::rows::Rows;
use super::schema::{ColumnShape, Shape};
use super::scratch::{Pile, PileWriter, Scratch};
use crate::error::CollectError;
use crate::rules::Declared;

/// A table has no more inferred columns than this; further keys go into `rest` as JSON.
const MOST_COLUMNS: usize = 200;

/// The keys of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    seen: BTreeMap<String, Seen>,
    declared: BTreeMap<String, Declared>,
    more: bool,
}

impl Keys {
    /// No keys yet but those that rules declare.
    pub(crate) fn new(declared: Option<&[Declared]>) -> Self {
        let declared: BTreeMap<String, Declared> =
            declared.into_iter().flatten().map(|column| (column.name.clone(), column.clone())).collect();
        let seen = declared.keys().map(|key| (key.clone(), Seen::default())).collect();
        Self { seen, declared, more: false }
    }

    fn kind(&self, key: &str, seen: Seen) -> Kind {
        self.declared.get(key).map_or_else(|| seen.kind(key), |column| column.kind)
    }

    fn add(&mut self, key: &str, more: Seen) {
        if let Some(seen) = self.seen.get_mut(key) {
            seen.merge(more);
            return;
        }
        self.seen.insert(key.to_owned(), more);
        // The keys that sort first stay, so that the order of reading does not matter.
        if self.seen.len() > MOST_COLUMNS {
            self.seen.pop_last();
            self.more = true;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, more) in &other.seen {
            self.add(key, *more);
        }
        self.more |= other.more;
    }

    /// The table's shape.
    pub(crate) fn shape(&self, name: &str) -> Shape {
        let fixed = [
            ("file_id", "The file that the row came from, from 1: `files.file_id`."),
            ("line", "The line in that file, from 1."),
            ("instance", "The instance: `instances.instance`."),
        ];
        let mut columns: Vec<ColumnShape> = fixed
            .iter()
            .map(|(name, doc)| ColumnShape {
                name: (*name).to_owned(),
                kind: Kind::U32,
                nullable: false,
                doc: (*doc).to_owned(),
                unit: None,
            })
            .collect();
        let mut taken: std::collections::BTreeSet<String> =
            ["run_id", "file_id", "line", "instance", "rest"].iter().map(|&s| s.to_owned()).collect();
        for (key, seen) in &self.seen {
            let mut name = if key.is_empty() { "_".to_owned() } else { key.clone() };
            while !taken.insert(name.to_lowercase()) {
                name.push('_');
            }
            let declared = self.declared.get(key);
            let doc = declared.and_then(|column| column.doc.clone());
            let doc = doc.unwrap_or_else(|| format!("The key `{key}` of the author's lines."));
            let unit = declared.and_then(|column| column.unit.clone());
            columns.push(ColumnShape { name, kind: self.kind(key, *seen), nullable: true, doc, unit });
        }
        if self.more {
            let doc = "Keys beyond the limit of columns, as JSON.".to_owned();
            columns.push(ColumnShape { name: "rest".to_owned(), kind: Kind::Text, nullable: true, doc, unit: None });
        }
        let doc = if self.declared.is_empty() {
            format!(
                "Lines of the author's own file `{name}`, one row each; columns inferred from all lines of the run."
            )
        } else {
            "Lines that the user's rules put here; `rules.toml` in the archive has them.".to_owned()
        };
        let sort = ["instance", "file_id", "line"].map(str::to_owned).to_vec();
        Shape::new(format!("x_{name}"), doc, columns, sort)
    }

    /// Makes rows of lines.
    pub(crate) fn filler(&self) -> Filler<'_> {
        let columns: Vec<(&str, Kind)> =
            self.seen.iter().map(|(key, seen)| (key.as_str(), self.kind(key, *seen))).collect();
        Filler { columns, more: self.more, order: Vec::new() }
    }
}

/// Makes rows of lines whose keys are known.
pub(crate) struct Filler<'a> {
    /// The keys in the order of the columns that they fill.
    columns: Vec<(&'a str, Kind)>,
    more: bool,
    /// For each key of the line before, in its order, the column: the next line has most likely the same.
    order: Vec<usize>,
}

impl Filler<'_> {
    fn column(&mut self, nth: usize, key: &str) -> Option<usize> {
        if let Some(&at) = self.order.get(nth)
            && self.columns.get(at).is_some_and(|(of, _)| *of == key)
        {
            return Some(at);
        }
        let at = self.columns.binary_search_by(|(of, _)| (*of).cmp(key)).ok()?;
        if nth < MOST_COLUMNS {
            self.order.resize(self.order.len().max(nth + 1), at);
            self.order[nth] = at;
        }
        Some(at)
    }

    /// Fills a row from a line.
    pub(crate) fn fill(&mut self, rows: &mut Rows, at: (u32, u32, u32), text: &str) {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        cells.resize_with(self.columns.len(), || Cell::Null);
        let mut rest = serde_json::Map::new();
        let more = self.more;
        let read = own_line::read(text, |nth, key, cell| match self.column(nth, key.as_str()) {
            Some(at) => cells[at] = cell,
            None if more => drop(rest.insert(key.0.into_owned(), cell.into_json())),
            None => {}
        });
        if read.is_err() {
            // It was read before; a row without values is all that there can be.
            cells.fill_with(|| Cell::Null);
            rest.clear();
        }
        let (instance, file_id, line) = at;
        let mut row = rows.row(file_id, line).put(instance);
        for (cell, (_, kind)) in cells.iter().zip(&self.columns) {
            row = cell.put(*kind, row);
        }
        if self.more {
            let rest = if rest.is_empty() { None } else { Some(serde_json::Value::Object(rest).to_string()) };
            row = row.put(rest.as_deref());
        }
        row.end();
    }
}

/// Lines of one table that are being read.
pub(crate) struct OwnRows {
    keys: Keys,
    /// The keys of the lines so far in the order of one of them: the next line has most likely the same.
    recent: Vec<(String, Seen)>,
    at: [UInt32Builder; 3],
    text: StringBuilder,
    bytes: usize,
    pile: PileWriter,
}

impl OwnRows {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        let at = std::array::from_fn(|_| UInt32Builder::new());
        Self {
            keys: Keys::default(),
            recent: Vec::new(),
            at,
            text: StringBuilder::new(),
            bytes: 0,
            pile: PileWriter::new(scratch),
        }
    }

    /// Takes a line; false, and nothing else, if it is no JSON object.
    pub(crate) fn push(&mut self, instance: u32, file_id: u32, line: u32, text: &str) -> bool {
        let Ok(found) = own_line::look(text) else { return false };
        for (nth, (key, seen)) in found.into_iter().enumerate() {
            match self.recent.get_mut(nth) {
                Some((of, before)) if of == key.as_str() => before.merge(seen),
                None if nth < MOST_COLUMNS => self.recent.push((key.0.into_owned(), seen)),
                _ => self.keys.add(key.as_str(), seen),
            }
        }
        for (builder, value) in self.at.iter_mut().zip([instance, file_id, line]) {
            builder.append_value(value);
        }
        self.text.append_value(text);
        self.bytes += text.len() + 17;
        true
    }

    pub(crate) fn settle(&mut self, most: usize) -> Result<(), CollectError> {
        if self.bytes < most.max(1) {
            return Ok(());
        }
        self.bytes = 0;
        let number = |name| Field::new(name, DataType::UInt32, false);
        let schema = Schema::new(vec![
            number("instance"),
            number("file_id"),
            number("line"),
            Field::new("text", DataType::Utf8, false),
        ]);
        let [instance, file_id, line] = &mut self.at;
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(instance.finish()),
            Arc::new(file_id.finish()),
            Arc::new(line.finish()),
            Arc::new(self.text.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::new(schema), columns)
            .map_err(|source| CollectError::Columns { what: "lines of the author's own".to_owned(), source })?;
        self.pile.push(batch)
    }

    pub(crate) fn finish(mut self) -> Result<OwnPile, CollectError> {
        self.settle(1)?;
        for (key, seen) in &self.recent {
            self.keys.add(key, *seen);
        }
        Ok(OwnPile { keys: self.keys, pile: self.pile.finish()? })
    }
}

/// What is done with a line: (instance, file, line) and the text.
pub(crate) type EachLine<'a> = dyn FnMut((u32, u32, u32), &str) -> Result<(), CollectError> + 'a;

/// Lines of one table that were read.
#[derive(Debug)]
pub(crate) struct OwnPile {
    pub(crate) keys: Keys,
    pile: Pile,
}

impl OwnPile {
    /// Gives each line to `each`: (instance, file, line) and the text.
    pub(crate) fn each(&self, each: &mut EachLine<'_>) -> Result<(), CollectError> {
        for batch in self.pile.read()? {
            let batch = batch?;
            let number = |at: usize| batch.column(at).as_any().downcast_ref::<UInt32Array>();
            let text = batch.column(3).as_any().downcast_ref::<StringArray>();
            let (Some(instance), Some(file_id), Some(line), Some(text)) = (number(0), number(1), number(2), text)
            else {
                return Err(CollectError::Fault("waiting lines have other columns".to_owned()));
            };
            for row in 0..batch.num_rows() {
                each((instance.value(row), file_id.value(row), line.value(row)), text.value(row))?;
            }
        }
        Ok(())
    }
}
