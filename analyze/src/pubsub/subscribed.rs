//! Who wanted the messages of a topic, and when.

use std::collections::HashMap;

use super::read::{Act, Trace};

/// A time during which a router was subscribed to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) router: u32,
    /// The first nanosecond.
    pub(super) from: i64,
    /// The first nanosecond after it.
    pub(super) until: i64,
}

impl Subscription {
    pub(super) fn holds(&self, moment_ns: i64) -> bool {
        self.from <= moment_ns && moment_ns < self.until
    }
}

/// The subscriptions of a run.
#[derive(Debug, Default)]
pub(super) struct Subscribed {
    /// By topic; of one router in order of time.
    pub(super) of_topic: Vec<Vec<Subscription>>,
    /// Routers whose subscriptions are inferred.
    pub(super) inferred: u64,
}

/// Subscriptions as joins and leaves tell them, within the life of the instance: one that is not alive wants nothing.
///
/// A filtered trace has neither joins nor leaves. Its router counts as subscribed from what only a subscriber does (a
/// graft, or the publishing of a message that it then delivered) to the end of its life: what was before, nobody knows,
/// and it counts as no miss.
pub(super) fn subscriptions(trace: &Trace) -> Subscribed {
    let mut of_topic = vec![Vec::new(); trace.topics.len()];
    let mut open: HashMap<(u32, u32), i64> = HashMap::new();
    let mut told = vec![false; trace.routers.len()];
    let mut close = |router: u32, topic: u32, from: i64, until: i64| {
        let life = &trace.routers[router as usize];
        let (from, until) = (from.max(life.from), until.min(life.until));
        if from < until {
            of_topic[topic as usize].push(Subscription { router, from, until });
        }
    };
    for event in trace.events.iter().filter(|event| matches!(event.act, Act::Join | Act::Leave)) {
        let Some(topic) = event.topic else { continue };
        told[event.router as usize] = true;
        if event.act == Act::Join {
            open.entry((event.router, topic)).or_insert(event.ts);
        } else if let Some(from) = open.remove(&(event.router, topic)) {
            close(event.router, topic, from, event.ts);
        }
    }
    let published: HashMap<u32, i64> = trace
        .events
        .iter()
        .rev()
        .filter(|event| event.act == Act::Publish)
        .filter_map(|event| Some((event.message?, event.ts)))
        .collect();
    let mut inferred = vec![false; trace.routers.len()];
    for event in &trace.events {
        let router = event.router as usize;
        if told[router] || trace.routers[router].whole {
            continue;
        }
        let topic = event.message.and_then(|message| trace.topic_of[message as usize]).or(event.topic);
        let from = match event.act {
            Act::Graft => event.ts,
            Act::Deliver => event.message.and_then(|message| published.get(&message).copied()).unwrap_or(event.ts),
            _ => continue,
        };
        let Some(topic) = topic else { continue };
        inferred[router] = true;
        let known = open.entry((event.router, topic)).or_insert(from);
        *known = from.min(*known);
    }
    let mut rest: Vec<((u32, u32), i64)> = open.into_iter().collect();
    rest.sort_unstable();
    for ((router, topic), from) in rest {
        close(router, topic, from, i64::MAX);
    }
    Subscribed { of_topic, inferred: inferred.iter().filter(|&&is| is).count() as u64 }
}
