//! The shape of a table in Arrow's terms.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::MapFieldNames;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use tg_model::table::{COMMON, Kind, Table};

/// A column of a table whose shape may be known only at run time.
#[derive(Debug, Clone)]
pub(crate) struct ColumnShape {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) doc: String,
    /// The unit that a user's rules declare; else its name says it.
    pub(crate) unit: Option<String>,
}

/// The shape of a table: the columns after `run_id`, which is added when the rows are written.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) columns: Vec<ColumnShape>,
    pub(crate) sort: Vec<String>,
    /// The columns as rows carry them before the run is known as a whole: everything may be null.
    pub(crate) loose: SchemaRef,
}

impl Shape {
    pub(crate) fn of(table: &Table) -> Self {
        let columns = COMMON[1..].iter().chain(table.columns).map(|column| ColumnShape {
            name: column.name.to_owned(),
            kind: column.kind,
            nullable: column.nullable,
            doc: column.doc.to_owned(),
            unit: None,
        });
        let sort = table.sort.iter().map(|&key| key.to_owned()).collect();
        Self::new(table.name.to_owned(), table.doc.to_owned(), columns.collect(), sort)
    }

    pub(crate) fn new(name: String, doc: String, columns: Vec<ColumnShape>, sort: Vec<String>) -> Self {
        let fields: Fields = columns.iter().map(|c| Field::new(&c.name, data_type(c.kind), true)).collect();
        Self { name, doc, columns, sort, loose: Arc::new(Schema::new(fields)) }
    }

    pub(crate) fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// The schema of the file: `run_id` first, what every column means in its metadata.
    pub(crate) fn stored(&self) -> SchemaRef {
        let run_id = ColumnShape {
            name: COMMON[0].name.to_owned(),
            kind: COMMON[0].kind,
            nullable: false,
            doc: COMMON[0].doc.to_owned(),
            unit: None,
        };
        let fields: Fields = std::iter::once(&run_id)
            .chain(&self.columns)
            .map(|c| {
                let mut about = HashMap::from([("doc".to_owned(), c.doc.clone())]);
                if let Some(unit) = c.unit.as_deref().or_else(|| unit(c)) {
                    about.insert("unit".to_owned(), unit.to_owned());
                }
                Field::new(&c.name, data_type(c.kind), c.nullable).with_metadata(about)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }
}

/// The unit of a column, where it has one.
pub(crate) fn unit(column: &ColumnShape) -> Option<&'static str> {
    match column.kind {
        Kind::Time => Some("ns since 1970-01-01 UTC"),
        _ if column.name.ends_with("_ns") => Some("ns"),
        _ if column.name.ends_with("_bytes") => Some("bytes"),
        _ if column.name.ends_with("_ratio") => Some("1"),
        _ => None,
    }
}

/// The names that Parquet's own definition gives the parts of a map.
pub(crate) fn map_fields() -> MapFieldNames {
    MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() }
}

fn map_of(value: DataType) -> DataType {
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
}

/// Arrow's word for a kind.
pub(crate) fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
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
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Kad => DataType::FixedSizeBinary(32),
        Kind::Bytes => DataType::Binary,
        Kind::TextMap => map_of(DataType::Utf8),
        Kind::I64Map => map_of(DataType::Int64),
        Kind::U32List => DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, true))),
    }
}
