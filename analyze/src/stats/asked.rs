//! What was asked for: the condition and the keys of groups, read against the columns that there are.

use super::columns::{Rows, Vocabulary};
use super::key::Named;
use super::overview::StatsOptions;
use super::percentile::Percentile;
use crate::datasets::Datasets;
use crate::error::AnalyzeError;
use crate::filter::{Filter, FilterError, names};

/// By what rows are grouped unless something else is asked for; each part takes those that it has.
const GROUPS: [&str; 2] = ["group", "key_group"];

/// What the program itself and the pieces of tables that it reads take of a limit of memory.
const READING: usize = 320 << 20;
/// The least limit of memory that leaves room for anything.
pub(super) const LEAST: usize = READING + (64 << 20);

/// When lookups are held against the truth of their run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scoring {
    /// Wherever a part of the answer asks for scores.
    Always,
    /// Only where the condition or the keys of groups name a score.
    Named,
}

/// What a user wrote.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The condition.
    pub(crate) filter: Option<String>,
    /// The keys of groups.
    pub(crate) group_by: Option<String>,
    /// How many peers a lookup is to return, where that is said; else as many as a bucket of its run holds.
    pub(crate) k: Option<u32>,
    /// Which lookups are scored.
    pub(crate) scoring: Scoring,
    /// The rule of percentiles.
    pub(crate) percentile: Percentile,
    /// The bytes that there are for groups and values.
    pub(crate) room: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            filter: None,
            group_by: None,
            k: None,
            scoring: Scoring::Named,
            percentile: Percentile::default(),
            room: usize::MAX,
        }
    }
}

impl Wanted {
    pub(super) fn of(options: &StatsOptions) -> Self {
        let StatsOptions { filter, group_by, k, percentile, memory_limit, .. } = options;
        let room = memory_limit.map_or(usize::MAX, |limit| limit.saturating_sub(READING));
        let (filter, group_by) = (filter.clone(), group_by.clone());
        Self { filter, group_by, k: *k, scoring: Scoring::Always, percentile: *percentile, room }
    }
}

/// The condition and the keys of groups.
#[derive(Debug)]
pub(super) struct Asked {
    /// Every column that is named, once.
    pub(super) named: Vec<Named>,
    /// The condition.
    pub(super) filter: Option<Filter>,
    /// The names of all columns, in the order in which the condition counts them.
    pub(super) vocabulary: Vec<String>,
    /// The columns of the condition: places among `named`.
    pub(super) filtered: Vec<usize>,
    /// The keys of groups: places among `named`.
    pub(super) by: Vec<usize>,
    /// Whether these were asked for.
    pub(super) is_grouped: bool,
}

impl Asked {
    /// Reads what is wanted, of rows like these.
    pub(super) fn read(datasets: &Datasets<'_>, options: &Wanted, rows: &[Rows]) -> Result<Self, AnalyzeError> {
        const ALL: [&str; 3] = ["params", "config", "tags"];
        let texts = || options.filter.iter().chain(&options.group_by);
        // Tags stand in every row of the metrics: they are looked for where they are named, or where a name is wrong.
        let first = match (texts().next(), texts().any(|text| text.contains("tags."))) {
            (None, _) => &ALL[..0],
            (Some(_), false) => &ALL[..2],
            (Some(_), true) => &ALL[..],
        };
        match Self::parse(&Vocabulary::read(datasets, first, rows)?, options) {
            Err(AnalyzeError::Condition { .. }) => Self::parse(&Vocabulary::read(datasets, &ALL, rows)?, options),
            other => other,
        }
    }

    fn parse(vocabulary: &Vocabulary, options: &Wanted) -> Result<Self, AnalyzeError> {
        let columns = vocabulary.columns();
        let wrong = |flag| move |why: FilterError| AnalyzeError::Condition { flag, why };
        let filter = options.filter.as_deref().map(|text| Filter::parse(text, &columns)).transpose();
        let filter = filter.map_err(wrong("filter"))?;
        let groups = options.group_by.as_deref().map(|text| names(text, &columns)).transpose();
        let groups = groups.map_err(wrong("group-by"))?;
        let is_grouped = groups.is_some();
        let default = || GROUPS.iter().filter_map(|name| columns.iter().position(|(known, _)| known == name)).collect();
        let mut asked = Self {
            named: Vec::new(),
            filter,
            vocabulary: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            filtered: Vec::new(),
            by: Vec::new(),
            is_grouped,
        };
        let place = |named: &mut Vec<Named>, at: usize| {
            let (name, kind) = columns[at];
            named.iter().position(|one| one.name == name).unwrap_or_else(|| {
                named.push(Named { name: name.to_owned(), kind });
                named.len() - 1
            })
        };
        for at in asked.filter.as_ref().map(Filter::columns).unwrap_or_default() {
            let at = place(&mut asked.named, at);
            asked.filtered.push(at);
        }
        for at in groups.unwrap_or_else(default) {
            let at = place(&mut asked.named, at);
            asked.by.push(at);
        }
        Ok(asked)
    }
}
