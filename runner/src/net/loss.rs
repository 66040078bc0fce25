//! Losses that come in spells.

use super::dice::Dice;

/// The model of Gilbert and Elliott: a link is good or bad, and loses a share of its packets in each state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spells {
    /// From good to bad, by packet.
    pub(crate) enter: f64,
    /// From bad to good, by packet.
    pub(crate) leave: f64,
    /// The share that is lost in the bad state.
    pub(crate) lost_in: f64,
    /// The share that is lost in the good state.
    pub(crate) lost_between: f64,
}

impl Spells {
    /// The spells whose losses have this share in the long run, when a bad state lasts `burst` packets in the mean.
    ///
    /// The share of bad states is `π = (loss − between) / (in − between)`, and `enter = leave · π / (1 − π)`.
    pub(crate) fn new(loss: f64, burst: f64, lost_in: f64, lost_between: f64) -> Self {
        let leave = 1.0 / burst.max(1.0);
        let bad = ((loss - lost_between) / (lost_in - lost_between)).clamp(0.0, 1.0);
        let enter = if bad < 1.0 { (leave * bad / (1.0 - bad)).min(1.0) } else { 1.0 };
        Self { enter, leave, lost_in, lost_between }
    }
}

/// Whether a link of a pair is bad now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spell {
    bad: bool,
}

impl Spell {
    /// Whether the next packet is lost.
    pub(super) fn loses(&mut self, dice: &mut Dice, spells: &Spells) -> bool {
        let turn = dice.share();
        self.bad = if self.bad { turn >= spells.leave } else { turn < spells.enter };
        dice.share() < if self.bad { spells.lost_in } else { spells.lost_between }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_have_the_share_and_the_length_that_were_asked_for() {
        for (loss, burst, lost_in, between) in [(0.05, 8.0, 1.0, 0.0), (0.02, 4.0, 0.5, 0.01)] {
            let spells = Spells::new(loss, burst, lost_in, between);
            let (mut dice, mut spell) = (Dice::new(5, 0, 1), Spell::default());
            let (mut lost, mut bad, mut entered) = (0_u32, 0_u32, 0_u32);
            let packets = 400_000;
            for _ in 0..packets {
                let before = spell.bad;
                lost += u32::from(spell.loses(&mut dice, &spells));
                bad += u32::from(spell.bad);
                entered += u32::from(spell.bad && !before);
            }
            let share = f64::from(lost) / f64::from(packets);
            assert!((share - loss).abs() < 0.1 * loss, "{share} for {loss}");
            let length = f64::from(bad) / f64::from(entered);
            assert!((length - burst).abs() < 0.1 * burst, "{length} for {burst}");
        }
    }
}
