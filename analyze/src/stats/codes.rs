//! Values of columns as small numbers, so that rows are grouped by numbers and not by texts.

use polars::prelude::{Column, DataFrame, DataType, PlHashMap, PolarsResult, StringChunked};

use super::key::Key;

/// What is absent.
const ABSENT: u32 = 0;
/// Rows of values are told apart by a table, where so many numbers are enough for all.
const TABLE: u64 = 1 << 18;
/// Values that are remembered because they come again soon.
const REMEMBERED: usize = 64;

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// The codes of values that came a moment ago, found without a hash map.
struct Memory([(u128, u32); REMEMBERED]);

impl Memory {
    fn new() -> Self {
        Self([(0, ABSENT); REMEMBERED])
    }

    /// The code of a value that is there.
    fn code(&mut self, value: u128, find: impl FnOnce() -> u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the halves are mixed")]
        let mixed = (value as u64 ^ ((value >> 64) as u64).rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = &mut self.0[(mixed >> 58) as usize % REMEMBERED];
        if place.1 == ABSENT || place.0 != value {
            *place = (value, find());
        }
        place.1
    }
}

/// The values of one column of a frame: the code of each row, and what codes stand for.
struct Coded {
    codes: Vec<u32>,
    keys: Vec<Key>,
}

impl Coded {
    fn new(column: &Column) -> PolarsResult<Self> {
        let mut coded = Self { codes: Vec::with_capacity(column.len()), keys: vec![Key::Absent] };
        if *column.dtype() == DataType::String {
            coded.texts(column.str()?);
        } else {
            coded.numbers(column)?;
        }
        Ok(coded)
    }

    fn texts(&mut self, column: &StringChunked) {
        let (keys, codes) = (&mut self.keys, &mut self.codes);
        let mut known: PlHashMap<&str, u32> = PlHashMap::default();
        let is_full = column.null_count() == 0;
        for array in column.downcast_iter() {
            // Within one array the same view is the same text; a text is looked at where its view is new.
            let mut memory = Memory::new();
            let mut code = |at: usize, view: u128| {
                memory.code(view, || {
                    let text = array.value(at);
                    *known.entry(text).or_insert_with(|| {
                        keys.push(Key::Text(text.to_owned()));
                        number(keys.len() - 1)
                    })
                })
            };
            let views = array.views().iter().map(|view| view.as_u128()).enumerate();
            if is_full {
                codes.extend(views.map(|(at, view)| code(at, view)));
            } else {
                let rows = views.zip(array.iter());
                codes.extend(rows.map(|((at, view), text)| text.map_or(ABSENT, |_| code(at, view))));
            }
        }
    }

    fn numbers(&mut self, column: &Column) -> PolarsResult<()> {
        let (keys, codes) = (&mut self.keys, &mut self.codes);
        let mut known: PlHashMap<u64, u32> = PlHashMap::default();
        let mut memory = Memory::new();
        let values = column.strict_cast(&DataType::Float64)?;
        codes.extend(values.f64()?.iter().map(|value| {
            let Some(value) = value else { return ABSENT };
            memory.code(value.to_bits().into(), || {
                *known.entry(value.to_bits()).or_insert_with(|| {
                    keys.push(Key::Number(value));
                    number(keys.len() - 1)
                })
            })
        }));
        Ok(())
    }
}

/// The rows of one frame by the values of some columns.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Of each row its place among the different ones, which are in the order in which they come.
    pub(crate) places: Vec<u32>,
    /// The first of each of the different rows.
    pub(crate) firsts: Vec<u32>,
    /// By column, the values of the frame.
    keys: Vec<Vec<Key>>,
    /// By column, the place of its value for each of the different rows.
    codes: Vec<Vec<u32>>,
}

impl Rows {
    /// Tells the rows of a frame apart by these columns.
    pub(crate) fn of(frame: &DataFrame, columns: &[String]) -> PolarsResult<Self> {
        let coded = columns.iter().map(|name| Coded::new(frame.column(name)?)).collect::<PolarsResult<Vec<_>>>()?;
        // All codes of a row as one number, as long as they find room in it.
        let (mut mixed, mut range) = (vec![0_u64; frame.height()], 1_u64);
        for column in &coded {
            let many = column.keys.len() as u64;
            if range.checked_mul(many).is_none() {
                let (places, firsts) = apart(&mixed, range);
                (mixed, range) = (places.into_iter().map(u64::from).collect(), firsts.len() as u64);
            }
            mixed.iter_mut().zip(&column.codes).for_each(|(mixed, &code)| *mixed = *mixed * many + u64::from(code));
            range *= many;
        }
        let (places, firsts) = apart(&mixed, range);
        let of_firsts = |column: &Coded| firsts.iter().map(|&row| column.codes[row as usize]).collect::<Vec<u32>>();
        let codes = coded.iter().map(of_firsts).collect();
        Ok(Self { places, firsts, keys: coded.into_iter().map(|column| column.keys).collect(), codes })
    }

    /// How many different rows there are.
    pub(crate) fn len(&self) -> usize {
        self.firsts.len()
    }
}

