//! A lookup followed peer by peer: who told of whom, when it was asked, and what came back.

use std::collections::HashMap;

use super::steps::{Step, StepKind};
use crate::routing::Place;

/// Who told the lookup of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Nothing says so.
    Unknown,
    /// The routing table of the one that looks.
    OwnTable,
    /// The answer of this peer.
    Peer(u32),
}

/// How it went with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was heard of and never asked.
    Heard,
    /// It was asked, and nothing came back before the end.
    Asked,
    /// It answered.
    Answered,
    /// It could not be dialled, or its request failed.
    Failed,
}

/// A peer that a lookup heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The peer's number.
    pub peer: u32,
    /// Who first told of it.
    pub teller: Teller,
    /// When it was first heard of, in nanoseconds since the epoch, as all times here.
    pub heard_ns: i64,
    /// When it was dialled.
    pub dialled_ns: Option<i64>,
    /// When it was asked.
    pub asked_ns: Option<i64>,
    /// When its answer or its failure came.
    pub ended_ns: Option<i64>,
    /// How it went.
    pub fate: Fate,
    /// From the request to the answer.
    pub rtt_ns: Option<i64>,
    /// How many peers its answer named.
    pub named: u32,
    /// How many of them nobody had named before.
    pub new: u32,
    /// Whether its answer named a peer nearer to the target than all that were known.
    pub useful: bool,
    /// How many results came from it.
    pub results: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether it is in the final closest set, or told of a peer that led there.
    pub led: bool,
}

/// A lookup, followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Peers in the order in which they were heard of.
    pub contacts: Vec<Contact>,
    /// The first step.
    pub start_ns: Option<i64>,
    /// The step that ended it.
    pub end_ns: Option<i64>,
    /// Who gave the first result.
    pub first_result: Option<u32>,
    /// Steps after the end, such as those that store a record: they belong to no lookup.
    pub after_end: u32,
    at: HashMap<u32, usize>,
}

impl Trace {
    /// Follows the steps of one lookup in their order, up to its end. `own` is the peer that looks; `closest` the final
    /// closest set.
    ///
    /// A lookup that was traced names the source of every request and answer. Lines beside the trace tell of the same
    /// requests without it, and of others that followed the lookup: they add when a peer was dialled, why it failed and
    /// what was found, and count as no request.
    pub fn follow(
        steps: &[Step],
        own: Option<u32>,
        target: Option<Place>,
        closest: &[u32],
        place: impl Fn(u32) -> Option<Place>,
    ) -> Self {
        let mut trace = Self { start_ns: steps.first().map(|step| step.ts), ..Self::default() };
        let far = |peer: u32| Some(place(peer)?.distance(target?));
        let mut best: Option<Place> = None;
        let traced = steps.iter().any(|step| step.kind == StepKind::Receive && step.source.is_some());
        for (at, step) in steps.iter().enumerate() {
            if step.kind == StepKind::Terminate {
                trace.end_ns = Some(step.ts);
                trace.after_end = u32::try_from(steps.len() - at - 1).unwrap_or(u32::MAX);
                break;
            }
            let nearest = step.closer.iter().filter_map(|&peer| far(peer)).min();
            let nearer = nearest.is_some_and(|near| best.is_none_or(|best| near < best));
            let is_answer = step.kind == StepKind::Receive;
            match step.peer.filter(|&peer| Some(peer) != own) {
                None if is_answer => {
                    for &peer in &step.closer {
                        trace.mention(peer, Teller::OwnTable, step.ts);
                    }
                }
                None => {}
                Some(peer) if traced && step.source.is_none() => {
                    trace.beside(peer, step);
                    continue;
                }
                Some(peer) => trace.step(peer, step, own, nearer),
            }
            if is_answer && nearer {
                best = nearest;
            }
        }
        trace.mark(closest);
        trace
    }

