//! What a link of the data network does to packets, as compositions describe it.

use std::time::Duration;

/// How the delays of a link lie around its latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// Evenly, up to the jitter to either side.
    #[default]
    Uniform,
    /// By the normal distribution with the jitter as its standard deviation.
    Normal,
    /// By a Pareto distribution of shape 3, moved and scaled to mean 0 and the jitter as its standard deviation: most
    /// packets come a little early, a few very late.
    Pareto,
}

/// What becomes of packets that wait for a link with a bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Queueing {
    /// What finds the queue full is dropped.
    #[default]
    DropTail,
    /// That, and Controlled Delay (RFC 8289) with a target of 5 ms and an interval of 100 ms.
    CoDel,
}

/// The properties of a link. What is not given is as it would be without; shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Link {
    /// From the sender to the receiver.
    pub latency: Option<Duration>,
    /// How far delays lie around the latency.
    pub jitter: Option<Duration>,
    /// In which way they do.
    pub distribution: Option<Distribution>,
    /// How much each delay follows the one before.
    pub jitter_correlation: Option<f64>,
    /// Bits per second, IP headers included.
    pub bandwidth_bits_per_s: Option<u64>,
    /// How many bytes may wait for the link.
    pub queue_bytes: Option<u64>,
    /// What becomes of those that wait.
    pub queueing: Option<Queueing>,
    /// The share of packets that is lost, in the long run.
    pub loss: Option<f64>,
    /// How many packets long a spell of losses is in the mean; without it each loss stands alone.
    pub loss_burst: Option<f64>,
    /// The share that is lost in a spell.
    pub loss_in_burst: Option<f64>,
    /// The share that is lost between spells.
    pub loss_between: Option<f64>,
    /// The share in which one bit is turned.
    pub corrupt: Option<f64>,
    /// The share that comes twice.
    pub duplicate: Option<f64>,
    /// The share that skips the latency.
    pub reorder: Option<f64>,
}

impl Link {
    /// This link, and where it says nothing, the other.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            latency: self.latency.or(other.latency),
            jitter: self.jitter.or(other.jitter),
            distribution: self.distribution.or(other.distribution),
            jitter_correlation: self.jitter_correlation.or(other.jitter_correlation),
            bandwidth_bits_per_s: self.bandwidth_bits_per_s.or(other.bandwidth_bits_per_s),
            queue_bytes: self.queue_bytes.or(other.queue_bytes),
            queueing: self.queueing.or(other.queueing),
            loss: self.loss.or(other.loss),
            loss_burst: self.loss_burst.or(other.loss_burst),
            loss_in_burst: self.loss_in_burst.or(other.loss_in_burst),
            loss_between: self.loss_between.or(other.loss_between),
            corrupt: self.corrupt.or(other.corrupt),
            duplicate: self.duplicate.or(other.duplicate),
            reorder: self.reorder.or(other.reorder),
        }
    }
}

/// The units of a bandwidth, in bits per second.
const RATES: [(&str, f64); 4] = [("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9), ("bit", 1.0)];

/// A bandwidth with its unit: `20Mbit`, `1.5 Gbit`, `300 kbit/s`. In bits per second.
pub fn parse_bandwidth(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix("/s").unwrap_or(&lower).trim_end();
    let (_, number, factor) = RATES
        .iter()
        .find_map(|(unit, factor)| lower.strip_suffix(unit).map(|number| (unit, number.trim_end(), factor)))?;
    let rate = number.parse::<f64>().ok()? * factor;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie well within 64 bits")]
    (1.0..1e15).contains(&rate).then_some(rate.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_have_units() {
        for (text, bits) in [
            ("20Mbit", Some(20_000_000)),
            ("1.5 Gbit", Some(1_500_000_000)),
            ("300 kbit/s", Some(300_000)),
            ("800bit", Some(800)),
            ("20", None),
            ("20MB", None),
            ("-1Mbit", None),
            ("0bit", None),
            ("Mbit", None),
        ] {
            assert_eq!(parse_bandwidth(text), bits, "{text}");
        }
    }

    #[test]
    fn a_link_keeps_what_the_one_above_it_leaves_open() {
        let below = Link { latency: Some(Duration::from_millis(20)), loss: Some(0.1), ..Link::default() };
        let above = Link { latency: Some(Duration::from_millis(90)), ..Link::default() };
        let both = above.over(below);
        assert_eq!((both.latency, both.loss, both.jitter), (above.latency, Some(0.1), None));
    }
}
