//! The lookups of a node: what the library does in each, as records.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use libp2p::PeerId;
use p2p::ids::peer_text;
use tg_sdk::{Env, LookupKind, LookupRecorder, LookupStart, LookupStatus, Step};
use tokio::sync::oneshot;

use crate::ids::{hex, place};
use crate::said::What;
use crate::traced::{Seen, Sight};

/// What a lookup is for.
#[derive(Debug, Clone)]
pub struct Purpose {
    pub op: &'static str,
    /// As the record shows it.
    pub target: String,
    /// The bytes whose SHA-256 is the place of the target.
    pub key: Vec<u8>,
    pub round: Option<i32>,
    pub key_group: Option<&'static str>,
    /// How many results there should be, if that is known.
    pub expected: Option<u32>,
}

/// How a lookup ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: LookupStatus,
    /// The peers it settled on, nearest first.
    pub closest: Vec<PeerId>,
    /// Providers, holders, or peers that sent a record.
    pub found: Vec<PeerId>,
    pub value: Option<Vec<u8>>,
}

/// The library's own word on a lookup, or on a part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    pub requests: u64,
    pub answers: u64,
}

struct Open {
    record: LookupRecorder,
    reply: Option<oneshot::Sender<Outcome>>,
    purpose: Purpose,
    began: Instant,
    asked: HashMap<PeerId, Instant>,
    /// What the own table gave: nobody told of these.
    seeds: HashSet<PeerId>,
    told_by: HashMap<PeerId, PeerId>,
    closest: Vec<PeerId>,
    found: Vec<PeerId>,
    value: Option<Vec<u8>>,
}

/// The lookups that are open, by the library's number of the query.
pub struct Lookups {
    env: Env,
    me: PeerId,
    open: HashMap<usize, Open>,
}

impl Lookups {
    pub fn new(env: Env, me: PeerId) -> Self {
        Self { env, me, open: HashMap::new() }
    }

    pub fn is_open(&self, query: usize) -> bool {
        self.open.contains_key(&query)
    }

    pub fn begin(
        &mut self,
        query: usize,
        purpose: Purpose,
        seeds: HashSet<PeerId>,
        reply: Option<oneshot::Sender<Outcome>>,
    ) {
        let target_kad = hex(&place(&purpose.key));
        let record = self.env.lookup(&LookupStart {
            op: purpose.op,
            target: &purpose.target,
            target_kad: Some(&target_kad),
            key_group: purpose.key_group,
            round: purpose.round,
        });
        self.env.results().counter(&format!("lookups_made,op={}", purpose.op)).inc(1);
        let open = Open {
            record,
            reply,
            purpose,
            began: Instant::now(),
            asked: HashMap::new(),
            seeds,
            told_by: HashMap::new(),
            closest: Vec::new(),
            found: Vec::new(),
            value: None,
        };
        self.open.insert(query, open);
    }

    /// Records what was seen.
    pub fn see(&mut self, seen: Seen) {
        let Seen { at, peer, sight } = seen;
        let (results, text) = (self.env.results(), peer_text(&peer));
        let counts = match &sight {
            Sight::Query(said) => matches!(said.what, What::Ask | What::Keep) && self.is_open(said.query),
            Sight::Dial(query) => self.is_open(*query),
            Sight::AfterDial(_) | Sight::DialFailed(..) | Sight::UnknownDial | Sight::Gone => false,
        };
        if counts {
            results.counter("requests_seen").inc(1);
        }
        match sight {
            Sight::UnknownDial => results.counter("dials_of_no_known_lookup").inc(1),
            Sight::Gone => {
                for open in self.open.values_mut() {
                    if open.asked.remove(&peer).is_some() {
                        open.record.error(&text, "the connection is gone");
                    }
                }
            }
            Sight::Dial(query) => {
                if let Some(open) = self.open.get(&query) {
                    open.step(Step::Dial, peer, None);
                }
            }
            Sight::DialFailed(query, error) => {
                if let Some(open) = self.open.get(&query) {
                    open.step(Step::DialError, peer, Some(error));
                }
            }
            Sight::Query(said) | Sight::AfterDial(said) => {
                let Some(open) = self.open.get_mut(&said.query) else {
                    return;
                };
                let rtt = open.asked.get(&peer).map(|&sent| at.saturating_duration_since(sent));
                match said.what {
                    What::Ask => {
                        open.asked.insert(peer, at);
                        open.step(Step::Send, peer, None);
                    }
                    What::Keep => {
                        if open.purpose.op == "provide" {
                            // Nobody acknowledges this request; the library counts it as answered.
                            results.counter("answers_seen").inc(1);
                            open.result(peer, Some("sent"));
                        } else {
                            open.asked.insert(peer, at);
                        }
                    }
                    What::Kept => {
                        open.asked.remove(&peer);
                        results.counter("answers_seen").inc(1);
                        open.result(peer, Some("kept"));
                    }
                    What::Answer(closer) => {
                        let Some(rtt) = rtt else {
                            results.counter("answers_of_no_known_request").inc(1);
                            return;
                        };
                        open.asked.remove(&peer);
                        for &other in closer.iter().filter(|&other| *other != self.me && !open.seeds.contains(other)) {
                            open.told_by.entry(other).or_insert(peer);
                        }
                        let closer: Vec<String> = closer.iter().map(peer_text).collect();
                        let closer: Vec<&str> = closer.iter().map(String::as_str).collect();
                        results.counter("answers_seen").inc(1);
                        open.record.receive(&text, rtt, &closer);
                    }
                    What::Failed(error) => {
                        if open.asked.remove(&peer).is_some() {
                            open.record.error(&text, error);
                        }
                    }
                }
            }
        }
    }

