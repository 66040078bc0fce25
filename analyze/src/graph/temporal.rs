//! Who could have told whom, when edges come and go.

use rayon::prelude::*;

use super::lifetime::Span;
use crate::work::{Stopped, Work};

/// So many sources share each pass over the contacts.
const WORDS: usize = 8;
const BLOCK: usize = WORDS * 64;

type Mask = [u64; WORDS];

/// A time during which two nodes were connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// One end.
    pub a: u32,
    /// The other end.
    pub b: u32,
    /// From when until before when; what nobody saw begin was there from the begin, what nobody saw end to the end.
    pub span: Span,
}

/// How many ordered pairs of nodes a message could have gone between.
///
/// Definition: reachability of contact sequences (P. Holme, "Network reachability of real-world contact sequences",
/// Physical Review E 2005; P. Holme and J. Saramäki, "Temporal networks", Physics Reports 2012, 3.3): from one node to
/// another leads a path whose contacts are open one after another or at once, where a message takes no time and may wait
/// at any node. Undirected: a contact carries messages both ways. Contacts hold from their opening until before their
/// closing, so one that closes when another opens hands nothing over.
/// Without contacts there are no pairs; a node without any reaches none, and a node does not count as reaching itself.
/// Cost: O(n/512 · (contacts · degree + changes)) on words of 512 sources each, on all cores.
///
/// ```
/// use tg_analyze::graph::{lifetime::Span, temporal::{Contact, reached}};
/// let contact = |a, b, open, close| Contact { a, b, span: Span { open: Some(open), close: Some(close) } };
/// // 0 and 1 part before 1 and 2 meet: 0 can send to 2 by way of 1, which keeps it, and 2 cannot send to 0.
/// assert_eq!(reached(3, &[contact(0, 1, 0, 10), contact(1, 2, 20, 30)]), 5);
/// // At the same time they all reach one another.
/// assert_eq!(reached(3, &[contact(0, 1, 0, 10), contact(1, 2, 5, 30)]), 6);
/// ```
pub fn reached(n: u32, contacts: &[Contact]) -> u64 {
    reached_within(n, contacts, &Work::unwatched()).unwrap_or(0)
}

/// How many steps [`reached_within`] takes.
pub(super) fn steps(n: u32) -> usize {
    (n as usize).div_ceil(BLOCK)
}

/// The same, unless it is stopped.
pub(super) fn reached_within(n: u32, contacts: &[Contact], work: &Work<'_>) -> Result<u64, Stopped> {
    let events = events(contacts);
    let block = |first: usize| {
        work.step()?;
        Ok(Block::new(n as usize).run(&events, first))
    };
    let found: Result<Vec<u64>, Stopped> = (0..steps(n)).into_par_iter().map(|at| block(at * BLOCK)).collect();
    Ok(found?.into_iter().sum())
}

/// Two nodes become or are no longer connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: i64,
    /// What closes comes before what opens at the same time.
    opens: bool,
    a: u32,
    b: u32,
}

fn events(contacts: &[Contact]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * contacts.len());
    for &Contact { a, b, span } in contacts {
        let (open, close) = (span.open.unwrap_or(i64::MIN), span.close.unwrap_or(i64::MAX));
        if a != b && open < close {
            events.push(Event { time: open, opens: true, a, b });
            events.push(Event { time: close, opens: false, a, b });
        }
    }
    events.sort_unstable();
    events
}

/// What some of the sources could have told whom by now.
struct Block {
    /// From which of the sources each node has heard.
    heard: Vec<Mask>,
    /// With whom each node is connected; twice, if by two contacts.
    open: Vec<Vec<u32>>,
    /// Nodes that heard something new and have not passed it on.
    fresh: Vec<u32>,
}

impl Block {
    fn new(n: usize) -> Self {
        Self { heard: vec![[0; WORDS]; n], open: vec![Vec::new(); n], fresh: Vec::new() }
    }

