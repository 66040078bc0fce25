//! What rows add up to, group by group, whatever their number: piece by piece, and again where values find no room.

use std::collections::HashSet;

use polars::prelude::{ChunkedArray, Column, DataFrame, DataType, PolarsResult, UInt64Type};
use rayon::prelude::*;

use super::codes::{Codes, Rows};
use super::key::Key;
use super::percentile::Percentile;
use super::ranks::{Pass, Search};
use super::spread::Spread;
use crate::error::AnalyzeError;

/// What is added up, by columns of the rows.
#[derive(Debug, Default)]
pub(super) struct Measures {
    /// By what rows are grouped.
    pub(super) by: Vec<String>,
    /// Yes or no: how many rows say yes.
    pub(super) flags: Vec<String>,
    /// Counts: their sum, which is absent where no row has one.
    pub(super) totals: Vec<String>,
    /// Numbers of things: how many different ones.
    pub(super) distinct: Option<String>,
    /// Values: their spread, and percentiles at these shares. What is no finite number does not count.
    pub(super) values: Vec<(String, Vec<f64>)>,
    /// The rule of percentiles.
    pub(super) rule: Percentile,
}

/// What the rows of a group add up to, in the order of the measures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) keys: Vec<Key>,
    pub(super) n: u64,
    pub(super) flags: Vec<u64>,
    pub(super) totals: Vec<Option<u64>>,
    pub(super) distinct: u64,
    pub(super) values: Vec<Summed>,
}

/// The spread of the values of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Summed {
    pub(super) n: u64,
    pub(super) mean: Option<f64>,
    pub(super) sd: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// The percentiles at the shares that were asked for.
    pub(super) shares: Vec<Option<f64>>,
}

/// Makes parts of pieces of rows.
pub(super) type Work<'a> = dyn Fn(&DataFrame) -> PolarsResult<Part> + Sync + 'a;
/// Lets parts be made of all rows, piece by piece, maybe several at once, and tells of the parts in the order of the
/// rows; as often as it is asked to, and always of the same rows in the same order.
pub(super) type Source<'a> = dyn FnMut(&Work<'_>, &mut dyn FnMut(Part)) -> Result<(), AnalyzeError> + 'a;

/// Adds up the rows of a source. Percentiles are exact: where the values find no room in so many bytes, the source is
/// asked for again, until those of the ranks are found. Groups come in no particular order.
pub(super) fn grouped(measures: &Measures, room: usize, source: &mut Source<'_>) -> Result<Vec<Group>, AnalyzeError> {
    let work = |frame: &DataFrame| measures.part(frame);
    let mut sums = Sums::new(measures, room);
    source(&work, &mut |part| sums.add(&part))?;
    sums.check()?;
    while let Some(pass) = sums.begin() {
        source(&work, &mut |part| sums.search(&part, pass))?;
        sums.end(pass);
    }
    Ok(sums.finish())
}

/// What the rows of one piece add up to. Whatever is added depends on nothing but the rows and their order, so that
/// the parts of a table add up to the same, wherever it is cut.
#[derive(Debug)]
pub(super) struct Part {
    rows: Rows,
    /// By group of the piece.
    n: Vec<u64>,
    /// By measure, by group.
    flags: Vec<Vec<u64>>,
    totals: Vec<Vec<Option<u64>>>,
    /// By group, different numbers, though one may come again.
    distinct: Vec<Vec<u64>>,
    values: Vec<Parted>,
}

/// The finite values of a column, those of one group after those of another.
#[derive(Debug)]
struct Parted {
    /// Where the values of each group end.
    ends: Vec<usize>,
    values: Vec<f64>,
}

