//! The reference page of the tables is made from the code.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tg_model::table::{ALL, COMMON, Column, DATASET_FORMAT};

fn columns(page: &mut String, columns: &[Column]) {
    page.push_str("| column | kind | may be null | meaning |\n|---|---|---|---|\n");
    for column in columns {
        let null = if column.nullable { "yes" } else { "" };
        let doc = column.doc.replace('|', "\\|");
        writeln!(page, "| `{}` | {:?} | {null} | {doc} |", column.name, column.kind).expect("text takes anything");
    }
    page.push('\n');
}

fn page() -> String {
    let mut page = format!(
        "# Tables of a dataset\n\n<!-- Made from the code by a test of the collector; set TG_REGENERATE=1 to write it anew. -->\n\n\
         Format {}.{}.\n\
         A dataset is a folder with one folder of Parquet files per table: `dataset/<table>/part-NNNN.parquet`.\n\
         A table that a run has no data for is absent.\n\
         A row follows from the lines of one instance; what takes the whole network, like the rank of a peer or the delivery \
         of a message, is computed by `tg analyze`.\n\
         What each column means is also in the metadata of every file.\n\
         Columns whose name ends in `_ns` are nanoseconds, in `_bytes` bytes, in `_ratio` a share of 1.\n\
         Columns whose name ends in `_idx` are peers: `peers.peer_idx`.\n\
         Kind `Time` is a timestamp in nanoseconds, UTC; `Kad` is 32 bytes.\n\n\
         ## Every table\n\nThese columns come first in every table.\n\n",
        DATASET_FORMAT.major, DATASET_FORMAT.minor
    );
    columns(&mut page, COMMON);
    for table in ALL {
        writeln!(page, "## {}\n\n{}\n", table.name, table.doc).expect("text takes anything");
        if !table.sort.is_empty() {
            let sort: Vec<String> = table.sort.iter().map(|key| format!("`{key}`")).collect();
            writeln!(page, "Sorted by {}.\n", sort.join(", ")).expect("text takes anything");
        }
        columns(&mut page, table.columns);
    }
    page.push_str(
        "## x_name\n\nLines of a file that no rule knows, one JSON object each: `<name>.ndjson` becomes the table `x_<name>`.\n\
         Besides `instance` it has a column for each key, with the type that all lines of the run agree on.\n\
         Where they disagree, and for lists and objects, the column is text, as JSON.\n\
         A key that is called like a column above gets a `_` behind its name.\n",
    );
    page
}

#[test]
fn the_reference_page_says_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/tables.md");
    let page = page();
    if std::env::var_os("TG_REGENERATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder is writable");
        fs::write(&path, &page).expect("the page is writable");
    }
    let stored = fs::read_to_string(&path).expect("the page is there");
    let differs = stored.lines().zip(page.lines()).enumerate().find(|(_, (stored, made))| stored != made);
    assert!(
        stored == page,
        "docs/src/reference/tables.md is not what the code makes (set TG_REGENERATE=1 to write it anew): {differs:?}"
    );
}
