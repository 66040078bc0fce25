//! Operations as the plan itself measured them, from its metrics.
//!
//! A trace tells of the lookups that a node made; how long an operation took, and what it was worth, the plan says in
//! metrics. The two have no id in common: time brings them together.

/// The quality of steps that are facts of operations. It sorts before `dht`, so that an instance's operations are
/// known before its lookups.
pub(crate) const QUALITY: &str = "asked";

/// What one metric says of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// From begin to end.
    Duration,
    /// From begin to the first result.
    First,
    /// From begin to the last result.
    Last,
    /// Results found.
    Found,
    /// Results that there should have been beyond those found; less than none where more were found.
    Missing,
}

impl Fact {
    pub(crate) const ALL: [Self; 5] = [Self::Duration, Self::First, Self::Last, Self::Found, Self::Missing];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::First => "first",
            Self::Last => "last",
            Self::Found => "found",
            Self::Missing => "missing",
        }
    }
}

/// One metric of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// What the metrics of one operation share, beside others that came before or after.
    pub(crate) key: &'a str,
    pub(crate) fact: Fact,
    /// In nanoseconds or results.
    pub(crate) value: i64,
    /// When the plan wrote it.
    pub(crate) ts: i64,
    pub(crate) op: &'a str,
    pub(crate) key_group: Option<&'a str>,
    pub(crate) round: Option<i32>,
    pub(crate) status: Option<&'a str>,
    pub(crate) file_id: u32,
    pub(crate) line: u32,
}

/// An operation, as far as its metrics say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    key: String,
    pub(crate) op: String,
    pub(crate) key_group: Option<String>,
    pub(crate) round: Option<i32>,
    pub(crate) status: Option<String>,
    pub(crate) file_id: u32,
    pub(crate) line: u32,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    values: [Option<i64>; 5],
    taken: bool,
}

impl Asked {
    pub(crate) fn value(&self, fact: Fact) -> Option<i64> {
        self.values[fact as usize]
    }

    pub(crate) fn found(&self) -> Option<u32> {
        self.value(Fact::Found).and_then(|found| u32::try_from(found).ok())
    }

    /// Results that there should have been. A plan may find more than it counted on.
    pub(crate) fn expected(&self) -> Option<u32> {
        let all = self.value(Fact::Found)?.checked_add(self.value(Fact::Missing)?)?;
        u32::try_from(all).ok()
    }

    fn is_of(&self, told: &Told<'_>) -> bool {
        self.key == told.key && self.value(told.fact).is_none_or(|value| value == told.value)
    }
}

/// A plan writes the metric a little after it took the time, so that the begin seems that much later.
const SLACK_NS: i64 = 1_000_000;
/// Where the machine was busy in between, it is a good deal later: so much counts where nothing else fits.
const LATE_NS: i64 = 20_000_000;
/// So many operations of one instance at one time are told apart.
const LOOK_BACK: usize = 64;
/// An instance with more operations than this has the rest of them as operations without a lookup.
const MOST: usize = 1_000_000;

/// How a lookup stands to the operations.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// It is the operation.
    Is(Box<Asked>),
    /// It is one more lookup of an operation that has one already.
    Within(String),
    Nothing,
}

/// The operations of one instance.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    all: Vec<Asked>,
    sorted: bool,
}

impl Operations {
    /// Takes a metric; those of one key come one after the other, as they were written. Gives an operation back where
    /// there are too many to keep.
    pub(crate) fn tell(&mut self, told: &Told<'_>) -> Option<Asked> {
        let mut over = None;
        if self.all.last().is_none_or(|last| !last.is_of(told)) {
            if self.all.len() >= MOST {
                over = self.all.pop();
            }
            self.all.push(Asked {
                key: told.key.to_owned(),
                op: told.op.to_owned(),
                key_group: told.key_group.map(str::to_owned),
                round: told.round,
                file_id: told.file_id,
                line: told.line,
                ..Asked::default()
            });
        }
        let now = self.all.last_mut()?;
        now.values[told.fact as usize] = Some(told.value);
        if now.status.is_none() {
            now.status = told.status.map(str::to_owned);
        }
        match told.fact {
            Fact::Duration => (now.start, now.end) = (told.ts.checked_sub(told.value), Some(told.ts)),
            Fact::First => now.start = now.start.or(told.ts.checked_sub(told.value)),
            Fact::Last | Fact::Found | Fact::Missing => {}
        }
        self.sorted = false;
        over
    }

    fn settle(&mut self) {
        if self.sorted {
            return;
        }
        self.sorted = true;
        // A search for a value that failed is called a failed put by the plan; who never put is who searched.
        let did = |all: &[Asked], op, status| all.iter().any(|a| a.op == op && a.status.as_deref() == Some(status));
        if self.all.iter().any(|asked| asked.op == "get") && !did(&self.all, "put", "done") {
            self.all.iter_mut().filter(|asked| asked.op == "put").for_each(|asked| "get".clone_into(&mut asked.op));
        }
        self.all.sort_by_key(|asked| asked.start.unwrap_or(i64::MAX));
    }

