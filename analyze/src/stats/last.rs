//! The last records of aggregates, which instances write again and again.

use polars::prelude::{
    BooleanChunked, DataFrame, DataType, IdxCa, IdxSize, NewChunkedArray as _, PlHashMap, PolarsResult,
};

use super::codes::Codes;
use super::metrics::KEYS;

/// A record's place: its time, its file and its line.
type Moment = (i64, u64, u64);

/// The last record of each series of an instance so far: where it is among the frames that were kept.
#[derive(Debug)]
pub(super) struct Last {
    codes: Codes,
    known: PlHashMap<(u32, u64), (Moment, usize, IdxSize)>,
    kept: Vec<DataFrame>,
    rows: usize,
}

impl Last {
    pub(super) fn new() -> Self {
        let names = KEYS.into_iter().chain(["raw_name"]).map(str::to_owned);
        Self { codes: Codes::new(names), known: PlHashMap::default(), kept: Vec::new(), rows: 0 }
    }

    /// Adds the records that are no points.
    pub(super) fn add(&mut self, frame: &DataFrame, is_point: &BooleanChunked) -> PolarsResult<()> {
        let whole = |name: &str| frame.column(name)?.strict_cast(&DataType::UInt64);
        let (instances, files, lines) = (whole("instance")?, whole("file_id")?, whole("line")?);
        let times = frame.column("ts")?.strict_cast(&DataType::Int64)?;
        let numbers = self.codes.of(frame)?;
        // Of this frame the last of each series; most of its records are not.
        let mut here: PlHashMap<(u32, u64), (Moment, usize)> = PlHashMap::default();
        let moments = times.i64()?.iter().zip(files.u64()?.iter()).zip(lines.u64()?.iter());
        let rows = numbers.into_iter().zip(instances.u64()?.iter()).zip(moments).zip(is_point.iter());
        for (row, (((number, instance), ((ts, file), line)), is_point)) in rows.enumerate() {
            if is_point == Some(true) {
                continue;
            }
            let moment = (ts.unwrap_or(i64::MIN), file.unwrap_or_default(), line.unwrap_or_default());
            let last = here.entry((number, instance.unwrap_or(u64::MAX))).or_insert((moment, row));
            // Of records at one place the one that stands later.
            if moment >= last.0 {
                *last = (moment, row);
            }
        }
        let mut taken: Vec<((u32, u64), Moment, usize)> = here
            .into_iter()
            .filter(|(key, (moment, _))| self.known.get(key).is_none_or(|(known, ..)| moment >= known))
            .map(|(key, (moment, row))| (key, moment, row))
            .collect();
        taken.sort_unstable_by_key(|&(_, _, row)| row);
        let index = |row: usize| IdxSize::try_from(row).unwrap_or(IdxSize::MAX);
        for (place, &(key, moment, _)) in taken.iter().enumerate() {
            self.known.insert(key, (moment, self.kept.len(), index(place)));
        }
        let rows: Vec<IdxSize> = taken.iter().map(|&(_, _, row)| index(row)).collect();
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
        let mut rows: Vec<Vec<((u32, u64), IdxSize)>> = vec![Vec::new(); self.kept.len()];
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
            last.add(&frame, &frame.column("type").unwrap().str().unwrap().equal("point")).unwrap();
        }
        let found = last.finish().unwrap().unwrap();
        let values: Vec<f64> = frame::floats(&found, "value").unwrap().into_iter().flatten().collect();
        assert_eq!(values, [1.0, 4.0, 5.0, 7.0]);
    }
}
