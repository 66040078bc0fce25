//! Chance that can be repeated: what is drawn for the n-th packet of a pair follows from seed, pair and n alone.

/// The draws of one pair of hosts, in one direction.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    key: u64,
    next: u64,
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    pub(super) fn new(seed: u64, from: u32, to: u32) -> Self {
        let pair = (u64::from(from) << 32) | u64::from(to);
        Self { key: mix(seed ^ mix(pair.wrapping_add(STEP))), next: 0 }
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.next = self.next.wrapping_add(STEP);
        mix(self.key.wrapping_add(self.next))
    }

    /// Evenly from 0 to 1, 1 excluded.
    pub(super) fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// A yes or no with a memory: the share of yes, and how much each draw follows the one before.
///
/// As in the kernel's netem: the draw is `(1 − ρ)·u + ρ·last`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Coin {
    last: f64,
}

impl Coin {
    pub(super) fn toss(&mut self, dice: &mut Dice, share: f64, correlation: f64) -> bool {
        if share <= 0.0 {
            return false;
        }
        let drawn = dice.share();
        self.last = if correlation > 0.0 { (1.0 - correlation).mul_add(drawn, correlation * self.last) } else { drawn };
        self.last < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_differ_by_pair() {
        let draw = |seed, from, to| {
            let mut dice = Dice::new(seed, from, to);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 3, 2));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
    }

    #[test]
    fn shares_are_as_asked() {
        let mut dice = Dice::new(7, 0, 1);
        let (mut plain, mut sticky) = (Coin::default(), Coin::default());
        let count = |coin: &mut Coin, dice: &mut Dice, rho| (0..100_000).filter(|_| coin.toss(dice, 0.03, rho)).count();
        // Four standard deviations of a binomial are 216.
        assert!(count(&mut plain, &mut dice, 0.0).abs_diff(3000) < 216);
        assert_eq!(count(&mut Coin::default(), &mut dice, 0.0).min(1), 1);
        // With a memory, netem's rule gives fewer: the mean of two draws is rarely small.
        assert!(count(&mut sticky, &mut dice, 0.5) < 3000);
        assert!(!plain.toss(&mut dice, 0.0, 0.0));
        assert!(plain.toss(&mut dice, 1.0, 0.0));
    }
}
