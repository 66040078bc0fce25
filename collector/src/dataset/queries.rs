//! Tables `queries` and `query_events`, from the sorted steps.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt16Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use tg_model::table::{QUERIES, QUERY_EVENTS};

use super::columns::{Named, number, text};
use super::instances::Instances;
use super::lookups::STEPS;
use super::peers::Peers;
use super::rows::Rows;
use super::schema::Shape;
use super::tree::{Kind, Origin, Step, grow};
use super::write::TableWriter;
use crate::error::CollectError;
use crate::read::peer::common_prefix;

/// A lookup of more steps is cut into several.
const MOST_STEPS: usize = 200_000;
/// A lookup without an id ends where it was silent for this long.
const GAP_NS: i64 = 10_000_000_000;

/// A lookup whose steps are being gathered.
#[derive(Debug, Default)]
struct Gathered {
    lookup: Option<String>,
    op: Option<String>,
    tag: Option<String>,
    target: Option<String>,
    target_kad: Option<[u8; 32]>,
    key_group: Option<String>,
    round: Option<i32>,
    status: Option<String>,
    reason: Option<String>,
    expected: Option<u32>,
    recorded: bool,
    steps: Vec<Step>,
}

impl Gathered {
    fn start(&self) -> (i64, u32, u32) {
        self.steps.first().map_or((i64::MAX, 0, 0), |step| (step.ts, step.file_id, step.line))
    }

    /// When its last traced step was.
    fn end(&self) -> i64 {
        self.steps.iter().filter(|step| step.origin != Origin::Beside).map(|step| step.ts).max().unwrap_or(i64::MIN)
    }

    /// How it ended, as far as its lines say. What a search for providers or for a peer is worth follows from what it
    /// found, not from why it ended.
    fn status(&self, results: u32) -> &str {
        let told = self.status.as_deref().unwrap_or("incomplete");
        match (self.op.as_deref(), self.reason.as_deref()) {
            (Some("find_providers"), Some("completed" | "stopped" | "starvation")) => {
                if results > 0 {
                    "done"
                } else {
                    "fail"
                }
            }
            (Some("find_peer"), Some("completed")) if self.steps.iter().any(|s| s.origin == Origin::Traced) => "fail",
            _ => told,
        }
    }
}

/// The steps that share a key.
#[derive(Debug, Default)]
struct Group {
    instance: u32,
    quality: String,
    key: String,
    lookups: Vec<Gathered>,
    by_id: BTreeMap<String, usize>,
    loose: Gathered,
    steps: usize,
}

impl Group {
    /// Where a step with this id belongs.
    fn of(&mut self, lookup: Option<&str>) -> &mut Gathered {
        let Some(id) = lookup else { return &mut self.loose };
        let at = *self.by_id.entry(id.to_owned()).or_insert(self.lookups.len());
        if at == self.lookups.len() {
            self.lookups.push(Gathered { lookup: Some(id.to_owned()), ..Gathered::default() });
        }
        &mut self.lookups[at]
    }

    /// The lookups, each with the steps without an id that fall into its time; those that fall into none are split
    /// where they are silent.
    fn split(mut self) -> Vec<Gathered> {
        self.lookups.sort_by_key(Gathered::start);
        let spans: Vec<(i64, i64)> = self.lookups.iter().map(|lookup| (lookup.start().0, lookup.end())).collect();
        let Gathered { op, tag, target, target_kad, mut steps, .. } = self.loose;
        steps.sort_by_key(|step| (step.ts, step.file_id, step.line));
        let mut rest: Vec<Gathered> = Vec::new();
        for mut step in steps {
            let within = spans.iter().rposition(|&(start, end)| start <= step.ts && step.ts <= end);
            let after = || spans.iter().rposition(|&(start, end)| start <= step.ts && step.ts - end <= GAP_NS);
            if let Some(at) = within.or_else(after) {
                step.origin = Origin::Beside;
                self.lookups[at].steps.push(step);
                continue;
            }
            let silent = rest.last().and_then(|last| last.steps.last()).is_none_or(|last| step.ts - last.ts > GAP_NS);
            if silent {
                rest.push(Gathered {
                    op: op.clone(),
                    tag: tag.clone(),
                    target: target.clone(),
                    target_kad,
                    ..Gathered::default()
                });
            }
            if let Some(last) = rest.last_mut() {
                last.steps.push(step);
            }
        }
        for lookup in &mut self.lookups {
            // The order of a lookup's own lines is kept: it is what the tree follows.
            lookup.steps.sort_by_key(|step| step.ts);
            // The key is lossy text where it is no UTF-8; beside it stands the plan's own form.
            if target.is_some() {
                lookup.target.clone_from(&target);
            } else if lookup.target.as_ref().is_some_and(|text| text.contains('\u{fffd}')) {
                lookup.target = None;
            }
        }
        self.lookups.extend(rest);
        self.lookups.sort_by_key(Gathered::start);
        self.lookups
    }
}

