//! The meshes of topics over time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::PubsubOptions;
use super::read::{Act, Trace};
use super::subscribed::{Subscribed, Subscription};
use crate::graph::Graph;
use crate::graph::components::weak;

/// Into so many equal times the course of the meshes is divided.
const SLICES: usize = 12;

/// A place that a router gave a peer in its mesh of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    router: u32,
    peer: u32,
    from: i64,
    /// The first nanosecond after it.
    until: i64,
    /// Whether it ended on record, and not with the trace.
    ended: bool,
}

/// The meshes of a run.
///
/// A graft puts a peer into the router's mesh of a topic, a prune takes it out, as does the peer's going; who leaves the
/// topic has no mesh of it. Each router's trace tells its own half: the graph is directed, owner to member. Replayed
/// event by event, so that a graft and a prune at once are both seen.
#[derive(Debug, Clone, Default)]
pub struct Mesh {
    /// By topic.
    pub topics: Vec<TopicMesh>,
    /// All topics together, in equal slices of the trace's time.
    pub course: Vec<Slice>,
    edges: BTreeMap<(u32, u32), Vec<Edge>>,
    /// Routers that have a graft on record.
    grafting: BTreeSet<u32>,
}

/// The mesh of a topic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicMesh {
    /// Routers that were ever subscribed.
    pub subscribers: u64,
    /// For how long they were, together. Nanoseconds.
    pub subscribed_ns: u64,
    /// Grafts on record.
    pub grafts: u64,
    /// Prunes on record.
    pub prunes: u64,
    /// The mean degree of a subscriber over time: Σ lengths of places / Σ lengths of subscriptions.
    pub mean_degree: Option<f64>,
    /// The share of the subscribed time with a degree below the least.
    pub low_ratio: Option<f64>,
    /// The share of the subscribed time with a degree above the greatest.
    pub high_ratio: Option<f64>,
    /// How long places lasted that ended on record, ascending. Nanoseconds.
    pub lifetimes_ns: Vec<i64>,
    /// Places that did not end on record.
    pub open: u64,
    /// The mesh when the last message of the topic was published.
    pub standing: Option<Standing>,
}

impl TopicMesh {
    /// Grafts and prunes of a subscriber in a minute.
    pub fn changes_per_minute(&self) -> Option<f64> {
        let minutes = self.subscribed_ns as f64 / 60e9;
        (minutes > 0.0).then(|| (self.grafts + self.prunes) as f64 / minutes)
    }
}

/// A mesh at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Nanoseconds since the epoch.
    pub moment_ns: i64,
    /// The degree of each subscriber, ascending.
    pub degrees: Vec<u32>,
    /// Weakly connected components among the subscribers; more than one means that only gossip joins them.
    pub parts: u64,
    /// Of the places of peers with a trace, those that the other does not have too, and all.
    pub one_sided: (u64, u64),
}

/// Meshes in a slice of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slice {
    /// Its begin, nanoseconds since the epoch.
    pub from_ns: i64,
    /// The mean degree of a subscriber.
    pub mean_degree: Option<f64>,
    /// The least and greatest degree at its end.
    pub extremes: Option<(u32, u32)>,
    /// Grafts on record.
    pub grafts: u64,
    /// Prunes on record.
    pub prunes: u64,
}

impl Mesh {
    /// Whether any graft is on record: without one, nothing is known of meshes.
    pub fn is_known(&self) -> bool {
        !self.grafting.is_empty()
    }

    /// Whether a peer was in a router's mesh at a moment; nothing where the router's mesh is not on record.
    pub(super) fn held(&self, router: u32, topic: Option<u32>, peer: Option<u32>, moment_ns: i64) -> Option<bool> {
        let (topic, peer) = (topic?, peer?);
        if !self.grafting.contains(&router) {
            return None;
        }
        let edges = self.edges.get(&(router, topic)).map_or(&[][..], Vec::as_slice);
        Some(edges.iter().any(|edge| edge.peer == peer && edge.from <= moment_ns && moment_ns < edge.until))
    }

