//! Datasets on disk, made of the columns that a test cares about; the others get a value of their kind.

use std::fs;
use std::path::Path;

use polars::prelude::*;
use tempfile::TempDir;
use tg_model::table::{self, COMMON, Kind, Table};

/// A dataset in a folder of its own.
pub(crate) struct Written {
    pub(crate) dir: TempDir,
    run: &'static str,
}

impl Written {
    /// Without tables.
    pub(crate) fn new() -> Self {
        Self::of_run("r")
    }

    /// Of a run with this id, without tables.
    pub(crate) fn of_run(run: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("_dataset.json"), r#"{"format":{"major":1,"minor":7},"more":[1]}"#).unwrap();
        Self { dir, run }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a part of a table.
    pub(crate) fn table(self, table: &Table, given: &DataFrame) -> Self {
        let folder = self.path().join(table.name);
        fs::create_dir_all(&folder).unwrap();
        let part = fs::read_dir(&folder).unwrap().count();
        let rows = given.height();
        let columns: Vec<Column> =
            COMMON.iter().chain(table.columns).map(|spec| column(spec, given, rows, self.run)).collect();
        for column in given.columns() {
            assert!(columns.iter().any(|one| one.name() == column.name()), "{} has no {}", table.name, column.name());
        }
        let mut frame = DataFrame::new(rows, columns).unwrap();
        let file = fs::File::create(folder.join(format!("part-{part:04}.parquet"))).unwrap();
        ParquetWriter::new(file).finish(&mut frame).unwrap();
        self
    }

    /// Instances: (group, how many, outcome), numbered through, each with the peer of its own number.
    pub(crate) fn instances(self, groups: &[(&str, u32, &str)]) -> Self {
        let each = || groups.iter().flat_map(|&(group, n, outcome)| (0..n).map(move |seq| (group, seq, outcome)));
        let n = u32::try_from(each().count()).unwrap();
        let frame = df!(
            "instance" => (0..n).collect::<Vec<u32>>(),
            "group" => each().map(|one| one.0).collect::<Vec<_>>(),
            "group_seq" => each().map(|one| one.1).collect::<Vec<_>>(),
            "peer_idx" => (0..n).collect::<Vec<u32>>(),
            "outcome" => each().map(|one| one.2).collect::<Vec<_>>(),
            "as_expected" => each().map(|one| one.2 == "ok").collect::<Vec<_>>(),
            "error" => each().map(|one| (one.2 != "ok").then_some("no route\nto host")).collect::<Vec<_>>(),
        );
        let runs = df!(
            "plan" => ["mesh"], "case" => ["ping"], "seed" => [7_u64], "start_ts" => [1_000_000_000_i64],
            "end_ts" => [3_500_000_000_i64], "instances" => [n], "groups" => [1_u32], "verdict" => ["failed"],
        );
        let peers = df!(
            "peer_idx" => (0..n).collect::<Vec<u32>>(),
            "peer_id" => (0..n).map(|i| format!("Qm{i}")).collect::<Vec<_>>(),
            "instance" => (0..n).collect::<Vec<u32>>(),
        );
        self.table(&table::INSTANCES, &frame.unwrap())
            .table(&table::RUNS, &runs.unwrap())
            .table(&table::PEERS, &peers.unwrap())
    }

    /// Connections: (local, remote, direction).
    pub(crate) fn connections(self, rows: &[(u32, u32, u8)]) -> Self {
        let frame = df!(
            "instance" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "local_idx" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "remote_idx" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "direction" => rows.iter().map(|row| u32::from(row.2)).collect::<Vec<_>>(),
        );
        self.table(&table::CONNECTIONS, &frame.unwrap())
    }
}

/// A column of text by text, with these entries in each row.
pub(crate) fn maps(name: &str, rows: &[&[(&str, &str)]]) -> Column {
    let list = |entries: &&[(&str, &str)]| {
        let key = Series::new("key".into(), entries.iter().map(|entry| entry.0).collect::<Vec<_>>());
        let value = Series::new("value".into(), entries.iter().map(|entry| entry.1).collect::<Vec<_>>());
        StructChunked::from_series("".into(), entries.len(), [key, value].iter()).unwrap().into_series()
    };
    Column::new(name.into(), rows.iter().map(list).collect::<Vec<_>>())
}

fn column(spec: &table::Column, given: &DataFrame, rows: usize, run: &str) -> Column {
    let wanted = data_type(spec.kind);
    if let Ok(column) = given.column(spec.name) {
        return column.strict_cast(&wanted).unwrap();
    }
    let name = PlSmallStr::from_static(spec.name);
    if spec.nullable {
        return Column::full_null(name, rows, &wanted);
    }
    match spec.kind {
        Kind::Text => Column::new(name, vec![run; rows]),
        Kind::TextMap | Kind::I64Map | Kind::U32List | Kind::Kad | Kind::Bytes => {
            Column::full_null(name, rows, &wanted)
        }
        Kind::Bool => Column::new(name, vec![true; rows]),
        // Lines count up, so that the rows of a table are in order.
        Kind::U32 if spec.name == "line" => Column::new(name, (0_u32..).take(rows).collect::<Vec<_>>()),
        _ => Column::new(name, vec![1_u32; rows]).strict_cast(&wanted).unwrap(),
    }
}

fn data_type(kind: Kind) -> DataType {
    let map = |value| {
        let entry = [Field::new("key".into(), DataType::String), Field::new("value".into(), value)];
        DataType::List(Box::new(DataType::Struct(entry.to_vec())))
    };
    match kind {
        Kind::Text => DataType::String,
        Kind::Bool => DataType::Boolean,
        Kind::U8 => DataType::UInt8,
        Kind::U16 => DataType::UInt16,
        Kind::U32 => DataType::UInt32,
        Kind::U64 => DataType::UInt64,
        Kind::I8 => DataType::Int8,
        Kind::I32 => DataType::Int32,
        Kind::I64 => DataType::Int64,
        Kind::F32 => DataType::Float32,
        Kind::F64 => DataType::Float64,
        Kind::Time => DataType::Datetime(TimeUnit::Nanoseconds, None),
        Kind::Kad | Kind::Bytes => DataType::Binary,
        Kind::TextMap => map(DataType::String),
        Kind::I64Map => map(DataType::Int64),
        Kind::U32List => DataType::List(Box::new(DataType::UInt32)),
    }
}
