//! What a link does to packets.

use std::net::IpAddr;
use std::time::Duration;

use tg_model::link::{Distribution, Link, Queueing};

use super::loss::Spells;

/// What happens to a packet at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Filter {
    /// It passes.
    #[default]
    Accept,
    /// It is refused, and its sender is told.
    Reject,
    /// It vanishes.
    Drop,
}

/// The shape of a link. The default does nothing to packets. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Shape {
    pub(crate) latency: Duration,
    /// How far delays lie around the latency, in the way of the distribution.
    pub(crate) jitter: Duration,
    pub(crate) distribution: Distribution,
    /// How much each delay follows the one before.
    pub(crate) jitter_correlation: f64,
    /// Bits per second; 0 is no limit.
    pub(crate) bandwidth_bits_per_s: u64,
    /// How many bytes may wait for the link, if not as many as usual.
    pub(crate) queue_limit_bytes: Option<u64>,
    pub(crate) queueing: Queueing,
    pub(crate) filter: Filter,
    pub(crate) loss: f64,
    /// Losses in spells, in place of those of `loss`.
    pub(crate) spells: Option<Spells>,
    pub(crate) corrupt: f64,
    pub(crate) corrupt_correlation: f64,
    /// The share that overtakes: it skips the latency.
    pub(crate) reorder: f64,
    pub(crate) reorder_correlation: f64,
    pub(crate) duplicate: f64,
    pub(crate) duplicate_correlation: f64,
}

impl Shape {
    /// Whether a packet passes at once and whole.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self { filter: self.filter, ..Self::default() }
    }

    /// Whether it matters where one packet ends and the next begins: then large segments are cut into packets first.
    pub(super) fn counts_packets(&self) -> bool {
        self.bandwidth_bits_per_s > 0
            || self.loss > 0.0
            || self.spells.is_some()
            || self.corrupt > 0.0
            || self.reorder > 0.0
            || self.duplicate > 0.0
            || self.jitter > Duration::ZERO
    }

    /// How many bytes may wait for the link: a quarter of a second of it, and at least 64 KiB, if nothing else was
    /// asked for.
    pub(super) fn queue_bytes(&self) -> u64 {
        self.queue_limit_bytes.unwrap_or((self.bandwidth_bits_per_s / 8 / 4).max(64 << 10))
    }

    /// This shape with what a link of the composition says in place of its own.
    pub(crate) fn changed(self, link: &Link) -> Self {
        let loss = link.loss.unwrap_or(self.loss);
        let spells = match link.loss_burst {
            Some(burst) => {
                let (inside, between) = (link.loss_in_burst.unwrap_or(1.0), link.loss_between.unwrap_or(0.0));
                Some(Spells::new(loss, burst, inside, between))
            }
            None => self.spells.filter(|_| link.loss.is_none()),
        };
        Self {
            latency: link.latency.unwrap_or(self.latency),
            jitter: link.jitter.unwrap_or(self.jitter),
            distribution: link.distribution.unwrap_or(self.distribution),
            jitter_correlation: link.jitter_correlation.unwrap_or(self.jitter_correlation),
            bandwidth_bits_per_s: link.bandwidth_bits_per_s.unwrap_or(self.bandwidth_bits_per_s),
            queue_limit_bytes: link.queue_bytes.or(self.queue_limit_bytes),
            queueing: link.queueing.unwrap_or(self.queueing),
            loss,
            spells,
            corrupt: link.corrupt.unwrap_or(self.corrupt),
            duplicate: link.duplicate.unwrap_or(self.duplicate),
            reorder: link.reorder.unwrap_or(self.reorder),
            ..self
        }
    }
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// What is wrong with the text of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subnet: write it as `16.0.2.0/24`")]
pub(crate) struct BadSubnet(String);

impl Subnet {
    pub(crate) fn prefix(&self) -> u8 {
        self.prefix
    }

    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, bits: u8| {
            let shift = u32::from(bits - self.prefix);
            shift == u32::from(bits) || a >> shift == b >> shift
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => self.prefix == 0 || same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

impl std::str::FromStr for Subnet {
    type Err = BadSubnet;

    /// Reads `16.0.2.0/24`; an address alone stands for itself.
    fn from_str(text: &str) -> Result<Self, BadSubnet> {
        let bad = || BadSubnet(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok().ok_or_else(bad)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().ok().ok_or_else(bad))?;
        if prefix > most { Err(bad()) } else { Ok(Self { address, prefix }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_hold_what_begins_alike() {
        let cases = [
            ("16.0.2.0/24", "16.0.2.77", true),
            ("16.0.2.9/24", "16.0.2.77", true),
            ("16.0.2.0/24", "16.0.3.77", false),
            ("16.0.2.1", "16.0.2.1", true),
            ("16.0.2.1", "16.0.2.2", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("fd74:6700::/64", "fd74:6700::2", true),
            ("::/0", "fd74:6700::2", true),
        ];
        for (subnet, address, holds) in cases {
            let parsed: Subnet = subnet.parse().expect("a subnet");
            assert_eq!(parsed.holds(address.parse().expect("an address")), holds, "{subnet} {address}");
        }
        for text in ["", "16.0.2.0/33", "16.0.2/24", "x/8", "::1/129"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_shape_says_what_it_needs() {
        assert!(Shape::default().is_plain());
        assert!(Shape { filter: Filter::Drop, ..Shape::default() }.is_plain());
        let late = Shape { latency: Duration::from_millis(1), ..Shape::default() };
        assert!(!late.is_plain() && !late.counts_packets());
        let slow = Shape { bandwidth_bits_per_s: 80_000_000, ..Shape::default() };
        assert!(slow.counts_packets());
        assert_eq!(slow.queue_bytes(), 2_500_000);
    }
}
