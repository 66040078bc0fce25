//! What a lookup spent on its result.

use super::trace::{Contact, Fate, Teller, Trace};
use crate::routing::Place;

/// What a lookup spent, and what of it was of use.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Effort {
    /// Peers that were asked.
    pub requests: u32,
    /// Peers that answered.
    pub responses: u32,
    /// Peers that could not be dialled or did not answer.
    pub failed: u32,
    /// Distinct peers that it heard of.
    pub heard: u32,
    /// Answers that named a peer nearer to the target than all that were known.
    pub useful: u32,
    /// Requests to peers that are not in the final closest set and told of none that led there.
    pub wasted: u32,
    /// The largest hop of a peer that answered.
    pub hops: u32,
    /// The hop at which the nearest peer of the final closest set was asked, or would be.
    pub hops_to_nearest: Option<u32>,
    /// The most bits that a peer of the own table shared with the target, the target itself aside.
    pub bits_start: Option<u32>,
    /// The most bits that a peer of the final closest set shares with it.
    pub bits_end: Option<u32>,
    /// Whether each step of the way to the nearest peer was nearer to the target than the one before.
    pub monotone: Option<bool>,
}

impl Effort {
    /// The share of answers that were useful.
    pub fn useful_ratio(&self) -> Option<f64> {
        (self.responses > 0).then(|| f64::from(self.useful) / f64::from(self.responses))
    }

    /// The share of requests that were wasted.
    pub fn wasted_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(self.wasted) / f64::from(self.requests))
    }

    /// Bits gained per hop: how fast the lookup came nearer than its own table was. There is none without a hop, or
    /// where the target itself was found, with which it shares all bits.
    pub fn bits_per_hop(&self) -> Option<f64> {
        let gained = f64::from(self.bits_end.filter(|&bits| bits < Place::BITS)?) - f64::from(self.bits_start?);
        (self.hops > 0).then(|| gained / f64::from(self.hops))
    }
}

