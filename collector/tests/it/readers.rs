//! What we write, others read: pyarrow, DuckDB and polars, every column of every table.

use std::path::Path;
use std::process::{Command, Stdio};

use tg_collector::{CollectOptions, ZipFile};
use tokio_util::sync::CancellationToken;

/// Whether Python has what the script needs; with `TG_CI=1` it must.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn has_readers() -> bool {
    let import = Command::new("python3").args(["-c", "import duckdb, polars, pyarrow"]).stderr(Stdio::null()).status();
    if import.is_ok_and(|status| status.success()) {
        return true;
    }
    let text = "other readers of Parquet: skipped, for want of `duckdb`, `polars` and `pyarrow` in python3";
    assert!(std::env::var_os("TG_CI").is_none_or(|ci| ci != "1"), "{text}, and TG_CI=1 allows no skips");
    eprintln!("{text}");
    false
}

#[tokio::test]
async fn other_readers_read_every_column_of_every_table() {
    if !has_readers() {
        return;
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let dir = tempfile::tempdir().expect("a folder for the test");
    let run = "simB".parse().expect("a good id");
    let source = ZipFile::new(tests.join("fixtures/dht-generation-b.zip"));
    tg_collector::collect(&source, &run, dir.path(), &CollectOptions::default(), &|_| {}, CancellationToken::new())
        .await
        .expect("it can be collected");
    let mut python = Command::new("python3");
    let read = python.arg(tests.join("it/readers.py")).arg(dir.path().join("dataset")).output().expect("python3 runs");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}
