//! Messages, and who got them.

use std::collections::HashMap;

use super::hops::{depths, fan_out};
use super::mesh::Mesh;
use super::read::{Act, Event, Trace};
use super::subscribed::Subscribed;
use super::times::{SPREAD, nearest_rank};

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: Vec<u8>,
    /// Its topic, by number, if anybody named one.
    pub topic: Option<u32>,
    /// The router that published it first; nothing if no publish is on record.
    pub publisher: Option<u32>,
    /// When it did, nanoseconds since the epoch.
    pub published_ns: Option<i64>,
    /// Routers that should get it: subscribed and alive when it was published, without those that published it.
    pub expected: u64,
    /// Of these, those that got it.
    pub delivered: u64,
    /// Of these, those that got it within the deadline.
    pub on_time: u64,
    /// Routers that got it and need not have: they were not subscribed when it was published, or nobody knows when that
    /// was.
    pub others: u64,
    /// Copies that came to routers that had it already.
    pub duplicates: u64,
    /// Copies that were rejected.
    pub rejected: u64,
    /// When the shares [`SPREAD`] of the expected that got it had it, in nanoseconds since the publish.
    pub spread_ns: Option<[i64; 5]>,
    /// The most hops to a receiver, of those whose hops are known.
    pub depth: Option<u32>,
}

impl Message {
    /// The share of the expected that got it; nothing where nobody was expected to.
    pub fn delivery_ratio(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.delivered as f64 / self.expected as f64)
    }
}

/// The first time that a router got a message which it did not publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The message, by its place in [`Messages::all`].
    pub message: u32,
    /// Who got it.
    pub router: u32,
    /// From the publish, nanoseconds; negative where clocks disagree.
    pub latency_ns: Option<i64>,
    /// From the publisher.
    pub hops: Option<u32>,
    /// Whether whoever handed it over was in the receiver's mesh then; nothing if its mesh or the sender is unknown.
    pub by_mesh: Option<bool>,
    /// Whether the router was expected to get it.
    pub expected: bool,
}

/// What a router did with messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Messages that it published.
    pub published: u64,
    /// Messages that it should have got.
    pub expected: u64,
    /// Of these, those that it got.
    pub delivered: u64,
    /// All deliveries, expected or not.
    pub got: u64,
    /// Copies of what it had already.
    pub duplicates: u64,
    /// Deliveries to others that it was the first to make.
    pub forwarded: u64,
}

/// The messages of a run.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    /// In the order of their publishing; those without a publish on record come first.
    pub all: Vec<Message>,
    /// By message and router.
    pub deliveries: Vec<Delivery>,
    /// By router.
    pub shares: Vec<Share>,
    /// Deliveries of what the same router had delivered before.
    pub again: u64,
    /// From a delivery to each further copy at the same router, ascending, nanoseconds.
    pub lags_ns: Vec<i64>,
    /// The largest and the mean number of children in the trees of messages.
    pub fan_out: Option<(u32, f64)>,
    /// Routers whose subscriptions are inferred from a filtered trace.
    pub inferred: u64,
}

/// The first deliveries to those who did not publish: message, router, when, and from whom.
type Got = Vec<(u32, u32, i64, Option<u32>)>;

