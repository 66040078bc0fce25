//! Rows of one table on their way into columns.

use std::borrow::Cow;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder,
    Int8Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, TimestampNanosecondBuilder,
    UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow::record_batch::RecordBatch;
use tg_model::table::Kind;

use super::schema::{Shape, map_fields};

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Text(&'a str),
    Bool(bool),
    Uint(u64),
    Int(i64),
    Float(f64),
    Bytes(&'a [u8]),
    Map(&'a [(String, String)]),
    Tags(&'a [(Cow<'a, str>, Cow<'a, str>)]),
    I64Map(&'a [(String, i64)]),
    List(&'a [u32]),
}

macro_rules! value_from {
    ($($kind:ty => $variant:ident as $wide:ty),* $(,)?) => {$(
        impl From<$kind> for Value<'_> {
            fn from(value: $kind) -> Self {
                Self::$variant(<$wide>::from(value))
            }
        }
    )*};
}
value_from!(u8 => Uint as u64, u16 => Uint as u64, u32 => Uint as u64, u64 => Uint as u64, i8 => Int as i64,
            i32 => Int as i64, i64 => Int as i64, f64 => Float as f64, bool => Bool as bool);

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(value: &'a [u8; 32]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a [(String, i64)]> for Value<'a> {
    fn from(value: &'a [(String, i64)]) -> Self {
        Self::I64Map(value)
    }
}

impl<'a> From<&'a [(Cow<'a, str>, Cow<'a, str>)]> for Value<'a> {
    fn from(value: &'a [(Cow<'a, str>, Cow<'a, str>)]) -> Self {
        Self::Tags(value)
    }
}

impl<'a> From<&'a [(String, String)]> for Value<'a> {
    fn from(value: &'a [(String, String)]) -> Self {
        Self::Map(value)
    }
}

impl<'a> From<&'a [u32]> for Value<'a> {
    fn from(value: &'a [u32]) -> Self {
        Self::List(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

enum Column {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    U8(UInt8Builder),
    U16(UInt16Builder),
    U32(UInt32Builder),
    U64(UInt64Builder),
    I8(Int8Builder),
    I32(Int32Builder),
    I64(Int64Builder),
    F32(Float32Builder),
    F64(Float64Builder),
    Time(TimestampNanosecondBuilder),
    Kad(FixedSizeBinaryBuilder),
    Bytes(BinaryBuilder),
    TextMap(Box<MapBuilder<StringBuilder, StringBuilder>>),
    I64Map(Box<MapBuilder<StringBuilder, Int64Builder>>),
    U32List(ListBuilder<UInt32Builder>),
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::U8 => Self::U8(UInt8Builder::new()),
            Kind::U16 => Self::U16(UInt16Builder::new()),
            Kind::U32 => Self::U32(UInt32Builder::new()),
            Kind::U64 => Self::U64(UInt64Builder::new()),
            Kind::I8 => Self::I8(Int8Builder::new()),
            Kind::I32 => Self::I32(Int32Builder::new()),
            Kind::I64 => Self::I64(Int64Builder::new()),
            Kind::F32 => Self::F32(Float32Builder::new()),
            Kind::F64 => Self::F64(Float64Builder::new()),
            Kind::Time => Self::Time(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            Kind::Kad => Self::Kad(FixedSizeBinaryBuilder::new(32)),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
            Kind::TextMap => {
                Self::TextMap(Box::new(MapBuilder::new(Some(map_fields()), StringBuilder::new(), StringBuilder::new())))
            }
            Kind::I64Map => {
                Self::I64Map(Box::new(MapBuilder::new(Some(map_fields()), StringBuilder::new(), Int64Builder::new())))
            }
            Kind::U32List => Self::U32List(ListBuilder::new(UInt32Builder::new())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(b) => b.len(),
            Self::Bool(b) => b.len(),
            Self::U8(b) => b.len(),
            Self::U16(b) => b.len(),
            Self::U32(b) => b.len(),
            Self::U64(b) => b.len(),
            Self::I8(b) => b.len(),
            Self::I32(b) => b.len(),
            Self::I64(b) => b.len(),
            Self::F32(b) => b.len(),
            Self::F64(b) => b.len(),
            Self::Time(b) => b.len(),
            Self::Kad(b) => b.len(),
            Self::Bytes(b) => b.len(),
            Self::TextMap(b) => b.len(),
            Self::I64Map(b) => b.len(),
            Self::U32List(b) => b.len(),
        }
    }

    /// Appends a value and says about how many bytes it takes. A value of the wrong kind becomes null: the rows of
    /// each reader are tested against the shape of their tables.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the reader made the value for this kind"
    )]
    fn put(&mut self, value: Value<'_>) -> usize {
        match (self, value) {
            (Self::Text(b), Value::Text(v)) => {
                b.append_value(v);
                return v.len() + 5;
            }
            (Self::Bool(b), Value::Bool(v)) => b.append_value(v),
            (Self::U8(b), Value::Uint(v)) => b.append_value(v as u8),
            (Self::U16(b), Value::Uint(v)) => b.append_value(v as u16),
            (Self::U32(b), Value::Uint(v)) => b.append_value(v as u32),
            (Self::U64(b), Value::Uint(v)) => b.append_value(v),
            (Self::I8(b), Value::Int(v)) => b.append_value(v as i8),
            (Self::I32(b), Value::Int(v)) => b.append_value(v as i32),
            (Self::I64(b), Value::Int(v)) => b.append_value(v),
            (Self::I64(b), Value::Uint(v)) => b.append_value(v as i64),
            (Self::F32(b), Value::Float(v)) => b.append_value(v as f32),
            (Self::F64(b), Value::Float(v)) => b.append_value(v),
            (Self::Time(b), Value::Int(v)) => b.append_value(v),
            (Self::Kad(b), Value::Bytes(v)) => {
                if b.append_value(v).is_err() {
                    b.append_null();
                }
                return 32;
            }
            (Self::Bytes(b), Value::Bytes(v)) => {
                b.append_value(v);
                return v.len() + 5;
            }
            (Self::TextMap(b), Value::Map(v)) => {
                return put_map(b, v.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            }
            (Self::TextMap(b), Value::Tags(v)) => {
                return put_map(b, v.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
            }
            (Self::I64Map(b), Value::I64Map(v)) => {
                let mut bytes = 5;
                for (key, value) in v {
                    b.keys().append_value(key);
                    b.values().append_value(*value);
                    bytes += key.len() + 13;
                }
                append_map(b, true);
                return bytes;
            }
            (Self::U32List(b), Value::List(v)) => {
                b.values().append_slice(v);
                b.append(true);
                return v.len() * 4 + 5;
            }
            (column, _) => column.put_null(),
        }
        8
    }

    fn put_null(&mut self) {
        match self {
            Self::Text(b) => b.append_null(),
            Self::Bool(b) => b.append_null(),
            Self::U8(b) => b.append_null(),
            Self::U16(b) => b.append_null(),
            Self::U32(b) => b.append_null(),
            Self::U64(b) => b.append_null(),
            Self::I8(b) => b.append_null(),
            Self::I32(b) => b.append_null(),
            Self::I64(b) => b.append_null(),
            Self::F32(b) => b.append_null(),
            Self::F64(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Kad(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::TextMap(b) => append_map(b, false),
            Self::I64Map(b) => append_map(b, false),
            Self::U32List(b) => b.append(false),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => ArrayBuilder::finish(b),
            Self::Bool(b) => ArrayBuilder::finish(b),
            Self::U8(b) => ArrayBuilder::finish(b),
            Self::U16(b) => ArrayBuilder::finish(b),
            Self::U32(b) => ArrayBuilder::finish(b),
            Self::U64(b) => ArrayBuilder::finish(b),
            Self::I8(b) => ArrayBuilder::finish(b),
            Self::I32(b) => ArrayBuilder::finish(b),
            Self::I64(b) => ArrayBuilder::finish(b),
            Self::F32(b) => ArrayBuilder::finish(b),
            Self::F64(b) => ArrayBuilder::finish(b),
            Self::Time(b) => ArrayBuilder::finish(b),
            Self::Kad(b) => ArrayBuilder::finish(b),
            Self::Bytes(b) => ArrayBuilder::finish(b),
            Self::TextMap(b) => ArrayBuilder::finish(b.as_mut()),
            Self::I64Map(b) => ArrayBuilder::finish(b.as_mut()),
            Self::U32List(b) => ArrayBuilder::finish(b),
        }
    }
}

/// Appends a map of texts and says about how many bytes it takes.
fn put_map<'a>(
    builder: &mut MapBuilder<StringBuilder, StringBuilder>,
    entries: impl Iterator<Item = (&'a str, &'a str)>,
) -> usize {
    let mut bytes = 5;
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
        bytes += key.len() + value.len() + 9;
    }
    append_map(builder, true);
    bytes
}

/// Ends a map's row. Keys and values are appended in pairs, so that the builder cannot refuse.
fn append_map<V: ArrayBuilder>(builder: &mut MapBuilder<StringBuilder, V>, valid: bool) {
    builder.append(valid).expect("keys and values come in pairs");
}

/// Rows of one table, not yet in a batch.
pub(crate) struct Rows {
    shape: Shape,
    columns: Vec<Column>,
    count: usize,
    bytes: usize,
}

impl Rows {
    pub(crate) fn new(shape: Shape) -> Self {
        let columns = shape.columns.iter().map(|column| Column::new(column.kind)).collect();
        Self { shape, columns, count: 0, bytes: 0 }
    }

    /// Begins a row that came from this line.
    pub(crate) fn row(&mut self, file_id: u32, line: u32) -> Row<'_> {
        self.count += 1;
        Row { rows: self, at: 0 }.put(file_id).put(line)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// About how many bytes the rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows so far as a batch; what follows begins anew.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, arrow::error::ArrowError> {
        debug_assert!(self.columns.iter().all(|column| column.len() == self.count), "{}", self.shape.name);
        self.count = 0;
        self.bytes = 0;
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(self.shape.loose.clone(), columns)
    }
}

/// A row that is being filled, column by column in the order of the table.
pub(crate) struct Row<'a> {
    rows: &'a mut Rows,
    at: usize,
}

impl Row<'_> {
    /// The next column's value.
    pub(crate) fn put<'v>(mut self, value: impl Into<Value<'v>>) -> Self {
        let bytes = self.rows.columns[self.at].put(value.into());
        self.rows.bytes += bytes;
        self.at += 1;
        self
    }

    /// Ends the row.
    pub(crate) fn end(self) {
        debug_assert_eq!(self.at, self.rows.columns.len(), "columns of {}", self.rows.shape.name);
    }
}
