//! Lines of a table of the author's own while they are read: by key, and for each key by what its values are, so that no
//! line is read twice although only the whole run says what its columns hold.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder as _, ArrayRef, AsArray as _, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt64Type};
use arrow::record_batch::RecordBatch;

use super::own::{Keys, MOST_COLUMNS};
use super::own_line::{self, Cell, Entries, Seen};
use super::scratch::{Pile, PileWriter, Scratch};
use crate::error::CollectError;
use crate::read::json::Text;

/// After so many lines whose keys have no room beside those before, lines are kept as they are.
const MOST_TURNS: usize = 16;
/// The columns before those of the keys: where a line stands.
const PLACES: [&str; 3] = ["file_id", "line", "instance"];

/// The values of a key, each in the column of its class.
#[derive(Default)]
struct Column {
    key: String,
    bools: Option<BooleanBuilder>,
    ints: Option<Int64Builder>,
    uints: Option<UInt64Builder>,
    floats: Option<Float64Builder>,
    texts: Option<StringBuilder>,
    /// Lists and objects.
    jsons: Option<StringBuilder>,
}

/// Appends to a builder that may not be there yet, and that may lack rows.
macro_rules! append {
    ($builder:expr, $rows:expr, $value:expr) => {{
        let builder = $builder.get_or_insert_default();
        builder.append_nulls($rows - builder.len());
        builder.append_value($value);
    }};
}

macro_rules! finish {
    ($builder:expr, $rows:expr) => {
        $builder.as_mut().map(|builder| {
            builder.append_nulls($rows - builder.len());
            Arc::new(builder.finish()) as ArrayRef
        })
    };
}

impl Column {
    /// Takes the value of the row after `rows` of them; says how many bytes it takes beside its place.
    fn put(&mut self, rows: usize, cell: Cell<'_>) -> usize {
        match cell {
            Cell::Null => {}
            Cell::Bool(yes) => append!(self.bools, rows, yes),
            Cell::Int(n) => append!(self.ints, rows, n),
            Cell::Uint(n) => append!(self.uints, rows, n),
            Cell::Float(x) => append!(self.floats, rows, x),
            Cell::Text(text) => {
                append!(self.texts, rows, text.as_str());
                return text.as_str().len();
            }
            Cell::Json(json) => {
                let text = json.to_string();
                append!(self.jsons, rows, &text);
                return text.len();
            }
        }
        0
    }

    fn finish(&mut self, rows: usize) -> Classes {
        Classes([
            finish!(self.bools, rows),
            finish!(self.ints, rows),
            finish!(self.uints, rows),
            finish!(self.floats, rows),
            finish!(self.texts, rows),
            finish!(self.jsons, rows),
        ])
    }
}

/// The columns of a key: flags, numbers that are `i64`, those that are `u64` only, other numbers, texts, lists and objects.
#[derive(Debug, Clone)]
pub(crate) struct Classes(pub(crate) [Option<ArrayRef>; 6]);

impl Classes {
    fn seen(&self) -> Seen {
        let any = |at: usize| self.0[at].as_ref().is_some_and(|column| column.null_count() < column.len());
        Seen { bools: any(0), ints: any(1), floats: any(2) || any(3), other: any(4) || any(5) }
    }

    /// The value in a row.
    pub(crate) fn cell(&self, row: usize) -> Cell<'_> {
        let at = |class: usize| self.0[class].as_ref().filter(|column| column.is_valid(row));
        if let Some(column) = at(0) {
            Cell::Bool(column.as_boolean().value(row))
        } else if let Some(column) = at(1) {
            Cell::Int(column.as_primitive::<Int64Type>().value(row))
        } else if let Some(column) = at(2) {
            Cell::Uint(column.as_primitive::<UInt64Type>().value(row))
        } else if let Some(column) = at(3) {
            Cell::Float(column.as_primitive::<Float64Type>().value(row))
        } else if let Some(column) = at(4) {
            Cell::Text(Text(column.as_string::<i32>().value(row).into()))
        } else if let Some(column) = at(5) {
            Cell::Json(Box::new(serde_json::from_str(column.as_string::<i32>().value(row)).unwrap_or_default()))
        } else {
            Cell::Null
        }
    }
}

/// What the columns of a pile are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each line as it is.
    Lines,
    /// For each key, which of its classes have a column.
    Keys(Vec<(String, [bool; 6])>),
}

impl Layout {
    /// The columns of a batch by key.
    pub(crate) fn classes<'a>(&'a self, batch: &RecordBatch) -> Vec<(&'a str, Classes)> {
        let Self::Keys(keys) = self else { return Vec::new() };
        let mut columns = batch.columns()[PLACES.len()..].iter();
        let mut of = |has: bool| if has { columns.next().cloned() } else { None };
        keys.iter().map(|(key, has)| (key.as_str(), Classes(has.map(&mut of)))).collect()
    }
}

