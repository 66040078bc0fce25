//! Tables `queries` and `query_events`, from the sorted steps.
//!
//! What a plan measured of an operation stands beside the lookup that it made for it: times, status and results are
//! then the plan's, all else is the lookup's.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt16Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use tg_model::table::{QUERIES, QUERY_EVENTS};

use super::asked::{Asked, Fact, Join, Operations, QUALITY, Told};
use super::columns::{Named, number, text};
use super::gathered::{Gathered, Group};
use super::instances::Instances;
use super::lookup_row::{LookupRow, Times};
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

/// Makes lookups of their steps.
pub(crate) struct Queries<'a> {
    peers: &'a Peers,
    instances: &'a Instances,
    shape: Shape,
    lookups: (Rows, TableWriter),
    events: (Rows, TableWriter),
    next: u64,
    now: Group,
    instance: u32,
    operations: Operations,
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
            instance: 0,
            operations: Operations::default(),
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
            if self.instance != instance {
                self.end_instance()?;
                self.instance = instance;
            }
            if quality == QUALITY {
                let word = kinds.value(row);
                let Some(fact) = Fact::ALL.into_iter().find(|fact| fact.word() == word) else { continue };
                let told = Told {
                    key,
                    fact,
                    value: rtts.value(row),
                    ts: times.value(row),
                    op: ops.value(row),
                    key_group: text(groups, row),
                    round: number(rounds, row),
                    status: text(statuses, row),
                    file_id: files.value(row),
                    line: lines.value(row),
                };
                if let Some(asked) = self.operations.tell(&told) {
                    self.without_lookup(&asked)?;
                }
                continue;
            }
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
        let (instance, traced) = (group.instance, group.quality == "dht");
        for mut lookup in group.split() {
            if traced {
                lookup.traced = true;
                self.ask(&mut lookup);
            }
            if lookup.op.is_none() && lookup.tag.as_deref() == Some("provider-records") {
                let found = lookup.steps.iter().any(|step| step.kind == Kind::Result);
                let op = if found { Some("find_providers") } else { self.instances.purpose(instance) };
                lookup.op = op.map(str::to_owned);
            }
            self.put(instance, &lookup)?;
        }
        Ok(())
    }

    /// Joins a lookup with what the plan measured of it.
    fn ask(&mut self, lookup: &mut Gathered) {
        let Some(ops) = lookup.candidates() else { return };
        match self.operations.take(&ops, lookup.start().0) {
            Join::Is(asked) => {
                lookup.op = Some(asked.op.clone());
                lookup.key_group.clone_from(&asked.key_group);
                lookup.round = asked.round;
                lookup.asked = Some(asked);
            }
            Join::Within(op) => lookup.op = Some(op),
            Join::Nothing => {}
        }
    }

    /// Ends an instance: operations that no lookup was found for are rows without steps.
    fn end_instance(&mut self) -> Result<(), CollectError> {
        self.end()?;
        for asked in std::mem::take(&mut self.operations).rest() {
            self.without_lookup(&asked)?;
        }
        Ok(())
    }

    fn without_lookup(&mut self, asked: &Asked) -> Result<(), CollectError> {
        let times = Times::measured(asked, None);
        let row = LookupRow {
            id: self.next,
            instance: self.instance,
            op: &asked.op,
            key_group: asked.key_group.as_deref(),
            round: asked.round,
            times,
            status: asked.status.as_deref().unwrap_or("incomplete"),
            found: asked.found(),
            expected: asked.expected(),
            quality: "metric_only",
            starved: self.instances.starved(self.instance, times.start, times.end),
            ..LookupRow::default()
        };
        row.write(&mut self.lookups.0, asked.file_id, asked.line);
        self.next += 1;
        self.settle()
    }

    fn settle(&mut self) -> Result<(), CollectError> {
        if self.lookups.0.bytes() > 1 << 20 {
            self.lookups.1.push(super::finish::batch(&mut self.lookups.0)?)?;
        }
        Ok(())
    }

    fn put(&mut self, instance: u32, now: &Gathered) -> Result<(), CollectError> {
        let (Some(first), Some(last)) = (now.steps.first(), now.steps.last()) else { return Ok(()) };
        let id = self.next;
        self.next += 1;
        let me = self.instances.peer_of(instance, self.peers);
        let tree = grow(&now.steps, me, now.target_kad.as_ref(), &self.peers.places, self.instances.bucket(instance));
        let split = now.lookup.is_none();
        let op = now.op.as_deref().or(now.tag.as_deref()).unwrap_or("unknown");
        let status = match now.status.as_deref() {
            Some(status) if now.recorded => status,
            _ if split && tree.results > 0 => "done",
            _ => now.status(tree.results),
        };
        let asked = now.asked.as_deref();
        // The plan measured operations of this kind, but not this one: it did not see it end.
        let unmeasured = asked.is_none()
            && now.traced
            && now.candidates().is_some_and(|ops| ops.iter().any(|op| self.instances.measure(op)));
        let (times, status) = if let Some(asked) = asked {
            (Times::measured(asked, Some(first.ts)), asked.status.as_deref().unwrap_or("incomplete"))
        } else {
            let since = |ts: Option<i64>| ts.map(|ts| ts - first.ts).filter(|_| !unmeasured);
            let end = tree.end.or_else(|| split.then_some(last.ts)).filter(|_| !unmeasured);
            let times = Times {
                start: Some(first.ts),
                end,
                duration: since(end),
                first: since(tree.first_result),
                last: since(tree.last_result),
            };
            (times, if unmeasured && status == "done" { "incomplete" } else { status })
        };
        // Traced lines alone say nothing of results.
        let told = first.origin == Origin::Full && !split && !now.recorded;
        let row = LookupRow {
            id,
            lookup: now.lookup.as_deref(),
            instance,
            op,
            tag: now.tag.as_deref(),
            target: now.target.as_deref(),
            target_kad: now.target_kad.as_ref(),
            key_group: now.key_group.as_deref(),
            round: now.round,
            times,
            status,
            reason: now.reason.as_deref(),
            found: asked.and_then(Asked::found).or_else(|| (told || tree.results > 0).then_some(tree.results)),
            expected: asked.and_then(Asked::expected).or(now.expected),
            tree: Some(&tree),
            uncounted: now.recorded,
            quality: match (split, now.recorded) {
                (_, true) => "metric_only",
                (true, false) => "gap_split",
                (false, false) => "own",
            },
            // An operation without an end is looked at as long as its steps were seen.
            starved: self.instances.starved(instance, times.start, times.end.or(Some(last.ts))),
        };
        row.write(&mut self.lookups.0, first.file_id, first.line);
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
        self.settle()
    }

    /// Ends the last lookup and gives the two tables back.
    pub(crate) fn finish(mut self) -> Result<(TableWriter, TableWriter), CollectError> {
        self.end_instance()?;
        for (rows, table) in [&mut self.lookups, &mut self.events] {
            if rows.len() > 0 {
                table.push(super::finish::batch(rows)?)?;
            }
        }
        Ok((self.lookups.1, self.events.1))
    }
}
