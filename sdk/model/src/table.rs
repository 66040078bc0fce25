//! The tables of a dataset: the border between the collector, which writes them as Parquet, and whoever reads them.
//!
//! Every table also has the columns of [`COMMON`], first and in that order. A table that a run has no data for is
//! absent. Columns whose name ends in `_ns` are nanoseconds, in `_bytes` bytes, in `_ratio` a share of 1.

mod connections;
mod dht;
mod machine;
mod pubsub;
mod run;

pub use connections::*;
pub use dht::*;
pub use machine::*;
pub use pubsub::*;
pub use run::*;

/// The version of the dataset's tables. A reader accepts the same major version.
pub const DATASET_FORMAT: crate::run::Format = crate::run::Format { major: 1, minor: 3 };

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Its columns after the common ones.
    pub columns: &'static [Column],
    /// The columns that the rows are sorted by, in order.
    pub sort: &'static [&'static str],
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether a value may be absent.
    pub nullable: bool,
    /// What it means.
    pub doc: &'static str,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, UTF-8.
    Text,
    /// True or false.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// A moment: nanoseconds since the epoch, UTC.
    Time,
    /// 32 bytes: a place in the keyspace.
    Kad,
    /// Bytes of any length.
    Bytes,
    /// Text by text.
    TextMap,
    /// Signed 64-bit numbers by text.
    I64Map,
    /// A list of unsigned 32-bit numbers.
    U32List,
}

const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: false, doc }
}

const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: true, doc }
}

/// The first columns of every table.
///
/// `file_id` and `line` say where a row came from; a row that stands for a whole file, or for what the run itself
/// knows, has line 0.
pub const COMMON: &[Column] = &[
    must("run_id", Kind::Text, "The run."),
    must(
        "file_id",
        Kind::U32,
        "The file that the row came from, from 1: `files.file_id`; 0 for what the run itself knows.",
    ),
    must("line", Kind::U32, "The line in that file, from 1; 0 where the row stands for the whole file."),
];

const INSTANCE: Column = must("instance", Kind::U32, "The instance: `instances.instance`.");
const TS: Column = must("ts", Kind::Time, "When.");
const T_REL: Column =
    may("t_rel_ns", Kind::I64, "Nanoseconds since the run began; absent where nothing says when that was.");

/// Every table that has a fixed shape.
pub const ALL: &[Table] = &[
    RUNS,
    INSTANCES,
    PEERS,
    EVENTS,
    METRICS,
    QUERIES,
    QUERY_EVENTS,
    CONNECTIONS,
    CONN_EVENTS,
    CONN_SNAPSHOTS,
    ROUTING_TABLE,
    RT_DUMPS,
    RT_EVENTS,
    GCP_RESULTS,
    TABLE_HEALTH,
    READINGS,
    PUBSUB_TRACE,
    PUBSUB_COUNTS,
    PUBSUB_TOPOLOGY,
    PEER_SCORES,
    PEER_FACTS,
    RUN_EVENTS,
    FAULTS,
    RESOURCES,
    HOST,
    LINKS,
    COPIES,
    LOGS,
    FILES,
    NOTES,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_sort_columns_exist() {
        let mut tables = BTreeSet::new();
        for table in ALL {
            assert!(tables.insert(table.name), "{} twice", table.name);
            let mut columns = BTreeSet::new();
            for column in COMMON.iter().chain(table.columns) {
                assert!(columns.insert(column.name), "{}.{} twice", table.name, column.name);
                assert!(column.doc.ends_with(['.', '…']), "{}.{}", table.name, column.name);
            }
            for key in table.sort {
                assert!(columns.contains(key), "{} sorts by {key}", table.name);
            }
        }
    }
}
