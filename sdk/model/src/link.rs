//! What a link of the data network does to packets, as compositions describe it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the delays of a link lie around its latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Queueing {
    /// What finds the queue full is dropped.
    #[default]
    DropTail,
    /// That, and Controlled Delay (RFC 8289) with a target of 5 ms and an interval of 100 ms.
    #[serde(rename = "codel")]
    CoDel,
}

/// The properties of a link. What is not given is as it would be without; shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// From the sender to the receiver.
    #[serde(rename = "latency_ns", with = "nanoseconds", skip_serializing_if = "Option::is_none")]
    pub latency: Option<Duration>,
    /// How far delays lie around the latency.
    #[serde(rename = "jitter_ns", with = "nanoseconds", skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,
    /// In which way they do.
    #[serde(rename = "jitter_distribution", skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// How much each delay follows the one before.
    #[serde(rename = "jitter_correlation_ratio", skip_serializing_if = "Option::is_none")]
    pub jitter_correlation: Option<f64>,
    /// Bits per second, IP headers included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_bits_per_s: Option<u64>,
    /// How many bytes may wait for the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u64>,
    /// What becomes of those that wait.
    #[serde(rename = "queue", skip_serializing_if = "Option::is_none")]
    pub queueing: Option<Queueing>,
    /// The share of packets that is lost, in the long run.
    #[serde(rename = "loss_ratio", skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// How many packets long a spell of losses is in the mean; without it each loss stands alone.
    #[serde(rename = "loss_burst_packets", skip_serializing_if = "Option::is_none")]
    pub loss_burst: Option<f64>,
    /// The share that is lost in a spell.
    #[serde(rename = "loss_in_burst_ratio", skip_serializing_if = "Option::is_none")]
    pub loss_in_burst: Option<f64>,
    /// The share that is lost between spells.
    #[serde(rename = "loss_between_ratio", skip_serializing_if = "Option::is_none")]
    pub loss_between: Option<f64>,
    /// The share in which one bit is turned.
    #[serde(rename = "corrupt_ratio", skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<f64>,
    /// The share that comes twice.
    #[serde(rename = "duplicate_ratio", skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<f64>,
    /// The share that skips the latency.
    #[serde(rename = "reorder_ratio", skip_serializing_if = "Option::is_none")]
    pub reorder: Option<f64>,
}

/// Times in files are whole nanoseconds.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over like this")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_nanos))
    }
}

/// The keys that are given, in words: `latency 20 ms, loss 1 %`.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| format!("{} ms", time.as_secs_f64() * 1e3);
        // A share was a percent in the file; what the way to and fro has added is cut off.
        let percent = |share: f64| format!("{} %", (share * 1e10).round() / 1e8);
        let rate = |bits: u64| match bits {
            bits if bits.is_multiple_of(1_000_000) => format!("{} Mbit/s", bits / 1_000_000),
            bits if bits.is_multiple_of(1000) => format!("{} kbit/s", bits / 1000),
            bits => format!("{bits} bit/s"),
        };
        let parts = [
            self.latency.map(|x| format!("latency {}", ms(x))),
            self.jitter.map(|x| format!("jitter {}", ms(x))),
            self.bandwidth_bits_per_s.map(|x| format!("bandwidth {}", rate(x))),
            self.loss.map(|x| format!("loss {}", percent(x))),
            self.loss_burst.map(|x| format!("in spells of {x} packets")),
            self.corrupt.map(|x| format!("corrupt {}", percent(x))),
            self.duplicate.map(|x| format!("duplicate {}", percent(x))),
            self.reorder.map(|x| format!("reorder {}", percent(x))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&if parts.is_empty() { "other queues or distributions".to_owned() } else { parts.join(", ") })
    }
}

impl Link {
    /// Whether it says nothing.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// This link, and where it says nothing, the other. How packets are lost is one thing: a loss without spells is
    /// not laid over the spells of the other.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        let losses = if self.loss.is_some() || self.loss_burst.is_some() { self } else { other };
        Self {
            latency: self.latency.or(other.latency),
            jitter: self.jitter.or(other.jitter),
            distribution: self.distribution.or(other.distribution),
            jitter_correlation: self.jitter_correlation.or(other.jitter_correlation),
            bandwidth_bits_per_s: self.bandwidth_bits_per_s.or(other.bandwidth_bits_per_s),
            queue_bytes: self.queue_bytes.or(other.queue_bytes),
            queueing: self.queueing.or(other.queueing),
            loss: losses.loss,
            loss_burst: losses.loss_burst,
            loss_in_burst: losses.loss_in_burst,
            loss_between: losses.loss_between,
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
    fn a_link_is_read_as_it_was_written_and_tells_what_is_given() {
        let link = Link {
            latency: Some(Duration::from_micros(1500)),
            queueing: Some(Queueing::CoDel),
            loss: Some(0.07),
            ..Link::default()
        };
        let text = serde_json::to_string(&link).expect("JSON");
        assert_eq!(text, r#"{"latency_ns":1500000,"queue":"codel","loss_ratio":0.07}"#);
        assert_eq!(serde_json::from_str::<Link>(&text).expect("a link"), link);
        assert_eq!(link.to_string(), "latency 1.5 ms, loss 7 %");
    }

    #[test]
    fn a_link_keeps_what_the_one_above_it_leaves_open() {
        let below = Link { latency: Some(Duration::from_millis(20)), loss: Some(0.1), ..Link::default() };
        let above = Link { latency: Some(Duration::from_millis(90)), ..Link::default() };
        let both = above.over(below);
        assert_eq!((both.latency, both.loss, both.jitter), (above.latency, Some(0.1), None));
        let spells = Link { loss: Some(0.02), loss_burst: Some(8.0), ..Link::default() };
        assert_eq!(below.over(spells).loss_burst, None);
        assert_eq!(above.over(spells).loss_burst, Some(8.0));
    }
}