impl Parted {
    fn new(column: &Column, rows: &Rows) -> PolarsResult<Self> {
        let column = column.strict_cast(&DataType::Float64)?;
        let mut next = vec![0_usize; rows.len() + 1];
        each_value(&column, |row, _| next[rows.places[row] as usize + 1] += 1)?;
        for at in 1..next.len() {
            next[at] += next[at - 1];
        }
        let mut values = vec![0.0; next[rows.len()]];
        each_value(&column, |row, value| {
            let next = &mut next[rows.places[row] as usize];
            values[*next] = value;
            *next += 1;
        })?;
        next.truncate(rows.len());
        Ok(Self { ends: next, values })
    }

    fn of(&self, group: usize) -> &[f64] {
        let from = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[from..self.ends[group]]
    }
}

impl Measures {
    /// Adds up the rows of a piece.
    fn part(&self, frame: &DataFrame) -> PolarsResult<Part> {
        let rows = Rows::of(frame, &self.by)?;
        let groups = || rows.places.iter().map(|&place| place as usize);
        let mut n = vec![0; rows.len()];
        groups().for_each(|group| n[group] += 1);
        let mut flags = Vec::with_capacity(self.flags.len());
        for name in &self.flags {
            let mut yes = vec![0; rows.len()];
            for (group, flag) in groups().zip(frame.column(name)?.bool()?.iter()) {
                yes[group] += u64::from(flag == Some(true));
            }
            flags.push(yes);
        }
        let mut totals = Vec::with_capacity(self.totals.len());
        for name in &self.totals {
            let mut sums = vec![None; rows.len()];
            for (group, count) in groups().zip(whole(frame.column(name)?)?.iter()) {
                if let Some(count) = count {
                    *sums[group].get_or_insert(0) += count;
                }
            }
            totals.push(sums);
        }
        let mut distinct: Vec<Vec<u64>> = vec![Vec::new(); rows.len()];
        if let Some(name) = &self.distinct {
            for (group, value) in groups().zip(whole(frame.column(name)?)?.iter()) {
                // Rows of one instance stand together.
                if let Some(value) = value.filter(|value| distinct[group].last() != Some(value)) {
                    distinct[group].push(value);
                }
            }
        }
        let values = self.values.iter().map(|(name, _)| Parted::new(frame.column(name)?, &rows));
        let values = values.collect::<PolarsResult<_>>()?;
        Ok(Part { rows, n, flags, totals, distinct, values })
    }
}

/// What the rows of a group add up to so far.
#[derive(Debug, Default)]
struct Sum {
    n: u64,
    flags: Vec<u64>,
    totals: Vec<Option<u64>>,
    different: HashSet<u64>,
    values: Vec<Spread>,
    /// For each column of values, where they found no room.
    searches: Vec<Option<Search>>,
}

struct Sums<'a> {
    measures: &'a Measures,
    codes: Codes,
    groups: Vec<Sum>,
    room: usize,
    used: usize,
    keeps: bool,
    searches: bool,
}

/// The bytes that a different number takes in a set of them.
const OF_NUMBER: usize = 2 * size_of::<u64>();

impl<'a> Sums<'a> {
    fn new(measures: &'a Measures, room: usize) -> Self {
        let codes = Codes::new(measures.by.iter().cloned());
        Self { measures, codes, groups: Vec::new(), room, used: 0, keeps: true, searches: false }
    }

    /// The bytes of a group without any value.
    fn weight(&self) -> usize {
        let lists = self.measures.flags.len() * 8 + self.measures.totals.len() * 16 + self.measures.by.len() * 64;
        size_of::<Sum>() + lists + self.measures.values.len() * (size_of::<Spread>() + size_of::<Option<Search>>())
    }

