//! The columns that a condition and the keys of groups may name, and which rows have them.

use std::collections::BTreeSet;

use polars::prelude::{DataType, Expr, col};
use tg_model::table::{self, COMMON, INSTANCES, METRICS, QUERIES, RUNS, Table};

use crate::datasets::Datasets;
use crate::error::AnalyzeError;
use crate::filter::Kind;
use crate::frame;
use crate::score::SCORES;

/// What the rows of a part of the screen are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// What concerns a run as a whole.
    Runs,
    /// Instances.
    Instances,
    /// Stages of instances.
    Stages,
    /// Table `queries`, with the scores of lookups.
    Operations,
    /// Table `metrics`.
    Metrics,
}

/// Where a row has a column from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Its own table.
    Own(&'static str),
    /// A tag of a metric.
    Tag(&'a str),
    /// The score of a lookup.
    Score(&'static str),
    /// The instance that wrote it.
    Instance(&'static str),
    /// A parameter of that instance.
    Param(&'a str),
    /// The run.
    Run(&'static str),
    /// What the run's configuration says.
    Config(&'a str),
}

/// Columns of table `runs` that may be named. Its times are those of no row.
const OF_RUNS: [&str; 10] =
    ["run_id", "plan", "case", "backend", "seed", "series_id", "repeat", "verdict", "instances", "groups"];
/// What stands before names of maps.
const MAPS: [&str; 3] = ["params.", "tags.", "config."];

impl Rows {
    pub(super) const ALL: [Self; 5] = [Self::Runs, Self::Instances, Self::Stages, Self::Operations, Self::Metrics];

    /// The table whose rows they are.
    fn table(self) -> Option<&'static Table> {
        match self {
            Self::Runs | Self::Instances | Self::Stages => None,
            Self::Operations => Some(&QUERIES),
            Self::Metrics => Some(&METRICS),
        }
    }

    /// Where such a row has a column from; nothing if it has none of the name. Its own come before its instance's, and
    /// these before its run's.
    pub(super) fn place(self, name: &str) -> Option<Place<'_>> {
        let own = || match (self, name) {
            (Self::Stages, "stage") => Some(Place::Own("stage")),
            (Self::Operations, "query") => Some(Place::Own("query_id")),
            (Self::Operations, _) if SCORES.contains(&name) => {
                SCORES.into_iter().find(|score| *score == name).map(Place::Score)
            }
            (Self::Metrics, _) if name.starts_with(MAPS[1]) => Some(Place::Tag(&name[MAPS[1].len()..])),
            _ => self.table().and_then(|table| simple(table, name)).map(Place::Own),
        };
        let instance = || match name.strip_prefix(MAPS[0]) {
            _ if self == Self::Runs => None,
            Some(param) => Some(Place::Param(param)),
            None if name == "instance" => Some(Place::Instance("instance")),
            None => simple(&INSTANCES, name).map(Place::Instance),
        };
        let run = || match name.strip_prefix(MAPS[2]) {
            Some(key) => Some(Place::Config(key)),
            None => OF_RUNS.into_iter().find(|known| *known == name).map(Place::Run),
        };
        own().or_else(instance).or_else(run)
    }

    /// The names of the columns that are in a table.
    fn names(self) -> Vec<&'static str> {
        let of = |table: &'static Table| table.columns.iter().map(|column| column.name);
        match self {
            Self::Runs => OF_RUNS.to_vec(),
            Self::Instances => of(&INSTANCES).collect(),
            Self::Stages => vec!["stage"],
            Self::Operations => std::iter::once("query").chain(of(&QUERIES)).chain(SCORES).collect(),
            Self::Metrics => of(&METRICS).chain(["file_id", "line"]).collect(),
        }
    }
}

fn column(table: &Table, name: &str) -> Option<&'static table::Column> {
    let all = COMMON.iter().chain(table.columns);
    all.filter(|column| column.name != "run_id").find(|column| column.name == name)
}

/// The column of a table, if its values are single numbers or texts. An instance is named and not numbered.
fn simple(table: &Table, name: &str) -> Option<&'static str> {
    let column = column(table, name).filter(|column| column.name != "instance")?;
    kind_of(column.kind).map(|_| column.name)
}

fn kind_of(kind: table::Kind) -> Option<Kind> {
    use table::Kind as Stored;
    match kind {
        Stored::Text | Stored::Bool => Some(Kind::Text),
        Stored::U8
        | Stored::U16
        | Stored::U32
        | Stored::U64
        | Stored::I8
        | Stored::I32
        | Stored::I64
        | Stored::F32
        | Stored::F64
        | Stored::Time => Some(Kind::Number),
        Stored::Kad | Stored::Bytes | Stored::TextMap | Stored::I64Map | Stored::U32List => None,
    }
}

impl Place<'_> {
    /// What its values are, for such rows.
    fn kind(self, rows: Rows) -> Kind {
        let of = |table: &Table, name: &str| column(table, name).and_then(|column| kind_of(column.kind));
        let found = match self {
            Self::Tag(_) | Self::Param(_) | Self::Config(_) => Some(Kind::Written),
            Self::Score(_) => Some(Kind::Number),
            Self::Own(name) => rows.table().and_then(|table| of(table, name)),
            Self::Instance(name) => of(&INSTANCES, name).filter(|_| name != "instance"),
            Self::Run(name) => of(&RUNS, name),
        };
        // Names of instances, of stages and of runs; and no float holds every seed.
        found.filter(|_| self != Self::Run("seed")).unwrap_or(Kind::Text)
    }
}