    /// Replays a trace.
    pub(super) fn measure(trace: &Trace, subscribed: &Subscribed, options: &PubsubOptions) -> Self {
        let mut mesh = Self { topics: vec![TopicMesh::default(); trace.topics.len()], ..Self::default() };
        mesh.replay(trace);
        for (topic, subscriptions) in mesh.topics.iter_mut().zip(&subscribed.of_topic) {
            topic.subscribers = subscriptions.iter().map(|one| one.router).collect::<BTreeSet<u32>>().len() as u64;
        }
        if !mesh.is_known() {
            return mesh;
        }
        let mut last_publish = vec![None; trace.topics.len()];
        for event in trace.events.iter().filter(|event| event.act == Act::Publish) {
            if let Some(topic) = event.message.and_then(|message| trace.topic_of[message as usize]) {
                last_publish[topic as usize] = Some(event.ts);
            }
        }
        let by_peer = trace.by_peer();
        for (at, topic) in (0_u32..).zip(&mut mesh.topics) {
            let subscriptions = &subscribed.of_topic[at as usize];
            let edges: Vec<&Edge> = subscriptions
                .iter()
                .map(|one| one.router)
                .collect::<BTreeSet<u32>>()
                .iter()
                .filter_map(|&router| mesh.edges.get(&(router, at)))
                .flatten()
                .collect();
            topic.over_time(subscriptions, &edges, options);
            topic.standing = last_publish[at as usize].map(|moment| standing(moment, subscriptions, &edges, &by_peer));
        }
        mesh.in_slices(trace, subscribed);
        mesh
    }

    fn replay(&mut self, trace: &Trace) {
        let mut open: BTreeMap<(u32, u32), BTreeMap<u32, i64>> = BTreeMap::new();
        let edges = &mut self.edges;
        let mut close = |(router, topic): (u32, u32), peer: u32, from: i64, until: i64, ended: bool| {
            edges.entry((router, topic)).or_default().push(Edge { router, peer, from, until, ended });
        };
        for event in &trace.events {
            let here = (event.router, event.topic.unwrap_or(u32::MAX));
            match (event.act, event.topic, event.peer) {
                (Act::Graft, Some(topic), Some(peer)) => {
                    self.grafting.insert(event.router);
                    self.topics[topic as usize].grafts += 1;
                    open.entry(here).or_default().entry(peer).or_insert(event.ts);
                }
                (Act::Prune, Some(topic), Some(peer)) => {
                    self.topics[topic as usize].prunes += 1;
                    if let Some(from) = open.get_mut(&here).and_then(|peers| peers.remove(&peer)) {
                        close(here, peer, from, event.ts, true);
                    }
                }
                (Act::Leave, Some(_), _) => {
                    for (peer, from) in open.remove(&here).unwrap_or_default() {
                        close(here, peer, from, event.ts, true);
                    }
                }
                (Act::RemovePeer, _, Some(peer)) => {
                    for (&key, peers) in open.range_mut((event.router, 0)..=(event.router, u32::MAX)) {
                        if let Some(from) = peers.remove(&peer) {
                            close(key, peer, from, event.ts, true);
                        }
                    }
                }
                _ => {}
            }
        }
        for (key, peers) in open {
            for (peer, from) in peers {
                close(key, peer, from, trace.routers[key.0 as usize].until.max(from), false);
            }
        }
    }

    fn in_slices(&mut self, trace: &Trace, subscribed: &Subscribed) {
        let Some((first, last)) = trace.span_ns() else { return };
        let length = (last.saturating_sub(first) / i64::try_from(SLICES).unwrap_or(i64::MAX)).max(1);
        let mut from = first;
        for number in 1..=SLICES {
            let until = if number == SLICES { last.saturating_add(1) } else { from.saturating_add(length) };
            if from >= until {
                break;
            }
            let all = subscribed.of_topic.iter().flatten();
            let time: f64 = all.map(|one| overlap((one.from, one.until), (from, until))).sum();
            let mut degrees: BTreeMap<(u32, u32), u32> = BTreeMap::new();
            for (topic, subscriptions) in (0_u32..).zip(&subscribed.of_topic) {
                degrees.extend(
                    subscriptions.iter().filter(|one| one.holds(until - 1)).map(|one| ((one.router, topic), 0)),
                );
            }
            let mut places = 0.0;
            for (key, edges) in &self.edges {
                for edge in edges {
                    places += overlap((edge.from, edge.until), (from, until));
                    if edge.from < until
                        && until <= edge.until
                        && let Some(degree) = degrees.get_mut(key)
                    {
                        *degree += 1;
                    }
                }
            }
            let within = |act: Act| {
                let of = trace.events.iter().filter(|event| event.act == act && event.topic.is_some());
                of.filter(|event| from <= event.ts && event.ts < until).count() as u64
            };
            self.course.push(Slice {
                from_ns: from,
                mean_degree: (time > 0.0).then(|| places / time),
                extremes: degrees.values().min().copied().zip(degrees.values().max().copied()),
                grafts: within(Act::Graft),
                prunes: within(Act::Prune),
            });
            from = until;
        }
    }
}

