//! Who has which address.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The data network of a run: `16.0.0.0/16`, and `fd74:6700::/64` beside it. Runs do not see one another, so all may
/// use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan;

/// The first host of a network is usually a router; the first instance is the second.
const FIRST: u32 = 2;

impl Plan {
    pub(crate) const PREFIX_V4: u8 = 16;
    pub(crate) const PREFIX_V6: u8 = 64;
    /// Whether an address lies in the data network.
    pub(crate) fn holds_v4(address: Ipv4Addr) -> bool {
        let [a, b, ..] = address.octets();
        (a, b) == (16, 0)
    }

    pub(crate) fn v4(label: u32) -> Ipv4Addr {
        Ipv4Addr::from((16 << 24) + label + FIRST)
    }

    /// The address of a router, by its number: they count down from the last address.
    pub(crate) fn router(nth: u32) -> Ipv4Addr {
        Self::v4((crate::isolation::MOST_HOSTS - 1).saturating_sub(nth))
    }

    /// The number of the router that would have an address.
    pub(crate) fn is_router(address: Ipv4Addr) -> Option<u32> {
        u32::from(Self::router(0)).checked_sub(address.into())
    }

    pub(crate) fn v6(label: u32) -> Ipv6Addr {
        let [a, b, c, d] = (label + FIRST).to_be_bytes();
        let pair = |high, low| u16::from_be_bytes([high, low]);
        Ipv6Addr::new(0xfd74, 0x6700, 0, 0, 0, 0, pair(a, b), pair(c, d))
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn every_instance_has_its_own_address() {
        assert_eq!(Plan::v4(0).to_string(), "16.0.0.2");
        assert_eq!(Plan::v4(254).to_string(), "16.0.1.0");
        assert_eq!(Plan::v4(crate::isolation::MOST_HOSTS - 1).to_string(), "16.0.255.254");
        assert_eq!(Plan::router(0).to_string(), "16.0.255.254");
        assert_eq!(Plan::is_router(Plan::router(7)), Some(7));
        assert_eq!(Plan::is_router([16, 0, 255, 255].into()), None);
        assert_eq!(Plan::v6(0).to_string(), "fd74:6700::2");
        assert_eq!(Plan::v6(70_000).to_string(), "fd74:6700::1:1172");
        assert!(Plan::holds_v4(Plan::v4(3)) && !Plan::holds_v4([16, 1, 0, 1].into()));
    }
}