    /// The operation of one of these kinds within which a lookup began: the one that began last before it.
    pub(crate) fn take(&mut self, ops: &[&str], start: i64) -> Join {
        self.settle();
        let until = start.saturating_add(SLACK_NS);
        let last = self.all.partition_point(|asked| asked.start.is_some_and(|begin| begin <= until));
        let mut within = None;
        for asked in self.all[..last].iter_mut().rev().take(LOOK_BACK) {
            if !ops.contains(&asked.op.as_str()) || asked.end.is_some_and(|end| end < start) {
                continue;
            }
            if !asked.taken {
                asked.taken = true;
                return Join::Is(Box::new(asked.clone()));
            }
            within.get_or_insert_with(|| asked.op.clone());
        }
        if within.is_none() {
            let late = start.saturating_add(LATE_NS);
            let later = self.all[last..].iter_mut().take(LOOK_BACK);
            let mut later = later.take_while(|asked| asked.start.is_some_and(|begin| begin <= late));
            if let Some(asked) = later.find(|asked| !asked.taken && ops.contains(&asked.op.as_str())) {
                asked.taken = true;
                return Join::Is(Box::new(asked.clone()));
            }
        }
        within.map_or(Join::Nothing, Join::Within)
    }

    /// The operations that no lookup was found for.
    pub(crate) fn rest(mut self) -> impl Iterator<Item = Asked> {
        self.settle();
        self.all.into_iter().filter(|asked| !asked.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str, fact: Fact, ts: i64, value: i64) -> Told<'_> {
        let op = key.split(' ').next().unwrap_or_default();
        let status = (fact == Fact::Duration).then_some("done");
        Told { key, fact, value, ts, op, key_group: None, round: None, status, file_id: 1, line: 1 }
    }

    #[test]
    fn metrics_of_one_key_make_an_operation_and_a_second_value_the_next() {
        let mut operations = Operations::default();
        for told in [
            told("find_providers g 1", Fact::First, 1_100, 100),
            told("find_providers g 1", Fact::Duration, 1_500, 500),
            told("find_providers g 1", Fact::Found, 1_600, 3),
            told("find_providers g 1", Fact::Missing, 1_600, 2),
            // Written twice.
            told("find_providers g 1", Fact::Missing, 1_600, 2),
            // The same key in a later round.
            told("find_providers g 1", Fact::Duration, 9_000, 700),
        ] {
            assert_eq!(operations.tell(&told), None);
        }
        let all: Vec<_> = operations.rest().collect();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].start, all[0].end, all[0].found(), all[0].expected()),
            (Some(1_000), Some(1_500), Some(3), Some(5))
        );
        assert_eq!((all[1].start, all[1].found()), (Some(8_300), None));
    }

    #[test]
    fn a_lookup_is_the_operation_that_began_last_before_it() {
        let ms = 1_000_000;
        let mut operations = Operations::default();
        for (key, end, took) in [("get 1", 50 * ms, 50 * ms), ("get 2", 40 * ms, 20 * ms), ("put 3", 45 * ms, 10 * ms)]
        {
            operations.tell(&told(key, Fact::Duration, end, took));
        }
        let mut took = |ops: &[&str], start| match operations.take(ops, start) {
            Join::Is(asked) => asked.key,
            Join::Within(op) => format!("within {op}"),
            Join::Nothing => "-".to_owned(),
        };
        assert_eq!(took(&["get"], 21 * ms), "get 2");
        assert_eq!(took(&["get"], 22 * ms), "get 1");
        assert_eq!(took(&["get"], 23 * ms), "within get");
        assert_eq!(took(&["get"], 60 * ms), "-");
        assert_eq!(took(&["provide"], 36 * ms), "-");
        assert_eq!(took(&["put", "get"], 36 * ms), "put 3");
        assert_eq!(operations.rest().count(), 0);
    }

    #[test]
    fn an_operation_that_was_written_down_late_is_found_where_nothing_else_fits() {
        let ms = 1_000_000;
        let mut operations = Operations::default();
        // Begun at 0 and over at 10, but told 8 ms later; the next one is nobody's.
        for (key, end, took) in [("get 1", 18 * ms, 10 * ms), ("get 2", 70 * ms, 10 * ms)] {
            operations.tell(&told(key, Fact::Duration, end, took));
        }
        let begin = |join: Join| match join {
            Join::Is(asked) => asked.start,
            other => panic!("{other:?}"),
        };
        assert_eq!(begin(operations.take(&["get"], 0)), Some(8 * ms));
        assert_eq!(operations.take(&["get"], 30 * ms), Join::Nothing);
        assert_eq!(begin(operations.take(&["get"], 60 * ms)), Some(60 * ms));
    }

    #[test]
    fn a_failed_put_of_one_who_only_searched_is_a_failed_search() {
        let mut operations = Operations::default();
        operations.tell(&told("get 1", Fact::Duration, 10, 5));
        operations.tell(&Told { status: Some("fail"), ..told("put 1", Fact::Duration, 20, 5) });
        assert!(operations.rest().all(|asked| asked.op == "get"));
    }
}
