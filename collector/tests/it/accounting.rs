//! Reads a dataset back and proves that no line was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A table in memory.
pub(crate) struct Table(Vec<RecordBatch>);

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.0.iter().map(RecordBatch::num_rows).sum()
    }

    fn column<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ArrayRef> {
        self.0.iter().map(move |batch| batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}")))
    }

    pub(crate) fn u32s(&self, name: &str) -> Vec<u32> {
        self.column(name).flat_map(|c| c.as_primitive::<UInt32Type>().values().to_vec()).collect()
    }

    pub(crate) fn u64s(&self, name: &str) -> Vec<u64> {
        self.column(name).flat_map(|c| c.as_primitive::<UInt64Type>().values().to_vec()).collect()
    }

    /// A column as text; `-` for null.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let text = |c: &ArrayRef, row| {
            if c.is_null(row) {
                "-".to_owned()
            } else if let Some(times) = c.as_primitive_opt::<TimestampNanosecondType>() {
                times.value(row).to_string()
            } else {
                array_value_to_string(c, row).expect("it can be shown")
            }
        };
        self.column(name).flat_map(|c| (0..c.len()).map(|row| text(c, row)).collect::<Vec<_>>()).collect()
    }

    /// Rows as text, these columns of each.
    pub(crate) fn show(&self, columns: &[&str]) -> Vec<String> {
        let columns: Vec<Vec<String>> = columns.iter().map(|name| self.texts(name)).collect();
        (0..self.rows()).map(|row| columns.iter().map(|c| c[row].as_str()).collect::<Vec<_>>().join(" ")).collect()
    }
}

/// Every table of a dataset.
pub(crate) fn open(dataset: &Path) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    for dir in std::fs::read_dir(dataset).expect("a dataset") {
        let dir = dir.expect("a dataset").path();
        if !dir.is_dir() {
            continue;
        }
        let mut parts: Vec<_> =
            std::fs::read_dir(&dir).expect("a table").map(|part| part.expect("a part").path()).collect();
        parts.sort();
        let mut batches = Vec::new();
        for part in parts {
            let file = File::open(&part).expect("a part");
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
            batches.extend(reader.build().expect("a Parquet file").map(|batch| batch.expect("a good batch")));
        }
        let name = dir.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        tables.insert(name, Table(batches));
    }
    tables
}

/// The records of a binary trace: each has its length before it; what is left at the end is half a record.
fn records(name: &str, bytes: &[u8]) -> u64 {
    let mut all = Vec::new();
    if name.strip_suffix(".gz").is_some() {
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut all).expect("a gzip file");
    } else {
        all.extend(bytes);
    }
    let (mut at, mut count) = (0, 0);
    while at < all.len() {
        count += 1;
        let digits = all[at..].iter().take_while(|&&b| b >= 0x80).count() + 1;
        let Some(digits) = all.get(at..at + digits) else { break };
        let length = digits.iter().rev().fold(0, |n, &b| n << 7 | usize::from(b & 0x7f));
        at += digits.len() + length;
    }
    count
}

/// Checks that every line of every file has exactly one fate: against a count of the archive's lines that is made
/// here, and against the rows of all tables.
pub(crate) fn prove(into: &Path, run: &str) -> BTreeMap<String, Table> {
    let tables = open(&into.join("dataset"));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let mut zip = zip::ZipArchive::new(File::open(into.join("outputs.zip")).expect("an archive")).expect("a zip file");
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("an entry");
        let name =
            file.name().expect("a name").strip_prefix(&format!("{run}/")).expect("it lies in the run").to_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("an entry that can be read");
        if name.strip_suffix(".gz").unwrap_or(&name).strip_suffix(".bin").is_some() {
            counted.insert(name.clone(), records(&name, &bytes));
            continue;
        }
        let ended = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let half = u64::from(bytes.last().is_some_and(|&b| b != b'\n'));
        counted.insert(name, ended + half);
    }
    let files = &tables["files"];
    let number = |name: &str| files.u64s(name);
    let (lines, mapped, logged, noted) = (number("lines"), number("mapped"), number("logged"), number("noted"));
    let (paths, kinds, ids) = (files.texts("path"), files.texts("kind"), files.u32s("file_id"));
    assert_eq!(
        paths.iter().cloned().collect::<BTreeSet<_>>(),
        counted.keys().cloned().collect(),
        "every file is listed"
    );

    let mut rows: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut notes: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (name, table) in &tables {
        let into = if name == "notes" { &mut notes } else { &mut rows };
        for (file, line) in table.u32s("file_id").into_iter().zip(table.u32s("line")) {
            if line > 0 {
                into.entry(file).or_default().insert(line);
            }
        }
    }
    let count = |of: &BTreeMap<u32, BTreeSet<u32>>, id| of.get(id).map_or(0, BTreeSet::len) as u64;
    for (at, id) in ids.iter().enumerate() {
        let path = &paths[at];
        assert_eq!(lines[at], mapped[at] + logged[at] + noted[at], "{path}");
        if matches!(kinds[at].as_str(), "binary" | "document") {
            assert_eq!(lines[at], 0, "{path}");
        } else {
            assert_eq!(lines[at], counted[path], "lines of {path}");
        }
        assert_eq!(count(&rows, id), mapped[at] + logged[at], "rows of {path}");
        assert_eq!(count(&notes, id), noted[at], "notes of {path}");
    }
    tables
}
