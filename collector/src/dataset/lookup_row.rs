//! A row of table `queries`.

use super::asked::{Asked, Fact};
use super::rows::Rows;
use super::tree::Tree;

/// What is known of one lookup, or of an operation that none was found for.
#[derive(Debug, Default)]
pub(crate) struct LookupRow<'a> {
    pub(crate) id: u64,
    pub(crate) lookup: Option<&'a str>,
    pub(crate) instance: u32,
    pub(crate) op: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) target_kad: Option<&'a [u8; 32]>,
    pub(crate) key_group: Option<&'a str>,
    pub(crate) round: Option<i32>,
    pub(crate) times: Times,
    pub(crate) status: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) found: Option<u32>,
    pub(crate) expected: Option<u32>,
    /// Its steps, if it has any.
    pub(crate) tree: Option<&'a Tree>,
    /// One line tells of the lookup as a whole, and nothing of its steps: what is not known is no zero.
    pub(crate) uncounted: bool,
    pub(crate) quality: &'a str,
    /// Its instance starved while it went on, as far as that was sampled.
    pub(crate) starved: Option<bool>,
}

/// When it began and ended, in nanoseconds: the first two since 1970, the others since its begin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) duration: Option<i64>,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
}

impl Times {
    /// As the plan measured them; where it did not measure the begin, `start` is it.
    pub(crate) fn measured(asked: &Asked, start: Option<i64>) -> Self {
        Self {
            start: asked.start.or(start),
            end: asked.end,
            duration: asked.value(Fact::Duration),
            first: asked.value(Fact::First),
            last: asked.value(Fact::Last),
        }
    }
}

impl LookupRow<'_> {
    /// Writes the row as one of this line.
    pub(crate) fn write(&self, rows: &mut Rows, file_id: u32, line: u32) {
        let count = |of: fn(&Tree) -> u32| self.tree.filter(|_| !self.uncounted).map(of);
        let depth = |of: fn(&Tree) -> Option<u16>| self.tree.and_then(of);
        rows.row(file_id, line)
            .put(self.id)
            .put(self.lookup)
            .put(self.instance)
            .put(self.op)
            .put(self.tag)
            .put(self.target)
            .put(self.target_kad)
            .put(self.key_group)
            .put(self.round)
            .put(self.times.start)
            .put(self.times.end)
            .put(self.times.duration)
            .put(self.times.first)
            .put(self.times.last)
            .put(self.status)
            .put(self.reason)
            .put(self.found)
            .put(self.expected)
            .put(count(|tree| tree.requests))
            .put(count(|tree| tree.responses))
            .put(count(|tree| tree.dials))
            .put(count(|tree| tree.dial_failures))
            .put(count(|tree| tree.rpc_failures))
            .put(count(|tree| tree.unreachable))
            .put(count(|tree| tree.peers_heard))
            .put(depth(|tree| tree.total_hops))
            .put(depth(|tree| tree.hops_for_closest))
            .put(depth(|tree| tree.hops_first_result))
            .put(depth(|tree| tree.cpl_start))
            .put(depth(|tree| tree.cpl_end))
            .put(self.tree.map_or(&[][..], |tree| tree.closest.as_slice()))
            .put(self.quality)
            .put(self.starved)
            .end();
    }
}