/// How long two times overlap, nanoseconds.
fn overlap(one: (i64, i64), other: (i64, i64)) -> f64 {
    one.1.min(other.1).saturating_sub(one.0.max(other.0)).max(0) as f64
}

impl TopicMesh {
    /// What follows from the degrees over time.
    fn over_time(&mut self, subscriptions: &[Subscription], edges: &[&Edge], options: &PubsubOptions) {
        let (mut time, mut places, mut low, mut high) = (0.0, 0.0, 0.0, 0.0);
        let mut of_router: BTreeMap<u32, Vec<&Edge>> = BTreeMap::new();
        for &edge in edges {
            of_router.entry(edge.router).or_default().push(edge);
            if edge.ended {
                self.lifetimes_ns.push(edge.until.saturating_sub(edge.from));
            } else {
                self.open += 1;
            }
        }
        self.lifetimes_ns.sort_unstable();
        for one in subscriptions {
            let of = of_router.get(&one.router).map_or(&[][..], Vec::as_slice);
            let mut steps: BTreeMap<i64, i64> = BTreeMap::from([(one.from, 0), (one.until, 0)]);
            for edge in of {
                let (from, until) = (edge.from.max(one.from), edge.until.min(one.until));
                if from < until {
                    *steps.entry(from).or_default() += 1;
                    *steps.entry(until).or_default() -= 1;
                }
            }
            let mut degree = 0_i64;
            for ((&from, &step), &until) in steps.iter().zip(steps.keys().skip(1)) {
                degree += step;
                let length = until.saturating_sub(from) as f64;
                time += length;
                places += length * degree as f64;
                low += if degree < i64::from(options.degree_low) { length } else { 0.0 };
                high += if degree > i64::from(options.degree_high) { length } else { 0.0 };
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of lengths, saturating")]
        let subscribed_ns = time as u64;
        self.subscribed_ns = subscribed_ns;
        let share = |part: f64| (time > 0.0).then(|| part / time);
        (self.mean_degree, self.low_ratio, self.high_ratio) = (share(places), share(low), share(high));
    }
}

/// The mesh of a topic at a moment.
fn standing(moment_ns: i64, subscriptions: &[Subscription], edges: &[&Edge], by_peer: &HashMap<u32, u32>) -> Standing {
    let mut degrees: BTreeMap<u32, u32> =
        subscriptions.iter().filter(|one| one.holds(moment_ns)).map(|one| (one.router, 0)).collect();
    let mut arcs: BTreeSet<(u32, u32)> = BTreeSet::new();
    for edge in edges.iter().filter(|edge| edge.from <= moment_ns && moment_ns < edge.until) {
        if let Some(degree) = degrees.get_mut(&edge.router) {
            *degree += 1;
            arcs.extend(by_peer.get(&edge.peer).map(|&member| (edge.router, member)));
        }
    }
    let place: HashMap<u32, u32> = degrees.keys().copied().zip(0..).collect();
    let among: Vec<(u32, u32)> =
        arcs.iter().filter_map(|(router, member)| Some((*place.get(router)?, *place.get(member)?))).collect();
    let parts = weak(&Graph::from_arcs(place.len(), &among)).sizes.len() as u64;
    let lonely = arcs.iter().filter(|&&(router, member)| !arcs.contains(&(member, router))).count() as u64;
    let mut degrees: Vec<u32> = degrees.into_values().collect();
    degrees.sort_unstable();
    Standing { moment_ns, degrees, parts, one_sided: (lonely, arcs.len() as u64) }
}