    /// A provider was found, or a peer that holds the record.
    pub fn found(&mut self, query: usize, peer: PeerId) {
        if let Some(open) = self.open.get_mut(&query)
            && !open.found.contains(&peer)
        {
            open.result(peer, None);
        }
    }

    pub fn value(&mut self, query: usize, value: Vec<u8>) {
        if let Some(open) = self.open.get_mut(&query) {
            open.value.get_or_insert(value);
        }
    }

    pub fn closest(&mut self, query: usize, peers: Vec<PeerId>) {
        if let Some(open) = self.open.get_mut(&query) {
            open.closest = peers;
        }
    }

    /// How many results a lookup has.
    pub fn results(&self, query: usize) -> usize {
        self.open.get(&query).map_or(0, |open| open.found.len())
    }

    /// Whether a lookup has found what it is for: the very peer, or any peers.
    pub fn has_what_it_wants(&self, query: usize) -> bool {
        self.open.get(&query).is_some_and(|open| {
            if open.purpose.op == "find_peer" {
                open.closest.iter().any(|peer| peer.to_bytes() == open.purpose.key)
            } else {
                !open.closest.is_empty()
            }
        })
    }

    /// The lookup is over. If it goes on with another target, what this returns asks for the answer to that.
    pub fn end(
        &mut self,
        query: usize,
        status: LookupStatus,
        reason: &str,
        totals: Totals,
    ) -> Option<(Purpose, Option<oneshot::Sender<Outcome>>)> {
        let open = self.open.remove(&query)?;
        let took = open.began.elapsed();
        let results = self.env.results();
        let op = open.purpose.op;
        results.counter("requests_made").inc(totals.requests);
        results.counter("answers_got").inc(totals.answers);
        results.counter(&format!("lookups_{},op={op}", word(status))).inc(1);
        results.point_ns(&format!("lookup_ns,op={op}"), took);
        open.record.record(LookupKind::End {
            status,
            reason: Some(reason.to_owned()),
            closest: open.closest.iter().map(peer_text).collect(),
            results_expected: open.purpose.expected,
            error: None,
        });
        if op == "bootstrap" {
            return Some((open.purpose, open.reply));
        }
        if let Some(reply) = open.reply {
            // A case that no longer waits has failed already.
            drop(reply.send(Outcome { status, closest: open.closest, found: open.found, value: open.value }));
        }
        None
    }
}

impl Open {
    fn step(&self, step: Step, peer: PeerId, error: Option<String>) {
        let source = self.told_by.get(&peer).map(peer_text);
        self.record.record(LookupKind::Step {
            step,
            peer: peer_text(&peer),
            cause: source.clone(),
            source,
            closer: Vec::new(),
            rtt_ns: None,
            error,
        });
    }

    fn result(&mut self, peer: PeerId, value: Option<&str>) {
        self.found.push(peer);
        self.record.result(Some(&peer_text(&peer)), value);
    }
}

fn word(status: LookupStatus) -> &'static str {
    match status {
        LookupStatus::Done => "done",
        LookupStatus::Fail => "fail",
        LookupStatus::Incomplete => "incomplete",
        LookupStatus::Error => "error",
    }
}
