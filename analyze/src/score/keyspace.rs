//! The keyspace, sorted once, and walks through it from any place outwards.

use crate::routing::Place;

/// An instance as a place in the keyspace, with its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Where it is.
    pub place: Place,
    /// Its peer's number.
    pub number: u32,
    /// The first nanosecond of its life.
    pub from: i64,
    /// The first nanosecond after it.
    pub until: i64,
}

impl Member {
    /// Whether it was alive.
    pub fn is_alive(&self, moment_ns: i64) -> bool {
        self.from <= moment_ns && moment_ns < self.until
    }
}

/// Members in the order of their places. Two may claim the same place.
#[derive(Debug, Clone, Default)]
pub struct Keyspace {
    members: Vec<Member>,
}

impl Keyspace {
    /// Sorts the members. Cost: O(n log n), once.
    pub fn new(mut members: Vec<Member>) -> Self {
        members.sort_unstable_by_key(|member| (member.place, member.number));
        Self { members }
    }

    /// All members, by place.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All members, the one nearest to the target first; of those at one place the lower number first.
    ///
    /// The sorted members are a trie whose inner nodes are ranges: a range is cut where its first and its last member
    /// part, and the half that agrees with the target comes first. Cost: O(log n) for the first member, and an
    /// amortised cut of a small range for each one after it.
    pub fn nearest(&self, target: Place) -> Nearest<'_> {
        let whole = (!self.members.is_empty()).then_some((0, self.members.len()));
        Nearest { members: &self.members, target, ranges: whole.into_iter().collect() }
    }

    /// How many members are nearer to the target than the place is: the place's rank, from 0.
    ///
    /// Whoever is nearer agrees with the target where it first parts from the place. Cost: O(log² n).
    pub fn rank(&self, target: Place, place: Place) -> usize {
        let (mut nearer, mut low, mut high) = (0, 0, self.members.len());
        for bit in 0..Place::BITS {
            if low == high {
                break;
            }
            let middle = low + self.members[low..high].partition_point(|member| !member.place.bit(bit));
            let (own, other) = if place.bit(bit) { (middle..high, low..middle) } else { (low..middle, middle..high) };
            if place.bit(bit) != target.bit(bit) {
                nearer += other.len();
            }
            (low, high) = (own.start, own.end);
        }
        nearer
    }
}

/// A walk from a target outwards.
#[derive(Debug, Clone)]
pub struct Nearest<'a> {
    members: &'a [Member],
    target: Place,
    /// What is still to come, the nearest last; none is empty.
    ranges: Vec<(usize, usize)>,
}

impl<'a> Iterator for Nearest<'a> {
    type Item = &'a Member;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (low, high) = self.ranges.pop()?;
            let range = &self.members[low..high];
            let (first, last) = (range.first()?, range.last()?);
            let bit = first.place.shared_bits(last.place);
            if bit == Place::BITS {
                if high - low > 1 {
                    self.ranges.push((low + 1, high));
                }
                return Some(first);
            }
            let middle = low + range.partition_point(|member| !member.place.bit(bit));
            let halves = [(low, middle), (middle, high)];
            let near = usize::from(self.target.bit(bit));
            self.ranges.extend([halves[1 - near], halves[near]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::random::Random;

    fn place(random: &mut Random, alphabet: u32) -> Place {
        let bytes: Vec<u8> = (0..32).map(|_| u8::try_from(random.below(alphabet)).unwrap()).collect();
        Place::from_slice(&bytes).unwrap()
    }

    /// Against sorting everybody for every target; of two alphabets the smaller makes long common prefixes.
    #[test]
    fn walks_and_ranks_are_those_of_sorting() {
        for alphabet in [256, 2] {
            let mut random = Random::new(7);
            let mut members: Vec<Member> = (0..300)
                .map(|number| Member { place: place(&mut random, alphabet), number, from: 0, until: 1 })
                .collect();
            members[1].place = members[0].place;
            members[2].place = members[0].place;
            let keyspace = Keyspace::new(members.clone());
            let own = members[0].place;
            for target in (0..40).map(|_| place(&mut random, alphabet)).chain([own]) {
                let mut sorted = members.clone();
                sorted.sort_by_key(|member| (member.place.distance(target), member.number));
                let walked: Vec<Member> = keyspace.nearest(target).copied().collect();
                assert_eq!(walked, sorted);
                for member in &sorted {
                    let far = member.place.distance(target);
                    let nearer = sorted.iter().filter(|other| other.place.distance(target) < far).count();
                    assert_eq!(keyspace.rank(target, member.place), nearer);
                }
            }
        }
    }

    #[test]
    fn nobody_is_near_in_an_empty_keyspace() {
        let nobody = Keyspace::new(Vec::new());
        let target = Place::from_slice(&[7; 32]).unwrap();
        assert_eq!((nobody.nearest(target).count(), nobody.rank(target, target)), (0, 0));
        assert!(nobody.is_empty());
    }
}