/// Lines of one table that are being read.
pub(crate) struct OwnRows {
    scratch: Arc<Scratch>,
    /// Room for the entries of a line.
    entries: Entries<'static>,
    keys: Keys,
    places: [UInt32Builder; 3],
    columns: Vec<Column>,
    /// Lines that are kept as they are, in place of columns.
    lines: StringBuilder,
    as_lines: bool,
    /// How often the columns were given up for others.
    turns: usize,
    rows: usize,
    bytes: usize,
    open: Option<(Layout, PileWriter)>,
    done: Vec<(Layout, Pile)>,
    /// Why lines could not be moved out of the way.
    failed: Option<CollectError>,
}

/// Lines of one table that were read.
#[derive(Debug)]
pub(crate) struct OwnPile {
    pub(crate) keys: Keys,
    /// In the order of the lines.
    pub(crate) piles: Vec<(Layout, Pile)>,
}

impl OwnRows {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Self {
        Self {
            scratch: scratch.clone(),
            entries: Vec::new(),
            keys: Keys::default(),
            places: std::array::from_fn(|_| UInt32Builder::new()),
            columns: Vec::new(),
            lines: StringBuilder::new(),
            as_lines: false,
            turns: 0,
            rows: 0,
            bytes: 0,
            open: None,
            done: Vec::new(),
            failed: None,
        }
    }

    /// Takes a line; false, and nothing else, if it is no JSON object.
    pub(crate) fn push(&mut self, instance: u32, file_id: u32, line: u32, text: &str) -> bool {
        let room = own_line::room(std::mem::take(&mut self.entries));
        let Some(mut entries) = own_line::read(text, room) else { return false };
        if self.has_columns_for(&entries) {
            self.fill(&mut entries);
        } else {
            for (key, cell) in &entries {
                self.keys.add(key.as_str(), cell.seen());
            }
            self.lines.append_value(text);
            self.bytes += text.len();
        }
        self.entries = own_line::room(entries);
        for (builder, value) in self.places.iter_mut().zip([file_id, line, instance]) {
            builder.append_value(value);
        }
        // Whether the line has a value for it or not, each column has a place.
        self.bytes += 4 * PLACES.len() + 8 * self.columns.len();
        self.rows += 1;
        true
    }

    /// Ends the columns; others follow.
    fn turn(&mut self) {
        if let Err(error) = self.flush() {
            self.failed = Some(error);
        }
        self.turns += 1;
        self.columns.clear();
    }

    /// Makes room for the keys of a line; false if it is to be kept as it is.
    fn has_columns_for(&mut self, entries: &Entries<'_>) -> bool {
        let as_lines = self.turns >= MOST_TURNS || entries.len() > MOST_COLUMNS;
        if as_lines != self.as_lines {
            self.turn();
            self.as_lines = as_lines;
        }
        if as_lines {
            return false;
        }
        let known = |columns: &[Column], nth: usize, key: &str| {
            columns.get(nth).is_some_and(|column| column.key == key) || columns.iter().any(|column| column.key == key)
        };
        let new =
            entries.iter().enumerate().filter(|(nth, (key, _))| !known(&self.columns, *nth, key.as_str())).count();
        if new > 0 && self.columns.len() + new > MOST_COLUMNS {
            self.turn();
        }
        if new > 0 {
            for (key, _) in entries {
                if !self.columns.iter().any(|column| column.key == key.as_str()) {
                    self.columns.push(Column { key: key.as_str().to_owned(), ..Column::default() });
                }
            }
        }
        true
    }

    fn fill(&mut self, entries: &mut Entries<'_>) {
        let in_order = entries.len() <= self.columns.len()
            && entries.iter().zip(&self.columns).all(|((key, _), column)| key.as_str() == column.key);
        if in_order {
            for ((_, cell), column) in entries.drain(..).zip(&mut self.columns) {
                self.bytes += column.put(self.rows, cell);
            }
            return;
        }
        // Of two of one name the last one counts.
        while let Some((key, cell)) = entries.pop() {
            entries.retain(|(other, _)| other != &key);
            if let Some(column) = self.columns.iter_mut().find(|column| column.key == key.as_str()) {
                self.bytes += column.put(self.rows, cell);
            }
        }
    }

