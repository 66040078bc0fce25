//! Values of given ranks where there is no room for all values: by several passes, and exact.
//!
//! Values are taken as whole numbers in the same order. A pass counts how many fall into each part of a range; the part
//! that holds a rank is the range of the next pass. As soon as what lies in the ranges finds room it is kept, and sorted.

use std::collections::BTreeMap;

/// A number that is ordered as the value is.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The value of such a number.
fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// A range that holds the values of some ranks.
#[derive(Debug)]
struct Range {
    low: u64,
    /// The last number of it.
    high: u64,
    /// How many values are below it, and how many in it.
    below: u64,
    inside: u64,
    ranks: Vec<u64>,
    /// In a pass that counts: how many numbers a part has, and how many values fell into each.
    width: u64,
    counts: Vec<u64>,
    /// In a pass that keeps.
    kept: Vec<f64>,
}

/// Which values of one series are looked for.
#[derive(Debug)]
pub(super) struct Search {
    ranges: Vec<Range>,
    found: BTreeMap<u64, f64>,
}

/// What the next pass does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Counts, each range in so many parts.
    Count(usize),
    /// Keeps the values themselves.
    Keep,
}

/// The fewest parts of a range: with 64 bits to part, so many passes are the most that there can be.
const FEWEST: usize = 16;
const MOST: usize = 1 << 16;

impl Pass {
    /// What there is room for, in bytes; nothing if all is found.
    pub(super) fn next<'a>(all: &(impl Iterator<Item = &'a Search> + Clone), room: usize) -> Option<Self> {
        let ranges = || all.clone().flat_map(|search| &search.ranges);
        let n = ranges().count();
        if n == 0 {
            return None;
        }
        let inside: u64 = ranges().map(|range| range.inside).sum();
        let places = room / size_of::<u64>();
        // What is kept grows as it comes, and may take half as much again.
        let fits = usize::try_from(inside).is_ok_and(|inside| inside.saturating_mul(3) / 2 <= places);
        Some(if fits { Self::Keep } else { Self::Count((places / n).clamp(FEWEST, MOST)) })
    }
}

impl Search {
    /// Of n values from the least to the greatest, those of these ranks.
    pub(super) fn new(n: u64, (min, max): (f64, f64), mut ranks: Vec<u64>) -> Self {
        ranks.sort_unstable();
        ranks.dedup();
        let mut search = Self { ranges: Vec::new(), found: BTreeMap::new() };
        search.narrow(key(min), key(max), 0, n, ranks);
        search
    }

    /// Looks on in a part of a range, unless that has one value only.
    fn narrow(&mut self, low: u64, high: u64, below: u64, inside: u64, ranks: Vec<u64>) {
        if low == high {
            self.found.extend(ranks.into_iter().map(|rank| (rank, value(low))));
        } else if !ranks.is_empty() {
            let range = Range { low, high, below, inside, ranks, width: 0, counts: Vec::new(), kept: Vec::new() };
            self.ranges.push(range);
        }
    }

    /// Makes ready for a pass.
    pub(super) fn begin(&mut self, pass: Pass) {
        for range in &mut self.ranges {
            if let Pass::Count(parts) = pass {
                range.width = (range.high - range.low) / parts as u64 + 1;
                let parts = (range.high - range.low) / range.width + 1;
                range.counts = vec![0; usize::try_from(parts).unwrap_or(MOST)];
            }
        }
    }

    /// Takes a value of the series.
    pub(super) fn add(&mut self, value: f64, pass: Pass) {
        let number = key(value);
        let at = self.ranges.partition_point(|range| range.high < number);
        let Some(range) = self.ranges.get_mut(at).filter(|range| range.low <= number) else { return };
        match pass {
            Pass::Keep => range.kept.push(value),
            Pass::Count(_) => {
                let part = usize::try_from((number - range.low) / range.width).unwrap_or(usize::MAX);
                if let Some(count) = range.counts.get_mut(part) {
                    *count += 1;
                }
            }
        }
    }

    /// Draws the conclusions from a pass.
    pub(super) fn end(&mut self, pass: Pass) {
        for mut range in std::mem::take(&mut self.ranges) {
            match pass {
                Pass::Keep => {
                    for rank in range.ranks {
                        let Ok(at) = usize::try_from(rank - range.below) else { continue };
                        if at < range.kept.len() {
                            let found = *range.kept.select_nth_unstable_by(at, f64::total_cmp).1;
                            self.found.insert(rank, found);
                        }
                    }
                }
                Pass::Count(_) => {
                    let (mut below, mut low) = (range.below, range.low);
                    for count in range.counts {
                        let ranks: Vec<u64> =
                            range.ranks.iter().copied().filter(|rank| (below..below + count).contains(rank)).collect();
                        let high = low.saturating_add(range.width - 1).min(range.high);
                        self.narrow(low, high, below, count, ranks);
                        below += count;
                        low = high.saturating_add(1);
                    }
                }
            }
        }
    }

    /// The value of a rank.
    pub(super) fn found(&self, rank: u64) -> Option<f64> {
        self.found.get(&rank).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values of the ranks, and how many passes that took.
    fn search(values: &[f64], ranks: &[u64], room: usize) -> (Vec<Option<f64>>, u32) {
        let ends = (
            values.iter().copied().min_by(f64::total_cmp).unwrap(),
            values.iter().copied().max_by(f64::total_cmp).unwrap(),
        );
        let mut search = Search::new(values.len() as u64, ends, ranks.to_vec());
        let mut passes = 0;
        while let Some(pass) = Pass::next(&std::iter::once(&search), room) {
            search.begin(pass);
            for &value in values {
                search.add(value, pass);
            }
            search.end(pass);
            passes += 1;
        }
        (ranks.iter().map(|&rank| search.found(rank)).collect(), passes)
    }

    proptest! {
        #[test]
        fn every_rank_has_the_value_that_sorting_gives_it(
            values in proptest::collection::vec(
                prop_oneof![proptest::num::f64::NORMAL | proptest::num::f64::ZERO, (-3_i8..3).prop_map(f64::from)], 1..200),
            room in 0_usize..3000,
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let ranks: Vec<u64> = (0..values.len() as u64).collect();
            let (found, _) = search(&values, &ranks, room);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&found.into_iter().map(Option::unwrap).collect::<Vec<_>>()), bits(&sorted));
        }
    }

    #[test]
    fn little_room_takes_more_passes_and_one_value_takes_none() {
        let values: Vec<f64> = (0..10_000_u32).map(|i| f64::from(i * 7919 % 10_007)).collect();
        let (found, few) = search(&values, &[4_999], 1 << 20);
        let (same, many) = search(&values, &[4_999], 256);
        assert_eq!(found, same);
        assert!(few == 1 && many > 2, "{few} {many}");
        assert_eq!(search(&[5.0; 100], &[0, 99], 0), (vec![Some(5.0); 2], 0));
    }
}