    fn add(&mut self, part: &Part) {
        let numbers = self.codes.merge(&part.rows);
        let (measures, weight) = (self.measures, self.weight());
        self.groups.resize_with(self.codes.len(), || {
            self.used += weight;
            Sum {
                flags: vec![0; measures.flags.len()],
                totals: vec![None; measures.totals.len()],
                values: vec![Spread::default(); measures.values.len()],
                ..Sum::default()
            }
        });
        for (of, number) in numbers.into_iter().enumerate() {
            let group = &mut self.groups[number as usize];
            group.n += part.n[of];
            group.flags.iter_mut().zip(&part.flags).for_each(|(sum, flags)| *sum += flags[of]);
            for (sum, totals) in group.totals.iter_mut().zip(&part.totals) {
                *sum = if let Some(more) = totals[of] { Some(sum.unwrap_or(0) + more) } else { *sum };
            }
            for &value in &part.distinct[of] {
                self.used += usize::from(group.different.insert(value)) * OF_NUMBER;
            }
            for ((spread, parted), (_, shares)) in group.values.iter_mut().zip(&part.values).zip(&measures.values) {
                let values = parted.of(of);
                spread.add(values);
                if self.keeps && !shares.is_empty() {
                    self.used += spread.keep(values);
                }
            }
        }
        if self.keeps && self.used > self.room {
            self.keeps = false;
            for spread in self.groups.iter_mut().flat_map(|group| &mut group.values) {
                self.used -= spread.values.capacity() * size_of::<f64>();
                spread.values = Vec::new();
            }
        }
    }

    /// Refuses where the groups alone find no room.
    fn check(&self) -> Result<(), AnalyzeError> {
        if self.used > self.room {
            return Err(AnalyzeError::Memory { groups: self.groups.len(), needs: self.used, room: self.room });
        }
        Ok(())
    }

    /// Makes ready for the next pass, if there is one to come.
    fn begin(&mut self) -> Option<Pass> {
        if self.keeps {
            return None;
        }
        if !self.searches {
            self.searches = true;
            for group in &mut self.groups {
                let search = |(spread, (_, shares)): (&Spread, &(String, Vec<f64>))| {
                    let places = shares.iter().filter_map(|share| self.measures.rule.place(*share, spread.n));
                    let ranks = places.flat_map(|place| [place.low, place.high]).collect();
                    Some(Search::new(spread.n, spread.range?, ranks))
                };
                group.searches = group.values.iter().zip(&self.measures.values).map(search).collect();
            }
        }
        let all = self.groups.iter().flat_map(|group| &group.searches).flatten();
        let pass = Pass::next(&all, self.room.saturating_sub(self.used))?;
        self.groups.iter_mut().flat_map(|group| &mut group.searches).flatten().for_each(|search| search.begin(pass));
        Some(pass)
    }

    fn search(&mut self, part: &Part, pass: Pass) {
        for (of, number) in self.codes.merge(&part.rows).into_iter().enumerate() {
            // Of rows that nobody told of before nothing is looked for.
            let Some(group) = self.groups.get_mut(number as usize) else { continue };
            for (search, parted) in group.searches.iter_mut().zip(&part.values) {
                if let Some(search) = search {
                    parted.of(of).iter().for_each(|&value| search.add(value, pass));
                }
            }
        }
    }

    fn end(&mut self, pass: Pass) {
        self.groups.iter_mut().flat_map(|group| &mut group.searches).flatten().for_each(|search| search.end(pass));
    }

    fn finish(self) -> Vec<Group> {
        let (measures, keeps) = (self.measures, self.keeps);
        let codes = self.codes;
        let group = |(number, sum): (usize, Sum)| {
            let mut searches = sum.searches.into_iter();
            let summed = |(mut spread, (_, shares)): (Spread, &(String, Vec<f64>))| {
                let search = searches.next().flatten();
                let found = |share: &f64| {
                    let place = measures.rule.place(*share, spread.n)?;
                    let found = |rank| search.as_ref().and_then(|search| search.found(rank));
                    Some(place.between(found(place.low)?, found(place.high)?))
                };
                let shares =
                    if keeps { spread.percentiles(measures.rule, shares) } else { shares.iter().map(found).collect() };
                let (min, max) = spread.range.unzip();
                Summed { n: spread.n, mean: spread.mean(), sd: spread.sd(), min, max, shares }
            };
            Group {
                keys: codes.keys(u32::try_from(number).unwrap_or(u32::MAX)),
                n: sum.n,
                flags: sum.flags,
                totals: sum.totals,
                distinct: sum.different.len() as u64,
                values: sum.values.into_iter().zip(&measures.values).map(summed).collect(),
            }
        };
        // Percentiles are found group by group, several at once.
        self.groups.into_par_iter().enumerate().map(group).collect()
    }
}

