//! Choices by chance that a seed repeats.

/// `SplitMix64` (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014): the same seed
/// gives the same choices on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, every one as likely (D. Lemire's multiplication, with rejection).
    pub fn below(&mut self, limit: u32) -> u32 {
        let limit = u64::from(limit.max(1));
        loop {
            let wide = (self.bits() >> 32) * limit;
            // The division is slow, and what it finds is below the limit.
            if wide & 0xffff_ffff >= limit || wide & 0xffff_ffff >= (1_u64 << 32) % limit {
                return u32::try_from(wide >> 32).unwrap_or(0);
            }
        }
    }

    /// A float in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(u32::try_from(at + 1).unwrap_or(u32::MAX));
            items.swap(at, other as usize);
        }
    }

    /// `k` different numbers below `n`, ascending; all of them if `k` is no less than `n`.
    pub fn sample(&mut self, n: u32, k: u32) -> Vec<u32> {
        if k >= n {
            return (0..n).collect();
        }
        // R. Floyd's method: one draw for each member of the sample.
        let mut chosen = std::collections::BTreeSet::new();
        for last in n - k..n {
            let one = self.below(last + 1);
            if !chosen.insert(one) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The first outputs for seed 1234567, as published with the algorithm.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn samples_are_of_their_size_and_repeat() {
        let sample = Random::new(7).sample(1000, 10);
        assert_eq!((sample.len(), Random::new(7).sample(1000, 10)), (10, sample.clone()));
        assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Random::new(7).sample(3, 10), vec![0, 1, 2]);
        let mut seen = [0_u32; 5];
        let mut random = Random::new(1);
        (0..5000).for_each(|_| seen[random.below(5) as usize] += 1);
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
    }
}
