//! Steps of lookups as readers write them.

use tg_model::table::{Column, Kind, Table};

use super::segment::{Segment, T};
use crate::read::At;

const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true, doc: "." }
}

/// The steps before the lookups are known: what readers write.
pub(crate) static STEPS: Table = Table {
    name: "steps",
    doc: "Steps of lookups as they were read; never stored.",
    columns: &[
        may("instance", Kind::U32),
        may("quality", Kind::Text),
        may("key", Kind::Text),
        may("lookup", Kind::Text),
        may("ts", Kind::Time),
        may("kind", Kind::Text),
        may("peer_idx", Kind::U32),
        may("source_idx", Kind::U32),
        may("cause_idx", Kind::U32),
        may("n_closer", Kind::U16),
        may("closer_idx", Kind::U32List),
        may("rtt_ns", Kind::I64),
        may("error", Kind::Text),
        may("value", Kind::Text),
        may("op", Kind::Text),
        may("tag", Kind::Text),
        may("target", Kind::Text),
        may("target_kad", Kind::Kad),
        may("key_group", Kind::Text),
        may("round", Kind::I32),
        may("status", Kind::Text),
        may("reason", Kind::Text),
        may("results_expected", Kind::U32),
    ],
    sort: &["instance", "quality", "key", "file_id", "line"],
};

/// A step as a reader fills it in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StepRow<'a> {
    /// `own` where the steps of a lookup share a key, `dht` where lookups of one target share it.
    pub(crate) quality: &'a str,
    /// What brings steps together.
    pub(crate) key: &'a str,
    /// The lookup's id, if the step has one.
    pub(crate) lookup: Option<&'a str>,
    pub(crate) ts: i64,
    pub(crate) kind: &'a str,
    pub(crate) peer: Option<u32>,
    pub(crate) source: Option<u32>,
    pub(crate) cause: Option<u32>,
    pub(crate) n_closer: Option<u16>,
    pub(crate) closer: &'a [u32],
    pub(crate) rtt_ns: Option<i64>,
    pub(crate) error: Option<&'a str>,
    pub(crate) value: Option<&'a str>,
    pub(crate) op: Option<&'a str>,
    pub(crate) tag: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) target_kad: Option<[u8; 32]>,
    pub(crate) key_group: Option<&'a str>,
    pub(crate) round: Option<i32>,
    pub(crate) status: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) results_expected: Option<u32>,
}

impl StepRow<'_> {
    pub(crate) fn put(&self, segment: &mut Segment, at: At) {
        segment
            .row(T::Steps, at.file_id, at.line)
            .put(at.instance)
            .put(self.quality)
            .put(self.key)
            .put(self.lookup)
            .put(self.ts)
            .put(self.kind)
            .put(self.peer)
            .put(self.source)
            .put(self.cause)
            .put(self.n_closer)
            .put(self.closer)
            .put(self.rtt_ns)
            .put(self.error)
            .put(self.value)
            .put(self.op)
            .put(self.tag)
            .put(self.target)
            .put(self.target_kad.as_ref())
            .put(self.key_group)
            .put(self.round)
            .put(self.status)
            .put(self.reason)
            .put(self.results_expected)
            .end();
    }
}