/// Makes lookups of their steps.
pub(crate) struct Queries<'a> {
    peers: &'a Peers,
    instances: &'a Instances,
    shape: Shape,
    lookups: (Rows, TableWriter),
    events: (Rows, TableWriter),
    next: u64,
    now: Group,
}

impl<'a> Queries<'a> {
    pub(crate) fn new(peers: &'a Peers, instances: &'a Instances, queries: TableWriter, events: TableWriter) -> Self {
        Self {
            peers,
            instances,
            shape: Shape::of(&STEPS),
            lookups: (Rows::new(Shape::of(&QUERIES)), queries),
            events: (Rows::new(Shape::of(&QUERY_EVENTS)), events),
            next: 0,
            now: Group::default(),
        }
    }

    /// Takes steps, sorted by instance, quality, key, file and line.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), CollectError> {
        let shape = self.shape.clone();
        let named = Named::new(&shape, batch);
        let u32s = |name| named.numbers::<UInt32Type>(name);
        let (files, lines, instances) = (u32s("file_id")?, u32s("line")?, u32s("instance")?);
        let (peer, source, cause) = (u32s("peer_idx")?, u32s("source_idx")?, u32s("cause_idx")?);
        let (lookups, qualities, kinds) = (named.text("lookup")?, named.text("quality")?, named.text("kind")?);
        let group_keys = named.text("key")?;
        let (times, rtts) = (named.numbers::<TimestampNanosecondType>("ts")?, named.numbers::<Int64Type>("rtt_ns")?);
        let (n_closer, closer) = (named.numbers::<UInt16Type>("n_closer")?, named.lists("closer_idx")?);
        let (errors, values) = (named.text("error")?, named.text("value")?);
        let (ops, tags, targets) = (named.text("op")?, named.text("tag")?, named.text("target")?);
        let (kads, groups) = (named.fixed("target_kad")?, named.text("key_group")?);
        let (rounds, expected) = (named.numbers::<Int32Type>("round")?, u32s("results_expected")?);
        let (statuses, reasons) = (named.text("status")?, named.text("reason")?);
        for row in 0..batch.num_rows() {
            let (instance, quality, key) = (instances.value(row), qualities.value(row), group_keys.value(row));
            let same = self.now.instance == instance && self.now.quality == quality && self.now.key == key;
            if !same || self.now.steps >= MOST_STEPS {
                self.end()?;
                self.now.instance = instance;
                quality.clone_into(&mut self.now.quality);
                key.clone_into(&mut self.now.key);
            }
            self.now.steps += 1;
            let lookup = text(lookups, row);
            let origin = if quality == "dht" && lookup.is_some() { Origin::Traced } else { Origin::Full };
            let now = self.now.of(lookup);
            let keep = |slot: &mut Option<String>, column: &arrow::array::StringArray| {
                if slot.is_none() {
                    *slot = text(column, row).map(str::to_owned);
                }
            };
            now.recorded = quality == "record";
            keep(&mut now.op, ops);
            keep(&mut now.tag, tags);
            keep(&mut now.target, targets);
            keep(&mut now.key_group, groups);
            keep(&mut now.status, statuses);
            keep(&mut now.reason, reasons);
            now.round = now.round.or(number(rounds, row));
            now.expected = now.expected.or(number(expected, row));
            if now.target_kad.is_none() && kads.is_valid(row) {
                now.target_kad = kads.value(row).try_into().ok();
            }
            let word = kinds.value(row);
            now.steps.push(Step {
                origin,
                kind: Kind::of(word),
                word: word.to_owned(),
                file_id: files.value(row),
                line: lines.value(row),
                ts: times.value(row),
                peer: number(peer, row),
                source: number(source, row),
                cause: number(cause, row),
                n_closer: number(n_closer, row),
                closer: closer
                    .value(row)
                    .as_primitive_opt::<UInt32Type>()
                    .map_or_else(Vec::new, |c| c.values().to_vec()),
                rtt_ns: number(rtts, row),
                error: text(errors, row).map(str::to_owned),
                value: text(values, row).map(str::to_owned),
            });
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), CollectError> {
        let group = std::mem::take(&mut self.now);
        let instance = group.instance;
        for mut lookup in group.split() {
            if lookup.op.is_none() && lookup.tag.as_deref() == Some("provider-records") {
                let found = lookup.steps.iter().any(|step| step.kind == Kind::Result);
                let op = if found { Some("find_providers") } else { self.instances.purpose(instance) };
                lookup.op = op.map(str::to_owned);
            }
            self.put(instance, &lookup)?;
        }
        Ok(())
    }