/// Adds up a lookup that was followed.
///
/// Hops as in RFM17 of `ProbeLab` (2022): a peer of the own table is asked at hop 1, one that was named by a peer of hop h
/// at hop h + 1. A request is wasted if the peer neither is in the final closest set nor stands on the chain of tellers
/// of one that is. Cost: linear in the peers heard of, times the hops.
///
/// The worked example: S asks its seeds A and B; A names C and D; B does not answer; C names E; E names nobody; the
/// closest are E, C and A.
///
/// ```
/// use tg_analyze::score::{Step, StepKind, Trace, effort};
/// let [s, a, b, c, d, e] = [0, 1, 2, 3, 4, 5];
/// let step = |kind, peer, source, closer: &[u32]| Step {
///     query: 0, ts: 0, kind, peer: Some(peer), source, closer: closer.to_vec(), rtt_ns: None, error: None,
/// };
/// use StepKind::{Error, Receive, Send};
/// let steps = [
///     step(Receive, s, None, &[a, b]),
///     step(Send, a, Some(s), &[]), step(Send, b, Some(s), &[]),
///     step(Receive, a, Some(a), &[c, d]), step(Error, b, Some(b), &[]),
///     step(Send, c, Some(a), &[]), step(Receive, c, Some(c), &[e]),
///     step(Send, e, Some(c), &[]), step(Receive, e, Some(e), &[]),
/// ];
/// let closest = [e, c, a];
/// let spent = effort(&Trace::follow(&steps, Some(s), None, &closest, |_| None), None, &closest, |_| None);
/// assert_eq!((spent.requests, spent.responses, spent.failed, spent.heard), (4, 3, 1, 5));
/// assert_eq!((spent.hops, spent.wasted), (3, 1));
/// ```
pub fn effort(trace: &Trace, target: Option<Place>, closest: &[u32], place: impl Fn(u32) -> Option<Place>) -> Effort {
    let count = |of: &dyn Fn(&Contact) -> bool| {
        u32::try_from(trace.contacts.iter().filter(|contact| of(contact)).count()).unwrap_or(u32::MAX)
    };
    let answered = |contact: &Contact| contact.fate == Fate::Answered;
    let far = |peer: u32| Some(place(peer)?.distance(target?));
    let bits = |peer: u32| Some(place(peer)?.shared_bits(target?));
    let hops = trace.contacts.iter().filter(|contact| answered(contact)).map(|contact| trace.hop(contact.peer)).max();
    let seeds = trace.contacts.iter().filter(|contact| contact.teller == Teller::OwnTable);
    let nearest = closest.iter().filter_map(|&peer| Some((far(peer)?, peer))).min();
    Effort {
        requests: count(&|contact| contact.asked_ns.is_some()),
        responses: count(&answered),
        failed: count(&|contact| contact.fate == Fate::Failed),
        heard: u32::try_from(trace.contacts.len()).unwrap_or(u32::MAX),
        useful: count(&|contact| contact.useful),
        wasted: count(&|contact| contact.asked_ns.is_some() && !contact.led),
        hops: u32::try_from(hops.unwrap_or(0)).unwrap_or(u32::MAX),
        hops_to_nearest: nearest
            .map(|(_, peer)| u32::try_from(trace.hop(peer)).unwrap_or(u32::MAX))
            .filter(|&hop| hop > 0),
        // Whoever has the target in its table and does not reach it is not as near as can be.
        bits_start: seeds.filter_map(|contact| bits(contact.peer)).filter(|&bits| bits < Place::BITS).max(),
        bits_end: closest.iter().filter_map(|&peer| bits(peer)).max(),
        monotone: nearest.map(|(_, peer)| {
            trace.path(peer).windows(2).all(|pair| far(pair[1].peer).zip(far(pair[0].peer)).is_none_or(|(b, a)| b < a))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps::{Step, StepKind};
    use super::*;

    fn place(first: u32) -> Option<Place> {
        let mut bytes = [0; 32];
        bytes[0] = u8::try_from(first).unwrap();
        Place::from_slice(&bytes)
    }

    fn step(kind: StepKind, peer: u32, source: Option<u32>, closer: &[u32]) -> Step {
        Step { query: 0, ts: 0, kind, peer: Some(peer), source, closer: closer.to_vec(), rtt_ns: None, error: None }
    }

    /// Peers are their own first byte; the target is 0, and the one that looks is 0xFF.
    fn spent(steps: &[Step], closest: &[u32]) -> Effort {
        let trace = Trace::follow(steps, Some(0xFF), place(0), closest, place);
        effort(&trace, place(0), closest, place)
    }

    #[test]
    fn bits_are_gained_and_answers_are_of_use() {
        use StepKind::{Receive, Send};
        let steps = [
            step(Receive, 0xFF, None, &[0x40, 0x80]),
            step(Send, 0x40, Some(0xFF), &[]),
            step(Receive, 0x40, None, &[0x10, 0x20]),
            step(Send, 0x10, Some(0x40), &[]),
            // Nothing nearer than what was known, and the own peer, which is no news.
            step(Receive, 0x10, None, &[0x20, 0xFF]),
        ];
        let found = spent(&steps, &[0x10, 0x20]);
        assert_eq!((found.useful, found.responses, found.heard), (1, 2, 4));
        assert_eq!((found.bits_start, found.bits_end, found.hops), (Some(1), Some(3), 2));
        assert_eq!((found.bits_per_hop(), found.useful_ratio()), (Some(1.0), Some(0.5)));
        assert_eq!((found.monotone, found.wasted), (Some(true), 0));
    }

    #[test]
    fn a_target_in_the_own_table_that_does_not_answer_is_no_start() {
        use StepKind::{DialError, Receive, Send};
        let steps = [
            step(Receive, 0xFF, None, &[0x00, 0x40]),
            step(DialError, 0x00, None, &[]),
            step(Send, 0x40, Some(0xFF), &[]),
            step(Receive, 0x40, None, &[0x10]),
        ];
        let found = spent(&steps, &[0x10, 0x40]);
        assert_eq!((found.bits_start, found.bits_end, found.bits_per_hop()), (Some(1), Some(3), Some(2.0)));
    }

    #[test]
    fn a_detour_is_not_monotone_and_what_follows_the_end_does_not_count() {
        use StepKind::{Receive, Send, Terminate};
        let steps = [
            // Without a source, and named by nobody: it was in the own table.
            step(Send, 0x20, None, &[]),
            step(Receive, 0x20, None, &[0x40]),
            step(Send, 0x40, Some(0x20), &[]),
            step(Receive, 0x40, None, &[0x20, 0x01]),
            step(Terminate, 0xFF, None, &[]),
            step(Send, 0x01, None, &[]),
        ];
        let found = spent(&steps, &[0x01]);
        assert_eq!((found.requests, found.hops, found.monotone), (2, 2, Some(false)));
        assert_eq!(Trace::follow(&steps, None, None, &[], |_| None).after_end, 1);
        let nothing = spent(&[], &[]);
        assert_eq!((nothing, nothing.useful_ratio(), nothing.bits_per_hop()), (Effort::default(), None, None));
    }

    #[test]
    fn lines_beside_a_trace_are_no_requests() {
        use StepKind::{DialError, Receive, Send};
        let steps = [
            step(Receive, 0xFF, None, &[0x40]),
            step(Send, 0x40, Some(0xFF), &[]),
            step(Send, 0x40, None, &[]),
            step(Receive, 0x40, Some(0x40), &[0x10]),
            // The end of the trace was lost; the record is stored at its closest.
            step(Send, 0x10, None, &[]),
            step(Receive, 0x10, None, &[0x01]),
            step(DialError, 0x33, None, &[]),
        ];
        let found = spent(&steps, &[0x10]);
        assert_eq!((found.requests, found.responses, found.failed, found.heard), (1, 1, 0, 2));
    }
}
