//! Tables `resources`, `host` and `links`, from what was sampled while the run went on, and who starved when.

use std::collections::BTreeMap;

use tg_model::InstanceId;
use tg_model::machine::{HostLoad, LinkLoad, Resources, Sample, Traffic};

use super::instances::Instances;
use super::segment::{Segment, T};

/// What is known of one stretch of an instance's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    begin: i64,
    end: i64,
    starved: bool,
}

/// When instances starved for a processor, as far as that was sampled. Windows that follow one another and say the same
/// are one stretch.
#[derive(Debug, Default)]
pub(crate) struct Starved {
    of: BTreeMap<u32, Vec<Stretch>>,
}

/// Windows that are no further apart follow one another.
const GAP_NS: i64 = 1_000_000;

impl Starved {
    fn add(&mut self, instance: u32, begin: i64, end: i64, starved: bool) {
        let all = self.of.entry(instance).or_default();
        match all.last_mut() {
            Some(last) if last.starved == starved && (last.end - begin).abs() <= GAP_NS => last.end = end,
            _ => all.push(Stretch { begin, end, starved }),
        }
    }

    /// Puts windows in order, whoever told of them first.
    pub(crate) fn settle(&mut self) {
        self.of.values_mut().for_each(|all| all.sort_by_key(|one| (one.begin, one.end)));
    }

    /// Whether an instance starved at any time between these; unknown if it was not sampled then.
    pub(crate) fn between(&self, instance: u32, begin: i64, end: i64) -> Option<bool> {
        let all = self.of.get(&instance)?;
        let last = all.partition_point(|one| one.begin <= end);
        // Windows of one instance do not overlap, so that their ends are in order as well.
        let mut seen = all[..last].iter().rev().take_while(|one| one.end >= begin).peekable();
        seen.peek()?;
        Some(seen.any(|one| one.starved))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn may(value: Option<u64>) -> Option<i64> {
    value.map(signed)
}

/// Reads a line. Gives the reason to note it, if it tells of nothing. A file `of` one instance can tell of nobody else.
pub(crate) fn line(
    segment: &mut Segment,
    instances: &Instances,
    of: Option<&InstanceId>,
    starved: &mut Starved,
    (file_id, line): (u32, u32),
    text: &str,
) -> Option<&'static str> {
    let Ok(sample) = serde_json::from_str::<Sample>(text) else { return Some("bad-record") };
    match sample {
        Sample::Resources(sample) if of.is_some_and(|of| *of != sample.instance) => return Some("not-an-instance"),
        Sample::Host(_) | Sample::Link(_) if of.is_some() => return Some("not-an-instance"),
        Sample::Resources(sample) => {
            let Some(instance) = instances.number(&sample.instance) else { return Some("not-an-instance") };
            if let Some(is_starved) = sample.is_starved() {
                let end = signed(sample.ts);
                starved.add(instance, end.saturating_sub(signed(sample.span_ns)), end, is_starved);
            }
            resources(segment, instance, (file_id, line), &sample);
        }
        Sample::Host(sample) => host(segment, (file_id, line), &sample),
        Sample::Link(sample) => {
            let (Some(from), Some(to)) = (instances.number(&sample.from), instances.number(&sample.to)) else {
                return Some("not-an-instance");
            };
            link(segment, (from, to), (file_id, line), &sample);
        }
    }
    None
}

fn resources(segment: &mut Segment, instance: u32, (file_id, line): (u32, u32), sample: &Resources) {
    let of = |traffic: Option<Traffic>| (may(traffic.map(|it| it.packets)), may(traffic.map(|it| it.bytes)));
    let (sent, received) = (of(sample.sent), of(sample.received));
    segment
        .row(T::Resources, file_id, line)
        .put(instance)
        .put(signed(sample.ts))
        .put(None::<i64>)
        .put(signed(sample.span_ns))
        .put(sample.of.as_str())
        .put(may(sample.cpu_ns))
        .put(may(sample.cpu_wait_ns))
        .put(sample.is_starved())
        .put(may(sample.turns))
        .put(may(sample.memory_bytes))
        .put(may(sample.processes))
        .put(may(sample.threads))
        .put(may(sample.descriptors))
        .put(sent.0)
        .put(sent.1)
        .put(received.0)
        .put(received.1)
        .end();
}

fn host(segment: &mut Segment, (file_id, line): (u32, u32), sample: &HostLoad) {
    segment
        .row(T::Host, file_id, line)
        .put(signed(sample.ts))
        .put(None::<i64>)
        .put(signed(sample.span_ns))
        .put(sample.node.as_deref())
        .put(may(sample.cpus))
        .put(may(sample.busy_ns))
        .put(may(sample.steal_ns))
        .put(may(sample.memory_bytes))
        .put(may(sample.available_bytes))
        .put(may(sample.cpu_some_ns))
        .put(may(sample.memory_some_ns))
        .put(may(sample.memory_full_ns))
        .put(may(sample.io_some_ns))
        .put(may(sample.io_full_ns))
        .put(may(sample.tg_cpu_ns))
        .put(may(sample.tg_wait_ns))
        .put(may(sample.tg_memory_bytes))
        .put(may(sample.sampling_ns))
        .end();
}

fn link(segment: &mut Segment, (from, to): (u32, u32), (file_id, line): (u32, u32), sample: &LinkLoad) {
    segment
        .row(T::Links, file_id, line)
        .put(from)
        .put(to)
        .put(signed(sample.ts))
        .put(None::<i64>)
        .put(signed(sample.span_ns))
        .put(signed(sample.passed.packets))
        .put(signed(sample.passed.bytes))
        .put(signed(sample.lost))
        .put(signed(sample.queue_drops))
        .put(signed(sample.filtered))
        .put(signed(sample.not_taken))
        .put(signed(sample.late_max_ns))
        .end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_says_who_starved_when_and_nothing_of_what_was_not_sampled() {
        let ms = 1_000_000;
        let mut starved = Starved::default();
        // Told out of order: 20 to 30 ms starved, 0 to 20 not; nothing between 30 and 50 ms.
        for (begin, end, is) in [(20, 30, true), (0, 10, false), (10, 20, false), (50, 60, false)] {
            starved.add(7, begin * ms, end * ms, is);
        }
        starved.settle();
        assert_eq!(starved.of[&7].len(), 3);
        for (begin, end, wanted) in [
            (0, 5, Some(false)),
            (5, 25, Some(true)),
            (29, 40, Some(true)),
            (31, 40, None),
            (40, 55, Some(false)),
            (0, 100, Some(true)),
            (70, 80, None),
        ] {
            assert_eq!(starved.between(7, begin * ms, end * ms), wanted, "{begin} to {end}");
        }
        assert_eq!(starved.between(8, 0, 1), None);
    }
}
