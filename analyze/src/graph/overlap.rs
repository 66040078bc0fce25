//! Whether peers are connected to those whom they have in their tables: the section of the report.

use super::evolution::edges_of;
use super::words::Words;
use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::export::{Kind, Named, When};
use crate::report::{Cell, Facts};

/// The overlap of two sets of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) both: usize,
    pub(super) first_alone: usize,
    pub(super) second_alone: usize,
}

impl Overlap {
    /// Both must be ascending, each edge once.
    pub(super) fn of<T: Ord>(first: &[T], second: &[T]) -> Self {
        let (mut one, mut other, mut both) = (first, second, 0);
        while let (Some(a), Some(b)) = (one.first(), other.first()) {
            both += usize::from(a == b);
            (one, other) = (&one[usize::from(a <= b)..], &other[usize::from(b <= a)..]);
        }
        Self { both, first_alone: first.len() - both, second_alone: second.len() - both }
    }

    /// Those in both, of those in either (P. Jaccard, 1912); nothing where neither has any.
    pub(super) fn jaccard(self) -> Option<f64> {
        share(self.both, self.both + self.first_alone + self.second_alone)
    }
}

fn share(some: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| some as f64 / of as f64)
}

/// Connections against routing tables, undirected, of the same snapshot or of the run as a whole.
///
/// Why there is none is an error: of a mesh, at a time, or where the other graph is not there.
pub(super) fn overlap_facts(dataset: &Dataset, named: &Named, when: &When) -> Result<Facts, AnalyzeError> {
    let other = match (named.kind, when) {
        (Kind::Connections, When::Whole | When::Snapshot(_)) => Kind::RoutingTables,
        (Kind::RoutingTables, _) => Kind::Connections,
        (Kind::Connections, When::At(_)) => {
            return Err(AnalyzeError::Question(
                "`overlap` needs routing tables, which are known at their snapshots and at no other time".to_owned(),
            ));
        }
        (Kind::Mesh, _) => {
            return Err(AnalyzeError::Question(
                "`overlap` is that of connections and routing tables: ask with `--kind conn` or `--kind rt`".to_owned(),
            ));
        }
    };
    let second = Named::read(dataset, other, when)?;
    let (connections, tables) = if other == Kind::RoutingTables { (named, &second) } else { (&second, named) };
    let found = Overlap::of(&edges_of(connections), &edges_of(tables));
    let mut facts = Facts::new("overlap", "Connections and routing tables, undirected");
    facts.add("connections_from", "connections from", Words::source(connections.kind, &connections.network.source));
    facts.add("tables_from", "tables from", Words::source(tables.kind, &tables.network.source));
    let number = |value: Option<f64>| value.map_or(Cell::Absent, Cell::ratio);
    facts.add_with("overlap_ratio", "overlap", number(found.jaccard()), "edges in both, of those in either (Jaccard)");
    facts.add("edges_both", "edges in both", found.both);
    let (alone, of) = (found.first_alone, found.both + found.first_alone);
    facts.add_with("edges_connection_only", "connections alone", alone, "neither has the other in its table");
    facts.add("connections_in_table_ratio", "connections in a table", number(share(found.both, of)));
    let (alone, of) = (found.second_alone, found.both + found.second_alone);
    facts.add_with("edges_table_only", "entries alone", alone, "they are not connected");
    facts.add("entries_connected_ratio", "entries connected", number(share(found.both, of)));
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_with_nothing_in_no_share() {
        let of = |first: &[u32], second: &[u32]| Overlap::of(first, second).jaccard();
        assert_eq!(
            (of(&[], &[]), of(&[1], &[]), of(&[1, 2], &[2, 3]), of(&[1], &[1])),
            (None, Some(0.0), Some(1.0 / 3.0), Some(1.0))
        );
        let found = Overlap::of(&[1, 3, 4, 7, 9], &[0, 3, 7, 8]);
        assert_eq!((found.both, found.first_alone, found.second_alone), (2, 3, 2));
    }
}