    /// Counts the pairs of a source, the first of which has this number, and another node.
    fn run(mut self, events: &[Event], first: usize) -> u64 {
        let sources = first..(first + BLOCK).min(self.heard.len());
        let own = sources.len() as u64;
        for (bit, source) in sources.enumerate() {
            self.heard[source][bit / 64] |= 1 << (bit % 64);
        }
        for &Event { opens, a, b, .. } in events {
            if opens {
                self.open[a as usize].push(b);
                self.open[b as usize].push(a);
                self.tell(a, b);
                self.tell(b, a);
                while let Some(node) = self.fresh.pop() {
                    for at in 0..self.open[node as usize].len() {
                        self.tell(node, self.open[node as usize][at]);
                    }
                }
            } else {
                self.close(a, b);
                self.close(b, a);
            }
        }
        let bits = |mask: &Mask| mask.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        self.heard.iter().map(bits).sum::<u64>() - own
    }

    fn tell(&mut self, from: u32, to: u32) {
        let told = self.heard[from as usize];
        let known = &mut self.heard[to as usize];
        if (0..WORDS).any(|word| told[word] & !known[word] != 0) {
            known.iter_mut().zip(told).for_each(|(known, told)| *known |= told);
            self.fresh.push(to);
        }
    }

    fn close(&mut self, from: u32, to: u32) {
        let open = &mut self.open[from as usize];
        if let Some(at) = open.iter().position(|&other| other == to) {
            open.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::graph::components::weak;
    use crate::graph::random::Random;

    fn contact(a: u32, b: u32, open: i64, close: i64) -> Contact {
        // Negative stands for what nobody saw.
        Contact { a, b, span: Span { open: (open >= 0).then_some(open), close: (close >= 0).then_some(close) } }
    }

    /// From each source alone, over the contacts in the order of time, again and again until nobody hears earlier.
    fn by_trying(n: u32, contacts: &[Contact]) -> u64 {
        let from = |source: u32| {
            let mut heard = vec![i64::MAX; n as usize];
            heard[source as usize] = i64::MIN;
            loop {
                let before = heard.clone();
                for &Contact { a, b, span } in contacts {
                    let (open, close) = (span.open.unwrap_or(i64::MIN), span.close.unwrap_or(i64::MAX));
                    for (from, to) in [(a, b), (b, a)] {
                        let when = heard[from as usize].max(open);
                        if when < close {
                            heard[to as usize] = heard[to as usize].min(when);
                        }
                    }
                }
                if heard == before {
                    return heard.iter().filter(|&&when| when < i64::MAX).count() as u64 - 1;
                }
            }
        };
        (0..n).map(from).sum()
    }

    #[test]
    fn it_agrees_with_trying() {
        let mut random = Random::new(4);
        let mut apart = 0;
        for round in 0..60 {
            let n = 2 + round % 40;
            let contacts: Vec<Contact> = (0..random.below(3 * n))
                .map(|_| {
                    let (open, length) = (i64::from(random.below(30)), i64::from(random.below(8)));
                    contact(random.below(n), random.below(n), open, open + length)
                })
                .filter(|contact| contact.a != contact.b)
                .collect();
            let found = reached(n, &contacts);
            assert_eq!(found, by_trying(n, &contacts), "{n} {contacts:?}");
            let arcs: Vec<(u32, u32)> = contacts.iter().map(|contact| (contact.a, contact.b)).collect();
            let parts = weak(&Graph::from_arcs(n as usize, &arcs));
            let joined: u64 = parts.sizes.iter().map(|&size| u64::from(size) * u64::from(size - 1)).sum();
            assert!(found <= joined, "time only takes away");
            apart += u64::from(found < joined);
        }
        assert!(apart > 20, "{apart}");
    }

    #[test]
    fn what_nobody_saw_begin_or_end_is_always_there() {
        assert_eq!(reached(3, &[contact(0, 1, -1, 5), contact(1, 2, 4, -1)]), 6);
        assert_eq!(reached(3, &[contact(0, 1, -1, 4), contact(1, 2, 4, -1)]), 5);
        assert_eq!((reached(0, &[]), reached(3, &[]), reached(2, &[contact(0, 1, 3, 3)])), (0, 0, 0));
    }

    #[test]
    fn more_sources_than_a_block() {
        // A chain whose contacts come one after another: everybody is heard to the right, and the neighbour to the left.
        let n = 1200;
        let contacts: Vec<Contact> =
            (0..n - 1).map(|i| contact(i, i + 1, 10 * i64::from(i), 10 * i64::from(i) + 5)).collect();
        let n = u64::from(n);
        assert_eq!(reached(1200, &contacts), n * (n - 1) / 2 + n - 1);
    }
}