    fn put(&mut self, instance: u32, now: &Gathered) -> Result<(), CollectError> {
        let (Some(first), Some(last)) = (now.steps.first(), now.steps.last()) else { return Ok(()) };
        let id = self.next;
        self.next += 1;
        let me = self.instances.peer_of(instance, self.peers);
        let tree = grow(&now.steps, me, now.target_kad.as_ref(), &self.peers.places);
        let split = now.lookup.is_none();
        // One line tells of the lookup as a whole, and nothing of its steps: what is not known is no zero.
        let step = |n: u32| (!now.recorded).then_some(n);
        let end = tree.end.or_else(|| split.then_some(last.ts));
        let since = |ts: Option<i64>| ts.map(|ts| ts - first.ts);
        // Traced lines alone say nothing of results.
        let told = first.origin == Origin::Full && !split && !now.recorded;
        let status = match now.status.as_deref() {
            Some(status) if now.recorded => status,
            _ if split && tree.results > 0 => "done",
            _ => now.status(tree.results),
        };
        self.lookups
            .0
            .row(first.file_id, first.line)
            .put(id)
            .put(now.lookup.as_deref())
            .put(instance)
            .put(now.op.as_deref().or(now.tag.as_deref()).unwrap_or("unknown"))
            .put(now.tag.as_deref())
            .put(now.target.as_deref())
            .put(now.target_kad.as_ref())
            .put(now.key_group.as_deref())
            .put(now.round)
            .put(first.ts)
            .put(end)
            .put(since(end))
            .put(since(tree.first_result))
            .put(since(tree.last_result))
            .put(status)
            .put(now.reason.as_deref())
            .put((told || tree.results > 0).then_some(tree.results))
            .put(now.expected)
            .put(step(tree.requests))
            .put(step(tree.responses))
            .put(step(tree.dials))
            .put(step(tree.dial_failures))
            .put(step(tree.rpc_failures))
            .put(step(tree.unreachable))
            .put(step(tree.peers_heard))
            .put(tree.total_hops)
            .put(tree.hops_for_closest)
            .put(tree.hops_first_result)
            .put(tree.cpl_start)
            .put(tree.cpl_end)
            .put(tree.closest.as_slice())
            .put(match (split, now.recorded) {
                (_, true) => "metric_only",
                (true, false) => "gap_split",
                (false, false) => "own",
            })
            .end();
        for (seq, (step, (hop, rtt))) in (0_u32..).zip(now.steps.iter().zip(tree.hops.iter().zip(&tree.rtts))) {
            let place = step.peer.and_then(|peer| self.peers.places.get(peer));
            let cpl = now.target_kad.as_ref().zip(place.as_ref()).map(|(target, place)| common_prefix(target, place));
            self.events
                .0
                .row(step.file_id, step.line)
                .put(id)
                .put(seq)
                .put(step.ts)
                .put(step.word.as_str())
                .put(step.peer)
                .put(step.source)
                .put(step.cause)
                .put(*hop)
                .put(cpl)
                .put(step.n_closer)
                .put(step.closer.as_slice())
                .put(*rtt)
                .put(step.error.as_deref())
                .put(step.value.as_deref())
                .end();
            if self.events.0.bytes() > 1 << 20 {
                self.events.1.push(super::finish::batch(&mut self.events.0)?)?;
            }
        }
        if self.lookups.0.bytes() > 1 << 20 {
            self.lookups.1.push(super::finish::batch(&mut self.lookups.0)?)?;
        }
        Ok(())
    }

    /// Ends the last lookup and gives the two tables back.
    pub(crate) fn finish(mut self) -> Result<(TableWriter, TableWriter), CollectError> {
        self.end()?;
        for (rows, table) in [&mut self.lookups, &mut self.events] {
            if rows.len() > 0 {
                table.push(super::finish::batch(rows)?)?;
            }
        }
        Ok((self.lookups.1, self.events.1))
    }
}