impl Messages {
    /// Measures all messages of a trace.
    ///
    /// Expected are the routers that were subscribed to the message's topic and alive when it was published, without its
    /// publisher: the delivery ratio is delivered / (subscribers online at publish − 1). A router that was not subscribed
    /// then may get the message all the same, which is counted apart and is neither a delivery of these nor a latency. A
    /// publisher's own delivery, which the tracer of go-libp2p-pubsub tells too, is none.
    pub(super) fn measure(trace: &Trace, subscribed: &Subscribed, mesh: &Mesh, deadline_ns: i64) -> Self {
        let mut found = Self {
            shares: vec![Share::default(); trace.routers.len()],
            inferred: subscribed.inferred,
            ..Self::default()
        };
        let mut known: Vec<Option<Message>> = vec![None; trace.ids.len()];
        let mut published: HashMap<(u32, u32), i64> = HashMap::new();
        for event in &trace.events {
            let Some(number) = event.message else { continue };
            let message = known[number as usize].get_or_insert_with(|| blank(trace, number));
            match event.act {
                Act::Publish => {
                    published.entry((number, event.router)).or_insert(event.ts);
                    found.shares[event.router as usize].published += 1;
                    if message.publisher.is_none() {
                        (message.publisher, message.published_ns) = (Some(event.router), Some(event.ts));
                    }
                }
                Act::Duplicate => {
                    message.duplicates += 1;
                    found.shares[event.router as usize].duplicates += 1;
                }
                Act::Reject => message.rejected += 1,
                _ => {}
            }
        }
        let got = found.first_deliveries(trace, &published);
        found.lag(trace, &got);
        let mut order: Vec<u32> =
            (0_u32..).zip(&known).filter(|(_, message)| message.is_some()).map(|(n, _)| n).collect();
        order.sort_by_key(|&number| (known[number as usize].as_ref().and_then(|one| one.published_ns), number));
        let by_peer = trace.by_peer();
        let mut stamps = vec![u32::MAX; trace.routers.len()];
        let (mut forwarders, mut children, mut most) = (0_u64, 0_u64, 0);
        for number in order {
            let Some(mut message) = known[number as usize].take() else { continue };
            let begin = got.partition_point(|&(of, ..)| of < number);
            let end = got.partition_point(|&(of, ..)| of <= number);
            let got = &got[begin..end];
            let receivers: Vec<(u32, Option<u32>)> = got
                .iter()
                .map(|&(_, router, _, peer)| (router, peer.and_then(|peer| by_peer.get(&peer).copied())))
                .collect();
            let hops = match message.publisher {
                Some(publisher) => depths(publisher, &receivers),
                None => vec![None; receivers.len()],
            };
            for (forwarder, n) in fan_out(&receivers) {
                found.shares[forwarder as usize].forwarded += u64::from(n);
                (forwarders, children, most) = (forwarders + 1, children + u64::from(n), n.max(most));
            }
            message.depth = hops.iter().flatten().max().copied();
            let subscribers = message.topic.map_or(&[][..], |topic| &subscribed.of_topic[topic as usize]);
            if let Some(moment) = message.published_ns {
                for one in subscribers.iter().filter(|one| one.holds(moment)) {
                    // Nobody counts twice, nor whoever published the same.
                    if stamps[one.router as usize] != number && !published.contains_key(&(number, one.router)) {
                        stamps[one.router as usize] = number;
                        message.expected += 1;
                        found.shares[one.router as usize].expected += 1;
                    }
                }
            }
            let place = u32::try_from(found.all.len()).unwrap_or(u32::MAX);
            let mut times = Vec::new();
            for (&(_, router, ts, peer), hops) in got.iter().zip(hops) {
                let expected = stamps[router as usize] == number;
                let latency_ns = message.published_ns.map(|moment| ts.saturating_sub(moment));
                let share = &mut found.shares[router as usize];
                share.got += 1;
                if expected {
                    message.delivered += 1;
                    share.delivered += 1;
                    message.on_time += u64::from(latency_ns.is_some_and(|latency| latency <= deadline_ns));
                    times.extend(latency_ns);
                } else {
                    message.others += 1;
                }
                let by_mesh = mesh.held(router, message.topic, peer, ts);
                found.deliveries.push(Delivery { message: place, router, latency_ns, hops, by_mesh, expected });
            }
            times.sort_unstable();
            let mut spread = [0; 5];
            for (share, time) in SPREAD.iter().zip(&mut spread) {
                *time = nearest_rank(&times, *share).unwrap_or_default();
            }
            message.spread_ns = (!times.is_empty()).then_some(spread);
            found.all.push(message);
        }
        found.fan_out = (forwarders > 0).then(|| (most, children as f64 / forwarders as f64));
        found
    }

    /// By message and router, each once.
    fn first_deliveries(&mut self, trace: &Trace, published: &HashMap<(u32, u32), i64>) -> Got {
        let own = |event: &&Event| event.message.is_some_and(|number| published.contains_key(&(number, event.router)));
        let mut got: Got = trace
            .events
            .iter()
            .filter(|event| event.act == Act::Deliver && !own(event))
            .filter_map(|event| Some((event.message?, event.router, event.ts, event.peer)))
            .collect();
        // Events are in order of time, and the sort keeps it: the first of equals is the first delivery.
        got.sort_by_key(|&(message, router, ..)| (message, router));
        let all = got.len();
        got.dedup_by_key(|&mut (message, router, ..)| (message, router));
        self.again = (all - got.len()) as u64;
        got
    }

    /// How long after the delivery each duplicate came.
    fn lag(&mut self, trace: &Trace, got: &Got) {
        for event in trace.events.iter().filter(|event| event.act == Act::Duplicate) {
            let Some(message) = event.message else { continue };
            let at = got.binary_search_by_key(&(message, event.router), |&(message, router, ..)| (message, router));
            self.lags_ns.extend(at.ok().map(|at| event.ts.saturating_sub(got[at].2)));
        }
        self.lags_ns.sort_unstable();
    }
}

fn blank(trace: &Trace, number: u32) -> Message {
    Message {
        id: trace.ids[number as usize].clone(),
        topic: trace.topic_of[number as usize],
        publisher: None,
        published_ns: None,
        expected: 0,
        delivered: 0,
        on_time: 0,
        others: 0,
        duplicates: 0,
        rejected: 0,
        spread_ns: None,
        depth: None,
    }
}
