//! Files of the author's own among the outputs.

use std::fs::{File, OpenOptions};

use tg_model::record::{
    CONNECTIONS_FILE, DIAGNOSTICS_OUT, LOOKUPS_FILE, PEERS_FILE, RESULTS_OUT, ROUTING_FILE, RUN_OUT,
};

use crate::env::Env;
use crate::records::RecordError;

/// Files that the SDK or the runner writes.
const TAKEN: &[&str] =
    &[RUN_OUT, "run.err", RESULTS_OUT, DIAGNOSTICS_OUT, LOOKUPS_FILE, CONNECTIONS_FILE, ROUTING_FILE, PEERS_FILE];

impl Env {
    /// Makes a file in the outputs folder, which the collector takes along as it is. The name is plain: letters,
    /// digits, `-`, `_`, `.`, and no file of that name is there yet.
    ///
    /// Nothing is buffered: what is written before a crash is kept.
    pub fn asset(&self, name: &str) -> Result<File, RecordError> {
        if let Some(why) = refusal(name) {
            return Err(RecordError::AssetName { name: name.to_owned(), why });
        }
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.outputs_path().join(name))
            .map_err(|source| RecordError::Asset { name: name.to_owned(), source })
    }
}

fn refusal(name: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 100 {
        Some("it must have 1 to 100 characters")
    } else if !name.bytes().all(plain) {
        Some("use letters, digits, `-`, `_` and `.` only")
    } else if name.starts_with(['.', '-']) {
        Some("it must begin with a letter, a digit or `_`")
    } else if TAKEN.contains(&name) {
        Some("the SDK writes that file itself")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_free_files() {
        for name in ["trace.log", "cpu.prof", "_a-b.1"] {
            assert_eq!(refusal(name), None, "{name}");
        }
        for name in ["", "..", ".x", "a/b", "/etc/x", "a b", "run.out", "tg.peers.ndjson", "-f"] {
            assert!(refusal(name).is_some(), "{name}");
        }
    }
}
