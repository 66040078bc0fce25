//! Tables of the author's own, `x_<name>`: once the whole run was seen they get the columns that all of their lines
//! agree on.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, StringArray, StringBuilder, UInt64Array, new_null_array};
use arrow::datatypes::{Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::record_batch::RecordBatch;
use tg_model::table::Kind;

use super::own_line::{self, Cell, Seen};
use super::own_rows::{Classes, Layout};
use super::rows::Rows;
use super::schema::{ColumnShape, Shape, data_type};
use crate::error::CollectError;
use crate::rules::Declared;

/// A table has no more inferred columns than this; further keys go into `rest` as JSON.
pub(super) const MOST_COLUMNS: usize = 200;

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

    pub(super) fn add(&mut self, key: &str, more: Seen) {
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
    fn shape(&self, name: &str) -> Shape {
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

    /// Makes rows of what was read.
    pub(crate) fn filler(&self, name: &str) -> Filler<'_> {
        let columns: Vec<(&str, Kind)> =
            self.seen.iter().map(|(key, seen)| (key.as_str(), self.kind(key, *seen))).collect();
        Filler { columns, more: self.more, shape: self.shape(name) }
    }
}

/// Makes rows of a table whose columns are known.
pub(crate) struct Filler<'a> {
    /// The keys in the order of the columns that they fill.
    columns: Vec<(&'a str, Kind)>,
    more: bool,
    pub(crate) shape: Shape,
}

impl Filler<'_> {
    /// The rows of a batch of lines.
    pub(crate) fn fill(&self, layout: &Layout, batch: &RecordBatch) -> Result<RecordBatch, CollectError> {
        match layout {
            Layout::Lines => self.of_lines(batch),
            Layout::Keys(_) => self.of_columns(layout, batch),
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.columns.binary_search_by(|(of, _)| (*of).cmp(key)).ok()
    }

    fn of_lines(&self, batch: &RecordBatch) -> Result<RecordBatch, CollectError> {
        let mut rows = Rows::new(self.shape.clone());
        let place = |at: usize, row: usize| batch.column(at).as_primitive::<UInt32Type>().value(row);
        for (row, text) in batch.column(3).as_string::<i32>().iter().enumerate() {
            let mut cells: Vec<Cell<'_>> = vec![Cell::Null; self.columns.len()];
            let mut rest = serde_json::Map::new();
            // It was read before.
            for (key, cell) in own_line::read(text.unwrap_or_default(), Vec::new()).unwrap_or_default() {
                match (self.place(key.as_str()), cell) {
                    (Some(at), cell) => cells[at] = cell,
                    (None, Cell::Null) => {}
                    (None, cell) => drop(rest.insert(key.0.into_owned(), cell.into_json())),
                }
            }
            let mut out = rows.row(place(0, row), place(1, row)).put(place(2, row));
            for (cell, (_, kind)) in cells.iter().zip(&self.columns) {
                out = cell.put(*kind, out);
            }
            if self.more {
                out = out.put(rest_text(rest).as_deref());
            }
            out.end();
        }
        rows.take().map_err(|source| self.wrong(source))
    }

    fn of_columns(&self, layout: &Layout, batch: &RecordBatch) -> Result<RecordBatch, CollectError> {
        let classes = layout.classes(batch);
        let by_key: BTreeMap<&str, &Classes> = classes.iter().map(|(key, classes)| (*key, classes)).collect();
        let mut columns = batch.columns()[..3].to_vec();
        columns.extend(self.columns.iter().map(|(key, kind)| match by_key.get(key) {
            Some(classes) => column(*kind, classes, batch.num_rows()),
            None => new_null_array(&data_type(*kind), batch.num_rows()),
        }));
        if self.more {
            let others: Vec<_> = classes.iter().filter(|(key, _)| self.place(key).is_none()).collect();
            let rest = (0..batch.num_rows()).map(|row| {
                let cells = others.iter().map(|(key, classes)| (key, classes.cell(row)));
                let cells = cells.filter(|(_, cell)| !matches!(cell, Cell::Null));
                rest_text(cells.map(|(key, cell)| ((*key).to_owned(), cell.into_json())).collect())
            });
            columns.push(Arc::new(rest.collect::<StringArray>()));
        }
        RecordBatch::try_new(self.shape.loose.clone(), columns).map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: arrow::error::ArrowError) -> CollectError {
        CollectError::Columns { what: format!("rows of table `{}`", self.shape.name), source }
    }
}

fn rest_text(rest: serde_json::Map<String, serde_json::Value>) -> Option<String> {
    if rest.is_empty() { None } else { Some(serde_json::Value::Object(rest).to_string()) }
}

/// The values of a key as a column of this kind; one that is of another kind is absent.
fn column(kind: Kind, classes: &Classes, rows: usize) -> ArrayRef {
    let Classes([bools, ints, uints, floats, texts, jsons]) = classes;
    let alone = |class: usize| classes.0.iter().enumerate().all(|(at, column)| at == class || column.is_none());
    let cells = || (0..rows).map(|row| classes.cell(row));
    let own = match kind {
        Kind::Bool => bools.clone(),
        Kind::I64 => ints.clone(),
        Kind::Time => ints.as_ref().map(|ints| {
            let times = ints.as_primitive::<Int64Type>().reinterpret_cast::<TimestampNanosecondType>();
            Arc::new(times.with_timezone("UTC")) as ArrayRef
        }),
        Kind::F64 if alone(3) => floats.clone(),
        Kind::F64 => Some(Arc::new(cells().map(|cell| cell.float()).collect::<Float64Array>()) as ArrayRef),
        Kind::U64 if alone(2) => uints.clone(),
        Kind::U64 => Some(Arc::new(cells().map(|cell| cell.uint()).collect::<UInt64Array>()) as ArrayRef),
        _ if alone(4) => texts.clone(),
        _ if alone(5) => jsons.clone(),
        _ => {
            let mut text = StringBuilder::new();
            cells().for_each(|cell| text.append_option(cell.text()));
            Some(Arc::new(text.finish()) as ArrayRef)
        }
    };
    own.unwrap_or_else(|| new_null_array(&data_type(kind), rows))
}