    /// Moves the lines out of the way if they have grown large.
    pub(crate) fn settle(&mut self, most_bytes: usize) -> Result<(), CollectError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.bytes < most_bytes { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), CollectError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> =
            self.places.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let mut fields: Vec<Field> = PLACES.iter().map(|name| Field::new(*name, DataType::UInt32, false)).collect();
        let layout = if self.as_lines {
            arrays.push(Arc::new(self.lines.finish()));
            fields.push(Field::new("text", DataType::Utf8, false));
            Layout::Lines
        } else {
            let mut layout = Vec::with_capacity(self.columns.len());
            for column in &mut self.columns {
                let classes = column.finish(self.rows);
                self.keys.add(&column.key, classes.seen());
                layout.push((column.key.clone(), classes.0.each_ref().map(Option::is_some)));
                for array in classes.0.into_iter().flatten() {
                    fields.push(Field::new(&column.key, array.data_type().clone(), true));
                    arrays.push(array);
                }
            }
            Layout::Keys(layout)
        };
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|source| CollectError::Columns { what: "lines of the author's own".to_owned(), source })?;
        if self.open.as_ref().is_none_or(|(of, _)| *of != layout) {
            self.close()?;
            self.open = Some((layout, PileWriter::new(&self.scratch)));
        }
        match &mut self.open {
            Some((_, pile)) => pile.push(batch),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), CollectError> {
        if let Some((layout, pile)) = self.open.take() {
            self.done.push((layout, pile.finish()?));
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<OwnPile, CollectError> {
        self.settle(1)?;
        self.close()?;
        Ok(OwnPile { keys: self.keys, piles: self.done })
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;

    use super::*;

    /// Kinds that differ, keys in another order, twice, or too many: the rows say what the lines say.
    #[test]
    fn rows_say_what_the_lines_say_however_they_waited() {
        let wide: Vec<String> = (0..300).map(|n| format!("\"k{n:03}\":{n}")).collect();
        let mut lines: Vec<String> = [
            r#"{"a":1,"b":"x","c":true}"#,
            r#"{"a":2.5,"b":"y","c":null,"z":{"k":[1, 2]}}"#,
            r#"{"b":"z","a":3,"a":4}"#,
            r#"{"c":false,"big":18446744073709551615,"z":"t"}"#,
            r#"{"b":7,"z":null}"#,
            "{}",
        ]
        .map(str::to_owned)
        .to_vec();
        lines.push(format!("{{{}}}", wide.join(",")));
        lines.push(r#"{"b":-1,"c":true}"#.to_owned());
        // Keys that have no room beside each other, again and again.
        for n in 0..40 {
            let keys: Vec<String> = (0..150).map(|k| format!("\"y{n:02}{k:03}\":{k}")).collect();
            lines.push(format!("{{{},\"a\":{n}}}", keys.join(",")));
        }
        for (room, step) in [(0, 1), (64 << 20, 400), (64 << 20, 1 << 20)] {
            let dir = tempfile::tempdir().expect("a folder");
            let mut rows = OwnRows::new(&Scratch::new(dir.path().to_owned(), room));
            for (line, text) in (1..).zip(&lines) {
                assert!(rows.push(2, 1, line, text), "{text}");
                assert!(!rows.push(2, 1, line, "[]"));
                rows.settle(step).expect("it can be written");
            }
            let pile = rows.finish().expect("it can be written");
            let mut keys = Keys::default();
            keys.merge(&pile.keys);
            let filler = keys.filler("t");
            let mut shown: Vec<Vec<String>> = Vec::new();
            for (layout, waiting) in &pile.piles {
                for batch in waiting.read().expect("it can be read") {
                    let batch = filler.fill(layout, &batch.expect("it can be read")).expect("rows");
                    let wanted = ["line", "a", "b", "big", "c", "k195", "rest"];
                    for row in 0..batch.num_rows() {
                        let value = |name: &&str| {
                            let column = batch.column_by_name(name).expect("such a column");
                            array_value_to_string(column, row).expect("it can be shown")
                        };
                        shown.push(wanted.iter().map(value).collect());
                    }
                }
            }
            assert_eq!(shown.len(), lines.len());
            let begin: Vec<String> = shown[..8].iter().map(|row| row[..6].join(" ")).collect();
            assert_eq!(
                begin,
                [
                    "1 1.0 x  true ",
                    "2 2.5 y   ",
                    "3 4.0 z   ",
                    "4   1.8446744073709552e19 false ",
                    "5  7   ",
                    "6     ",
                    "7     195",
                    "8  -1  true "
                ],
                "room {room}, step {step}"
            );
            let rests: Vec<&str> = shown[..6].iter().map(|row| row[6].as_str()).collect();
            assert_eq!(rests, ["", r#"{"z":{"k":[1,2]}}"#, "", r#"{"z":"t"}"#, "", ""]);
            assert!(shown[6][6].starts_with(r#"{"k196":196,"#) && shown[6][6].ends_with(r#""k299":299}"#));
            for (n, row) in shown[8..].iter().enumerate() {
                assert_eq!(row[1], format!("{n}.0"));
                let rest: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(&row[6]).expect("an object");
                assert_eq!(rest.len(), 150, "{}", row[6]);
            }
        }
    }
}
