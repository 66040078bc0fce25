//! Columns of a polars frame as Rust values: the one place where rows leave polars.

use polars::prelude::{Column, DataFrame, DataType, PolarsResult};

/// A column of text.
pub(crate) fn text(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<String>>> {
    Ok(column(frame, name, &DataType::String)?.str()?.iter().map(|value| value.map(str::to_owned)).collect())
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

fn column(frame: &DataFrame, name: &str, wanted: &DataType) -> PolarsResult<Column> {
    // Strict: a value that does not fit is an error and not a null.
    frame.column(name)?.strict_cast(wanted)
}