/// A column of a table as a condition sees it: a float or a string.
pub(super) fn value(table: &Table, name: &str) -> Expr {
    let stored = column(table, name).map(|column| column.kind);
    let column = match name {
        "instance" | "peer_idx" | "query_id" => Datasets::within(col(name.to_owned())),
        _ => col(name.to_owned()),
    };
    match stored.and_then(kind_of) {
        Some(Kind::Number) if name == "seed" => column.cast(DataType::String),
        Some(Kind::Number) if stored == Some(table::Kind::Time) => column.cast(DataType::Int64).cast(DataType::Float64),
        Some(Kind::Number) => column.cast(DataType::Float64),
        Some(Kind::Text | Kind::Written) | None => column.cast(DataType::String),
    }
}

/// The name of a column of one's own in a frame of such rows: no table has one like it.
pub(super) fn physical(name: &str) -> String {
    format!("by:{name}")
}

/// Everything that may be named, each name once.
#[derive(Debug)]
pub(super) struct Vocabulary {
    names: Vec<(String, Kind)>,
}

impl Vocabulary {
    /// The fixed names that any of these rows have, and the keys of these maps: `params`, `config`, `tags`.
    pub(super) fn read(datasets: &Datasets<'_>, wanted: &[&str], of: &[Rows]) -> Result<Self, AnalyzeError> {
        let mut names = Vec::new();
        let mut known = BTreeSet::new();
        let mut add = |name: &str| {
            let found = of.iter().find_map(|rows| Some(rows.place(name)?.kind(*rows)));
            if let Some(kind) = found.filter(|_| known.insert(name.to_owned())) {
                names.push((name.to_owned(), kind));
            }
        };
        Rows::ALL.into_iter().flat_map(Rows::names).for_each(&mut add);
        let maps = [(&INSTANCES, "params", "instance"), (&RUNS, "config", "run_id"), (&METRICS, "tags", "raw_name")];
        for (table, map, key) in maps.into_iter().filter(|(_, map, _)| wanted.contains(map)) {
            for name in keys(datasets, table, map, key)? {
                add(&format!("{map}.{name}"));
            }
        }
        Ok(Self { names })
    }

    /// The names with what their values are.
    pub(super) fn columns(&self) -> Vec<(&str, Kind)> {
        self.names.iter().map(|(name, kind)| (name.as_str(), *kind)).collect()
    }
}

/// The keys that occur in a map of a table. Rows of one `by` have the same.
fn keys(datasets: &Datasets<'_>, table: &Table, map: &str, by: &str) -> Result<BTreeSet<String>, AnalyzeError> {
    let mut found = BTreeSet::new();
    for (dataset, _) in datasets.each() {
        let Some(scan) = dataset.scan(table)? else { continue };
        let rows = dataset.collect(table, scan.group_by([col(by)]).agg([col(map).first()]))?;
        let mut add = |_: usize, key: &str, _: &str| {
            if !found.contains(key) {
                found.insert(key.to_owned());
            }
        };
        let read = rows.column(map).and_then(|column| frame::each_entry(column, &mut add));
        read.map_err(|source| dataset.unreadable(table, source))?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_kind_of_values_wherever_it_stands() {
        for name in Rows::ALL.into_iter().flat_map(Rows::names) {
            let kinds: Vec<Kind> =
                Rows::ALL.into_iter().filter_map(|rows| Some(rows.place(name)?.kind(rows))).collect();
            assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {kinds:?}");
        }
    }

    #[test]
    fn the_nearest_meaning_of_a_name_is_the_one() {
        assert_eq!(Rows::Operations.place("start_ts"), Some(Place::Own("start_ts")));
        assert_eq!(Rows::Metrics.place("start_ts"), Some(Place::Instance("start_ts")));
        assert_eq!(Rows::Runs.place("start_ts"), None);
        assert_eq!(Rows::Metrics.place("instance"), Some(Place::Instance("instance")));
        assert_eq!(Rows::Metrics.place("op"), None);
        assert_eq!(Rows::Runs.place("group"), None);
        assert_eq!(Rows::Instances.place("config.k"), Some(Place::Config("k")));
        assert_eq!(Rows::Operations.place("tags.k"), None);
        // What is no single value cannot be compared.
        assert_eq!(Rows::Operations.place("closest_idx"), None);
    }

    #[test]
    fn conditions_on_operations_may_name_the_same_columns_wherever_they_are_written() {
        for (name, kind) in crate::queries::COLUMNS {
            let place = Rows::Operations.place(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(place.kind(Rows::Operations), kind, "{name}");
        }
    }
}
