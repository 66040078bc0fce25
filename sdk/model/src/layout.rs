//! Where everything lies, below `$TG_HOME` and below a published run.

use std::path::{Path, PathBuf};

use crate::ids::{InstanceId, RunId};

/// The description of a run.
pub const RUN_FILE: &str = "run.json";
/// Every event of a run, in order.
pub const EVENTS_FILE: &str = "events.ndjson";
/// What the machine did to the run, sampled while it went on.
pub const MACHINE_FILE: &str = "machine.ndjson";
/// What the instances wrote, by group and index.
pub const OUTPUTS_DIR: &str = "outputs";
/// Captures of packets, `<group>-<index>.pcap`.
pub const CAPTURES_DIR: &str = "captures";
/// What the instances printed, by group and index.
pub const LOGS_DIR: &str = "logs";
/// Standard output of one instance.
pub const STDOUT_FILE: &str = "stdout.log";
/// Standard error of one instance.
pub const STDERR_FILE: &str = "stderr.log";
/// The archive of a run.
pub const ARCHIVE_FILE: &str = "outputs.zip";
/// What went wrong at the source, in the archive.
pub const NOTES_FILE: &str = "notes.ndjson";
/// The rules that a collect was given, in the archive.
pub const RULES_FILE: &str = "rules.toml";
/// The dataset of a run.
pub const DATASET_DIR: &str = "dataset";
/// The description of a dataset.
pub const DATASET_FILE: &str = "_dataset.json";
/// The suffix of whatever is not complete yet.
pub const PARTIAL: &str = ".partial";

/// `<home>/runs`.
pub fn runs_dir(home: &Path) -> PathBuf {
    home.join("runs")
}

/// `<home>/runs/<run-id>`.
pub fn run_dir(home: &Path, run: &RunId) -> PathBuf {
    runs_dir(home).join(run.as_str())
}

/// `<run>/outputs/<group>/<index>`.
pub fn outputs_dir(run_dir: &Path, id: &InstanceId) -> PathBuf {
    run_dir.join(OUTPUTS_DIR).join(id.group.as_str()).join(id.index.to_string())
}

/// `<run>/logs/<group>/<index>`.
pub fn logs_dir(run_dir: &Path, id: &InstanceId) -> PathBuf {
    run_dir.join(LOGS_DIR).join(id.group.as_str()).join(id.index.to_string())
}

/// `dataset/<table>/part-0000.parquet`, relative to the run's folder.
pub fn part_file(table: &str, part: u32) -> PathBuf {
    Path::new(DATASET_DIR).join(table).join(format!("part-{part:04}.parquet"))
}
