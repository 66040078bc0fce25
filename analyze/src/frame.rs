//! Columns of a polars frame as Rust values: the one place where rows leave polars.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame, DataType, Expr, Field, PolarsResult, col};

/// A column of text.
pub(crate) fn text(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<String>>> {
    Ok(column(frame, name, &DataType::String)?.str()?.iter().map(|value| value.map(str::to_owned)).collect())
}

/// The same, for values that several places keep.
pub(crate) fn shared_text(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<Arc<str>>>> {
    Ok(column(frame, name, &DataType::String)?.str()?.iter().map(|value| value.map(Arc::from)).collect())
}

/// Two columns of indices, of the rows that have both.
pub(crate) fn pairs(frame: &DataFrame, [one, other]: [&str; 2]) -> PolarsResult<Vec<(u32, u32)>> {
    let (one, other) = (column(frame, one, &DataType::UInt32)?, column(frame, other, &DataType::UInt32)?);
    Ok(one.u32()?.iter().zip(other.u32()?.iter()).filter_map(|(a, b)| a.zip(b)).collect())
}

/// A column of whole numbers of any width that fits.
pub(crate) fn ints(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<i64>>> {
    Ok(column(frame, name, &DataType::Int64)?.i64()?.iter().collect())
}

/// A column of counts or numbers of things.
pub(crate) fn counts(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<u64>>> {
    Ok(column(frame, name, &DataType::UInt64)?.u64()?.iter().collect())
}

/// A column of indices.
pub(crate) fn indices(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<u32>>> {
    Ok(column(frame, name, &DataType::UInt32)?.u32()?.iter().collect())
}

/// A column of floats.
pub(crate) fn floats(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<f64>>> {
    Ok(column(frame, name, &DataType::Float64)?.f64()?.iter().collect())
}

/// A column of yes and no.
pub(crate) fn flags(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<bool>>> {
    Ok(column(frame, name, &DataType::Boolean)?.bool()?.iter().collect())
}

/// A column of bytes.
pub(crate) fn bytes(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<Vec<u8>>>> {
    Ok(column(frame, name, &DataType::Binary)?.binary()?.iter().map(|value| value.map(<[u8]>::to_vec)).collect())
}

/// Values of a column by number, each kept once: the number of every row, and what the numbers stand for.
pub(crate) type Interned<T> = (Vec<Option<u32>>, Vec<T>);

/// A column of text with few different values.
pub(crate) fn interned_text(frame: &DataFrame, name: &str) -> PolarsResult<Interned<String>> {
    Ok(intern(column(frame, name, &DataType::String)?.str()?.iter(), str::to_owned))
}

/// A column of bytes that come again in many rows.
pub(crate) fn interned_bytes(frame: &DataFrame, name: &str) -> PolarsResult<Interned<Vec<u8>>> {
    Ok(intern(column(frame, name, &DataType::Binary)?.binary()?.iter(), <[u8]>::to_vec))
}

fn intern<'a, T: ?Sized + std::hash::Hash + Eq + 'a, O>(
    rows: impl Iterator<Item = Option<&'a T>>,
    own: impl Fn(&T) -> O,
) -> Interned<O> {
    let mut known: std::collections::HashMap<&T, u32> = std::collections::HashMap::new();
    let mut values = Vec::new();
    let mut number = |value: &'a T| {
        *known.entry(value).or_insert_with(|| {
            values.push(own(value));
            u32::try_from(values.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let numbers = rows.map(|row| row.map(&mut number)).collect();
    (numbers, values)
}

/// A column of lists of indices; nothing where the list is null.
pub(crate) fn lists(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<Vec<u32>>>> {
    let column = column(frame, name, &DataType::List(Box::new(DataType::UInt32)))?;
    let mut lists = Vec::with_capacity(column.len());
    for list in column.list()?.amortized_iter() {
        lists.push(match list {
            Some(list) => Some(list.as_ref().u32()?.iter().flatten().collect()),
            None => None,
        });
    }
    Ok(lists)
}

/// Tells of every entry of a column of text by text: the row, the key and the value.
pub(crate) fn each_entry(column: &Column, mut tell: impl FnMut(usize, &str, &str)) -> PolarsResult<()> {
    let lists = column.list()?.rechunk();
    let inner = lists.get_inner();
    // What holds no entry at all may have another type.
    if !matches!(inner.dtype(), DataType::Struct(_)) {
        return Ok(());
    }
    let fields = inner.struct_()?;
    let (keys, values) = (fields.field_by_name("key")?, fields.field_by_name("value")?);
    let (keys, values) = (keys.str()?, values.str()?);
    let mut row = 0;
    for chunk in lists.downcast_iter() {
        let offsets = chunk.offsets();
        for at in 0..offsets.len_proxy() {
            let (from, until) = offsets.start_end(at);
            for entry in from..until {
                if let Some(key) = keys.get(entry) {
                    tell(row, key, values.get(entry).unwrap_or_default());
                }
            }
            row += 1;
        }
    }
    Ok(())
}

/// A column of text by text.
pub(crate) fn maps(frame: &DataFrame, name: &str) -> PolarsResult<Vec<BTreeMap<String, String>>> {
    let mut all = vec![BTreeMap::new(); frame.height()];
    each_entry(frame.column(name)?, |row, key, value| {
        all[row].insert(key.to_owned(), value.to_owned());
    })?;
    Ok(all)
}

/// The value of one key in a column of text by text, as an expression.
pub(crate) fn entry(map: &str, key: &str) -> Expr {
    let key = key.to_owned();
    let pick = move |column: Column| {
        let mut found: Vec<Option<String>> = vec![None; column.len()];
        each_entry(&column, |row, known, value| {
            if known == key {
                found[row] = Some(value.to_owned());
            }
        })?;
        Ok(Column::new(column.name().clone(), found))
    };
    col(map.to_owned()).map(pick, |_, field| Ok(Field::new(field.name().clone(), DataType::String)))
}

fn column(frame: &DataFrame, name: &str, wanted: &DataType) -> PolarsResult<Column> {
    // Strict: a value that does not fit is an error and not a null.
    frame.column(name)?.strict_cast(wanted)
}