fn whole(column: &Column) -> PolarsResult<ChunkedArray<UInt64Type>> {
    Ok(column.strict_cast(&DataType::UInt64)?.u64()?.clone())
}

/// Tells of every finite value of a column of floats, with its row.
fn each_value(column: &Column, mut tell: impl FnMut(usize, f64)) -> PolarsResult<()> {
    let values = column.f64()?;
    if let Ok(values) = values.cont_slice() {
        values.iter().enumerate().filter(|(_, value)| value.is_finite()).for_each(|(row, &value)| tell(row, value));
        return Ok(());
    }
    for (row, value) in values.iter().enumerate() {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            tell(row, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    fn rows() -> Vec<DataFrame> {
        let frame = |from: u32, n: u32| {
            let of = || from..from + n;
            df!(
                "key" => of().map(|i| if i % 3 == 0 { "a" } else { "b" }).collect::<Vec<_>>(),
                "flag" => of().map(|i| (i % 5 != 1).then_some(i % 2 == 0)).collect::<Vec<_>>(),
                "count" => of().map(|i| (i % 3 == 0).then_some(u64::from(i))).collect::<Vec<_>>(),
                "who" => of().map(|i| i / 10).collect::<Vec<_>>(),
                "value" => of().map(|i| (i % 7 != 0).then(|| f64::from(i * 7919 % 1009))).collect::<Vec<_>>(),
            )
            .unwrap()
        };
        vec![frame(0, 700), frame(700, 1), frame(701, 0), frame(701, 2000)]
    }

    fn measures() -> Measures {
        Measures {
            by: vec!["key".to_owned()],
            flags: vec!["flag".to_owned()],
            totals: vec!["count".to_owned()],
            distinct: Some("who".to_owned()),
            values: vec![("value".to_owned(), vec![0.5, 0.95, 0.99]), ("count".to_owned(), vec![])],
            rule: Percentile::Type7,
        }
    }

    fn sum(room: usize) -> (Result<Vec<Group>, AnalyzeError>, u32) {
        let (rows, mut passes) = (rows(), 0);
        let found = grouped(&measures(), room, &mut |work, told| {
            passes += 1;
            let told = rows.iter().try_for_each(|frame| work(frame).map(&mut *told));
            told.map_err(|error| AnalyzeError::Question(error.to_string()))
        });
        (found, passes)
    }

    #[test]
    fn the_room_changes_how_often_rows_are_read_and_nothing_else() {
        let (found, passes) = sum(usize::MAX);
        let found = found.unwrap();
        assert_eq!((passes, found.len()), (1, 2));
        let a = &found[0];
        assert_eq!((a.n, a.flags[0], a.distinct), (901, 361, 271));
        assert_eq!((a.totals[0], found[1].totals[0]), (Some(3 * 900 * 901 / 2), None));
        assert_eq!((a.values[0].n, a.values[1].mean, found[1].values[1].mean), (772, Some(1350.0), None));
        let (tight, more) = sum(12_000);
        assert_eq!((tight.unwrap(), more > 1), (found, true));
    }

    #[test]
    fn groups_that_find_no_room_are_an_error() {
        let AnalyzeError::Memory { groups, needs, room } = sum(100).0.unwrap_err() else { panic!("no room") };
        assert!(groups == 2 && needs > room, "{groups} {needs} {room}");
    }
}
