//! What a router says to the sender of a packet that does not get through (RFC 792, RFC 1812, RFC 4443).

use std::net::IpAddr;

use tun_rs::checksum;

use super::packet::{HEADER, way};

/// Why a packet does not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A filter refuses it.
    Prohibited,
    /// Nobody has its address.
    NoHost,
}

/// The answer to a packet, if it may have one: never to an ICMP error, a fragment, or what was sent to many.
pub(super) fn answer(packet: &[u8], why: Why) -> Option<Vec<u8>> {
    let way = way(packet)?;
    let ip = &packet[HEADER..];
    match (way.from, way.to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = usize::from(ip[0] & 0x0f) * 4;
            let is_error = ip[9] == 1 && !matches!(ip.get(length), Some(0 | 8));
            let later_fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x1fff != 0;
            if is_error || later_fragment || to.is_multicast() || to.is_broadcast() {
                return None;
            }
            let quoted = &ip[..ip.len().min(length + 8)];
            let total = 20 + 8 + quoted.len();
            let mut out = vec![0; HEADER + total];
            let ip = &mut out[HEADER..];
            ip[0] = 0x45;
            ip[2..4].copy_from_slice(&u16::try_from(total).ok()?.to_be_bytes());
            ip[8] = 64;
            ip[9] = 1;
            ip[12..16].copy_from_slice(&to.octets());
            ip[16..20].copy_from_slice(&from.octets());
            let sum = !checksum(&ip[..20], 0);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            ip[20] = 3;
            ip[21] = match why {
                Why::Prohibited => 13,
                Why::NoHost => 1,
            };
            ip[28..].copy_from_slice(quoted);
            let sum = !checksum(&ip[20..], 0);
            ip[22..24].copy_from_slice(&sum.to_be_bytes());
            Some(out)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let is_error = ip[6] == 58 && ip.get(40).is_some_and(|kind| *kind < 128);
            if is_error || to.is_multicast() {
                return None;
            }
            let quoted = &ip[..ip.len().min(1232)];
            let mut out = vec![0; HEADER + 40 + 8 + quoted.len()];
            let ip = &mut out[HEADER..];
            let length = u16::try_from(8 + quoted.len()).ok()?;
            ip[0] = 0x60;
            ip[4..6].copy_from_slice(&length.to_be_bytes());
            ip[6] = 58;
            ip[7] = 64;
            ip[8..24].copy_from_slice(&to.octets());
            ip[24..40].copy_from_slice(&from.octets());
            ip[40] = 1;
            ip[41] = match why {
                Why::Prohibited => 1,
                Why::NoHost => 3,
            };
            ip[48..].copy_from_slice(quoted);
            let pseudo = u64::from(checksum(&ip[8..40], 0)) + u64::from(length) + 58;
            let sum = !checksum(&ip[40..], pseudo);
            ip[42..44].copy_from_slice(&sum.to_be_bytes());
            Some(out)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(v6: bool) -> Vec<u8> {
        let mut packet = vec![0; HEADER + if v6 { 56 } else { 36 }];
        let ip = &mut packet[HEADER..];
        if v6 {
            ip[0] = 0x60;
            ip[6] = 58;
            ip[8..24].copy_from_slice(&std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).octets());
            ip[24..40].copy_from_slice(&std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).octets());
            ip[40] = 128;
        } else {
            ip[0] = 0x45;
            ip[9] = 1;
            ip[12..16].copy_from_slice(&[16, 0, 0, 2]);
            ip[16..20].copy_from_slice(&[16, 0, 0, 3]);
            ip[20] = 8;
        }
        packet
    }

    #[test]
    fn answers_go_back_and_check_out() {
        let out = answer(&ping(false), Why::Prohibited).expect("an answer");
        let ip = &out[HEADER..];
        assert_eq!(way(&out).map(|way| way.to), Some([16, 0, 0, 2].into()));
        assert_eq!((ip[20], ip[21]), (3, 13));
        assert_eq!((checksum(&ip[..20], 0), checksum(&ip[20..], 0)), (0xffff, 0xffff));
        let out = answer(&ping(true), Why::NoHost).expect("an answer");
        let ip = &out[HEADER..];
        assert_eq!((ip[40], ip[41]), (1, 3));
        let pseudo = u64::from(checksum(&ip[8..40], 0)) + (ip.len() - 40) as u64 + 58;
        assert_eq!(checksum(&ip[40..], pseudo), 0xffff);
    }

    #[test]
    fn an_answer_has_no_answer() {
        for v6 in [false, true] {
            let out = answer(&ping(v6), Why::Prohibited).expect("an answer");
            assert_eq!(answer(&out, Why::Prohibited), None);
        }
    }
}
