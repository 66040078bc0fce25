//! Values of columns as small numbers, so that rows are grouped by numbers and not by texts.

use polars::prelude::{Column, DataFrame, DataType, PlHashMap, PolarsResult};

use super::key::Key;

/// What is absent.
const ABSENT: u32 = 0;

/// The different values of one column.
#[derive(Debug)]
struct Values {
    texts: PlHashMap<String, u32>,
    numbers: PlHashMap<u64, u32>,
    keys: Vec<Key>,
}

impl Default for Values {
    fn default() -> Self {
        Self { texts: PlHashMap::default(), numbers: PlHashMap::default(), keys: vec![Key::Absent] }
    }
}

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

impl Values {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(&code) = self.texts.get(text) {
            return code;
        }
        let code = number(self.keys.len());
        self.keys.push(Key::Text(text.to_owned()));
        self.texts.insert(text.to_owned(), code);
        code
    }

    fn float(&mut self, value: f64) -> u32 {
        *self.numbers.entry(value.to_bits()).or_insert_with(|| {
            self.keys.push(Key::Number(value));
            number(self.keys.len() - 1)
        })
    }

    fn codes(&mut self, column: &Column) -> PolarsResult<Vec<u32>> {
        let mut codes = Vec::with_capacity(column.len());
        if *column.dtype() != DataType::String {
            let mut last = (0, ABSENT);
            for value in column.strict_cast(&DataType::Float64)?.f64()?.iter() {
                let Some(value) = value else {
                    codes.push(ABSENT);
                    continue;
                };
                if last.1 == ABSENT || last.0 != value.to_bits() {
                    last = (value.to_bits(), self.float(value));
                }
                codes.push(last.1);
            }
            return Ok(codes);
        }
        for array in column.str()?.downcast_iter() {
            // Within one array the same view is the same text; a text is looked at where its view is new.
            let mut known: PlHashMap<u128, u32> = PlHashMap::default();
            let mut last = (0, ABSENT);
            for (view, text) in array.views().iter().zip(array.iter()) {
                let Some(text) = text else {
                    codes.push(ABSENT);
                    continue;
                };
                let view = view.as_u128();
                if last.1 == ABSENT || last.0 != view {
                    let code = match known.get(&view) {
                        Some(&code) => code,
                        None => self.text(text),
                    };
                    known.insert(view, code);
                    last = (view, code);
                }
                codes.push(last.1);
            }
        }
        Ok(codes)
    }
}

/// Rows by the values of some columns: each different row of them has a number, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Codes {
    columns: Vec<(String, Values)>,
    known: PlHashMap<Box<[u32]>, u32>,
    rows: Vec<Box<[u32]>>,
}

impl Codes {
    /// By these columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = String>) -> Self {
        let columns = columns.into_iter().map(|name| (name, Values::default())).collect();
        Self { columns, known: PlHashMap::default(), rows: Vec::new() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of each row of a frame.
    pub(crate) fn of(&mut self, frame: &DataFrame) -> PolarsResult<Vec<u32>> {
        let mut codes = Vec::with_capacity(self.columns.len());
        for (name, values) in &mut self.columns {
            codes.push(values.codes(frame.column(name)?)?);
        }
        let mut row = vec![ABSENT; codes.len()];
        let mut last = None;
        let mut numbers = Vec::with_capacity(frame.height());
        for at in 0..frame.height() {
            let mut is_same = true;
            for (place, codes) in row.iter_mut().zip(&codes) {
                is_same &= *place == codes[at];
                *place = codes[at];
            }
            let found = match last.filter(|_| is_same) {
                Some(last) => last,
                None => self.number(&row),
            };
            last = Some(found);
            numbers.push(found);
        }
        Ok(numbers)
    }

    fn number(&mut self, row: &[u32]) -> u32 {
        if let Some(&found) = self.known.get(row) {
            return found;
        }
        let new = number(self.rows.len());
        self.known.insert(row.into(), new);
        self.rows.push(row.into());
        new
    }

    /// The values that a number stands for.
    pub(crate) fn keys(&self, number: u32) -> Vec<Key> {
        let row = &self.rows[number as usize];
        row.iter().zip(&self.columns).map(|(&code, (_, values))| values.keys[code as usize].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    #[test]
    fn rows_of_the_same_values_have_the_same_number_across_frames() {
        let long = "a text that is longer than what fits beside its length";
        let one =
            df!("a" => [Some("x"), None, Some(long), Some("x")], "b" => [Some(1_i8), Some(1), None, Some(1)]).unwrap();
        let two = df!("a" => [Some(long), Some("x"), Some("")], "b" => [None, Some(1_i8), Some(-1)]).unwrap();
        let mut codes = Codes::new(["a", "b"].map(str::to_owned));
        assert_eq!(codes.of(&one).unwrap(), [0, 1, 2, 0]);
        assert_eq!(codes.of(&two).unwrap(), [2, 0, 3]);
        assert_eq!(codes.keys(2), [Key::Text(long.to_owned()), Key::Absent]);
        assert_eq!(codes.keys(3), [Key::Text(String::new()), Key::Number(-1.0)]);
        // Without columns all rows are one.
        let mut none = Codes::new([]);
        assert_eq!((none.of(&two).unwrap(), none.len()), (vec![0; 3], 1));
    }
}
