//! Places in the keyspace, and how near they are to one another.

/// A place in the keyspace of Kademlia: 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place([u64; 4]);

impl Place {
    /// How many bits a place has.
    pub const BITS: u32 = 256;

    /// From 32 bytes, the first the most significant; nothing for any other number of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let mut words = [0; 4];
        for (word, eight) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = eight.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte));
        }
        Some(Self(words))
    }

    /// The distance of two places: their exclusive or.
    #[must_use]
    pub fn distance(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] ^ other.0[at]))
    }

    /// How many leading bits two places share: 256 for a place and itself.
    ///
    /// ```
    /// use tg_analyze::routing::Place;
    /// let place = |first| Place::from_slice(&[first; 32]).unwrap();
    /// assert_eq!(place(0b0110_0000).shared_bits(place(0b0100_0000)), 2);
    /// assert_eq!(place(7).shared_bits(place(7)), 256);
    /// ```
    pub fn shared_bits(self, other: Self) -> u32 {
        let distance = self.distance(other).0;
        let words = distance.iter().take_while(|&&word| word == 0).count();
        match distance.get(words) {
            Some(word) => 64 * u32::try_from(words).unwrap_or(4) + word.leading_zeros(),
            None => Self::BITS,
        }
    }

    /// The logarithm to base 2 of the place read as a whole number; minus infinity for 0.
    ///
    /// ```
    /// use tg_analyze::routing::Place;
    /// let mut bytes = [0; 32];
    /// bytes[31] = 8;
    /// assert_eq!(Place::from_slice(&bytes).unwrap().log2(), 3.0);
    /// ```
    pub fn log2(self) -> f64 {
        let Some(first) = self.0.iter().position(|&word| word != 0) else { return f64::NEG_INFINITY };
        let next = self.0.get(first + 1).map_or(0.0, |&word| word as f64 / 2_f64.powi(64));
        let below = 64.0 * (3 - first) as f64;
        (self.0[first] as f64 + next).log2() + below
    }

    /// The place as a share of the keyspace, from 0 up to 1.
    pub(crate) fn share(self) -> f64 {
        self.0.iter().rev().fold(0.0, |below, &word| (word as f64 + below) / 2_f64.powi(64))
    }

    /// The bit at a position from the most significant one, which is 0.
    pub(crate) fn bit(self, at: u32) -> bool {
        let word = self.0[(at / 64) as usize];
        (word >> (63 - at % 64)) & 1 == 1
    }

    /// The first bits as a number; at most 64 of them.
    pub(super) fn prefix(self, bits: u32) -> u64 {
        self.0[0].checked_shr(64 - bits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_prefixes_count_from_the_most_significant() {
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (0b1010_0000, 1);
        let place = Place::from_slice(&bytes).unwrap();
        assert_eq!((place.bit(0), place.bit(1), place.bit(2), place.bit(255)), (true, false, true, true));
        assert_eq!((place.prefix(0), place.prefix(1), place.prefix(3), place.prefix(8)), (0, 1, 0b101, 0b1010_0000));
        bytes[31] = 0;
        assert_eq!(place.shared_bits(Place::from_slice(&bytes).unwrap()), 255);
        assert_eq!(Place::from_slice(&bytes[1..]), None);
    }
}
