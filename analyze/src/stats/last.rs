//! The last records of aggregates, which instances write again and again.

use polars::prelude::{DataFrame, DataType, IdxCa, IdxSize, NewChunkedArray as _, PlHashMap, PolarsResult};

use super::codes::{Codes, Rows};
use super::metrics::KEYS;

/// A record's place: its time, its file and its line.
type Moment = (i64, u64, u64);

/// What tells series of instances apart.
fn series() -> Vec<String> {
    KEYS.into_iter().chain(["raw_name", "instance"]).map(str::to_owned).collect()
}

/// The place of each record of a frame.
fn moments(frame: &DataFrame) -> PolarsResult<Vec<Moment>> {
    let whole = |name: &str| frame.column(name)?.strict_cast(&DataType::UInt64);
    let (files, lines) = (whole("file_id")?, whole("line")?);
    let times = frame.column("ts")?.strict_cast(&DataType::Int64)?;
    let rows = times.i64()?.iter().zip(files.u64()?.iter()).zip(lines.u64()?.iter());
    let moment = |((ts, file), line): ((Option<i64>, Option<u64>), Option<u64>)| {
        (ts.unwrap_or(i64::MIN), file.unwrap_or_default(), line.unwrap_or_default())
    };
    Ok(rows.map(moment).collect())
}

/// Of the records of a piece the last of each series, in the order in which they stand; most are not.
pub(super) fn in_piece(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let rows = Rows::of(frame, &series())?;
    let moments = moments(frame)?;
    let mut last: Vec<IdxSize> = rows.firsts;
    for ((row, &series), moment) in (0..).zip(&rows.places).zip(&moments) {
        let last = &mut last[series as usize];
        // Of records at one place the one that stands later.
        if *moment >= moments[*last as usize] {
            *last = row;
        }
    }
    last.sort_unstable();
    frame.take(&IdxCa::from_slice("".into(), &last))
}

/// The last record of each series of an instance so far: where it is among the frames that were kept.
#[derive(Debug)]
pub(super) struct Last {
    codes: Codes,
    known: PlHashMap<u32, (Moment, usize, IdxSize)>,
    kept: Vec<DataFrame>,
    rows: usize,
}

impl Last {
    pub(super) fn new() -> Self {
        Self { codes: Codes::new(series()), known: PlHashMap::default(), kept: Vec::new(), rows: 0 }
    }

    /// Adds the records of a piece that are its last: one of each series.
    pub(super) fn add(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        let numbers = self.codes.of(frame)?;
        let (mut rows, mut place) = (Vec::new(), 0);
        for ((row, number), moment) in (0..).zip(numbers).zip(moments(frame)?) {
            // Of records at one place the one that stands later.
            if self.known.get(&number).is_none_or(|(known, ..)| moment >= *known) {
                self.known.insert(number, (moment, self.kept.len(), place));
                rows.push(row);
                place += 1;
            }
        }
        self.rows += rows.len();
        if !rows.is_empty() {
            self.kept.push(frame.take(&IdxCa::from_slice("".into(), &rows))?);
        }
        // Where records of one series are far apart, what they made obsolete is let go of now and then.
        if self.rows > 2 * self.known.len() + (1 << 20) {
            self.shrink()?;
        }
        Ok(())
    }

    /// Keeps the last records alone.
    fn shrink(&mut self) -> PolarsResult<()> {
        let mut rows: Vec<Vec<(u32, IdxSize)>> = vec![Vec::new(); self.kept.len()];
        for (&key, &(_, frame, row)) in &self.known {
            rows[frame].push((key, row));
        }
        let mut all: Option<DataFrame> = None;
        let mut place = 0;
        for (frame, mut rows) in std::mem::take(&mut self.kept).into_iter().zip(rows) {
            rows.sort_unstable_by_key(|&(_, row)| row);
            let taken: Vec<IdxSize> = rows.iter().map(|&(_, row)| row).collect();
            for (key, _) in rows {
                if let Some(known) = self.known.get_mut(&key) {
                    (known.1, known.2) = (0, place);
                }
                place += 1;
            }
            let taken = frame.take(&IdxCa::from_slice("".into(), &taken))?;
            match &mut all {
                Some(all) => {
                    all.vstack_mut(&taken)?;
                }
                None => all = Some(taken),
            }
        }
        self.rows = all.as_ref().map_or(0, DataFrame::height);
        self.kept.extend(all);
        Ok(())
    }

    /// The last records, in the order in which they came.
    pub(super) fn finish(mut self) -> PolarsResult<Option<DataFrame>> {
        self.shrink()?;
        Ok(self.kept.pop())
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ChunkCompareEq as _, df};

    use super::*;
    use crate::frame;

    #[test]
    fn the_last_by_time_stays_wherever_it_stood() {
        let mut last = Last::new();
        // (instance, raw name, time, value), in two pieces.
        let pieces: [&[(u64, &str, i64, f64)]; 2] = [
            &[(0, "sent", 9, 1.0), (0, "sent", 3, 2.0), (1, "sent", 9, 3.0), (0, "sent,a=b", 1, 4.0), (0, "x", 1, 9.0)],
            &[(1, "sent", 9, 5.0), (0, "sent", 8, 6.0), (2, "sent", 1, 7.0)],
        ];
        for rows in pieces {
            let text = |word: &str| vec![word.to_owned(); rows.len()];
            let frame = df!(
                "instance" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
                "raw_name" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                "ts" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
                "value" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
                "file_id" => vec![1_u32; rows.len()], "line" => vec![1_u32; rows.len()],
                "source" => text("results"), "name" => text("sent"), "measure" => text("count"), "unit" => text("B"),
                "type" => rows.iter().map(|row| if row.1 == "x" { "point" } else { "counter" }).collect::<Vec<_>>(),
                "dir" => vec![0_i8; rows.len()],
            )
            .unwrap();
            let others = frame.column("type").unwrap().str().unwrap().not_equal("point");
            last.add(&in_piece(&frame.filter(&others).unwrap()).unwrap()).unwrap();
        }
        let found = last.finish().unwrap().unwrap();
        let values: Vec<f64> = frame::floats(&found, "value").unwrap().into_iter().flatten().collect();
        assert_eq!(values, [1.0, 4.0, 5.0, 7.0]);
    }
}