/// The place of each number, all below `range`, among the different ones, and where each of these comes first.
fn apart(numbers: &[u64], range: u64) -> (Vec<u32>, Vec<u32>) {
    let mut firsts = Vec::new();
    let mut new = |row: usize| {
        firsts.push(number(row));
        number(firsts.len() - 1)
    };
    let places = if range <= TABLE {
        const NEW: u32 = u32::MAX;
        let mut known = vec![NEW; usize::try_from(range).unwrap_or(usize::MAX)];
        let place = |(row, &one): (usize, &u64)| {
            #[expect(clippy::cast_possible_truncation, reason = "it is below the range")]
            let known = &mut known[one as usize];
            if *known == NEW {
                *known = new(row);
            }
            *known
        };
        numbers.iter().enumerate().map(place).collect()
    } else {
        let mut known: PlHashMap<u64, u32> = PlHashMap::default();
        let mut last = None;
        let place = |(row, &one): (usize, &u64)| match last {
            Some((same, place)) if same == one => place,
            _ => {
                let place = *known.entry(one).or_insert_with(|| new(row));
                last = Some((one, place));
                place
            }
        };
        numbers.iter().enumerate().map(place).collect()
    };
    (places, firsts)
}

/// The different values of one column of all frames.
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

impl Values {
    fn code(&mut self, key: &Key) -> u32 {
        let known = match key {
            Key::Absent => Some(&ABSENT),
            Key::Text(text) => self.texts.get(text),
            Key::Number(value) => self.numbers.get(&value.to_bits()),
        };
        if let Some(&known) = known {
            return known;
        }
        let code = number(self.keys.len());
        match key {
            Key::Absent => {}
            Key::Text(text) => drop(self.texts.insert(text.clone(), code)),
            Key::Number(value) => drop(self.numbers.insert(value.to_bits(), code)),
        }
        self.keys.push(key.clone());
        code
    }
}

/// Rows by the values of some columns: each different row of them has a number, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Codes {
    columns: Vec<String>,
    values: Vec<Values>,
    known: PlHashMap<Box<[u32]>, u32>,
    rows: Vec<Box<[u32]>>,
}

impl Codes {
    /// By these columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = String>) -> Self {
        let columns: Vec<String> = columns.into_iter().collect();
        let values = columns.iter().map(|_| Values::default()).collect();
        Self { columns, values, known: PlHashMap::default(), rows: Vec::new() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of each of the different rows of a frame, which were told apart by the same columns.
    pub(crate) fn merge(&mut self, rows: &Rows) -> Vec<u32> {
        let codes = self.values.iter_mut().zip(&rows.keys).zip(&rows.codes).map(|((values, keys), codes)| {
            let ours: Vec<u32> = keys.iter().map(|key| values.code(key)).collect();
            codes.iter().map(|&code| ours[code as usize]).collect::<Vec<u32>>()
        });
        let codes: Vec<Vec<u32>> = codes.collect();
        let mut row = vec![ABSENT; codes.len()];
        let mut numbers = Vec::with_capacity(rows.len());
        for at in 0..rows.len() {
            row.iter_mut().zip(&codes).for_each(|(place, codes)| *place = codes[at]);
            numbers.push(self.number(&row));
        }
        numbers
    }

    /// The number of each row of a frame.
    pub(crate) fn of(&mut self, frame: &DataFrame) -> PolarsResult<Vec<u32>> {
        let rows = Rows::of(frame, &self.columns)?;
        let numbers = self.merge(&rows);
        Ok(rows.places.iter().map(|&place| numbers[place as usize]).collect())
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
        row.iter().zip(&self.values).map(|(&code, values)| values.keys[code as usize].clone()).collect()
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

    #[test]
    fn many_values_in_many_columns_are_told_apart_as_well() {
        // Six columns of 5,000 values each: their codes find no room in one number, and no table holds them.
        let n = 20_000_u32;
        let value = |row: u32, column: u32| format!("value {}", (row % 10_000).wrapping_mul(2 * column + 7) % 5_000);
        let columns = (0..6).map(|c| {
            let values: Vec<String> = (0..n).map(|row| value(row, c)).collect();
            polars::prelude::Column::new(format!("c{c}").into(), values)
        });
        let frame = DataFrame::new(n as usize, columns.collect()).unwrap();
        let mut known = std::collections::HashMap::new();
        let wanted: Vec<u32> = (0..n)
            .map(|row| {
                let values: Vec<String> = (0..6).map(|c| value(row, c)).collect();
                let next = u32::try_from(known.len()).unwrap();
                *known.entry(values).or_insert(next)
            })
            .collect();
        let mut codes = Codes::new((0..6).map(|c| format!("c{c}")));
        assert_eq!(codes.of(&frame).unwrap(), wanted);
        let last = codes.len() - 1;
        let row = wanted.iter().position(|&number| number as usize == last).unwrap();
        let keys: Vec<Key> = (0..6).map(|c| Key::Text(value(u32::try_from(row).unwrap(), c))).collect();
        assert_eq!(codes.keys(u32::try_from(last).unwrap()), keys);
    }
}