    fn step(&mut self, peer: u32, step: &Step, own: Option<u32>, nearer: bool) {
        let teller = match step.source {
            Some(source) if Some(source) == own => Teller::OwnTable,
            // In the line of an answer the peer itself is named as the source.
            Some(source) if source != peer => Teller::Peer(source),
            Some(_) | None => Teller::Unknown,
        };
        let at = self.mention(peer, teller, step.ts);
        let contact = &mut self.contacts[at];
        // Whoever is asked without having been named was known before; and so nobody can tell of its own teller.
        if matches!(step.kind, StepKind::Send | StepKind::Receive) && contact.teller == Teller::Unknown {
            contact.teller = Teller::OwnTable;
        }
        match step.kind {
            StepKind::Dial => drop(contact.dialled_ns.get_or_insert(step.ts)),
            StepKind::Send => {
                contact.asked_ns.get_or_insert(step.ts);
                if contact.fate == Fate::Heard {
                    contact.fate = Fate::Asked;
                }
            }
            StepKind::Receive => {
                let first = contact.fate != Fate::Answered;
                if first {
                    contact.fate = Fate::Answered;
                    contact.ended_ns = Some(step.ts);
                    let waited = contact.asked_ns.map(|asked| step.ts - asked);
                    contact.rtt_ns = step.rtt_ns.or(waited).filter(|&rtt| rtt >= 0);
                }
                if first || contact.named == 0 {
                    contact.named = u32::try_from(step.closer.len()).unwrap_or(u32::MAX);
                    contact.useful |= nearer;
                    let before = self.contacts.len();
                    for &named in step.closer.iter().filter(|&&named| Some(named) != own) {
                        self.mention(named, Teller::Peer(peer), step.ts);
                    }
                    let new = self.contacts.len() - before;
                    self.contacts[at].new += u32::try_from(new).unwrap_or(u32::MAX);
                }
            }
            StepKind::Error | StepKind::DialError => {
                if contact.fate != Fate::Answered {
                    contact.fate = Fate::Failed;
                    contact.ended_ns.get_or_insert(step.ts);
                    if contact.error.is_none() {
                        contact.error.clone_from(&step.error);
                    }
                }
            }
            StepKind::Result => {
                contact.results += results(step);
                self.first_result.get_or_insert(peer);
            }
            StepKind::Start | StepKind::Adding | StepKind::Terminate | StepKind::Other => {}
        }
    }

    /// A line beside the trace.
    fn beside(&mut self, peer: u32, step: &Step) {
        if step.kind == StepKind::Result {
            self.first_result.get_or_insert(peer);
        }
        let Some(&at) = self.at.get(&peer) else { return };
        let contact = &mut self.contacts[at];
        match step.kind {
            StepKind::Dial => drop(contact.dialled_ns.get_or_insert(step.ts)),
            StepKind::DialError | StepKind::Error if contact.error.is_none() => contact.error.clone_from(&step.error),
            StepKind::Result => contact.results += results(step),
            StepKind::DialError
            | StepKind::Error
            | StepKind::Start
            | StepKind::Send
            | StepKind::Receive
            | StepKind::Adding
            | StepKind::Terminate
            | StepKind::Other => {}
        }
    }

    fn mention(&mut self, peer: u32, teller: Teller, ts: i64) -> usize {
        let at = *self.at.entry(peer).or_insert(self.contacts.len());
        if at == self.contacts.len() {
            self.contacts.push(Contact {
                peer,
                teller,
                heard_ns: ts,
                dialled_ns: None,
                asked_ns: None,
                ended_ns: None,
                fate: Fate::Heard,
                rtt_ns: None,
                named: 0,
                new: 0,
                useful: false,
                results: 0,
                error: None,
                led: false,
            });
        } else if self.contacts[at].teller == Teller::Unknown {
            self.contacts[at].teller = teller;
        }
        at
    }

    /// Marks whoever led to the final closest set.
    fn mark(&mut self, closest: &[u32]) {
        for &peer in closest {
            let mut next = self.at.get(&peer).copied();
            while let Some(at) = next.filter(|&at| !self.contacts[at].led) {
                self.contacts[at].led = true;
                next = self.teller(at);
            }
        }
    }

    /// The place in the list of the one that told of a contact.
    fn teller(&self, at: usize) -> Option<usize> {
        match self.contacts[at].teller {
            Teller::Peer(peer) => self.at.get(&peer).copied(),
            Teller::OwnTable | Teller::Unknown => None,
        }
    }

    /// A peer's contact.
    pub fn contact(&self, peer: u32) -> Option<&Contact> {
        self.at.get(&peer).map(|&at| &self.contacts[at])
    }

    /// From whom the lookup's own table knew to the peer, each told of by the one before it.
    pub fn path(&self, peer: u32) -> Vec<&Contact> {
        let mut path = Vec::new();
        let mut next = self.at.get(&peer).copied();
        while let Some(at) = next.filter(|_| path.len() < self.contacts.len()) {
            path.push(&self.contacts[at]);
            next = self.teller(at);
        }
        path.reverse();
        path
    }

    /// The hop at which a peer is asked: 1 for one of the own table.
    pub fn hop(&self, peer: u32) -> usize {
        self.path(peer).len()
    }
}

/// How many results a step tells of.
fn results(step: &Step) -> u32 {
    u32::try_from(step.closer.len().max(1)).unwrap_or(u32::MAX)
}
