//! Typed access to the columns of a batch, and what every row gets when the run is known as a whole.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StringArray, UInt16Array, UInt32Array,
    new_null_array,
};
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::record_batch::RecordBatch;

use super::places::Places;
use super::schema::Shape;
use crate::error::CollectError;
use crate::read::peer::common_prefix;

/// A batch with the names of its columns.
pub(crate) struct Named<'a> {
    shape: &'a Shape,
    batch: &'a RecordBatch,
}

impl<'a> Named<'a> {
    pub(crate) fn new(shape: &'a Shape, batch: &'a RecordBatch) -> Self {
        Self { shape, batch }
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef, CollectError> {
        let at = self.shape.index(name).ok_or_else(|| self.wrong(name))?;
        Ok(self.batch.column(at))
    }

    fn wrong(&self, name: &str) -> CollectError {
        CollectError::Fault(format!("column `{name}` of `{}` is not what it should be", self.shape.name))
    }

    pub(crate) fn numbers<P: ArrowPrimitiveType>(&self, name: &str) -> Result<&'a PrimitiveArray<P>, CollectError> {
        self.column(name)?.as_primitive_opt().ok_or_else(|| self.wrong(name))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a StringArray, CollectError> {
        self.column(name)?.as_string_opt().ok_or_else(|| self.wrong(name))
    }

    pub(crate) fn bools(&self, name: &str) -> Result<&'a arrow::array::BooleanArray, CollectError> {
        self.column(name)?.as_boolean_opt().ok_or_else(|| self.wrong(name))
    }

    pub(crate) fn lists(&self, name: &str) -> Result<&'a ListArray, CollectError> {
        self.column(name)?.as_list_opt().ok_or_else(|| self.wrong(name))
    }

    pub(crate) fn fixed(&self, name: &str) -> Result<&'a arrow::array::FixedSizeBinaryArray, CollectError> {
        self.column(name)?.as_fixed_size_binary_opt().ok_or_else(|| self.wrong(name))
    }
}

/// A value that may be absent.
pub(crate) fn number<P: ArrowPrimitiveType>(column: &PrimitiveArray<P>, row: usize) -> Option<P::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// A text that may be absent.
pub(crate) fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// Replaces the numbers that peers have in their segment by those that they have in the run, and fills in the time
/// since the run began.
pub(crate) fn globalize(
    shape: &Shape,
    batch: &RecordBatch,
    peers: &[u32],
    start: Option<i64>,
) -> Result<RecordBatch, CollectError> {
    let mut columns = batch.columns().to_vec();
    for (at, column) in shape.columns.iter().enumerate() {
        if column.name.ends_with("_idx") {
            columns[at] = renumber(&columns[at], peers)?;
        } else if column.name == "t_rel_ns"
            && let Some(ts) = shape.index("ts")
            && let Some(ts) = batch.column(ts).as_primitive_opt::<TimestampNanosecondType>()
        {
            columns[at] = match start {
                Some(start) => Arc::new(ts.unary::<_, Int64Type>(|ts| ts.wrapping_sub(start))),
                None => new_null_array(&DataType::Int64, ts.len()),
            };
        }
    }
    RecordBatch::try_new(batch.schema(), columns)
        .map_err(|source| CollectError::Columns { what: format!("rows of table `{}`", shape.name), source })
}

/// Fills in the common prefix of a routing table's owner and its entries.
pub(crate) fn prefixes(shape: &Shape, batch: &RecordBatch, places: &Places) -> Result<RecordBatch, CollectError> {
    let named = Named::new(shape, batch);
    let (owners, entries) = (named.numbers::<UInt32Type>("owner_idx")?, named.numbers::<UInt32Type>("entry_idx")?);
    let cpl: UInt16Array = owners
        .values()
        .iter()
        .zip(entries.values())
        .map(|(&owner, &entry)| Some(common_prefix(&places.get(owner)?, &places.get(entry)?)))
        .collect();
    let mut columns = batch.columns().to_vec();
    if let Some(at) = shape.index("cpl") {
        columns[at] = Arc::new(cpl);
    }
    RecordBatch::try_new(batch.schema(), columns)
        .map_err(|source| CollectError::Columns { what: format!("rows of table `{}`", shape.name), source })
}

fn renumber(column: &ArrayRef, peers: &[u32]) -> Result<ArrayRef, CollectError> {
    let wrong = || CollectError::Fault("a column of peers has another kind".to_owned());
    if let Some(list) = column.as_list_opt::<i32>() {
        let values = list.values().as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let values = map(values, peers);
        let DataType::List(field) = list.data_type() else { return Err(wrong()) };
        let list = ListArray::try_new(field.clone(), list.offsets().clone(), Arc::new(values), list.nulls().cloned());
        return list
            .map(|list| Arc::new(list) as ArrayRef)
            .map_err(|source| CollectError::Columns { what: "lists of peers".to_owned(), source });
    }
    let numbers = column.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
    Ok(Arc::new(map(numbers, peers)))
}

fn map(numbers: &UInt32Array, peers: &[u32]) -> UInt32Array {
    // A null's number may be anything.
    numbers.unary(|local| peers.get(local as usize).copied().unwrap_or(0))
}
